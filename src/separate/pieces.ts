// Pieces of large pictures, for networks that compute every place of a picture alike: such a network can be fitted to
// small pieces of many places at a fraction of the work and memory of whole inputs.
import { infer } from "../graph/infer.ts";
import { numberOf } from "../graph/nodes.ts";
import type { Graph, GraphNode, Spec, Value } from "../graph/types.ts";
import { newValue, sizeOf } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Values } from "./network.ts";

/** Operators that compute each place from those around it, or elementwise. */
const windows = ["Conv", "ConvTranspose", "MaxPool", "AveragePool"];
const elementwise = ["Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid"];
const more = ["Tanh", "Elu", "HardSigmoid", "HardSwish", "BatchNormalization", "Identity", "Dropout"];
const local = new Set([...windows, ...elementwise, ...more, "Concat", "DepthToSpace", "SpaceToDepth"]);

/** The least side of a piece: of networks that pad nothing, and of others, in which zeros reach into a picture from its borders. */
const [bare, padded] = [60, 120];
/** Sides are shortened by multiples of this: halves of halves stay whole where they were. */
const step = 32;
/** Pieces of one input at most. */
const mostPieces = 4;

/** How inputs are cut. */
export interface Cut {
  input: string;
  /** Of a piece. */
  height: number;
  width: number;
  /** Pieces of each input. */
  count: number;
}

/** How the inputs of a network are cut; undefined where it is not local, or they are small already. */
export function cutOf(graph: Graph, inputs: ReadonlyMap<string, Spec>): Cut | undefined {
  const [[input, spec] = ["", undefined]] = inputs;
  if (inputs.size !== 1 || spec?.shape.length !== 4 || spec.dtype !== "f32") return undefined;
  if (!graph.nodes.every((node) => isLocal(node, graph))) return undefined;
  const least = graph.nodes.every(padsNothing) ? bare : padded;
  const [images, channels, height, width] = spec.shape as [number, number, number, number];
  const [rows, cols] = [height, width].map((side) => shortened(side, least)) as [number, number];
  const ratio = (height * width) / (rows * cols);
  if (ratio < 1.5) return undefined;
  try {
    infer(graph, operators, new Map([[input, { dtype: "f32", shape: [images, channels, rows, cols] }]]));
  } catch {
    return undefined; // what it concatenates or adds does not fit any more
  }
  return { input, height: rows, width: cols, count: Math.min(mostPieces, Math.floor(ratio)) };
}

const shortened = (side: number, least: number): number =>
  side < least + step ? side : side - step * Math.floor((side - least) / step);

function isLocal({ op, inputs, attributes, opset }: GraphNode, { constants }: Graph): boolean {
  if (!local.has(op) || (op === "Concat" && numberOf({ attributes } as GraphNode, "axis", 1) !== 1)) return false;
  if (elementwise.includes(op) && opset < 7 && attributes.broadcast !== undefined) return false;
  // A constant that differs from place to place.
  const isMap = (name: string): boolean => (constants.get(name)?.shape ?? []).slice(-2).some((side) => side !== 1);
  return !elementwise.includes(op) || !inputs.some(isMap);
}

function padsNothing({ op, attributes }: GraphNode): boolean {
  if (!windows.includes(op) || op === "ConvTranspose") return true;
  const isAuto = `${attributes.auto_pad ?? ""}`.startsWith("SAME");
  return !isAuto && ((attributes.pads as readonly number[] | undefined) ?? []).every((pad) => pad === 0);
}

/** Where a piece stands in its input, and its size. */
interface Place {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** How a piece differs from what stands in the input: channels of three turned, and moved in under black or white. */
interface Variant {
  turn: 0 | 1 | 2;
  down: number;
  right: number;
  /** The number beyond the edge that was moved in. */
  beyond: number;
}

/**
 * So many pieces of the input with this index; an input that is no larger stays whole. `varied`: half of them are variants, which
 * photographs seldom show and other pictures often: a quarter with an edge of black or white (frames, bars, screens), a quarter
 * with the channels of three in another order (strong colours).
 */
export function piecesOf(values: Values, cut: Cut, count: number, index: number, varied = false): Values[] {
  const value = values.get(cut.input)!;
  const [down, right] = [value.shape[2]! - cut.height, value.shape[3]! - cut.width];
  if (down < 0 || right < 0) return [values];
  return Array.from({ length: count }, (_, i) => {
    const [y, x] = [(1 + index * mostPieces + i) * spread[0], (1 + index * mostPieces + i) * spread[1]];
    const [top, left] = [Math.floor((y % 1) * (down + 1)), Math.floor((x % 1) * (right + 1))];
    const place = { top, left, height: cut.height, width: cut.width };
    return new Map([[cut.input, pieceOf(value, place, varied ? variantOf(index + i, value, place) : plain)]]);
  });
}

/** Multiples of the plastic number's powers spread evenly over the square (Roberts 2018). */
const spread = [0.7548776662466927, 0.5698402909980532] as const;

const plain: Variant = { turn: 0, down: 0, right: 0, beyond: 0 };

/** Of four numbers two are plain. An edge comes in from each of the four sides in turn, by a fifth to half of the piece. */
function variantOf(number: number, { data }: Value, { height, width }: Place): Variant {
  const round = number >> 2;
  if (number % 4 === 3) return { ...plain, turn: round & 1 ? 1 : 2 };
  if (number % 4 !== 1) return plain;
  const by = (round & 2 ? 1 : -1) * (0.2 + 0.3 * ((number * spread[0]) % 1));
  const [down, right] = round & 1 ? [Math.trunc(by * height), 0] : [0, Math.trunc(by * width)];
  const beyond = (data as Float32Array).reduce((a, b) => (round & 4 ? Math.max(a, b) : Math.min(a, b)));
  return { turn: 0, down, right, beyond };
}

function pieceOf({ dtype, shape, data }: Value, { top, left, height, width }: Place, variant: Variant): Value {
  const [images = 1, channels = 1, rows = 1, cols = 1] = shape;
  const piece = newValue(dtype, [images, channels, height, width]);
  const to = piece.data as Float32Array;
  const { turn, down, right, beyond } = variant;
  const shown = (at: number, size: number): boolean => at >= 0 && at < size;
  for (let row = 0; row < sizeOf(piece.shape) / width; row++) {
    const plane = Math.floor(row / height);
    const channel = plane % channels;
    const source = plane - channel + (channels === 3 ? (channel + turn) % 3 : channel);
    const y = (row % height) + down;
    const from = (source * rows + top + y) * cols + left + right;
    for (let x = 0; x < width; x++) {
      const isShown = shown(y, height) && shown(x + right, width);
      to[row * width + x] = isShown ? (data[from + x] as number) : beyond;
    }
  }
  return piece;
}

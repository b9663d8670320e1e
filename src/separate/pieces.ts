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

/** So many pieces of the input with this index; an input that is no larger stays whole. */
export function piecesOf(values: Values, { input, height, width }: Cut, count: number, index: number): Values[] {
  const value = values.get(input)!;
  const [down, right] = [value.shape[2]! - height, value.shape[3]! - width];
  if (down < 0 || right < 0) return [values];
  // Multiples of the plastic number's powers spread evenly over the square (Roberts 2018).
  const at = (i: number, factor: number, most: number): number =>
    Math.floor((((index * mostPieces + i + 1) * factor) % 1) * (most + 1));
  return Array.from({ length: count }, (_, i) => {
    const [top, left] = [at(i, 0.7548776662466927, down), at(i, 0.5698402909980532, right)];
    return new Map([[input, pieceOf(value, top, left, height, width)]]);
  });
}

function pieceOf({ dtype, shape, data }: Value, top: number, left: number, height: number, width: number): Value {
  const [images = 1, channels = 1, rows = 1, cols = 1] = shape;
  const piece = newValue(dtype, [images, channels, height, width]);
  const to = piece.data as Float32Array;
  for (let row = 0; row < sizeOf(piece.shape) / width; row++) {
    const from = (Math.floor(row / height) * rows + top + (row % height)) * cols + left;
    to.set((data as Float32Array).subarray(from, from + width), row * width);
  }
  return piece;
}

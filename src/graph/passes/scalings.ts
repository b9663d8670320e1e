// Pass: folds what multiplies and adds one constant a channel (norms, Mul, Add, Sub and Div) into the convolution or norm before
// it, or into the convolution after it.
import type { Tensor } from "../../tensor.ts";
import { listOf, numberOf } from "../nodes.ts";
import type { Graph, GraphNode, Spec } from "../types.ts";
import { elementsOf, newValue, numbersOf, sizeOf, toValue, write } from "../values.ts";
import { isPlainConvolution, normIn, type Scaling, scaled } from "./batch-norm.ts";
import { type Merged, mergePairs } from "./fuse.ts";

/** `specs` are the types and shapes of values, as far as they are known. */
export function foldScalings(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  const after = mergePairs(graph, (first, second, index, constants) => {
    const channels = channelsOf(first, constants);
    const scaling = channels && scalingOf(second, index, channels.count, channels.rank ?? rankOf(second), constants);
    if (!scaling) return undefined;
    return first.op === "BatchNormalization"
      ? rescaled(first, second, scaling, constants)
      : scaled(first, second, scaling, constants);
  });
  return mergePairs(after, (first, second, index, constants) => {
    const weight = isPlainConvolution(second) && index === 0 ? constants.get(second.inputs[1]!) : undefined;
    const at = first.inputs.findIndex((name) => !constants.has(name));
    if (second.op !== "Conv" || !weight || at < 0) return undefined;
    const count = weight.shape[1]! * numberOf(second, "group", 1);
    const scaling = scalingOf(first, at, count, weight.shape.length, constants);
    return scaling && scaledBefore(first.inputs[at]!, second, scaling, constants);
  });

  function rankOf({ outputs }: GraphNode): number | undefined {
    return specs.get(outputs[0]!)?.shape.length;
  }
}

/** Channels of what a node computes that can be scaled, and its rank where its constants say it. */
function channelsOf(
  node: GraphNode,
  constants: ReadonlyMap<string, Tensor>,
): { count: number; rank?: number } | undefined {
  const norm = normIn(node, constants);
  if (norm) return { count: norm.factors.length };
  const weight = isPlainConvolution(node) ? constants.get(node.inputs[1]!) : undefined;
  if (!weight) return undefined;
  const [first, second] = weight.shape as [number, number];
  const count = node.op === "Conv" ? first : second * numberOf(node, "group", 1);
  return { count, rank: weight.shape.length };
}

/** What a node does to its input `index` where that is to multiply and add one constant a channel. */
function scalingOf(
  node: GraphNode,
  index: number,
  channels: number,
  rank: number | undefined,
  constants: ReadonlyMap<string, Tensor>,
): Scaling | undefined {
  const norm = index === 0 ? normIn(node, constants) : undefined;
  if (norm) return norm.factors.length === channels && isSafe(norm) ? norm : undefined;
  const other = constants.get(node.inputs[1 - index] ?? "");
  if (!other || !["f32", "f64"].includes(toValue(other)!.dtype) || node.inputs.length !== 2) return undefined;
  const numbers = channelNumbers(node, other, channels, rank);
  const make = numbers && kinds[node.op]?.(index);
  const pairs = make && Array.from(numbers, make);
  if (!pairs) return undefined;
  const scaling = {
    factors: Float64Array.from(pairs, ([factor]) => factor),
    offsets: Float64Array.from(pairs, ([, offset]) => offset),
  };
  return isSafe(scaling) ? scaling : undefined;
}

type Pair = readonly [factor: number, offset: number];
/** A factor and an offset by the constant, where input `index` is the other. */
const kinds: Readonly<Record<string, (index: number) => ((constant: number) => Pair) | undefined>> = {
  Mul: () => (constant) => [constant, 0],
  Add: () => (constant) => [1, constant],
  Sub: (index) => (constant) => (index === 0 ? [1, -constant] : [-1, constant]),
  Div: (index) => (index === 0 ? (constant) => [1 / constant, 0] : undefined),
};

const isSafe = ({ factors, offsets }: Scaling): boolean =>
  factors.every(Number.isFinite) && offsets.every(Number.isFinite);

/** A constant as one number a channel, where it is repeated along all other axes. */
function channelNumbers(
  node: GraphNode,
  { shape, data }: Tensor,
  channels: number,
  rank: number | undefined,
): Float64Array | undefined {
  const numbers = numbersOf({ data });
  // Before version 7 an attribute says which axis the constant's first one meets.
  const isOld = node.opset < 7 && numberOf(node, "broadcast", 0) !== 0;
  const axis = isOld ? numberOf(node, "axis", (rank ?? 0) - shape.length) : (rank ?? shape.length) - shape.length;
  if (rank !== undefined && (axis < 0 || axis + shape.length > rank)) return undefined;
  if (sizeOf(shape) === 1) return new Float64Array(channels).fill(numbers[0]!);
  const isOfChannels = shape.every((side, i) => side === (axis + i === 1 ? channels : 1));
  return rank !== undefined && isOfChannels && sizeOf(shape) === channels ? numbers : undefined;
}

/** A norm and what scales its result. */
function rescaled(
  norm: GraphNode,
  { outputs }: GraphNode,
  { factors, offsets }: Scaling,
  constants: ReadonlyMap<string, Tensor>,
): Merged {
  const given = norm.inputs.slice(1, 3).map((name) => constants.get(name)!);
  const [scale, shift] = given.map(numbersOf) as [Float64Array, Float64Array];
  const made = given.map((tensor) => newValue(toValue(tensor)!.dtype, [factors.length]));
  write(
    made[0]!,
    factors.map((factor, c) => factor * scale[c]!),
  );
  write(
    made[1]!,
    factors.map((factor, c) => factor * shift[c]! + offsets[c]!),
  );
  const names = ["scale", "shift"].map((what) => `${outputs[0]}: folded ${what}`) as [string, string];
  const node = { ...norm, inputs: [norm.inputs[0]!, ...names, ...norm.inputs.slice(3)], outputs };
  return { node, constants: { [names[0]]: made[0]!, [names[1]]: made[1]! } };
}

/** A convolution of a value that is scaled before. Offsets would reach beyond the input where that is padded. */
function scaledBefore(
  x: string,
  conv: GraphNode,
  { factors, offsets }: Scaling,
  constants: ReadonlyMap<string, Tensor>,
): Merged | undefined {
  const weight = constants.get(conv.inputs[1]!)!;
  const bias = conv.inputs[2] ? constants.get(conv.inputs[2]) : undefined;
  const pads = listOf(conv, "pads")?.some((pad) => pad !== 0) || `${conv.attributes.auto_pad ?? ""}`.startsWith("SAME");
  const isShifted = offsets.some((offset) => offset !== 0);
  if ((conv.inputs[2] && !bias) || (isShifted && pads)) return undefined;
  const [outputs, each, ...size] = weight.shape as [number, number, ...number[]];
  const [taps, perGroup] = [sizeOf(size), outputs / numberOf(conv, "group", 1)];
  const { dtype, shape } = toValue(weight)!;
  const [newWeight, newBias] = [newValue(dtype, shape), newValue(dtype, [outputs])];
  const [from, to, biases] = [
    numbersOf(weight),
    elementsOf(newWeight),
    Float64Array.from({ length: outputs }, () => 0),
  ];
  if (bias) biases.set(numbersOf(bias));
  for (let o = 0, at = 0; o < outputs; o++) {
    for (let i = 0; i < each; i++) {
      const c = Math.floor(o / perGroup) * each + i;
      for (const end = at + taps; at < end; at++) {
        to[at] = from[at]! * factors[c]!;
        biases[o]! += from[at]! * offsets[c]!;
      }
    }
  }
  write(newBias, biases);
  const names = ["weight", "bias"].map((what) => `${conv.outputs[0]}: scaled ${what}`) as [string, string];
  const withBias = bias || isShifted;
  const node = { ...conv, inputs: [x, names[0], ...(withBias ? [names[1]] : [])] };
  return { node, constants: { [names[0]]: newWeight, ...(withBias && { [names[1]]: newBias }) } };
}

// Pass: folds a BatchNormalization into the weight and bias of the convolution before it.
import type { Tensor } from "../../tensor.ts";
import { numberOf } from "../nodes.ts";
import type { Graph, GraphNode, Value } from "../types.ts";
import { elementsOf, newValue, numbersOf, sizeOf, toValue, write } from "../values.ts";
import { type Merged, mergePairs } from "./fuse.ts";

export function foldBatchNorm(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    const scaling = index === 0 && isPlainConvolution(first) ? normIn(second, constants) : undefined;
    return scaling && scaled(first, second, scaling, constants);
  });
}

/** A factor and an offset for each channel. */
export interface Scaling {
  factors: Float64Array;
  offsets: Float64Array;
}

/** A convolution that nothing has been fused into. */
export function isPlainConvolution({ op, inputs, attributes }: GraphNode): boolean {
  return (op === "Conv" || op === "ConvTranspose") && !inputs[3] && attributes.activation === undefined;
}

/** A BatchNormalization that is a factor and an offset a channel: out of training. */
function isFixed(norm: GraphNode): boolean {
  return numberOf(norm, "training_mode", 0) === 0 && numberOf(norm, "spatial", 1) !== 0;
}

/** Factors and offsets of a norm by its constants: scale, shift, mean and variance. */
function normOf(norm: GraphNode, constants: readonly Tensor[]): Scaling {
  const [scale, shift, mean, variance] = constants.map(numbersOf) as Float64Array[];
  const epsilon = numberOf(norm, "epsilon", 1e-5);
  const factors = Float64Array.from(scale!, (value, c) => value / Math.sqrt(variance![c]! + epsilon));
  return { factors, offsets: factors.map((factor, c) => shift![c]! - mean![c]! * factor) };
}

/** The same of a node that is a norm of constants. */
export function normIn(node: GraphNode, constants: ReadonlyMap<string, Tensor>): Scaling | undefined {
  if (node.op !== "BatchNormalization" || node.outputs.length > 1 || !isFixed(node)) return undefined;
  const given = node.inputs.slice(1, 5).map((name) => constants.get(name));
  return given.length < 4 || given.includes(undefined) ? undefined : normOf(node, given as Tensor[]);
}

/** A convolution whose results are scaled by a node after it. */
export function scaled(
  conv: GraphNode,
  { outputs }: GraphNode,
  { factors, offsets }: Scaling,
  constants: ReadonlyMap<string, Tensor>,
): Merged | undefined {
  const weight = constants.get(conv.inputs[1]!);
  const bias = conv.inputs[2] ? constants.get(conv.inputs[2]) : undefined;
  if (!weight || (conv.inputs[2] && !bias)) return undefined;
  const biases = bias && numbersOf(bias);
  const { dtype, shape } = toValue(weight)!;
  const [newWeight, newBias] = [newValue(dtype, shape), newValue(dtype, [factors.length])];
  scale(conv, weight, factors, newWeight);
  write(
    newBias,
    offsets.map((offset, c) => offset + (biases?.[c] ?? 0) * factors[c]!),
  );
  const names = ["weight", "bias"].map((what) => `${outputs[0]}: folded ${what}`) as [string, string];
  const node = { ...conv, inputs: [conv.inputs[0]!, ...names], outputs };
  return { node, constants: { [names[0]]: newWeight, [names[1]]: newBias } };
}

/** `to`: the weight times its output channel's factor. It is [out, in / groups, ...] or, transposed, [in, out / groups, ...]. */
function scale(conv: GraphNode, weight: Tensor, factors: Float64Array, to: Value): void {
  const [first = 1, second = 1, ...size] = weight.shape;
  const taps = sizeOf(size);
  const [from, out] = [numbersOf(weight), elementsOf(to)];
  const perGroup = first / numberOf(conv, "group", 1);
  const channel = (row: number): number => Math.floor(row / second / perGroup) * second + (row % second);
  const [rows, length] = conv.op === "Conv" ? [first, second * taps] : [first * second, taps];
  for (let row = 0, at = 0; row < rows; row++) {
    const factor = factors[conv.op === "Conv" ? row : channel(row)]!;
    for (const end = at + length; at < end; at++) out[at] = from[at]! * factor;
  }
}

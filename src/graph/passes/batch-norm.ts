// A BatchNormalization after a convolution is a factor and an offset a channel: they go into weight and bias.
import type { Tensor } from "../../tensor.ts";
import { numberOf } from "../nodes.ts";
import type { Graph, GraphNode } from "../types.ts";
import { newValue, numbersOf, sizeOf, toValue, write } from "../values.ts";
import { type Merged, mergePairs } from "./merge.ts";

export function foldBatchNorm(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    const isConvolution = first.op === "Conv" || first.op === "ConvTranspose";
    const isPlain = !first.inputs[3] && first.attributes.activation === undefined;
    const isNorm = second.op === "BatchNormalization" && index === 0 && second.outputs.length === 1;
    const training = numberOf(second, "training_mode", 0) !== 0 || numberOf(second, "spatial", 1) === 0;
    return isConvolution && isPlain && isNorm && !training ? fold(first, second, constants) : undefined;
  });
}

function fold(conv: GraphNode, norm: GraphNode, constants: ReadonlyMap<string, Tensor>): Merged | undefined {
  const named = [conv.inputs[1]!, ...norm.inputs.slice(1, 5)].map((name) => constants.get(name));
  const bias = conv.inputs[2] ? constants.get(conv.inputs[2]) : undefined;
  if (named.includes(undefined) || (conv.inputs[2] && !bias)) return undefined;
  const [weight, ...moments] = named as Tensor[];
  const [scale, shift, mean, variance] = moments.map(numbersOf) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const epsilon = numberOf(norm, "epsilon", 1e-5);
  const factors = Float64Array.from(scale, (value, c) => value / Math.sqrt(variance[c]! + epsilon));
  const biases = bias && numbersOf(bias);
  const offsets = factors.map((factor, c) => ((biases?.[c] ?? 0) - mean[c]!) * factor + shift[c]!);
  const { dtype, shape } = toValue(weight!)!;
  const [newWeight, newBias] = [newValue(dtype, shape), newValue(dtype, [factors.length])];
  write(newWeight, scaled(conv, weight!, factors));
  write(newBias, offsets);
  const names = ["weight", "bias"].map((what) => `${norm.outputs[0]}: folded ${what}`) as [string, string];
  const node = { ...conv, inputs: [conv.inputs[0]!, ...names], outputs: norm.outputs };
  return { node, constants: { [names[0]]: newWeight, [names[1]]: newBias } };
}

/** The weight times its output channel's factor. It is [out, in / groups, ...] or, transposed, [in, out / groups, ...]. */
function scaled(conv: GraphNode, weight: Tensor, factors: Float64Array): Float64Array {
  const [first = 1, second = 1, ...size] = weight.shape;
  const taps = sizeOf(size);
  const numbers = Float64Array.from(numbersOf(weight));
  const perGroup = first / numberOf(conv, "group", 1);
  for (let row = 0, at = 0; row < first * second; row++) {
    const [a, b] = [Math.floor(row / second), row % second];
    const factor = factors[conv.op === "Conv" ? a : Math.floor(a / perGroup) * second + b]!;
    for (const end = at + taps; at < end; at++) numbers[at]! *= factor;
  }
  return numbers;
}

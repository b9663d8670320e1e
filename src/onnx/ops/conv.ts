// Conv and ConvTranspose, whose fourth input is a fused residual, and SeparableConv, which a pass makes of a depthwise
// and a pointwise convolution and, optionally, a pointwise one before them.
import { checkSize } from "../../graph/evaluate.ts";
import { floats, required } from "../../graph/nodes.ts";
import { partsOf } from "../../graph/passes/separable.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { newValue, numbersOf, write } from "../../graph/values.ts";
import { checkFinish, finish } from "./activations.ts";
import { type Convolution, convolutionOf, convolve } from "./convolve.ts";

function convolution(name: string, transposed: boolean): Operator {
  const read = (node: GraphNode, inputs: readonly (Spec | undefined)[]): Convolution => {
    const x = required(node, inputs, 0, floats);
    const bias = inputs[2] && required(node, inputs, 2, [x.dtype]);
    return convolutionOf(node, x, required(node, inputs, 1, [x.dtype]), bias, transposed);
  };
  return {
    name,
    infer: (node, inputs) => {
      const y = { dtype: required(node, inputs, 0).dtype, shape: read(node, inputs).shape };
      checkFinish(node, y, inputs[3]);
      return [y];
    },
    *run(node, inputs, [y]) {
      const [x, weight, bias, residual] = inputs;
      const offsets = bias && numbersOf(bias);
      yield* convolve(read(node, inputs), numbersOf(x!), numbersOf(weight!), (sums, channel, at) => {
        const offset = offsets ? offsets[channel]! : 0;
        for (let i = 0; i < sums.length; i++) sums[i]! += offset;
        write(y!, sums, at);
      });
      finish(node, y!, residual);
    },
  };
}

export const conv = convolution("Conv", false);
export const convTranspose = convolution("ConvTranspose", true);

/** The convolutions in their order, each with what it reads besides the result of the one before. */
function stepsOf<T extends Spec>(node: GraphNode, inputs: readonly (T | undefined)[]) {
  const [, depthwise, depthwiseBias, pointwise, bias, residual, expand, expandBias] = inputs;
  const parts = partsOf(node);
  return [
    ...(parts.expand ? [{ node: parts.expand, others: [expand, expandBias] }] : []),
    { node: parts.depthwise, others: [depthwise, depthwiseBias] },
    { node: parts.pointwise, others: [pointwise, bias, residual] },
  ];
}

export const separableConv: Operator = {
  name: "SeparableConv",
  infer: (node, inputs) => {
    let [found] = inputs;
    for (const { node: part, others } of stepsOf(node, inputs)) {
      [found] = conv.infer(part, [found, ...others]);
      checkSize(node, found!);
    }
    return [found!];
  },
  *run(node, inputs, outputs) {
    const steps = stepsOf(node, inputs);
    let [found] = inputs;
    for (const [i, { node: part, others }] of steps.entries()) {
      const [{ dtype, shape } = outputs[0]!] = conv.infer(part, [found, ...others]);
      const result = i === steps.length - 1 ? outputs[0]! : newValue(dtype, shape);
      yield* conv.run!(part, [found, ...others], [result]) ?? [];
      found = result;
    }
  },
};

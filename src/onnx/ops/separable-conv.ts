// SeparableConv: what a pass makes of a depthwise and a pointwise convolution, and of a pointwise one before them; the result
// is theirs, one after the other.
import { checkSize } from "../../graph/evaluate.ts";
import { partsOf } from "../../graph/passes/separable.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { newValue } from "../../graph/values.ts";
import { conv } from "./conv.ts";

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
  run: (node, inputs, outputs) => {
    const steps = stepsOf(node, inputs);
    let [found] = inputs;
    for (const [i, { node: part, others }] of steps.entries()) {
      const [{ dtype, shape } = outputs[0]!] = conv.infer(part, [found, ...others]);
      const result = i === steps.length - 1 ? outputs[0]! : newValue(dtype, shape);
      conv.run!(part, [found, ...others], [result]);
      found = result;
    }
  },
};

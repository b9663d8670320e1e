// SeparableConv: what a pass makes of a depthwise and a pointwise convolution; the result is theirs, one after the other.
import { checkSize } from "../../graph/evaluate.ts";
import { halvesOf } from "../../graph/passes/separable.ts";
import type { GraphNode, Operator } from "../../graph/types.ts";
import { newValue } from "../../graph/values.ts";
import { conv } from "./conv.ts";

function inputsOf<T>([x, depthwise, depthwiseBias, pointwise, bias, residual]: readonly (T | undefined)[]) {
  return { first: [x, depthwise, depthwiseBias], second: [pointwise, bias, residual] };
}

export const separableConv: Operator = {
  name: "SeparableConv",
  infer: (node: GraphNode, inputs) => {
    const [depthwise, pointwise] = halvesOf(node);
    const { first, second } = inputsOf(inputs);
    const middle = conv.infer(depthwise, first);
    for (const spec of middle) checkSize(node, spec);
    return conv.infer(pointwise, [...middle, ...second]);
  },
  run: (node, inputs, outputs) => {
    const [depthwise, pointwise] = halvesOf(node);
    const { first, second } = inputsOf(inputs);
    const middle = conv.infer(depthwise, first).map(({ dtype, shape }) => newValue(dtype, shape));
    conv.run!(depthwise, first, middle);
    conv.run!(pointwise, [...middle, ...second], outputs);
  },
};

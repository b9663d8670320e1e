// Split: a tensor cut along one axis into parts of given sizes, or of equal ones.
import { axisOf, listFrom, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { stridesOf } from "../../graph/values.ts";
import { copyStrided } from "./pick.ts";

function axisAndSizes(
  node: GraphNode,
  inputs: readonly (Spec | undefined)[],
): [axis: number, sizes: readonly number[]] {
  const { shape } = required(node, inputs, 0);
  const axis = axisOf(node, numberOf(node, "axis", 0), shape.length);
  const side = shape[axis]!;
  const given = listFrom(node, inputs, 1, "split", 13);
  const parts = node.outputs.length;
  const size = Math.ceil(side / parts);
  const equal = Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(size, side - i * size)));
  const sizes = given ?? equal;
  if (sizes.reduce((sum, one) => sum + one, 0) === side && sizes.every((one) => one >= 0)) return [axis, sizes];
  return refuse(node, `parts that add up to ${side}`, sizes);
}

export const split: Operator = {
  name: "Split",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const [axis, sizes] = axisAndSizes(node, inputs);
    return sizes.map((size) => ({ dtype, shape: shape.with(axis, size) }));
  },
  run: (node, inputs, outputs) => {
    const [axis, sizes] = axisAndSizes(node, inputs);
    const x = inputs[0]!;
    const strides = stridesOf(x.shape);
    let start = 0;
    sizes.forEach((size, part) => {
      const y = outputs[part];
      if (y) copyStrided(y, x, y.shape, strides, start);
      start += size * strides[axis]!;
    });
  },
};

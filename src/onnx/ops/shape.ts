// Shape and Size: what is known of a tensor without its elements.
import { numberOf, required } from "../../graph/nodes.ts";
import type { Operator, Value } from "../../graph/types.ts";
import { sizeOf } from "../../graph/values.ts";

const integers = (values: readonly number[], shape: readonly number[]): Value => {
  return { dtype: "i64", shape, data: BigInt64Array.from(values, BigInt) };
};

export const shape: Operator = {
  name: "Shape",
  infer: (node, inputs) => {
    const { shape } = required(node, inputs, 0);
    const sides = shape.slice(numberOf(node, "start", 0), numberOf(node, "end", shape.length));
    return [integers(sides, [sides.length])];
  },
};

export const size: Operator = {
  name: "Size",
  infer: (node, inputs) => [integers([sizeOf(required(node, inputs, 0).shape)], [])],
};

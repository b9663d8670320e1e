// Gather: slices of a tensor along an axis, in the order of an index tensor of any shape.
import { axisOf, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { Operator } from "../../graph/types.ts";
import { numbersOf } from "../../graph/values.ts";
import { pick, positions } from "./pick.ts";

export const gather: Operator = {
  name: "Gather",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const indices = required(node, inputs, 1, ["i32", "i64"]);
    const axis = axisOf(node, numberOf(node, "axis", 0), shape.length);
    return [{ dtype, shape: shape.toSpliced(axis, 1, ...indices.shape) }];
  },
  run: (node, [x, indices], [y]) => {
    const axis = axisOf(node, numberOf(node, "axis", 0), x!.shape.length);
    const lists: ArrayLike<number>[] = x!.shape.map((side) => positions(side));
    lists[axis] = numbersOf(indices!).map((index) => {
      const side = x!.shape[axis]!;
      return index >= -side && index < side ? (index + side) % side : refuse(node, `indices below ${side}`, index);
    });
    pick(y!, x!, lists);
  },
};

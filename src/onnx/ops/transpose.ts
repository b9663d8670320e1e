// Transpose: the axes in another order, by default reversed.
import { axesOf, listOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { permute } from "./pick.ts";

function orderOf(node: GraphNode, { shape }: Spec): number[] {
  const order = axesOf(node, listOf(node, "perm") ?? shape.map((_, axis) => shape.length - 1 - axis), shape.length);
  return order.length === shape.length ? order : refuse(node, `${shape.length} axes as perm`, order);
}

export const transpose: Operator = {
  name: "Transpose",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0);
    return [{ dtype: x.dtype, shape: orderOf(node, x).map((axis) => x.shape[axis]!) }];
  },
  run: (node, [x], [y]) => permute(y!, x!, x!.shape, orderOf(node, x!)),
};

// Expand: a tensor repeated along sides of 1 until it has a shape.
import { integersOf, refuse, required } from "../../graph/nodes.ts";
import type { Operator } from "../../graph/types.ts";
import { broadcastShape, broadcastStrides } from "./broadcast.ts";
import { copyStrided } from "./pick.ts";

export const expand: Operator = {
  name: "Expand",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0);
    const shape = integersOf(node, required(node, inputs, 1), "shape")!;
    if (shape.some((side) => side < 0)) refuse(node, "sides of at least 0", shape);
    return [{ dtype: x.dtype, shape: broadcastShape(node, [x, { dtype: x.dtype, shape }]) }];
  },
  run: (_node, [x], [y]) => copyStrided(y!, x!, y!.shape, broadcastStrides(x!.shape, y!.shape)),
};

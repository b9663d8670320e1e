// Tile: a tensor repeated a number of times along each axis.
import { integersOf, refuse, required } from "../../graph/nodes.ts";
import type { Operator } from "../../graph/types.ts";
import { pick, positions } from "./pick.ts";

export const tile: Operator = {
  name: "Tile",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const repeats = integersOf(node, required(node, inputs, 1), "repeats")!;
    const fits = repeats.length === shape.length && repeats.every((times) => times >= 0);
    if (!fits) refuse(node, `${shape.length} repeats of at least 0`, repeats);
    return [{ dtype, shape: shape.map((side, axis) => side * repeats[axis]!) }];
  },
  run: (_node, [x], [y]) => {
    const lists = y!.shape.map((side, axis) => positions(side, (i) => i % x!.shape[axis]!));
    pick(y!, x!, lists);
  },
};

// Where: elements of one tensor where a condition holds, of another where it does not.
import { required } from "../../graph/nodes.ts";
import type { Operator } from "../../graph/types.ts";
import { broadcastShape, combine } from "./broadcast.ts";

export const where: Operator = {
  name: "Where",
  infer: (node, inputs) => {
    const condition = required(node, inputs, 0, ["bool"]);
    const x = required(node, inputs, 1);
    return [{ dtype: x.dtype, shape: broadcastShape(node, [condition, x, required(node, inputs, 2, [x.dtype])]) }];
  },
  run: (_node, inputs, [y]) => combine(y!, inputs as never, (condition, a, b) => (condition ? a : b)),
};

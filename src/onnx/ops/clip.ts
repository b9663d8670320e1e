// Clip: bounds are attributes before operator set 11, then scalar inputs that may be left out.
import { numberOf, refuse, required } from "../../graph/nodes.ts";
import type { Operator, Value } from "../../graph/types.ts";
import { newValue, write } from "../../graph/values.ts";
import { combine } from "./broadcast.ts";

export const clip: Operator = {
  name: "Clip",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    for (const bound of node.opset < 11 ? [] : inputs.slice(1)) {
      if (bound && (bound.dtype !== dtype || bound.shape.some((side) => side !== 1))) {
        refuse(node, `bounds of one ${dtype}`, `${bound.dtype} [${bound.shape}]`);
      }
    }
    return [{ dtype, shape }];
  },
  run: (node, [x, low, high], [y]) => {
    const bound = (name: string, input: Value | undefined): Value | undefined => {
      if (node.opset >= 11 || node.attributes[name] === undefined) return input;
      const one = newValue(x!.dtype, []);
      write(one, [numberOf(node, name)]);
      return one;
    };
    const [least, most] = [bound("min", low), bound("max", high)];
    combine(y!, [x!, least ?? x!, most ?? x!], (value, min, max) => {
      const raised = least && value < min ? min : value;
      return most && raised > max ? max : raised;
    });
  },
};

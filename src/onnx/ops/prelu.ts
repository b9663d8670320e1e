// PRelu: a slope of its own for each channel or element where the input is negative.
import { floats, refuse, required, reshaped } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { broadcastShape, combine } from "./broadcast.ts";

/** The slope, which before operator set 7 is one number a channel. */
function slopeOf<T extends Spec>(node: GraphNode, x: T, inputs: readonly (T | undefined)[]): T {
  const slope = required(node, inputs, 1, [x.dtype]);
  const perChannel = node.opset < 7 && slope.shape.length === 1 && x.shape.length > 2;
  return perChannel ? reshaped(slope, [...slope.shape, ...x.shape.slice(2).map(() => 1)]) : slope;
}

export const prelu: Operator = {
  name: "PRelu",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0, floats);
    const slope = slopeOf(node, x, inputs);
    if (`${broadcastShape(node, [x, slope])}` !== `${x.shape}`)
      refuse(node, `a slope that fits [${x.shape}]`, slope.shape);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  run: (node, inputs, [y]) => {
    const x = inputs[0]!;
    combine(y!, [x, slopeOf(node, x, inputs)], (a, slope) => (a < 0 ? slope * a : a));
  },
};

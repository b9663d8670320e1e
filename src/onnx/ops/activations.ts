// Clip and PRelu, and what passes fuse into the end of a layer's node: a residual to add, then an activation.
import { activate, activations } from "../../graph/activations.ts";
import { floats, listOf, numberOf, refuse, required, reshaped, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { newValue, write } from "../../graph/values.ts";
import { broadcastShape, combine, type Row } from "./loops.ts";

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
    const f = (value: number, min: number, max: number): number => {
      const raised = least && value < min ? min : value;
      return most && raised > max ? max : raised;
    };
    combine(y!, [x!, least ?? x!, most ?? unbounded], f, clipRow);
  },
};

const unbounded: Value = { dtype: "f64", shape: [], data: Float64Array.of(Infinity) };

const clipRow: Row = (out, count, x, least, most) => {
  for (let i = 0; i < count; i++) {
    let value = x[i]!;
    if (value < least[i]!) value = least[i]!;
    if (value > most[i]!) value = most[i]!;
    out[i] = value;
  }
};

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

/** What is added must not make the result larger, and the activation must be a known one. */
export function checkFinish(node: GraphNode, y: Spec, residual?: Spec): void {
  if (residual && residual.dtype !== y.dtype) refuse(node, `${y.dtype} to add`, residual.dtype);
  if (residual && `${broadcastShape(node, [y, residual])}` !== `${y.shape}`) {
    refuse(node, `[${y.shape}] to add`, residual.shape);
  }
  if (node.attributes.activation !== undefined) textOf(node, "activation", Object.keys(activations));
}

export function finish(node: GraphNode, y: Value, residual?: Value): void {
  if (residual) combine(y, [y, residual], (a, b) => a + b);
  const { activation } = node.attributes;
  if (typeof activation === "string") activate(y, activation, listOf(node, "activationParameters") ?? [], y);
}

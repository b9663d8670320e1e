// Activations at the end of a layer's kernel: the specification and its generated twin.

import { type Code, get, type Local, op, set, splat } from "../codegen/assembler.ts";
import type { Activation } from "../plan/types.ts";
import { clipped, exponential, type FunctionMode, numbersIn } from "./functions.ts";

const clip = (value: number, least: number | null, most: number | null): number =>
  Math.min(most ?? Infinity, Math.max(least ?? -Infinity, value));
const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));

export function activate(activation: Activation, value: number): number {
  if (typeof activation === "object") {
    if ("clip" in activation) return clip(value, ...activation.clip);
    return value < 0 ? value * activation.leakyRelu : value;
  }
  switch (activation) {
    case "none":
      return value;
    case "relu":
      return Math.max(0, value);
    case "relu6":
      return clip(value, 0, 6);
    case "hardSwish":
      return (value * clip(value + 3, 0, 6)) / 6;
    case "silu":
      // At negative infinity its limit, where the product is not a number.
      return value === -Infinity ? 0 : value * sigmoid(value);
    case "sigmoid":
      return sigmoid(value);
  }
}

/** A name for generated code. */
export const activationName = (activation: Activation): string =>
  typeof activation === "object" ? JSON.stringify(activation) : activation;

/**
 * Statements that apply an activation to f32x4 locals in place; NaN stays. `spare` may be overwritten.
 * Every step runs over all locals before the next, so that neighbours can be joined.
 */
export function activateLanes(
  activation: Activation,
  values: readonly Local[],
  spares: readonly Local[],
  mode: FunctionMode,
): Code[] {
  const each = (step: (x: Local, spare: Local) => Code): Code[] => values.map((x, i) => step(x, spares[i]!));
  /** Zeros are nothing to load. */
  const constant = (value: number): Code => (value === 0 ? splat("f32x4", 0) : mode.numbers.float(value));
  const within = (x: Code, bounds: readonly [number | null, number | null]): Code => {
    const [least, most] = bounds.map((bound) => (bound === null ? undefined : constant(bound)));
    return clipped(x, least, most);
  };
  if (typeof activation === "object") {
    if ("clip" in activation) return each((x) => set(x, within(get(x), activation.clip)));
    // max(x, 0) + slope · min(x, 0): right for slopes above 1 and below 0 too.
    return each((x) =>
      set(
        x,
        op(
          "f32x4.add",
          within(get(x), [0, null]),
          op("f32x4.mul", within(get(x), [null, 0]), constant(activation.leakyRelu)),
        ),
      ),
    );
  }
  switch (activation) {
    case "none":
      return [];
    case "relu":
      return each((x) => set(x, within(get(x), [0, null])));
    case "relu6":
      return each((x) => set(x, within(get(x), [0, 6])));
    case "hardSwish": {
      const gate = (x: Local): Code => within(op("f32x4.add", get(x), constant(3)), [0, 6]);
      return each((x) => set(x, op("f32x4.mul", op("f32x4.mul", get(x), gate(x)), constant(1 / 6))));
    }
    default: {
      // Far below, the exponential is Infinity, over which -Infinity would be no number.
      const least = (x: Code): Code => within(x, [-88, null]);
      const gate = (x: Local, e: Local): Code =>
        op("f32x4.div", activation === "silu" ? least(get(x)) : constant(1), op("f32x4.add", get(e), constant(1)));
      return [
        ...each((x, e) => set(e, op("f32x4.neg", get(x)))),
        ...exponential(spares.slice(0, values.length), spares.slice(values.length), mode),
        ...each((x, e) => set(x, gate(x, e))),
      ];
    }
  }
}

/** The numbers that an activation takes from the parameter block, as bits. */
export const activationNumbers = (activation: Activation): number[] =>
  numbersIn((numbers, some) =>
    activateLanes(activation, some, [...some, ...some], { relaxed: false, wide: false, numbers }),
  );

// Activations at the end of a layer's kernel: the specification and its generated twin.
import type { Activation } from "../plan/types.ts";
import { type Code, op, splat } from "../wasm/assembler.ts";

export function activate(activation: Activation, value: number): number {
  if (activation === "none") return value;
  return activation === "relu" ? Math.max(0, value) : Math.min(6, Math.max(0, value));
}

/** On f32x4 lanes; min and max keep a NaN. */
export function activateLanes(activation: Activation, value: Code): Code {
  if (activation === "none") return value;
  const positive = op("f32x4.max", value, splat("f32x4", 0));
  return activation === "relu" ? positive : op("f32x4.min", positive, splat("f32x4", 6));
}

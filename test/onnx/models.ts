// The real networks that tests run, and noise to run them on.
import { readFileSync } from "node:fs";
import type { Tensor } from "../../src/tensor.ts";
import { dataPath, withoutData } from "../data.ts";

/** Why tests of real networks do not run here; empty where they do. */
export const noModels = withoutData("models");

/** Files without their ending. */
export type ModelName = "mnist" | "resnet20-cifar10" | "ultraface-slim-320" | "ultraface-rfb-320" | "waifu2x-scale2";

export const modelBytes = (name: ModelName): Uint8Array =>
  noModels ? new Uint8Array() : readFileSync(dataPath("models", `${name}.onnx`));

/** Reproducible noise in 0..1. */
export function noise(shape: readonly number[], seed = 1): Tensor & { data: Float32Array } {
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next) };
}

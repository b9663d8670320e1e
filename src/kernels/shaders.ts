// The list of kernels in WGSL, by family: loaded by the backend of the GPU alone. A family that is missing here runs elsewhere.
import type { ConvSpec, DepthwiseSpec, KernelSpec } from "../plan/types.ts";
import { conv } from "./conv/wgsl.ts";
import { depthwise } from "./depthwise/wgsl.ts";
import { fused } from "./depthwise-pointwise/wgsl.ts";
import { expression } from "./expression/wgsl.ts";
import { interpolate } from "./interpolate/wgsl.ts";
import { move } from "./move/wgsl.ts";
import { pool } from "./pool/wgsl.ts";
import { reduce } from "./reduce/wgsl.ts";
import { resize } from "./resize/wgsl.ts";
import { runningSum } from "./running-sum/wgsl.ts";
import type { Dispatch, Shader, WholeStep } from "./shader.ts";
import { softmax } from "./softmax/wgsl.ts";
import { taps } from "./taps/wgsl.ts";
import { winograd } from "./winograd/wgsl.ts";

export const shaders = {
  taps,
  "running-sum": runningSum,
  interpolate,
  depthwise,
  conv,
  winograd,
  pool,
  move,
  softmax,
  reduce,
  resize,
  expression,
} as const;

export const shaderOf = ({ family }: KernelSpec): Shader | undefined =>
  (shaders as Partial<Record<string, unknown>>)[family] as Shader | undefined;

/**
 * One dispatch for a step and the next, which alone reads what the first writes; undefined where there is none. Its arrays: what the first
 * reads, then what the second reads besides.
 */
export function joined(
  [first, second]: readonly [KernelSpec, KernelSpec],
  steps: readonly [WholeStep, WholeStep],
): Dispatch | undefined {
  if (first.family !== "depthwise" || second.family !== "conv") return undefined;
  return fused([first as DepthwiseSpec, second as ConvSpec], steps);
}

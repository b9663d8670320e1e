// The list of kernels and of solvers; kernels that networks alone need stand in `networks.ts`. A kernel that stands here has a reference and a place in programs; by its name, tests
// (test/kernels) and the benchmark (bench/kernels.ts) find `cases.ts` in its folder, and fail where there is none. A solver
// that stands here has its plans among the planner's candidates.
import type { KernelSpec, Solver, WorkOf } from "../plan/types.ts";
import { coarse } from "./coarse/solver.ts";
import { columnRow } from "./column-row/solver.ts";
import { conv } from "./conv/kernel.ts";
import { matrixProduct } from "./conv/solver.ts";
import { depthwise } from "./depthwise/kernel.ts";
import { depthwiseColumnRow, depthwiseLayer } from "./depthwise/solver.ts";
import { depthwisePointwise } from "./depthwise-pointwise/solver.ts";
import { direct } from "./direct/solver.ts";
import { fft } from "./fft/kernel.ts";
import { products } from "./fft/solver.ts";
import { interpolate } from "./interpolate/kernel.ts";
import type { Kernel } from "./kernel.ts";
import { pointwiseDepthwisePointwise } from "./pointwise-depthwise-pointwise/solver.ts";
import { runningSum } from "./running-sum/kernel.ts";
import { runningSums } from "./running-sum/solver.ts";
import { taps } from "./taps/kernel.ts";
import { transposedPhases } from "./transposed/solver.ts";
import { winograd } from "./winograd/kernel.ts";
import { winogradTiles } from "./winograd/solver.ts";

export const kernels = {
  taps,
  "running-sum": runningSum,
  interpolate,
  fft,
  depthwise,
  conv,
  winograd,
} as const;

const known = new Map<string, unknown>(Object.entries(kernels));

/** Makes kernels known that not everyone loads: those of `networks.ts`. */
export function addKernels(more: Readonly<Record<string, unknown>>): void {
  for (const [family, kernel] of Object.entries(more)) known.set(family, kernel);
}

export const solvers = [
  ...[direct, columnRow, runningSums, coarse, products],
  ...[
    matrixProduct,
    winogradTiles,
    transposedPhases,
    depthwiseLayer,
    depthwiseColumnRow,
    depthwisePointwise,
    pointwiseDepthwisePointwise,
  ],
] as unknown as readonly Solver[];

export function kernelOf(spec: KernelSpec): Kernel {
  return known.get(spec.family) as Kernel;
}

/** What a kernel does, in a few words. */
export const describeKernel = (spec: KernelSpec): string => kernelOf(spec).describe(spec);

/** What a step does for one of its output rows. */
export const workOf: WorkOf = ({ kernel, reads, writes }, buffers) =>
  kernelOf(kernel).work(kernel, { reads: reads.map((id) => buffers.get(id)!), write: buffers.get(writes)! });

// Measurements of `rank1 bench`: filters as the planner solves them, whole and kernel by kernel, against the machine's
// peaks and the predictions. `--learn` runs all kinds of kernels, so that the engine compares the 256-bit ones with their
// 128-bit twins.
import { floorOf, type KernelTime, timeKernels } from "../backend/wasm/kernel-times.ts";
import { measurePeaks, type Peaks } from "../backend/wasm/peaks.ts";
import type { Engine, FilterOptions, Image, ImageDType, Plan } from "../index.ts";

interface BenchProblem {
  filter: string;
  options?: FilterOptions;
}

/** Each is filtered in grey and in RGBA. */
export const problems: readonly BenchProblem[] = [
  { filter: "gaussian:1" },
  { filter: "gaussian:2" },
  { filter: "gaussian:8" },
  { filter: "gaussian:32", options: { tolerance: 0.01 } },
  { filter: "sobel-x" },
  { filter: "box:31" },
  { filter: "disk:3" }, // a 7 x 7 matrix
];

export type Bound = "arithmetic" | "cache" | "memory";

/** Milliseconds, and which peak of the machine bounds them. */
interface Figures {
  milliseconds: number;
  predictedMilliseconds: number;
  bound: Bound;
  /** The time needed at that peak over the time taken. */
  share: number;
}

export interface KernelReport extends Figures {
  step: string;
  kernel: string;
  /** Per value of the result. */
  multiplications: number;
  additions: number;
  loads: number;
}

export interface ProblemReport extends Figures {
  filter: string;
  tolerance: number;
  channels: number;
  solver: string;
  summary: string;
  kernels: KernelReport[];
}

export interface Measurements {
  width: number;
  height: number;
  /** Per nanosecond on one thread: multiply-adds, additions, bytes. */
  peaks: Peaks;
  problems: ProblemReport[];
}

export interface Control {
  signal: AbortSignal;
  onProgress: (done: number) => void;
}

/** The share of the whole time that peaks take, about. */
const peaksShare = 0.1;

export async function measureAll(
  engine: Engine,
  { width, height }: { width: number; height: number },
  { signal, onProgress }: Control,
): Promise<Measurements> {
  const { wide, relaxed } = engine.info();
  const mode = { wide: wide.enabled, relaxed };
  const peaks = await measurePeaks({ mode, signal, onProgress: (done) => onProgress(peaksShare * done) });
  const cases = problems.flatMap((problem) => [1, 4].map((channels) => ({ ...problem, channels })));
  const reports: ProblemReport[] = [];
  for (const [index, { filter, options = {}, channels }] of cases.entries()) {
    onProgress(peaksShare + ((1 - peaksShare) * index) / cases.length);
    const plan = engine.plan(engine.filterProblem({ width, height, channels, dtype: "u8" }, filter, options));
    const whole = await timeWhole(engine, plan, signal);
    const { enabled, verdicts } = engine.info().wide;
    const times = await timeKernels(plan, { wide: enabled, verdicts, signal });
    reports.push({
      ...{ filter, tolerance: options.tolerance ?? 0, channels, solver: plan.solver, summary: plan.summary },
      ...wholeFigures(plan, whole, times, peaks, engine.info().threads),
      kernels: times.map((time) => kernelReport(time, peaks, width * height * channels)),
    });
  }
  return { width, height, peaks, problems: reports };
}

/** The least time of a call in nanoseconds, copies in and out included. */
async function timeWhole(engine: Engine, plan: Plan, signal: AbortSignal): Promise<number> {
  const [height, width, channels] = plan.problem.x.shape as [number, number, number];
  const length = width * height * channels;
  const image: Image = { width, height, channels, data: new Uint8Array(length).map((_, i) => (i * 7919) % 251) };
  const out = plan.problem.y.dtype === "i16" ? new Int16Array(length) : new Uint8Array(length);
  const end = performance.now() + 100;
  let least = Infinity;
  for (let run = 0; run < 4 || performance.now() < end; run++) {
    const start = performance.now();
    await engine.run(plan, image, { out, signal });
    least = Math.min(least, performance.now() - start);
  }
  return least * 1e6;
}

/** Arithmetic and caches are each thread's own; memory is one. */
function wholeFigures(plan: Plan, time: number, kernels: KernelTime[], peaks: Peaks, threads: number): Figures {
  const floors = kernels.map((kernel) => floorOf(kernel, peaks));
  const sum = (part: "arithmetic" | "cache"): number => floors.reduce((total, floor) => total + floor[part], 0);
  const floor = {
    arithmetic: sum("arithmetic") / threads,
    cache: sum("cache") / threads,
    memory: plan.cost.bytes / peaks.memory,
  };
  return figures(time, plan.cost.time, floor);
}

function kernelReport(time: KernelTime, peaks: Peaks, values: number): KernelReport {
  return {
    ...{ step: time.step, kernel: time.kernel },
    ...figures(time.time, time.predicted, floorOf(time, peaks)),
    multiplications: time.multiplications / values,
    additions: time.additions / values,
    loads: time.loads / values,
  };
}

function figures(time: number, predicted: number, floor: Partial<Record<Bound, number>>): Figures {
  const [bound, least] = Object.entries(floor).reduce((a, b) => (b[1] > a[1] ? b : a)) as [Bound, number];
  return { milliseconds: time / 1e6, predictedMilliseconds: predicted / 1e6, bound, share: least / time };
}

/** Filters whose plans cover kernels of many kinds: integer and real, few and many terms, running sums, coarse grids. */
const integer = ["sobel-x", "binomial:5", "binomial:9", "box:5", "box:15"];
const real = ["gaussian:2", "gaussian:20", "unsharp", "disk:3", "disk:9"];
const arrays = { u8: Uint8Array, u16: Uint16Array, i16: Int16Array, f32: Float32Array };
const types = Object.keys(arrays) as (keyof typeof arrays & ImageDType)[];

/** Runs every plan for every filter and type on a small picture. */
export async function calibrate(engine: Engine, { signal, onProgress }: Control): Promise<void> {
  const cases = [...integer, ...real].flatMap((filter) =>
    types.flatMap((dtype) =>
      types.flatMap((output) =>
        // Few kernels differ by the number of channels.
        (output === "u8" ? [1, 3, 4] : [1]).map((channels) => ({ filter, dtype, output, channels })),
      ),
    ),
  );
  for (const [index, { filter, dtype, output, channels }] of cases.entries()) {
    onProgress(index / cases.length);
    const [width, height] = [80, 24];
    const image: Image = { width, height, channels, data: new arrays[dtype](width * height * channels) };
    const options = { output, tolerance: filter === "gaussian:20" ? 0.01 : 0 };
    const problem = engine.filterProblem({ width, height, channels, dtype }, filter, options);
    for (const plan of everyPlan(engine, problem)) await engine.run(plan, image, { signal });
  }
}

/** The plan of each solver that applies. */
function everyPlan(engine: Engine, problem: Plan["problem"]): Plan[] {
  const best = engine.plan(problem);
  const others = best.rejected.filter(({ cost, solver }) => cost && solver !== best.solver);
  return [
    best,
    ...[...new Set(others.map(({ solver }) => solver))].map((strategy) => engine.plan(problem, { strategy })),
  ];
}

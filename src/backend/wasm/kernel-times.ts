// Times each kernel of a plan alone, on one strip that stays in the cache: for `rank1 bench` and the benchmark of kernels, which
// hold it against the machine's peaks and against the prediction.

import type { CodeMode } from "../../kernels/kernel.ts";
import { kernelOf, workOf } from "../../kernels/table.ts";
import { builtInProfile, rowBytes, stepTime } from "../../plan/cost.ts";
import type { Arithmetic, BufferSpec, Stage, Step } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import type { BackendPlan, Verdict, Weights } from "../backend.ts";
import { chooseWasm } from "../choose.ts";
import type { Abortable } from "../slices.ts";
import type { WasmBackend } from "./backend.ts";
import { leastTime } from "./least-time.ts";
import type { Peaks } from "./peaks.ts";
import type { WasmProgram } from "./program.ts";

/** One kernel's part of a plan, over the whole picture. */
export interface KernelTime {
  /** What the plan calls the step: "column pass". */
  step: string;
  /** The generated code: equal names, equal code. */
  kernel: string;
  arithmetic: Arithmetic;
  multiplications: number;
  additions: number;
  /** Elements loaded, and bytes loaded and stored. */
  loads: number;
  bytes: number;
  /** Nanoseconds on one thread: the least of many runs (else what `timeOf` says), and what the cost model says. */
  time: number;
  predicted: number;
}

export interface KernelTimeOptions {
  wide: boolean;
  /** As `engine.info().wide.verdicts` gives them. */
  verdicts: Readonly<Record<string, Verdict>>;
  signal?: Abortable;
  /** Of layers. */
  weights?: Weights;
  /** Nanoseconds of a call; the least of many where absent. */
  timeOf?: (call: () => void) => Promise<number>;
}

/** Times every step of a plan, in order, on one thread of generated code. */
export async function timeKernels(plan: BackendPlan, settings: KernelTimeOptions): Promise<KernelTime[]> {
  const { wide, verdicts, signal, weights = new Map() } = settings;
  const { timeOf = (call) => leastTime(call, { signal, milliseconds: 10 }) } = settings;
  const options = { backend: "wasm", threads: 1, deterministic: false, wide, maxMemory: 2 ** 30 } as const;
  const { backend, relaxed } = chooseWasm({ ...options, verdicts: Object.entries(verdicts) });
  const buffers = new Map(plan.buffers.map((buffer) => [buffer.id, buffer]));
  const times: KernelTime[] = [];
  try {
    const program = await (backend as WasmBackend).compile(plan, weights);
    program.trial.fillInputs();
    for (const [index, { stage, grain }] of program.layout.stages.entries()) {
      const calls = callsOf(program, index, backend as WasmBackend);
      for (const [i, step] of stage.steps.entries()) {
        const strip = await timeOf(calls[i]!);
        const share = Math.min(grain, stage.grid.extent) / (stage.grid.images * stage.grid.extent);
        times.push({ ...accountOf(step, stage, buffers, { relaxed, wide }), time: strip / share });
      }
    }
  } finally {
    backend.dispose();
  }
  return times;
}

/** Each step of a stage alone, on the first strip. */
function callsOf(program: WasmProgram, index: number, backend: WasmBackend): (() => void)[] {
  const calls: (() => void)[] = [];
  const codes = program.layout.stages[index]!.steps.map((_, i) => program.trial.kernelOf(index, i));
  program.trial.trace(index, (step, args) => {
    const run = backend.kernels.table.get(codes[step]!) as (...args: number[]) => void;
    run(...args);
    calls[step] = () => run(...args);
  });
  return calls;
}

const layered: ReadonlySet<string> = new Set(["fft", "matrix", "depthwise"]);

/** What a step does over the whole picture. */
function accountOf(
  step: Step,
  { grid }: Stage,
  buffers: ReadonlyMap<string, BufferSpec>,
  mode: CodeMode,
): Omit<KernelTime, "time"> {
  const rows = grid.images * grid.extent;
  const work = workOf(step, buffers);
  const { multiplications } = work;
  // Transforms and layers have rates of their own, and multiply in f32 or f64.
  const arithmetic =
    work.arithmetic === "fft64" ? "f64" : layered.has(work.arithmetic) ? "f32" : (work.arithmetic as Arithmetic);
  const additions = work.additions + work.serialAdditions;
  const [reads, write] = [step.reads.map((id) => buffers.get(id)!), buffers.get(step.writes)!];
  const kernel = kernelOf(step.kernel);
  const loads = kernel.loads?.(step.kernel, { reads, write }, mode) ?? multiplications + additions;
  return {
    step: step.name,
    kernel: kernel.entry(step.kernel, { reads, write }, mode),
    ...{ arithmetic, multiplications: rows * multiplications, additions: rows * additions, loads: rows * loads },
    bytes: rows * (loads * bytesOf[reads[0]!.dtype] + rowBytes(write) * write.stride),
    predicted: stepTime(work, write, grid, rows, builtInProfile),
  };
}

/** What no implementation can undercut on this machine, by its peaks, in nanoseconds on one thread. */
export interface Floor {
  arithmetic: number;
  cache: number;
}

export function floorOf(kernel: KernelTime, { multiplications, additions, cache }: Peaks): Floor {
  return {
    arithmetic: kernel.multiplications / multiplications[kernel.arithmetic] + kernel.additions / additions,
    cache: kernel.bytes / cache,
  };
}

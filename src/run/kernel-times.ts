// Times each kernel of a plan alone, on one strip that stays in the cache: for `rank1 bench`, which holds it against the
// machine's peaks and against the prediction.
import { kernelOf, workOf } from "../kernels/table.ts";
import { rowBytes, stepTime } from "../plan/cost.ts";
import { builtInProfile } from "../plan/profile.ts";
import type { Arithmetic, Plan } from "../plan/types.ts";
import { bytesOf } from "../tensor.ts";
import { chooseMachine } from "./choose.ts";
import { leastTime } from "./least-time.ts";
import type { Machine } from "./machine.ts";
import type { Peaks } from "./peaks.ts";
import { buffersOf } from "./program.ts";
import type { Abortable } from "./slices.ts";
import { StageProgram } from "./stage.ts";
import type { Verdict } from "./wasm.ts";

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
  /** Nanoseconds on one thread: the least of many runs, and what the cost model says. */
  time: number;
  predicted: number;
}

export interface KernelTimeOptions {
  wide: boolean;
  /** As `engine.info().wide.verdicts` gives them. */
  verdicts: Readonly<Record<string, Verdict>>;
  signal?: Abortable;
}

/** Times every step of a filter's plan, in order, on one thread of generated code. */
export async function timeKernels(plan: Plan, { wide, verdicts, signal }: KernelTimeOptions): Promise<KernelTime[]> {
  const options = { backend: "wasm", threads: 1, deterministic: false, wide, maxMemory: 2 ** 30 } as const;
  const { machine, relaxed } = chooseMachine({ ...options, verdicts: Object.entries(verdicts) });
  const buffers = new Map(plan.buffers.map((buffer) => [buffer.id, buffer]));
  const times: KernelTime[] = [];
  try {
    for (const stage of plan.stages) {
      const program = await StageProgram.create(stage, buffersOf(stage, plan), machine, 0, new Map());
      const { grid, steps } = stage;
      const rows = grid.images * grid.extent;
      for (const [index, step] of steps.entries()) {
        const work = workOf(step, buffers);
        const { multiplications } = work;
        // Transforms multiply in f32; layers, which have rates of their own, are not timed here.
        const arithmetic = work.arithmetic === "fft" ? "f32" : (work.arithmetic as Arithmetic);
        const additions = work.additions + work.serialAdditions;
        const [reads, write] = [step.reads.map((id) => buffers.get(id)!), buffers.get(step.writes)!];
        const [kernel, mode] = [kernelOf(step.kernel), { relaxed, wide }];
        const loads = kernel.loads?.(step.kernel, { reads, write }, mode) ?? multiplications + additions;
        const strip = await leastTime(await trial(program, machine, index), { signal, milliseconds: 10 });
        times.push({
          step: step.name,
          kernel: kernel.entry(step.kernel, { reads, write }, mode),
          ...{ arithmetic, multiplications: rows * multiplications, additions: rows * additions, loads: rows * loads },
          bytes: rows * (loads * bytesOf[reads[0]!.dtype] + rowBytes(write) * write.stride),
          time: (strip * rows) / Math.min(grid.grain, grid.extent),
          predicted: stepTime(work, write, grid, builtInProfile),
        });
      }
      program.dispose();
    }
  } finally {
    machine.dispose();
  }
  return times;
}

/** One step of a stage alone, to be run on a strip of test data again and again. */
async function trial(stage: StageProgram, machine: Machine, step: number): Promise<() => void> {
  const { slots, scratch, grain } = stage.layout;
  stage.fill(grain);
  const calls = [stage.calls[step]!];
  const run = await (await machine.prepare(calls)).start({ calls, slots, scratch });
  return () => run.execute(slots[0]!);
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

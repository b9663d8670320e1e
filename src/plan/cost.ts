// The cost model: the work of a candidate's steps, the bytes that it moves, and a predicted time by a profile. The
// built-in profile holds nanoseconds on one thread of a common x86-64 server core, measured with these kernels; only
// their ratios matter for choices.
import { bytesOf } from "../tensor.ts";
import { mostRows, type StepRows, stepRows } from "./strips.ts";
import type { BufferSpec, Cost, Draft, Profile, Stage, Work, WorkOf } from "./types.ts";

/** Bytes of one row of a buffer, without the slack that a program adds. */
export const rowBytes = ({ width, channels, dtype }: BufferSpec): number => width * channels * bytesOf[dtype];

/** Rows of a filter's buffer that a strip of `grain` output rows holds. */
export const stripRows = ({ stride, above, below, scope }: BufferSpec, grain: number): number =>
  scope === "constant" ? 1 : (grain - 1) * stride + above + below + 1;

export function costOf(draft: Pick<Draft, "buffers" | "stages">, profile: Profile, workOf: WorkOf): Cost {
  const buffers = new Map(draft.buffers.map((buffer) => [buffer.id, buffer]));
  const cost: Cost = { multiplications: 0, additions: 0, bytes: 0, time: 0 };
  for (const { grid, steps } of draft.stages) {
    const outputs = grid.images * grid.extent;
    const made = stepRows({ grid, steps }, draft.buffers);
    for (const [index, step] of steps.entries()) {
      const work = workOf(step, buffers);
      const rows = rowsMade(made[index]!, grid);
      cost.multiplications += work.multiplications * rows;
      cost.additions += (work.additions + work.serialAdditions) * rows;
      cost.time += stepTime(work, buffers.get(step.writes)!, grid, rows, profile);
    }
    const named = new Set(steps.flatMap(({ reads, writes }) => [...reads, writes]));
    for (const buffer of draft.buffers) {
      if (named.has(buffer.id) && buffer.scope === "arena") {
        const bytes = rowBytes(buffer) * buffer.height! * buffer.images!;
        cost.bytes += bytes;
        cost.time += bytes * profile.arenaByte;
      }
      if (!named.has(buffer.id) || buffer.picture || (buffer.scope !== "input" && buffer.scope !== "output")) continue;
      const bytes = rowBytes(buffer) * ((outputs - grid.images) * buffer.stride + grid.images);
      cost.bytes += bytes;
      cost.time += bytes * profile.byte;
    }
  }
  return cost;
}

/** How many rows a step computes in all. Rows that neighbouring strips of a layer both need are computed by each. */
function rowsMade(rows: StepRows, { images, extent, grain }: Stage["grid"]): number {
  const apart = rows.scale === 1 && rows.before === 0 && rows.after === 0;
  return images * (apart ? extent : Math.ceil(extent / grain) * mostRows(rows, grain));
}

/** The predicted time of a step that makes so many rows over a whole grid, in nanoseconds on one thread. */
export function stepTime(work: Work, write: BufferSpec, grid: Stage["grid"], rows: number, profile: Profile): number {
  const { arithmetic, multiplications, additions, serialAdditions } = work;
  return (
    rows *
      (multiplications * profile.multiplication[arithmetic] +
        additions * profile.addition +
        serialAdditions * profile.serialAddition +
        // Layers are costed by what they multiply and by whole values.
        (write.images ? 0 : write.width * write.channels * write.stride * profile.element)) +
    grid.images * Math.ceil(grid.extent / grid.grain) * profile.call
  );
}

/**
 * Rows of output for one strip: as many as keep the strip's buffers in a worker's cache, and at least `least`.
 * Part of the schedule: results do not depend on it.
 */
export function grainFor(buffers: readonly BufferSpec[], extent: number, profile: Profile, least = 4): number {
  const bytesPerRow = buffers.reduce((sum, b) => sum + (b.scope === "constant" ? 0 : rowBytes(b) * b.stride), 0);
  // In fours, since kernels compute up to four rows at once.
  const fitting = 4 * Math.round(profile.cache / bytesPerRow / 4);
  return Math.min(extent, Math.max(least, Math.min(128, fitting)));
}

export const builtInProfile: Profile = {
  name: "built-in",
  multiplication: {
    i16: 0.04,
    u16: 0.04,
    i32: 0.085,
    f32: 0.08,
    f64: 0.17,
    fixed: 0.03,
    matrix: 0.021,
    depthwise: 0.033,
    fft: 0.14,
    fft64: 0.27,
  },
  addition: 0.1,
  serialAddition: 0.45,
  byte: 0.06,
  arenaByte: 0.02,
  element: 0.22,
  call: 120,
  cache: 256 * 1024,
};

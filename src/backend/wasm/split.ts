// How a stage's grid is cut into strips: rows, and output channels where rows are few. Part of the schedule: results do not
// depend on it.
import { kernelOf } from "../../kernels/table.ts";
import { builtInProfile, rowBytes, stepTime } from "../../plan/cost.ts";
import { mostRows, stepRows } from "../../plan/strips.ts";
import type { BufferSpec, Stage } from "../../plan/types.ts";
import { buffersOf } from "../margins.ts";
import { mostStrips } from "./script.ts";

export interface Split {
  /** Rows of the grid in a strip. */
  grain: number;
  /** Parts of the output channels. */
  parts: number;
}

/** Nanoseconds: taking a strip and noting that it is done, among several threads; reading a byte of weights once more. */
const perStrip = 700;
const perWeightByte = 0.03;
/** Strips for each thread, at most: they even out what threads lose to others. */
const stripsPerThread = 4;

interface Conditions {
  specs: readonly BufferSpec[];
  threads: number;
  /** Rows that kernels make at once, and which no strip may cut. */
  together: number;
  /** Rows of a strip, where tests say so. */
  rows?: number;
}

/** Strips that end soonest on all threads: each costs something, and reads all weights. */
export function splitOf(stage: Stage, { specs, threads, together, rows }: Conditions): Split {
  const { images, extent, grain: planned } = stage.grid;
  const unit = Math.max(1, together);
  const round = (rows: number): number => Math.min(Math.ceil(extent / unit), Math.ceil(rows / unit)) * unit;
  const least = round(Math.ceil((images * extent) / mostStrips));
  const most = Math.max(least, round(planned));
  if (rows !== undefined) return { grain: round(rows), parts: 1 };
  if (threads === 1) return { grain: most, parts: 1 };
  const [only, ...others] = stage.steps;
  const units = others.length === 0 ? (kernelOf(only!.kernel).units?.(only!.kernel) ?? 1) : 1;
  const wanted = threads * stripsPerThread;
  const timeOf = timeOfStrips(stage, specs);
  let best: Split & { time: number } = { grain: most, parts: 1, time: Infinity };
  for (let strips = Math.ceil(extent / most); ; strips++) {
    const grain = Math.max(least, round(Math.ceil(extent / strips)));
    for (let parts = 1; parts <= Math.min(units, wanted); parts++) {
      const count = images * Math.ceil(extent / grain) * parts;
      // The last to finish may have begun a strip when the others ended.
      const time = Math.ceil(count / threads) * timeOf(Math.min(grain, extent), Math.ceil(units / parts) / units);
      if (time < best.time * 0.98) best = { grain, parts, time };
    }
    if (strips * images >= wanted || grain <= Math.max(least, unit)) return best;
  }
}

/** Predicted nanoseconds of a strip of so many rows and such a share of the channels. */
function timeOfStrips({ grid, steps }: Stage, specs: readonly BufferSpec[]): (rows: number, share: number) => number {
  const made = stepRows({ grid, steps }, specs);
  const each = steps.map((step, i) => {
    const { reads, write } = buffersOf(step, specs);
    const work = kernelOf(step.kernel).work(step.kernel, { reads, write });
    const weights = reads.reduce((sum, read) => sum + (read.scope === "constant" ? rowBytes(read) : 0), 0);
    const row = stepTime(work, write, { images: 0, extent: 1, grain: 1 }, 1, builtInProfile);
    return { rows: made[i]!, row, weights: weights * perWeightByte };
  });
  return (rows, share) =>
    each.reduce((sum, one) => sum + share * (mostRows(one.rows, rows) * one.row + one.weights), perStrip);
}

// How a stage's grid is cut into strips: rows, and output channels where rows are few. Part of the schedule: results do not
// depend on it.
import { kernelOf } from "../../kernels/table.ts";
import type { Stage } from "../../plan/types.ts";
import { mostStrips } from "./script.ts";

export interface Split {
  /** Rows of the grid in a strip. */
  grain: number;
  /** Parts of the output channels. */
  parts: number;
}

/** What a strip costs beside its rows, as a share of one thread's part of the work. */
const stripCost = 0.01;
/** Strips for each thread that even out what threads lose to others. */
const stripsPerThread = 2;

/**
 * Strips that keep all threads busy to the end. `together`: rows that kernels make at once, and which no strip may cut; `rows`
 * of a strip, where tests say so.
 */
export function splitOf({ grid, steps }: Stage, threads: number, together: number, rows?: number): Split {
  const { images, extent } = grid;
  const unit = Math.max(1, together);
  const round = (rows: number): number => Math.min(Math.ceil(extent / unit), Math.ceil(rows / unit)) * unit;
  const least = Math.ceil((images * extent) / mostStrips);
  const most = round(Math.max(least, grid.grain));
  if (rows !== undefined) return { grain: round(rows), parts: 1 };
  if (threads === 1) return { grain: most, parts: 1 };
  const [only, ...others] = steps;
  const units = others.length === 0 ? (kernelOf(only!.kernel).units?.(only!.kernel) ?? 1) : 1;
  const wanted = threads * stripsPerThread;
  const candidates: Split[] = [];
  for (let strips = Math.ceil(extent / most); ; strips++) {
    const grain = round(Math.max(least, Math.ceil(extent / strips)));
    for (let parts = 1; parts <= Math.min(units, wanted); parts++) candidates.push({ grain, parts });
    if (strips * images >= wanted || grain === round(least) || grain === unit) break;
  }
  const cost = ({ grain, parts }: Split): number => {
    const strips = images * Math.ceil(extent / grain) * parts;
    const each = (Math.min(grain, extent) / (images * extent)) * (Math.ceil(units / parts) / units);
    return Math.ceil(strips / threads) * (each + stripCost / threads) + stripCost * Math.max(0, wanted - strips);
  };
  return candidates.reduce((best, split) => (cost(split) < cost(best) ? split : best));
}

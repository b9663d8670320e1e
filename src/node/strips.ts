// Which rows of a picture filters read for some rows of their result. Strips that are cut so give, in every bit, what the whole
// picture gives: borders stand at the picture's own edges alone, and grids and tiles of plans begin where they would.
import type { Border, Plan } from "../index.ts";

/** Rows from one to before another; below 0 and beyond the last one only where the picture repeats itself. */
export interface Rows {
  from: number;
  to: number;
}

/** How many rows a filter reads above and below each of its own, and the multiples of rows at which its strips may begin. */
export interface Reach {
  above: number;
  below: number;
  align: number;
}

/** The reach of a filter by its plans. */
export function reachOf(plans: readonly Plan[]): Reach {
  const reach = { above: 0, below: 0, align: 1 };
  for (const plan of plans) {
    const { pads } = (plan.problem as Plan["problem"] & { kind: "filter" }).window;
    const { beyond, align } = gridOf(plan);
    reach.above = Math.max(reach.above, pads[0] + beyond);
    reach.below = Math.max(reach.below, pads[2] + beyond);
    reach.align = common(reach.align, align);
  }
  return reach;
}

/** Tiles of spectra and coarse grids: how far they reach beyond the window, and how many rows lie between two of them. */
function gridOf({ stages, buffers, turned }: Plan): { beyond: number; align: number } {
  for (const { kernel } of stages.flatMap(({ steps }) => steps)) {
    // Two tiles beside each other are transformed as one. Those of a turned plan lie one below the other.
    if (kernel.family === "fft" && turned) return { beyond: 2 * kernel.tile[1], align: 2 * kernel.results };
    if (kernel.family === "fft") return { beyond: kernel.tile[0], align: buffers.find(({ id }) => id === "y")!.stride };
    if (kernel.family !== "interpolate") continue;
    const [input] = buffers;
    return { beyond: 4 * kernel.factor + input!.above + input!.below, align: kernel.factor };
  }
  return { beyond: 0, align: 1 };
}

/** The least common multiple. */
const common = (a: number, b: number): number => (a * b) / divisor(a, b);
const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** The rows that each filter reads for rows of the last one's result, and these themselves. */
export function rowsRead(reaches: readonly Reach[], rows: Rows, height: number, border: Border): Rows[] {
  const all = [rows];
  for (const reach of reaches.toReversed()) all.unshift(rowsFor(all[0]!, reach, height, border));
  return all;
}

function rowsFor({ from, to }: Rows, { above, below }: Reach, height: number, border: Border): Rows {
  const [first, last] = [from - above, to + below];
  if (border === "wrap") return { from: first, to: last };
  // As many rows inside as may be reflected beyond an edge.
  return {
    from: Math.max(0, last > height ? Math.min(first, 2 * height - last - 1) : first),
    to: Math.min(height, first < 0 ? Math.max(last, 1 - first) : last),
  };
}

/** Strips of so many rows or a multiple of `align`, at least one; what is left over goes to the last. */
export function stripsOf({ from, to }: Rows, rows: number, align: number): Rows[] {
  const each = Math.max(align, Math.floor(rows / align) * align);
  const count = Math.max(1, Math.floor((to - from) / each));
  return Array.from({ length: count }, (_, i) => ({
    from: from + i * each,
    to: i === count - 1 ? to : from + (i + 1) * each,
  }));
}

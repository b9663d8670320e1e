// Which rows each step of a stage computes for a strip of the grid: the rows that the next step's window reads. Shared by
// the cost model and by the backends.
import type { BufferSpec, KernelSpec, LayerWindow, Stage, Step } from "./types.ts";

/** For rows f to l of the grid a step makes rows max(0, f · scale − before) to min(last, l · scale + after). */
export interface StepRows {
  scale: number;
  before: number;
  after: number;
  last: number;
}

/** The window of a layer's kernel; undefined of a filter's, whose buffers say which rows a strip holds. */
export const windowOf = (kernel: KernelSpec): LayerWindow | undefined =>
  "pads" in kernel ? (kernel as LayerWindow) : undefined;

/** Rows that a step writes for each of its own. */
export const rowsOutOf = (kernel: KernelSpec): number => windowOf(kernel)?.rowsOut ?? 1;

/** Rows of the input, after the first, that a window reads for one row. */
export const reachOf = ({ size, dilations }: LayerWindow): number => (size[0] - 1) * dilations[0];

/** The rows of each step, in the order of the steps. */
export function stepRows(
  { grid, steps }: { grid: Pick<Stage["grid"], "extent">; steps: readonly Step[] },
  buffers: readonly BufferSpec[],
): StepRows[] {
  const demands = new Map<string, StepRows>();
  const found: StepRows[] = [];
  for (const { kernel, reads, writes } of steps.toReversed()) {
    const window = windowOf(kernel);
    const wanted = demands.get(writes);
    const own = wanted ? turnsFor(wanted, rowsOutOf(kernel)) : { scale: 1, before: 0, after: 0, last: grid.extent - 1 };
    found.unshift(own);
    const read = buffers.find(({ id }) => id === reads[0]);
    if (!window || read?.scope !== "strip") continue;
    const [stride, pad] = [window.strides[0], window.pads[0]];
    const after = reachOf(window) - pad;
    demands.set(read.id, {
      scale: own.scale * stride,
      before: own.before * stride + pad,
      after: own.after * stride + after,
      last: Math.min(read.height! - 1, own.last * stride + after),
    });
  }
  return found;
}

/** Rows of what a step writes as its own rows, of which each may write several. */
function turnsFor({ scale, before, after, last }: StepRows, each: number): StepRows {
  return {
    scale: scale / each,
    before: Math.ceil(before / each),
    after: Math.floor(after / each),
    last: Math.floor(last / each),
  };
}

/** The most rows that a step makes for a strip of so many rows of the grid; one where only zeros are read. */
export const mostRows = ({ scale, before, after, last }: StepRows, grain: number): number =>
  Math.max(1, Math.min(last + 1, (grain - 1) * scale + before + after + 1));

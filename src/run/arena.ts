// Where everything of a network stands in the machine's memory: weights, parameters, whole values with their tables of
// row pointers, and the script of calls of every strip. Rows outside a value are one row of zeros.
import { kernelOf } from "../kernels/table.ts";
import { rowsHeld } from "../plan/cost.ts";
import type { BufferSpec, LayerWindow, Stage, Step, Plan as WholePlan } from "../plan/types.ts";
import { bytesOf } from "../tensor.ts";
import { align, alignment } from "../wasm/memory.ts";
import { find } from "./layout.ts";
import type { KernelUse, Machine, Sweep } from "./machine.ts";

/** What is laid out of a plan. `ends` are values that last, though some stage reads them. */
type Plan = Pick<WholePlan, "stages" | "buffers"> & { ends?: readonly string[] };

/** Rows of a value, and the table of pointers by which kernels find them; of a strip, relative to a thread's scratch. */
export interface Place {
  spec: BufferSpec;
  data: number;
  pitch: number;
  /** Rows held, of one image. */
  rows: number;
  table: number;
}

export interface ArenaLayout {
  bytes: number;
  /** Values and weights by id. */
  places: Map<string, Place>;
  params: Map<Step, { offset: number; bytes: Uint8Array }>;
  zeros: number;
  sweep: Sweep;
  grains: number[];
  scratch: ScratchLayout;
}

/** Of one thread: strips by id, and what calls need besides. */
interface ScratchLayout {
  bytes: number;
  places: Map<string, Place>;
  calls: Map<Step, number>;
}

/** Step by step over addresses. */
class Cursor {
  end = 0;
  take(bytes: number): number {
    const at = this.end;
    this.end += align(bytes);
    return at;
  }
}

/** An odd number of cache lines: neighbouring rows then never compete for one set of the cache. */
function pitchOf({ width, channels, dtype }: BufferSpec): number {
  const bytes = align(width * channels * bytesOf[dtype]);
  return bytes % (2 * alignment) === 0 ? bytes + alignment : bytes;
}

/** Strips that divide evenly among the threads. */
function grainOf({ grid }: Stage, threads: number, share: number): number {
  const most = Math.max(1, Math.floor(grid.grain * share));
  const strips = Math.ceil(grid.extent / most);
  const wanted = threads === 1 ? strips : Math.ceil((strips * grid.images) / threads) * threads;
  return Math.max(1, Math.ceil(grid.extent / Math.max(strips, Math.ceil(wanted / grid.images))));
}

export function layoutArena(plan: Plan, machine: Machine, threads: number): ArenaLayout {
  const specs = plan.buffers.map((spec) => ({ ...spec, dtype: machine.dtypeOf(spec.scope, spec.dtype) }));
  const grains = plan.stages.map((stage) => grainOf(stage, threads, machine.grainShare));
  const cursor = new Cursor();
  const zeros = cursor.take(Math.max(...specs.map(pitchOf)));
  const places = new Map<string, Place>();
  const homes = placeValues(plan, specs, cursor);
  for (const spec of specs) {
    if (spec.scope === "strip") continue;
    const { images = 1, height = 1, above, below } = spec;
    const pitch = pitchOf(spec);
    const data = homes.get(spec.id) ?? cursor.take(pitch);
    const table = cursor.take(images * (above + height + below) * 4);
    places.set(spec.id, { spec, data, pitch, rows: height, table });
  }
  const params = new Map(
    plan.stages.flatMap(({ steps }) =>
      steps.map((step) => {
        const bytes = kernelOf(step.kernel).params(step.kernel, buffersOf(step, specs));
        return [step, { offset: cursor.take(bytes.length), bytes }];
      }),
    ),
  );

  const scratch = layoutScratch(plan, specs, grains);
  const stages = plan.stages.map(({ grid, steps }, index) => {
    const calls = steps.map((step): KernelUse => {
      const extra = Number(scratch.calls.has(step)) + Number(kernelOf(step.kernel).positioned ?? false);
      return { spec: step.kernel, buffers: buffersOf(step, specs), arity: step.reads.length + 2 + extra };
    });
    const words = calls.reduce((sum, { arity }) => sum + arity + 1, 0);
    const strips = grid.images * Math.ceil(grid.extent / grains[index]!);
    return { script: cursor.take(strips * words * 4), words, strips, calls };
  });
  const counters = cursor.take(stages.length * 8);
  const perThread = Array.from({ length: threads }, () => cursor.take(scratch.bytes));
  const sweep = { stages, counters, scratch: perThread };
  return { bytes: cursor.end, places, params, zeros, sweep, grains, scratch };
}

/**
 * Stages do not overlap in time, so what they hold may overlap in memory: all but tables and the zeros around strips, which
 * are written once.
 */
function layoutScratch({ stages }: Plan, specs: readonly BufferSpec[], grains: readonly number[]): ScratchLayout {
  const strips = stages.flatMap(({ steps }, index) =>
    steps.map((step) => {
      const write = find(specs, step.writes);
      const strip = write.scope === "strip";
      return { step, index, write, strip, rows: strip ? rowsHeld(write, grains[index]!) : grains[index]! };
    }),
  );
  const lasting = new Cursor();
  const tables = new Map(
    strips.map(({ step, write, strip, rows }) => [
      step,
      strip ? lasting.take((write.above + rows + write.below) * 4) : 0,
    ]),
  );
  const places = new Map<string, Place>();
  const calls = new Map<Step, number>();
  const cursors = stages.map(() => new Cursor());
  const padded = ({ left = 0, right = 0 }: BufferSpec): boolean => left + right > 0;
  const place = (wanted: boolean): void => {
    for (const { step, index, write, strip, rows } of strips) {
      if (!strip || padded(write) !== wanted) continue;
      const pitch = pitchOf(write);
      const data = (wanted ? lasting : cursors[index]!).take(rows * pitch);
      places.set(write.id, { spec: write, data, pitch, rows, table: tables.get(step)! });
    }
  };
  place(true);
  for (const cursor of cursors) cursor.end = lasting.end;
  place(false);
  for (const { step, index, write, rows } of strips) {
    const bytes = kernelOf(step.kernel).scratch?.(step.kernel, write, rows);
    if (bytes !== undefined) calls.set(step, cursors[index]!.take(bytes));
  }
  return { bytes: Math.max(...cursors.map(({ end }) => end)), places, calls };
}

export const buffersOf = ({ reads, writes }: Step, specs: readonly BufferSpec[]) => ({
  reads: reads.map((id) => find(specs, id)),
  write: find(specs, writes),
});

/**
 * Where whole values stand: two share memory where one is no longer read when the other is written. The largest are placed
 * first, each as low as it can. Those with zeros around them share with values of equal sides alone: only then do the zeros
 * stay what they are.
 */
function placeValues(plan: Plan, specs: readonly BufferSpec[], cursor: Cursor): Map<string, number> {
  const homes = specs
    .filter(({ scope }) => scope === "arena")
    .map((spec) => {
      const { id, width, channels, left, right, height, images, dtype } = spec;
      const key = left || right ? [width, channels, left, right, height, images, dtype].join() : "";
      const [first, last] = lifetime(spec, plan);
      return { id, key, first, last, bytes: images! * height! * pitchOf(spec), at: 0 };
    })
    .sort((a, b) => b.bytes - a.bytes);
  const base = cursor.end;
  homes.forEach((home, index) => {
    const taken = homes
      .slice(0, index)
      .filter((other) => other.key !== home.key || (other.first <= home.last && home.first <= other.last))
      .sort((a, b) => a.at - b.at);
    for (const { at, bytes } of taken) if (home.at + home.bytes > at) home.at = Math.max(home.at, at + bytes);
    cursor.end = Math.max(cursor.end, base + align(home.at + home.bytes));
  });
  return new Map(homes.map(({ id, at }) => [id, base + at]));
}

/** The first stage that writes a value, and the last that reads it; the ends of a plan live throughout. */
function lifetime({ id }: BufferSpec, { stages, ends }: Plan): [number, number] {
  const written = stages.findIndex(({ steps }) => steps.some(({ writes }) => writes === id));
  const read = stages.findLastIndex(({ steps }) => steps.some(({ reads }) => reads.includes(id)));
  return [written, written < 0 || read < 0 || ends?.includes(id) ? Infinity : read];
}

/** Writes tables, parameters and scripts; values are zeroed. `base` is where the layout's block begins. */
export function writeArena(layout: ArenaLayout, plan: Plan, buffer: ArrayBufferLike, base: number): Sweep {
  const { places, params, scratch, sweep } = layout;
  new Uint8Array(buffer, base, layout.bytes).fill(0);
  for (const { spec, data, pitch, rows, table } of places.values()) {
    const { images = 1, above, below } = spec;
    const words = new Uint32Array(buffer, base + table, images * (above + rows + below));
    for (let image = 0, at = 0; image < images; image++) {
      for (let row = -above; row < rows + below; row++, at++) {
        const inside = row >= 0 && row < rows;
        words[at] = base + (inside ? data + (image * rows + row) * pitch : layout.zeros);
      }
    }
  }
  for (const { offset, bytes } of params.values()) new Uint8Array(buffer, base + offset, bytes.length).set(bytes);
  for (const thread of sweep.scratch) {
    for (const { spec, data, pitch, rows, table } of scratch.places.values()) {
      const words = new Uint32Array(buffer, base + thread + table, spec.above + rows + spec.below);
      words.fill(base + layout.zeros);
      for (let row = 0; row < rows; row++) words[spec.above + row] = base + thread + data + row * pitch;
    }
  }
  const stages = sweep.stages.map((stage, index) => {
    const words = new Int32Array(buffer, base + stage.script, stage.strips * stage.words);
    words.set(scriptOf(plan.stages[index]!, layout, index, base));
    return { ...stage, script: base + stage.script };
  });
  return { stages, counters: base + sweep.counters, scratch: sweep.scratch.map((at) => base + at) };
}

/** The words of all strips of a stage. */
function scriptOf(stage: Stage, layout: ArenaLayout, index: number, base: number): number[] {
  const { images, extent } = stage.grid;
  const grain = layout.grains[index]!;
  const words: number[] = [];
  for (let image = 0; image < images; image++) {
    for (let first = 0; first < extent; first += grain) {
      words.push(...stripScript(stage.steps, layout, base, image, first, Math.min(extent, first + grain) - 1));
    }
  }
  return words;
}

/** From the last step backwards: which rows each must write so that the next finds what it needs. */
function stripScript(
  steps: readonly Step[],
  layout: ArenaLayout,
  base: number,
  image: number,
  first: number,
  last: number,
): number[] {
  const { places, params, scratch } = layout;
  /** Of strip buffers: the first row held, and the entry of the table that points to it. */
  const held = new Map<string, { first: number; last: number; entry: number }>();
  const calls: number[][] = [];
  for (const step of steps.toReversed()) {
    const own = held.get(step.writes);
    const [from, to] = own ? [own.first, own.last] : [first, last];
    const address = (id: string, row: number, window?: LayerWindow): number => {
      const inner = scratch.places.get(id);
      if (!inner) {
        const { spec, table, rows } = places.get(id)!;
        if (spec.scope === "constant") return base + table;
        // A value of one row stands for all rows.
        const at = window || rows > 1 ? row : 0;
        return base + table + (image * (spec.above + rows + spec.below) + spec.above + at) * 4;
      }
      const { spec, rows, table } = inner;
      if (window) held.set(id, holdRows(spec.height!, rows, row, row + reach(window, to - from)));
      const { first, entry } = held.get(id)!;
      return (table + (spec.above + entry + row - first) * 4) | 1;
    };
    const { kernel, reads } = step;
    const window = kernel as LayerWindow;
    const { rowsOut = 1, rowStart = 0 } = window;
    const tables = reads.map((id, i) =>
      i === 0 ? address(id, from * window.strides[0] - window.pads[0], window) : address(id, from * rowsOut + rowStart),
    );
    const room = scratch.calls.get(step);
    calls.unshift([
      ...[Math.max(0, to - from + 1), base + params.get(step)!.offset, ...tables],
      ...(kernelOf(kernel).positioned ? [2 * from] : []),
      ...(room === undefined ? [] : [room | 1]),
      address(step.writes, from * rowsOut + rowStart),
    ]);
  }
  return calls.flat();
}

/** Rows of the input, after the first, that so many further rows of the output see. */
const reach = ({ size, strides, dilations }: LayerWindow, further: number): number =>
  further * strides[0] + (size[0] - 1) * dilations[0];

/**
 * Which rows of a value a strip holds, of those from `low` to `high` that exist, and in which entry the first stands: at the
 * end where rows after them are asked for, so that zeros follow.
 */
function holdRows(
  height: number,
  room: number,
  low: number,
  high: number,
): { first: number; last: number; entry: number } {
  const [first, last] = [Math.max(low, 0), Math.min(high, height - 1)];
  const atEnd = high >= height && low >= 0;
  return { first, last, entry: atEnd ? room - (height - first) : 0 };
}

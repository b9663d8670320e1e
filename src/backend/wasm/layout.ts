// Where everything of a program stands in one block of memory: the script, parameter blocks, weights, values with their tables
// of row pointers, rings of rows for the caller's pictures, and the scratch of each thread. Offsets only, from the block's
// begin; nothing here touches memory. Rows outside a value are one row of zeros. Programs of networks have weights, values and
// scratch elsewhere, where they share them: offsets then lead out of the block.
import { kernelOf } from "../../kernels/table.ts";
import { stripRows } from "../../plan/cost.ts";
import { mostRows, rowsOutOf, type StepRows, stepRows } from "../../plan/strips.ts";
import type { BufferSpec, Stage, Step } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { buffersOf, find, type Schedule, withMargins } from "../margins.ts";
import { align, alignment } from "./memory.ts";
import { header, mostStages, stageWords, stepBytes } from "./script.ts";
import { type Split, splitOf } from "./split.ts";

/** Rows of a value, and the table of pointers by which kernels find them; of a strip, relative to a thread's scratch. */
export interface Place {
  spec: BufferSpec;
  data: number;
  pitch: number;
  /** Rows held; of an arena value, of one image. */
  rows: number;
  table: number;
  /** Entries of the table, and how many of them are rows; kernels that make several rows at once may reach beyond. */
  entries: number;
  real: number;
}

export interface StepLayout {
  step: Step;
  rows: StepRows;
  params: { offset: number; stride: number; blocks: Uint8Array[] };
  /** In a thread's scratch: where the kernel's own scratch begins, and where the shift of the strip that it writes is kept. */
  scratch: number;
  held: number;
}

export interface StageLayout extends Split {
  stage: Stage;
  offset: number;
  strips: number;
  steps: StepLayout[];
  /** Where strips that are done are flagged; 0 where nobody asks. */
  flags: number;
}

export interface Layout {
  bytes: number;
  threads: number;
  specs: BufferSpec[];
  stages: StageLayout[];
  /** All but strips, by id. */
  places: Map<string, Place>;
  /** Strips, within a thread's scratch. */
  strips: Map<string, Place>;
  zeros: number;
  /** Elements that kernels may read and write past a row's end. */
  overrun: number;
  /** Values that the last stage alone writes: they can be moved out strip by strip. */
  last: Set<string>;
  /** Room for pairs of offsets: which pixels of an input's row stand for those beyond its ends. */
  pairs: number;
  scratch: { offset: number; bytes: number };
  /** Where values and scratch stand, if not in the block; `clear`: places in it that must be zeros when a run begins. */
  room?: Room;
}

export interface Room {
  offset: number;
  bytes: number;
  clear: { offset: number; bytes: number }[];
}

/** Step by step over offsets. */
class Cursor {
  end = 0;
  take(bytes: number): number {
    const at = this.end;
    this.end += align(bytes);
    return at;
  }
}

/** Elements that kernels may read and write past a row's end, and rows past a strip's. */
type Overrun = { elements: number; rows: number };

function overrunOf(steps: readonly Step[]): Overrun {
  const all = steps.map(({ kernel }) => kernelOf(kernel).overrun);
  return { elements: Math.max(0, ...all.map((o) => o.elements)), rows: Math.max(0, ...all.map((o) => o.rows)) };
}

/** An odd number of cache lines: neighbouring rows then never compete for one set of the cache. */
export function pitchOf({ width, channels, dtype }: BufferSpec, slack = 0): number {
  const bytes = align((width * channels + slack) * bytesOf[dtype]);
  return bytes % (2 * alignment) === 0 ? bytes + alignment : bytes;
}

interface LayoutOptions {
  /** Of a strip, where tests say so. */
  rows?: number;
  /** Weights, values and scratch stand elsewhere: {@link moveRoom} says where, once. Weights are placed by who packs them. */
  apart?: boolean;
  /** Pictures have room for all of their rows: none streams through a ring. */
  whole?: boolean;
}

export function layoutOf(
  plan: Schedule,
  threads: number,
  { rows, apart = false, whole = false }: LayoutOptions = {},
): Layout {
  const specs = withMargins(plan);
  if (plan.stages.length > mostStages) throw new Error(`plan: more than ${mostStages} stages`);
  const overrun = overrunOf(plan.stages.flatMap(({ steps }) => steps));
  const cursor = new Cursor();
  const room = apart ? new Cursor() : cursor;
  cursor.take(header.bytes + plan.stages.length * 4);
  const splits = plan.stages.map((stage) => {
    const together = overrunOf(stage.steps).rows;
    return splitOf(stage, { specs, threads, together, rows });
  });
  const stages = plan.stages.map((stage, index): StageLayout => {
    const { grid, steps } = stage;
    const split = splits[index]!;
    const offset = cursor.take(stageWords.bytes + steps.length * stepBytes);
    const strips = grid.images * Math.ceil(grid.extent / split.grain) * split.parts;
    const made = stepRows(stage, specs);
    const flags = index === plan.stages.length - 1 || index === 0 ? cursor.take(strips) : 0;
    const laid = steps.map((step, i): StepLayout => {
      const params = paramsOf(step, specs, split.parts, cursor);
      return { step, rows: made[i]!, params, scratch: 0, held: 0 };
    });
    return { ...split, stage, offset, strips, steps: laid, flags };
  });
  const bordered = specs.filter(({ scope, above, below }) => scope === "input" || above + below > 0);
  const zeros = cursor.take(Math.max(0, ...bordered.map((spec) => pitchOf(spec, overrun.elements))));
  const places = placeAll(plan, specs, stages, overrun, threads, { cursor, room, apart, whole });
  const pairs = cursor.take(Math.max(0, ...specs.filter(({ scope }) => scope === "input").map(pairBytes)));
  const { strips, bytes } = layoutScratch(stages, specs);
  const scratch = { offset: room.take(threads * bytes), bytes };
  const { elements } = overrun;
  const last = writtenLast(plan);
  const made = { threads, specs, stages, places, strips, zeros, overrun: elements, last, pairs, scratch };
  if (!apart) return { bytes: cursor.end, ...made };
  const clear = [...clearedValues(plan, places), { offset: scratch.offset, bytes: threads * bytes }];
  return { bytes: cursor.end, ...made, room: { offset: 0, bytes: room.end, clear } };
}

/** Values that have zeros around them, and those that only the caller writes: channels that these do not have are zeros. */
function clearedValues({ stages }: Schedule, places: ReadonlyMap<string, Place>): Room["clear"] {
  const written = new Set(stages.flatMap(({ steps }) => steps.map(({ writes }) => writes)));
  return [...places.values()]
    .filter(({ spec: { id, scope, left, right } }) => scope === "arena" && (left || right || !written.has(id)))
    .map(({ spec, data, pitch, rows }) => ({ offset: data, bytes: spec.images! * rows * pitch }));
}

/** Puts the values and scratch of a layout that has them apart to where they are from now on. */
export function moveRoom({ room, places, scratch }: Layout, offset: number): void {
  const by = offset - room!.offset;
  for (const place of places.values()) if (place.spec.scope === "arena") place.data += by;
  for (const one of room!.clear) one.offset += by;
  scratch.offset += by;
  room!.offset = offset;
}

function writtenLast({ stages }: Schedule): Set<string> {
  const written = new Set(stages.at(-1)!.steps.map(({ writes }) => writes));
  for (const { steps } of stages.slice(0, -1)) for (const { writes } of steps) written.delete(writes);
  return written;
}

/** One pair an element at most. */
/** Twice as many as a picture's own rows need: a result may be larger than its picture by a window. */
const pairBytes = ({ left = 0, right = 0, channels, dtype }: BufferSpec): number =>
  2 * (left + right) * channels * bytesOf[dtype] * 8;

/** A parameter block for each part of the output channels. */
function paramsOf(step: Step, specs: readonly BufferSpec[], parts: number, cursor: Cursor): StepLayout["params"] {
  const [kernel, buffers] = [kernelOf(step.kernel), buffersOf(step, specs)];
  const count = kernel.units?.(step.kernel) ?? 1;
  const each = Math.ceil(count / parts);
  const blocks = Array.from({ length: parts }, (_, part) =>
    parts === 1
      ? kernel.params(step.kernel, buffers)
      : kernel.params(step.kernel, buffers, { first: part * each, end: Math.min(count, (part + 1) * each) }),
  );
  const stride = align(blocks[0]!.length);
  return { offset: cursor.take(stride * parts), stride, blocks };
}

function placeAll(
  plan: Schedule,
  specs: readonly BufferSpec[],
  stages: readonly StageLayout[],
  overrun: Overrun,
  threads: number,
  { cursor, room, apart, whole }: { cursor: Cursor; room: Cursor; apart: boolean; whole: boolean },
): Map<string, Place> {
  const places = new Map<string, Place>();
  const homes = placeValues(plan, specs, room);
  const partsOf = partsOfConstants(stages);
  const pictures = new Map<string, number>();
  for (const spec of specs) {
    const { id, scope, images = 1, height = 1, above, below } = spec;
    if (scope === "strip") continue;
    if (scope === "arena" || scope === "constant") {
      const pitch = pitchOf(spec);
      const data = homes.get(id) ?? (apart ? 0 : cursor.take(pitch));
      const parts = partsOf.get(id) ?? 1;
      const entries = scope === "constant" ? parts : images * (above + height + below);
      places.set(id, { spec, data, pitch, rows: height, table: cursor.take(entries * 4), entries, real: entries });
      continue;
    }
    const pitch = pitchOf(spec, overrun.elements);
    const { grain, stage } = stages.find(({ stage }) =>
      stage.steps.some(({ reads, writes }) => writes === id || reads.includes(id)),
    )!;
    const all = stripRows(spec, stage.grid.extent);
    const inFlight = threads === 1 ? 1 : 2 * threads;
    const rows = spec.picture ? height : whole ? all : Math.min(all, stripRows(spec, grain * inFlight));
    // One row at least stands past the others: for those of a grid that lie below a value.
    const data = pictures.get(spec.picture ?? "") ?? cursor.take((rows + Math.max(1, overrun.rows)) * pitch);
    if (spec.picture) pictures.set(spec.picture, data);
    const entries = all + overrun.rows;
    places.set(id, { spec, data, pitch, rows, table: cursor.take(entries * 4), entries, real: all });
  }
  return places;
}

/** By constants, into how many parts the stages that read them are split. */
function partsOfConstants(stages: readonly StageLayout[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { steps, parts } of stages)
    for (const id of steps.flatMap(({ step }) => step.reads)) found.set(id, Math.max(parts, found.get(id) ?? 1));
  return found;
}

/** The first words of a thread's scratch are shifts of strips: the very first is none. */
const shiftBytes = 64;

/**
 * Stages do not overlap in time, so what they hold may overlap in memory: all but tables and the zeros around strips, which
 * are written once.
 */
function layoutScratch(
  stages: readonly StageLayout[],
  specs: readonly BufferSpec[],
): { strips: Map<string, Place>; bytes: number } {
  const strips = new Map<string, Place>();
  const lasting = new Cursor();
  lasting.take(shiftBytes);
  const cursors: Cursor[] = [];
  const found = stages.flatMap((stage, index) => {
    const overrun = overrunOf(stage.stage.steps);
    const ids = [...new Set(stage.steps.flatMap(({ step }) => [...step.reads, step.writes]))];
    return ids.flatMap((id) => {
      const spec = find(specs, id);
      if (spec.scope !== "strip") return [];
      const writer = stage.steps.find(({ step }) => step.writes === id);
      const layer = spec.height !== undefined;
      const made = writer && mostRows(writer.rows, stage.grain) * rowsOutOf(writer.step.kernel);
      const rows = layer ? made! : stripRows(spec, stage.grain) + overrun.rows;
      const pitch = pitchOf(spec, layer ? 0 : overrun.elements);
      const entries = layer ? spec.above + rows + spec.below : rows;
      const padded = (spec.left ?? 0) + (spec.right ?? 0) > 0;
      const place = { spec, data: 0, pitch, rows, table: lasting.take(entries * 4), entries, real: entries };
      return [{ index, place, padded }];
    });
  });
  for (const { place, padded } of found) if (padded) place.data = lasting.take(place.rows * place.pitch);
  for (const { index, place, padded } of found) {
    cursors[index] ??= Object.assign(new Cursor(), { end: lasting.end });
    if (!padded) place.data = cursors[index]!.take(place.rows * place.pitch);
    strips.set(place.spec.id, place);
  }
  for (const [index, stage] of stages.entries()) {
    const cursor = cursors[index] ?? Object.assign(new Cursor(), { end: lasting.end });
    cursors[index] = cursor;
    let held = 0;
    for (const laid of stage.steps) {
      const write = find(specs, laid.step.writes);
      const rows = mostRows(laid.rows, stage.grain);
      const bytes = kernelOf(laid.step.kernel).scratch?.(laid.step.kernel, write, rows);
      if (bytes !== undefined) laid.scratch = cursor.take(bytes);
      if (write.scope === "strip" && write.height !== undefined) laid.held = 4 * ++held;
    }
  }
  return { strips, bytes: Math.max(lasting.end, ...cursors.map((cursor) => cursor?.end ?? 0)) };
}

/**
 * Where whole values stand: two share memory where one is no longer read when the other is written. The largest are placed
 * first, each as low as it can. Those with zeros around them share with values of equal sides alone: only then do the zeros
 * stay what they are.
 */
function placeValues(plan: Schedule, specs: readonly BufferSpec[], cursor: Cursor): Map<string, number> {
  const lifetimes = lifetimesOf(plan);
  const homes = specs
    .filter(({ scope }) => scope === "arena")
    .map((spec) => {
      const { id, width, channels, left, right, height, images, dtype } = spec;
      const key = left || right ? [width, channels, left, right, height, images, dtype].join() : "";
      const { first, last } = lifetimes.get(id) ?? { first: -1, last: Infinity };
      return { id, key, first, last, bytes: images! * height! * pitchOf(spec), at: 0 };
    })
    .sort((a, b) => b.bytes - a.bytes);
  const base = cursor.end;
  // Those that are placed, the lowest first.
  const placed: typeof homes = [];
  for (const home of homes) {
    for (const other of placed) {
      const apart = other.key === home.key && (other.first > home.last || home.first > other.last);
      if (!apart && home.at + home.bytes > other.at) home.at = Math.max(home.at, other.at + other.bytes);
    }
    const above = placed.findIndex(({ at }) => at > home.at);
    placed.splice(above < 0 ? placed.length : above, 0, home);
    cursor.end = Math.max(cursor.end, base + align(home.at + home.bytes));
  }
  return new Map(homes.map(({ id, at }) => [id, base + at]));
}

interface Lifetime {
  first: number;
  last: number;
}

/** The first stage that writes a value, and the last that reads it; the ends of a plan live throughout. */
function lifetimesOf({ stages, ends = [] }: Schedule): Map<string, Lifetime> {
  const found = new Map<string, Lifetime>();
  stages.forEach(({ steps }, index) => {
    for (const { reads, writes } of steps) {
      for (const id of reads) found.set(id, { first: found.get(id)?.first ?? -1, last: index });
      if (!found.has(writes)) found.set(writes, { first: index, last: Infinity });
      else if (found.get(writes)!.first < 0) found.get(writes)!.first = index;
    }
  });
  for (const id of ends) if (found.has(id)) found.get(id)!.last = Infinity;
  for (const one of found.values()) if (one.first < 0) one.last = Infinity;
  return found;
}

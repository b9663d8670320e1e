// Where everything of one stage stands in the machine's memory: parameter blocks, constants, the ring of staged input
// rows, the slots of strips in flight, and the scratch of each thread. Offsets only; nothing here touches memory.
import { kernelOf } from "../kernels/table.ts";
import { tapsRows } from "../kernels/taps/layout.ts";
import { stripRows } from "../plan/cost.ts";
import type { BufferSpec, Stage } from "../plan/types.ts";
import { bytesOf } from "../tensor.ts";
import { align, alignment } from "../wasm/memory.ts";
import { type Machine, type OperandAddress, slotHeaderBytes } from "./machine.ts";

/** Rows of one buffer at a fixed pitch, and the table of pointers by which kernels find them. */
export interface RowsLayout {
  spec: BufferSpec;
  /** Offset of the table, relative to `base`. */
  table: number;
  base: OperandAddress["base"];
  /** Offset of the rows, relative to `base`; unused for the input, whose tables point into the ring. */
  data: number;
  /** Bytes from row to row, slack included. */
  pitch: number;
  rows: number;
}

export interface StageLayout {
  bytes: number;
  grain: number;
  buffers: Map<string, RowsLayout>;
  params: { offset: number; bytes: Uint8Array }[];
  ring: { offset: number; rows: number; pitch: number };
  slots: number[];
  scratch: number[];
}

/** How far past their ends rows and strips must allow kernels to read and write. */
function overrunOf(stage: Stage): { elements: number; rows: number } {
  const all = stage.steps.map((step) => kernelOf(step.kernel).overrun);
  return { elements: Math.max(...all.map(({ elements }) => elements)), rows: Math.max(...all.map(({ rows }) => rows)) };
}

export function layoutStage(
  stage: Stage,
  specs: readonly BufferSpec[],
  machine: Machine,
  threads: number,
): StageLayout {
  // Small pictures still get a few strips per thread; pictures of any size at most two strips in flight per thread.
  const { extent } = stage.grid;
  const most = Math.ceil(stage.grid.grain * machine.grainShare);
  const grain = threads === 1 ? most : Math.min(most, tapsRows * Math.ceil(extent / (2 * tapsRows * threads)));
  const slotCount = threads === 1 ? 1 : Math.min(2 * threads, Math.ceil(extent / grain) * stage.grid.images);
  const overrun = overrunOf(stage);
  let end = 0;
  const take = (bytes: number): number => {
    const offset = end;
    end += align(bytes);
    return offset;
  };

  const held = specs.map((spec) => ({ ...spec, dtype: machine.dtypeOf(spec.scope, spec.dtype) }));
  // An odd number of cache lines from row to row: neighbouring rows then never compete for one set of the cache.
  const pitchOf = ({ width, channels, dtype }: BufferSpec): number => {
    const bytes = align((width * channels + overrun.elements) * bytesOf[dtype]);
    return bytes % (2 * alignment) === 0 ? bytes + alignment : bytes;
  };
  const buffers = new Map<string, RowsLayout>();
  const place = (spec: BufferSpec, base: RowsLayout["base"], withData: boolean): void => {
    const [rows, pitch] = [stripRows(spec, grain) + overrun.rows, pitchOf(spec)];
    const table = take(rows * 4);
    buffers.set(spec.id, { spec, base, table, data: withData ? take(rows * pitch) : 0, pitch, rows });
  };

  for (const spec of held) if (spec.scope === "constant") place(spec, "absolute", true);
  const params = stage.steps.map((step) => {
    const [reads, write] = [step.reads.map((id) => find(held, id)), find(held, step.writes)];
    const bytes = kernelOf(step.kernel).params(step.kernel, { reads, write });
    return { offset: take(bytes.length), bytes };
  });

  const input = held.find(({ scope }) => scope === "input")!;
  // Room for the rows of all strips in flight, which are neighbours.
  const ringRows = (slotCount * grain - 1) * input.stride + input.above + input.below + 1;
  const ring = { offset: take(ringRows * pitchOf(input)), rows: ringRows, pitch: pitchOf(input) };

  // Slots and scratch: laid out once relative to their base, then repeated.
  const repeat = (
    scopes: readonly BufferSpec["scope"][],
    base: "slot" | "scratch",
    header: number,
    count: number,
  ): number[] => {
    const start = end;
    end = header;
    for (const spec of held) if (scopes.includes(spec.scope)) place(spec, base, spec.scope !== "input");
    const size = end;
    end = start + size * count;
    return Array.from({ length: count }, (_, index) => start + index * size);
  };
  const slots = repeat(["input", "output"], "slot", slotHeaderBytes, slotCount);
  const scratch = repeat(["strip"], "scratch", 0, threads);
  return { bytes: end, grain, buffers, params, ring, slots, scratch };
}

export function find(specs: readonly BufferSpec[], id: string): BufferSpec {
  const spec = specs.find((candidate) => candidate.id === id);
  if (!spec) throw new Error(`plan: no buffer ${id}`);
  return spec;
}

/** Moves everything absolute of a layout to where its block was allocated. */
export function rebase(layout: StageLayout, by: number): StageLayout {
  const move = (offset: number): number => offset + by;
  const buffers = new Map(
    [...layout.buffers].map(([id, rows]) => [
      id,
      rows.base === "absolute" ? { ...rows, table: move(rows.table), data: move(rows.data) } : rows,
    ]),
  );
  return {
    ...layout,
    buffers,
    params: layout.params.map((block) => ({ ...block, offset: move(block.offset) })),
    ring: { ...layout.ring, offset: move(layout.ring.offset) },
    slots: layout.slots.map(move),
    scratch: layout.scratch.map(move),
  };
}

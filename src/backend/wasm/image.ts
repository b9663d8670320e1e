// Writes a program's layout into memory: the script that the driver reads, parameter blocks, and tables of row pointers.
import { kernelOf } from "../../kernels/table.ts";
import { rowsOutOf, windowOf } from "../../plan/strips.ts";
import type { BufferSpec, LayerWindow } from "../../plan/types.ts";
import type { Layout, Place, StageLayout, StepLayout } from "./layout.ts";
import type { MemoryViews } from "./memory.ts";
import { header, operands, operandWords, stageWords, stepBytes, stepWords } from "./script.ts";

/** Where a program is written: words of the memory, and the address of its block. */
export interface Site {
  buffer: ArrayBufferLike;
  base: number;
  /** The index of each step's kernel in the table of functions, stage by stage. */
  kernels: readonly (readonly number[])[];
}

/** Zeroes the block and writes all but weights, and but what stands in a room apart. */
export function writeImage(layout: Layout, { buffer, base, kernels }: Site): void {
  new Uint8Array(buffer, base, layout.bytes).fill(0);
  const words = new Int32Array(buffer);
  const { stages, scratch } = layout;
  put(words, base, [stages.length, base + scratch.offset, scratch.bytes, 0]);
  stages.forEach((stage, index) => {
    words[(base + header.bytes) / 4 + index] = base + stage.offset;
    writeStage(stage, words, base);
    stage.steps.forEach((laid, i) => {
      const at = base + stage.offset + stageWords.bytes + i * stepBytes;
      writeStep(layout, stage, laid, kernels[index]![i]!, words, at, base);
      laid.params.blocks.forEach((block, part) => {
        new Uint8Array(buffer, base + laid.params.offset + part * laid.params.stride, block.length).set(block);
      });
    });
  });
  for (const place of layout.places.values()) writeTable(layout, place, words, base);
  if (!layout.room) writeStrips(layout, words, base);
}

/** Zeroes what must be zeros in a room where others have been, and writes the tables of strips. */
export function writeRoom(layout: Layout, { bytes, words }: Pick<MemoryViews, "bytes" | "words">, base: number): void {
  for (const one of layout.room!.clear) bytes.fill(0, base + one.offset, base + one.offset + one.bytes);
  writeStrips(layout, words, base);
}

function writeStrips(layout: Layout, words: Int32Array, base: number): void {
  for (let thread = 0; thread < layout.threads; thread++) writeStripsOf(layout, thread, words, base);
}

function put(words: Int32Array, address: number, values: readonly number[]): void {
  for (let i = 0, at = address / 4; i < values.length; i++, at++) words[at] = values[i]!;
}

/** In the order of {@link stageWords}. */
function writeStage({ stage, grain, parts, strips, offset }: StageLayout, words: Int32Array, base: number) {
  const { extent } = stage.grid;
  put(words, base + offset, [
    strips,
    Math.ceil(extent / grain),
    parts,
    grain,
    extent,
    stage.steps.length,
    strips,
    0,
    1,
    0,
  ]);
}

/** In the order of {@link stepWords}, then its operands. */
function writeStep(
  layout: Layout,
  stage: StageLayout,
  laid: StepLayout,
  kernel: number,
  words: Int32Array,
  at: number,
  base: number,
): void {
  const { step, params, rows, scratch, held } = laid;
  const write = layout.strips.get(step.writes);
  const slack = held ? write!.rows - write!.spec.height! : 0;
  const part = stage.parts > 1 ? params.stride : 0;
  const { scale, before, after, last } = rows;
  put(words, at, [
    kernel,
    base + params.offset,
    part,
    scale,
    before,
    after,
    last,
    scratch,
    held,
    slack,
    rowsOutOf(step.kernel),
  ]);
  const named = [step.writes, ...step.reads];
  if (named.length > operands) throw new Error(`plan: ${step.name} reads more than ${operands - 1} buffers`);
  for (let which = 0; which < named.length; which++) {
    const operand = operandOf(layout, base, stage, laid, named[which]!, which);
    put(words, at + stepWords.bytes + which * operandWords.bytes, operand);
  }
}

/** How the driver finds an operand's table of rows, in the order of {@link operandWords}; `which` is 0 for what is written. */
function operandOf(
  { places, strips }: Layout,
  base: number,
  stage: StageLayout,
  { step }: StepLayout,
  id: string,
  which: number,
): number[] {
  const window = windowOf(step.kernel);
  const strip = strips.get(id);
  const { spec, table, rows } = strip ?? places.get(id)!;
  const [root, local] = strip ? [table, -1] : [base + table, 0];
  if (spec.scope === "constant") return [root, local, 0, stage.parts > 1 ? 4 : 0, 0, 0, 0];
  if (!window) return [root, local, 0, 0, strip ? 0 : spec.stride * 4, 0, 0];
  if (window.whole) return [root, local, 0, 0, 0, 0, 0];
  const shift = strip ? stage.steps.find((one) => one.step.writes === id)!.held : 0;
  // One image stands for all.
  const perImage = strip || spec.images === 1 ? 0 : (spec.above + rows + spec.below) * 4;
  const [scale, offset] = rowsOf(window, spec, which);
  return [root, local, perImage, 0, scale, offset, shift];
}

/** From a step's first row to the row of an operand. A value of one row stands for all rows, but under a window. */
function rowsOf(window: LayerWindow, { above, height }: BufferSpec, which: number): [scale: number, offset: number] {
  const { strides, pads, rowsOut = 1, rowStart = 0 } = window;
  if (which === 1) return [strides[0] * 4, (above - pads[0]) * 4];
  if (height === 1) return [0, above * 4];
  return [rowsOut * 4, (above + rowStart) * 4];
}

export function writeTable(layout: Layout, place: Place, words: Int32Array, base: number): void {
  const { spec, data, pitch, rows, table, entries } = place;
  const [at, zeros] = [(base + table) / 4, base + layout.zeros];
  if (spec.scope === "constant") {
    const bytes = entries > 1 ? partBytes(layout, spec.id, entries) : 0;
    for (let part = 0; part < entries; part++) words[at + part] = base + data + part * bytes;
    return;
  }
  if (spec.scope === "arena") {
    const each = spec.above + rows + spec.below;
    for (let entry = 0; entry < entries; entry++) {
      const [image, row] = [Math.floor(entry / each), (entry % each) - spec.above];
      words[at + entry] = row >= 0 && row < rows ? base + data + (image * rows + row) * pitch : zeros;
    }
    return;
  }
  writeRing(place, words, base, zeros);
}

/** Bytes of weights from one part of the output channels to the next. */
function partBytes({ stages }: Layout, id: string, parts: number): number {
  const step = stages.flatMap(({ steps }) => steps).find(({ step }) => step.reads.includes(id))!.step;
  const kernel = kernelOf(step.kernel);
  return Math.ceil(kernel.units!(step.kernel) / parts) * kernel.unitBytes!(step.kernel);
}

/** Rows of a picture: they go round in a ring, or stand in a picture between stages. */
function writeRing(place: Place, words: Int32Array, base: number, zeros: number): void {
  const { spec, data, pitch, rows, table, entries, real } = place;
  const at = (base + table) / 4;
  for (let entry = 0; entry < entries; entry++) {
    const row = spec.picture ? entry - spec.above : entry % rows;
    const inside = entry < real && row >= 0 && row < rows;
    // Beyond the last row, kernels read anything and write to a row that nobody reads.
    words[at + entry] = inside
      ? base + data + row * pitch
      : spec.scope === "input"
        ? zeros
        : base + data + rows * pitch;
  }
}

function writeStripsOf({ strips, scratch, zeros }: Layout, thread: number, words: Int32Array, base: number): void {
  const start = base + scratch.offset + thread * scratch.bytes;
  for (const { spec, data, pitch, rows, table, entries } of strips.values()) {
    const at = (start + table) / 4;
    const before = spec.height === undefined ? 0 : spec.above;
    for (let entry = 0; entry < entries; entry++) {
      const row = entry - before;
      words[at + entry] = row >= 0 && row < rows ? start + data + row * pitch : base + zeros;
    }
  }
}

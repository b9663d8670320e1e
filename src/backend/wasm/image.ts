// Writes a program's layout into memory: the script that the driver reads, parameter blocks, and tables of row pointers.
import { kernelOf } from "../../kernels/table.ts";
import { windowOf } from "../../plan/strips.ts";
import type { BufferSpec, LayerWindow } from "../../plan/types.ts";
import type { Layout, Place, StageLayout, StepLayout } from "./layout.ts";
import { header, operands, operandWords, stageWords, stepBytes, stepWords } from "./script.ts";

/** Where a program is written: words of the memory, and the address of its block. */
export interface Site {
  buffer: ArrayBufferLike;
  base: number;
  /** The index of each step's kernel in the table of functions, stage by stage. */
  kernels: readonly (readonly number[])[];
}

/** Zeroes the block and writes all but weights. */
export function writeImage(layout: Layout, { buffer, base, kernels }: Site): void {
  new Uint8Array(buffer, base, layout.bytes).fill(0);
  const words = new Int32Array(buffer);
  const put = (offset: number, names: Readonly<Record<string, number>>, values: Record<string, number>): void => {
    for (const [name, value] of Object.entries(values)) words[(base + offset + names[name]!) >> 2] = value;
  };
  const { stages, scratch } = layout;
  put(0, header, { stages: stages.length, scratch: base + scratch.offset, scratchBytes: scratch.bytes });
  for (const [index, stage] of stages.entries()) {
    words[(base + header.bytes) / 4 + index] = base + stage.offset;
    const { grid, steps } = stage.stage;
    put(stage.offset, stageWords, {
      ...{ strips: stage.strips, perImage: Math.ceil(grid.extent / stage.grain), parts: stage.parts },
      ...{ grain: stage.grain, extent: grid.extent, steps: steps.length, opening: stage.strips, flags: 0 },
    });
    stage.steps.forEach((laid, i) => {
      const at = stage.offset + stageWords.bytes + i * stepBytes;
      const { params, rows } = laid;
      const write = layout.strips.get(laid.step.writes);
      put(at, stepWords, {
        ...{
          kernel: kernels[index]![i]!,
          params: base + params.offset,
          partParams: stage.parts > 1 ? params.stride : 0,
        },
        ...{ ...rows, scratch: laid.scratch, held: laid.held },
        slack: laid.held ? write!.rows - write!.spec.height! : 0,
      });
      const named = [laid.step.writes, ...laid.step.reads];
      if (named.length > operands) throw new Error(`plan: ${laid.step.name} reads more than ${operands - 1} buffers`);
      named.forEach((id, which) => {
        put(
          at + stepWords.bytes + which * operandWords.bytes,
          operandWords,
          operandOf(layout, base, stage, laid, id, which),
        );
      });
      params.blocks.forEach((block, part) => {
        new Uint8Array(buffer, base + params.offset + part * params.stride, block.length).set(block);
      });
    });
  }
  for (const place of layout.places.values()) writeTable(layout, place, words, base);
  for (let thread = 0; thread < layout.threads; thread++) writeStrips(layout, thread, words, base);
}

/** How the driver finds an operand's table of rows; `which` is 0 for what is written, 1 for what is read first. */
function operandOf(
  { places, strips }: Layout,
  base: number,
  stage: StageLayout,
  { step }: StepLayout,
  id: string,
  which: number,
): Record<string, number> {
  const window = windowOf(step.kernel);
  const strip = strips.get(id);
  const { spec, table, rows } = strip ?? places.get(id)!;
  const root: Record<string, number> = strip ? { base: table, local: -1 } : { base: base + table };
  if (spec.scope === "constant") return { ...root, perPart: stage.parts > 1 ? 4 : 0 };
  if (!window) return strip ? root : { ...root, scale: spec.stride * 4 };
  const writer = stage.steps.find((laid) => laid.step.writes === id);
  const shift: Record<string, number> = strip
    ? { shift: writer!.held }
    : { perImage: (spec.above + rows + spec.below) * 4 };
  return { ...root, ...shift, ...rowsOf(window, spec, which) };
}

/** From a step's first row to the row of an operand. A value of one row stands for all rows, but under a window. */
function rowsOf(window: LayerWindow, { above, height }: BufferSpec, which: number) {
  const { strides, pads, rowsOut = 1, rowStart = 0 } = window;
  if (which === 1) return { scale: strides[0] * 4, offset: (above - pads[0]) * 4 };
  if (height === 1) return { scale: 0, offset: above * 4 };
  return { scale: rowsOut * 4, offset: (above + rowStart) * 4 };
}

export function writeTable(layout: Layout, place: Place, words: Int32Array, base: number): void {
  const { spec, data, pitch, rows, table, entries } = place;
  const [at, zeros] = [(base + table) / 4, base + layout.zeros];
  if (spec.scope === "constant") {
    const step = layout.stages.flatMap(({ steps }) => steps).find(({ step }) => step.reads.includes(spec.id))?.step;
    const kernel = step && kernelOf(step.kernel);
    const units =
      entries > 1 ? Math.ceil(kernel!.units!(step!.kernel) / entries) * kernel!.unitBytes!(step!.kernel) : 0;
    for (let part = 0; part < entries; part++) words[at + part] = base + data + part * units;
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

function writeStrips({ strips, scratch, zeros }: Layout, thread: number, words: Int32Array, base: number): void {
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

// One stage of a plan on the reference: strip after strip, each step by its family's plain loops.
import type { Rows } from "../../kernels/kernel.ts";
import { kernelOf } from "../../kernels/table.ts";
import { borderIndex } from "../../plan/border.ts";
import { stripRows } from "../../plan/cost.ts";
import { type StepRows, stepRows, windowOf } from "../../plan/strips.ts";
import type { BufferSpec, Stage, Step } from "../../plan/types.ts";
import { checkThere, type Elements, type ImageArray, newArray } from "../../tensor.ts";
import { compareWithOwn, convert, keepAlpha, premultiply, readsSource, unpremultiply } from "../alpha.ts";
import type { Binding, SourceBinding, TargetBinding } from "../backend.ts";
import { targetAt } from "../bindings.ts";
import { borderPixel, unweigh, weigh } from "../known.ts";
import { find } from "../margins.ts";
import type { Slices } from "../slices.ts";
import { arrayOf, type WholeValue } from "./values.ts";

/** What a stage reads and writes, by the ids of buffers. */
export interface StageEnds {
  inputs: ReadonlyMap<string, Binding>;
  outputs: ReadonlyMap<string, Binding>;
  values: ReadonlyMap<string, WholeValue>;
  constants: ReadonlyMap<string, Elements>;
}

/** The reference is slow: its strips are a few rows, so that events get their turn. */
const share = 16;

/** One strip of the grid. */
interface Strip {
  image: number;
  first: number;
  last: number;
}

export async function runStage(
  stage: Stage,
  specs: readonly BufferSpec[],
  ends: StageEnds,
  slices: Slices,
  onProgress: (done: number) => void,
): Promise<void> {
  const { images, extent, grain } = stage.grid;
  const rows = stepRows(stage, specs);
  const source = new SourceRows(stage, specs, ends);
  const each = Math.ceil(grain / share);
  for (let image = 0; image < images; image++) {
    for (let first = 0; first < extent; first += each) {
      runStrip(stage, specs, ends, rows, source, { image, first, last: Math.min(extent, first + each) - 1 });
      if (!slices.due()) continue;
      onProgress((image + Math.min(1, (first + each) / extent)) / images);
      await slices.next();
    }
  }
}

function runStrip(
  { steps }: Stage,
  specs: readonly BufferSpec[],
  ends: StageEnds,
  rows: readonly StepRows[],
  source: SourceRows,
  strip: Strip,
): void {
  /** Rows of strips, by buffer and row; in f64. */
  const held = new Map<string, Map<number, Elements>>();
  const results = new Map<string, Map<number, Elements>>();
  const strips = (id: string, of: Map<string, Map<number, Elements>>): Map<number, Elements> => {
    const known = of.get(id) ?? new Map<number, Elements>();
    of.set(id, known);
    return known;
  };
  steps.forEach((step, index) => {
    const { scale, before, after, last } = rows[index]!;
    const from = Math.max(0, strip.first * scale - before);
    const to = Math.min(last, strip.last * scale + after);
    if (to < from) return;
    const operand = (id: string, which: number): Rows => {
      const spec = find(specs, id);
      const start = startOf(step, spec, which, from);
      const whole = ends.values.get(id);
      if (spec.scope === "constant") return { spec, row: () => ends.constants.get(id)! };
      if (whole && windowOf(step.kernel)?.whole) return { spec, row: (i) => whole.rows[i]! };
      if (whole)
        return {
          spec,
          row: (i) => whole.row(spec.images === 1 ? 0 : strip.image, spec.height === 1 && which !== 1 ? 0 : start + i),
        };
      if (spec.scope === "input") return { spec, row: (i) => source.row(spec, start + i) };
      const isStrip = spec.scope === "strip";
      const dtype = isStrip ? "f64" : spec.dtype;
      const made = strips(id, isStrip ? held : results);
      const outside = (row: number): boolean => spec.height !== undefined && (row < 0 || row >= spec.height);
      return {
        spec: { ...spec, dtype },
        row(i) {
          const row = isStrip && spec.height === undefined ? i : start + i;
          const known = made.get(row) ?? newArray(dtype, spec.width * spec.channels);
          if (!outside(row)) made.set(row, known);
          return known;
        },
      };
    };
    const reads = step.reads.map((id, i) => operand(id, i + 1));
    kernelOf(step.kernel).reference(step.kernel, reads, operand(step.writes, 0), to - from + 1, from);
  });
  for (const [id, made] of results) emit(ends.outputs.get(id) as TargetBinding, made);
}

/** The row of an operand that its kernel calls row 0; `which` is 0 for what is written, 1 for what is read first. */
function startOf({ kernel }: Step, spec: BufferSpec, which: number, from: number): number {
  const window = windowOf(kernel);
  if (!window) return from * spec.stride - spec.above;
  const { strides, pads, rowsOut = 1, rowStart = 0 } = window;
  return which === 1 ? from * strides[0] - pads[0] : from * rowsOut + rowStart;
}

/** Rows of the caller's picture, extended by their border: those of a few strips are kept. */
class SourceRows {
  private readonly kept = new Map<number, Elements>();
  private readonly most: number;
  private readonly ends: StageEnds;

  constructor(stage: Stage, specs: readonly BufferSpec[], ends: StageEnds) {
    this.ends = ends;
    this.most = Math.max(1, ...specs.map((spec) => (spec.scope === "input" ? stripRows(spec, stage.grid.grain) : 0)));
  }

  row(spec: BufferSpec, y: number): Elements {
    const known = this.kept.get(y);
    if (known) return known;
    const row = this.make(spec, y);
    this.kept.set(y, row);
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value!);
    return row;
  }

  private make(spec: BufferSpec, y: number): Elements {
    const binding = this.ends.inputs.get(spec.id) as SourceBinding;
    if (binding.known) return weighedRow(spec, y, { ...binding, data: arrayOf(binding.data) as ImageArray });
    const { width, height, channels, border, borderValue, alpha, data, origin = { x: 0, y: 0 } } = binding;
    const row = newArray(spec.dtype, spec.width * channels);
    const from = borderIndex(origin.y + y, height, border);
    if (from < 0) row.fill(borderValue);
    else {
      const source = arrayOf(data);
      checkThere("data", source, (from + 1) * width * channels);
      for (let x = 0; x < spec.width; x++) {
        const at = borderIndex(origin.x + x - (spec.left ?? 0), width, border);
        for (let c = 0; c < channels; c++)
          row[x * channels + c] = at < 0 ? borderValue : source[(from * width + at) * channels + c]!;
      }
    }
    if (alpha === "premultiply") premultiply(row, 0, row.length, binding);
    return row;
  }
}

/** A row of a picture of which some pixels are unknown, as it is staged. */
function weighedRow(spec: BufferSpec, y: number, source: SourceBinding): Elements {
  const { width, height, border, origin = { x: 0, y: 0 } } = source;
  const row = newArray(spec.dtype, spec.width * spec.channels);
  const from = borderIndex(origin.y + y, height, border);
  const beyond = borderPixel(source);
  for (let x = 0; x < spec.width; x++) {
    const at = from < 0 ? -1 : borderIndex(origin.x + x - (spec.left ?? 0), width, border);
    if (at < 0) row.set(beyond, x * spec.channels);
    else weigh(row, x * spec.channels, source, from * width + at, 1);
  }
  return row;
}

/** Finished rows of the picture to the caller's array. */
function emit(binding: TargetBinding, rows: ReadonlyMap<number, Elements>): void {
  const { alpha, dtype, source, width, height, tapSum } = binding;
  const target = arrayOf(binding.data);
  for (const [y, row] of rows) {
    if (y >= height) continue;
    const at = targetAt(binding, y) * source.channels;
    const elements = width * source.channels;
    checkThere("out", target, at + elements);
    if (source.known) unweigh(row, 0, binding, target, at, width);
    else if (tapSum !== undefined) compareWithOwn(row, 0, binding, target, arrayOf(source.data), y);
    else if (alpha === "premultiply") unpremultiply(row, 0, binding, target, at, elements);
    else convert(row, 0, dtype, target, at, elements);
    if (readsSource(binding)) keepAlpha(binding, target, arrayOf(source.data), y);
  }
}

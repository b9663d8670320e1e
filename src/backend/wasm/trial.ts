// Runs the kernels of a program one by one, on its memory: to check wide ones against their twins, and to time them.
import { rowBytes, stripRows } from "../../plan/cost.ts";
import type { BufferSpec } from "../../plan/types.ts";
import { bytesOf, type Elements, newArray, viewOf } from "../../tensor.ts";
import { buffersOf } from "../margins.ts";
import type { Driver } from "./driver.ts";
import type { Entry, KernelStore, LoadedKernel } from "./kernels.ts";
import type { Layout, Place } from "./layout.ts";
import type { MemoryViews } from "./memory.ts";
import { stageWords, stepBytes, stepWords } from "./script.ts";

/** What trials need of the backend. */
export interface TrialHost {
  readonly views: MemoryViews;
  readonly kernels: KernelStore;
  readonly driver: Driver;
  /** Puts a kernel that calls `use` into the table of functions, for a while: its index. */
  probe(use: Entry): number;
}

export class Trial {
  private readonly host: TrialHost;
  private readonly layout: Layout;
  private readonly base: number;

  constructor(host: TrialHost, layout: Layout, base: number) {
    this.host = host;
    this.layout = layout;
    this.base = base;
  }

  /**
   * Runs the first strip of stages on pseudo-random inputs, each kernel that is not yet known as both twins. Stages of a
   * network of which all kernels are known are left out: those that follow are given inputs all the same.
   */
  verify(kernels: readonly (readonly LoadedKernel[])[]): void {
    const { layout } = this;
    const { views } = this.host;
    if (!layout.room) this.fillInputs();
    layout.stages.forEach(({ offset, steps }, index) => {
      const isNew = kernels[index]!.some(({ twin }) => twin);
      if (layout.room && isNew) this.fill(steps.flatMap(({ step }) => step.reads));
      if (!layout.room || isNew) {
        this.trace(index, (i, args) => {
          const { step } = steps[i]!;
          this.tryKernel(kernels[index]![i]!, args, buffersOf(step, layout.specs).write, step.kernel);
        });
      }
      steps.forEach((_, i) => {
        views.words[this.kernelWord(offset, i)] = kernels[index]![i]!.code.index;
      });
    });
  }

  /** Goes through the first strip of a stage as the driver does, and calls `use` in place of each step's kernel. */
  trace(index: number, use: (step: number, args: number[]) => void): void {
    const { layout, base, host } = this;
    const { offset, steps } = layout.stages[index]!;
    const { words } = host.views;
    const byParams = new Map(steps.map((laid, i) => [base + laid.params.offset, i]));
    const before = steps.map((_, i) => words[this.kernelWord(offset, i)]!);
    const probe = host.probe((...args) => use(byParams.get(args[1]!)!, args));
    steps.forEach((_, i) => {
      words[this.kernelWord(offset, i)] = probe;
    });
    host.driver.strip(base + layout.scratch.offset, base + offset, 0);
    steps.forEach((_, i) => {
      words[this.kernelWord(offset, i)] = before[i]!;
    });
  }

  /** The index of a step's kernel in the table of functions. */
  kernelOf(stage: number, step: number): number {
    return this.host.views.words[this.kernelWord(this.layout.stages[stage]!.offset, step)]!;
  }

  private kernelWord(stage: number, step: number): number {
    return (this.base + stage + stageWords.bytes + step * stepBytes + stepWords.kernel) / 4;
  }

  /** Runs a kernel as wide code and as its twin: they agree where no bit differs. */
  private tryKernel(kernel: LoadedKernel, args: number[], write: BufferSpec, spec: object): void {
    const { code, twin } = kernel;
    if (!twin) {
      code.run(...args);
      return;
    }
    const { words, bytes } = this.host.views;
    const table = (args[4]! >>> 0) / 4;
    const rows = [...words.subarray(table, table + rowsWritten(spec, write, args[0]!))];
    const read = (): Uint8Array[] => rows.map((at) => bytes.slice(at >>> 0, (at >>> 0) + rowBytes(write)));
    // A sum that goes on reads the rows that it writes: both runs start from the same.
    const before = read();
    const run = (one: typeof code): Uint8Array[] => {
      rows.forEach((at, i) => {
        bytes.set(before[i]!, at >>> 0);
      });
      one.run(...args);
      return read();
    };
    const result = run(code);
    const equal = run(twin).every((row, i) => isSame(row, result[i]!));
    this.host.kernels.settle(kernel, equal);
  }

  /** Pseudo-random numbers into all values and rings that no step writes. */
  fillInputs(): void {
    const written = new Set(this.layout.stages.flatMap(({ steps }) => steps.map(({ step }) => step.writes)));
    this.fill([...this.layout.places.keys()].filter((id) => !written.has(id)));
  }

  /** Pseudo-random numbers into those of some values and rings that hold what is computed with. */
  private fill(ids: readonly string[]): void {
    const noise = new Map<string, Elements>();
    for (const id of ids) {
      const place = this.layout.places.get(id);
      if (!place || place.spec.picture || !["arena", "input"].includes(place.spec.scope)) continue;
      const { dtype } = place.spec;
      const from = noise.get(dtype) ?? noiseOf(dtype);
      noise.set(dtype, from);
      let at = 0;
      for (const [start, count] of rowsOfPlace(place)) {
        const values = viewOf(dtype, this.host.views.words.buffer, this.base + start, count);
        for (let done = 0; done < count; ) {
          const part = from.subarray(at, at + count - done);
          values.set(part, done);
          done += part.length;
          at = (at + part.length) % from.length;
        }
      }
    }
  }
}

/** As many pseudo-random numbers as no row or image is a multiple of. */
function noiseOf(dtype: BufferSpec["dtype"]): Elements {
  const isFloat = dtype === "f32" || dtype === "f64";
  let state = 1;
  const values = newArray(dtype, 16381);
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = isFloat ? state / 2 ** 31 : state >>> 16;
  }
  return values;
}

/** Whether two arrays of equal lengths, each in memory of its own, hold equal bytes. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  const words = a.length >> 2;
  const [left, right] = [a, b].map(({ buffer }) => new Int32Array(buffer, 0, words)) as [Int32Array, Int32Array];
  for (let i = 0; i < words; i++) if (left[i] !== right[i]) return false;
  for (let i = 4 * words; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Where the pixels of each row stand, and how many elements they are: of a ring with its margins. */
function rowsOfPlace({ spec, data, pitch, rows }: Place): [start: number, count: number][] {
  const { images = 1, channels, width } = spec;
  const [left, right] = spec.scope === "arena" ? [spec.left ?? 0, spec.right ?? 0] : [0, 0];
  const margin = left * channels * bytesOf[spec.dtype];
  return Array.from({ length: images * rows }, (_, row) => [
    data + row * pitch + margin,
    (width - left - right) * channels,
  ]);
}

/** From the first to the last row that a call writes for so many rows of the grid. */
function rowsWritten(spec: object, write: BufferSpec, rows: number): number {
  const { rowsOut = 1, phase, pads } = spec as { rowsOut?: number; phase?: object; pads?: object };
  if (!pads) return stripRows(write, rows);
  return (rows - 1) * rowsOut + (phase ? 1 : rowsOut);
}

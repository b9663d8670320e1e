// Matrix products in f64 (GEMM) by generated code on all threads. Synchronous, on a backend of its own: the calling
// thread takes part in the work.
import type { Backend, BackendPlan, Program } from "../backend/backend.ts";
import { chooseWasm } from "../backend/choose.ts";
import type { Engine } from "../engine/engine.ts";
import type { Matrix } from "../factor/matrix.ts";
import { depth, tileRows } from "../kernels/gemm/kernel.ts";
import { productKernels } from "../kernels/networks.ts";
import { addKernels } from "../kernels/table.ts";
import type { BufferSpec, GemmSpec, LayerWindow } from "../plan/types.ts";

/** Programs of recent shapes are kept while they take no more bytes together. */
const mostBytes = 2 ** 26;
/** 2 GiB: a memory that is shared has to say. */
const maxMemory = 2 ** 31;
/** A multiplication in f64, in nanoseconds: what waking other threads is weighed against. */
const perMultiplication = 0.06;

/** A matrix as one of two factors: entry (k, i) stands at k · perInner + i · perOuter, k along the inner dimension. */
interface Factor {
  data: Float64Array | Float32Array;
  outer: number;
  perInner: number;
  perOuter: number;
  /** Where the inner dimension is in parts: entries of one, and how far apart these are. */
  part?: { count: number; step: number };
}

/** Multiplies matrices in memory of its own, which grows to what recent products need. */
export class Gemm {
  private readonly backend: Backend;
  private readonly columns: number;
  private readonly programs = new Map<string, Program>();

  /** With threads and wide code as that engine has them. Throws where a page's policy forbids generated code. */
  constructor(like?: Engine) {
    addKernels(productKernels);
    const { threads = 1, wide } = like?.info() ?? {};
    const isWide = wide?.enabled === true;
    const options = { backend: "wasm", threads, wide: isWide, deterministic: true, maxMemory } as const;
    this.backend = chooseWasm(options).backend;
    this.columns = isWide ? 8 : 4;
  }

  /** a · b */
  readonly multiply = (a: Matrix, b: Matrix): Matrix =>
    this.times(a, { data: b.data, outer: b.cols, perInner: b.cols, perOuter: 1 });

  /** a · bᵀ */
  timesTransposed(a: Matrix, b: Matrix): Matrix {
    return this.times(a, { data: b.data, outer: b.rows, perInner: 1, perOuter: b.cols });
  }

  /** Adds the sum of a · bᵀ over so many matrices [rows, inner] of each, in f32, one after the other, to `total` [rows, of b]. */
  addTimesTransposed(total: Float64Array, a: Float32Array, b: Float32Array, count: number, inner: number): void {
    const [rows, cols] = [a, b].map(({ length }) => length / count / inner) as [number, number];
    const factor = (data: Float32Array, outer: number): Factor => ({
      ...{ data, outer, perInner: 1, perOuter: inner, part: { count: inner, step: outer * inner } },
    });
    this.product(factor(a, rows), factor(b, cols), count * inner, false, (out, stride) => {
      for (let r = 0, to = 0; r < rows; r++) for (let c = 0; c < cols; c++) total[to++]! += out[r * stride + c]!;
    });
  }

  private times(a: Matrix, right: Factor): Matrix {
    const [rows, cols] = [a.rows, right.outer];
    const data = new Float64Array(rows * cols);
    this.product({ data: a.data, outer: rows, perInner: 1, perOuter: a.cols }, right, a.cols, false, (out, stride) => {
      if (stride === cols) data.set(out.subarray(0, rows * cols));
      else for (let r = 0, to = 0; r < rows; r++) for (let c = 0; c < cols; c++) data[to++] = out[r * stride + c]!;
    });
    return { rows, cols, data };
  }

  /** Adds xᵀ · x to the lower triangle of `total`; above it anything may stand. */
  addGram(total: Matrix, x: Matrix): void {
    this.addSquare(total, { data: x.data, outer: x.cols, perInner: x.cols, perOuter: 1 }, x.rows);
  }

  /** Adds x · xᵀ to the lower triangle of `total`. */
  addGramOfRows(total: Matrix, x: Matrix): void {
    this.addSquare(total, { data: x.data, outer: x.rows, perInner: 1, perOuter: x.cols }, x.cols);
  }

  private addSquare(total: Matrix, own: Factor, inner: number): void {
    const size = own.outer;
    this.product(own, own, inner, true, (out, stride) => {
      for (let r = 0; r < size; r++) for (let c = 0; c <= r; c++) total.data[r * size + c]! += out[r * stride + c]!;
    });
  }

  /** Ends the threads. */
  dispose(): void {
    this.backend.dispose();
  }

  /** Calls `use` with the result, rows `stride` numbers apart. `triangle`: only what is on the diagonal and below it counts. */
  private product(
    left: Factor,
    right: Factor,
    inner: number,
    triangle: boolean,
    use: (out: Float64Array, stride: number) => void,
  ): void {
    const { columns } = this;
    const [aPanels, bPanels] = [Math.ceil(left.outer / tileRows), Math.ceil(right.outer / columns)];
    if (inner === 0 || aPanels === 0 || bPanels === 0) return;
    const program = this.programOf({ inner, aPanels, bPanels, triangle });
    program.runSync!(
      new Map([
        ["a", (room) => pack(left, inner, tileRows, room as Float64Array)],
        ["b", (room) => pack(right, inner, columns, room as Float64Array)],
      ]),
      new Map([["c", (room) => use(room as Float64Array, bPanels * columns)]]),
    );
  }

  private programOf(shape: Pick<GemmSpec, "inner" | "aPanels" | "bPanels" | "triangle">): Program {
    const key = Object.values(shape).join();
    const known = this.programs.get(key);
    this.programs.delete(key);
    const program = known ?? this.backend.compileSync!(planOf({ ...shape, columns: this.columns }), new Map());
    this.programs.set(key, program);
    let bytes = [...this.programs.values()].reduce((sum, one) => sum + one.bytes, 0);
    for (const [oldest, one] of this.programs) {
      if (bytes <= mostBytes || one === program) break;
      bytes -= one.bytes;
      one.dispose();
      this.programs.delete(oldest);
    }
    return program;
  }
}

/** One stage of one step; a strip is a few panels of rows of the result. */
function planOf(shape: Omit<GemmSpec, "family" | keyof LayerWindow>): BackendPlan {
  const { inner, aPanels, bPanels, columns } = shape;
  const value = (id: string, width: number): BufferSpec => ({
    ...{ id, scope: "arena", dtype: "f64", width, channels: 1, stride: 1, above: 0, below: 0, height: 1, images: 1 },
  });
  // All of both factors stands in one row each.
  const window = { size: [1, 1], strides: [0, 0], dilations: [1, 1], pads: [0, 0] } as const;
  const kernel = { family: "gemm", ...window, ...shape } as unknown as GemmSpec;
  const grid = { images: 1, extent: aPanels, grain: Math.ceil(aPanels / 4) };
  return {
    stages: [{ grid, steps: [{ name: "gemm", kernel, reads: ["a", "b"], writes: "c" }] }],
    buffers: [
      value("a", inner * aPanels * tileRows),
      value("b", inner * bPanels * columns),
      value("c", aPanels * tileRows * bPanels * columns),
    ],
    cost: { time: inner * aPanels * tileRows * bPanels * columns * perMultiplication },
  };
}

/** Packs a factor into panels as the kernel reads them: [inner blocks][panels][depth][panel], zeros beyond its end. */
function pack(factor: Factor, inner: number, width: number, to: Float64Array): void {
  let out = 0;
  for (let from = 0; from < inner; from += depth) {
    const count = Math.min(inner - from, depth);
    for (let first = 0; first < factor.outer; first += width) {
      for (let lane = 0; lane < width; lane += 4) packFour(factor, first + lane, from, count, to, out + lane, width);
      out += count * width;
    }
  }
}

/** Four lanes of a panel: so many entries of each along the inner dimension, `width` apart. */
function packFour(
  factor: Factor,
  first: number,
  from: number,
  count: number,
  to: Float64Array,
  start: number,
  width: number,
): void {
  const { perInner, perOuter, part = { count: Infinity, step: 0 } } = factor;
  for (let k = from, out = start; k < from + count; ) {
    const index = Math.floor(k / part.count);
    const within = k - (index > 0 ? index * part.count : 0);
    const own = Math.min(from + count - k, part.count - within);
    const at = index * part.step + within * perInner + first * perOuter;
    packStretch(factor, first, at, own, to, out, width);
    k += own;
    out += own * width;
  }
}

/** {@link packFour} of entries that lie evenly, from `at` on. */
function packStretch(
  { data, outer, perInner, perOuter }: Factor,
  first: number,
  at: number,
  count: number,
  to: Float64Array,
  out: number,
  width: number,
): void {
  if (first + 4 > outer) {
    for (let k = 0; k < count; k++, at += perInner, out += width)
      for (let i = 0; i < 4; i++) to[out + i] = first + i < outer ? data[at + i * perOuter]! : 0;
    return;
  }
  const [second, third, fourth] = [perOuter, 2 * perOuter, 3 * perOuter];
  for (let k = 0; k < count; k++, at += perInner, out += width) {
    to[out] = data[at]!;
    to[out + 1] = data[at + second]!;
    to[out + 2] = data[at + third]!;
    to[out + 3] = data[at + fourth]!;
  }
}

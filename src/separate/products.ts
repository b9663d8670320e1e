// Products of matrices in f64 by generated code, on as many threads as there are. Unlike runs of an engine they happen at
// once: this thread takes parts of a product as the others do, and at the end waits for them.
import type { Engine } from "../engine/engine.ts";
import type { Matrix } from "../factor/matrix.ts";
import { align, pageBytes } from "../wasm/memory.ts";
import { controlBytes, type PoolRun, WorkerPool } from "../wasm/pool.ts";
import { compileOptimised } from "../wasm/wide.ts";
import { depth, panelCode, partWords, tileRows } from "./panels.ts";

const bytes = 8;
/** Parts of a product at most, and their place; matrices stand behind them. */
const [mostParts, partBytes] = [32, 64];
const partsOffset = align(controlBytes);
const matricesOffset = partsOffset + mostParts * partBytes;
const [filled, running, done] = [1, 2, 3];
/** Multiplications that repay waking other threads. */
const largeWork = 4e5;
/** 2 GiB: a memory that is shared has to say. */
const mostPages = 2 ** 31 / pageBytes;

/** A matrix as one of two factors: entry (k, i) stands at k · perInner + i · perOuter, k along the inner dimension. */
interface Factor {
  data: Float64Array;
  outer: number;
  perInner: number;
  perOuter: number;
}

type Part = (panels: number, none: number, part: number) => void;

/** Multiplies matrices in its own memory, which grows to what the largest product needs. */
export class Products {
  private readonly memory: WebAssembly.Memory;
  private readonly module: WebAssembly.Module;
  private readonly part: Part;
  private readonly columns: number;
  private readonly pool: WorkerPool | undefined;
  private job: PoolRun | undefined;

  /** With threads and wide code as that engine has them. Throws where a page's policy forbids generated code. */
  constructor(like?: Engine) {
    const { threads = 1, wide } = like?.info() ?? {};
    const shared = threads > 1;
    this.columns = wide?.enabled ? 8 : 4;
    this.memory = new WebAssembly.Memory({ initial: 1, ...(shared && { maximum: mostPages, shared }) });
    const code = panelCode(this.columns, shared, mostPages);
    this.module = compileOptimised(wide?.enabled === true, () => new WebAssembly.Module(code));
    const { exports } = new WebAssembly.Instance(this.module, { env: { memory: this.memory } });
    this.part = exports.part as Part;
    if (shared) this.pool = new WorkerPool(this.memory, 0, threads - 1);
  }

  /** a · b */
  readonly multiply = (a: Matrix, b: Matrix): Matrix =>
    this.times(a, { data: b.data, outer: b.cols, perInner: b.cols, perOuter: 1 });

  /** a · bᵀ */
  timesTransposed(a: Matrix, b: Matrix): Matrix {
    return this.times(a, { data: b.data, outer: b.rows, perInner: 1, perOuter: b.cols });
  }

  private times(a: Matrix, right: Factor): Matrix {
    const [rows, cols] = [a.rows, right.outer];
    const { out, stride } = this.product({ data: a.data, outer: rows, perInner: 1, perOuter: a.cols }, right, a.cols);
    if (stride === cols) return { rows, cols, data: out.slice(0, rows * cols) };
    const data = new Float64Array(rows * cols);
    for (let r = 0, to = 0; r < rows; r++) for (let c = 0; c < cols; c++) data[to++] = out[r * stride + c]!;
    return { rows, cols, data };
  }

  /** Adds xᵀ · x to the lower triangle of `total`; above it anything may stand. */
  addGram(total: Matrix, x: Matrix): void {
    const own = { data: x.data, outer: x.cols, perInner: x.cols, perOuter: 1 };
    const { out, stride } = this.product(own, own, x.rows, (rows) => Math.ceil(rows / this.columns));
    for (let r = 0; r < x.cols; r++) for (let c = 0; c <= r; c++) total.data[r * x.cols + c]! += out[r * stride + c]!;
  }

  /** Ends the threads. */
  async dispose(): Promise<void> {
    await this.job?.end();
    this.job = undefined;
    await this.pool?.dispose();
  }

  /**
   * A view of the result, rows `stride` numbers apart, good until the next product. `tiles`: how many tiles of a row are
   * wanted of the first so many rows; all unless given.
   */
  private product(
    left: Factor,
    right: Factor,
    inner: number,
    tiles: (rows: number) => number = () => Infinity,
  ): { out: Float64Array; stride: number } {
    const { columns } = this;
    const [aPanels, bPanels] = [Math.ceil(left.outer / tileRows), Math.ceil(right.outer / columns)];
    const stride = bPanels * columns;
    const a = matricesOffset;
    const b = a + inner * aPanels * tileRows * bytes;
    const c = b + inner * stride * bytes;
    const end = c + aPanels * tileRows * stride * bytes;
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / pageBytes));
    const all = new Float64Array(this.memory.buffer);
    pack(left, inner, tileRows, all, a / bytes);
    pack(right, inner, columns, all, b / bytes);
    all.fill(0, c / bytes, end / bytes);
    const each = Math.ceil(aPanels / mostParts);
    const parts = Array.from({ length: inner > 0 ? Math.ceil(aPanels / each) : 0 }, (_, i) => {
      const panels = Math.min(each, aPanels - i * each);
      const wanted = Math.min(bPanels, tiles((i * each + panels) * tileRows));
      return { panels, first: i * each, a, b, c, inner, aPanels, bPanels, tiles: wanted };
    });
    this.compute(parts, inner * aPanels * tileRows * stride);
    return { out: all.subarray(c / bytes, end / bytes), stride };
  }

  private compute(parts: readonly Omit<Record<keyof typeof partWords, number>, "state">[], work: number): void {
    const words = new Int32Array(this.memory.buffer);
    const places = parts.map((_, i) => partsOffset + i * partBytes);
    for (const [i, part] of parts.entries()) {
      const at = places[i]! / 4;
      for (const [name, value] of Object.entries(part)) words[at + partWords[name as keyof typeof part]] = value;
      Atomics.store(words, at, filled);
    }
    if (work > largeWork) this.wake();
    for (const [i, { panels }] of parts.entries()) {
      const at = places[i]! / 4;
      if (Atomics.compareExchange(words, at, filled, running) !== filled) continue;
      this.part(panels, 0, places[i]!);
      Atomics.store(words, at, done);
    }
    for (const place of places) while (Atomics.load(words, place / 4) !== done);
  }

  private wake(): void {
    if (!this.pool) return;
    if (!this.job) {
      this.pool.addModule(0, this.module);
      const call = { module: 0, entry: "part", params: 0, operands: [{ base: "slot" as const, offset: 0 }] };
      const slots = Array.from({ length: mostParts }, (_, i) => partsOffset + i * partBytes);
      this.job = this.pool.start({ calls: [call], slots, scratch: slots.map(() => 0) });
    }
    this.job.wake();
  }
}

/** Puts a factor where the code reads it: [inner blocks][panels][depth][panel], zeros beyond its end. */
function pack(factor: Factor, inner: number, width: number, to: Float64Array, start: number): void {
  let out = start;
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
  { data, outer, perInner, perOuter }: Factor,
  first: number,
  from: number,
  count: number,
  to: Float64Array,
  start: number,
  width: number,
): void {
  let at = from * perInner + first * perOuter;
  let out = start;
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

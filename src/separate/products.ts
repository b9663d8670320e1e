// Products of matrices in f64 by generated code: 4 rows and 4 columns of a result at a time, which with what they are made of
// fill the registers. It rounds as a
// plain loop does (no fused multiply-add), so what follows from it is the same on every machine.
import type { Matrix } from "../factor/matrix.ts";
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  load,
  ModuleBuilder,
  op,
  set,
  store,
  sum,
} from "../wasm/assembler.ts";

const [tileRows, tileCols] = [4, 4];
/** Products of the inner dimension in one go: what a tile reads fits the first cache. */
const depth = 256;
const bytes = 8;
const page = 65536;

/**
 * Defines panel(a, b, c, depth, tiles, cStride): c += a · b for 4 rows of c and so many tiles of 4 columns. `a` is packed
 * [depth][4], b [tiles][depth][4]; c is row-major, its rows `cStride` bytes apart.
 */
function panel(f: FunctionBuilder): void {
  const [a, b, c, steps, tiles, stride] = f.params as [Local, Local, Local, Local, Local, Local];
  const { at, end, row } = f.locals("i32", "at", "end", "row");
  const sums = f.array("v128", (tileRows * tileCols) / 2);
  const [left, right, value] = [...f.array("v128", 2), f.local("v128")] as [Local, Local, Local];
  const each = (r: number): Code[] => [
    set(value, load("v128.load64_splat", get(at), r * bytes)),
    ...[left, right].map((one, i) => {
      const total = sums[2 * r + i]!;
      return set(total, op("f64x2.add", get(total), op("f64x2.mul", get(value), get(one))));
    }),
  ];
  const rows = Array.from({ length: tileRows }, (_, r) => r);
  f.emit(
    doWhile(
      get(tiles),
      set(at, get(a)),
      set(end, sum(get(a), op("i32.mul", get(steps), i32(tileRows * bytes)))),
      set(row, get(c)),
      rows.flatMap((r) => [
        set(sums[2 * r]!, load("v128.load", get(row))),
        set(sums[2 * r + 1]!, load("v128.load", get(row), 16)),
        bump(row, get(stride)),
      ]),
      doWhile(
        op("i32.lt_u", get(at), get(end)),
        set(left, load("v128.load", get(b))),
        set(right, load("v128.load", get(b), 16)),
        rows.flatMap(each),
        bump(at, tileRows * bytes),
        bump(b, tileCols * bytes),
      ),
      set(row, get(c)),
      rows.flatMap((r) => [
        store("v128.store", get(row), get(sums[2 * r]!)),
        store("v128.store", get(row), get(sums[2 * r + 1]!), 16),
        bump(row, get(stride)),
      ]),
      bump(c, tileCols * bytes),
      bump(tiles, -1),
    ),
  );
}

type Panel = (a: number, b: number, c: number, depth: number, tiles: number, stride: number) => void;

/** One of two matrices of a product as the panels that the code reads: [inner blocks][panels][depth][panel]. */
interface Packed {
  data: Float64Array;
  panels: number;
}

/** Multiplies matrices in its own memory, which grows to what the largest product needs. */
export class Products {
  private readonly memory: WebAssembly.Memory;
  private readonly panel: Panel;

  /** Throws where a page's policy forbids generated code. */
  constructor() {
    const builder = new ModuleBuilder();
    builder.define("panel", ["i32", "i32", "i32", "i32", "i32", "i32"], panel);
    this.memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(builder.encode({ shared: false, maximum: 0 }));
    this.panel = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports.panel as Panel;
  }

  /** a · b */
  readonly multiply = (a: Matrix, b: Matrix): Matrix => {
    const left = pack(a.cols, a.rows, tileRows, a.data, 1, a.cols);
    const right = pack(a.cols, b.cols, tileCols, b.data, b.cols, 1);
    const out = this.product(left, right, a.cols);
    const stride = right.panels * tileCols;
    const data = new Float64Array(a.rows * b.cols);
    for (let r = 0; r < a.rows; r++) data.set(out.subarray(r * stride, r * stride + b.cols), r * b.cols);
    return { rows: a.rows, cols: b.cols, data };
  };

  /** Adds xᵀ · x to the lower triangle of `total`; above it anything may stand. */
  addGram(total: Matrix, x: Matrix): void {
    const left = pack(x.rows, x.cols, tileRows, x.data, x.cols, 1);
    const right = pack(x.rows, x.cols, tileCols, x.data, x.cols, 1);
    const out = this.product(left, right, x.rows, (row) => Math.ceil(((row + 1) * tileRows) / tileCols));
    const stride = right.panels * tileCols;
    for (let r = 0; r < x.cols; r++) for (let c = 0; c <= r; c++) total.data[r * x.cols + c]! += out[r * stride + c]!;
  }

  /** A view of the result, rows as long as all panels of `right`; only so many of these are computed for a panel of rows. */
  private product(left: Packed, right: Packed, inner: number, panels = (_row: number) => right.panels): Float64Array {
    const aBytes = left.data.length * bytes;
    const bBytes = right.data.length * bytes;
    const stride = right.panels * tileCols * bytes;
    const c = aBytes + bBytes;
    const needed = c + left.panels * tileRows * stride;
    const missing = needed - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / page));
    const all = new Float64Array(this.memory.buffer);
    all.set(left.data);
    all.set(right.data, left.data.length);
    all.fill(0, c / bytes, needed / bytes);
    for (let from = 0; from < inner; from += depth) {
      const steps = Math.min(depth, inner - from);
      for (let row = 0; row < left.panels; row++) {
        const a = (from * left.panels + row * steps) * tileRows * bytes;
        const b = aBytes + from * right.panels * tileCols * bytes;
        const tiles = Math.min(right.panels, panels(row));
        this.panel(a, b, c + row * tileRows * stride, steps, tiles, stride);
      }
    }
    return all.subarray(c / bytes, needed / bytes);
  }
}

/** Entry (k, i) of the matrix stands at k · perInner + i · perOuter of the source. */
function pack(
  inner: number,
  outer: number,
  width: number,
  source: Float64Array,
  perInner: number,
  perOuter: number,
): Packed {
  const panels = Math.ceil(outer / width);
  const data = new Float64Array(inner * panels * width);
  let out = 0;
  for (let from = 0; from < inner; from += depth) {
    const end = Math.min(inner, from + depth);
    for (let first = 0; first < outer; first += width) {
      const count = Math.min(width, outer - first);
      for (let k = from; k < end; k++, out += width) {
        let at = k * perInner + first * perOuter;
        for (let i = 0; i < count; i++, at += perOuter) data[out + i] = source[at]!;
      }
    }
  }
  return { data, panels };
}

// Generated code for products of matrices in f64: 4 rows and a few columns of a result at a time, which with what they are
// made of fill the registers. It rounds as a plain loop does (no fused multiply-add), so what follows from it is the same on
// every machine, with any number of threads.
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
  select,
  set,
  store,
  sum,
} from "../codegen/assembler.ts";

export const tileRows = 4;
/** Products of the inner dimension in one go: what a tile reads fits the first cache. */
export const depth = 256;
const bytes = 8;

/** Words of a part of a product, in 32-bit integers, after the two that the pool knows: its state and its panels. */
export const partWords = {
  state: 0,
  /** How many panels of rows it has, and the first of them. */
  panels: 1,
  first: 2,
  /** Where the matrices stand: both packed as panels, [inner blocks][panels][depth][panel], the result row-major. */
  a: 3,
  b: 4,
  c: 5,
  inner: 6,
  /** Panels of the whole of a and of b; those of b that are computed. */
  aPanels: 7,
  bPanels: 8,
  tiles: 9,
} as const;

/** A module with part(panels, 0, part): c += a · b for the rows of a part. `columns` of a tile: 4, or 8 where wide. */
export function panelCode(columns: number, shared: boolean, maximum: number): Uint8Array<ArrayBuffer> {
  const builder = new ModuleBuilder();
  const six = ["i32", "i32", "i32", "i32", "i32", "i32"] as const;
  builder.define("panel", [...six], (f) => panel(f, columns));
  builder.define("part", ["i32", "i32", "i32"], (f) => part(f, columns, builder));
  return builder.encode({ shared, maximum });
}

/** part(panels, _, part): goes through the inner dimension in blocks, and through the rows for each. */
function part(f: FunctionBuilder, columns: number, builder: ModuleBuilder): void {
  const [panels, , at] = f.params as [Local, Local, Local];
  const { from, steps, row, end, stride } = f.locals("i32", "from", "steps", "row", "end", "stride");
  const word = (name: keyof typeof partWords): Code => load("i32.load", get(at), 4 * partWords[name]);
  const times = (a: Code, b: Code): Code => op("i32.mul", a, b);
  const rest = op("i32.sub", word("inner"), get(from));
  const few = op("i32.lt_u", rest, i32(depth));
  f.emit(
    set(stride, times(word("bPanels"), i32(columns * bytes))),
    set(end, sum(word("first"), get(panels))),
    set(from, i32(0)),
    doWhile(
      op("i32.lt_u", get(from), word("inner")),
      set(steps, select(few, rest, i32(depth))),
      set(row, word("first")),
      doWhile(
        op("i32.lt_u", get(row), get(end)),
        builder.call(
          "panel",
          sum(
            word("a"),
            times(i32(tileRows * bytes), sum(times(get(from), word("aPanels")), times(get(row), get(steps)))),
          ),
          sum(word("b"), times(get(from), get(stride))),
          sum(word("c"), times(get(row), times(get(stride), i32(tileRows)))),
          get(steps),
          word("tiles"),
          get(stride),
        ),
        bump(row, 1),
      ),
      bump(from, depth),
    ),
  );
}

/**
 * panel(a, b, c, depth, tiles, cStride): c += a · b for 4 rows of c and so many tiles. `a` is packed [depth][4],
 * b [tiles][depth][columns]; rows of c are `cStride` bytes apart.
 */
function panel(f: FunctionBuilder, columns: number): void {
  const [a, b, c, steps, tiles, stride] = f.params as [Local, Local, Local, Local, Local, Local];
  const { at, end, row } = f.locals("i32", "at", "end", "row");
  const vectors = columns / 2;
  const sums = Array.from({ length: tileRows }, () => f.array("v128", vectors));
  const right = f.array("v128", vectors);
  const value = f.local("v128");
  const rows = (each: (sums: Local[]) => Code): Code => [
    set(row, get(c)),
    sums.map((own) => [each(own), bump(row, get(stride))]),
  ];
  f.emit(
    doWhile(
      get(tiles),
      set(at, get(a)),
      set(end, sum(get(a), op("i32.mul", get(steps), i32(tileRows * bytes)))),
      rows((own) => own.map((one, i) => set(one, load("v128.load", get(row), 16 * i)))),
      doWhile(
        op("i32.lt_u", get(at), get(end)),
        right.map((one, i) => set(one, load("v128.load", get(b), 16 * i))),
        sums.map((own, r) => [
          set(value, load("v128.load64_splat", get(at), r * bytes)),
          own.map((one, i) => set(one, op("f64x2.add", get(one), op("f64x2.mul", get(value), get(right[i]!))))),
        ]),
        bump(at, tileRows * bytes),
        bump(b, columns * bytes),
      ),
      rows((own) => own.map((one, i) => store("v128.store", get(row), get(one), 16 * i))),
      bump(c, columns * bytes),
      bump(tiles, -1),
    ),
  );
}

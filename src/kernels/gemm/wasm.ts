// Generates products of matrices in f64: 4 rows and a few columns of a result at a time, which with what they are made of fill
// the registers. It rounds as a plain loop does (no fused multiply-add), so what follows from it is the same on every machine.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  ifElse,
  type Local,
  load,
  type ModuleBuilder,
  op,
  select,
  set,
  splat,
  store,
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";
import { defineKernel } from "../kernel.ts";
import { wordsOf } from "../words.ts";

export const tileRows = 4;
/** Products of the inner dimension in one go: what a tile reads fits the first cache. */
export const depth = 256;
const bytes = 8;

/** `triangle`: 1 where only the lower triangle is wanted. */
export const productWords = wordsOf("inner", "aPanels", "bPanels", "triangle");

/** c = a · b for some panels of rows: through the inner dimension in blocks, and through the rows for each. */
export function emitProduct(module: ModuleBuilder, name: string, columns: number): void {
  const panelName = `${name}: panel`;
  module.define(panelName, ["i32", "i32", "i32", "i32", "i32", "i32", "i32"], (f) => panel(f, columns));
  defineKernel(module, name, (f, { rows, params, first, target, sources: [left, right] }) => {
    const { from, steps, row, end, stride, tiles } = f.locals("i32", "from", "steps", "row", "end", "stride", "tiles");
    const p = productWords.reader(params);
    const times = (a: Code, b: Code): Code => op("i32.mul", a, b);
    const rest = op("i32.sub", p("inner"), get(from));
    const start = (table: Local): Code => load("i32.load", get(table));
    // Tiles that begin before the diagonal leaves the panel.
    const wanted = op("i32.div_u", sum(times(get(row), i32(tileRows)), i32(tileRows + columns - 1)), i32(columns));
    f.emit(
      whileLoop(
        get(rows),
        set(stride, times(p("bPanels"), i32(columns * bytes))),
        set(end, sum(get(first), get(rows))),
        set(from, i32(0)),
        set(rows, i32(0)),
        doWhile(
          op("i32.lt_u", get(from), p("inner")),
          set(steps, select(op("i32.lt_u", rest, i32(depth)), rest, i32(depth))),
          set(row, get(first)),
          doWhile(
            op("i32.lt_u", get(row), get(end)),
            set(tiles, p("bPanels")),
            set(tiles, select(op("i32.and", p("triangle"), op("i32.lt_u", wanted, get(tiles))), wanted, get(tiles))),
            module.call(
              panelName,
              sum(
                start(left),
                times(i32(tileRows * bytes), sum(times(get(from), p("aPanels")), times(get(row), get(steps)))),
              ),
              sum(start(right), times(get(from), get(stride))),
              sum(start(target), times(get(row), times(get(stride), i32(tileRows)))),
              get(steps),
              get(tiles),
              get(stride),
              get(from),
            ),
            bump(row, 1),
          ),
          bump(from, depth),
        ),
      ),
    );
  });
}

/**
 * panel(a, b, c, depth, tiles, cStride, more): c = a · b for 4 rows of c and so many tiles, added to what c holds where `more`
 * is not 0. `a` is packed [depth][4], b [tiles][depth][columns]; rows of c are `cStride` bytes apart.
 */
function panel(f: FunctionBuilder, columns: number): void {
  const [a, b, c, steps, tiles, stride, more] = f.params as [Local, Local, Local, Local, Local, Local, Local];
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
      ifElse(
        get(more),
        rows((own) => own.map((one, i) => set(one, load("v128.load", get(row), 16 * i)))),
        sums.flat().map((one) => set(one, splat("f64x2", 0))),
      ),
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

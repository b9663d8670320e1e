// Generates filtering by fast Fourier transforms: overlap-save, where two tiles are the real and the imaginary part of one.
// Frequencies stay in the order in which the passes leave them (decimation in frequency there, in time back), so nothing
// is ever reordered. Columns are transformed a cache line at a time, rows one by one with the product in between.

import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  select,
  set,
  store,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { FftSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";
import { loadVectors, scaled } from "../lanes.ts";
import { finisher } from "../taps/finish.ts";
import { finishKind, tapsLayout } from "../taps/layout.ts";
import { block, fftHeader, fftLayout, tilePitch } from "./layout.ts";
import { passesOver } from "./passes.ts";

export function emitFft(
  module: ModuleBuilder,
  name: string,
  { tile: [height, width], arithmetic, whole, finish: end }: FftSpec,
  { reads, write }: StepBuffers,
  mode: CodeMode,
): void {
  const bytes = bytesOf[arithmetic];
  const [pitch, plane] = [tilePitch(width, arithmetic), bytes * width];
  const { columns, rows: alongRows, spectrum } = fftLayout({ tile: [height, width], arithmetic });
  const [input, output] = [reads[0]!.dtype, write.dtype];
  defineKernel(module, name, (f, { rows, params, sources: [source, tiles], target }) => {
    const { last, first, second, tile, x, at, y, table, from } = f.locals(
      ...(["i32", "last", "first", "second", "tile", "x", "at", "y", "table", "from"] as const),
    );
    const values = f.array("v128", (block * bytes) / 16);
    const { spare, middle, missing } = f.locals("v128", "spare", "middle", "missing");
    const { along, product } = passesOver(f, params, mode, arithmetic, plane);
    const finish = finisher(f, params, arithmetic, finishKind(end, arithmetic), output, { ...mode, wide: false });
    const wholeNumber = (value: Code): Code => op("f64x2.add", op("f64x2.nearest", value), get(missing));
    const header = (offset: number): Code => load("i32.load", get(params), offset);
    const column = op("i32.add", get(tile), scaled(get(x), bytes));

    const eachBlock = (elements: Code, ...body: Code[]): Code[] => [
      set(x, i32(0)),
      doWhile(op("i32.lt_u", get(x), elements), ...body, bump(x, block)),
    ];
    /** Down the rows of one block, `at` in the tile: what to do with either of the two tiles, given its row of a table. */
    const eachRow = (count: Code, rowTable: Local, bytes: number, body: (part: number) => Code[]): Code[] => [
      set(at, column),
      set(table, get(rowTable)),
      set(y, count),
      doWhile(
        get(y),
        ...[first, second].flatMap((start, part) => [
          set(from, op("i32.add", load("i32.load", get(table)), scaled(op("i32.add", get(start), get(x)), bytes))),
          ...body(part * plane),
        ]),
        bump(at, pitch),
        bump(table, 4),
        bump(y, -1),
      ),
    ];
    const takeIn = eachRow(i32(height), source, bytesOf[input], (part) => [
      ...loadVectors(input, arithmetic, get(from), values, spare),
      ...(whole ? values.map((value) => set(value, op("f64x2.sub", get(value), get(middle)))) : []),
      ...values.map((value, v) => store("v128.store", get(at), get(value), part + v * 16)),
    ]);
    const putOut = eachRow(header(fftHeader.rows), target, bytesOf[output], (part) => [
      ...values.map((value, v) => set(value, load("v128.load", get(at), part + v * 16))),
      ...(whole ? values.map((value) => set(value, wholeNumber(get(value)))) : []),
      ...finish.store(values, get(from)),
    ]);
    const products = [
      set(at, get(tile)),
      set(from, op("i32.add", get(params), i32(spectrum))),
      set(y, i32(height)),
      doWhile(
        get(y),
        ...along(alongRows, get(at), width, bytes, false),
        ...product(get(at), get(from), width),
        ...along(alongRows, get(at), width, bytes, true),
        bump(at, pitch),
        bump(from, 2 * plane),
        bump(y, -1),
      ),
    ];
    /** The next tile; the last ends with the row, and may stand for two. */
    const after = (before: Local): Code => {
      const next = op("i32.add", get(before), header(fftHeader.results));
      return select(op("i32.lt_s", next, get(last)), next, get(last));
    };
    f.emit(
      ...finish.prelude,
      ...(whole
        ? (
            [
              [middle, fftHeader.middle],
              [missing, fftHeader.missing],
            ] as const
          ).map(([local, offset]) => set(local, load("v128.load64_splat", get(params), offset)))
        : []),
      set(last, op("i32.sub", header(tapsLayout.elements), header(fftHeader.results))),
      whileLoop(
        get(rows),
        set(tile, load("i32.load", get(tiles))),
        set(second, op("i32.sub", i32(0), header(fftHeader.results))),
        doWhile(
          op("i32.lt_s", get(second), get(last)),
          set(first, after(second)),
          set(second, after(first)),
          ...eachBlock(i32(width), ...takeIn, ...along(columns, column, height, pitch, false)),
          ...products,
          ...eachBlock(header(fftHeader.results), ...along(columns, column, height, pitch, true), ...putOut),
        ),
        ...[source, target].map((rowTable) => bump(rowTable, scaled(header(fftHeader.rows), 4))),
        bump(rows, -1),
      ),
    );
  });
}

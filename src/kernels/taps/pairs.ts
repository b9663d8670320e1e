// Generates column passes in fixed point: rows of pixels are taken in pairs, so that one instruction multiplies two pixels
// of a column by two taps and adds both. Two output rows at once, by two lists of pairs. Each value is stored beside its
// right neighbour's, as the row pass wants them.
import type { TapsSpec } from "../../plan/types.ts";
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
  set,
  shuffle,
  splat,
  whileLoop,
} from "../../wasm/assembler.ts";
import type { CodeMode, StepBuffers } from "../kernel.ts";
import { loadTap, multiplyAdd, scaled } from "../lanes.ts";
import { save, shiftSums } from "./finish.ts";
import { tapsLayout } from "./layout.ts";

/** Pixels at a time, in vectors of four. */
const pixels = 16;

export function emitPairs(
  module: ModuleBuilder,
  name: string,
  { arithmetic }: TapsSpec,
  _buffers: StepBuffers,
  mode: CodeMode,
): void {
  module.define(name, ["i32", "i32", "i32", "i32"], (f) => {
    const [rows, params, source, target] = f.params as [Local, Local, Local, Local];
    const { end, i, tap, tapEnd, table, at, partner } = f.locals("i32", "end", "i", "tap", "tapEnd", "table", "at", "partner");
    const { first, second, weight } = f.locals("v128", "first", "second", "weight");
    const vectors = (): Local[] => Array.from({ length: pixels / 4 }, () => f.local("v128"));
    const values = vectors();
    const sums = [vectors(), vectors()];
    const shift = shiftSums(f, params, "i32");

    const pixelsOf = (row: number): Code => load("v128.load", op("i32.add", load("i32.load", get(table), 4 * row), get(i)));
    const interleave = (from: number): Code => {
      const order = Array.from({ length: 16 }, (_, b) => (b % 2) * 16 + from + (b >> 1));
      return shuffle(order, get(first), get(second));
    };
    const eachPair = doWhile(
      op("i32.lt_u", get(tap), get(tapEnd)),
      set(first, pixelsOf(0)),
      set(second, pixelsOf(1)),
      ...[0, 8].flatMap((from) => [
        set(weight, interleave(from)),
        set(values[from / 4]!, op("i16x8.extend_low_i8x16_u", get(weight))),
        set(values[from / 4 + 1]!, op("i16x8.extend_high_i8x16_u", get(weight))),
      ]),
      ...sums.flatMap((row, r) => [
        set(weight, loadTap(arithmetic, get(tap), tapsLayout.tap + 4 * r)),
        ...row.map((sum, v) => set(sum, multiplyAdd(arithmetic, mode, get(values[v]!), get(weight), get(sum)))),
      ]),
      bump(tap, tapsLayout.tapBytes),
      bump(table, 8),
    );
    const low = (value: Code): Code => op("v128.and", value, splat("i32x4", 0xffff));
    const block = [
      set(table, get(source)),
      set(tap, op("i32.add", get(params), i32(tapsLayout.taps))),
      ...sums.flat().map((sum) => set(sum, splat("i32x4", 0))),
      eachPair,
      ...sums.flatMap((row, r) => [
        set(at, op("i32.add", load("i32.load", get(target), 4 * r), scaled(get(i), 4))),
        ...shift.apply(row),
        ...save(f, row.map((sum) => low(get(sum))), get(at)),
      ]),
      bump(i, pixels),
    ];
    /** Joins the values of a row with those one pixel further on. */
    const join = (r: number): Code[] => [
      set(at, load("i32.load", get(target), 4 * r)),
      set(partner, op("i32.add", get(at), load("i32.load", get(params), tapsLayout.partner))),
      set(i, op("i32.add", get(at), scaled(get(end), 4))),
      doWhile(
        op("i32.lt_u", get(at), get(i)),
        ...save(
          f,
          [0, 16].map((offset) => {
            const next = op("i32x4.shl", load("v128.load", get(partner), offset), i32(16));
            return op("v128.or", load("v128.load", get(at), offset), next);
          }),
          get(at),
        ),
        bump(at, 32),
        bump(partner, 32),
      ),
    ];
    f.emit(
      ...shift.prelude,
      set(end, load("i32.load", get(params), tapsLayout.elements)),
      set(tapEnd, op("i32.add", get(params), load("i32.load", get(params), tapsLayout.end))),
      whileLoop(
        op("i32.gt_s", get(rows), i32(0)),
        set(i, i32(0)),
        doWhile(op("i32.lt_u", get(i), get(end)), ...block),
        ...sums.flatMap((_, r) => join(r)),
        bump(source, 8),
        bump(target, 8),
        bump(rows, -2),
      ),
    );
  });
}

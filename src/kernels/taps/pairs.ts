// Generates column passes in fixed point: rows of pixels are taken in pairs, so that one instruction multiplies two pixels
// of a column by two taps and adds both. Two or four output rows at once, by two lists of pairs. Each value is stored beside its
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
import { rounding, save, shifted, shiftIn } from "./finish.ts";
import { finishKind, tapsLayout, unrolledTaps } from "./layout.ts";

/** Pixels at a time, in vectors of four. */
const pixels = 16;

export function emitPairs(
  module: ModuleBuilder,
  name: string,
  spec: TapsSpec,
  { reads }: StepBuffers,
  mode: CodeMode,
): void {
  // What the registers hold: 8 sums of 128 bits, or of 256 in wide mode.
  const height = mode.wide ? 4 : 2;
  const unrolled = unrolledTaps(spec, reads[0]!);
  module.define(name, ["i32", "i32", "i32", "i32"], (f) => {
    const [rows, params, source, target] = f.params as [Local, Local, Local, Local];
    const { end, i, tap, tapEnd, table, at, partner } = f.locals(
      "i32",
      "end",
      "i",
      "tap",
      "tapEnd",
      "table",
      "at",
      "partner",
    );
    const { first, second, weight } = f.locals("v128", "first", "second", "weight");
    const vectors = (): Local[] => Array.from({ length: pixels / 4 }, () => f.local("v128"));
    const values = vectors();
    const sums = Array.from({ length: height }, vectors);
    const shift = shiftIn(finishKind(spec.finish, "fixed"));

    const pixelsOf = (row: number): Code =>
      load("v128.load", op("i32.add", load("i32.load", get(table), 4 * row), get(i)));
    const interleave = (from: number): Code => {
      const order = Array.from({ length: 16 }, (_, b) => (b % 2) * 16 + from + (b >> 1));
      return shuffle(order, get(first), get(second));
    };
    /** The `k`-th pair of rows from the table on, for output rows `from` to `to`: each two are a pair of taps behind. */
    const pair = (k: number, from: number, to: number): Code[] => [
      set(first, pixelsOf(2 * k)),
      set(second, pixelsOf(2 * k + 1)),
      ...[0, 2].flatMap((v) => [
        set(weight, interleave(4 * v)),
        set(values[v]!, op("i16x8.extend_low_i8x16_u", get(weight))),
        set(values[v + 1]!, op("i16x8.extend_high_i8x16_u", get(weight))),
      ]),
      ...sums.slice(from, to).flatMap((row, index) => {
        const r = from + index;
        const offset = (k - (r >> 1)) * tapsLayout.tapBytes + (r % 2) * 4;
        return [
          set(weight, loadTap("fixed", get(tap), tapsLayout.taps + tapsLayout.tap + offset)),
          ...row.map((sum, v) => set(sum, multiplyAdd("fixed", mode, get(values[v]!), get(weight), get(sum)))),
        ];
      }),
    ];
    const late = height / 2 - 1;
    const allPairs = unrolled
      ? Array.from({ length: unrolled + late }, (_, k) => pair(k, k < unrolled ? 0 : 2, k < late ? 2 : height)).flat()
      : [
          ...(late ? pair(0, 0, 2) : []),
          doWhile(
            op("i32.lt_u", get(tap), get(tapEnd)),
            ...pair(late, 0, height),
            bump(tap, tapsLayout.tapBytes),
            bump(table, 8),
          ),
          ...(late ? pair(late, 2, height) : []),
        ];
    const block = [
      set(table, get(source)),
      set(tap, get(params)),
      ...sums.flat().map((sum) => set(sum, rounding(params, "fixed"))),
      ...allPairs,
      ...sums.flatMap((row, r) => [
        set(at, op("i32.add", load("i32.load", get(target), 4 * r), scaled(get(i), 4))),
        ...save(
          f,
          row.map((sum) => op("v128.and", shifted("fixed", get(sum), shift), splat("i32x4", 0xffff))),
          get(at),
        ),
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
      set(end, load("i32.load", get(params), tapsLayout.elements)),
      // From the first tap's block; where four rows are computed, the first pair is done ahead of the loop.
      set(
        tapEnd,
        op(
          "i32.sub",
          op("i32.add", get(params), load("i32.load", get(params), tapsLayout.end)),
          i32(tapsLayout.taps + late * tapsLayout.tapBytes),
        ),
      ),
      whileLoop(
        op("i32.gt_s", get(rows), i32(0)),
        set(i, i32(0)),
        doWhile(op("i32.lt_u", get(i), get(end)), ...block),
        ...sums.flatMap((_, r) => join(r)),
        bump(source, 4 * height),
        bump(target, 4 * height),
        bump(rows, -height),
      ),
    );
  });
}

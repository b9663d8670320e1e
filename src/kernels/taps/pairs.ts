// Pieces of column passes in fixed point. Rows of pixels are taken in pairs, so that one instruction multiplies two pixels
// of a column by two taps and adds both. Each value is then joined with its right neighbour's, as the row pass wants it.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  load,
  op,
  set,
  shuffle,
} from "../../codegen/assembler.ts";
import { scaled } from "../lanes.ts";
import { save } from "./finish.ts";
import { tapsLayout } from "./layout.ts";

/** Sixteen pixels of two rows as pairs of 16 bits, in four vectors. */
export function loadPairs(above: Code, below: Code, values: readonly Local[], first: Local, second: Local): Code[] {
  const mixed = (from: number): Code => {
    const order = Array.from({ length: 16 }, (_, b) => (b % 2) * 16 + from + (b >> 1));
    return shuffle(order, get(first), get(second));
  };
  const halves = [0, 2].flatMap((v) => [
    set(values[v]!, mixed(4 * v)),
    set(values[v + 1]!, op("i16x8.extend_high_i8x16_u", get(values[v]!))),
    set(values[v]!, op("i16x8.extend_low_i8x16_u", get(values[v]!))),
  ]);
  return [set(first, load("v128.load", above)), set(second, load("v128.load", below)), ...halves];
}

/** Joins the values of the `r`-th row with those one pixel further on. */
export function joinRow(f: FunctionBuilder, params: Local, target: Local, r: number, elements: Local): Code[] {
  const { at, stop, partner } = f.locals("i32", "at", "stop", "partner");
  const pairs = [0, 16, 32, 48].map((offset) => {
    const next = op("i32x4.shl", load("v128.load", get(partner), offset), i32(16));
    return op("v128.or", load("v128.load", get(at), offset), next);
  });
  return [
    set(at, load("i32.load", get(target), 4 * r)),
    set(partner, op("i32.add", get(at), load("i32.load", get(params), tapsLayout.partner))),
    set(stop, op("i32.add", get(at), scaled(get(elements), 4))),
    doWhile(op("i32.lt_u", get(at), get(stop)), ...save(f, pairs, get(at)), bump(at, 64), bump(partner, 64)),
  ];
}

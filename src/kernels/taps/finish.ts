// Generates the end of a sum: scaling, rounding half up, saturation and the store. Only instructions that V8 can join
// into wider vectors stand on the common paths (no floor, no f64).

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
  splat,
  store,
} from "../../codegen/assembler.ts";
import type { Arithmetic } from "../../plan/types.ts";
import type { ViewDType } from "../../tensor.ts";
import type { CodeMode } from "../kernel.ts";
import { doubles, lanesOf, loadTap, shapeOf } from "../lanes.ts";
import { type FinishKind, tapsLayout } from "./layout.ts";

/** Generates code that finishes the sums of one row and stores them at an address. */
export interface Finisher {
  /** Loads constants; to be emitted once, before any store. */
  prelude: Code[];
  /** What sums begin with. */
  initial: Code;
  store(sums: readonly Local[], address: Code): Code[];
  /** Where not zero, every 32 bytes stored are still two vectors of interleaved groups of this many bytes: see `settle`. */
  group: 0 | 4 | 8;
}

/**
 * How to finish sums of an arithmetic. In wide mode narrowed results are stored in the order in which a 256-bit
 * narrowing leaves them, so that neighbouring vectors stay partners from their loads to the store.
 */
export function finisher(
  f: FunctionBuilder,
  params: Local,
  given: Arithmetic,
  kind: FinishKind,
  output: ViewDType,
  mode: CodeMode,
): Finisher {
  const arithmetic = given === "fixed" ? "i32" : given;
  const order = mode.wide ? partners : neighbours;
  const unscaled = kind === "saturate" && output === "f32";
  if (arithmetic === "i32" && (output === "f64" || unscaled)) {
    const floats = (sum: Local): Code[] =>
      unscaled ? [op("f32x4.convert_i32x4_s", get(sum))] : [doubles(sum, 0), doubles(sum, 1)];
    const store = (sums: readonly Local[], address: Code): Code[] => save(f, sums.flatMap(floats), address);
    return { prelude: [], initial: zero, store, group: 0 };
  }
  if (kind === "raw" || (kind === "saturate" && output === arithmetic)) {
    return { prelude: [], initial: zero, store: storeVectors, group: 0 };
  }
  if (arithmetic === "f64") return finishDouble(f, params, arithmetic, kind, output);
  if (arithmetic === "f32") return finishFloat(f, params, kind, output, mode, (sums) => sums.map(get));
  const shift = Number(/^shift (\d+)/.exec(kind)?.[1] ?? 0);
  const initial = shift ? loadTap(arithmetic, get(params), tapsLayout.rounding) : zero;
  /** Rounded down: half up, with what the sum began with. */
  const right = arithmetic === "u16" ? "i16x8.shr_u" : `${shapeOf[arithmetic]}.shr_s`;
  const shifted = (sum: Local): Code => (shift ? op(right, get(sum), i32(shift)) : get(sum));
  if (shift && output === "i32") {
    // Low halves of pairs.
    const half = (sum: Local): Code => op("v128.and", shifted(sum), splat("i32x4", 0xffff));
    return { prelude: [], initial, store: (sums, address) => save(f, sums.map(half), address), group: 0 };
  }
  if (output !== "f32" && (shift || kind === "saturate")) {
    return {
      prelude: [],
      initial,
      store: (sums, address) => save(f, narrow(arithmetic, sums.map(shifted), output, order), address),
      group: mode.wide ? groupOf(arithmetic, output) : 0,
    };
  }
  if (arithmetic === "i32") return finishDouble(f, params, arithmetic, kind, output);
  return finishFloat(f, params, kind, output, mode, (sums) => floatsOf(sums, arithmetic));
}

const zero = splat("i32x4", 0);

/** Pairs of vectors to be narrowed into one: neighbours, or every other one, as 256-bit instructions do it. */
type Order = <T>(items: readonly T[]) => [T, T][];
const neighbours: Order = (items) => items.flatMap((a, i) => (i % 2 === 0 ? [[a, items[i + 1]!]] : []));
const partners: Order = (items) => items.flatMap((a, i) => (i % 4 < 2 ? [[a, items[i + 2]!]] : []));

/** Bytes of one narrowed vector of sums: what stands interleaved after narrowing partners. */
function groupOf(arithmetic: Arithmetic, output: ViewDType): 0 | 4 | 8 {
  if (lanesOf[arithmetic] === 8) return output === "u8" ? 8 : 0;
  return output === "u8" ? 4 : 8;
}

/** Puts the groups of `group` bytes from `at` to `end` in their order: [a c e g][b d f h] becomes [a b c d][e f g h]. */
export function settle(f: FunctionBuilder, group: 4 | 8, at: Local, end: Local): Code[] {
  const { first, second } = f.locals("v128", "first", "second");
  const half = (from: number): number[] =>
    Array.from({ length: 16 / group }, (_, i) => (i % 2) * 16 + from + (i >> 1) * group).flatMap((start) =>
      Array.from({ length: group }, (_, byte) => start + byte),
    );
  return [
    doWhile(
      op("i32.lt_u", get(at), get(end)),
      set(first, load("v128.load", get(at))),
      set(second, load("v128.load", get(at), 16)),
      store("v128.store", get(at), shuffle(half(0), get(first), get(second))),
      store("v128.store", get(at), shuffle(half(8), get(first), get(second)), 16),
      bump(at, 32),
    ),
  ];
}

function storeVectors(values: readonly Local[], address: Code): Code[] {
  return values.map((value, v) => store("v128.store", address, get(value), v * 16));
}

/** Computes everything, then stores: a store between two loads would keep V8 from joining them. */
export function save(f: FunctionBuilder, values: readonly Code[], address: Code): Code[] {
  const results = values.map(() => f.local("v128"));
  return [...values.map((value, v) => set(results[v]!, value)), ...storeVectors(results, address)];
}

/** Integer lanes as integers of at most 16 bits, saturated. */
function narrow(arithmetic: Arithmetic, sums: readonly Code[], output: ViewDType, order: Order): Code[] {
  if (arithmetic === "i32") {
    const middle = output === "u16" ? "i16x8.narrow_i32x4_u" : "i16x8.narrow_i32x4_s";
    const halves = order(sums).map(([a, b]) => op(middle, a, b));
    return output === "u8" ? order(halves).map(([a, b]) => op("i8x16.narrow_i16x8_u", a, b)) : halves;
  }
  // An unsigned sum above 32767 would look negative to the narrowing, and to a signed result.
  const most = (limit: number) =>
    arithmetic === "u16" ? sums.map((s) => op("i16x8.min_u", s, splat("i16x8", limit))) : sums;
  if (output === "u8") return order(most(255)).map(([a, b]) => op("i8x16.narrow_i16x8_u", a, b));
  if (output === "i16") return [...most(32767)];
  return arithmetic === "i16" ? sums.map((s) => op("i16x8.max_s", s, splat("i16x8", 0))) : [...sums];
}

/**
 * Scaling in f32. Its constants are loaded where they are used: kept in registers they would push sums out of those of
 * the inner loop. Unsigned results are clamped (a NaN to 0) before truncation, which then rounds half up; signed ones
 * need a floor. `values` makes f32 lanes of the sums.
 */
function finishFloat(
  f: FunctionBuilder,
  params: Local,
  kind: FinishKind,
  output: ViewDType,
  { relaxed, wide }: CodeMode,
  values: (sums: readonly Local[]) => Code[],
): Finisher {
  const lanes = (at: number): Code => load("v128.load32_splat", get(params), at);
  const scale = (value: Code): Code => (kind !== "saturate" ? op("f32x4.mul", value, lanes(tapsLayout.scale)) : value);
  const moved = (value: Code): Code => op("f32x4.add", scale(value), lanes(tapsLayout.shifted));
  const round = (value: Code): Code => {
    if (output === "i16") return op("i32x4.trunc_sat_f32x4_s", op("f32x4.floor", value));
    const clamped = op("f32x4.pmin", op("f32x4.pmax", splat("f32x4", 0), value), lanes(tapsLayout.highest));
    return op(relaxed ? "i32x4.relaxed_trunc_f32x4_s" : "i32x4.trunc_sat_f32x4_s", clamped);
  };
  return {
    prelude: [],
    initial: zero,
    store: (sums, address) => {
      const results = values(sums).map(moved);
      const order = wide ? partners : neighbours;
      return save(f, output === "f32" ? results : narrow("i32", results.map(round), output, order), address);
    },
    group: wide && output !== "f32" ? groupOf("i32", output) : 0,
  };
}

/** Sixteen-bit sums as f32: exact for the sums and gains for which the solver has checked it. */
function floatsOf(sums: readonly Local[], arithmetic: Arithmetic): Code[] {
  const sign = arithmetic === "u16" ? "u" : "s";
  return sums.flatMap((sum) =>
    ["low", "high"].map((half) => op("f32x4.convert_i32x4_s", op(`i32x4.extend_${half}_i16x8_${sign}`, get(sum)))),
  );
}

/** Wide integer sums are scaled in f64, as in the specification: ties fall alike, so integer filters stay exact. */
function finishDouble(
  f: FunctionBuilder,
  params: Local,
  arithmetic: "i32" | "f64",
  kind: FinishKind,
  output: ViewDType,
): Finisher {
  const { denominator, gain, offset, low, high } = f.locals("v128", "denominator", "gain", "offset", "low", "high");
  const affine = (sums: Code): Code => {
    if (kind === "saturate") return sums;
    const sum = op("f64x2.div", sums, get(denominator));
    return op("f64x2.add", op("f64x2.mul", sum, get(gain)), get(offset));
  };
  const half = (value: Code): Code =>
    output === "f32"
      ? op("f32x4.demote_f64x2_zero", value)
      : op("i32x4.trunc_sat_f64x2_s_zero", op("f64x2.floor", op("f64x2.add", value, splat("f64x2", 0.5))));
  const lowHalves = Array.from({ length: 16 }, (_, b) => (b < 8 ? b : b + 8));
  return {
    prelude: [
      set(denominator, load("v128.load64_splat", get(params), tapsLayout.denominator)),
      set(gain, load("v128.load64_splat", get(params), tapsLayout.gain)),
      set(offset, load("v128.load64_splat", get(params), tapsLayout.offset)),
    ],
    initial: zero,
    store: (sums, address) => {
      if (output === "f64") return save(f, sums.map((sum) => affine(get(sum))), address); // biome-ignore format: a line
      // Four results at a time, of one vector of sums or of two.
      const results = sums.slice(0, (sums.length * lanesOf[arithmetic]) / 4);
      const two = (k: number, h: number): Code => (arithmetic === "i32" ? doubles(sums[k]!, h) : get(sums[2 * k + h]!));
      return [
        ...results.flatMap((result, k) => [
          set(low, half(affine(two(k, 0)))),
          set(high, half(affine(two(k, 1)))),
          set(result, shuffle(lowHalves, get(low), get(high))),
        ]),
        ...(output === "f32"
          ? storeVectors(results, address)
          : save(f, narrow("i32", results.map(get), output, neighbours), address)),
      ];
    },
    group: 0,
  };
}

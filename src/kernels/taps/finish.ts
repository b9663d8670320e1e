// Generates the end of a sum: scaling, rounding half up, saturation and the store. Only instructions that V8 can join
// into wider vectors stand on the common paths (no floor, no f64).
import type { Arithmetic } from "../../plan/types.ts";
import type { ViewDType } from "../../tensor.ts";
import {
  type Code,
  type FunctionBuilder,
  get,
  type Local,
  load,
  op,
  set,
  shuffle,
  splat,
  store,
} from "../../wasm/assembler.ts";
import { type FinishKind, tapsLayout } from "./layout.ts";

/** Generates code that finishes the sums of one row and stores them at an address. */
export interface Finisher {
  /** Loads constants; to be emitted once, before any store. */
  prelude: Code[];
  store(sums: readonly Local[], address: Code): Code[];
}

export function finisher(
  f: FunctionBuilder,
  params: Local,
  arithmetic: Arithmetic,
  kind: FinishKind,
  output: ViewDType,
): Finisher {
  if (kind === "raw" || (kind === "saturate" && output === arithmetic)) {
    return { prelude: [], store: (sums, address) => storeVectors(sums, address) };
  }
  if (arithmetic === "f32") return finishF32(f, params, kind, output);
  const shift = kind === "shift" ? shiftSums(f, params, arithmetic) : undefined;
  if (shift && output !== "f32") {
    return {
      prelude: shift.prelude,
      store: (sums, address) => [...shift.apply(sums), ...narrow(arithmetic, sums.map(get), output, address)],
    };
  }
  if (kind === "saturate" && output !== "f32") {
    return { prelude: [], store: (sums, address) => narrow(arithmetic, sums.map(get), output, address) };
  }
  return arithmetic === "i32" ? finishI32(f, params, output) : finishI16(f, params, arithmetic, output);
}

function storeVectors(values: readonly Local[], address: Code): Code[] {
  return values.map((value, v) => store("v128.store", address, get(value), v * 16));
}

/** (sum + offset · 2^k + 2^(k − 1)) >> k: exact, half up, negative sums included. */
function shiftSums(f: FunctionBuilder, params: Local, arithmetic: Arithmetic) {
  const shape = arithmetic === "i32" ? "i32x4" : "i16x8";
  const shift = f.local("i32");
  const rounding = f.local("v128");
  const offset = op(
    "f64.mul",
    load("f64.load", get(params), tapsLayout.offset),
    op("f64.convert_i32_s", op("i32.shl", [0x41, 1], get(shift))),
  );
  const half = op("i32.shl", [0x41, 1], op("i32.sub", get(shift), [0x41, 1]));
  const right = arithmetic === "u16" ? "i16x8.shr_u" : `${shape}.shr_s`;
  return {
    prelude: [
      set(shift, load("i32.load", get(params), tapsLayout.shift)),
      set(rounding, op(`${shape}.splat`, op("i32.add", op("i32.trunc_sat_f64_s", offset), half))),
    ],
    apply: (sums: readonly Local[]): Code[] =>
      sums.map((sum) => set(sum, op(right, op(`${shape}.add`, get(sum), get(rounding)), get(shift)))),
  };
}

/** Stores integer lanes as integers of at most 16 bits, saturated. */
function narrow(arithmetic: Arithmetic, sums: readonly Code[], output: ViewDType, address: Code): Code[] {
  const pairs = <T>(items: readonly T[]): [T, T][] =>
    items.flatMap((a, i) => (i % 2 === 0 ? [[a, items[i + 1]!] as [T, T]] : []));
  const save = (values: readonly Code[]): Code[] =>
    values.map((value, v) => store("v128.store", address, value, v * 16));
  if (arithmetic === "i32") {
    const middle = output === "u16" ? "i16x8.narrow_i32x4_u" : "i16x8.narrow_i32x4_s";
    const halves = pairs(sums).map(([a, b]) => op(middle, a, b));
    return output === "u8" ? save(pairs(halves).map(([a, b]) => op("i8x16.narrow_i16x8_u", a, b))) : save(halves);
  }
  // An unsigned sum above 32767 would look negative to the narrowing, and to a signed result.
  const most = (limit: number) =>
    arithmetic === "u16" ? sums.map((s) => op("i16x8.min_u", s, splat("i16x8", limit))) : sums;
  if (output === "u8") return save(pairs(most(255)).map(([a, b]) => op("i8x16.narrow_i16x8_u", a, b)));
  if (output === "i16") return save(most(32767));
  return save(arithmetic === "i16" ? sums.map((s) => op("i16x8.max_s", s, splat("i16x8", 0))) : sums);
}

/** A ratio or an offset of the block, in every f32 lane. */
function constants(f: FunctionBuilder, params: Local, rounding: number) {
  const [gain, offset] = [f.local("v128"), f.local("v128")];
  const ratio = op(
    "f64.div",
    load("f64.load", get(params), tapsLayout.gain),
    load("f64.load", get(params), tapsLayout.denominator),
  );
  const shifted = op("f64.add", load("f64.load", get(params), tapsLayout.offset), [
    0x44,
    ...new Uint8Array(new Float64Array([rounding]).buffer),
  ]);
  const lanes = (value: Code): Code => op("f32x4.splat", op("f32.demote_f64", value));
  return { gain, offset, prelude: [set(gain, lanes(ratio)), set(offset, lanes(shifted))] };
}

/** Unsigned results: clamped (a NaN to 0) before truncation, which then rounds half up. Signed ones need a floor. */
function roundF32(value: Code, output: ViewDType): Code {
  if (output === "i16") return op("i32x4.trunc_sat_f32x4_s", op("f32x4.floor", value));
  const clamped = op(
    "f32x4.pmin",
    op("f32x4.pmax", splat("f32x4", 0), value),
    splat("f32x4", output === "u8" ? 255 : 65535),
  );
  return op("i32x4.trunc_sat_f32x4_s", clamped);
}

function finishF32(f: FunctionBuilder, params: Local, kind: FinishKind, output: ViewDType): Finisher {
  const toInteger = output !== "f32";
  const { gain, offset, prelude } = constants(f, params, toInteger ? 0.5 : 0);
  const scale = (sum: Local): Code => (kind === "affine" ? op("f32x4.mul", get(sum), get(gain)) : get(sum));
  const value = (sum: Local): Code => op("f32x4.add", scale(sum), get(offset));
  return {
    prelude,
    store: (sums, address) =>
      toInteger
        ? narrow(
            "i32",
            sums.map((sum) => roundF32(value(sum), output)),
            output,
            address,
          )
        : sums.map((sum, v) => store("v128.store", address, value(sum), v * 16)),
  };
}

/** Sixteen-bit sums through f32: exact for the sums and gains for which the solver has checked it. */
function finishI16(f: FunctionBuilder, params: Local, arithmetic: Arithmetic, output: ViewDType): Finisher {
  const toInteger = output !== "f32";
  const { gain, offset, prelude } = constants(f, params, toInteger ? 0.5 : 0);
  const sign = arithmetic === "u16" ? "u" : "s";
  const value = (half: string, sum: Local): Code => {
    const float = op("f32x4.convert_i32x4_s", op(`i32x4.extend_${half}_i16x8_${sign}`, get(sum)));
    return op("f32x4.add", op("f32x4.mul", float, get(gain)), get(offset));
  };
  const values = (sums: readonly Local[]): Code[] => sums.flatMap((sum) => [value("low", sum), value("high", sum)]);
  return {
    prelude,
    store: (sums, address) =>
      toInteger
        ? narrow(
            "i32",
            values(sums).map((v) => roundF32(v, output)),
            output,
            address,
          )
        : values(sums).map((v, i) => store("v128.store", address, v, i * 16)),
  };
}

/** Integer sums are scaled in f64, as in the specification: ties fall alike, so integer filters stay exact. */
function finishI32(f: FunctionBuilder, params: Local, output: ViewDType): Finisher {
  const { denominator, gain, offset, low, high } = f.locals("v128", "denominator", "gain", "offset", "low", "high");
  const affine = (integers: Code): Code => {
    const sum = op("f64x2.div", op("f64x2.convert_low_i32x4_s", integers), get(denominator));
    return op("f64x2.add", op("f64x2.mul", sum, get(gain)), get(offset));
  };
  const half = (value: Code): Code =>
    output === "f32"
      ? op("f32x4.demote_f64x2_zero", value)
      : op("i32x4.trunc_sat_f64x2_s_zero", op("f64x2.floor", op("f64x2.add", value, splat("f64x2", 0.5))));
  const highHalf = Array.from({ length: 16 }, (_, b) => (b + 8) % 16);
  const lowHalves = Array.from({ length: 16 }, (_, b) => (b < 8 ? b : b + 8));
  return {
    prelude: [
      set(denominator, load("v128.load64_splat", get(params), tapsLayout.denominator)),
      set(gain, load("v128.load64_splat", get(params), tapsLayout.gain)),
      set(offset, load("v128.load64_splat", get(params), tapsLayout.offset)),
    ],
    store: (sums, address) => [
      ...sums.flatMap((sum) => [
        set(low, half(affine(get(sum)))),
        set(high, half(affine(shuffle(highHalf, get(sum), get(sum))))),
        set(sum, shuffle(lowHalves, get(low), get(high))),
      ]),
      ...(output === "f32" ? storeVectors(sums, address) : narrow("i32", sums.map(get), output, address)),
    ],
  };
}

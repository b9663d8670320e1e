// Pieces of generated code that kernels share: elements of any type as lanes of an arithmetic, and multiply-adds.

import { type Code, get, i32, type Local, load, op, set, shuffle } from "../codegen/assembler.ts";
import type { Arithmetic } from "../plan/types.ts";
import { bytesOf, type ViewDType } from "../tensor.ts";
import type { CodeMode } from "./kernel.ts";

/** Lanes of one 128-bit vector. */
export const lanesOf: Readonly<Record<Arithmetic, number>> = { i16: 8, u16: 8, i32: 4, f32: 4, f64: 2, fixed: 4 };

/** How instructions on these lanes are called. */
export const shapeOf = {
  ...{ i16: "i16x8", u16: "i16x8", i32: "i32x4", f32: "f32x4", f64: "f64x2", fixed: "i32x4" },
} as const;

/** An element index as a byte offset. */
export function scaled(index: Code, bytes: number): Code {
  return bytes === 1 ? index : op("i32.shl", index, i32(Math.log2(bytes)));
}

/**
 * Loads neighbouring elements into vectors, in order. Neighbouring vectors come from neighbouring addresses by equal
 * instructions, which is what lets V8 join them into wider ones.
 */
export function loadVectors(
  dtype: ViewDType,
  arithmetic: Arithmetic,
  address: Code,
  vectors: readonly Local[],
  spare: Local,
  offset = 0,
): Code[] {
  if (arithmetic === "i16" || arithmetic === "u16") {
    return dtype === "u8"
      ? vectors.map((x, v) => set(x, load("v128.load8x8_u", address, offset + v * 8)))
      : vectors.map((x, v) => set(x, load("v128.load", address, offset + v * 16)));
  }
  if (arithmetic === "f64" && dtype !== "f64") {
    return vectors.flatMap((x, v) => {
      if (v % 2 > 0) return [];
      const four = integerLanes(dtype, address, offset / (4 * bytesOf[dtype]) + v / 2);
      return [set(spare, four), set(x, doubles(spare, 0)), set(vectors[v + 1]!, doubles(spare, 1))];
    });
  }
  if (dtype === "f32" || dtype === "i32" || dtype === "f64")
    return vectors.map((x, v) => set(x, load("v128.load", address, offset + v * 16)));
  const convert = (integers: Code): Code => (arithmetic === "i32" ? integers : op("f32x4.convert_i32x4_s", integers));
  if (dtype !== "u8") {
    const name = dtype === "u16" ? "v128.load16x4_u" : "v128.load16x4_s";
    return vectors.map((x, v) => set(x, convert(load(name, address, offset + v * 8))));
  }
  const pairs = vectors.filter((_, v) => v % 2 === 0);
  return pairs.flatMap((x, pair) => [
    set(spare, load("v128.load8x8_u", address, offset + pair * 8)),
    set(x, convert(op("i32x4.extend_low_i16x8_u", get(spare)))),
    set(vectors[2 * pair + 1]!, convert(op("i32x4.extend_high_i16x8_u", get(spare)))),
  ]);
}

const highHalf = Array.from({ length: 16 }, (_, b) => (b + 8) % 16);
/** The two lower or the two higher of four i32 lanes as f64. */
export const doubles = (four: Local, half: number): Code =>
  op("f64x2.convert_low_i32x4_s", half === 0 ? get(four) : shuffle(highHalf, get(four), get(four)));

/** Four neighbouring elements as i32 lanes: the `vector`-th from an address. */
export function integerLanes(dtype: ViewDType, address: Code, vector: number): Code {
  const at = vector * 4 * bytesOf[dtype];
  if (dtype === "i32") return load("v128.load", address, at);
  if (dtype === "u8")
    return op("i32x4.extend_low_i16x8_u", op("i16x8.extend_low_i8x16_u", load("v128.load32_zero", address, at)));
  return load(dtype === "u16" ? "v128.load16x4_u" : "v128.load16x4_s", address, at);
}

/** One tap in every lane, from an address. */
export function loadTap(arithmetic: Arithmetic, address: Code, offset = 0): Code {
  return load(`v128.load${128 / lanesOf[arithmetic]}_splat`, address, offset);
}

/** a · b + sum, fused where the mode allows it; in fixed point both products of a pair are added. */
export function multiplyAdd(arithmetic: Arithmetic, { relaxed }: CodeMode, a: Code, b: Code, sum: Code): Code {
  if (lanesOf[arithmetic] === 8) return op("i16x8.add", op("i16x8.mul", a, b), sum);
  if (arithmetic === "i32") return op("i32x4.add", op("i32x4.mul", a, b), sum);
  if (arithmetic === "fixed") return op("i32x4.add", op("i32x4.dot_i16x8_s", a, b), sum);
  const shape = arithmetic === "f64" ? "f64x2" : "f32x4";
  return relaxed ? op(`${shape}.relaxed_madd`, a, b, sum) : op(`${shape}.add`, op(`${shape}.mul`, a, b), sum);
}

/** Adds weighted vectors to sums, or begins these. */
export const addWeighted = (
  mode: CodeMode,
  sums: readonly Local[],
  values: readonly Local[],
  weight: Local,
  isFirst: boolean,
): Code[] =>
  sums.map((local, v) =>
    set(
      local,
      isFirst
        ? op("f32x4.mul", get(values[v]!), get(weight))
        : multiplyAdd("f32", mode, get(values[v]!), get(weight), get(local)),
    ),
  );

/** Both halves of a vector combined, then both of a half: the result stands in all lanes. */
export function across(combined: (a: Code, b: Code) => Code, x: Local): Code[] {
  const swapped = (by: number): Code =>
    shuffle(
      Array.from({ length: 16 }, (_, i) => i ^ by),
      get(x),
      get(x),
    );
  return [8, 4].map((by) => set(x, combined(get(x), swapped(by))));
}

/**
 * The larger or smaller of two values, NaN where one of them is: `f32x4.min` and `max` are seven instructions of x64 each. Zeros
 * of two signs are one below 0.
 */
export const extreme = (name: "min" | "max", a: Code, b: Code): Code =>
  op("v128.or", op(`f32x4.p${name}`, a, b), op(`f32x4.p${name}`, b, a));

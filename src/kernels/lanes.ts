// Pieces of generated code that several kernels share: elements of any type as 32-bit lanes, and multiply-adds.
import type { Arithmetic } from "../plan/types.ts";
import { bytesOf, type ViewDType } from "../tensor.ts";
import { type Code, i32, load, op } from "../wasm/assembler.ts";
import type { CodeMode } from "./kernel.ts";

/** An element index as a byte offset. */
export function scaled(index: Code, bytes: number): Code {
  return bytes === 1 ? index : op("i32.shl", index, i32(Math.log2(bytes)));
}

/** The `vector`-th four neighbouring elements from an address, as i32 or f32 lanes. */
export function lanes(dtype: ViewDType, arithmetic: Arithmetic, address: Code, vector: number): Code {
  const at = vector * 4 * bytesOf[dtype];
  if (dtype === "f32" || dtype === "i32") return load("v128.load", address, at);
  const integers =
    dtype === "u8"
      ? op("i32x4.extend_low_i16x8_u", op("i16x8.extend_low_i8x16_u", load("v128.load32_zero", address, at)))
      : load(dtype === "u16" ? "v128.load16x4_u" : "v128.load16x4_s", address, at);
  return arithmetic === "i32" ? integers : op("f32x4.convert_i32x4_s", integers);
}

/** a · b + sum, fused where the mode allows it. */
export function multiplyAdd(arithmetic: Arithmetic, { relaxed }: CodeMode, a: Code, b: Code, sum: Code): Code {
  if (arithmetic === "i32") return op("i32x4.add", op("i32x4.mul", a, b), sum);
  return relaxed ? op("f32x4.relaxed_madd", a, b, sum) : op("f32x4.add", op("f32x4.mul", a, b), sum);
}

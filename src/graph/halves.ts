// 16-bit floats: f16 (IEEE half: sign, 5 bits of exponent, 10 of fraction) and bf16 (the upper half of an f32). Values are held as
// f32; these functions read and write their bits, and round to them, halves to even.
import { type DType, type HalfArray, halvesToFloats } from "../tensor.ts";

export type HalfDType = "f16" | "bf16";

export const isHalf = (dtype: DType | undefined): dtype is HalfDType => dtype === "f16" || dtype === "bf16";

/** Whether it is a Float16Array, which not every runtime has. */
export const isHalfArray = (data: unknown): data is HalfArray =>
  ArrayBuffer.isView(data) && (data as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] === "Float16Array";

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The f16 nearest to an f32, both as bits. */
function narrowed(bits: number): number {
  const [sign, rest] = [(bits >>> 16) & 0x8000, bits & 0x7fffffff];
  if (rest > 0x7f800000) return sign | 0x7e00;
  // From 65520 on infinity is nearer.
  if (rest >= 0x477ff000) return sign | 0x7c00;
  if (rest >= 0x38800000) return sign | ((rest + 0xfff + ((rest >>> 13) & 1) - 0x38000000) >>> 13);
  // Steps of 2^-24 below 2^-14: the sum with 2^-1 is an f32 in such steps.
  word[0] = rest;
  float[0] = float[0]! + 0.5;
  return sign | (word[0]! - 0x3f000000);
}

/** The bits of f16 or bf16 that are nearest. */
export function toBits(data: ArrayLike<number>, dtype: HalfDType): Uint16Array {
  const found = new Uint16Array(data.length);
  for (let i = 0; i < found.length; i++) {
    float[0] = data[i]!;
    const bits = word[0]!;
    if (dtype === "f16") found[i] = narrowed(bits);
    else
      found[i] = (bits & 0x7fffffff) > 0x7f800000 ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return found;
}

/** The values of bits. */
export function fromBits(bits: ArrayLike<number>, dtype: HalfDType): Float32Array {
  if (dtype === "bf16") return bfloatsToFloats(bits);
  return halvesToFloats(bits);
}

function bfloatsToFloats(bits: ArrayLike<number>): Float32Array {
  const words = new Int32Array(bits.length);
  for (let i = 0; i < words.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

/** Numbers of 32 bits as the nearest values of f16 or bf16, in a new array. */
export function roundedArray(data: Float32Array, dtype: HalfDType): Float32Array {
  const found = data.slice();
  const words = new Uint32Array(found.buffer);
  for (let i = 0; i < words.length; i++) {
    const bits = words[i]!;
    const rest = bits & 0x7fffffff;
    // NaN and infinities stay what they are.
    if (rest >= 0x7f800000) continue;
    if (dtype === "bf16") words[i] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
    else if (rest >= 0x38800000) {
      const near = (rest + 0xfff + ((rest >>> 13) & 1)) & ~0x1fff;
      words[i] = (bits & 0x80000000) | (near > 0x477fe000 ? 0x7f800000 : near);
    } else {
      // Steps of 2^-24: the sum with 2^-1 is an f32 in such steps.
      const value = found[i]!;
      const near = Math.fround(Math.fround(Math.abs(value) + 0.5) - 0.5);
      found[i] = bits >>> 31 ? -near : near;
    }
  }
  return found;
}

/** Bits of the fraction, the least exponent and the largest value. */
const limits = { f16: [10, -14, 65504], bf16: [7, -126, 2 ** 127 * (2 - 2 ** -7)] } as const;

/** The value of f16 or bf16 nearest to a number of any precision. */
export function roundedTo(x: number, dtype: HalfDType): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const [bits, least, most] = limits[dtype];
  // Added and taken away again, it leaves the digits that fit: sums of f64 round halves to even.
  const size = Math.abs(x);
  const unit = 2 ** (Math.max(Math.floor(Math.log2(size)), least) - bits) * 2 ** 52;
  const near = size + unit - unit;
  return Math.sign(x) * (near > most ? Number.POSITIVE_INFINITY : near);
}

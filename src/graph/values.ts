// Values of a network on the host: types, sizes and strides, and access to their elements.
import { bytesOf, type DType, newStored, type Tensor, type TypedArray } from "../tensor.ts";
import { isHalf } from "./halves.ts";
import type { Spec, Value } from "./types.ts";

/** The type that says how elements are held and computed: half floats are f32. */
export function heldAs(dtype: DType): DType {
  return isHalf(dtype) ? "f32" : dtype;
}

const classes = new Map<string, unknown>(
  (Object.keys(bytesOf) as DType[]).map((dtype) => [dtype, newStored(heldAs(dtype), 0).constructor]),
);

/** A tensor with its type said; undefined where array and type contradict each other. */
export function toValue({ shape, data, dtype }: Tensor): Value | undefined {
  const clamped = data instanceof Uint8ClampedArray;
  const isOf = (one: DType): boolean => classes.has(one) && data instanceof (classes.get(one) as new () => TypedArray);
  const said = dtype ?? (clamped ? "u8" : (Object.keys(bytesOf) as DType[]).find(isOf));
  const fits = said !== undefined && (isOf(said) || (clamped && said === "u8"));
  return fits ? { shape, data, dtype: heldAs(said) } : undefined;
}

export function newValue(dtype: DType, shape: readonly number[]): Value {
  return { dtype, shape, data: newStored(heldAs(dtype), sizeOf(shape)) };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, side) => size * side, 1);
}

/** Bytes that a value takes. */
export const valueBytes = ({ dtype, shape }: Spec): number => sizeOf(shape) * bytesOf[heldAs(dtype)];

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

export function isBig(dtype: DType): boolean {
  return dtype === "i64" || dtype === "u64";
}

export function isFloat(dtype: DType): boolean {
  return dtype === "f32" || dtype === "f64";
}

/** The elements under one static type: 64-bit integers may be copied and compared through it, not mixed with numbers. */
export function elementsOf(value: { readonly data: TypedArray }): Float64Array {
  return value.data as unknown as Float64Array;
}

const halfRange = 2 ** 32;

/** 64-bit integers as pairs of words, the lower one first. */
export function wordPairs({ buffer, byteOffset, length }: TypedArray): Int32Array {
  return new Int32Array(buffer, byteOffset, 2 * length);
}

/** The elements as numbers; 64-bit integers are converted. */
export function numbersOf({ data }: { readonly data: TypedArray }): Float64Array {
  const signed = data instanceof BigInt64Array;
  if (!signed && !(data instanceof BigUint64Array)) return data as Float64Array;
  const words = wordPairs(data);
  const numbers = new Float64Array(data.length);
  for (let i = 0; i < numbers.length; i++) {
    const upper = words[2 * i + 1]!;
    numbers[i] = (signed ? upper : upper >>> 0) * halfRange + (words[2 * i]! >>> 0);
  }
  return numbers;
}

/** The elements as numbers in an array of this class, for loops that every type goes through: of one class they are fast. */
export function asFloat64(value: { readonly data: TypedArray }): Float64Array {
  const numbers = numbersOf(value);
  return numbers instanceof Float64Array ? numbers : new Float64Array(numbers);
}

/** Writes numbers from element `at` on, rounded to the value's type: to the nearest float, towards zero for integers. */
export function write({ data, dtype }: Value, numbers: ArrayLike<number>, at = 0): void {
  if (!isBig(dtype)) (data as Float64Array).set(numbers, at);
  else writeBig(wordPairs(data), numbers, at);
}

function writeBig(words: Int32Array, numbers: ArrayLike<number>, at: number): void {
  for (let i = 0; i < numbers.length; i++) {
    const number = Number.isFinite(numbers[i]) ? Math.trunc(numbers[i]!) : 0;
    words[2 * (at + i)] = number;
    words[2 * (at + i) + 1] = Math.floor(number / halfRange);
  }
}

/** A 64-bit element under the static type of {@link elementsOf}. */
export function toBig(value: number): number {
  return BigInt(Number.isFinite(value) ? Math.trunc(value) : 0) as unknown as number;
}

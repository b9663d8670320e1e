// Data that goes in and out: element types, tensors and images. Views of the caller's memory, never copies.
import { checkOneOf, describe, InvalidArgumentError } from "./errors.ts";
import { plural } from "./words.ts";

/** Element types, by bits: unsigned and signed integers, floats, and booleans as bytes of 0 and 1. */
export type DType =
  | "u8"
  | "i8"
  | "u16"
  | "i16"
  | "u32"
  | "i32"
  | "i64"
  | "u64"
  | "f16"
  | "bf16"
  | "f32"
  | "f64"
  | "bool";

/** Any array of numbers in one block of memory. */
export type TypedArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** A `Float16Array`, where the runtime has them. */
export interface HalfArray extends ArrayBufferView {
  /** The number of elements. */
  readonly length: number;
  /** Elements, as numbers. */
  [index: number]: number;
  /** Tells it from other arrays. */
  readonly [Symbol.toStringTag]: "Float16Array";
}

/** Row-major data of any rank. `dtype` stands where the array class does not tell (bool, f16, bf16). */
export interface Tensor {
  /** Sides, the outermost first; none for a scalar. */
  readonly shape: readonly number[];
  /** As many elements as the product of the sides, the last axis innermost. */
  readonly data: TypedArray;
  /** Only needed where `data` does not tell: "bool" of bytes; "f16" and "bf16" of their bits in a Uint16Array, or of numbers in a Float32Array. */
  readonly dtype?: DType;
}

/** Element types of pictures. Those of i32, u32 and f64 are filtered in f64, others in integers or f32. */
export type ImageDType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";
export const imageDTypes: readonly ImageDType[] = ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "f64"];
/** Element types of values in an engine: of pictures, and the half floats of models. */
export type ValueDType = ImageDType | "f16";
export const valueDTypes: readonly ValueDType[] = [...imageDTypes, "f16"];

export const isImageDType = (dtype: ValueDType): dtype is ImageDType =>
  (imageDTypes as readonly ValueDType[]).includes(dtype);

/** Arrays that hold pictures. */
export type ImageArray = Uint8ClampedArray | Elements;

/** A picture with interleaved channels: `data[(y * width + x) * channels + c]`. */
export interface Image {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** 1 to 1024. Of 2 and 4 the last may be alpha: grey and alpha, colours and alpha. */
  readonly channels: number;
  /** height · width · channels values, row by row; the class of the array is the element type. */
  readonly data: ImageArray;
  /** The last channel is alpha. Default false: it is a channel like the others, unless a call's `alpha` says otherwise. */
  readonly hasAlpha?: boolean;
  /** Where there is alpha: the colours are multiplied by it already. Default false. */
  readonly premultiplied?: boolean;
}

export const bytesOf: Readonly<Record<DType, number>> = {
  u8: 1,
  i8: 1,
  bool: 1,
  u16: 2,
  i16: 2,
  f16: 2,
  bf16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  i64: 8,
  u64: 8,
  f64: 8,
};

/** The smallest and largest value of a type; floats have none. */
export const rangeOf: Readonly<Record<ImageDType, readonly [number, number]>> = {
  u8: [0, 255],
  i8: [-128, 127],
  u16: [0, 65535],
  i16: [-32768, 32767],
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  f32: [-Infinity, Infinity],
  f64: [-Infinity, Infinity],
};

export const isFloat = (dtype: ImageDType): boolean => dtype === "f32" || dtype === "f64";
/** Whether f32 does not hold the numbers of a type, so that they are filtered in f64. */
export const isWide = (dtype: ImageDType): boolean => dtype === "i32" || dtype === "u32" || dtype === "f64";

/** Makes numbers elements of a type: of integers rounded half up and saturated. Arrays of integers hold NaN as 0. */
export function rounding(dtype: ImageDType): (value: number) => number {
  if (isFloat(dtype)) return (value) => value;
  const [low, high] = rangeOf[dtype];
  return (value) => Math.min(high, Math.max(low, Math.floor(value + 0.5)));
}

/** Arrays of values; half floats are their bits. */
const classes = {
  ...{ u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, u32: Uint32Array, i32: Int32Array },
  ...{ f16: Uint16Array, f32: Float32Array, f64: Float64Array },
} as const;

export type ViewDType = keyof typeof classes;
export const viewDTypes = Object.keys(classes) as readonly ViewDType[];
/** Numbers of one of these types. */
export type Elements =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** A view of `length` elements at a byte offset of a buffer. */
export function viewOf<T extends ViewDType>(
  dtype: T,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): InstanceType<(typeof classes)[T]> {
  return new classes[dtype](buffer as ArrayBuffer, byteOffset, length) as InstanceType<(typeof classes)[T]>;
}

export function newArray<T extends ViewDType>(dtype: T, length: number): InstanceType<(typeof classes)[T]> {
  return new classes[dtype](length) as InstanceType<(typeof classes)[T]>;
}

/** How elements lie in files: booleans as bytes, half floats as their bits. */
const stored = {
  ...classes,
  ...{ i64: BigInt64Array, u64: BigUint64Array, bool: Uint8Array, bf16: Uint16Array },
} as const satisfies Record<DType, unknown>;

/** Room for elements as they lie in files. */
export function newStored(dtype: DType, length: number): TypedArray {
  return new stored[dtype](length);
}

/** The elements in the little-endian bytes of a file: a view of whole elements where they are aligned, else a copy. */
export function storedIn(dtype: DType, bytes: Uint8Array): TypedArray {
  const { buffer, byteOffset } = bytes.byteOffset % bytesOf[dtype] === 0 ? bytes : new Uint8Array(bytes);
  return new stored[dtype](buffer as ArrayBuffer, byteOffset, Math.floor(bytes.length / bytesOf[dtype]));
}

/** The image type of an array by its class; undefined where none fits. */
export function imageDTypeOf(data: unknown): ImageDType | undefined {
  if (data instanceof Uint8ClampedArray) return "u8";
  // Every frame of a video comes here: without a function made for it.
  for (let i = 0; i < imageDTypes.length; i++) if (data instanceof classes[imageDTypes[i]!]) return imageDTypes[i];
  return undefined;
}

/** The grey of a pixel whose colours begin at an element, by the weights that OpenCV and Pillow have: not rounded. */
export const greyOf = (data: ArrayLike<number>, at: number): number =>
  0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;

/** A tensor of 32-bit floats, as layers take it. */
export interface F32Tensor extends Tensor {
  /** As many elements as the product of the sides, the last axis innermost. */
  readonly data: Float32Array;
}

/** A tensor as it may be given: our own, or ONNX Runtime's `{ data, dims }`. */
export type TensorLike =
  | Tensor
  | {
      /** Elements, the last axis innermost. */
      readonly data: TypedArray;
      /** Sides, the outermost first. */
      readonly dims: readonly number[];
    };

/** The sides of a tensor in either spelling, as they are given. Where both stand there, they are the same; a dtype is known. */
export function sidesIn(parameter: string, tensor: unknown): unknown {
  const given = (typeof tensor === "object" && tensor !== null ? tensor : {}) as Record<string, unknown>;
  const { shape, dims, dtype } = given;
  if (dtype !== undefined) checkOneOf(`${parameter}.dtype`, dtype, Object.keys(bytesOf));
  if (shape === undefined || dims === undefined || String(shape) === String(dims)) return shape ?? dims;
  const received = `shape ${describe(shape)} and dims ${describe(dims)}`;
  throw new InvalidArgumentError({ parameter, expected: "shape or dims, or both the same", received });
}

/** What to do about elements that are no typed array of the wanted class. */
export const arrayHint = (data: unknown, wanted: string): string | undefined =>
  Array.isArray(data) ? `${wanted}.from(data${wanted.startsWith("Big") ? ", BigInt" : ""}) makes one of it` : undefined;

/** Accepts every form of {@link TensorLike} with 32-bit floats: sides of at least 1 and exactly their product of elements. */
export function checkTensor(parameter: string, tensor: unknown, rank: number): F32Tensor {
  const given = (typeof tensor === "object" && tensor !== null ? tensor : {}) as Partial<Record<"data", unknown>>;
  const shape = checkShape(parameter, sidesIn(parameter, tensor), rank);
  const { data } = given;
  if (!(data instanceof Float32Array)) {
    const [received, hint] = [describe(data), arrayHint(data, "Float32Array")];
    throw new InvalidArgumentError({ parameter: `${parameter}.data`, expected: "a Float32Array", received, hint });
  }
  const length = shape.reduce((product, side) => product * side, 1);
  if (data.length !== length) {
    const expected = `${shape.join(" x ")} = ${plural(length, "element")}`;
    throw new InvalidArgumentError({ parameter: `${parameter}.data`, expected, received: `${data.length}` });
  }
  return { shape, data };
}

/** A shape of so many sides, each at least 1. */
export function checkShape(
  parameter: string,
  shape: unknown,
  rank: number,
  of = "a tensor { shape, data } of ",
): number[] {
  // A copy has no holes, which `every` would pass over.
  const sides = Array.isArray(shape) ? Array.from(shape as number[]) : [];
  if (sides.length === rank && rank > 0 && sides.every((n) => Number.isSafeInteger(n) && n >= 1)) return sides;
  const expected = `${of}${rank} sides of at least 1`;
  throw new InvalidArgumentError({ parameter, expected, received: describe(shape) });
}

/** @throws InvalidArgumentError where an array, detached or shrunk meanwhile, no longer has so many elements. */
export function checkThere(parameter: string, array: ArrayLike<unknown>, length: number): void {
  if (array.length >= length) return;
  const expected = `an array that keeps its ${plural(length, "element")} until the call is done`;
  throw new InvalidArgumentError({ parameter, expected, received: `${array.length} of them` });
}

/** The array in an Image or a Tensor; anything else as it is. */
export const arrayIn = (given: unknown): unknown => (isHolder(given) ? given.data : given);

const isHolder = (given: unknown): given is Record<string, unknown> =>
  !ArrayBuffer.isView(given) && typeof given === "object" && given !== null && "data" in given;

/** Checks the sides that an Image or a Tensor says it has; those of 1 before the others may be missing, or be more. */
export function checkSidesIn(parameter: string, given: unknown, wanted: readonly number[]): void {
  if (!isHolder(given)) return;
  const { width, height, channels } = given;
  const sides = sidesIn(parameter, given) ?? (width === undefined ? undefined : [height, width, channels ?? 4]);
  const trimmed = (list: readonly unknown[]): string => list.join().replace(/^(1,)+/, "");
  if (sides === undefined || (Array.isArray(sides) && trimmed(sides) === trimmed(wanted))) return;
  throw new InvalidArgumentError({ parameter, expected: `sides [${wanted.join(", ")}]`, received: describe(sides) });
}

/** The values of IEEE halves: sign, 5 bits of exponent, 10 of fraction. */
export function halvesToFloats(bits: ArrayLike<number>): Float32Array {
  const floats = new Float32Array(bits.length);
  const words = new Int32Array(floats.buffer);
  for (let i = 0; i < words.length; i++) {
    const half = bits[i]!;
    const [sign, rest] = [(half & 0x8000) << 16, (half & 0x7fff) << 13];
    words[i] = sign | rest;
    // The exponent counts from 15 there and from 127 here; subnormal halves become normal numbers by the product.
    if (rest < 0x0f800000) floats[i] = floats[i]! * 2 ** 112;
    else words[i] = sign | rest | 0x70000000;
  }
  return floats;
}

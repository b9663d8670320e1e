// Data that goes in and out: element types, tensors and images. Views of the caller's memory, never copies.
import { checkInteger, checkLimit, checkOneOf, describe, InvalidArgumentError } from "./errors.ts";

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

/** Element types of pictures. */
export type ImageDType = "u8" | "u16" | "i16" | "f32";
export const imageDTypes: readonly ImageDType[] = ["u8", "u16", "i16", "f32"];
/** Element types of values in an engine: of pictures, and those in which models keep weights and activations. */
export type ValueDType = ImageDType | "f16" | "i8" | "i32";
export const valueDTypes: readonly ValueDType[] = [...imageDTypes, "f16", "i8", "i32"];

export const isImageDType = (dtype: ValueDType): dtype is ImageDType =>
  (imageDTypes as readonly ValueDType[]).includes(dtype);

/** Arrays that hold pictures. */
export type ImageArray = Uint8Array | Uint8ClampedArray | Uint16Array | Int16Array | Float32Array;

/** A picture with interleaved channels: `data[(y * width + x) * channels + c]`. */
export interface Image {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** 1 to 4: grey, grey and alpha, colours, colours and alpha. */
  readonly channels: number;
  /** height · width · channels values, row by row; the class of the array is the element type. */
  readonly data: ImageArray;
}

/** What a picture may be given as: our own, a browser's `ImageData`, or sharp's `{ data, info }` of raw pixels. */
export type ImageLike =
  | Image
  | {
      /** In pixels. */
      readonly width: number;
      /** In pixels. */
      readonly height: number;
      /** Of an ImageData: red, green, blue and alpha of each pixel. */
      readonly data: Uint8ClampedArray | ImageArray;
    }
  | {
      /** Raw pixels, as sharp's `raw()` gives them. */
      readonly data: ArrayBufferView;
      /** What sharp says of them. */
      readonly info: {
        /** In pixels. */
        width: number;
        /** In pixels. */
        height: number;
        /** 1 to 4, alpha among them. */
        channels: number;
      };
    };

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

/** The smallest and largest value of an integer type. */
export const rangeOf: Readonly<Record<Exclude<ImageDType, "f32">, readonly [number, number]>> = {
  u8: [0, 255],
  u16: [0, 65535],
  i16: [-32768, 32767],
};

/** Arrays of values; half floats are their bits. */
const classes = {
  ...{ u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, i32: Int32Array },
  ...{ f16: Uint16Array, f32: Float32Array, f64: Float64Array },
} as const;

export type ViewDType = keyof typeof classes;
/** Numbers of one of these types. */
export type Elements = Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array | Float32Array | Float64Array;

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
  ...{ u32: Uint32Array, i64: BigInt64Array, u64: BigUint64Array, bool: Uint8Array, bf16: Uint16Array },
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
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return "u8";
  if (data instanceof Uint16Array) return "u16";
  if (data instanceof Int16Array) return "i16";
  if (data instanceof Float32Array) return "f32";
  return undefined;
}

/** The grey of a pixel whose colours begin at an element, by the weights that OpenCV and Pillow have: not rounded. */
export const greyOf = (data: ArrayLike<number>, at: number): number =>
  0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;

export interface ImageLimits {
  /** Largest width or height, in pixels. */
  side: number;
  /** Largest width · height. */
  pixels: number;
}

/** Sides, channels and type of a picture without its data. */
export function checkPicture(picture: unknown, limits: ImageLimits): void {
  if (typeof picture !== "object" || picture === null) {
    const expected = "a picture { width, height, channels, dtype }";
    throw new InvalidArgumentError({ parameter: "picture", expected, received: describe(picture) });
  }
  const { width, height, channels, dtype } = picture as Record<string, unknown>;
  checkSides("picture", width, height, limits);
  checkInteger("picture.channels", channels, { min: 1, max: 4 });
  checkOneOf("picture.dtype", dtype, imageDTypes);
}

function checkSides(parameter: string, w: unknown, h: unknown, limits: ImageLimits): [width: number, height: number] {
  const [width, height] = [
    checkInteger(`${parameter}.width`, w, { min: 1 }),
    checkInteger(`${parameter}.height`, h, { min: 1 }),
  ];
  const raise = "createEngine({ limits })";
  checkLimit(`${parameter} side`, Math.max(width, height), limits.side, "pixels", raise);
  checkLimit(`${parameter} size`, width * height, limits.pixels, "pixels", raise);
  return [width, height];
}

/** A checked image, and whether its alpha channel is known to be one (an `ImageData` has RGBA by definition). */
export interface CheckedImage extends Image {
  readonly dtype: ImageDType;
  readonly knownAlpha: boolean;
}

/**
 * Accepts every form of {@link ImageLike} and checks it: integer sides of at least 1, 1 to 4 channels, and an array of
 * exactly width · height · channels elements. The data is not copied.
 */
export function checkImage(parameter: string, image: unknown, limits: ImageLimits): CheckedImage {
  if (typeof image !== "object" || image === null) {
    throw new InvalidArgumentError({
      parameter,
      expected: "an image { width, height, channels, data }",
      received: describe(image),
    });
  }
  const given = image as { info?: unknown; data?: unknown };
  const info = (typeof given.info === "object" && given.info !== null ? given.info : given) as Partial<Image>;
  const [width, height] = checkSides(parameter, info.width, info.height, limits);
  const isImageData = info.channels === undefined && given.data instanceof Uint8ClampedArray;
  const channels = isImageData ? 4 : checkInteger(`${parameter}.channels`, info.channels, { min: 1, max: 4 });
  const dtype = imageDTypeOf(given.data);
  if (dtype === undefined) {
    const expected = "a Uint8Array, Uint8ClampedArray, Uint16Array, Int16Array or Float32Array";
    throw new InvalidArgumentError({ parameter: `${parameter}.data`, expected, received: describe(given.data) });
  }
  const data = given.data as ImageArray;
  if (data.length !== width * height * channels) {
    throw new InvalidArgumentError({
      parameter: `${parameter}.data`,
      expected: `${width} x ${height} x ${channels} = ${width * height * channels} elements`,
      received: `${data.length}`,
    });
  }
  return { width, height, channels, data, dtype, knownAlpha: isImageData };
}

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

/** The sides of a tensor in either spelling, as they are given. Where both stand there, they are the same. */
export function sidesIn(parameter: string, tensor: unknown): unknown {
  const { shape, dims } = (typeof tensor === "object" && tensor !== null ? tensor : {}) as Record<string, unknown>;
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
    const expected = `${shape.join(" x ")} = ${length} elements`;
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

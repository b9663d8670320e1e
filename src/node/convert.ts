// Conversions between the numbers of a picture file and the numbers that filters take and give: grey, linear light, and
// signed results that are to be seen.
import { InvalidArgumentError } from "../errors.ts";
import { greyOf, type Image, type ImageDType, newArray, rangeOf } from "../tensor.ts";
import { fullScale, typeOf } from "./encode.ts";
import type { Picture } from "./pictures.ts";

type PictureDType = "u8" | "u16";
const maxOf: Readonly<Record<PictureDType, number>> = { u8: 255, u16: 65535 };

// The sRGB transfer curve, IEC 61966-2-1
const decode = (s: number): number => (s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4);
const encode = (v: number): number => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);

/**
 * The picture in linear light: f32 values from 0 to 1 by the sRGB curve (which Display P3 shares); alpha, which is
 * linear already, is only scaled. An embedded profile with another curve is not looked at; floats are linear as they are.
 */
export function toLinear(picture: Picture): Omit<Image, "data"> & { data: Float32Array } {
  const { width, height, channels, data } = picture;
  const type = typeOf(picture);
  if (type === "f32") return { width, height, channels, data: data as Float32Array };
  if (type !== "u8" && type !== "u16") {
    const expected = "a picture of u8, u16 or f32";
    throw new InvalidArgumentError({ parameter: "linear", expected, received: type });
  }
  const max = fullScale(picture);
  const table = Float32Array.from({ length: max + 1 }, (_, v) => decode(v / max));
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = table[data[i]!]!;
  if (picture.alpha) for (let i = channels - 1; i < data.length; i += channels) out[i] = data[i]! / max;
  return { width, height, channels, data: out };
}

/**
 * The picture in grey: 0.299 red + 0.587 green + 0.114 blue of the numbers in the file, as OpenCV and Pillow do; alpha stays, as do pictures that are not of three colours.
 * A colour profile describes colours, and goes with them.
 */
export function toGrey(picture: Picture): Picture {
  const { width, height, channels, data, alpha, metadata } = picture;
  if (channels - Number(alpha) !== 3) return picture;
  const type = typeOf(picture);
  const round = type.startsWith("f") ? (v: number) => v : Math.round;
  const out = newArray(type, (data.length / channels) * (alpha ? 2 : 1));
  for (let from = 0, to = 0; from < data.length; from += channels) {
    out[to++] = round(greyOf(data, from));
    if (alpha) out[to++] = data[from + 3]!;
  }
  return { width, height, channels: alpha ? 2 : 1, data: out, alpha, metadata };
}

/** The numbers of a picture as f32; alpha alone, of which 1 is opaque among floats, is scaled. */
export function toFloats(picture: Picture): Omit<Image, "data"> & { data: Float32Array } {
  const { width, height, channels } = picture;
  const data = Float32Array.from(picture.data);
  if (picture.alpha) scaleAlpha(data, channels, 1 / fullScale(picture));
  return { width, height, channels, data };
}

/** Floats with the alpha of a picture whose opaque pixels have `full`. */
export function fromFloats(
  { width, height, channels, data }: Image,
  full: number,
): Omit<Image, "data"> & { data: Float32Array } {
  const out = Float32Array.from(data);
  scaleAlpha(out, channels, full);
  return { width, height, channels, data: out };
}

function scaleAlpha(data: Float32Array, channels: number, factor: number): void {
  for (let i = channels - 1; i < data.length; i += channels) data[i] = data[i]! * factor;
}

const encodeSteps = 65536;
let encodeTable: Float64Array | undefined;

/** The sRGB curve of a value from 0 to 1, interpolated: off by less than 1e-7, a hundredth of a 16-bit step. */
function encodeFast(v: number): number {
  encodeTable ??= Float64Array.from({ length: encodeSteps + 2 }, (_, i) => encode(i / encodeSteps));
  const i = Math.floor(v * encodeSteps);
  return encodeTable[i]! + (v * encodeSteps - i) * (encodeTable[i + 1]! - encodeTable[i]!);
}

const clamp = (v: number, max: number): number => (v > 0 ? Math.min(v, max) : 0); // NaN becomes 0

/** The inverse of {@link toLinear}: rounded and saturated to the given type. */
export function fromLinear(image: Image, dtype: PictureDType, alpha: boolean): Picture {
  const { width, height, channels, data } = image;
  const max = maxOf[dtype];
  const out = newArray(dtype, data.length);
  for (let i = 0; i < data.length; i++) {
    const v = clamp(data[i]!, 1);
    out[i] = Math.round(max * (alpha && i % channels === channels - 1 ? v : encodeFast(v)));
  }
  return { width, height, channels, data: out, alpha };
}

/** Floats as values of a type: rounded and saturated where it is one of integers. */
export function toType(image: Image, type: ImageDType): Image {
  const out = newArray(type, image.data.length);
  if (type.startsWith("f")) out.set(image.data);
  else {
    const [low, high] = rangeOf[type as keyof typeof rangeOf];
    for (let i = 0; i < out.length; i++) out[i] = Math.max(low, Math.min(high, Math.round(image.data[i]!) || 0));
  }
  return { ...image, data: out };
}

/** How values below zero become a picture: their magnitude, 0, or zero as mid-grey. */
export type ShowMode = "abs" | "signed" | "clip";
export const showModes: readonly ShowMode[] = ["abs", "signed", "clip"];

/** What is known of the picture that a signed result, or rows of it, belong to. */
interface Shown {
  /** How many times as large values are shown. */
  times?: number;
  /** The usual peak; found in the image unless given. */
  peak?: number;
}

/**
 * A signed result as a picture of the given type; an alpha channel is kept.
 *
 * - `abs`: |v|, `times` as large, saturated: edges of both directions bright on black.
 * - `clip`: v, negative values as 0.
 * - `signed`: mid-grey (128 or 32768) + v · s, saturated, with zero exactly at mid-grey. s makes all but the largest
 *   half percent of |v| fit, so that faint results are seen too; for a fixed scale filter with gain and offset instead.
 */
export function showSigned(
  image: Image,
  mode: ShowMode,
  dtype: PictureDType,
  alpha: boolean,
  { times = 1, peak }: Shown = {},
): Picture {
  const { width, height, channels, data } = image;
  const max = maxOf[dtype];
  const colours = alpha ? channels - 1 : channels;
  const middle = (max + 1) / 2;
  const scale = mode === "signed" ? (middle - 1) / ((peak ?? usualPeak(image, colours)) || 1) : times;
  const show = {
    abs: (v: number) => Math.abs(v) * scale,
    clip: (v: number) => v,
    signed: (v: number) => middle + v * scale,
  }[mode];
  const out = newArray(dtype, data.length);
  for (let i = 0; i < data.length; i++) {
    const v = data[i]!;
    out[i] = Math.round(clamp(i % channels < colours ? show(v) : v, max));
  }
  return { width, height, channels, data: out, alpha };
}

/** The magnitude that all but half a percent of the colour values other than zero stay below, from a sample of them; 0 of none. */
export function usualPeak({ data, channels }: Image, colours: number): number {
  const { add, peak } = peakOf(data.length / channels, channels, colours);
  add(data);
  return peak();
}

/** {@link usualPeak} of so many pixels, which come in their order, some at a time. */
export function peakOf(pixels: number, channels: number, colours: number) {
  const step = channels * Math.ceil(pixels / 2 ** 17);
  const sample: number[] = [];
  let next = 0;
  return {
    add(data: Image["data"]): void {
      for (; next < data.length; next += step) {
        for (let c = 0; c < colours; c++) {
          const v = Math.abs(data[next + c]!);
          if (v > 0 && v < Infinity) sample.push(v);
        }
      }
      next -= data.length;
    },
    peak(): number {
      const sorted = Float64Array.from(sample).sort();
      return sorted[Math.floor(0.995 * (sorted.length - 1))] ?? 0;
    },
  };
}

// Turns a result of a network into a picture: what imageToTensor does, backwards.
import { checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { numbersOf } from "../graph/values.ts";
import { type Image, sidesIn, type TensorLike } from "../tensor.ts";
import { checkSize, scaleOf, type ValueScale } from "./image.ts";
import { resize } from "./resample.ts";

/** How a tensor is read as a picture. */
export interface TensorImageOptions extends ValueScale {
  /** Of the picture, in pixels; the tensor's own unless given. The proportions may change. */
  size?: {
    /** In pixels. */
    width: number;
    /** In pixels. */
    height: number;
  };
  /** Order of the tensor's axes. Where it is not given, channels come last if only the last side can be theirs. */
  layout?: "NCHW" | "NHWC";
}

/** A picture of 8 bits a channel. */
export interface ByteImage extends Image {
  readonly data: Uint8Array;
}

/** Where the elements of a picture lie in a tensor. */
export interface PictureAxes {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** 1, 3 or 4. */
  channels: number;
  /** Elements from one pixel to the next. */
  pixelStep: number;
  /** Elements from one channel to the next. */
  channelStep: number;
}

/** The axes of a shape that is a picture's, channels first or last; undefined if it is none. */
export function pictureAxes(shape: readonly number[], layout?: "NCHW" | "NHWC"): PictureAxes | undefined {
  const sides = shape.length === 2 ? [1, ...shape] : shape.slice(shape.length === 4 && shape[0] === 1 ? 1 : 0);
  if (sides.length !== 3 || sides.includes(0)) return undefined;
  const [first, middle, last] = sides as [number, number, number];
  const fits = (channels: number): boolean => [1, 3, 4].includes(channels);
  if (layout !== "NHWC" && fits(first))
    return { channels: first, height: middle, width: last, pixelStep: 1, channelStep: middle * last };
  if (layout === "NCHW" || !fits(last)) return undefined;
  return { channels: last, height: first, width: middle, pixelStep: last, channelStep: 1 };
}

/** What to do with results by name, and with results that are no picture. */
function tensorHint(tensor: unknown, shape: readonly number[]): string | undefined {
  const [name, first] = Object.entries(tensor ?? {})[0] ?? [];
  if (ArrayBuffer.isView((first as { data?: unknown } | undefined)?.data)) return `results[${describe(name)}]?`;
  return shape.length === 4 && shape[0]! > 1
    ? "one picture at a time: its part of data, with a 1 for the first side"
    : undefined;
}

/**
 * A tensor of shape [1, channels, height, width], [1, height, width, channels], the same without the 1, or [height, width] as
 * an 8-bit picture of 1 (grey), 3 (RGB) or 4 (RGBA) channels: the inverse of `imageToTensor`. Values beyond the range
 * saturate, NaN is black.
 *
 * @throws InvalidArgumentError for another shape, more than one picture, and malformed options.
 */
export function tensorToImage(tensor: TensorLike, options: TensorImageOptions = {}): ByteImage {
  const known = ["size", "layout", "range", "mean", "std", "order"] as const;
  const { size, layout, ...scale } = checkOptions<TensorImageOptions>("options", options, known);
  const given = checkSize(size);
  if (layout !== undefined) checkOneOf("layout", layout, ["NCHW", "NHWC"]);
  if (scale.order !== undefined) checkOneOf("order", scale.order, ["RGB", "BGR"]);
  const { data } = tensor ?? {};
  const sides = sidesIn("tensor", tensor);
  const shape = Array.isArray(sides) ? (sides as number[]) : [];
  const axes = pictureAxes(shape, layout);
  if (!axes || !ArrayBuffer.isView(data) || data.length !== shape.reduce((a, b) => a * b, 1)) {
    const expected = "a tensor of one picture: [1, channels, height, width] or [1, height, width, channels] with 1, 3 or 4 channels"; // biome-ignore format: a line
    const received = ArrayBuffer.isView(data) ? `${describe(data)} [${shape.join(", ")}]` : describe(data ?? tensor);
    throw new InvalidArgumentError({ parameter: "tensor", expected, received, hint: tensorHint(tensor, shape) });
  }
  const { width, height, channels, pixelStep, channelStep } = axes;
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  const scales = scaleOf(scale, channels, isFloat ? "f32" : "u8");
  const numbers = numbersOf({ data });
  const pixels = new Float64Array(width * height * channels);
  for (let pixel = 0, to = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < channels; c++, to++) {
      const from = scale.order === "BGR" && c < 3 && channels > 1 ? 2 - c : c;
      const { black, span, mean, std } = scales[from]!;
      const value = (numbers[pixel * pixelStep + from * channelStep]! * std + mean - black) / span;
      pixels[to] = value > 0 ? Math.min(255, 255 * value) : 0; // NaN is black
    }
  }
  const wanted = { width, height, ...given };
  const same = wanted.width === width && wanted.height === height;
  const resized = same ? pixels : resize({ width, height, channels, data: pixels }, channels, wanted);
  return { ...wanted, channels, data: Uint8Array.from(Uint8ClampedArray.from(resized, (value) => Math.floor(value + 0.5))) }; // biome-ignore format: a line
}

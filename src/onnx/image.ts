// Turns a picture into the input of a network: resized, scaled to 0..1, normalised, in the network's layout.
import { checkInteger, checkNumber, checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { checkImage, type F32Tensor, type ImageLike, rangeOf } from "../tensor.ts";

/** What a network wants of a picture. */
export interface ImageTensorOptions {
  /** Of the result, in pixels; the picture's own unless given. The proportions may change. */
  size?: {
    /** In pixels. */
    width: number;
    /** In pixels. */
    height: number;
  };
  /** 3 (default): red, green, blue, grey three times; 1: grey, colours weighted as in ITU-R BT.601. */
  channels?: 1 | 3;
  /** Taken from every value, which runs from 0 to 1: one number or one a channel. Default 0. */
  mean?: number | readonly number[];
  /** What every value is divided by after that. Default 1. */
  std?: number | readonly number[];
  /** Order of the result's axes. Default "NCHW", as most ONNX models have it. */
  layout?: "NCHW" | "NHWC";
}

const mostPixels = 2 ** 28;
const limits = { side: mostPixels, pixels: mostPixels };

/**
 * A picture as f32 of shape [1, channels, height, width] or [1, height, width, channels]: (value − mean) / std, where
 * values of u8 and u16 pictures are divided by their largest and those of f32 pictures are taken as they are. Alpha is
 * left out. Resizing interpolates linearly; where the picture shrinks, over as many pixels as become one (the triangle
 * filter of Pillow's BILINEAR), so that no detail aliases.
 *
 * @throws InvalidArgumentError for a malformed image or option.
 */
export function imageToTensor(image: ImageLike, options: ImageTensorOptions = {}): F32Tensor {
  const source = checkImage("image", image, limits);
  const known = ["size", "channels", "mean", "std", "layout"] as const;
  const checked = checkOptions<ImageTensorOptions>("options", options, known);
  const { size = source, channels = 3, mean = 0, std = 1, layout = "NCHW" } = checked;
  const [width, height] = [side("size.width", size.width), side("size.height", size.height)];
  checkOneOf("channels", String(channels), ["1", "3"]);
  checkOneOf("layout", layout, ["NCHW", "NHWC"]);
  const means = perChannel("mean", mean, channels);
  const stds = perChannel("std", std, channels);
  const colours = source.channels >= 3 ? 3 : 1;
  const range = source.dtype === "f32" ? 1 : rangeOf[source.dtype][1];
  const columns = resampled(source, colours, width);
  const pixels = resampled({ ...columns, width: source.height, height: width }, colours, height).data;
  const out = new Float32Array(channels * width * height);
  const [step, plane] = layout === "NCHW" ? [1, width * height] : [channels, 1];
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < channels; c++) {
      const at = i * colours;
      const value = colours === 1 ? pixels[at]! : channels === 3 ? pixels[at + c]! : luma(pixels, at);
      out[i * step + c * plane] = (value / range - means[c]!) / stds[c]!;
    }
  }
  const shape = layout === "NCHW" ? [1, channels, height, width] : [1, height, width, channels];
  return { shape, data: out };
}

const side = (parameter: string, value: unknown): number => checkInteger(parameter, value, { min: 1, max: 1 << 15 });

const luma = (rgb: Float64Array, at: number): number => 0.299 * rgb[at]! + 0.587 * rgb[at + 1]! + 0.114 * rgb[at + 2]!;

function perChannel(parameter: string, value: number | readonly number[], channels: number): number[] {
  const list = Array.isArray(value) ? value : Array.from({ length: channels }, () => value);
  if (list.length !== channels) {
    const expected = `one number or ${channels}`;
    throw new InvalidArgumentError({ parameter, expected, received: describe(value) });
  }
  return list.map((one) => {
    const number = checkNumber(parameter, one);
    if (parameter !== "std" || number !== 0) return number;
    throw new InvalidArgumentError({ parameter, expected: "numbers other than 0", received: "0" });
  });
}

interface Pixels {
  width: number;
  height: number;
  /** Interleaved; the first ones are colours. */
  channels: number;
  data: ArrayLike<number>;
}

/** Rows of another length, as the columns of the result: so the same again resamples the columns. */
function resampled({ width, height, channels, data }: Pixels, colours: number, length: number) {
  const out = new Float64Array(length * height * colours);
  for (let x = 0; x < length; x++) {
    const { first, weights } = weightsAt(x, width, length);
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < colours; c++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i]! * data[(y * width + first + i) * channels + c]!;
        out[(x * height + y) * colours + c] = sum;
      }
    }
  }
  return { channels: colours, data: out };
}

/** The weights of a triangle around place `i` of `to` that cover `from` pixels, and the first pixel that has one. */
function weightsAt(i: number, from: number, to: number): { first: number; weights: number[] } {
  const middle = ((i + 0.5) * from) / to - 0.5;
  const reach = Math.max(1, from / to);
  const first = Math.max(0, Math.floor(middle - reach) + 1);
  const last = Math.min(from - 1, Math.ceil(middle + reach) - 1);
  const weights = Array.from({ length: last - first + 1 }, (_, k) => 1 - Math.abs(first + k - middle) / reach);
  const sum = weights.reduce((a, b) => a + b, 0);
  return { first, weights: weights.map((weight) => weight / sum) };
}

// Pictures that are given: the forms in which they come, and the checks that make one form of all.
import { checkBoolean, checkInteger, checkLimit, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import {
  bytesOf,
  type Image,
  type ImageArray,
  type ImageDType,
  imageDTypeOf,
  imageDTypes,
  newArray,
  viewOf,
} from "../tensor.ts";
import { plural } from "../words.ts";

/** Pictures with more channels are refused. */
export const mostChannels = 1024;

/** Element types by the names that sharp's `info.depth` has for them. */
const depths: Readonly<Record<string, ImageDType>> = {
  ...{ uchar: "u8", char: "i8", ushort: "u16", short: "i16", uint: "u32", int: "i32", float: "f32", double: "f64" },
};

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
      /** Raw pixels, as sharp's `raw()` gives them: bytes of whatever type `depth` says. */
      readonly data: ArrayBufferView;
      /** What sharp says of them. */
      readonly info: {
        /** In pixels. */
        width: number;
        /** In pixels. */
        height: number;
        /** 1 to 1024, alpha among them. */
        channels: number;
        /** Element type: uchar, char, ushort, short, uint, int, float or double. Default: what the class of `data` says. */
        depth?: string;
        /** The last channel is alpha. Default false. */
        hasAlpha?: boolean;
        /** Colours are multiplied by alpha already. Default false. */
        premultiplied?: boolean;
      };
    };

export interface ImageLimits {
  /** Largest width or height, in pixels. */
  side: number;
  /** Largest width · height. */
  pixels: number;
}

/** What is known of a picture's alpha. */
export interface KnownAlpha {
  /** The last channel is alpha. */
  readonly hasAlpha: boolean;
  /** Colours are multiplied by it already. */
  readonly premultiplied: boolean;
}

/** What is so of the whole picture of which an array holds some rows. */
export interface Whole {
  /** The largest alpha. */
  largest: number;
  /** The least and the largest alpha that its filter reads; NaN where it reads a border that is not opaque. */
  read: readonly [least: number, largest: number];
}

/** Of arrays that hold rows of a larger picture: filters treat their alpha as that of the whole. @internal */
export const wholes: WeakMap<object, Whole> = new WeakMap();

/** The alpha that is opaque in a picture of floats, by the largest: 1, or where that is far larger, that of 8 or 16 bits. */
export const opaqueFor = (largest: number): number => [1, 255, 65535].find((full) => largest < 2 * full) ?? largest;

/** A picture without its data: sides, channels, type and what is known of alpha. */
export function checkPicture(picture: unknown, limits: ImageLimits): KnownAlpha {
  if (typeof picture !== "object" || picture === null) {
    const expected = "a picture { width, height, channels, dtype }";
    throw new InvalidArgumentError({ parameter: "picture", expected, received: describe(picture) });
  }
  const { width, height, channels, dtype, ...more } = picture as Record<string, unknown>;
  checkSides("picture", width, height, limits);
  const count = checkChannels("picture", channels);
  checkOneOf("picture.dtype", dtype, imageDTypes);
  return checkKnown("picture", more, count);
}

const isRight = (one: unknown, most: number): one is number =>
  Number.isSafeInteger(one) && (one as number) >= 1 && (one as number) <= most;

const checkChannels = (parameter: string, channels: unknown): number =>
  isRight(channels, mostChannels)
    ? channels
    : checkInteger(`${parameter}.channels`, channels, { min: 1, max: mostChannels });

const noAlpha = { hasAlpha: false, premultiplied: false } as const;

function checkKnown(parameter: string, given: Record<string, unknown>, channels: number): Required<KnownAlpha> {
  return given.hasAlpha === undefined && given.premultiplied === undefined
    ? noAlpha
    : checkSaid(parameter, given, channels);
}

function checkSaid(parameter: string, given: Record<string, unknown>, channels: number): Required<KnownAlpha> {
  const flag = (name: "hasAlpha" | "premultiplied"): boolean =>
    given[name] !== undefined && checkBoolean(`${parameter}.${name}`, given[name]);
  const known = { hasAlpha: flag("hasAlpha"), premultiplied: flag("premultiplied") };
  if (!known.hasAlpha || channels > 1) return { ...known, premultiplied: known.hasAlpha && known.premultiplied };
  const [expected, received] = ["false for a picture of 1 channel", "true"];
  throw new InvalidArgumentError({ parameter: `${parameter}.hasAlpha`, expected, received });
}

/** Sides that are right leave no garbage: every frame of a video comes here. */
function checkSides(parameter: string, w: unknown, h: unknown, limits: ImageLimits): void {
  const { side, pixels } = limits;
  if (isRight(w, side) && isRight(h, side) && w * h <= pixels) return;
  const [width, height] = [
    checkInteger(`${parameter}.width`, w, { min: 1 }),
    checkInteger(`${parameter}.height`, h, { min: 1 }),
  ];
  const raise = "createEngine({ limits })";
  checkLimit(`${parameter} side`, Math.max(width, height), limits.side, "pixels", raise);
  checkLimit(`${parameter} size`, width * height, limits.pixels, "pixels", raise);
}

/** A checked image, and what is known of its alpha channel (an `ImageData` has RGBA by definition). */
export interface CheckedImage extends Image, KnownAlpha {
  readonly hasAlpha: boolean;
  readonly premultiplied: boolean;
  readonly dtype: ImageDType;
}

/**
 * Accepts every form of {@link ImageLike} and checks it: integer sides of at least 1, channels, and an array of exactly
 * width · height · channels elements. The data is not copied, unless bytes are given that do not lie as their type wants it.
 */
export function checkImage(parameter: string, image: unknown, limits: ImageLimits): CheckedImage {
  if (typeof image !== "object" || image === null || Array.isArray(image)) {
    const files = typeof image === "string" || Array.isArray(image);
    throw new InvalidArgumentError({
      parameter,
      expected: `${files ? "one" : "an"} image { width, height, channels, data }`,
      received: describe(image),
      hint: files
        ? "files are filtered by filterFile of rank1/node, one in a call, and read by its readPicture"
        : undefined,
    });
  }
  if (ArrayBuffer.isView(image) || isSharp(image)) {
    throw new InvalidArgumentError({
      parameter,
      expected: "an image { width, height, channels, data }",
      received: describe(image),
      hint: isSharp(image)
        ? "await sharp.raw().toBuffer({ resolveWithObject: true }) gives one"
        : "bytes alone do not say their sides",
    });
  }
  const given = image as { info?: unknown; data?: unknown };
  const info = (typeof given.info === "object" && given.info !== null ? given.info : given) as Record<string, unknown>;
  checkSides(parameter, info.width, info.height, limits);
  const { width, height } = info as { width: number; height: number };
  const isImageData = info.channels === undefined && given.data instanceof Uint8ClampedArray;
  const channels = isImageData ? 4 : checkChannels(parameter, info.channels);
  const known = isImageData ? { hasAlpha: true, premultiplied: false } : checkKnown(parameter, info, channels);
  const { data, dtype } = elementsOf(parameter, given.data, info.depth);
  if (data.length !== width * height * channels) {
    throw new InvalidArgumentError({
      parameter: `${parameter}.data`,
      expected: `${width} x ${height} x ${channels} = ${plural(width * height * channels, "element")}`,
      received: `${data.length}`,
    });
  }
  const { hasAlpha, premultiplied } = known;
  return { width, height, channels, data, dtype, hasAlpha, premultiplied };
}

/** One of sharp's pipelines, whose pixels are not there yet. */
const isSharp = (image: object): boolean =>
  "toBuffer" in image && "raw" in image && typeof image.toBuffer === "function" && typeof image.raw === "function";

/** The array as what it holds: its class says it, or a depth beside plain bytes. */
function elementsOf(parameter: string, data: unknown, depth: unknown): { data: ImageArray; dtype: ImageDType } {
  const own = imageDTypeOf(data);
  if (own === undefined) {
    const expected = `an array of ${imageDTypes.join(", ")}: a Uint8Array, Float32Array, ...`;
    throw new InvalidArgumentError({ parameter: `${parameter}.data`, expected, received: describe(data) });
  }
  const array = data as ImageArray;
  if (depth === undefined) return { data: array, dtype: own };
  const dtype = depths[checkOneOf(`${parameter}.depth`, depth, Object.keys(depths))]!;
  if (dtype === own) return { data: array, dtype };
  const { buffer, byteOffset, byteLength } = array;
  if (own !== "u8" || byteLength % bytesOf[dtype] !== 0) {
    const expected = `bytes, or elements of the depth ${depth}`;
    throw new InvalidArgumentError({ parameter: `${parameter}.data`, expected, received: describe(data) });
  }
  const length = byteLength / bytesOf[dtype];
  if (byteOffset % bytesOf[dtype] === 0) return { data: viewOf(dtype, buffer, byteOffset, length), dtype };
  const copy = newArray(dtype, length);
  new Uint8Array(copy.buffer).set(array as Uint8Array);
  return { data: copy, dtype };
}

// Pictures from and to files through sharp. What the filters see are the numbers in the file, in the file's own colour
// space: a profile is never applied, only carried along; CMYK, Lab and floating point alone are converted (to 8-bit sRGB).
import { extname } from "node:path";
import sharp, { type Metadata, type Sharp } from "sharp";
import { checkInteger, checkLimit, InvalidArgumentError } from "../errors.ts";
import { type Image, newArray } from "../tensor.ts";
import { readBytes, writeAtomic } from "./files.ts";
import { tiffEnvelope } from "./tiff.ts";

/** A picture of a file: 1 (grey) or 3 (RGB) colour channels, and one more when it has an alpha channel. */
export interface Picture extends Image {
  readonly data: Uint8Array | Uint16Array;
  /** The last channel is alpha, not premultiplied. */
  readonly alpha: boolean;
  /** The embedded colour profile, byte for byte. */
  readonly icc?: Uint8Array;
}

interface Format {
  readonly extensions: readonly string[];
  /** Largest width or height that the format can hold, in pixels. */
  readonly side: number;
  readonly has16Bit: boolean;
  readonly hasAlpha: boolean;
}

/** The formats that can be written. */
export const pictureFormats = {
  png: { extensions: [".png"], side: 1e6, has16Bit: true, hasAlpha: true },
  jpeg: { extensions: [".jpg", ".jpeg"], side: 65535, has16Bit: false, hasAlpha: false },
  webp: { extensions: [".webp"], side: 16383, has16Bit: false, hasAlpha: true },
  tiff: { extensions: [".tif", ".tiff"], side: 1e8, has16Bit: true, hasAlpha: true },
  avif: { extensions: [".avif"], side: 16384, has16Bit: false, hasAlpha: true },
} as const satisfies Record<string, Format>;

export type PictureFormat = keyof typeof pictureFormats;

/** What sharp calls the containers that are read. */
const readable: Readonly<Record<string, string>> = {
  png: "PNG",
  jpeg: "JPEG",
  webp: "WebP",
  tiff: "TIFF",
  heif: "AVIF",
  gif: "GIF",
};
const convertible = ["cmyk", "lab", "labs", "scrgb"];

/** The format that a file's name asks for. Throws {@link InvalidArgumentError} on an unknown ending. */
export function formatOf(path: string): PictureFormat {
  const extension = extname(path).toLowerCase();
  const formats = Object.entries(pictureFormats) as [PictureFormat, Format][];
  const found = formats.find(([, { extensions }]) => extensions.includes(extension));
  if (found) return found[0];
  const known = formats.flatMap(([, { extensions }]) => extensions);
  const expected = `a name that ends in ${known.slice(0, -1).join(", ")} or ${known.at(-1)}`;
  throw new InvalidArgumentError({ parameter: path, expected, received: extension || "no ending" });
}

interface ReadOptions {
  /** Largest width · height, checked before the pixels are decoded; 2^30 unless given. */
  maxPixels?: number;
  /** What messages call the picture; the path, or "picture" for bytes, unless given. */
  name?: string;
  signal?: AbortSignal;
}

/**
 * Reads a PNG, JPEG, WebP, AVIF, TIFF or GIF picture (of an animation the first frame), upright whatever its EXIF
 * orientation says. 8 bits a channel or less give a Uint8Array of the full range 0..255, more give a Uint16Array.
 *
 * Throws {@link InvalidArgumentError} when the source is missing, not such a picture, broken or truncated, and
 * {@link LimitError} when it has more than `maxPixels` pixels.
 */
export async function readPicture(source: string | Uint8Array, options: ReadOptions = {}): Promise<Picture> {
  const { signal, maxPixels = 2 ** 30, name = typeof source === "string" ? source : "picture" } = options;
  const bytes = typeof source === "string" ? await readBytes(source, signal) : source;
  const metadata = await readMetadata(name, bytes);
  checkLimit(name, metadata.width * metadata.height, maxPixels, "pixels", "maxPixels");
  signal?.throwIfAborted();
  const { space, channels, hasAlpha: alpha } = metadata;
  const converted = convertible.includes(space);
  const wide = !converted && metadata.depth === "ushort";
  const grey = space === "b-w" || space === "grey16";
  // 8-bit grey with alpha goes through RGB, because sharp's raw 8-bit grey output would drop the alpha channel
  const target = wide ? (grey ? "grey16" : "rgb16") : grey && !alpha ? "b-w" : "srgb";
  const pixels = await decode(name, metadata.format, () =>
    sharp(bytes, { ...lenience, autoOrient: true, ignoreIcc: !converted })
      .toColourspace(target)
      .raw({ depth: wide ? "ushort" : "uchar" })
      .toBuffer({ resolveWithObject: true }),
  );
  signal?.throwIfAborted();
  const { width, height } = pixels.info;
  const data = wide ? asUint16(pixels.data) : asUint8(pixels.data);
  const icc = converted ? undefined : metadata.icc;
  if (grey && alpha && !wide) return { width, height, channels: 2, data: greyAlphaOf(data), alpha, icc };
  return { width, height, channels: converted ? (alpha ? 4 : 3) : channels, data, alpha, icc };
}

// Our own limit is checked on the metadata. "warning" is the one level at which corrupt JPEG data is an error.
const lenience = { limitInputPixels: false, limitInputChannels: false, failOn: "warning" } as const;

async function readMetadata(name: string, bytes: Uint8Array): Promise<Metadata> {
  const expected = "a PNG, JPEG, WebP, AVIF, TIFF or GIF picture";
  if (bytes.length === 0) throw new InvalidArgumentError({ parameter: name, expected, received: "an empty file" });
  const metadata = await decode(name, undefined, () => sharp(bytes, lenience).metadata());
  const { format, depth, space, channels } = metadata;
  if (readable[format] === undefined) throw new InvalidArgumentError({ parameter: name, expected, received: format });
  const plain = ["srgb", "rgb16", "b-w", "grey16"].includes(space) && (depth === "uchar" || depth === "ushort");
  if ((plain || convertible.includes(space)) && channels <= (space === "cmyk" ? 5 : 4)) return metadata;
  throw new InvalidArgumentError({
    parameter: name,
    expected: "a grey, RGB, CMYK or Lab picture of 8 or 16 bits a channel, with or without alpha",
    received: `${channels} channels of type ${depth} in colour space "${space}"`,
  });
}

/** Runs sharp, and turns whatever it throws into one sentence about the file. */
async function decode<T>(name: string, format: string | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const text = (error as Error).message.replace(/^Input \w+ (contains|has) /i, "");
    const unknown = text.startsWith("unsupported image format");
    const received = unknown ? "data of another kind" : `broken or truncated data (${lastLine(text)})`;
    const kind = format === undefined ? "PNG, JPEG, WebP, AVIF, TIFF or GIF" : readable[format];
    throw new InvalidArgumentError({ parameter: name, expected: `an intact ${kind} picture`, received, cause: error });
  }
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1)!.replace(/:$/, "");

/** A Buffer without Node's own methods, so that `slice` means what it means for every typed array. */
function asUint8({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function asUint16({ buffer, byteOffset, byteLength }: Uint8Array): Uint16Array {
  if (byteOffset % 2 === 0) return new Uint16Array(buffer, byteOffset, byteLength / 2);
  return new Uint16Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

function greyAlphaOf(rgba: Uint8Array | Uint16Array): Uint8Array {
  const out = new Uint8Array(rgba.length / 2);
  for (let i = 0; i < out.length; i += 2) {
    out[i] = rgba[2 * i]!;
    out[i + 1] = rgba[2 * i + 3]!;
  }
  return out;
}

interface WriteOptions {
  /**
   * Of JPEG, WebP and AVIF, 1 to 100; unless given 90, for AVIF 75. WebP and AVIF are lossless at 100; PNG and TIFF
   * always are.
   */
  quality?: number;
}

/**
 * The bytes of a picture file, with the picture's colour profile unchanged and no orientation. WebP and AVIF store grey
 * as RGB, and so without its profile, which fits grey alone.
 *
 * 16-bit data stays so in PNG and TIFF and is rounded to 8 bits for the others; for JPEG, which has no alpha, the
 * picture is laid on white. Throws {@link InvalidArgumentError} where the format cannot hold the picture.
 */
export async function encodePicture(
  picture: Picture,
  format: PictureFormat,
  options: WriteOptions = {},
): Promise<Buffer> {
  const { side, has16Bit, hasAlpha }: Format = pictureFormats[format];
  const quality = checkInteger("quality", options.quality ?? (format === "avif" ? 75 : 90), { min: 1, max: 100 });
  if (Math.max(picture.width, picture.height) > side) {
    const expected = `sides of at most ${side} pixels for ${format}`;
    const received = `${picture.width} x ${picture.height}`;
    throw new InvalidArgumentError({ parameter: "picture", expected, received });
  }
  const narrow = has16Bit ? picture : to8Bit(picture);
  const { width, height, channels, data, alpha, icc } = hasAlpha ? narrow : flattenOnWhite(narrow);
  const grey = channels - Number(alpha) === 1;
  const wide = data instanceof Uint16Array;
  // sharp takes no profile with raw pixels: those that have one travel in an uncompressed TIFF file
  const input = icc
    ? sharp(tiffEnvelope({ width, height, channels, data }, icc), lenience).keepIccProfile()
    : sharp(data, { raw: { width, height, channels: channels as 1 | 2 | 3 | 4 }, limitInputPixels: false });
  const output = input.toColourspace(wide ? (grey ? "grey16" : "rgb16") : grey ? "b-w" : "srgb");
  try {
    return await withFormat(output, format, quality).toBuffer();
  } catch (error) {
    const received = `an encoder error (${lastLine((error as Error).message)})`;
    throw new InvalidArgumentError({
      parameter: "picture",
      expected: `one that ${format} can hold`,
      received,
      cause: error,
    });
  }
}

/** The largest value of a picture's type: 255 or 65535. */
export function fullScale(picture: Picture): number {
  return picture.data instanceof Uint16Array ? 65535 : 255;
}

/** A 16-bit picture rounded to 8 bits (v / 257); an 8-bit picture is returned as it is. */
function to8Bit(picture: Picture): Picture {
  if (picture.data instanceof Uint8Array) return picture;
  const data = new Uint8Array(picture.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.round(picture.data[i]! / 257);
  return { ...picture, data };
}

/** The picture without its alpha channel, laid on white; one without alpha is returned as it is. */
function flattenOnWhite(picture: Picture): Picture {
  if (!picture.alpha) return picture;
  const { data, channels } = picture;
  const white = fullScale(picture);
  const colours = channels - 1;
  const out = newArray(data instanceof Uint16Array ? "u16" : "u8", (data.length / channels) * colours);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    const a = data[from + colours]! / white;
    for (let c = 0; c < colours; c++) out[to++] = Math.round(white + a * (data[from + c]! - white));
  }
  return { ...picture, channels: colours, data: out, alpha: false };
}

function withFormat(output: Sharp, format: PictureFormat, quality: number): Sharp {
  const lossless = quality === 100;
  switch (format) {
    case "png":
      return output.png({ adaptiveFiltering: true });
    case "tiff":
      return output.tiff({ compression: "deflate", predictor: "horizontal" });
    case "jpeg":
      return output.jpeg({ quality, chromaSubsampling: "4:4:4" });
    case "webp":
      return output.webp({ quality, lossless, exact: true });
    case "avif":
      return output.avif({ quality, lossless, effort: 2 }); // 9 times faster than sharp's 4, and as small
  }
}

/** {@link encodePicture} to a file, in the format of its name, atomically. */
export async function writePicture(
  path: string,
  picture: Picture,
  options: WriteOptions & { signal?: AbortSignal } = {},
): Promise<void> {
  const bytes = await encodePicture(picture, formatOf(path), options);
  options.signal?.throwIfAborted();
  await writeAtomic(path, bytes, options.signal);
}

// Pictures to files: through sharp, but for TIFF, arrays and raw pixels, which are written here.
import sharp, { type Sharp } from "sharp";
import { checkBoolean, checkInteger, InvalidArgumentError } from "../errors.ts";
import { checkImage, type ImageLike } from "../tensor/image.ts";
import { type ImageDType, imageDTypeOf, isFloat, newArray, rangeOf } from "../tensor.ts";
import { plural } from "../words.ts";
import { makeFoldersFor, writeAtomic } from "./files.ts";
import { checkFormat, type FileFormat, type FormatName, fileFormatOf, formatNamed, type PictureFormat } from "./formats.ts"; // biome-ignore format: a line
import { writeNpy } from "./npy.ts";
import { type Animation, lastLine, lenience, type Picture, type PictureFile } from "./pictures.ts";
import { pngEnvelope } from "./png.ts";
import { writeTiff } from "./tiff.ts";

/** How a picture is written. */
export interface WriteOptions {
  /** Of JPEG, WebP and AVIF, 1 to 100; unless given 90, for AVIF 75. WebP and AVIF are lossless at 100; PNG and TIFF always are. */
  quality?: number;
  /** Leaves out EXIF, XMP, the resolution and the colour profile. Default false. */
  strip?: boolean;
}

/** A file, and what was left out or converted for its format, a sentence each. */
export interface Encoded {
  bytes: Uint8Array;
  notes: string[];
  /** The first picture as it was written: fitted to the format's types and channels. */
  written: Picture;
}

/** The element type of a picture. */
export const typeOf = ({ data }: Pick<Picture, "data">): ImageDType => imageDTypeOf(data)!;

/** The value that is opaque in an alpha channel: 255 or 65535, 1 among floats. */
export function fullScale(picture: Pick<Picture, "data">): number {
  const type = typeOf(picture);
  return isFloat(type) ? 1 : rangeOf[type][1];
}

/** {@link encodePictures} of one picture: the bytes of its file. */
export async function encodePicture(
  picture: Picture,
  format: PictureFormat,
  options: WriteOptions = {},
): Promise<Uint8Array> {
  return (await encodePictures([picture], format, options)).bytes;
}

/**
 * The file of one picture, or of an animation's frames or a document's pages, with colour profiles and metadata unchanged and
 * no orientation. WebP and AVIF store grey as RGB, and so without its profile, which fits grey alone.
 *
 * 16-bit data stays so in PNG and TIFF and is rounded to 8 bits for the others; for JPEG, which has no alpha, the picture is
 * laid on white. Throws {@link InvalidArgumentError} where the format cannot hold the pictures.
 */
export async function encodePictures(
  pages: readonly Picture[],
  format: FileFormat,
  options: WriteOptions & { animation?: Animation; signal?: AbortSignal; name?: string } = {},
): Promise<Encoded> {
  const { animation, signal } = options;
  const { kept, notes, quality } = checkEncoding(pages, format, options);
  const written = kept[0]!;
  if (format === "npy") return { bytes: npyOf(written), notes, written };
  if (format === "raw") return { bytes: bytesIn(written), notes, written };
  if (format === "tiff") return { bytes: await writeTiff(kept, signal), notes, written };
  const fits = kept.map((page) => fitted(page, format));
  return { bytes: await throughSharp(fits, { format, quality, animation }), notes, written: fits[0]! };
}

/** What is written of pictures, with or without their pixels, and what is left out or converted, a sentence each. */
export function checkEncoding(
  pages: readonly Picture[],
  format: FileFormat,
  { strip, animation, name = "picture", ...options }: WriteOptions & { animation?: Animation; name?: string },
): { kept: Picture[]; notes: string[]; quality: number } {
  const quality = checkQuality(options.quality ?? (format === "avif" ? 75 : 90));
  checkPages(pages, format, name);
  const bare = strip !== undefined && checkBoolean("strip", strip);
  const kept = bare ? pages.map(({ icc: _, metadata: __, ...page }) => page) : [...pages];
  return { kept, notes: lossesOf(kept, format, animation), quality };
}

/** Checks a quality: an integer from 1 to 100. */
export const checkQuality = (quality: number): number => checkInteger("quality", quality, { min: 1, max: 100 });

function checkPages(pages: readonly Picture[], format: FileFormat, parameter: string): void {
  const { title, side, several, anyChannels } = formatNamed(format);
  const wrong = (expected: string, received: string, hint?: string): never => {
    throw new InvalidArgumentError({ parameter, expected, received, hint });
  };
  checkCount(pages.length, format, parameter);
  const [{ width, height, channels }] = pages as [Picture];
  for (const page of pages) {
    const size = `${page.width} x ${page.height}`;
    if (Math.max(page.width, page.height) > side) wrong(`sides of at most ${side} pixels for ${format}`, size);
    if (several === "frames" && (page.width !== width || page.height !== height || page.channels !== channels))
      wrong(`frames of one size for ${title}`, `${width} x ${height} and ${size}`, "TIFF holds pages of any size");
    checkType(typeOf(page), format, parameter);
  }
  const colours = pages.map((page) => page.channels - Number(page.alpha));
  if (!anyChannels && colours.some((count) => count !== 1 && count !== 3))
    wrong(
      `1 or 3 colour channels for ${title}, and alpha`,
      plural(channels, "channel"),
      "TIFF, .npy and .raw hold any",
    );
}

/** Checks that a format holds so many pictures. */
export function checkCount(count: number, format: FileFormat, parameter = "picture"): void {
  const { title, several } = formatNamed(format);
  if (count === 1 || (count > 1 && several)) return;
  const expected = several ? "at least one picture" : `one picture for ${title}`;
  const hint = count > 1 ? "page picks one (--page 1), .tiff holds all, .webp and .gif those of one size" : undefined;
  throw new InvalidArgumentError({ parameter, expected, received: `${count}`, hint });
}

/** Checks that a format holds values of a type: 16-bit levels are rounded where they have to be, nothing else is. */
export function checkType(type: ImageDType, format: FileFormat, parameter = "picture"): void {
  const { title, types } = formatNamed(format);
  if (types.includes(type) || type === "u16") return;
  const expected = `u8 or u16 values for ${title}`;
  const hint = "TIFF, .npy and .raw hold them; type u8 or u16 rounds and saturates";
  throw new InvalidArgumentError({ parameter, expected, received: type, hint });
}

/** What a format does not hold of pictures. */
function lossesOf(pages: readonly Picture[], format: FileFormat, animation: Animation | undefined): string[] {
  const { title, types, hasAlpha, metadata, several } = formatNamed(format);
  const some = (wanted: (page: Picture) => unknown): boolean => pages.some((page) => wanted(page));
  const lost = [
    ...(some((page) => page.icc) ? ["the colour profile"] : []),
    ...(some((page) => page.metadata?.exif) ? ["EXIF"] : []),
    ...(some((page) => page.metadata?.xmp) ? ["XMP"] : []),
    ...(some((page) => page.metadata?.density) ? ["the resolution"] : []),
  ];
  return [
    ...(!types.includes("u16") && some((page) => typeOf(page) === "u16") ? [`16 bits a channel become 8: ${title} holds no more`] : []), // biome-ignore format: a line
    ...(!hasAlpha && some((page) => page.alpha) ? [`${title} has no alpha: the picture is laid on white`] : []),
    ...(!metadata && lost.length > 0 ? [`${lost.join(", ")} left out: ${title} has no place for it`] : []),
    ...(animation && pages.length > 1 && several === "pages" ? [`the times of frames left out: ${title} has pages`] : []), // biome-ignore format: a line
  ];
}

function bytesIn({ data: { buffer, byteOffset, byteLength } }: Picture): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** An array of [height, width], or of [height, width, channels]. */
const npyOf = ({ width, height, channels, data }: Picture): Uint8Array =>
  writeNpy({ shape: channels === 1 ? [height, width] : [height, width, channels], data });

/** What such a file begins with: all of it where the picture comes without its pixels. */
export const npyHead = npyOf;

/** A picture as a format of sharp's holds it. */
export function fitted(picture: Picture, format: FileFormat): Picture {
  const { types, hasAlpha } = formatNamed(format);
  const narrow = types.includes("u16") ? picture : to8Bit(picture);
  return hasAlpha ? narrow : flattenOnWhite(narrow);
}

/** A 16-bit picture rounded to 8 bits (v / 257); an 8-bit picture is returned as it is. */
function to8Bit(picture: Picture): Picture {
  if (typeOf(picture) === "u8") return picture;
  const data = new Uint8Array(picture.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.round(picture.data[i]! / 257);
  return { ...picture, data };
}

/** The picture without its alpha channel, laid on white; one without alpha is returned as it is. Integers are rounded. */
export function flattenOnWhite(picture: Picture, white = fullScale(picture)): Picture {
  if (!picture.alpha) return picture;
  const { data, channels } = picture;
  const full = fullScale(picture);
  const round = typeOf(picture).startsWith("f") ? (v: number) => v : Math.round;
  const colours = channels - 1;
  const out = newArray(typeOf(picture), (data.length / channels) * colours);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    const a = data[from + colours]! / full;
    for (let c = 0; c < colours; c++) out[to++] = round(white + a * (data[from + c]! - white));
  }
  const { width, height, icc, metadata } = picture;
  return { width, height, channels: colours, data: out, alpha: false, icc, metadata };
}

interface Encoding {
  format: FileFormat;
  quality: number;
  animation?: Animation;
}

async function throughSharp(pages: readonly Picture[], { format, quality, animation }: Encoding): Promise<Uint8Array> {
  const [{ icc, metadata }] = pages as [Picture];
  // sharp takes no profile and no EXIF with raw pixels: those that have some travel in an uncompressed PNG file
  const travels = formatNamed(format).metadata && (icc || metadata);
  const input = travels ? inEnvelopes(pages).keepMetadata() : plain(pages);
  try {
    return await encoder(input, pages[0]!, { format, quality, animation }).toBuffer();
  } catch (error) {
    const received = `an encoder error (${lastLine((error as Error).message)})`;
    const expected = `one that ${format} can hold`;
    throw new InvalidArgumentError({ parameter: "picture", expected, received, cause: error });
  }
}

/** Encodes what holds a picture's pixels in its own colour space. */
export function encoder(input: Sharp, { channels, alpha, data }: Picture, encoding: Encoding): Sharp {
  const grey = channels - Number(alpha) === 1;
  const wide = typeOf({ data }) === "u16";
  return withFormat(input.toColourspace(wide ? (grey ? "grey16" : "rgb16") : grey ? "b-w" : "srgb"), encoding);
}

/** Raw pixels; frames one below the other. */
function plain(pages: readonly Picture[]): Sharp {
  const [{ width, height, channels, data }] = pages as [Picture];
  const sides = { width, height: height * pages.length, channels: channels as 1 | 2 | 3 | 4, pageHeight: height };
  if (pages.length === 1) return sharp(data, { raw: sides, limitInputPixels: false });
  const tall = newArray(typeOf({ data }), data.length * pages.length);
  for (const [i, page] of pages.entries()) tall.set(page.data, i * data.length);
  return sharp(tall as Uint8Array, { raw: sides, limitInputPixels: false });
}

function inEnvelopes(pages: readonly Picture[]): Sharp {
  const files = pages.map((page, i) => pngEnvelope(i === 0 ? page : { ...page, icc: undefined, metadata: undefined }));
  return files.length === 1 ? sharp(files[0]!, lenience) : sharp(files, { ...lenience, join: { animated: true } });
}

function withFormat(output: Sharp, { format, quality, animation }: Encoding): Sharp {
  const lossless = quality === 100;
  const times = animation ? { delay: [...animation.delays], loop: animation.loop } : {};
  switch (format) {
    case "png":
      return output.png({ adaptiveFiltering: true });
    case "jpeg":
      return output.jpeg({ quality, chromaSubsampling: "4:4:4" });
    case "webp":
      return output.webp({ quality, lossless, exact: true, ...times });
    case "avif":
      return output.avif({ quality, lossless, effort: 2 }); // 9 times faster than sharp's 4, and as small
    default:
      return output.gif(times);
  }
}

/** What can be written: a picture of {@link readPicture}, or any that an engine takes or gives. */
export type Writable = ImageLike & Partial<Pick<Picture, "alpha" | "icc" | "metadata">>;

/** Several pictures that can be written: frames or pages, in their order. */
export interface SeveralWritable extends Pick<PictureFile, "animation"> {
  /** At least one; of formats without frames and pages one alone. */
  readonly pages: readonly Writable[];
}

/** A picture as files have it. Alpha is what `hasAlpha` or `alpha` says of a last channel beside one or three colours. */
function asPicture(parameter: string, given: Writable): Picture {
  const limit = Number.MAX_SAFE_INTEGER;
  const { dtype: _, premultiplied, ...image } = checkImage(parameter, given, { side: limit, pixels: limit });
  if (premultiplied) {
    const [expected, received] = ["colours that are not multiplied by alpha", "premultiplied: true"];
    throw new InvalidArgumentError({ parameter, expected, received });
  }
  const { alpha = false, icc, metadata } = given;
  return { ...image, alpha: (image.hasAlpha || alpha) && image.channels % 2 === 0, icc, metadata };
}

/**
 * Writes a picture, or several as frames or pages, in the format of the file's name, atomically: one of {@link readPicture}, or a
 * result of an engine (`{ ...read, ...result }` keeps the file's colour profile, EXIF, XMP and resolution). Folders that are
 * missing are made, a file that exists is replaced.
 *
 * @throws InvalidArgumentError where the format cannot hold the pictures, or the file cannot be written.
 */
export async function writePicture(
  path: string,
  picture: Writable | SeveralWritable,
  options: WriteOptions & {
    /** The format, where the name does not tell. */
    format?: FormatName;
    /** Stops the call; nothing is written then. */
    signal?: AbortSignal;
  } = {},
): Promise<void> {
  const { signal, format, ...rest } = options;
  const wanted = format === undefined ? fileFormatOf(path) : checkFormat("format", format);
  const several = typeof picture === "object" && picture !== null && "pages" in picture && Array.isArray(picture.pages);
  const { pages: given, animation } = several ? picture : { pages: [picture as Writable], animation: undefined };
  const pages = given.map((page, i) => asPicture(several ? `pages[${i}]` : "picture", page));
  const { bytes } = await encodePictures(pages, wanted, { ...rest, animation, signal });
  signal?.throwIfAborted();
  await makeFoldersFor(path);
  await writeAtomic(path, bytes, signal);
}

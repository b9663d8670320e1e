// Pictures from files, through sharp. What the filters see are the numbers in the file, in the file's own colour space: a
// profile is never applied, only carried along; CMYK and Lab alone are converted (to 8-bit sRGB).
import sharp, { type Metadata as Found } from "sharp";
import { checkInteger, checkLimit, InvalidArgumentError } from "../errors.ts";
import { mostChannels } from "../tensor/image.ts";
import { type Image, type ImageArray, type ImageDType, imageDTypes, newArray, storedIn } from "../tensor.ts";
import { plural } from "../words.ts";
import { readArray } from "./arrays.ts";
import type { Directory } from "./directories.ts";
import { readBytes } from "./files.ts";
import type { FileFormat } from "./formats.ts";
import { endOfGif } from "./gif.ts";
import { type Metadata, metadataOf } from "./metadata.ts";
import { isNpy } from "./npy.ts";
import { framesOfPng } from "./png.ts";
import { doublesOf, type ReadableTiff, readableTiff, saysAlpha } from "./tiff-read.ts";

/** A picture of a file: 1 (grey) or 3 (RGB) colour channels, and one more when it has an alpha channel. */
export interface Picture extends Image {
  /** Height · width · channels values, row by row. An alpha of 255 or 65535, among floats of 1, is opaque. */
  readonly data: ImageArray;
  /** The last channel is alpha, not premultiplied; so `hasAlpha` says to an engine. */
  readonly alpha: boolean;
  /** The embedded colour profile, byte for byte. */
  readonly icc?: Uint8Array;
  /** EXIF, XMP and the resolution, as far as the file has them. */
  readonly metadata?: Metadata;
}

/** All pictures of a file. */
export interface PictureFile {
  /** In their order: one, or the frames of an animation, or the pages of a document. */
  readonly pages: readonly Picture[];
  /** Of an animation: how long each frame is seen, in milliseconds, and how often all are (0: for ever). */
  readonly animation?: Animation;
  /** What was converted or left out in reading, a sentence each. */
  readonly notes: readonly string[];
  /** The format of the file. */
  readonly format: FileFormat;
}

/** The times of an animation. */
export interface Animation {
  /** How long each frame is seen, in milliseconds. */
  readonly delays: readonly number[];
  /** How often all frames are seen; 0: for ever. */
  readonly loop: number;
}

/** What sharp calls the containers that are read. */
export const readable: Readonly<Record<string, string>> = {
  png: "PNG",
  jpeg: "JPEG",
  webp: "WebP",
  tiff: "TIFF",
  heif: "AVIF",
  gif: "GIF",
};
export const convertible: Readonly<Record<string, string>> = { cmyk: "CMYK", lab: "Lab", labs: "Lab" };
/** Element types by what sharp calls them. */
export const depths: Readonly<Record<string, string>> = {
  ...{ uchar: "u8", char: "i8", ushort: "u16", short: "i16", uint: "u32", int: "i32", float: "f32", double: "f64" },
};

/** How a picture is read. */
export interface ReadOptions {
  /** Which one of several frames or pages, from 1. */
  page?: number;
  /** Largest width · height (of all pages together where all are read), checked before the pixels are decoded; 2^30 unless given. */
  maxPixels?: number;
  /** What messages call the picture; the path, or "picture" for bytes, unless given. */
  name?: string;
  /** Stops the call. */
  signal?: AbortSignal;
}

/**
 * Reads a PNG, JPEG, WebP, AVIF, TIFF or GIF picture (of several frames or pages the first, or the one that `page` says),
 * upright whatever its EXIF orientation says, or a .npy array of [height, width] or [height, width, channels]. 8 bits a channel
 * or less give a Uint8Array of the full range 0..255, 16 bits a Uint16Array, floats a Float32Array; arrays keep their values.
 *
 * @throws InvalidArgumentError when the source is missing, not such a picture, broken or truncated; LimitError when it has
 * more than `maxPixels` pixels.
 */
export async function readPicture(source: string | Uint8Array, options: ReadOptions = {}): Promise<Picture> {
  const { pages } = await readPictures(source, { page: 1, ...options });
  return pages[0]!;
}

/** What reading works with. */
interface Source {
  name: string;
  bytes: Uint8Array;
  tiff: ReadableTiff;
  found: Found;
  signal?: AbortSignal;
}

/** As {@link readPicture}, of all frames or pages; with `page` of that one. */
export async function readPictures(source: string | Uint8Array, options: ReadOptions = {}): Promise<PictureFile> {
  const { signal, maxPixels = 2 ** 30, name = typeof source === "string" ? source : "picture" } = options;
  const wanted = options.page === undefined ? undefined : checkInteger("page", options.page, { min: 1 });
  const given = typeof source === "string" ? await readBytes(source, signal) : source;
  if (isNpy(given, name)) {
    checkPage(name, wanted, 1);
    return readArray(given, name, maxPixels);
  }
  const tiff = readableTiff(given);
  const { bytes } = tiff;
  const found = await readMetadata(name, tiff, 0);
  const count = found.pages ?? 1;
  checkPage(name, wanted, count);
  const end = found.format === "gif" ? endOfGif(bytes) : "whole";
  if (end === "cut") throw broken(name, readable.gif!, `it ends within frame ${count}`);
  const first = { name, bytes, tiff, found, signal };
  const all = wanted === undefined && count > 1;
  const animated = found.format === "gif" || found.format === "webp";
  const pages =
    all && animated && (found.orientation ?? 1) === 1
      ? await readFrames(first, maxPixels)
      : await readEach(first, all ? [...Array(count).keys()] : [(wanted ?? 1) - 1], maxPixels);
  const animation = all && animated ? { delays: found.delay ?? [], loop: found.loop ?? 0 } : undefined;
  const notes = notesOf(found, bytes);
  if (end === "unmarked") notes.unshift("the file ends without an end mark: frames may be missing");
  return { pages, ...(animation && { animation }), notes, format: formatFound(found) };
}

export const formatFound = ({ format }: Found): FileFormat => (format === "heif" ? "avif" : (format as FileFormat));

/** What is converted or left out; `bytes` are those of the file, or what it begins with. */
export function notesOf(found: Found, bytes: Uint8Array): string[] {
  const frames = found.format === "png" ? framesOfPng(bytes) : 1;
  const notes = frames > 1 ? [`of the ${frames} frames of an animated PNG only the first can be read`] : [];
  const colours = convertible[found.space];
  if (colours) notes.push(`${colours} is converted to RGB of 8 bits a channel`);
  const depth = depths[found.depth]!;
  if (!colours && typeRead(found) !== depth) notes.push(`${depth} is converted to ${typeRead(found)}`);
  return notes;
}

/** Has libvips look at files anew: it takes those that it knows by their names for what they were. */
export function forgetFiles(): void {
  const { memory, files, items } = sharp.cache();
  sharp.cache(false);
  sharp.cache({ memory: memory.max, files: files.max, items: items.max });
}

/** What a file's pictures take when they are decoded, in bytes, about; of what is no picture, its own bytes. */
export async function bytesWhenDecoded(
  file: Uint8Array | string,
  size: number = file.length,
  page?: number,
): Promise<number> {
  if (size === 0) return 0; // sharp takes none; who reads it says so with its name
  if (typeof file === "string") forgetFiles();
  const found = await sharp(file, lenience).metadata().catch(() => undefined); // biome-ignore format: a line
  if (!found) return size;
  const { width, height, pageHeight = height, channels, depth } = found;
  const pages = page === undefined ? (found.pages ?? 1) : 1;
  return width * pageHeight * pages * Math.max(channels, 3) * (depth === "uchar" ? 1 : depth === "ushort" ? 2 : 4);
}

/** Refuses a page behind the last one. */
export function checkPage(name: string, page: number | undefined, count: number): void {
  if (page === undefined || page <= count) return;
  const expected = count === 1 ? "page 1, the only one" : `a page from 1 to ${count}`;
  throw new InvalidArgumentError({ parameter: name, expected, received: `page ${page}` });
}

const pixelsIn = ({ width, height, pageHeight }: Found): number => width * (pageHeight ?? height);

/** Pages one after another; each may have a size and a type of its own. */
async function readEach(source: Source, indices: readonly number[], maxPixels: number): Promise<Picture[]> {
  const { name, tiff, signal } = source;
  const all = await Promise.all(indices.map((page) => (page === 0 ? source.found : readMetadata(name, tiff, page))));
  const total = all.reduce((sum, found) => sum + pixelsIn(found), 0);
  checkLimit(name, total, maxPixels, "pixels", "maxPixels");
  const pages: Picture[] = [];
  for (const [i, found] of all.entries()) {
    signal?.throwIfAborted();
    pages.push(await readPage({ ...source, found }, { page: indices[i]!, autoOrient: true }));
  }
  return pages;
}

/** The frames of an animation, decoded in one go: each is drawn over the one before it. */
async function readFrames(source: Source, maxPixels: number): Promise<Picture[]> {
  const count = source.found.pages!;
  checkLimit(source.name, count * pixelsIn(source.found), maxPixels, "pixels", "maxPixels");
  const { data, ...tall } = await readPage(source, { pages: -1 });
  const height = tall.height / count;
  const length = data.length / count;
  return Array.from({ length: count }, (_, i) => ({
    ...tall,
    ...{ height, data: data.subarray(i * length, (i + 1) * length) },
  }));
}

/** The element type that a page is read as: its own, or 32-bit floats. */
export function typeRead({ space, depth }: Found): ImageDType {
  if (space in convertible) return "u8";
  return imageDTypes.find((one) => one === depths[depth]) ?? "f32";
}

/** One page, or all frames one below the other. */
async function readPage(
  { name, bytes, tiff, found, signal }: Source,
  which: { page?: number; pages?: number; autoOrient?: boolean },
): Promise<Picture> {
  signal?.throwIfAborted();
  const directory = tiff.directories[which.page ?? 0];
  const isWide = tiff.wide.has(which.page ?? 0);
  const { space, channels, hasAlpha: alpha } = found;
  const converted = space in convertible;
  const type = typeRead(found);
  const grey = space === "b-w" || space === "grey16";
  // Grey of 8 bits or floats with alpha goes through RGB, because sharp's raw grey output would drop the alpha channel
  const throughRgb = alpha && (space === "b-w" || (grey && type === "u8"));
  const spaces = { u8: grey && !alpha ? "b-w" : "srgb", u16: grey ? "grey16" : "rgb16" };
  // sharp would cut values below zero off: their bits are read as those of unsigned ones
  const signed = space === "grey16" && type === "i16";
  const target = type === "u8" || type === "u16" ? spaces[type] : throughRgb ? "srgb" : space;
  const raw = Object.keys(depths).find((one) => depths[one] === (signed ? "u16" : isWide ? "u32" : type))! as "uchar";
  const pixels = await decode({ name, bytes }, found.format, () =>
    sharp(signed ? asUnsigned(bytes, directory) : bytes, { ...lenience, ...which, ignoreIcc: !converted })
      .toColourspace(target)
      .raw({ depth: raw })
      .toBuffer({ resolveWithObject: true }),
  );
  signal?.throwIfAborted();
  const { height } = pixels.info;
  const width = isWide ? pixels.info.width / 2 : pixels.info.width;
  const data = isWide ? doublesOf(pixels.data, bytes[0] === 0x49) : (storedIn(type, pixels.data) as ImageArray);
  const icc = converted ? undefined : found.icc;
  const rest = { alpha, ...(alpha && { hasAlpha: true }), icc, metadata: metadataOf(found, directory) };
  if (throughRgb) return { width, height, channels: 2, data: greyAlphaOf(type, data), ...rest };
  return { width, height, channels: converted ? (alpha ? 4 : 3) : channels, data, ...rest };
}

// Our own limit is checked on the metadata. "warning" is the one level at which corrupt JPEG data is an error.
export const lenience = { limitInputPixels: false, limitInputChannels: false, failOn: "warning" } as const;

/** What sharp tells of a page; `path` names the file where `bytes` are only what it begins with. */
export async function readMetadata(
  name: string,
  { bytes, directories, wide }: ReadableTiff,
  page: number,
  path?: string,
): Promise<Found> {
  const expected = "a PNG, JPEG, WebP, AVIF, TIFF or GIF picture";
  if (bytes.length === 0) throw new InvalidArgumentError({ parameter: name, expected, received: "an empty file" });
  const found = await decode({ name, bytes }, undefined, () => sharp(path ?? bytes, { ...lenience, page }).metadata());
  const { format, depth, space, channels, width } = found;
  if (readable[format] === undefined) throw new InvalidArgumentError({ parameter: name, expected, received: format });
  const plain = ["srgb", "rgb16", "b-w", "grey16", "scrgb"].includes(space) && depth in depths;
  const most = format === "tiff" && plain ? mostChannels : space === "cmyk" ? 5 : 4;
  if ((plain || space in convertible) && channels <= most) {
    const hasAlpha = channels > 4 && plain ? saysAlpha(directories[page]) : found.hasAlpha;
    return { ...found, hasAlpha, ...(wide.has(page) && { width: width / 2, depth: "double" as const }) };
  }
  throw new InvalidArgumentError({
    parameter: name,
    expected: "a grey, RGB, CMYK or Lab picture, with or without alpha",
    received: `${plural(channels, "channel")} of type ${depth} in colour space "${space}"`,
  });
}

/** Runs sharp, and turns whatever it throws into one sentence about the file. */
export async function decode<T>(
  { name, bytes }: Pick<Source, "name" | "bytes">,
  format: string | undefined,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (isHevc(bytes)) {
      const [expected, received] = ["a PNG, JPEG, WebP, AVIF, TIFF or GIF picture", "a HEIC picture (HEVC)"];
      const hint = "this build of sharp has no decoder for it: convert it first, e.g. with heif-convert or ImageMagick";
      throw new InvalidArgumentError({ parameter: name, expected, received, hint, cause: error });
    }
    const text = (error as Error).message.replace(/^Input \w+ (contains|has) /i, "");
    const kind = format === undefined ? "PNG, JPEG, WebP, AVIF, TIFF or GIF" : readable[format]!;
    if (text.includes("samples out of range")) {
      const [expected, received] = ["numbers of at most 32 bits, or 64-bit floats stored as they are", "other numbers"];
      throw new InvalidArgumentError({ parameter: name, expected, received, cause: error });
    }
    if (!text.startsWith("unsupported image format")) throw broken(name, kind, whyOf(text), error);
    const [expected, received] = [`an intact ${kind} picture`, "data of another kind"];
    throw new InvalidArgumentError({ parameter: name, expected, received, cause: error });
  }
}

/** The last of a decoder's messages. Of a warning sharp keeps nothing at times but that there was one. */
const whyOf = (text: string): string =>
  /failOn/.test(lastLine(text)) ? "the decoder warns of damage" : lastLine(text);

function broken(parameter: string, kind: string, why: string, cause?: unknown): InvalidArgumentError {
  const [expected, received] = [`an intact ${kind} picture`, `broken or truncated data (${why})`];
  return new InvalidArgumentError({ parameter, expected, received, cause });
}

/** Whether a file says that it is of HEIC's brands, and of none of AVIF's. */
function isHevc(bytes: Uint8Array): boolean {
  const text = String.fromCharCode(...bytes.subarray(4, 12), ...bytes.subarray(16, Math.min(bytes[3] ?? 0, 128)));
  return text.startsWith("ftyp") && /hei[cxms]|hev[cxms]/.test(text) && !/avi[fs]/.test(text);
}

export const lastLine = (text: string): string => text.trim().split("\n").at(-1)!.replace(/:$/, "");

/** A TIFF whose page says that its numbers have no sign. */
function asUnsigned(bytes: Uint8Array, directory: Directory | undefined): Uint8Array {
  const out = new Uint8Array(bytes);
  const format = directory?.tags.find(({ tag }) => tag === 339);
  const view = new DataView(out.buffer);
  for (let i = 0; format && i < format.data.length; i += 2) view.setUint16(format.at! + i, 1, out[0] === 0x49);
  return out;
}

function greyAlphaOf(type: ImageDType, rgba: ImageArray): ImageArray {
  const out = newArray(type, rgba.length / 2);
  for (let i = 0; i < out.length; i += 2) {
    out[i] = rgba[2 * i]!;
    out[i + 1] = rgba[2 * i + 3]!;
  }
  return out;
}

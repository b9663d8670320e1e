// Pictures of files, read some rows at a time. What is encoded lies meanwhile as plain pixels in a file of libvips' own format
// (a header of 64 bytes, then rows), which it writes without holding the picture; arrays and raw pixels lie so already.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import sharp, { type Metadata as Found } from "sharp";
import { checkLimit, describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { bytesOf, type ImageArray, type ImageDType, isImageDType, newArray } from "../tensor.ts";
import { checkRawSize, checkShape, type RawSpec } from "./arrays.ts";
import { type Bytes, readDirectories } from "./directories.ts";
import { typeOf } from "./encode.ts";
import { forgetTemporary, fullDisk, isFull, temporaryBeside } from "./files.ts";
import type { FileFormat } from "./formats.ts";
import { metadataOf } from "./metadata.ts";
import { isNpy, lookAtNpy } from "./npy.ts";
import { checkPage, convertible, decode, depths, forgetFiles, formatFound, lenience, notesOf, type Picture, readMetadata, typeRead } from "./pictures.ts"; // biome-ignore format: a line
import { isReadable, type ReadableTiff } from "./tiff-read.ts";
import { upright } from "./upright.ts";

/** A picture whose rows are read when they are asked for. */
export interface RowSource {
  /** Without its pixels: `data` is an empty array of its type. */
  readonly picture: Picture;
  /** Rows from one on. */
  read(from: number, count: number): Promise<ImageArray>;
  close(): Promise<void>;
}

/** A page of a file that has been looked at. */
interface Page {
  readonly picture: Picture;
  /** Decodes it into a file where that is needed, and opens it. `beside`: where such a file may lie. */
  open(beside: string, control: Control): Promise<RowSource>;
}

/** The pictures of a file, none of which is decoded yet. */
export interface RowsFile {
  readonly pages: readonly Page[];
  readonly notes: readonly string[];
  readonly format: FileFormat;
  /** Bytes that the decoded pages take in files. */
  readonly temporary: number;
}

interface Control {
  signal?: AbortSignal;
}

/** How a file is looked at. */
interface Options {
  name: string;
  page?: number;
  maxPixels?: number;
  raw?: RawSpec;
}

const mostOfHead = 1 << 20;

/**
 * Looks at the pictures of a file.
 *
 * @throws InvalidArgumentError for what is no intact picture; UnsupportedError for one that is not read row by row.
 */
export async function lookAt(path: string, options: Options): Promise<RowsFile> {
  const file = openSync(path, "r");
  try {
    const view = fileBytes(file, fstatSync(file).size);
    const head = view.slice(0, Math.min(mostOfHead, view.byteLength));
    if (options.raw) return ofArray(path, options, "raw", { ...options.raw, at: 0, size: view.byteLength });
    if (isNpy(head, options.name))
      return ofArray(path, options, "npy", { ...placeOfNpy(head, options.name), size: view.byteLength });
    return await ofPicture(path, options, { bytes: head, directories: readDirectories(view), wide: new Set() });
  } finally {
    closeSync(file);
  }
}

function placeOfNpy(head: Uint8Array, name: string): Place {
  const { dtype, shape, turned, order, at } = lookAtNpy(head, name);
  const [height = 0, width = 0, channels = 1] = shape;
  checkShape(shape, name);
  if (isImageDType(dtype as ImageDType) && !turned && order === "False")
    return { width, height, channels, dtype: dtype as ImageDType, at };
  throw unsupported(
    name,
    "little-endian elements of a picture's type in C order",
    dtype,
    "np.ascontiguousarray and astype give them",
  );
}

/** A file's bytes, read in blocks. */
function fileBytes(file: number, byteLength: number): Bytes {
  const block = new DataView(new ArrayBuffer(1 << 16));
  let start = -1;
  const at = (place: number, size: number): number => {
    if (start < 0 || place < start || place + size > start + block.byteLength) {
      start = place;
      readSync(file, block, 0, Math.min(block.byteLength, byteLength - place), place);
    }
    return place - start;
  };
  return {
    byteLength,
    getUint16: (place, little) => block.getUint16(at(place, 2), little),
    getUint32: (place, little) => block.getUint32(at(place, 4), little),
    getBigUint64: (place, little) => block.getBigUint64(at(place, 8), little),
    slice(from, to) {
      const bytes = new Uint8Array(to - from);
      for (let done = 0; done < bytes.length; ) {
        const count = readSync(file, bytes, done, bytes.length - done, from + done);
        if (count === 0) break;
        done += count;
      }
      return bytes;
    },
  };
}

/** Plain rows in a file. */
interface Place extends RawSpec {
  /** Where they begin. */
  at: number;
}

function ofArray(
  path: string,
  { name, page, maxPixels }: Options,
  format: "npy" | "raw",
  place: Place & { size: number },
): RowsFile {
  const { width, height, channels, dtype, size } = place;
  checkPage(name, page, 1);
  checkLimit(name, width * height, maxPixels ?? Number.POSITIVE_INFINITY, "pixels", "maxPixels");
  checkRawSize(place, size - place.at, name);
  const picture: Picture = { width, height, channels, data: newArray(dtype, 0), alpha: false };
  return { pages: [{ picture, open: () => rowsIn(path, place, picture) }], notes: [], format, temporary: 0 };
}

async function ofPicture(
  path: string,
  { name, page: wanted, maxPixels }: Options,
  tiff: ReadableTiff,
): Promise<RowsFile> {
  forgetFiles();
  const found = await readMetadata(name, tiff, 0, path);
  const count = found.pages ?? 1;
  checkPage(name, wanted, count);
  if (wanted === undefined && count > 1 && found.format !== "tiff")
    throw unsupported(name, "one picture, or pages of a TIFF", `${count} frames`, "page picks one (--page 1)");
  const indices = wanted === undefined ? [...Array(count).keys()] : [wanted - 1];
  const pages: Page[] = [];
  let pixels = 0;
  for (const index of indices) {
    const one = index === 0 ? found : await readMetadata(name, tiff, index, path);
    pixels += one.width * (one.pageHeight ?? one.height);
    pages.push(pageOf({ path, name, tiff }, one, index));
  }
  checkLimit(name, pixels, maxPixels ?? Number.POSITIVE_INFINITY, "pixels", "maxPixels");
  const temporary = pages.reduce((sum, { picture }) => sum + bytesOfRows(picture), 0);
  return { pages, notes: notesOf(found, tiff.bytes), format: formatFound(found), temporary };
}

/** Bytes of all rows of a picture. */
export const bytesOfRows = (picture: Picture): number =>
  picture.width * picture.height * picture.channels * picture.data.BYTES_PER_ELEMENT;

const unsupported = (parameter: string, expected: string, received: string, hint: string): UnsupportedError =>
  new UnsupportedError({
    parameter,
    expected,
    received: `${received}, of a picture that is filtered strip by strip`,
    hint,
  });

interface Origin {
  path: string;
  name: string;
  tiff: ReadableTiff;
}

function pageOf({ path, name, tiff }: Origin, found: Found, index: number): Page {
  const { space, channels, hasAlpha: alpha, orientation = 1, icc } = found;
  const directory = tiff.directories[index];
  const [converted, grey, type] = [space in convertible, space === "b-w" || space === "grey16", typeRead(found)];
  if ((directory && !isReadable(directory)) || (space === "grey16" && type === "i16"))
    throw unsupported(
      name,
      "levels or 32-bit floats, of at most four channels",
      `${channels} of ${type}`,
      "a .npy array or raw pixels may have any",
    );
  const [width, height] = [found.width, found.pageHeight ?? found.height];
  const [w, h] = orientation > 4 ? [height, width] : [width, height];
  const rest = {
    alpha,
    ...(alpha && { hasAlpha: true }),
    icc: converted ? undefined : icc,
    metadata: metadataOf(found, directory),
  };
  const colours = converted ? 3 + Number(alpha) : channels;
  const picture: Picture = { width: w, height: h, channels: colours, data: newArray(type, 0), ...rest };
  const target = type === "u8" ? (grey ? "b-w" : "srgb") : type === "u16" ? (grey ? "grey16" : "rgb16") : space;
  return {
    picture,
    async open(beside, { signal }) {
      const temporary = temporaryBeside(beside, ".v");
      try {
        const input = { ...lenience, page: index, ignoreIcc: !converted, sequentialRead: true };
        const write = (): Promise<unknown> => sharp(path, input).toColourspace(target).toFile(temporary);
        await untilAborted(decode({ name, bytes: tiff.bytes }, found.format, write), signal);
        const place = await headerOfV(temporary, name);
        const own = { width, height, channels: colours, dtype: type };
        for (const key of ["width", "height", "channels", "dtype"] as const)
          if (place[key] !== own[key])
            throw unsupported(name, `${key} ${own[key]}`, `${place[key]}`, "convert the picture first");
        if (orientation === 1) return await temporaryRows(temporary, place, picture);
        return await turned(temporary, place, { picture, orientation, beside, signal });
      } catch (error) {
        await remove(temporary);
        throw isFull(error) ? fullDisk(beside, error) : error;
      }
    },
  };
}

async function remove(temporary: string): Promise<void> {
  await rm(temporary, { force: true });
  forgetTemporary(temporary);
}

interface Turn {
  picture: Picture;
  orientation: number;
  beside: string;
  signal: AbortSignal | undefined;
}

/** The rows of a file that lies otherwise, upright in a file of their own. */
async function turned(from: string, place: Place, { picture, orientation, beside, signal }: Turn): Promise<RowSource> {
  const to = temporaryBeside(beside, ".v");
  try {
    await upright(from, place, orientation, to, signal);
    await remove(from);
    const { width, height } = picture;
    return await temporaryRows(to, { ...place, width, height, at: 0 }, picture);
  } catch (error) {
    await remove(to);
    throw error;
  }
}

/** What ends a wait, but not the work: who waits removes what is left. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** libvips' names of element types, by the number that stands for them. */
const formats = ["uchar", "char", "ushort", "short", "uint", "int", "float", "complex", "double"];
const bytesOfHeader = 64;

async function headerOfV(path: string, name: string): Promise<Place> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(bytesOfHeader), 0, bytesOfHeader, 0);
    const [width, height, channels, , format] = Array.from({ length: 5 }, (_, i) => buffer.readInt32LE(4 + 4 * i));
    const dtype = depths[formats[format!] ?? ""] as ImageDType | undefined;
    if (buffer.readUInt32LE(0) === 0x08f2a6b6 && dtype) return { width: width!, height: height!, channels: channels!, dtype, at: bytesOfHeader }; // biome-ignore format: a line
    throw unsupported(name, "plain pixels", describe(formats[format!]), "convert the picture first");
  } finally {
    await file.close();
  }
}

async function temporaryRows(path: string, place: Place, picture: Picture): Promise<RowSource> {
  const rows = await rowsIn(path, place, picture);
  return {
    ...rows,
    async close() {
      await rows.close();
      await remove(path);
    },
  };
}

async function rowsIn(path: string, { width, channels, dtype, at }: Place, picture: Picture): Promise<RowSource> {
  const file = await open(path);
  const row = width * channels * bytesOf[dtype];
  return {
    picture,
    async read(from, count) {
      const data = newArray(typeOf(picture), count * width * channels);
      await fill(file, new Uint8Array(data.buffer), at + from * row, path);
      return data;
    },
    close: () => file.close(),
  };
}

async function fill(file: FileHandle, bytes: Uint8Array, at: number, path: string): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), at + done);
    if (bytesRead === 0)
      throw new InvalidArgumentError({ parameter: path, expected: "all of its rows", received: "its end" });
    done += bytesRead;
  }
}

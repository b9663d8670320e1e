// TIFF files of one or more pages, of every element type that pictures have (TIFF 6.0, with its supplements on Deflate and
// floating point; BigTIFF where offsets of 32 bits do not reach). Rows are written as they come, directories behind them all.
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { type Image, type ImageArray, imageDTypeOf, isFloat, newArray } from "../tensor.ts";
import { type Directory, tagOf, writeDirectories } from "./directories.ts";
import { type Metadata, tiffTags } from "./metadata.ts";

/** A page, and what goes with it. */
export interface Page extends Image {
  /** The last channel is alpha, not premultiplied. */
  readonly alpha: boolean;
  readonly icc?: Uint8Array;
  readonly metadata?: Metadata;
}

const bytesOfStrip = 2 ** 18;
/** Room for either kind of header. */
const bytesOfHeader = 16;

/** The bytes of the file; losslessly compressed. Pages may differ in size and type. */
export async function writeTiff(pages: readonly Page[], signal?: AbortSignal): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const file = tiffFile((bytes) => void parts.push(bytes));
  for (const page of pages) {
    signal?.throwIfAborted();
    await file.page(page, [page.data]);
  }
  parts[0] = await file.end();
  return Buffer.concat(parts);
}

/** A file of which the first bytes are written last. */
export interface TiffFile {
  /** A page whose rows come in parts; its own data is not read. */
  page(page: Page, rows: Iterable<ImageArray> | AsyncIterable<ImageArray>): Promise<void>;
  /** Ends the file, and gives the bytes that it begins with, in place of the first that were written. */
  end(): Promise<Uint8Array>;
}

/** Writes a file part by part; `write` gets bytes that follow those before. */
export function tiffFile(write: (bytes: Uint8Array) => Promise<void> | void): TiffFile {
  const pages: { page: Page; offsets: number[]; lengths: number[] }[] = [];
  let at = 0;
  const append = async (bytes: Uint8Array): Promise<void> => {
    await write(bytes);
    at += bytes.length;
  };
  return {
    async page(page, rows) {
      if (at === 0) await append(new Uint8Array(bytesOfHeader));
      const stored = { page, offsets: [] as number[], lengths: [] as number[] };
      pages.push(stored);
      for await (const some of inStrips(page, rows)) {
        for (const strip of await Promise.all(some.map((values) => compressed(page, values)))) {
          stored.offsets.push(at);
          stored.lengths.push(strip.length);
          await append(strip);
        }
      }
    },
    async end() {
      // Directories take far less than what is left below 2^32.
      const big = at > 0xf0000000;
      await append(new Uint8Array(Math.ceil(at / 8) * 8 - at));
      const start = at;
      await append(writeDirectories(pages.map((one) => directoryOf(one, big)), start, big)); // biome-ignore format: a line
      return header(start, big);
    },
  };
}

function header(directory: number, big: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytesOfHeader));
  view.setUint16(0, 0x4949);
  view.setUint16(2, big ? 43 : 42, true);
  if (big) {
    view.setUint16(4, 8, true); // bytes of an offset
    view.setBigUint64(8, BigInt(directory), true);
  } else view.setUint32(4, directory, true);
  return new Uint8Array(view.buffer);
}

/** Numbers in an array of any class. */
interface Numbers {
  readonly length: number;
  [index: number]: number;
}

interface Stored {
  page: Page;
  offsets: readonly number[];
  lengths: readonly number[];
}

function directoryOf({ page, offsets, lengths }: Stored, big: boolean): Directory {
  const { width, height, channels, data, alpha, icc, metadata } = page;
  const { tags, inner } = tiffTags(metadata?.exif);
  const colours = channels - Number(alpha);
  const others = channels - (colours >= 3 ? 3 : 1);
  const offset = big ? "long8" : "long";
  // 1000 parts: fractions of dots per inch are as good as lost elsewhere
  const density = metadata?.density ? [Math.round(metadata.density * 1000), 1000] : undefined;
  const own = [
    tagOf(256, "long", [width]),
    tagOf(257, "long", [height]),
    tagOf(258, "short", Array(channels).fill(8 * data.BYTES_PER_ELEMENT)), // bits per sample
    tagOf(259, "short", [8]), // Deflate
    tagOf(262, "short", [colours >= 3 ? 2 : 1]), // RGB, or grey with 0 as black
    tagOf(273, offset, offsets),
    tagOf(277, "short", [channels]),
    tagOf(278, "long", [rowsOfStrip(page)]),
    tagOf(279, offset, lengths),
    tagOf(317, "short", [predictorOf(page)]),
    tagOf(339, "short", Array(channels).fill(kindOf(page))),
    // Channels that are no colours; the last one may be alpha that is not premultiplied
    ...(others > 0 ? [tagOf(338, "short", Array.from({ length: others }, (_, i) => (alpha && i === others - 1 ? 2 : 0)))] : []), // biome-ignore format: a line
    ...(density ? [tagOf(282, "rational", density), tagOf(283, "rational", density), tagOf(296, "short", [2])] : []),
    ...(metadata?.xmp ? [tagOf(700, "byte", metadata.xmp)] : []),
    ...(icc ? [tagOf(34675, "undefined", icc)] : []),
  ];
  return { tags: [...own, ...tags], inner };
}

/** Unsigned, signed, floating point. */
const kindOf = ({ data }: Image): number => {
  const dtype = imageDTypeOf(data)!;
  return isFloat(dtype) ? 3 : dtype.startsWith("i") ? 2 : 1;
};
/** What is stored in place of values: differences of neighbours. Floats stay as they are: tifffile alone reads no others. */
const predictorOf = (page: Image): number => (kindOf(page) === 3 ? 1 : 2);

const rowsOfStrip = ({ width, height, channels, data }: Image): number =>
  Math.max(1, Math.min(height, Math.floor(bytesOfStrip / (width * channels * data.BYTES_PER_ELEMENT))));

/** Strips that are compressed at a time. */
const together = 16;

/** Copies of the values of whole strips, some at a time, whatever rows come together. */
async function* inStrips(
  page: Page,
  rows: Iterable<ImageArray> | AsyncIterable<ImageArray>,
): AsyncGenerator<ImageArray[]> {
  const { width, channels, data } = page;
  const dtype = imageDTypeOf(data)!;
  const length = rowsOfStrip(page) * width * channels;
  let strip = newArray(dtype, length);
  let filled = 0;
  let some: ImageArray[] = [];
  for await (const part of rows) {
    for (let from = 0; from < part.length; ) {
      const count = Math.min(part.length - from, length - filled);
      strip.set(part.subarray(from, from + count), filled);
      from += count;
      filled += count;
      if (filled < length) continue;
      some.push(strip);
      strip = newArray(dtype, length);
      filled = 0;
      if (some.length < together) continue;
      yield some;
      some = [];
    }
  }
  if (filled > 0) some.push(strip.slice(0, filled));
  if (some.length > 0) yield some;
}

const deflated = promisify(deflate);

/** The values of a strip, by the page's predictor, which overwrites them. */
function compressed(page: Page, values: ImageArray): Promise<Uint8Array> {
  if (predictorOf(page) === 2) subtract(values, page.width * page.channels, page.channels);
  return deflated(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** Values, each less the one of the same channel before it in its row. Signs do not matter to differences that wrap around. */
function subtract(values: Numbers, row: number, channels: number): void {
  for (let start = 0; start < values.length; start += row)
    for (let i = start + row - 1; i >= start + channels; i--) values[i]! -= values[i - channels]!;
}

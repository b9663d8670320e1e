// TIFF files of one or more pages, of every element type that pictures have (TIFF 6.0, with its supplements on Deflate and
// floating point; BigTIFF where offsets of 32 bits do not reach).
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { type Image, imageDTypeOf, isFloat, newArray } from "../tensor.ts";
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

/** The bytes of the file; losslessly compressed. Pages may differ in size and type. */
export async function writeTiff(pages: readonly Page[], signal?: AbortSignal): Promise<Uint8Array> {
  const strips: Uint8Array[][] = [];
  for (const page of pages) {
    signal?.throwIfAborted();
    strips.push(await stripsOf(page));
  }
  const length = strips.flat().reduce((sum, strip) => sum + strip.length, 0);
  // Directories take far less than what is left below 2^32.
  const big = length > 0xf0000000;
  let at = big ? 16 : 8;
  const directories = pages.map((page, i): Directory => {
    const offsets = strips[i]!.map((strip) => (at += strip.length) - strip.length);
    return directoryOf(page, { strips: strips[i]!, offsets, big });
  });
  const start = Math.ceil(at / 8) * 8;
  const gap = new Uint8Array(start - at);
  return Buffer.concat([header(start, big), ...strips.flat(), gap, writeDirectories(directories, start, big)]);
}

function header(directory: number, big: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(big ? 16 : 8));
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

interface Strips {
  strips: readonly Uint8Array[];
  offsets: readonly number[];
  big: boolean;
}

function directoryOf(page: Page, { strips, offsets, big }: Strips): Directory {
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
    tagOf(279, offset, strips.map(({ length }) => length)), // biome-ignore format: a line
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

const compress = promisify(deflate);
/** Strips that are compressed at a time. */
const together = 16;

async function stripsOf(page: Page): Promise<Uint8Array[]> {
  const rows = rowsOfStrip(page);
  const strips: Uint8Array[] = [];
  for (let y = 0; y < page.height; y += rows * together) {
    const starts = Array.from({ length: together }, (_, i) => y + i * rows).filter((start) => start < page.height);
    const some = starts.map((start) => compress(predicted(page, start, Math.min(page.height, start + rows))));
    strips.push(...(await Promise.all(some)));
  }
  return strips;
}

/** The rows from one to before another, by the page's predictor. */
function predicted(page: Page, from: number, to: number): Uint8Array {
  const { width, channels, data } = page;
  const row = width * channels;
  const values = newArray(imageDTypeOf(data)!, (to - from) * row);
  values.set(data.subarray(from * row, to * row));
  if (predictorOf(page) === 2) subtract(values, row, channels);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Values, each less the one of the same channel before it in its row. Signs do not matter to differences that wrap around. */
function subtract(values: Numbers, row: number, channels: number): void {
  for (let start = 0; start < values.length; start += row)
    for (let i = start + row - 1; i >= start + channels; i--) values[i]! -= values[i - channels]!;
}

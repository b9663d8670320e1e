// Chunks of PNG files: an uncompressed file in memory, in which raw pixels travel to encoders together with a profile, EXIF
// and XMP, which sharp takes only from a file; and how many frames an animated PNG has.
import { pipeline, Readable } from "node:stream";
import { crc32, createDeflate, deflateSync } from "node:zlib";
import type { Page } from "./tiff.ts";

const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
/** Lengths of chunks have 31 bits. */
const mostOfChunk = 2 ** 30;
const metresPerInch = 0.0254;

/** The file: u8 or u16 samples, 1 to 4 channels (2 and 4: the last is alpha). */
export function pngEnvelope(page: Page): Uint8Array {
  const packed = deflateSync(filtered(page, page.data), { level: 0 });
  const parts = Array.from({ length: Math.ceil(packed.length / mostOfChunk) }, (_, i) => i * mostOfChunk);
  const chunks = parts.flatMap((from) => chunk("IDAT", packed.subarray(from, from + mostOfChunk)));
  return Buffer.concat([...head(page), ...chunks, ...chunk("IEND", new Uint8Array())]);
}

/** The same in parts, of rows that come in parts; the page's own data is not read. */
export async function* pngParts(page: Page, rows: AsyncIterable<Page["data"]>): AsyncGenerator<Uint8Array> {
  yield Buffer.concat(head(page));
  const lines = async function* () {
    for await (const some of rows) yield filtered(page, some);
  };
  const packed = createDeflate({ level: 0, chunkSize: 1 << 20 });
  pipeline(Readable.from(lines(), { objectMode: false, highWaterMark: 1 }), packed, () => {}); // the loop below sees an error
  for await (const part of packed) yield Buffer.concat(chunk("IDAT", part));
  yield Buffer.concat(chunk("IEND", new Uint8Array()));
}

/** All that stands before the pixels. */
function head({ width, height, channels, data, icc, metadata = {} }: Page): Uint8Array[] {
  const { exif, xmp, density } = metadata;
  const sides = Buffer.alloc(13);
  sides.writeUInt32BE(width, 0);
  sides.writeUInt32BE(height, 4);
  sides[8] = 8 * data.BYTES_PER_ELEMENT;
  sides[9] = [0, 0, 4, 2, 6][channels]!;
  const dots = Buffer.alloc(9);
  if (density) for (const at of [0, 4]) dots.writeUInt32BE(Math.round(density / metresPerInch), at);
  dots[8] = 1;
  const keyword = Buffer.from("XML:com.adobe.xmp\0\0\0\0\0", "latin1");
  return [
    signature,
    ...chunk("IHDR", sides),
    ...(icc ? chunk("iCCP", Buffer.concat([Buffer.from("icc\0\0"), deflateSync(icc)])) : []),
    ...(density ? chunk("pHYs", dots) : []),
    ...(exif ? chunk("eXIf", exif) : []),
    ...(xmp ? chunk("iTXt", Buffer.concat([keyword, xmp])) : []),
  ];
}

function chunk(type: string, data: Uint8Array): Uint8Array[] {
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  const name = Buffer.from(type, "latin1");
  check.writeUInt32BE(crc32(data, crc32(name)));
  return [length, name, data, check];
}

/** Rows, each behind a byte that says how it is filtered: not at all; 16-bit samples with the high byte first. */
function filtered({ width, channels }: Page, data: Page["data"]): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const length = width * channels * data.BYTES_PER_ELEMENT;
  const rows = Buffer.alloc((bytes.length / length) * (length + 1));
  for (let from = 0, to = 1; from < bytes.length; from += length, to += length + 1) {
    rows.set(bytes.subarray(from, from + length), to);
    if (data.BYTES_PER_ELEMENT === 2) rows.subarray(to, to + length).swap16();
  }
  return rows;
}

/** The frames of an animated PNG; 1 of any other bytes. */
export function framesOfPng(bytes: Uint8Array): number {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!file.subarray(0, 8).equals(signature)) return 1;
  for (let at = 8; at + 12 <= file.length; at += 12 + file.readUInt32BE(at)) {
    const type = file.toString("latin1", at + 4, at + 8);
    if (type === "acTL") return at + 16 <= file.length ? file.readUInt32BE(at + 8) : 1;
    if (type === "IDAT") break;
  }
  return 1;
}

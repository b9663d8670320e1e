// Pictures that come some rows at a time, to files: TIFF, arrays and raw pixels as they come; what sharp encodes by way of an
// uncompressed PNG file, which carries profile and metadata and is read row by row.
import { type FileHandle, open, rm } from "node:fs/promises";
import sharp from "sharp";
import { InvalidArgumentError } from "../errors.ts";
import type { ImageArray } from "../tensor.ts";
import { encoder, npyHead, type WriteOptions } from "./encode.ts";
import { forgetTemporary, fullDisk, isFull, temporaryBeside } from "./files.ts";
import { type FileFormat, formatNamed } from "./formats.ts";
import { lenience, type Picture } from "./pictures.ts";
import { pngParts } from "./png.ts";
import { tiffFile } from "./tiff.ts";

/** A picture, fitted to its format: without its pixels, and its rows. */
export interface PageRows {
  picture: Picture;
  rows: AsyncIterable<ImageArray>;
}

/** Whether a format is written by way of another file, as large as the pixels. */
export const needsEnvelope = (format: FileFormat): boolean => !["tiff", "npy", "raw"].includes(format);

/** Writes a file; of formats other than TIFF of one page. */
export async function writeRows(
  to: string,
  format: FileFormat,
  pages: readonly PageRows[],
  options: WriteOptions & { quality: number },
): Promise<void> {
  if (needsEnvelope(format)) return throughEnvelope(to, format, pages[0]!, options.quality);
  await toFile(to, async (file) => {
    const append = (bytes: Uint8Array): Promise<void> => file.writeFile(bytes);
    if (format === "tiff") {
      const tiff = tiffFile(append);
      for (const { picture, rows } of pages) await tiff.page(picture, rows);
      const head = await tiff.end();
      await file.write(head, 0, head.length, 0);
      return;
    }
    const [{ picture, rows }] = pages as [PageRows];
    if (format === "npy") await append(npyHead(picture));
    for await (const some of rows) await append(bytesIn(some));
  });
}

const bytesIn = ({ buffer, byteOffset, byteLength }: ImageArray): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength); // biome-ignore format: a line

async function toFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, "w");
  try {
    await write(file);
  } finally {
    await file.close();
  }
}

async function throughEnvelope(
  to: string,
  format: FileFormat,
  { picture, rows }: PageRows,
  quality: number,
): Promise<void> {
  const envelope = temporaryBeside(to, ".png");
  const { metadata, icc } = picture;
  const travels = formatNamed(format).metadata && (icc || metadata);
  // The resolution that libvips gives raw pixels: what it writes of it is so the same.
  const page = travels ? picture : { ...picture, icc: undefined, metadata: { density: 25.4 } };
  try {
    await toFile(envelope, async (file) => {
      for await (const part of pngParts(page, rows)) await file.writeFile(part);
    });
    const input = sharp(envelope, { ...lenience, sequentialRead: true });
    await encoder(travels ? input.keepMetadata() : input, picture, { format, quality }).toFile(to);
  } catch (error) {
    if (isFull(error)) throw fullDisk(to, error);
    if (error instanceof Error && "code" in error) throw error;
    const [expected, received] = [`one that ${format} can hold`, `an encoder error (${(error as Error).message})`];
    throw new InvalidArgumentError({ parameter: "picture", expected, received, cause: error });
  } finally {
    await rm(envelope, { force: true });
    forgetTemporary(envelope);
  }
}

// Rows in a file as the orientation of their picture says that it is seen, in another file.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { bytesOf, type ImageArray, newArray } from "../tensor.ts";
import type { RawSpec } from "./arrays.ts";

/** Bytes that are turned at a time. */
const most = 1 << 25;

/** Writes the picture that lies at `at` in a file, turned by one of EXIF's orientations, as plain rows. */
export async function upright(
  from: string,
  place: RawSpec & { at: number },
  orientation: number,
  to: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { width: w, height: h, channels, dtype } = place;
  const [width, height] = orientation > 4 ? [h, w] : [w, h];
  const row = width * channels * bytesOf[dtype];
  const rows = Math.max(1, Math.floor(most / row));
  const source = openSync(from, "r");
  const target = openSync(to, "w");
  try {
    for (let top = 0; top < height; top += rows) {
      const count = Math.min(rows, height - top);
      const out = newArray(dtype, count * width * channels);
      if (orientation > 4) await columns({ source, place, orientation, top, count, out, signal });
      else mirrored({ source, place, orientation, top, count, out });
      writeAll(target, new Uint8Array(out.buffer));
      await setImmediate();
      signal?.throwIfAborted();
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

interface Band {
  source: number;
  place: RawSpec & { at: number };
  orientation: number;
  /** The first row of the upright picture. */
  top: number;
  count: number;
  out: ImageArray;
}

/** Mirrored left to right (2), both ways (3), top to bottom (4). */
function mirrored({ source, place, orientation, top, count, out }: Band): void {
  const { width, height, channels } = place;
  const down = orientation > 2;
  const stored = read(source, place, { x: 0, y: down ? height - top - count : top, width, height: count });
  for (let y = 0; y < count; y++)
    for (let x = 0; x < width; x++) {
      const from = ((down ? count - 1 - y : y) * width + (orientation < 4 ? width - 1 - x : x)) * channels;
      for (let c = 0; c < channels; c++) out[(y * width + x) * channels + c] = stored[from + c]!;
    }
}

/** Rows that are columns in the file: from left to right (5, 6) or right to left, read downwards (5, 8) or upwards. */
async function columns({
  source,
  place,
  orientation,
  top,
  count,
  out,
  signal,
}: Band & { signal: AbortSignal | undefined }): Promise<void> {
  const { width, height, channels } = place;
  const left = orientation < 7 ? top : width - top - count;
  for (let y = 0; y < height; y++) {
    const stored = read(source, place, { x: left, y, width: count, height: 1 });
    const x = orientation === 5 || orientation === 8 ? y : height - 1 - y;
    for (let i = 0; i < count; i++) {
      const line = orientation < 7 ? i : count - 1 - i;
      for (let c = 0; c < channels; c++) out[(line * height + x) * channels + c] = stored[i * channels + c]!;
    }
    if (y % 1024 !== 0) continue;
    await setImmediate();
    signal?.throwIfAborted();
  }
}

/** Pixels of the file: parts of one row, or whole rows. */
function read(
  source: number,
  place: Band["place"],
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): ImageArray {
  const out = newArray(place.dtype, width * height * place.channels);
  const at = place.at + (y * place.width + x) * place.channels * bytesOf[place.dtype];
  const bytes = new Uint8Array(out.buffer);
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(source, bytes, done, bytes.length - done, at + done);
    if (count === 0) throw new Error("a file of pixels ends before its picture does");
    done += count;
  }
  return out;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

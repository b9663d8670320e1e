// Pixels beyond the edges, as the engine fills them: for the drawn frame and for the arithmetic of one pixel.
import type { BorderName } from "../state/hash.ts";

/** The place in [0, size) that stands for place i, or −1 where a constant does. */
export function placeFor(i: number, size: number, border: BorderName): number {
  if (i >= 0 && i < size) return i;
  if (border === "constant") return -1;
  if (border === "edge") return i < 0 ? 0 : size - 1;
  if (border === "wrap") return ((i % size) + size) % size;
  // Both mirrors run there and back; reflect does not repeat the pixel of the edge
  const period = border === "reflect" ? Math.max(1, 2 * size - 2) : 2 * size;
  const at = ((i % period) + period) % period;
  return at < size ? at : border === "reflect" ? period - at : period - 1 - at;
}

interface RgbaImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The picture with a frame of so many pixels around it. */
export function framed({ width, height, data }: RgbaImage, border: BorderName, frame: number): ImageData {
  const out = new ImageData(width + 2 * frame, height + 2 * frame);
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const to = new Uint32Array(out.data.buffer);
  const black = new Uint32Array(new Uint8Array([0, 0, 0, 255]).buffer)[0]!;
  for (let y = 0; y < out.height; y++) {
    const row = placeFor(y - frame, height, border);
    const start = y * out.width;
    if (row >= 0) to.set(from.subarray(row * width, (row + 1) * width), start + frame);
    for (let x = 0; x < out.width; x++) {
      if (row >= 0 && x === frame) x += width;
      const column = placeFor(x - frame, width, border);
      to[start + x] = row < 0 || column < 0 ? black : from[row * width + column]!;
    }
  }
  return out;
}

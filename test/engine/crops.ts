// Parts of pictures, for tests of regions.
import type { Image, Region } from "../../src/index.ts";

/** A part as a picture. */
export function cropped({ width, channels, data }: Image, { x, y, width: w, height: h }: Region): Image {
  const part = data.slice(0, w * h * channels);
  for (let row = 0; row < h; row++) {
    const from = ((y + row) * width + x) * channels;
    part.set(data.subarray(from, from + w * channels), row * w * channels);
  }
  return { width: w, height: h, channels, data: part };
}

/** A picture with another at its place. */
export function pasted(image: Image, part: Image, { x, y }: Region): Image {
  const data = image.data.slice();
  const row = part.width * part.channels;
  for (let i = 0; i < part.height; i++)
    data.set(part.data.subarray(i * row, (i + 1) * row), ((y + i) * image.width + x) * image.channels);
  return { ...image, data };
}

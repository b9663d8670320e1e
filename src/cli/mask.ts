// Masks of rank1 run: the best class of each pixel, from scores or from numbers of classes, and a PNG that keeps these numbers
// and has a colour for each.
import { crc32, deflateSync } from "node:zlib";
import type { Tensor } from "../index.ts";

/** Classes that one byte can number. */
const mostClasses = 256;

interface MaskAxes {
  width: number;
  height: number;
  /** Scores of a pixel; 1 where its elements are numbers of classes. */
  scores: number;
  /** Elements from one pixel to the next, and from one score to the next. */
  pixelStep: number;
  scoreStep: number;
}

/** A class for each pixel. */
export interface Mask {
  width: number;
  height: number;
  /** How many classes there may be. */
  count: number;
  /** Numbers of classes, row by row. */
  classes: Uint8Array;
}

/** What a mask is made of, in messages. */
export const maskForm = "scores of 2 to 256 classes for each pixel, or their numbers as integers";

/** Of one picture: [classes, height, width] or [height, width, classes], or the sides alone; a 1 may stand before. */
function maskAxes({ shape, data }: Tensor): MaskAxes | undefined {
  const inner = shape.length > 2 && shape[0] === 1 ? shape.slice(1) : shape;
  const sides = inner.length === 3 && inner.at(-1) === 1 ? inner.slice(0, 2) : inner.length === 3 && inner[0] === 1 ? inner.slice(1) : inner; // biome-ignore format: a line
  const isInteger = !(data instanceof Float32Array || data instanceof Float64Array);
  if (sides.length === 2 && isInteger) {
    return { width: sides[1]!, height: sides[0]!, scores: 1, pixelStep: 1, scoreStep: 1 };
  }
  const [a, b, c] = sides as [number, number, number];
  if (sides.length !== 3 || a * b * c === 0) return undefined;
  const first = a <= c;
  const scores = first ? a : c;
  if (scores < 2 || scores > mostClasses) return undefined;
  return first
    ? { width: c, height: b, scores, pixelStep: 1, scoreStep: b * c }
    : { width: b, height: a, scores, pixelStep: c, scoreStep: 1 };
}

/** Whether a result may be a mask by its shape and type. */
export const isMask = (tensor: Tensor): boolean => maskAxes(tensor) !== undefined;

/** The class of each pixel; undefined for a result of another form. Of equal scores the first counts, NaN never does. */
export function maskOf(tensor: Tensor): Mask | undefined {
  const axes = maskAxes(tensor);
  if (!axes) return undefined;
  const { width, height, scores, pixelStep, scoreStep } = axes;
  const data = tensor.data as ArrayLike<number | bigint>;
  const classes = new Uint8Array(width * height);
  let most = 0;
  for (let pixel = 0; pixel < classes.length; pixel++) {
    let best = 0;
    if (scores === 1) {
      best = Number(data[pixel]);
      if (!(best >= 0 && best < mostClasses)) return undefined;
    }
    let highest = -Infinity;
    for (let k = 0; k < scores && scores > 1; k++) {
      const score = Number(data[pixel * pixelStep + k * scoreStep]);
      if (score > highest) [best, highest] = [k, score];
    }
    classes[pixel] = best;
    most = Math.max(most, best);
  }
  return { width, height, count: scores === 1 ? most + 1 : scores, classes };
}

/** How many pixels each class has. */
export function areas({ classes, count }: Mask): number[] {
  const pixels: number[] = new Array(count).fill(0);
  for (const one of classes) pixels[one]!++;
  return pixels;
}

/** A colour of its own for each of 256 numbers, as Pascal VOC has them: bits of the number spread over the channels. */
export function colourOf(index: number): [number, number, number] {
  const colour: [number, number, number] = [0, 0, 0];
  for (let bit = 0; bit < 8; bit++)
    for (let c = 0; c < 3; c++) colour[c]! |= ((index >> (3 * bit + c)) & 1) << (7 - bit);
  return colour;
}

/** A PNG whose pixels are numbers of classes in a palette. */
export function encodeMask({ width, height, classes }: Mask): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // 8 bits, a palette, no interlacing
  const rows = new Uint8Array((width + 1) * height); // each begins with its filter: none
  for (let y = 0; y < height; y++) rows.set(classes.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const colours = Uint8Array.from(Array.from({ length: mostClasses }, (_, i) => colourOf(i)).flat());
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const pixels = chunk("IDAT", deflateSync(rows));
  return Buffer.concat([signature, chunk("IHDR", header), chunk("PLTE", colours), pixels, chunk("IEND", new Uint8Array())]); // biome-ignore format: a line
}

/** Length, name, bytes, and the checksum of name and bytes. */
function chunk(name: string, bytes: Uint8Array): Uint8Array {
  const named = Buffer.concat([Buffer.from(name, "latin1"), bytes]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(bytes.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

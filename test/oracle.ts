// An independent specification of image filtering for tests: pads the picture as NumPy does, then sums k² products.
import type { Image, ImageDType } from "../src/tensor.ts";

export type Border = "constant" | "edge" | "reflect" | "symmetric" | "wrap";

export interface OracleOptions {
  border?: Border;
  borderValue?: number;
  anchor?: readonly [number, number];
  gain?: number;
  offset?: number;
  /** The pixels that the results lie on, also beyond the picture. Default: the picture's own. */
  place?: { x: number; y: number; width: number; height: number };
  output: ImageDType;
}

/** Walks outside one step at a time, bouncing or jumping as the border says: slow, but plainly right. */
export function outside(i: number, size: number, border: Border): number | undefined {
  if (border === "constant") return i < 0 || i >= size ? undefined : i;
  while (i < 0 || i >= size) {
    if (border === "edge") i = i < 0 ? 0 : size - 1;
    else if (border === "wrap") i += i < 0 ? size : -size;
    else if (border === "symmetric") i = i < 0 ? -1 - i : 2 * size - 1 - i;
    else if (size === 1) i = 0;
    else i = i < 0 ? -i : 2 * size - 2 - i;
  }
  return i;
}

/** The exact results in f64, before any conversion to an output type. */
export function correlate(
  image: Image,
  filter: readonly (readonly number[])[],
  options: Omit<OracleOptions, "output">,
): Float64Array {
  const { width, height, channels, data } = image;
  const [kh, kw] = [filter.length, filter[0]!.length];
  const { border = "reflect", borderValue = 0, anchor = [kw >> 1, kh >> 1], gain = 1, offset = 0 } = options;
  const { place = { x: 0, y: 0, width, height } } = options;
  const out = new Float64Array(place.width * place.height * channels);
  for (let y = place.y; y < place.y + place.height; y++)
    for (let x = place.x; x < place.x + place.width; x++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++) {
            const [yy, xx] = [outside(y + i - anchor[1], height, border), outside(x + j - anchor[0], width, border)];
            sum +=
              filter[i]![j]! *
              (yy === undefined || xx === undefined ? borderValue : data[(yy * width + xx) * channels + c]!);
          }
        out[((y - place.y) * place.width + x - place.x) * channels + c] = gain * sum + offset;
      }
  return out;
}

export const ranges: Readonly<Record<ImageDType, readonly [number, number]>> = {
  u8: [0, 255],
  i8: [-128, 127],
  u16: [0, 65535],
  i16: [-32768, 32767],
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  f32: [-Infinity, Infinity],
  f64: [-Infinity, Infinity],
};
export const arrays = {
  ...{ u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, u32: Uint32Array, i32: Int32Array },
  ...{ f32: Float32Array, f64: Float64Array },
} as const satisfies Record<ImageDType, unknown>;

/** Rounds half up and saturates. */
export function toType(values: Float64Array, dtype: ImageDType): Float64Array {
  const [low, high] = ranges[dtype];
  return values.map((v) => (high === Infinity ? v : Math.min(high, Math.max(low, Math.floor(v + 0.5)))));
}

/** A small seeded generator (mulberry32), so that failures replay. */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function randomImage(width: number, height: number, channels: number, dtype: ImageDType, seed: number): Image {
  const next = random(seed);
  const n = width * height * channels;
  const value = (): number => {
    if (dtype === "f32" || dtype === "f64") return next() * 2 - 0.5;
    const [low, high] = ranges[dtype];
    // Extremes often: that is where integer arithmetic overflows.
    const kind = next();
    return kind < 0.1 ? low : kind < 0.2 ? high : Math.floor(low + next() * (high - low + 1));
  };
  return { width, height, channels, data: new arrays[dtype](Array.from({ length: n }, value)) };
}

// What the rendered pictures are painted with: a sampler that turns a function of the plane into pixels, value noise
// of a fixed seed, and mixing.
import type { Image } from "../../src/index.ts";

/** Red, green and blue, 0 to 1, as they are displayed. */
export type Colour = readonly [number, number, number];

/** A picture as it is rendered. */
export type Painted = Image & { data: Uint8Array };

/** What is rendered: the colours at pixel coordinates (a pixel's middle is at .5), averaged over a grid of samples a pixel. */
type ColourAt = (x: number, y: number) => Colour;

/** Renders a picture. Other events get their turn between rows: a signal among them. */
export async function paint(
  width: number,
  height: number,
  samples: number,
  colourAt: ColourAt,
  signal?: AbortSignal,
): Promise<Painted> {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    paintRow(data, y, width, samples, colourAt);
  }
  return { width, height, channels: 3, data };
}

/** Renders a small picture at once. */
export function paintAtOnce(width: number, height: number, samples: number, colourAt: ColourAt): Painted {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) paintRow(data, y, width, samples, colourAt);
  return { width, height, channels: 3, data };
}

function paintRow(data: Uint8Array, y: number, width: number, samples: number, colourAt: ColourAt): void {
  const scale = 255 / samples ** 2;
  for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
    let [red, green, blue] = [0, 0, 0];
    for (let k = 0; k < samples ** 2; k++) {
      const colour = colourAt(x + ((k % samples) + 0.5) / samples, y + (Math.floor(k / samples) + 0.5) / samples);
      red += clamp(colour[0]);
      green += clamp(colour[1]);
      blue += clamp(colour[2]);
    }
    data[at] = Math.round(red * scale);
    data[at + 1] = Math.round(green * scale);
    data[at + 2] = Math.round(blue * scale);
  }
}

export const clamp = (v: number): number => Math.min(1, Math.max(0, v));

export function smoothstep(from: number, to: number, v: number): number {
  const t = clamp((v - from) / (to - from));
  return t * t * (3 - 2 * t);
}

export function mix(a: Colour, b: Colour, t: number): Colour {
  return [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])];
}

export const lit = (c: Colour, light: number): Colour => [c[0] * light, c[1] * light, c[2] * light];

/** A colour between evenly spaced stops. */
export function gradient(stops: readonly Colour[], t: number): Colour {
  const at = clamp(t) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(at));
  return mix(stops[i]!, stops[i + 1]!, at - i);
}

/** A random number from 0 to 1 that belongs to the point (i, j) of the integer grid. */
export function hash(i: number, j: number): number {
  let h = Math.imul(i, 0x27d4eb2d) ^ Math.imul(j, 0x165667b1);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
}

/** Smooth value noise, 0 to 1, of wavelength about 1. */
export function noise(x: number, y: number): number {
  const [i, j] = [Math.floor(x), Math.floor(y)];
  const [u, v] = [smoothstep(0, 1, x - i), smoothstep(0, 1, y - j)];
  const top = hash(i, j) + u * (hash(i + 1, j) - hash(i, j));
  const bottom = hash(i, j + 1) + u * (hash(i + 1, j + 1) - hash(i, j + 1));
  return top + v * (bottom - top);
}

/** Noise summed over octaves (each twice as fine and half as strong), 0 to 1. */
export function clouds(x: number, y: number, octaves: number): number {
  let [sum, strength, total] = [0, 1, 0];
  for (let k = 0; k < octaves; k++) {
    sum += strength * noise(x, y);
    total += strength;
    // Each octave is turned a little, so that the grids do not show
    [x, y] = [1.6 * x + 1.2 * y + 17.3, -1.2 * x + 1.6 * y - 9.1];
    strength *= 0.5;
  }
  return sum / total;
}

// What a case's results should be, by plain loops over pixels and taps in f64, and in BigInt where f64 does not hold a sum.
import type { Image, MaskLike } from "../../src/index.ts";
import { isFloat, isWide } from "../../src/tensor.ts";
import { outside } from "../oracle.ts";
import type { Case } from "./cases.ts";
import { alphaOf } from "./pictures.ts";

export interface Expected {
  /** Before they are rounded to the type of the result. */
  values: Float64Array;
  /** Where nothing is known: results are what `fill` says. */
  unknown: Uint8Array;
  /** Of pictures with NaN or infinities: whether the window holds one. */
  touched: Uint8Array | undefined;
  /** How much larger than the one stated an error may be: where a result is divided by weights that cancel. Infinite: anything. */
  slack: Float64Array;
}

/** A case as the loops need it. */
interface Lay {
  data: Image["data"];
  channels: number;
  /** Pixels of the window of each result, row by row: their indices, -1 beyond a constant border. */
  at(x: number, y: number, i: number, j: number): number;
  taps: { i: number; j: number; tap: number }[];
  borderValue: number;
  gain: number;
  offset: number;
}

function layOf({ image, taps, options, place }: Case): Lay {
  const { width, height, channels, data } = image;
  const rows = options.flip ? taps.rows.map((row) => row.toReversed()).toReversed() : taps.rows;
  const [kh, kw] = [rows.length, rows[0]!.length];
  const { border = "reflect", borderValue = 0, anchor = [kw >> 1, kh >> 1], gain = 1, offset = 0 } = options;
  // From the first pixel of the first window to the last of the last.
  const indices = (first: number, count: number, size: number): Int32Array =>
    Int32Array.from({ length: count }, (_, k) => outside(first + k, size, border) ?? -1);
  const column = indices(place.x - anchor[0], place.width + kw - 1, width);
  const row = indices(place.y - anchor[1], place.height + kh - 1, height);
  const at = (x: number, y: number, i: number, j: number): number => {
    const yy = row[y - place.y + i]!;
    const xx = column[x - place.x + j]!;
    return yy < 0 || xx < 0 ? -1 : yy * width + xx;
  };
  const list = rows.flatMap((given, i) => given.map((tap, j) => ({ i, j, tap }))).filter(({ tap }) => tap !== 0);
  return {
    ...{ data, channels, at, taps: list, borderValue },
    ...{ gain: gain * taps.gain, offset: gain * taps.offset + offset },
  };
}

export function expectedOf(one: Case): Expected {
  const expected = resultsOf(one);
  if (one.options.nan !== "ignore" && Array.from(one.image.data).some((v) => !Number.isFinite(v))) {
    expected.touched = touchedOf(one);
  }
  if (keepsAlpha(one)) keepAlpha(one, expected);
  return expected;
}

function resultsOf(one: Case): Expected {
  const { mask, options, taps, image } = one;
  const weighted = mask !== undefined || options.nan === "ignore" || alphaIn(one) === "premultiply";
  const most = largestIn(image.data) * taps.rows.flat().reduce((sum, tap) => sum + Math.abs(tap), 0);
  if (comparesIn(one)) return compared(one);
  if (weighted) return means(one);
  return taps.integer && !isFloat(image.dtype) && most > 2 ** 52 ? bigSums(one) : sums(one);
}

const largestIn = (data: ArrayLike<number>): number => {
  let most = 1;
  for (let i = 0; i < data.length; i++) if (Math.abs(data[i]!) < Infinity) most = Math.max(most, Math.abs(data[i]!));
  return most;
};

/** What becomes of alpha in the end: what mixes no pixels keeps it, and what is known to have it is weighed. */
export function alphaIn({ options, taps, input }: Case): "none" | "keep" | "premultiply" {
  const alpha = options.alpha ?? (input === "ImageData" ? "premultiply" : "none");
  const all = taps.rows.flat();
  const { gain = 1, offset = 0 } = options;
  const mixesNothing = all.every((tap) => tap === 0) || (all.length === 1 && gain * taps.offset + offset === 0);
  return alpha === "premultiply" && mixesNothing ? "keep" : alpha;
}

/** Taps above and below 0 make no means: neighbours count by their difference from the pixel's own colour. */
const comparesIn = (one: Case): boolean =>
  alphaIn(one) === "premultiply" && one.taps.rows.flat().some((t) => t > 0) && one.taps.rows.flat().some((t) => t < 0);

/** Whether the last channel is carried over. */
export const keepsAlpha = (one: Case): boolean => alphaIn(one) === "keep" || comparesIn(one);

function* pixelsOf({ place }: Case): Generator<[x: number, y: number]> {
  for (let y = place.y; y < place.y + place.height; y++)
    for (let x = place.x; x < place.x + place.width; x++) yield [x, y];
}

const plainly = (values: Float64Array): Expected => ({
  ...{ values, unknown: new Uint8Array(values.length), touched: undefined },
  slack: new Float64Array(values.length).fill(1),
});

function sums(one: Case): Expected {
  const { data, channels, at, taps, borderValue, gain, offset } = layOf(one);
  const values = new Float64Array(one.place.width * one.place.height * channels);
  let to = 0;
  for (const [x, y] of pixelsOf(one)) {
    for (const { i, j, tap } of taps) {
      const from = at(x, y, i, j) * channels;
      for (let c = 0; c < channels; c++) values[to + c]! += tap * (from < 0 ? borderValue : data[from + c]!);
    }
    for (let c = 0; c < channels; c++, to++) values[to] = values[to]! * gain + offset;
  }
  return plainly(values);
}

function bigSums(one: Case): Expected {
  const { data, channels, at, taps, borderValue, gain, offset } = layOf(one);
  const values = new Float64Array(one.place.width * one.place.height * channels);
  const big = taps.map(({ i, j, tap }) => ({ i, j, tap: BigInt(tap) }));
  let to = 0;
  for (const [x, y] of pixelsOf(one))
    for (let c = 0; c < channels; c++, to++) {
      let sum = 0n;
      for (const { i, j, tap } of big) {
        const from = at(x, y, i, j);
        sum += tap * BigInt(from < 0 ? borderValue : data[from * channels + c]!);
      }
      values[to] = Number(sum) * gain + offset;
    }
  return plainly(values);
}

/** Whether the window of each result, taps of zero included, holds something that is not finite. */
function touchedOf(one: Case): Uint8Array {
  const { data, channels, at } = layOf(one);
  const { rows } = one.taps;
  const touched = new Uint8Array(one.place.width * one.place.height * channels);
  let to = 0;
  for (const [x, y] of pixelsOf(one)) {
    for (let i = 0; i < rows.length; i++)
      for (let j = 0; j < rows[0]!.length; j++) {
        const from = at(x, y, i, j) * channels;
        for (let c = 0; c < channels && from >= 0; c++) if (!Number.isFinite(data[from + c]!)) touched[to + c] = 1;
      }
    to += channels;
  }
  return touched;
}

/** Means weighted by the taps, by alpha, and by how well pixels are known. */
function means(one: Case): Expected {
  const { image, mask, options } = one;
  const { data, channels, at, taps, borderValue, gain, offset } = layOf(one);
  const known = mask !== undefined || options.nan === "ignore";
  const [alpha, weights] = [alphaIn(one), weightsIn(mask)];
  const full = alphaOf(image.dtype);
  const least = isWide(image.dtype) ? 2 ** -46 : 2 ** -17;
  const whole = taps.reduce((sum, { tap }) => sum + tap, 0);
  // A mean is divided by its taps' sum, whatever the filter's own gain is.
  const [scale, shift] = [known ? (options.gain ?? 1) : gain * whole, offset];
  const count = one.place.width * one.place.height * channels;
  const [values, unknown, slack] = [new Float64Array(count), new Uint8Array(count), new Float64Array(count).fill(1)];
  const [sum, colour] = [new Float64Array(channels), new Float64Array(channels)];
  let to = 0;
  for (const [x, y] of pixelsOf(one)) {
    sum.fill(0);
    let [weight, covered, size, most] = [0, 0, 0, 0];
    for (const { i, j, tap } of taps) {
      const from = at(x, y, i, j);
      for (let c = 0; c < channels; c++) colour[c] = from < 0 ? borderValue : data[from * channels + c]!;
      const m = options.nan === "ignore" && colour.some(Number.isNaN) ? 0 : from < 0 || !weights ? 1 : weights[from]!;
      if (m === 0) continue;
      const a = alpha === "premultiply" ? colour[channels - 1]! / full : 1;
      weight += tap * m;
      covered += tap * m * a;
      size += Math.abs(tap * m);
      most = Math.max(most, Math.abs(a));
      for (let c = 0; c < channels; c++) sum[c]! += tap * m * a * colour[c]!;
    }
    for (let c = 0; c < channels; c++, to++) {
      const isAlpha = alpha === "premultiply" && c === channels - 1;
      if (known && weight === 0) unknown[to] = 1;
      else if (isAlpha) values[to] = Math.min(full, Math.max(0, (covered / (known ? weight : whole)) * full));
      else {
        values[to] =
          covered / (known ? weight : whole) > least || alpha !== "premultiply"
            ? (sum[c]! / covered) * scale + shift
            : 0;
        if (alpha === "premultiply") slack[to] = slackOf(covered, size * Math.max(most, mostAlpha(one, at, x, y)), one);
      }
    }
  }
  return { values, unknown, touched: undefined, slack };
}

/** The largest alpha of a window, under taps of zero too: terms of a filter are next to zero there. */
function mostAlpha({ image, taps, options }: Case, at: Lay["at"], x: number, y: number): number {
  const { data, channels, dtype } = image;
  const beyond = Math.abs((options.borderValue ?? 0) / alphaOf(dtype));
  let most = 0;
  for (let i = 0; i < taps.rows.length; i++)
    for (let j = 0; j < taps.rows[0]!.length; j++) {
      const from = at(x, y, i, j);
      const alpha = from < 0 ? beyond : Math.abs(data[(from + 1) * channels - 1]! / alphaOf(dtype));
      if (alpha > most) most = alpha;
    }
  return most;
}

/** Σ tap · α · (c − own) + own · Σ tap, with gain and offset; 0 where the pixel itself is transparent. */
function compared(one: Case): Expected {
  const { data, channels, at, taps, borderValue, gain, offset } = layOf(one);
  const { width, height, dtype } = one.image;
  const { border = "reflect" } = one.options;
  const [full, last] = [alphaOf(dtype), channels - 1];
  const expected = plainly(new Float64Array(one.place.width * one.place.height * channels));
  if (border === "constant") expected.slack.fill(Math.max(1, Math.abs(borderValue / full)));
  let to = 0;
  for (const [x, y] of pixelsOf(one)) {
    const [xx, yy] = [outside(x, width, border), outside(y, height, border)];
    const under = xx === undefined || yy === undefined ? -1 : (yy * width + xx) * channels;
    const pixel = (from: number, c: number): number => (from < 0 ? borderValue : data[from + c]!);
    for (let c = 0; c < last && pixel(under, last) > 0; c++) {
      const own = pixel(under, c);
      let sum = 0;
      for (const { i, j, tap } of taps) {
        const from = at(x, y, i, j) * channels;
        sum += tap * ((pixel(from, last) / full) * (pixel(from, c) - own) + own);
      }
      expected.values[to + c] = sum * gain + offset;
    }
    to += channels;
  }
  return expected;
}

/** Of a quotient: terms may cancel where the taps, of one sign, do not. */
function slackOf(covered: number, size: number, { options, image }: Case): number {
  const ratio = size / Math.abs(covered);
  const beyond = options.border === "constant" ? Math.abs((options.borderValue || 0) / alphaOf(image.dtype)) : 1;
  return (ratio > 8 ? 2 * ratio * ratio : Math.max(1, ratio)) * Math.max(1, beyond);
}

function weightsIn(mask: MaskLike | undefined): number[] | undefined {
  if (mask === undefined) return undefined;
  const data = ArrayBuffer.isView(mask) ? mask : (mask.data as Uint8Array);
  const full = data instanceof Float32Array ? 1 : data instanceof Uint16Array ? 65535 : 255;
  return Array.from(data as Uint8Array, (weight) => weight / full);
}

/** The last channel is the picture's own. */
function keepAlpha(one: Case, { values, unknown }: Expected): void {
  const { data, channels, borderValue } = layOf(one);
  const { options } = one;
  const { width, height } = one.image;
  const { border = "reflect" } = one.options;
  let to = channels - 1;
  for (const [x, y] of pixelsOf(one)) {
    const [xx, yy] = [outside(x, width, border), outside(y, height, border)];
    const beyond = xx === undefined || yy === undefined;
    // What stands beyond may be unknown.
    values[to] = beyond
      ? options.nan === "ignore"
        ? borderValue || 0
        : borderValue
      : data[(yy * width + xx) * channels + channels - 1]!;
    unknown[to] = 0;
    to += channels;
  }
}

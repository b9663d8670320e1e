// Pixels with weights, one by one: rows of a picture of which some pixels are unknown come in as channels times weight, with the
// weight as one channel more, and go out as means. The specification of what backends do.
import { isFloat, rangeOf } from "../tensor.ts";
import { leastAlpha, opaque } from "./alpha.ts";
import type { MaskArray, SourceBinding, TargetBinding } from "./backend.ts";

type Numbers = { [index: number]: number; readonly length: number };

/** The weight that means known, of arrays of a mask: only ratios matter. */
export const fullWeight = (mask: MaskArray | undefined): number =>
  mask === undefined || mask instanceof Float32Array ? 1 : mask instanceof Uint16Array ? 65535 : 255;

/** Where the mean weight is at most this share of the full one, nothing is known: smaller numbers have no digits left in f32. */
export const leastWeight = 2 ** -100;

/** How the channels of a staged pixel lie: colours, alpha that weights them, the weight. */
export interface Staged {
  /** Channels that are filtered as colours. */
  colours: number;
  /** Colours count by their alpha too, which stands after them. */
  premultiplied: boolean;
  /** All channels, the weight last. */
  channels: number;
}

export function stagedAs({ channels, alpha }: Pick<SourceBinding, "channels" | "alpha">): Staged {
  const colours = channels - Number(alpha !== "none");
  const premultiplied = alpha === "premultiply";
  return { colours, premultiplied, channels: colours + Number(premultiplied) + 1 };
}

/** Puts `count` pixels of the source, from one on, into a row from element `at` on, with their weights. */
export function weigh(row: Numbers, at: number, source: SourceBinding, from: number, count: number): void {
  const { channels, known } = source;
  const { colours, premultiplied, channels: stored } = stagedAs(source);
  const { nan, mask } = known!;
  const data = source.data as Numbers;
  const { full = 1 } = source;
  const isMultiplied = premultiplied && source.premultiplied;
  for (let pixel = from, first = from * channels, to = at; pixel < from + count; pixel++) {
    let weight = mask ? mask[pixel]! : 1;
    if (nan) for (let c = 0; c < channels; c++) if (Number.isNaN(data[first + c]!)) weight = 0;
    const scale = premultiplied ? weight * data[first + channels - 1]! : weight;
    const times = isMultiplied ? weight * full : scale;
    // What is unknown is not read: it may be infinite.
    if (weight === 0) for (let c = 0; c < stored; c++) row[to + c] = 0;
    else {
      for (let c = 0; c < colours; c++) row[to + c] = data[first + c]! * times;
      if (premultiplied) row[to + colours] = scale;
      row[to + stored - 1] = weight;
    }
    first += channels;
    to += stored;
  }
}

/** A pixel beyond the edges under the constant border, as it is staged. */
export function borderPixel(source: SourceBinding): Float64Array {
  const { channels, borderValue, known } = source;
  const row = new Float64Array(stagedAs(source).channels);
  const data = new Float64Array(channels).fill(borderValue);
  const mask = new Float32Array([fullWeight(known!.mask)]);
  if (known!.border) weigh(row, 0, { ...source, data, known: { ...known!, mask } }, 0, 1);
  return row;
}

/** Weighted means of `count` pixels, from element `from` of a row on, as a picture's pixels from `at` on; kept alpha is left out. */
export function unweigh(
  row: Numbers,
  from: number,
  { dtype, gain, offset, source }: TargetBinding,
  target: Numbers,
  at: number,
  count: number,
): void {
  const { channels, known } = source;
  const { fill, mask } = known!;
  const { colours, premultiplied, channels: stored } = stagedAs(source);
  const least = leastWeight * fullWeight(mask);
  const { full = opaque(source.dtype) } = source;
  const visible = leastAlpha(source.dtype, full);
  const [low, high] = rangeOf[dtype];
  const rounds = !isFloat(dtype);
  const isMultiplied = premultiplied && source.premultiplied;
  for (let i = 0, first = from, to = at; i < count; i++, first += stored, to += channels) {
    const weight = row[first + stored - 1]!;
    if (!(weight > least)) {
      for (let c = 0; c < colours + Number(premultiplied); c++) target[to + c] = fill[c]!;
      continue;
    }
    const by = premultiplied ? row[first + colours]! : weight;
    for (let c = 0; c < colours; c++) {
      const mean = premultiplied && !(by > visible * weight) ? 0 : (row[first + c]! / by) * gain + offset;
      // What was multiplied by alpha is again.
      const value = isMultiplied ? (mean * by) / weight / full : mean;
      target[to + c] = rounds ? Math.min(high, Math.max(low, Math.floor(value + 0.5))) : value;
    }
    if (!premultiplied) continue;
    const alpha = Math.min(full, Math.max(0, by / weight));
    target[to + colours] = rounds ? Math.min(high, Math.floor(alpha + 0.5)) : alpha;
  }
}

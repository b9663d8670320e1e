// Pixels with weights, one by one: rows of a picture of which some pixels are unknown come in as channels times weight, with the
// weight as one channel more, and go out as means. The specification of what backends do.
import { rounding } from "../tensor.ts";
import { opaque } from "./alpha.ts";
import type { SourceBinding, TargetBinding } from "./backend.ts";

type Numbers = { [index: number]: number; readonly length: number };

/** The weight that means known, of arrays of a mask: only ratios matter. */
export const fullWeight = (mask: MaskArray | undefined): number =>
  mask === undefined || mask instanceof Float32Array ? 1 : mask instanceof Uint16Array ? 65535 : 255;

export type MaskArray = Uint8Array | Uint16Array | Float32Array;

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
  const { data, channels, known } = source;
  const mask = known!.mask as Numbers | undefined;
  for (let i = 0; i < count; i++)
    weighPixel(row, at, data as Numbers, (from + i) * channels, mask ? mask[from + i]! : 1, source, i);
}

function weighPixel(
  row: Numbers,
  start: number,
  data: Numbers,
  from: number,
  given: number,
  { channels, alpha, known, premultiplied, full = 1 }: SourceBinding,
  i: number,
): void {
  const staged = stagedAs({ channels, alpha });
  const at = start + i * staged.channels;
  let weight = given;
  if (known!.nan) for (let c = 0; c < channels; c++) if (Number.isNaN(data[from + c]!)) weight = 0;
  // What is unknown is not read: it may be infinite.
  const scale = weight === 0 ? 0 : staged.premultiplied ? weight * data[from + channels - 1]! : weight;
  const times = staged.premultiplied && premultiplied ? weight * full : scale;
  for (let c = 0; c < staged.colours; c++) row[at + c] = weight === 0 ? 0 : data[from + c]! * times;
  if (staged.premultiplied) row[at + staged.colours] = scale;
  row[at + staged.channels - 1] = weight;
}

/** A pixel beyond the edges under the constant border, as it is staged. */
export function borderPixel(source: SourceBinding): number[] {
  const { channels, alpha, borderValue, known } = source;
  const row = new Array<number>(stagedAs({ channels, alpha }).channels).fill(0);
  const weight = fullWeight(known!.mask);
  if (known!.border) weighPixel(row, 0, Array(channels).fill(borderValue), 0, weight, source, 0);
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
  const staged = stagedAs(source);
  const least = leastWeight * fullWeight(mask);
  const { full = opaque(source.dtype), premultiplied } = source;
  const finish = rounding(dtype);
  for (let i = 0; i < count; i++) {
    const [first, to] = [from + i * staged.channels, at + i * channels];
    const weight = row[first + staged.channels - 1]!;
    const isKnown = weight > least;
    const by = staged.premultiplied ? row[first + staged.colours]! : weight;
    for (let c = 0; c < staged.colours; c++) {
      const value = by === 0 ? 0 : (row[first + c]! / by) * gain + offset;
      // What was multiplied by alpha is again.
      const mean = finish(staged.premultiplied && premultiplied ? (value * by) / weight / full : value);
      target[to + c] = isKnown ? mean : fill[c]!;
    }
    if (!staged.premultiplied) continue;
    const alpha = Math.min(full, Math.max(0, finish(by / weight)));
    target[to + staged.colours] = isKnown ? alpha : fill[staged.colours]!;
  }
}

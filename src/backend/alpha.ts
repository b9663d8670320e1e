// What becomes of a last channel that is alpha, element by element: of rows that come in and of results that go out.
import { borderIndex } from "../plan/border.ts";
import { type ImageDType, rangeOf } from "../tensor.ts";
import type { TargetBinding } from "./backend.ts";
import { targetAt } from "./bindings.ts";

type Numbers = { [index: number]: number; readonly length: number };

/** The alpha that means opaque. */
export const opaque = (dtype: ImageDType): number => (dtype === "f32" ? 1 : rangeOf[dtype][1]);

/** Colours of `count` elements, from `at` on, times their alpha. */
export function premultiply(row: Numbers, at: number, count: number, channels: number, full: number): void {
  const alpha = channels - 1;
  for (let i = at; i < at + count; i += channels) {
    const weight = row[i + alpha]! / full;
    for (let c = 0; c < alpha; c++) row[i + c]! *= weight;
  }
}

const rangeFor = (dtype: ImageDType): readonly [number, number] =>
  dtype === "f32" ? [-Infinity, Infinity] : rangeOf[dtype];

/** Whether results take alpha, or more, from the pixels that they lie on. */
export const readsSource = ({ alpha, tapSum }: Pick<TargetBinding, "alpha" | "tapSum">): boolean =>
  alpha === "keep" || tapSum !== undefined;

/** Where the pixel that pixel `i` of a result's row lies on begins in the source; below zero: the border's constant. */
function pixelUnder({ source }: TargetBinding, row: number): (i: number) => number {
  const { channels, width, height, border, origin = { x: 0, y: 0 } } = source;
  const y = borderIndex(origin.y + row, height, border);
  return (i) => {
    const at = origin.x + i;
    const x = at >= 0 && at < width ? at : borderIndex(at, width, border);
    return x < 0 || y < 0 ? -channels : (y * width + x) * channels;
  };
}

/** Alpha of a result's row is that of the pixels that it lies on, saturated; beyond the picture the border's. */
export function keepAlpha(binding: TargetBinding, target: Numbers, data: Numbers, row: number): void {
  const { dtype, source, width } = binding;
  const { channels, borderValue } = source;
  const [low, high] = rangeFor(dtype);
  const under = pixelUnder(binding, row);
  let to = targetAt(binding, row) * channels + channels - 1;
  for (let i = 0; i < width; i++, to += channels) {
    const at = under(i);
    target[to] = Math.min(high, Math.max(low, at < 0 ? borderValue : data[at + channels - 1]!));
  }
}

/**
 * Weighted sums of taps above and below 0, from element `from` of `sums` on, as colours of a result's row, with gain and offset,
 * rounded and saturated. Such sums are no means: instead of a division, each neighbour counts by its difference from the pixel's
 * own colour, times its alpha: Σ w · α · (c − own) + Σ w · own. Where all is opaque, that is Σ w · c. What is transparent is 0.
 */
export function compareWithOwn(
  sums: Numbers,
  from: number,
  binding: TargetBinding,
  target: Numbers,
  data: Numbers,
  row: number,
): void {
  const { dtype, gain, offset, source, width, tapSum = 0 } = binding;
  const { channels, borderValue } = source;
  const full = opaque(source.dtype);
  const alpha = channels - 1;
  const [low, high] = rangeFor(dtype);
  const rounds = dtype !== "f32";
  const under = pixelUnder(binding, row);
  let to = targetAt(binding, row) * channels;
  for (let i = 0, first = from; i < width; i++, first += channels, to += channels) {
    const at = under(i);
    const isSeen = (at < 0 ? borderValue : data[at + alpha]!) > 0;
    const rest = tapSum - sums[first + alpha]! / full;
    for (let c = 0; c < alpha; c++) {
      const own = at < 0 ? borderValue : data[at + c]!;
      const value = isSeen ? (sums[first + c]! + own * rest) * gain + offset : 0;
      target[to + c] = Math.min(high, Math.max(low, rounds ? Math.floor(value + 0.5) : value));
    }
  }
}

/** Weighted sums `row` as colours again: divided by their alpha, with gain and offset, rounded and saturated. */
export function unpremultiply(
  row: Numbers,
  from: number,
  { dtype, gain, offset, source }: TargetBinding,
  target: Numbers,
  at: number,
  count: number,
): void {
  const { channels } = source;
  const full = opaque(source.dtype);
  const alpha = channels - 1;
  const [low, high] = rangeFor(dtype);
  const rounds = dtype !== "f32";
  const put = (i: number, value: number): void => {
    target[i] = Math.min(high, Math.max(low, rounds ? Math.floor(value + 0.5) : value));
  };
  for (let i = 0; i < count; i += channels) {
    const weight = row[from + i + alpha]!;
    for (let c = 0; c < alpha; c++)
      put(at + i + c, weight > 0 ? (row[from + i + c]! / weight) * full * gain + offset : 0);
    put(at + i + alpha, Math.min(full, Math.max(0, weight)));
  }
}

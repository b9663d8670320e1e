// What becomes of a last channel that is alpha, element by element: of rows that come in and of results that go out.
import { borderIndex } from "../plan/border.ts";
import { type ImageDType, rangeOf } from "../tensor.ts";
import type { TargetBinding } from "./backend.ts";
import { targetAt } from "./bindings.ts";

type Numbers = { [index: number]: number; readonly length: number };

/** The alpha that means opaque. */
export const opaque = (dtype: ImageDType): number => (dtype === "f32" ? 1 : rangeOf[dtype][1]);

/** A smaller share of what is opaque, below half a level of 16 bits, is nothing: of colours only noise would be left. */
export const leastAlpha = 2 ** -17;

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

/** Alpha of a result's row is that of the pixels that it lies on, rounded and saturated; beyond the picture the border's. */
export function keepAlpha(binding: TargetBinding, target: Numbers, data: Numbers, row: number): void {
  const { dtype, source, width } = binding;
  const { channels, border, borderValue, origin = { x: 0, y: 0 } } = source;
  const [low, high] = rangeFor(dtype);
  const y = borderIndex(origin.y + row, source.height, border);
  let to = targetAt(binding, row) * channels + channels - 1;
  for (let i = 0; i < width; i++, to += channels) {
    const at = origin.x + i;
    const x = at >= 0 && at < source.width ? at : borderIndex(at, source.width, border);
    const value = x < 0 || y < 0 ? borderValue : data[(y * source.width + x + 1) * channels - 1]!;
    target[to] = Math.min(high, Math.max(low, dtype === "f32" ? value : Math.floor(value + 0.5)));
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
      put(at + i + c, weight > leastAlpha * full ? (row[from + i + c]! / weight) * full * gain + offset : 0);
    put(at + i + alpha, Math.min(full, Math.max(0, weight)));
  }
}

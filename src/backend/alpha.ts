// What becomes of elements on their way between the caller's types and a program's, and of a last channel that is alpha.
import { borderIndex } from "../plan/border.ts";
import { checkThere, type ImageDType, isFloat, isWide, rangeOf, rounding } from "../tensor.ts";
import type { SourceBinding, TargetBinding } from "./backend.ts";
import { targetAt } from "./bindings.ts";

type Numbers = { [index: number]: number; readonly length: number };

/** The alpha that means opaque. */
export const opaque = (dtype: ImageDType): number => (isFloat(dtype) ? 1 : rangeOf[dtype][1]);

/**
 * Alpha below this is nothing: of colours only what sums round would be left. Half a level of 16 bits; of types that are summed in
 * f64 far less, since alpha may be small numbers there, as of sharp's pictures of 32 bits.
 */
export const leastAlpha = (dtype: ImageDType, full: number): number => full * (isWide(dtype) ? 2 ** -46 : 2 ** -17);

/** Colours of `count` elements, from `at` on, times their alpha, unless they are already. */
export function premultiply(
  row: Numbers,
  at: number,
  count: number,
  { channels, full = 1, premultiplied }: Pick<SourceBinding, "channels" | "full" | "premultiplied">,
): void {
  if (premultiplied) return;
  const alpha = channels - 1;
  for (let i = at; i < at + count; i += channels) {
    const weight = row[i + alpha]! / full;
    for (let c = 0; c < alpha; c++) row[i + c]! *= weight;
  }
}

/** Results as elements of the target's type, where the program's is another. */
export function convert(
  row: Numbers,
  from: number,
  dtype: ImageDType,
  target: Numbers,
  at: number,
  count: number,
): void {
  const put = rounding(dtype);
  for (let i = 0; i < count; i++) target[at + i] = put(row[from + i]!);
}

/** Whether results take alpha, or more, from the pixels that they lie on. */
export const readsSource = ({ alpha, tapSum }: Pick<TargetBinding, "alpha" | "tapSum">): boolean =>
  alpha === "keep" || tapSum !== undefined;

/** Where the pixel that pixel `i` of a result's row lies on begins in the source; below zero: the border's constant. */
function pixelUnder({ source }: TargetBinding, data: Numbers, row: number): (i: number) => number {
  const { channels, width, height, border, origin = { x: 0, y: 0 } } = source;
  const y = borderIndex(origin.y + row, height, border);
  checkThere("data", data, (y + 1) * width * channels);
  return (i) => {
    const at = origin.x + i;
    const x = at >= 0 && at < width ? at : borderIndex(at, width, border);
    return x < 0 || y < 0 ? -channels : (y * width + x) * channels;
  };
}

/** Alpha of a result's row is that of the pixels that it lies on, rounded and saturated; beyond the picture the border's. */
export function keepAlpha(binding: TargetBinding, target: Numbers, data: Numbers, row: number): void {
  const { dtype, source, width } = binding;
  const { channels, borderValue, origin = { x: 0, y: 0 } } = source;
  const [under, y] = [pixelUnder(binding, data, row), origin.y + row];
  let to = targetAt(binding, row) * channels + channels - 1;
  const inside = y >= 0 && y < source.height && origin.x >= 0 && origin.x + width <= source.width;
  if (inside && target instanceof Uint8Array && data instanceof Uint8Array) {
    keepBytes(target, to, data, under(0) + channels - 1, channels, width);
    return;
  }
  const put = rounding(dtype);
  for (let i = 0; i < width; i++, to += channels) {
    const at = under(i);
    target[to] = put(at < 0 ? borderValue : data[at + channels - 1]!);
  }
}

/** The usual case in a loop of its own: compilers know its arrays, so that it takes a tenth of the time. */
function keepBytes(
  target: Uint8Array,
  to: number,
  data: Uint8Array,
  from: number,
  channels: number,
  count: number,
): void {
  for (let i = 0, at = 0; i < count; i++, at += channels) target[to + at] = data[from + at]!;
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
  const { channels, borderValue, full = 1, premultiplied } = source;
  const last = channels - 1;
  const put = rounding(dtype);
  const under = pixelUnder(binding, data, row);
  let to = targetAt(binding, row) * channels;
  for (let i = 0, first = from; i < width; i++, first += channels, to += channels) {
    const at = under(i);
    const weight = (at < 0 ? borderValue : data[at + last]!) / full;
    const rest = tapSum - sums[first + last]! / full;
    // What was premultiplied stays so.
    const times = premultiplied ? weight : 1;
    for (let c = 0; c < last; c++) {
      const own = (at < 0 ? borderValue : data[at + c]!) / times;
      target[to + c] = weight > 0 ? put(((sums[first + c]! + own * rest) * gain + offset) * times) : 0;
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
  const { channels, full = 1, premultiplied } = source;
  const alpha = channels - 1;
  const [put, least] = [rounding(dtype), leastAlpha(source.dtype, full)];
  for (let i = 0; i < count; i += channels) {
    const weight = row[from + i + alpha]!;
    for (let c = 0; c < alpha; c++) {
      const sum = row[from + i + c]!;
      // What was premultiplied stays so: gain and offset are those of the colours themselves.
      const value = premultiplied ? sum * gain + (offset * weight) / full : (sum / weight) * full * gain + offset;
      target[at + i + c] = weight > least ? put(value) : 0;
    }
    target[at + i + alpha] = put(Math.min(full, Math.max(0, weight)));
  }
}

// What becomes of elements on their way between the caller's types and a program's, and of a last channel that is alpha.
import { borderIndex } from "../plan/border.ts";
import { checkThere, type ImageDType, isFloat, rangeOf, rounding } from "../tensor.ts";
import type { SourceBinding, TargetBinding } from "./backend.ts";
import { targetAt } from "./bindings.ts";

type Numbers = { [index: number]: number; readonly length: number };

/** The alpha that means opaque. */
export const opaque = (dtype: ImageDType): number => (isFloat(dtype) ? 1 : rangeOf[dtype][1]);

/** A smaller share of what is opaque, below half a level of 16 bits, is nothing: of colours only noise would be left. */
export const leastAlpha = 2 ** -17;

/** As `opaque`, of a picture of floats that may have any: 1, or where its alpha is far larger, that of 8 or 16 bits. */
export const opaqueFor = (largest: number): number => [1, 255, 65535].find((full) => largest < 2 * full) ?? largest;

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

/** Alpha of a result's row is that of the pixels that it lies on, rounded and saturated; beyond the picture the border's. */
export function keepAlpha(binding: TargetBinding, target: Numbers, data: Numbers, row: number): void {
  const { dtype, source, width } = binding;
  const { channels, border, borderValue, origin = { x: 0, y: 0 } } = source;
  const put = rounding(dtype);
  const y = borderIndex(origin.y + row, source.height, border);
  checkThere("data", data, (y + 1) * source.width * channels);
  let to = targetAt(binding, row) * channels + channels - 1;
  for (let i = 0; i < width; i++, to += channels) {
    const at = origin.x + i;
    const x = at >= 0 && at < source.width ? at : borderIndex(at, source.width, border);
    target[to] = put(x < 0 || y < 0 ? borderValue : data[(y * source.width + x + 1) * channels - 1]!);
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
  const put = rounding(dtype);
  for (let i = 0; i < count; i += channels) {
    const weight = row[from + i + alpha]!;
    for (let c = 0; c < alpha; c++) {
      const sum = row[from + i + c]!;
      // What was premultiplied stays so: gain and offset are those of the colours themselves.
      const value = premultiplied ? sum * gain + (offset * weight) / full : (sum / weight) * full * gain + offset;
      target[at + i + c] = weight > leastAlpha * full ? put(value) : 0;
    }
    target[at + i + alpha] = put(Math.min(full, Math.max(0, weight)));
  }
}

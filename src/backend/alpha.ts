// What becomes of elements on their way between the caller's types and a program's, and of a last channel that is alpha.
import { type ImageDType, isFloat, rangeOf, rounding } from "../tensor.ts";
import type { SourceBinding, TargetBinding } from "./backend.ts";

type Numbers = { [index: number]: number; readonly length: number };

/** The alpha that means opaque. */
export const opaque = (dtype: ImageDType): number => (isFloat(dtype) ? 1 : rangeOf[dtype][1]);

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

/** Alpha of `count` elements of the target, from `at` on, is the source's, rounded and saturated. */
export function keepAlpha(
  target: Numbers,
  dtype: ImageDType,
  source: Numbers,
  channels: number,
  at: number,
  count: number,
): void {
  const put = rounding(dtype);
  for (let i = at + channels - 1; i < at + count; i += channels) target[i] = put(source[i]!);
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
      target[at + i + c] = weight > 0 ? put(value) : 0;
    }
    target[at + i + alpha] = put(Math.min(full, Math.max(0, weight)));
  }
}

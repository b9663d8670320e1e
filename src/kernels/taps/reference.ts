// The specification of the taps family: a sum of taps times pixels, and how a sum becomes a result.
import type { Finish, TapsSpec } from "../../plan/types.ts";
import { rangeOf, type ViewDType } from "../../tensor.ts";
import { type Rows, rowElements } from "../kernel.ts";

/** Rounds half up and saturates for integer types; NaN becomes 0 there, as WebAssembly's trunc_sat has it. */
export function finishValue(sum: number, { denominator, gain, offset }: Finish, dtype: ViewDType): number {
  const value = (sum / denominator) * gain + offset;
  if (dtype !== "u8" && dtype !== "u16" && dtype !== "i16") return value;
  const [low, high] = rangeOf[dtype];
  return Number.isNaN(value) ? 0 : Math.min(high, Math.max(low, Math.floor(value + 0.5)));
}

/** What sums begin with, of all that a step reads: the last is what a mean's pixel stands in. */
export const addendOf = <T>({ mean }: TapsSpec, reads: readonly T[]): T | undefined =>
  reads.length > (mean ? 2 : 1) ? reads[1] : undefined;

/** Of the values within the slack of a sum, the one nearest to a pixel. */
function nearest(sum: number, pixel: number, slack: number): number {
  const [a, b] = [sum * (1 - slack), sum * (1 + slack)];
  return Math.min(Math.max(Math.min(a, b), pixel), Math.max(a, b));
}

export function tapsReference(spec: TapsSpec, reads: Rows[], write: Rows, rows: number): void {
  const [input] = reads as [Rows];
  const addend = addendOf(spec, reads);
  const n = rowElements(write.spec);
  const channels = input.spec.channels;
  const [sy, sx] = spec.strides ?? [1, 1];
  // Values between the passes of fixed point are integers, whatever holds them.
  const dtype = spec.arithmetic === "fixed" && write.spec.scope === "strip" ? "i16" : write.spec.dtype;
  for (let y = 0; y < rows; y++) {
    const sources = spec.taps.map(({ dy }) => input.row(y * sy + dy));
    const out = write.row(y);
    const before = addend?.row(y);
    const pixels = spec.mean && reads.at(-1)!.row(y + spec.mean.dy);
    for (let i = 0; i < n; i++) {
      const from = sx === 1 ? i : Math.floor(i / channels) * sx * channels + (i % channels);
      let sum = before ? before[i]! : 0;
      spec.taps.forEach(({ dx, tap }, t) => {
        sum += tap * sources[t]![from + dx * channels]!;
      });
      if (pixels) sum = nearest(sum, pixels[i + spec.mean!.dx * channels]!, spec.mean!.slack);
      out[i] = spec.finish ? finishValue(sum, spec.finish, dtype) : sum;
    }
  }
}

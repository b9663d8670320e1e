// Maps the results of a filter to grey levels: as they are, or, where the taps cancel and results have a sign, around the
// middle grey.
import type { FilterOptions } from "rank1";
import type { Weights } from "../state/choice.ts";
import type { TypeName } from "../state/hash.ts";

export interface Display {
  gain: number;
  offset: number;
  /** Zero is grey 128. */
  signed: boolean;
}

/**
 * The grey level of a result is gain · result + offset. Signed results keep the half of their range around zero, by a
 * power of two. `normalise` also brings sums of other taps to 1, as parts of a filter need it.
 */
export function displayOf({ values, gain }: Weights, normalise = false): Display {
  const sum = values.reduce((total, value) => total + value, 0);
  const size = values.reduce((total, value) => total + Math.abs(value), 0);
  const cancels = size > 0 && Math.abs(sum) <= (normalise ? 0.5 : 1e-9) * size;
  if (!cancels) return { gain: normalise && sum !== 0 ? 1 / (sum * gain) : 1, offset: 0, signed: false };
  const half = (size * Math.abs(gain)) / 2;
  return { gain: 2 ** -Math.ceil(Math.log2(half)), offset: 128, signed: true };
}

/** The options that give the picture as it is shown, by the type that was asked for. */
export function outputOptions(type: TypeName, weights: Weights): FilterOptions {
  if (type !== "auto") return { output: type };
  const { gain, offset, signed } = displayOf(weights);
  return signed ? { output: "u8", gain, offset } : { output: "u8" };
}

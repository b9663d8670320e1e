// How far a filter's results may be from the exact ones, by what its arithmetic rounds. The bounds hold for all pictures.
import type { FilterProblem, Term } from "../plan/types.ts";
import { isFloat, rangeOf } from "../tensor.ts";
import { isInDoubles, isWeighted, largestScale } from "./filter.ts";

/** Half of what neighbouring numbers in f32 differ by, and in f64, relative. */
const [unit, finer] = [2 ** -24, 2 ** -53];

const size = (taps: readonly number[]): number => taps.reduce((total, tap) => total + Math.abs(tap), 0);

/** The largest magnitude of a pixel. Of floats errors are stated for pixels of at most 1: they grow as pixels do. */
export function largestPixel({ x, window }: FilterProblem): number {
  const own = isFloat(x.dtype) ? 1 : Math.max(...rangeOf[x.dtype].map(Math.abs));
  return window.border === "constant" ? Math.max(own, Math.abs(window.borderValue)) : own;
}

/** The largest magnitude of a sum of terms over pixels, before it is finished. */
export const largestSum = (problem: FilterProblem, terms: readonly Term[]): number =>
  largestPixel(problem) * terms.reduce((total, { column, row }) => total + size(column) * size(row), 0);

/** Roundings of a sum of so many products, of which each may reach the result; taps are rounded, too. */
export const roundingsOf = (taps: number, together = taps): number =>
  Math.min(taps, together) + Math.ceil(taps / together) + 2;

/**
 * The largest error of one result that f32 makes, or f64 where sums are in it: of `roundings` one after the other in sums of at most `largest` in
 * magnitude, without the filter's gain, and of the finish. Before a result of an integer type is rounded.
 */
export function roundingError(
  problem: FilterProblem,
  { largest, roundings }: { largest: number; roundings: number },
): number {
  const result = largest * largestScale(problem);
  const offset = Math.abs(problem.offset);
  // Where pixels have weights a result is the quotient of two such sums, and pixels are rounded when they are weighted.
  const sums = isWeighted(problem) ? 2 * (roundings + 4) : roundings;
  const inDoubles = isInDoubles(problem);
  const stored = inDoubles && problem.y.dtype === "f32" ? unit * (result + offset) : 0;
  return (inDoubles ? finer : unit) * 1.01 * ((sums + 5) * result + 4 * (offset + 1)) + stored;
}

// How far a filter's results may be from the exact ones, by what its arithmetic rounds. The bounds hold for all pictures.
import type { Arithmetic, FilterProblem, Finish, Term } from "../plan/types.ts";
import { rangeOf } from "../tensor.ts";

/** Half of what neighbouring numbers differ by, relative. */
const unit: Readonly<Record<"f32" | "f64", number>> = { f32: 2 ** -24, f64: 2 ** -53 };

const size = (taps: readonly number[]): number => taps.reduce((total, tap) => total + Math.abs(tap), 0);

/** The largest magnitude of a pixel. Of f32 pictures errors are stated for pixels of at most 1: they grow as pixels do. */
export function largestPixel({ x, window }: FilterProblem): number {
  const own = x.dtype === "f32" ? 1 : Math.max(...rangeOf[x.dtype].map(Math.abs));
  return window.border === "constant" ? Math.max(own, Math.abs(window.borderValue)) : own;
}

/** The largest magnitude of a sum of terms over pixels, before it is finished. */
export const largestSum = (problem: FilterProblem, terms: readonly Term[]): number =>
  largestPixel(problem) * terms.reduce((total, { column, row }) => total + size(column) * size(row), 0);

/** Roundings of a sum of so many products, of which each may reach the result; taps are rounded, too. */
export const roundingsOf = (taps: number, together = taps): number =>
  Math.min(taps, together) + Math.ceil(taps / together) + 2;

/**
 * The largest error of one result that comes from rounding: of `roundings` one after the other in sums of at most `largest`
 * in magnitude, and of the finish. Before a result of an integer type is rounded.
 */
export function roundingError(
  { y, alpha }: FilterProblem,
  arithmetic: Extract<Arithmetic, "f32" | "f64">,
  { denominator, gain, offset }: Finish,
  { largest, roundings }: { largest: number; roundings: number },
): number {
  const u = unit[arithmetic];
  const result = (largest / denominator) * Math.abs(gain);
  const stored = y.dtype === "f32" ? unit.f32 * (result + Math.abs(offset)) : 0;
  // Under weights of alpha a result is the quotient of two such sums, and pixels are rounded when they are weighted.
  const sums = alpha === "premultiply" ? 2 * (roundings + 4) : roundings;
  return (sums + 4) * u * 1.01 * result + 3 * u * (Math.abs(offset) + 1) + stored;
}

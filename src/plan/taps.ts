// What a filter's taps are like as a whole.
import type { FilterProblem } from "./types.ts";

const tapSums = new WeakMap<FilterProblem["factors"], number>();

/** Σ taps, before gain. */
export function tapSum({ factors }: Pick<FilterProblem, "factors">): number {
  const known = tapSums.get(factors);
  if (known !== undefined) return known;
  const sum = sumOf(factors);
  tapSums.set(factors, sum);
  return sum;
}

function sumOf(factors: FilterProblem["factors"]): number {
  const sum = (taps: readonly number[]): number => taps.reduce((total, tap) => total + tap, 0);
  if (factors.values) return sum(factors.values);
  return factors.terms.reduce((total, { column, row }) => total + sum(column) * sum(row), 0) / factors.denominator;
}

/** Whether one of some lists, whose products are taps, holds numbers above and below 0. */
export const haveBothSigns = (lists: readonly (readonly number[])[]): boolean =>
  lists.some((taps) => taps.some((tap) => tap > 0) && taps.some((tap) => tap < 0));

/** Whether a filter has taps above and below 0. */
export const hasBothSigns = ({ factors: { values, terms } }: Pick<FilterProblem, "factors">): boolean =>
  haveBothSigns(values ? [values] : terms.flatMap(({ column, row }) => [column, row]));

/** Under premultiplied alpha, sums of such taps are no means: neighbours count by their difference from the pixel's own colour. */
export const comparesWithOwn = (problem: Pick<FilterProblem, "factors" | "alpha" | "known">): boolean =>
  problem.alpha === "premultiply" && !problem.known && hasBothSigns(problem);

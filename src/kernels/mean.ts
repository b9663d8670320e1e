// Filters whose results are means of pixels: taps that are not negative and sum to one. Sums in f32 round, and would leave what is
// between the least and the greatest pixel of their window. Each is therefore moved towards one of these pixels by as much as
// rounding may have moved it, at most: it is back where it left, and a constant stays as it is.
import { areOfOneSign, withCleanTerms } from "../plan/known.ts";
import { tapSum } from "../plan/taps.ts";
import type { FilterProblem, TapsSpec, Term } from "../plan/types.ts";
import { isDirect, isInDoubles, isWeighted, longestSum, valuesOf } from "./filter.ts";

/** Half of what neighbouring numbers in f32 differ by, relative. */
const unit = 2 ** -24;

/** A filter whose results are means, kept as floats; undefined of others. Its taps are as given, but that they sum to one. */
export function meanOf(problem: FilterProblem): { values?: number[]; term?: Term; missed: number } | undefined {
  const { factors, window, gain, offset, y } = problem;
  // What the taps' sum may differ from one by, as that of taps in f32 does.
  const missed = Math.abs(tapSum(problem) * gain - 1);
  if (y.dtype !== "f32" || offset !== 0 || isWeighted(problem) || isInDoubles(problem) || !(missed <= 2 * unit))
    return undefined;
  const [first, ...others] = factors.terms;
  const rankOne = others.length === 0 ? withCleanTerms(factors, window.size).terms[0]! : undefined;
  const values = factors.values ?? (isDirect(window.size) ? valuesOf([first!], ...window.size) : undefined);
  if (!areOfOneSign([values ? { column: values, row: [1] } : rankOne!])) return undefined;
  const term = rankOne && areOfOneSign([rankOne]) ? rankOne : undefined;
  return {
    values: values && unitSum(values),
    term: term && { column: unitSum(term.column), row: unitSum(term.row) },
    missed,
  };
}

const sum = (taps: readonly number[]): number => taps.reduce((total, tap) => total + tap, 0);
const unitSum = (taps: readonly number[]): number[] => {
  const total = sum(taps);
  return taps.map((tap) => tap / total);
};

/** The largest of some taps: where it stands. */
export const largestTap = (taps: readonly number[]): number => taps.indexOf(Math.max(...taps));

/**
 * How far the sum of equal pixels may be from these, relative, after passes of such taps: a mean that is past its window's
 * greatest or least pixel is so by no more.
 */
export function slackOf(passes: readonly (readonly number[])[]): number {
  const roundings = passes.reduce((total, taps) => total + roundingsOf(taps), 3);
  return Math.ceil(roundings * 1.01 * unit * 2 ** 23) / 2 ** 23;
}

/** Of taps and products, and of sums so far, of which each is what its taps sum to; long sums are made in parts. */
function roundingsOf(taps: readonly number[]): number {
  let [total, part, before] = [2, 0, 0];
  for (const [k, tap] of taps.entries()) {
    part += tap;
    total += part;
    if ((k + 1) % longestSum > 0 && k + 1 < taps.length) continue;
    if (before > 0) total += before + part;
    [before, part] = [before + part, 0];
  }
  return total;
}

/** Taps whose sums are means: they are finished as they are. */
export const plainFinish: TapsSpec["finish"] & object = { denominator: 1, gain: 1, offset: 0 };

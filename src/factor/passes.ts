// What plans of column and row passes are made of: the terms of a filter or, where passes of as many terms as a large filter's
// rank would be no quicker, its rows as they stand.
import { type Analysis, analyse, largeSide, negligible, once } from "./factorize.ts";
import type { CheckedFilter } from "./filter.ts";
import type { Term } from "./integers.ts";
import { rankExceeds } from "./sketch.ts";
import { finished, type Steps } from "./steps.ts";
import { decomposing, norm } from "./svd.ts";

/** Multiplications at full rank up to which decomposing takes no longer than asking for the rank. */
const quick = 2 ** 22;
/** The most terms of an approximation of a large filter of high rank. */
const mostTerms = 128;
/** Relative: what is left of a norm when others are taken from it is not known better. */
const leastRest = 1e-7;

/** As {@link analyse}; of filters of high rank in about a second at most. */
export function* analyseForPasses(filter: CheckedFilter, ofIntegers: boolean): Steps<Analysis> {
  const { kh, kw, values, integer } = filter;
  const least = Math.min(kh, kw);
  if (!values || least > largeSide || kh * kw * least <= quick) return yield* analyse(filter, ofIntegers);
  const worth = Math.floor((kh * kw) / (kh + kw));
  if (!(yield* rankExceeds(filter, worth, negligible(filter)))) return yield* analyse(filter, ofIntegers);
  const exact = { terms: linesOf(values, kh, kw), denominator: integer ? 1 : 0 };
  const decompose = once(() => decomposing(values, kh, kw, { maxRank: Math.min(worth, mostTerms) }));
  const spectrum = (): number[] => {
    const [{ s }, all] = [finished(decompose()), norm(values)];
    const rest = all ** 2 - s.reduce((sum, sigma) => sum + sigma ** 2, 0);
    return [...s, Math.max(leastRest * all, Math.sqrt(Math.max(0, rest)))];
  };
  return { rank: least, exact, decompose, spectrum };
}

/** The rows of a matrix, or its columns where those are fewer, each as a term with a single tap the other way. */
export function linesOf(values: readonly number[], kh: number, kw: number): Term[] {
  const unit = (length: number, at: number): number[] => Array.from({ length }, (_, i) => (i === at ? 1 : 0));
  const columns = (): Term[] =>
    unit(kw, 0).map((_, j) => ({ column: unit(kh, 0).map((_, i) => values[i * kw + j]!), row: unit(kw, j) }));
  const rows = (): Term[] =>
    unit(kh, 0).map((_, i) => ({ column: unit(kh, i), row: values.slice(i * kw, (i + 1) * kw) }));
  return (kh <= kw ? rows() : columns()).filter(({ column, row }) =>
    [column, row].every((taps) => taps.some((tap) => tap !== 0)),
  );
}

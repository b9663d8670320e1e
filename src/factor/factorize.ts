// How a filter is written as a sum of columns ⊗ rows: exactly, in integers where that is possible, or truncated.
import { checkInteger, checkNumber, LimitError } from "../errors.ts";
import { type CheckedFilter, checkFilter, type Filter } from "./filter.ts";
import { type ExactTerms, eliminate, integerRank, smallTerms, type Term } from "./integers.ts";
import { type Svd, svd } from "./svd.ts";

/** filter = gain · Σ terms, where a term's value [i, j] is column[i] · row[j]; up to `error`. */
export interface FilterFactors {
  kh: number;
  kw: number;
  gain: number;
  /** Added to every result; no part of the sum. */
  offset: number;
  /** The number of terms. */
  rank: number;
  /** The rank of the filter itself: exact for integers, numerical (as NumPy's matrix_rank) for real numbers. */
  exactRank: number;
  /** The filter is one column ⊗ one row, or zero. */
  spatiallySeparable: boolean;
  terms: Term[];
  /** 1: all taps are integers. D > 1: the rows are integers, and the columns times D. 0: the taps are real numbers. */
  denominator: number;
  /** ‖filter − gain · Σ terms‖ / ‖filter‖ in the Frobenius norm; 0 for a filter of zeros. */
  error: number;
  /** Of the filter before gain: `exactRank` of them, descending. */
  singularValues: number[];
  /** Per output value: with the filter as it stands, and as a column pass and a row pass for each term. */
  multiplications: { direct: number; separable: number };
}

export interface FactorizeOptions {
  /** At most this many terms. */
  rank?: number;
  /** The fewest terms whose relative error is at most this; 0 (or absent) keeps the exact rank. */
  tolerance?: number;
}

/** Where both sides exceed `largeSide`, only filters of at most `largeRank` are factored: the time grows with both. */
const largeSide = 513;
const largeRank = 128;

/**
 * Finds the terms of a filter: filter[i, j] = gain · Σ column[i] · row[j], with as few terms as the filter's rank, or
 * fewer on request. Of all sums of that many terms the truncated one is nearest to the filter (Eckart–Young), and its
 * error is the norm of the dropped singular values.
 *
 * Integer filters get integer or rational taps at their exact rank where small ones exist: Sobel x is [1, 2, 1] ⊗
 * [-1, 0, 1]. Real taps share a singular value evenly between column and row. Signs: the sum of the column is
 * positive; where it is zero, that of the row; where both are zero, the column's first tap that is not.
 *
 * @throws InvalidArgumentError for a malformed filter or option; LimitError for a filter with both sides above 513 and
 * a rank above 128.
 */
export function factorize(filter: Filter | CheckedFilter, options: FactorizeOptions = {}): FilterFactors {
  const atMost = checkInteger("rank", options.rank ?? Number.MAX_SAFE_INTEGER, { min: 1 });
  const tolerance = checkNumber("tolerance", options.tolerance ?? 0, { min: 0, max: 1 });
  const checked = isChecked(filter) ? filter : checkFilter(filter);
  const { singularValues, exact, decomposition } = checked.values
    ? analyse(checked, checked.values)
    : analyseColumnRow(checked);
  const errors = truncationErrors(singularValues);
  const rank = Math.min(
    atMost,
    Math.max(
      Math.min(1, singularValues.length),
      errors.findIndex((e) => e <= tolerance),
    ),
  );
  const truncated = { terms: svdTerms(decomposition, rank), denominator: 0 };
  const { terms, denominator } = exact && rank === singularValues.length ? exact : truncated;
  const { kh, kw, gain, offset } = checked;
  return {
    ...{ kh, kw, gain, offset, rank, terms: terms.map(oriented), denominator, singularValues },
    exactRank: singularValues.length,
    spatiallySeparable: singularValues.length <= 1,
    error: errors[rank]!,
    multiplications: { direct: kh * kw, separable: rank * (kh + kw) },
  };
}

/** What is known of a filter: its singular values, terms in exact numbers if it has them, else its decomposition. */
interface Analysis {
  singularValues: number[];
  exact?: ExactTerms;
  decomposition?: Svd;
}

function analyseColumnRow({ column, row, integer }: CheckedFilter): Analysis {
  const norm = Math.hypot(...column!) * Math.hypot(...row!);
  if (norm === 0) return { singularValues: [], exact: { terms: [], denominator: 1 } };
  return { singularValues: [norm], exact: { terms: [{ column: column!, row: row! }], denominator: integer ? 1 : 0 } };
}

function analyse({ kh, kw, integer }: CheckedFilter, values: number[]): Analysis {
  const maxRank = Math.min(kh, kw) > largeSide ? largeRank : Math.min(kh, kw);
  return integer ? analyseIntegers(values, kh, kw, maxRank) : analyseReals(values, kh, kw, maxRank);
}

function analyseIntegers(values: number[], kh: number, kw: number, maxRank: number): Analysis {
  const crosses = eliminate(values, kh, kw, maxRank);
  const rank = crosses ? crosses.length : integerRank(values, kh, kw, maxRank);
  checkRank(rank, maxRank);
  const exact = crosses && smallTerms(values, kh, kw, crosses);
  if (exact && rank <= 1) return { singularValues: rank === 0 ? [] : [Math.hypot(...values)], exact };
  const decomposition = svd(values, kh, kw, { maxRank: rank });
  return { singularValues: decomposition.s, exact, decomposition };
}

function analyseReals(values: number[], kh: number, kw: number, maxRank: number): Analysis {
  const negligible = Math.max(kh, kw) * Number.EPSILON;
  const decomposition = svd(values, kh, kw, { maxRank: maxRank + 1, negligible });
  const singularValues = decomposition.s.filter((s) => s > negligible * decomposition.s[0]!);
  checkRank(singularValues.length, maxRank);
  return { singularValues, decomposition };
}

function checkRank(rank: number, maxRank: number): void {
  if (rank <= maxRank) return;
  throw new LimitError({
    parameter: "filter",
    expected: `a rank of at most ${largeRank} where both sides exceed ${largeSide}`,
    received: "a higher one",
    hint: "such a filter gains nothing from column and row passes",
  });
}

/** The relative error of keeping 0, 1, ... all singular values. */
function truncationErrors(singularValues: number[]): number[] {
  const dropped = [0];
  for (let k = singularValues.length - 1; k >= 0; k--) dropped.unshift(Math.hypot(dropped[0]!, singularValues[k]!));
  return dropped.map((norm) => (norm === 0 ? 0 : norm / dropped[0]!));
}

function svdTerms(decomposition: Svd | undefined, rank: number): Term[] {
  if (!decomposition) return [];
  return decomposition.s.slice(0, rank).map((s, k) => ({
    column: Array.from(decomposition.u[k]!, (x) => x * Math.sqrt(s)),
    row: Array.from(decomposition.v[k]!, (x) => x * Math.sqrt(s)),
  }));
}

/** The term with the signs that {@link factorize} promises; sums within rounding of zero count as zero. */
function oriented({ column, row }: Term): Term {
  const sign = signOfSum(column) || signOfSum(row) || Math.sign(column.find((x) => x !== 0)!);
  return sign >= 0 ? { column, row } : { column: column.map((x) => 0 - x), row: row.map((x) => 0 - x) };
}

function signOfSum(taps: number[]): number {
  const sum = taps.reduce((a, b) => a + b, 0);
  const magnitude = taps.reduce((a, b) => a + Math.abs(b), 0);
  return Math.abs(sum) <= 1e-9 * magnitude ? 0 : Math.sign(sum);
}

function isChecked(filter: Filter | CheckedFilter): filter is CheckedFilter {
  return typeof filter === "object" && "integer" in filter;
}

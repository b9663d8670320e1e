// How a filter is written as a sum of columns ⊗ rows: exactly, in integers where that is possible, or truncated.
import { LimitError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { type CheckedFilter, checkFilter, type Filter } from "./filter.ts";
import { type ExactTerms, eliminate, integerRank, smallTerms, type Term } from "./integers.ts";
import { norm, type Svd, svd } from "./svd.ts";
import { checkTruncateOptions, type TruncateOptions, truncate } from "./truncate.ts";
import { factorizeWeight, type WeightFactors, type WeightOptions } from "./weights.ts";

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

/** Where both sides exceed `largeSide`, only filters of at most `largeRank` are factored: the time grows with both. */
const largeSide = 513;
const largeRank = 128;

/**
 * Finds the terms of a filter: filter[i, j] = gain · Σ column[i] · row[j], with as few terms as the filter's rank, or
 * fewer on request. Of all sums of that many terms the truncated one is nearest to the filter (Eckart–Young), and its
 * error is the norm of the dropped singular values.
 *
 * Integer filters get integer or rational taps at their exact rank where small ones exist: Sobel x is [1, 2, 1] ⊗
 * [-1, 0, 1]. Real taps share a singular value evenly between column and row. Signs: of column and row the one whose
 * taps cancel less (the column where they are equal) has a positive sum; where both sums are zero, the column's first
 * tap that is not zero is positive.
 *
 * @throws InvalidArgumentError for a malformed filter or option; LimitError for a filter with both sides above 513 and
 * a rank above 128.
 */
export function factorize(filter: Filter | CheckedFilter, options?: TruncateOptions): FilterFactors;
/** Factors the weight of a layer [outChannels, inChannels, kh, kw] along a split: see {@link factorizeWeight}. */
export function factorize<S extends keyof WeightFactors>(
  weight: Tensor,
  options: WeightOptions & { split: S },
): WeightFactors[S];
export function factorize(
  given: Filter | CheckedFilter | Tensor,
  options?: TruncateOptions | WeightOptions,
): FilterFactors | WeightFactors[keyof WeightFactors] {
  if (isTensor(given)) return factorizeWeight(given, (options ?? {}) as WeightOptions);
  const limits = checkTruncateOptions(options);
  const filter = isChecked(given) ? given : checkFilter(given);
  const { singularValues, exact, decomposition } = filter.values
    ? analyse(filter, filter.values)
    : analyseColumnRow(filter);
  const exactRank = singularValues.length;
  const { rank, error } = truncate([singularValues], exactRank, limits);
  const { kh, kw, gain, offset } = filter;
  const { terms, denominator } = exact && rank === exactRank ? exact : truncated(decomposition!, rank);
  return {
    kh,
    kw,
    gain,
    offset,
    rank,
    exactRank,
    spatiallySeparable: exactRank <= 1,
    terms: terms.map(oriented),
    denominator,
    error,
    singularValues,
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
  const sigma = norm(column!) * norm(row!);
  if (sigma === 0) return { singularValues: [], exact: { terms: [], denominator: 1 } };
  return { singularValues: [sigma], exact: { terms: [{ column: column!, row: row! }], denominator: integer ? 1 : 0 } };
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
  if (exact && rank <= 1) return { singularValues: rank === 0 ? [] : [norm(values)], exact };
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
    hint: "apply it as it stands, without column and row passes",
  });
}

function truncated({ u, s, v }: Svd, rank: number): ExactTerms {
  const terms = s.slice(0, rank).map((sigma, k) => ({
    column: Array.from(u[k]!, (x) => x * Math.sqrt(sigma)),
    row: Array.from(v[k]!, (x) => x * Math.sqrt(sigma)),
  }));
  return { terms, denominator: 0 };
}

/** The term with the signs that {@link factorize} promises; what is zero up to rounding counts as zero. */
function oriented({ column, row }: Term): Term {
  const rounding = 1e-9;
  const [c, r] = [balance(column), balance(row)];
  const clearer = Math.abs(r) > Math.abs(c) + rounding ? r : c;
  const first = column.find((tap) => Math.abs(tap) > rounding * norm(column))!;
  const sign = Math.abs(clearer) > rounding ? clearer : first;
  return sign > 0 ? { column, row } : { column: column.map((x) => 0 - x), row: row.map((x) => 0 - x) };
}

/** From −1 to 1: the sum of the taps over the sum of their magnitudes. */
function balance(taps: number[]): number {
  return taps.reduce((sum, tap) => sum + tap, 0) / taps.reduce((sum, tap) => sum + Math.abs(tap), 0);
}

function isTensor(given: Filter | CheckedFilter | Tensor): given is Tensor {
  return typeof given === "object" && given !== null && "shape" in given;
}

function isChecked(given: Filter | CheckedFilter): given is CheckedFilter {
  return typeof given === "object" && given !== null && "integer" in given;
}

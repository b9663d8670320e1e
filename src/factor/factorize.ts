// Factorizes a filter into a sum of columns ⊗ rows: exactly, in integers where that is possible, or truncated. Depthwise
// filters of rank 1 are split without a decomposition.
import { LimitError } from "../errors.ts";
import type { Tensor, TensorLike } from "../tensor.ts";
import { type CheckedFilter, checkFilter, type Filter } from "./filter.ts";
import { eliminate, integerRank, isSmall, smallTerms, type Term, type WholeTerms } from "./integers.ts";
import { latticeTerms } from "./lattice.ts";
import { rankExceeds } from "./sketch.ts";
import { finished, type Steps } from "./steps.ts";
import { checkTruncateOptions, decomposing, norm, type Svd, type TruncateOptions, truncate } from "./svd.ts";
import { factorizeWeight, type WeightFactors, type WeightOptions } from "./weights.ts";

/**
 * A filter as a sum: filter = Σ terms, up to `error`. A term is the matrix [kh, kw] whose value [i, j] is
 * column[i] · row[j]; the filter's own gain, if it has one, is in the terms, its offset is not.
 */
export interface FilterFactors {
  /** Height of the filter, and length of every column. */
  kh: number;
  /** Width of the filter, and length of every row. */
  kw: number;
  /** What the filter adds to every result, in the units of the pixels; no part of the sum. 0 for most filters. */
  offset: number;
  /** The number of terms. */
  rank: number;
  /** The rank of the filter itself: exact for integers (beyond a rank of 12 where both sides exceed 513: numerical), numerical (as NumPy's matrix_rank) for real numbers. */
  exactRank: number;
  /** The filter is one column ⊗ one row, or zero. */
  spatiallySeparable: boolean;
  /** The terms; their sum is the filter, there is nothing to multiply or divide by. None for a filter of zeros. */
  terms: Term[];
  /** The same terms in integers, where `rank` is the exact rank and small integers exist. */
  exact?: ExactTerms;
  /** ‖filter − Σ terms‖ / ‖filter‖ in the Frobenius norm; 0 for a filter of zeros. */
  error: number;
  /** The filter's own, as NumPy's `svd` gives them, but without those that are zero: `exactRank` of them, descending. */
  singularValues: number[];
  /** Per output value: with the filter as it stands, and as a column pass and a row pass for each term. */
  multiplications: {
    /** kh · kw */
    direct: number;
    /** rank · (kh + kw) */
    separable: number;
  };
}

/** Integer terms: filter = gain · Σ terms / denominator. Every tap is an integer. */
export interface ExactTerms {
  /** As many as the rank. */
  terms: Term[];
  /** An integer of at least 1; 1 for most filters. */
  denominator: number;
  /** What is left when common divisors are taken out of the filter: 1/9 for a box of 3 × 3. */
  gain: number;
}

/** Where both sides exceed `largeSide`, only filters of at most `largeRank` are factored: the time grows with both. */
export const largeSide = 513;
const largeRank = 128;
/** Up to this rank terms of integers are sought there. */
const largeExactRank = 12;

/**
 * Finds the terms of a filter: filter[i, j] = Σ column[i] · row[j], with as few terms as the filter's rank, or fewer on
 * request. Of all sums of that many terms the truncated one is nearest to the filter (Eckart and Young 1936), and its
 * error is the norm of the dropped singular values over the norm of all.
 *
 * Integer filters get integer taps at their exact rank where small ones exist (fraction-free elimination, Bareiss 1968):
 * Sobel x is [1, 2, 1] ⊗ [-1, 0, 1]. Where a gain or a denominator remains it is in the columns, and the integers stand
 * under `exact`. Real taps share a singular value and the gain evenly between column and row. Signs: of column and row
 * the one whose taps cancel less (the column where they are equal) has a positive sum; where both sums are zero, the
 * column's first tap that is not zero is positive.
 *
 * @param filter Any form of filter: a name, rows of numbers, `{ kh, kw, values }`, `{ column, row }`, sharp's kernel.
 * @param options `rank`: at most this many terms. `tolerance`: as few terms as have at most this relative error.
 * @throws InvalidArgumentError for a malformed filter or option; LimitError for a filter with both sides above 513 and
 * a rank above 128.
 */
export function factorize(filter: Filter, options?: TruncateOptions): FilterFactors;
/**
 * Factors the weight of a layer, [outChannels, inChannels, kh, kw] in f32, along a split into the weights of the layers
 * that compute it in steps: "depthwise", "spatial", "bottleneck" or "cp" (docs/theory.md says what each is).
 *
 * @throws InvalidArgumentError for another shape, type or option; LimitError for a weight that is too large to factor.
 */
export function factorize<S extends keyof WeightFactors>(
  weight: TensorLike,
  options: WeightOptions & {
    /** Which axes of the weight are rows and which are columns. */
    split: S;
  },
): WeightFactors[S];
export function factorize(
  given: Filter | TensorLike,
  options?: TruncateOptions | WeightOptions,
): FilterFactors | WeightFactors[keyof WeightFactors] {
  const tensor = tensorIn(given);
  if (tensor) return factorizeWeight(tensor, (options ?? {}) as WeightOptions);
  const limits = checkTruncateOptions(options);
  const filter = checkFilter(given);
  const { kh, kw, gain, offset } = filter;
  const analysis = finished(analyse(gain === 0 ? zeros(filter) : filter, false));
  const { terms, denominator, rank, error } = factorsWithin(analysis, limits);
  const { rank: exactRank } = analysis;
  return {
    kh,
    kw,
    offset,
    rank,
    exactRank,
    spatiallySeparable: exactRank <= 1,
    terms: terms.map((term) => oriented(denominator > 0 ? inColumn(term, gain, denominator) : shared(term, gain))),
    ...(denominator > 0 && { exact: { terms, denominator, gain } }),
    error,
    singularValues: analysis.spectrum().map((sigma) => sigma * Math.abs(gain)),
    multiplications: { direct: kh * kw, separable: rank * (kh + kw) },
  };
}

/** The factors of a filter whose gain is 0. */
function zeros(filter: CheckedFilter): CheckedFilter {
  const [column, row] = [Array<number>(filter.kh).fill(0), Array<number>(filter.kw).fill(0)];
  return { ...filter, values: undefined, column, row };
}

function inColumn({ column, row }: Term, gain: number, denominator: number): Term {
  return { column: column.map((tap) => (tap * gain) / denominator + 0), row };
}

function shared({ column, row }: Term, gain: number): Term {
  const root = Math.sqrt(Math.abs(gain));
  return { column: column.map((tap) => tap * Math.sign(gain) * root + 0), row: row.map((tap) => tap * root) };
}

/** Terms of a filter in its normal form, before its gain: filter = gain · Σ terms / denominator. */
export interface CheckedFactors {
  terms: Term[];
  /** At least 1: all taps are integers. 0: they are real numbers, and nothing divides their sum. */
  denominator: number;
  /** How many terms. */
  rank: number;
  /** Relative: of the norm of the filter. */
  error: number;
}

/** What is known of a filter: its rank, terms in exact numbers if it has them, and how to decompose it: once, when asked. */
export interface Analysis {
  rank: number;
  /** As many terms as the rank. */
  exact?: WholeTerms;
  decompose: () => Steps<Svd>;
  /** The singular values, descending; where not all were found, the last stands for the norm of the others. */
  spectrum: () => number[];
}

/** The terms that limits leave. */
export function factorsWithin({ rank, exact, decompose, spectrum }: Analysis, limits: Required<TruncateOptions>) {
  const all = rank === 0 || (exact && limits.tolerance === 0 && limits.rank >= rank);
  const values = all ? [] : spectrum();
  const kept = all ? { rank, error: 0 } : truncate([values], values.length, limits);
  const whole = all || (exact && kept.rank === values.length);
  const { terms, denominator } = whole ? exact! : truncated(finished(decompose()), kept.rank);
  return { terms: terms.map(oriented), denominator, rank: terms.length, error: kept.error };
}

/**
 * What there is to find in a filter's normal form: what plans are made of, too, since integers stay integers and the gain stays
 * outside. `ofIntegers`: sums over pixels will be exact whatever cancels in them, so that integers may be of any magnitude.
 *
 * @throws LimitError for both sides above 513 and a rank above 128.
 */
export function* analyse(filter: CheckedFilter, ofIntegers: boolean): Steps<Analysis> {
  const { kh, kw, values } = filter;
  if (!values) return analyseColumnRow(filter);
  const least = Math.min(kh, kw);
  const maxRank = least > largeSide ? largeRank : least;
  if (least > largeSide && (yield* rankExceeds(filter, maxRank, negligible(filter)))) throw tooLarge();
  if (filter.integer) return yield* analyseIntegers(filter, values, maxRank, ofIntegers);
  return yield* analyseReals(filter, values, maxRank);
}

function analyseColumnRow({ column, row, integer }: CheckedFilter): Analysis {
  const sigma = norm(column!) * norm(row!);
  const terms = sigma === 0 ? [] : [{ column: column!, row: row! }];
  const exact = { terms, denominator: integer || sigma === 0 ? 1 : 0 };
  const spectrum = (): number[] => terms.map(() => sigma);
  return { rank: terms.length, exact, decompose: () => decomposing([], 0, 0), spectrum };
}

function* analyseIntegers(
  filter: CheckedFilter,
  values: number[],
  maxRank: number,
  ofIntegers: boolean,
): Steps<Analysis> {
  const { kh, kw } = filter;
  const isLarge = Math.min(kh, kw) > largeSide;
  // Nothing exact takes little time where rank and sides are large.
  if (isLarge && (yield* rankExceeds(filter, largeExactRank, 0))) return yield* analyseReals(filter, values, maxRank);
  yield;
  const crosses = eliminate(values, kh, kw, maxRank);
  const rank = crosses ? crosses.length : integerRank(values, kh, kw, maxRank);
  checkRank(rank, maxRank);
  yield;
  const found = crosses && smallTerms(values, kh, kw, crosses);
  // Terms over a denominator are the smaller ones, sums over pixels without one.
  const whole = found && (found.denominator === 1 || !ofIntegers) ? undefined : latticeTerms(values, kh, kw, rank);
  const exact = whole && (ofIntegers || isSmall(whole, values)) ? { terms: whole, denominator: 1 } : found;
  const decompose = once(() => decomposing(values, kh, kw, { maxRank: rank }));
  const spectrum = (): number[] => (rank === 0 ? [] : rank === 1 ? [norm(values)] : finished(decompose()).s);
  return { rank, exact, decompose, spectrum };
}

function* analyseReals(filter: CheckedFilter, values: number[], maxRank: number): Steps<Analysis> {
  const small = negligible(filter);
  const decompose = once(() => decomposing(values, filter.kh, filter.kw, { maxRank: maxRank + 1, negligible: small }));
  const decomposition = yield* decompose();
  const singularValues = decomposition.s.filter((s) => s > small * decomposition.s[0]!);
  checkRank(singularValues.length, maxRank);
  return { rank: singularValues.length, decompose, spectrum: () => singularValues };
}

/** Singular values of real numbers that are at most this part of the largest are rounding. */
export const negligible = ({ kh, kw }: CheckedFilter): number => Math.max(kh, kw) * Number.EPSILON;

/** Does work when it is first asked for: later what it made is there. */
export function once<T>(work: () => Steps<T>): () => Steps<T> {
  let made: { value: T } | undefined;
  return function* () {
    made ??= { value: yield* work() };
    return made.value;
  };
}

function checkRank(rank: number, maxRank: number): void {
  if (rank > maxRank) throw tooLarge();
}

const tooLarge = (): LimitError =>
  new LimitError({
    parameter: "filter",
    expected: `a rank of at most ${largeRank} where both sides exceed ${largeSide}`,
    received: "a higher one",
    hint: "ask for a smaller filter, or for a sum of few columns and rows",
  });

function truncated({ u, s, v }: Svd, rank: number): WholeTerms {
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

/** A weight, by our own name for its sides or by ONNX Runtime's; a filter is none. */
function tensorIn(given: Filter | TensorLike): Tensor | undefined {
  if (typeof given !== "object" || given === null || !("shape" in given || "dims" in given)) return undefined;
  const { shape, dims, data } = given as { shape?: Tensor["shape"]; dims?: Tensor["shape"]; data: Tensor["data"] };
  return { shape: (shape ?? dims)!, data };
}

export interface ColumnsAndRows {
  /** [kh, channels]. */
  columns: Float32Array;
  /** [kw, channels]. */
  rows: Float32Array;
}

/** How far a filter may be from the product, in parts of its largest value: rounding to 32-bit floats explains it. */
const slack = 4 * 2 ** -24;

/** Splits a weight [kh, kw, channels] into columns and rows, if every channel's filter has rank 1 (or 0). */
export function splitDepthwise(
  weight: ArrayLike<number>,
  [kh, kw, channels]: readonly [number, number, number],
): ColumnsAndRows | undefined {
  const [columns, rows] = [new Float32Array(kh * channels), new Float32Array(kw * channels)];
  for (let c = 0; c < channels; c++) {
    const at = (i: number, j: number): number => weight[(i * kw + j) * channels + c]!;
    let [top, side] = [0, 0];
    for (let tap = 0; tap < kh * kw; tap++) {
      const [i, j] = [Math.floor(tap / kw), tap % kw];
      if (Math.abs(at(i, j)) > Math.abs(at(top, side))) [top, side] = [i, j];
    }
    const pivot = at(top, side);
    for (let i = 0; i < kh; i++) columns[i * channels + c] = pivot === 0 ? 0 : at(i, side) / pivot;
    for (let j = 0; j < kw; j++) rows[j * channels + c] = at(top, j);
    for (let i = 0; i < kh; i++)
      for (let j = 0; j < kw; j++) {
        const product = columns[i * channels + c]! * rows[j * channels + c]!;
        if (!(Math.abs(product - at(i, j)) <= slack * Math.abs(pivot))) return undefined;
      }
  }
  return { columns, rows };
}

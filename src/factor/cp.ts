// The CP decomposition of a layer's weight: weight[o, c, t] ≈ Σ_k last[k, o] · first[k, c] · taps[k, t], by alternating least squares
// (Harshman 1970) from a truncated decomposition, extrapolated further the longer that helps (as Ang and Gillis,
// "Accelerating nonnegative matrix factorization algorithms using extrapolation", 2019, do for matrices).
import { addScaled, dot, norm, numericalRanks, type Svd, type TruncateOptions, truncate } from "./svd.ts";

/** A matrix as its rows. */
type Rows = Float64Array[];

/** A product outputs ⊗ inputs ⊗ taps; the CP decomposition is a sum of them. */
type Term = readonly [outputs: Float64Array, inputs: Float64Array, taps: Float64Array];

interface CpFit {
  terms: Term[];
  error: number;
}

/**
 * The CP decomposition of a weight, rows [outputs][inputs · taps], at a rank, or at the smallest rank that bisection finds for a
 * tolerance; rounded to f32, which the error includes. It starts from the terms of the slices, for each input [outputs,
 * taps]: exact where the rank suffices for all of them. Below that the error is that of the fit found, which need not be
 * the best there is. Nothing is random. `checkFit` may refuse a rank whose fit would take too long.
 */
export function cpForm(
  given: Rows,
  slices: readonly Svd[],
  epsilon: number,
  limits: Required<TruncateOptions>,
  checkFit: (rank: number) => void,
): CpFit {
  const { tolerance } = limits;
  const size = norm(given.map(norm)) || 1;
  const unit = Math.cbrt(size);
  const weight = given.map((row) => weighted([1 / size], [row]));
  const known = termsOf(slices, epsilon);
  if (known.length === 0) return { terms: [], error: 0 };
  const sigmas = known.map(({ sigma }) => sigma);
  const cut = (to: Required<TruncateOptions>) => truncate([sigmas], sigmas.length, to);
  const fitted = (rank: number): CpFit => {
    const terms = known.slice(0, rank).map(({ term }) => balanced(term, 1 / unit));
    const start = { terms, error: cut({ rank, tolerance: 0 }).error };
    const enough = Math.max(0.999 * tolerance, f32Rounding); // what rounding adds must not exceed the tolerance
    if (start.error > enough) checkFit(rank);
    return rounded(weight, alternate(weight, start, enough), unit);
  };
  let best = fitted(cut(limits).rank);
  for (let low = 1; tolerance > 0 && best.error <= tolerance && low < best.terms.length; ) {
    const middle = (low + best.terms.length) >> 1;
    const found = fitted(middle);
    if (found.error <= tolerance) best = found;
    else low = middle + 1;
  }
  return best;
}

/** The terms of all slices, largest first. */
function termsOf(slices: readonly Svd[], epsilon: number): { sigma: number; term: Term }[] {
  const ranks = numericalRanks(slices, epsilon);
  const terms = slices.flatMap(({ u, s, v }, input) =>
    u.slice(0, ranks[input]).map((outputs, k) => {
      const inputs = new Float64Array(slices.length);
      inputs[input] = s[k]!;
      return { sigma: s[k]!, term: [outputs, inputs, v[k]!] as const };
    }),
  );
  return terms.sort((a, b) => b.sigma - a.sigma);
}

/** About the relative error of rounding three factors to f32. */
const f32Rounding = 1e-7;

const mostSweeps = 300;
/** The fit ends when ten sweeps together improve the error by less than this share of it. */
const leastGain = 1e-3;

/** Fits a weight of norm 1. A sweep that extrapolation made worse is done again without it. */
function alternate(weight: Rows, start: CpFit, enough: number): Term[] {
  const transposed = transpose(weight);
  let [before, now] = [start, start];
  let [momentum, reference] = [0.5, Infinity];
  for (let n = 1; n <= mostSweeps && now.error > enough; n++) {
    const ahead = now.terms.map((term, k) =>
      mapTerm(term, (row, axis) => weighted([1 + momentum, -momentum], [row, before.terms[k]![axis]!])),
    );
    let next = sweep(weight, transposed, ahead);
    const helped = next.error <= now.error;
    momentum = helped ? Math.min(20, 1.15 * momentum) : Math.max(0.1, momentum / 2);
    if (!helped) next = sweep(weight, transposed, now.terms);
    [before, now] = [now, next];
    if (n % 10 > 0) continue;
    if (now.error > (1 - leastGain) * reference) break;
    reference = now.error;
  }
  return now.terms;
}

/** Solves for inputs, taps and outputs in turn, each the least-squares fit for the other two. */
function sweep(weight: Rows, transposed: Rows, terms: readonly Term[]): CpFit {
  const outputs = terms.map(([row]) => row);
  const taps = terms.map(([, , row]) => row);
  const mixed = multiply(outputs, weight);
  const outputGram = gram(outputs);
  const newInputs = solve(
    times(outputGram, gram(taps)),
    mixed.map((row, k) => overTaps(row, taps[k]!)),
  );
  const inputGram = gram(newInputs);
  const newTaps = solve(
    times(outputGram, inputGram),
    mixed.map((row, k) => overInputs(row, newInputs[k]!)),
  );
  const grams = times(inputGram, gram(newTaps));
  const right = multiply(
    newInputs.map((row, k) => filters(row, newTaps[k]!)),
    transposed,
  );
  const newOutputs = solve(grams, right);
  // ‖weight − fit‖² = 1 − 2 ⟨weight, fit⟩ + ‖fit‖²
  const square = total(grams, gram(newOutputs)) - 2 * total(right, newOutputs) + 1;
  return {
    terms: newOutputs.map((row, k) => balanced([row, newInputs[k]!, newTaps[k]!])),
    error: Math.sqrt(Math.max(0, square)),
  };
}

/** The terms with vectors times `scale`, rounded to f32, and the error that they then have. */
function rounded(weight: Rows, terms: readonly Term[], scale: number): CpFit {
  const singles = terms.map((term) => mapTerm(term, (row) => row.map((v) => Math.fround(v * scale))));
  const outputs = singles.map(([row]) => weighted([scale ** -3], [row]));
  const fit = multiply(
    transpose(outputs),
    singles.map(([, inputs, taps]) => filters(inputs, taps)),
  );
  const error = norm(fit.map((row, o) => norm(weighted([1, -1], [row, weight[o]!]))));
  return { terms: singles, error };
}

const mapTerm = (term: Term, change: (row: Float64Array, axis: number) => Float64Array): Term =>
  term.map(change) as unknown as Term;

/** The same term of three vectors of equal norms, each times a gain. */
function balanced(term: Term, gain = 1): Term {
  const norms = term.map(norm);
  const mean = norms.reduce((product, n) => product * Math.cbrt(n), gain);
  return mapTerm(term, (row, axis) => weighted([mean / (norms[axis]! || 1)], [row]));
}

/** inputs ⊗ taps */
function filters(inputs: Float64Array, taps: Float64Array): Float64Array {
  const out = new Float64Array(inputs.length * taps.length);
  for (let c = 0, at = 0; c < inputs.length; c++)
    for (let t = 0; t < taps.length; t++) out[at++] = inputs[c]! * taps[t]!;
  return out;
}

/** Of a row [inputs · taps]: Σ over taps, times a factor each. */
function overTaps(row: Float64Array, factors: Float64Array): Float64Array {
  const sums = new Float64Array(row.length / factors.length);
  for (let c = 0, at = 0; c < sums.length; c++)
    for (let t = 0; t < factors.length; t++) sums[c]! += row[at++]! * factors[t]!;
  return sums;
}

function overInputs(row: Float64Array, factors: Float64Array): Float64Array {
  const sums = new Float64Array(row.length / factors.length);
  for (let c = 0, at = 0; c < factors.length; c++)
    for (let t = 0; t < sums.length; t++) sums[t]! += row[at++]! * factors[c]!;
  return sums;
}

/** Adds Σ a[k] · rows[k] to `out` beyond an index; four rows at a time, so that `out` is read and written less often. */
function combine(out: Float64Array, a: ArrayLike<number>, rows: readonly Float64Array[], from = 0): Float64Array {
  const n = out.length;
  let k = 0;
  for (; k + 3 < rows.length; k += 4) {
    // Taken apart as lists these cost half the time.
    const r0 = rows[k]!;
    const r1 = rows[k + 1]!;
    const r2 = rows[k + 2]!;
    const r3 = rows[k + 3]!;
    const a0 = a[k]!;
    const a1 = a[k + 1]!;
    const a2 = a[k + 2]!;
    const a3 = a[k + 3]!;
    for (let i = from; i < n; i++) out[i]! += a0 * r0[i]! + a1 * r1[i]! + (a2 * r2[i]! + a3 * r3[i]!);
  }
  for (; k < rows.length; k++) addScaled(out, rows[k]!, a[k]!, from);
  return out;
}

const weighted = (a: ArrayLike<number>, rows: Rows): Float64Array =>
  combine(new Float64Array(rows[0]!.length), a, rows);

const multiply = (a: Rows, b: Rows): Rows => a.map((row) => weighted(row, b));

function transpose(a: Rows): Rows {
  const out = Array.from(a[0]!, () => new Float64Array(a.length));
  for (const [k, row] of a.entries()) for (let i = 0; i < row.length; i++) out[i]![k] = row[i]!;
  return out;
}

/** The products of all pairs of rows. */
const gram = (a: Rows): Rows => multiply(a, transpose(a));

function times(a: Rows, b: Rows): Rows {
  return a.map((row, k) => {
    const [out, other] = [row.slice(), b[k]!];
    for (let i = 0; i < out.length; i++) out[i]! *= other[i]!;
    return out;
  });
}

const total = (a: Rows, b: Rows): number => a.reduce((sum, row, k) => sum + dot(row, b[k]!, 0), 0);

/** Solves matrix · x = right for a positive definite matrix by elimination; where it is singular it is damped. */
function solve(matrix: Rows, right: Rows): Rows {
  const n = matrix.length;
  const largest = Math.max(...matrix.map((row, i) => row[i]!));
  const rows: Rows = [];
  for (let i = 0; i < n; i++) {
    const row = new Float64Array(n + right[i]!.length);
    row.set(matrix[i]!);
    row.set(right[i]!, n);
    row[i]! += 1e-10 * row[i]! + 1e-14 * largest;
    const ratios = rows.map((above, k) => -above[i]! / above[k]!);
    rows.push(combine(row, ratios, rows, i));
  }
  // From below, the rows already solved; they are kept in reverse so that each is added at the end.
  const found: Rows = [];
  for (let i = n - 1; i >= 0; i--) {
    const row = rows[i]!;
    const ratios = found.map((_, k) => -row[n - 1 - k]! / row[i]!);
    found.push(combine(weighted([1 / row[i]!], [row.subarray(n)]), ratios, found));
  }
  return found.reverse();
}

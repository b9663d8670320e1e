// The singular value decomposition in f64: Householder QR with column pivoting, then one-sided Jacobi on the rows of R
// (Drmač and Veselić, "New fast and accurate Jacobi SVD algorithm", 2008). Small singular values keep their digits. Also
// its truncation by rank or tolerance.
import { checkInteger, checkNumber, checkOptions } from "../errors.ts";
import { finished, type Steps } from "./steps.ts";

/**
 * The compact decomposition: a = Σ s[k] · u[k] ⊗ v[k], with s descending. Singular values that are exactly 0 are left
 * out, so a zero matrix has none. In every u[k] the entry of largest magnitude is positive (the first one, among those
 * equal to 1e-9).
 */
export interface Svd {
  /** Left singular vectors: orthonormal, of length `rows`. */
  u: Float64Array[];
  s: number[];
  /** Right singular vectors: orthonormal, of length `cols`. */
  v: Float64Array[];
}

export interface SvdOptions {
  /** Stop at this many singular values: exact where the rank is known to be no larger. */
  maxRank?: number;
  /** Treat what is left as zero once its Frobenius norm is at most this times the norm of the longest column. */
  negligible?: number;
}

/**
 * Decomposes `a`, row-major [rows, cols] with finite entries of any scale; entries below 1e-150 of the largest count
 * as zero. Takes about 10 · rows · cols · rank + 60 · cols · rank² operations for rows >= cols.
 */
export const svd = (a: ArrayLike<number>, rows: number, cols: number, options?: SvdOptions): Svd =>
  finished(decomposing(a, rows, cols, options));

/** {@link svd} in parts of a few million operations. */
export function* decomposing(a: ArrayLike<number>, rows: number, cols: number, options: SvdOptions = {}): Steps<Svd> {
  const tall = rows >= cols;
  const { columns, scale } = scaledColumns(a, rows, cols, tall);
  if (scale === 0) return { u: [], s: [], v: [] };
  yield;
  const { reflectors, transposedR } = yield* pivotedQr(columns, options);
  const rotations = yield* jacobi(transposedR);
  const length = columns[0]!.length;
  const triples: { sigma: number; left: Float64Array; right: Float64Array }[] = [];
  for (const [k, x] of transposedR.entries()) {
    const sigma = Math.sqrt(dot(x, x, 0));
    triples.push({ sigma, left: reflect(reflectors, rotations[k]!, length), right: x.map((value) => value / sigma) });
    yield;
  }
  triples.sort((p, q) => q.sigma - p.sigma);
  const [u, v] = [triples.map((t) => (tall ? t.left : t.right)), triples.map((t) => (tall ? t.right : t.left))];
  for (let k = 0; k < u.length; k++) if (leadingEntry(u[k]!) < 0) [u[k], v[k]] = [negated(u[k]!), negated(v[k]!)];
  return { u, s: triples.map((t) => t.sigma * scale), v };
}

/** The columns of the matrix or of its transpose, whichever has no more columns than rows, over a power of two. */
function scaledColumns(a: ArrayLike<number>, rows: number, cols: number, tall: boolean) {
  let largest = 0;
  for (let i = 0; i < rows * cols; i++) largest = Math.max(largest, Math.abs(a[i]!));
  const scale = largest === 0 ? 0 : 2 ** Math.max(-1022, Math.floor(Math.log2(largest)));
  const [count, length] = tall ? [cols, rows] : [rows, cols];
  const columns = Array.from({ length: count }, (_, j) => {
    const column = new Float64Array(length);
    for (let i = 0; i < length; i++) column[i] = a[tall ? i * cols + j : j * cols + i]! / scale;
    return column;
  });
  return { columns, scale };
}

/** A Householder reflection I − factor · w wᵀ; w is zero before its index among the reflections. */
interface Reflector {
  w: Float64Array;
  factor: number;
}

/** Reduces the columns in place. Returns the reflections and Rᵀ in the original order of columns: A = Q · R. */
function* pivotedQr(
  columns: Float64Array[],
  { maxRank = columns.length, negligible = 0 }: SvdOptions,
): Steps<{ reflectors: Reflector[]; transposedR: Float64Array[]; order: number[] }> {
  const order = columns.map((_, j) => j);
  const squares = columns.map((column) => dot(column, column, 0));
  const enough = Math.max(negligible ** 2, 1e-300) * squares.reduce((a, b) => Math.max(a, b));
  const reflectors: Reflector[] = [];
  const transposedR: Float64Array[] = [];
  for (let k = 0; k < Math.min(maxRank, columns.length); k++) {
    let [longest, remaining] = [k, 0];
    for (let j = k; j < columns.length; j++) {
      remaining += squares[j]!;
      if (squares[j]! > squares[longest]!) longest = j;
    }
    if (remaining <= enough) break;
    for (const list of [columns, order, squares] as unknown[][]) [list[k], list[longest]] = [list[longest], list[k]];
    const w = columns[k]!;
    const diagonal = w[k]! > 0 ? -Math.sqrt(squares[k]!) : Math.sqrt(squares[k]!);
    const row = new Float64Array(columns.length);
    row[order[k]!] = diagonal;
    w.fill(0, 0, k);
    w[k]! -= diagonal;
    const reflector = { w, factor: 2 / dot(w, w, k) };
    reflectLater(columns, squares, k, reflector);
    for (let j = k + 1; j < columns.length; j++) row[order[j]!] = columns[j]![k]!;
    reflectors.push(reflector);
    transposedR.push(row);
    yield;
  }
  return { reflectors, transposedR, order };
}

/** Reflects the columns after one, and finds their squares below it. */
function reflectLater(columns: Float64Array[], squares: number[], k: number, { w, factor }: Reflector): void {
  for (let j = k + 1; j < columns.length; j++) {
    const column = columns[j]!;
    addScaled(column, w, -factor * dot(w, column, k), k);
    squares[j] = dot(column, column, k + 1);
  }
}

/**
 * At most the `rank`-th singular value, and not much less; 0 where there are fewer. Takes about 6 · rows · cols · rank
 * operations: that of the triangle that QR with pivoting leaves, by the norm of its inverse.
 */
export function* leastSingularValue(a: ArrayLike<number>, rows: number, cols: number, rank: number): Steps<number> {
  const { columns, scale } = scaledColumns(a, rows, cols, rows >= cols);
  if (scale === 0 || columns.length < rank) return 0;
  const { transposedR, order } = yield* pivotedQr(columns, { maxRank: rank });
  if (transposedR.length < rank) return 0;
  const triangle = transposedR.map((row) => Float64Array.from({ length: rank }, (_, j) => row[order[j]!]!));
  let squares = 0;
  const solved = new Float64Array(rank);
  for (let j = 0; j < rank; j++) {
    solved.fill(0);
    for (let i = j; i >= 0; i--) {
      solved[i] = ((i === j ? 1 : 0) - dot(triangle[i]!, solved, i + 1)) / triangle[i]![i]!;
      squares += solved[i]! ** 2;
    }
  }
  return scale / Math.sqrt(squares);
}

/** Makes the vectors orthogonal to each other by plane rotations, in place; returns the columns of their product. */
function* jacobi(x: Float64Array[]): Steps<Float64Array[]> {
  const rotations = x.map((_, k) => Float64Array.from(x, (_, i) => (i === k ? 1 : 0)));
  // About ten sweeps are needed, and convergence is quadratic at the end: 60 are out of reach.
  for (let sweep = 0, rotated = true; rotated && sweep < 60; sweep++) {
    rotated = false;
    const squares = x.map((column) => dot(column, column, 0));
    for (let p = 0; p < x.length - 1; p++) {
      if (rotateAll(x, rotations, squares, p)) rotated = true;
      yield;
    }
  }
  return rotations;
}

/** Makes one vector and each of those after it orthogonal; whether there was anything to do. */
function rotateAll(x: Float64Array[], rotations: Float64Array[], squares: number[], p: number): boolean {
  const threshold = Number.EPSILON * Math.sqrt(x[0]!.length);
  let rotated = false;
  for (let q = p + 1; q < x.length; q++) {
    const product = dot(x[p]!, x[q]!, 0);
    if (Math.abs(product) <= threshold * Math.sqrt(squares[p]!) * Math.sqrt(squares[q]!)) continue;
    rotated = true;
    const zeta = (squares[q]! - squares[p]!) / (2 * product);
    const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
    const cosine = 1 / Math.sqrt(1 + t * t);
    rotate(x[p]!, x[q]!, cosine, cosine * t);
    rotate(rotations[p]!, rotations[q]!, cosine, cosine * t);
    squares[p] = changedSquare(squares[p]!, -t * product, x[p]!);
    squares[q] = changedSquare(squares[q]!, t * product, x[q]!);
  }
  return rotated;
}

/** The square of a norm after a rotation; computed anew where the subtraction costs digits. */
function changedSquare(square: number, change: number, column: Float64Array): number {
  const changed = square + change;
  return changed > square / 4 ? changed : dot(column, column, 0);
}

function rotate(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  const n = a.length;
  for (let i = 0; i < n; i++) {
    const p = a[i]!;
    const q = b[i]!;
    a[i] = cosine * p - sine * q;
    b[i] = sine * p + cosine * q;
  }
}

/** Q · [w; 0], of the given length. */
function reflect(reflectors: Reflector[], w: Float64Array, length: number): Float64Array {
  const out = new Float64Array(length);
  out.set(w);
  for (let k = reflectors.length - 1; k >= 0; k--) {
    const reflector = reflectors[k]!;
    addScaled(out, reflector.w, -reflector.factor * dot(reflector.w, out, k), k);
  }
  return out;
}

/** The square root of the sum of squares; neither overflows nor underflows. */
export function norm(values: ArrayLike<number>): number {
  let [largest, sum] = [0, 0];
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  if (largest === 0) return 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/** Four sums at a time: one alone would wait for each addition. */
export function dot(a: Float64Array, b: Float64Array, from: number): number {
  const n = a.length;
  let [i, s0, s1, s2, s3] = [from, 0, 0, 0, 0];
  for (; i + 3 < n; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (; i < n; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
}

export function addScaled(a: Float64Array, b: Float64Array, factor: number, from: number): void {
  const n = a.length;
  for (let i = from; i < n; i++) a[i]! += factor * b[i]!;
}

function negated(a: Float64Array): Float64Array {
  return a.map((value) => 0 - value);
}

/** The first entry whose magnitude is the largest up to rounding. */
function leadingEntry(a: Float64Array): number {
  let largest = 0;
  for (const value of a) largest = Math.max(largest, Math.abs(value));
  return a.find((value) => Math.abs(value) >= largest * (1 - 1e-9)) ?? 0;
}

/** How many terms are kept; without either, all. */
export interface TruncateOptions {
  /** At most this many terms. */
  rank?: number;
  /** The fewest terms whose relative error (Frobenius) is at most this; 0 or absent keeps the exact rank. */
  tolerance?: number;
}

/** @throws InvalidArgumentError for an unknown key, a rank below 1 or a tolerance outside 0 to 1. */
export function checkTruncateOptions<T extends TruncateOptions>(
  options: T | undefined,
  known: readonly (keyof T & string)[] = ["rank", "tolerance"],
): Required<TruncateOptions> {
  const { rank = Number.MAX_SAFE_INTEGER, tolerance = 0 } = checkOptions<T>("options", options, known);
  return {
    rank: checkInteger("rank", rank, { min: 1 }),
    tolerance: checkNumber("tolerance", tolerance, { min: 0, max: 1 }),
  };
}

/**
 * The rank to keep of matrices that share it, given their singular values, and its relative error over all of them:
 * the norm of the dropped values over the norm of all. At least 1, except where exactRank is 0.
 */
export function truncate(
  spectra: readonly (readonly number[])[],
  exactRank: number,
  { rank, tolerance }: Required<TruncateOptions>,
): { rank: number; error: number } {
  const norms = [0];
  for (let k = Math.max(0, ...spectra.map((s) => s.length)) - 1; k >= 0; k--) {
    norms.unshift(norm([norms[0]!, ...spectra.map((s) => s[k] ?? 0)]));
  }
  const errors = norms.map((dropped) => (dropped === 0 ? 0 : dropped / norms[0]!));
  const enough = Math.max(
    1,
    errors.findIndex((error) => error <= tolerance),
  );
  const kept = Math.min(rank, exactRank, enough);
  return { rank: kept, error: errors[kept] ?? 0 };
}

/** How many singular values of each matrix are above rounding, in numbers of the given precision. */
export function numericalRanks(matrices: readonly Svd[], epsilon: number): number[] {
  const largest = Math.max(...matrices.map(({ s }) => s[0] ?? 0));
  return matrices.map(({ u, s, v }) => {
    const threshold = Math.max(u[0]?.length ?? 0, v[0]?.length ?? 0) * epsilon * largest;
    return s.filter((sigma) => sigma > threshold).length;
  });
}

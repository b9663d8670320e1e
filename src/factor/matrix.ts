// Dense matrices in f64, and the few things that fits need of them. Products are left to the caller: they are most of the
// work, and a machine does them faster than a loop.
import { dot } from "./svd.ts";

/** Row-major. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** The product of two matrices, a · b. */
export type Multiply = (a: Matrix, b: Matrix) => Matrix;

export function matrix(rows: number, cols: number, value?: (row: number, col: number) => number): Matrix {
  const data = new Float64Array(rows * cols);
  if (value) for (let r = 0, at = 0; r < rows; r++) for (let c = 0; c < cols; c++) data[at++] = value(r, c);
  return { rows, cols, data };
}

export const identity = (size: number): Matrix => matrix(size, size, (r, c) => (r === c ? 1 : 0));

export function transpose({ rows, cols, data }: Matrix): Matrix {
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c]!;
  return { rows: cols, cols: rows, data: out };
}

/** Each entry of two matrices of one shape, put together. */
export function combine(a: Matrix, b: Matrix, value: (a: number, b: number) => number): Matrix {
  const data = new Float64Array(a.data.length);
  for (let i = 0; i < data.length; i++) data[i] = value(a.data[i]!, b.data[i]!);
  return { ...a, data };
}

/** The sum of the products of entries: the trace of aᵀ · b. */
export const inner = (a: Matrix, b: Matrix): number => dot(a.data, b.data, 0);

export const diagonal = ({ rows, cols, data }: Matrix): Float64Array =>
  Float64Array.from({ length: rows }, (_, i) => data[i * cols + i]!);

export function meanDiagonal(a: Matrix): number {
  return diagonal(a).reduce((sum, entry) => sum + entry, 0) / a.rows;
}

/** The matrix with something added to each entry of its diagonal. */
export function withDiagonal(a: Matrix, added: (entry: number) => number): Matrix {
  const data = a.data.slice();
  for (let i = 0; i < a.rows; i++) data[i * a.cols + i]! += added(data[i * a.cols + i]!);
  return { ...a, data };
}

/** Some rows of a matrix, in the order given. */
export function rowsOf(a: Matrix, rows: readonly number[]): Matrix {
  return matrix(rows.length, a.cols, (r, c) => a.data[rows[r]! * a.cols + c]!);
}

/**
 * Solves a · x = b for a symmetric positive definite matrix by Cholesky's decomposition. Where rounding leaves a pivot that
 * is not positive, its unknown is 0.
 */
export function solvePositive(a: Matrix, b: Matrix): Matrix {
  const n = a.rows;
  const rows: Float64Array[] = [];
  for (let i = 0; i < n; i++) {
    const row = a.data.slice(i * n, i * n + i + 1);
    for (let k = 0; k < i; k++) row[k] = (row[k]! - partialDot(rows[k]!, row, k)) / (rows[k]![k]! || Infinity);
    const pivot = row[i]! - partialDot(row, row, i);
    row[i] = pivot > 0 ? Math.sqrt(pivot) : 0;
    rows.push(row);
  }
  const { cols } = b;
  const x = b.data.slice();
  const line = (i: number): Float64Array => x.subarray(i * cols, (i + 1) * cols);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtract(line(i), line(k), rows[i]![k]!);
    divide(line(i), rows[i]![i]!);
  }
  for (let i = n - 1; i >= 0; i--) {
    divide(line(i), rows[i]![i]!);
    for (let k = 0; k < i; k++) subtract(line(k), line(i), rows[i]![k]!);
  }
  return { rows: n, cols, data: x };
}

function partialDot(a: Float64Array, b: Float64Array, end: number): number {
  let [even, odd] = [0, 0];
  let k = 0;
  for (; k + 1 < end; k += 2) {
    even += a[k]! * b[k]!;
    odd += a[k + 1]! * b[k + 1]!;
  }
  return even + odd + (k < end ? a[k]! * b[k]! : 0);
}

function subtract(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i]! -= factor * b[i]!;
}

function divide(a: Float64Array, by: number): void {
  for (let i = 0; i < a.length; i++) a[i] = by === 0 ? 0 : a[i]! / by;
}

/** A plain product; what faster ones are tested against. */
export const multiplyPlainly: Multiply = (a, b) => {
  const out = new Float64Array(a.rows * b.cols);
  for (let r = 0; r < a.rows; r++) {
    const row = out.subarray(r * b.cols, (r + 1) * b.cols);
    for (let k = 0; k < a.cols; k++) {
      subtract(row, b.data.subarray(k * b.cols, (k + 1) * b.cols), -a.data[r * a.cols + k]!);
    }
  }
  return { rows: a.rows, cols: b.cols, data: out };
};

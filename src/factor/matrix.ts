// Dense matrices in f64 and the operations that fits need. Products are functions that the caller passes in: they are
// most of the work, and generated code is faster than a plain loop.
import { addScaled, dot } from "./svd.ts";

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

/** So many rows of a matrix from one on: a view of its numbers. */
export function rowsFrom({ cols, data }: Matrix, first: number, rows: number): Matrix {
  return { rows, cols, data: data.subarray(first * cols, (first + rows) * cols) };
}

/** So many columns of a matrix from one on: a copy. */
export function columnsFrom(a: Matrix, first: number, cols: number): Matrix {
  const data = new Float64Array(a.rows * cols);
  for (let r = 0; r < a.rows; r++) {
    data.set(a.data.subarray(r * a.cols + first, r * a.cols + first + cols), r * cols);
  }
  return { rows: a.rows, cols, data };
}

/** Matrices of equal width, one below the other. */
export function stack(parts: readonly Matrix[]): Matrix {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const { cols } = parts[0]!;
  const data = new Float64Array(rows * cols);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { rows, cols, data };
}

/** A plain product; what faster ones are tested against. */
export const multiplyPlainly: Multiply = (a, b) => {
  const out = new Float64Array(a.rows * b.cols);
  for (let r = 0; r < a.rows; r++) {
    const row = out.subarray(r * b.cols, (r + 1) * b.cols);
    for (let k = 0; k < a.cols; k++) {
      addScaled(row, b.data.subarray(k * b.cols, (k + 1) * b.cols), a.data[r * a.cols + k]!, 0);
    }
  }
  return { rows: a.rows, cols: b.cols, data: out };
};

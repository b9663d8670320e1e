// Singular values alone, much faster than with their vectors: the eigenvalues of the Gram matrix, tridiagonalised by
// Householder reflections and found by the implicit QR method (Golub and Van Loan, "Matrix computations", 8.3).
import { dot } from "./svd.ts";

/**
 * The singular values of a matrix given by its entries, descending. Those below 1e-8 of the largest are rounding errors.
 * Takes about rows · cols · n + 4/3 · n³ operations, where n is the smaller side.
 */
export function singularValues(rows: number, cols: number, entry: (row: number, col: number) => number): number[] {
  const [n, length] = [Math.min(rows, cols), Math.max(rows, cols)];
  const lines = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length }, (_, k) => (rows <= cols ? entry(i, k) : entry(k, i))),
  );
  const gram = lines.map((a) => Float64Array.from(lines, (b) => dot(a, b, 0)));
  const { diagonal, beside } = tridiagonal(gram);
  diagonalize(diagonal, beside);
  return Array.from(diagonal.sort().reverse(), (value) => Math.sqrt(Math.max(0, value)));
}

/** The tridiagonal matrix that is similar to a symmetric one, which is overwritten. */
function tridiagonal(a: Float64Array[]): { diagonal: Float64Array; beside: Float64Array } {
  const n = a.length;
  const [beside, w] = [new Float64Array(Math.max(0, n - 1)), new Float64Array(n)];
  for (let k = 0; k < n - 2; k++) {
    const v = a[k]!; // its entries after k become the reflection's vector; by symmetry they are those below, too
    const norm = Math.sqrt(dot(v, v, k + 1));
    beside[k] = v[k + 1]! > 0 ? -norm : norm;
    v[k + 1] = v[k + 1]! - beside[k]!;
    const factor = 2 / dot(v, v, k + 1);
    if (!Number.isFinite(factor)) continue;
    for (let i = k + 1; i < n; i++) w[i] = factor * dot(a[i]!, v, k + 1);
    const half = (factor / 2) * dot(w, v, k + 1);
    for (let i = k + 1; i < n; i++) w[i]! -= half * v[i]!;
    for (let i = k + 1; i < n; i++) {
      const [row, vi, wi] = [a[i]!, v[i]!, w[i]!];
      for (let j = k + 1; j < n; j++) row[j]! -= vi * w[j]! + wi * v[j]!;
    }
  }
  if (n > 1) beside[n - 2] = a[n - 2]![n - 1]!;
  return { diagonal: Float64Array.from(a, (row, i) => row[i]!), beside };
}

/** Makes the entries beside the diagonal vanish by QR steps with Wilkinson's shift; the diagonal then holds eigenvalues. */
function diagonalize(d: Float64Array, e: Float64Array): void {
  for (let end = d.length - 1, steps = 0; end > 0 && steps < 60 * d.length; ) {
    const isSmall = (k: number): boolean => Math.abs(e[k]!) <= 2 ** -53 * (Math.abs(d[k]!) + Math.abs(d[k + 1]!));
    if (isSmall(end - 1)) {
      end--;
      continue;
    }
    let start = end - 1;
    while (start > 0 && !isSmall(start - 1)) start--;
    step(d, e, start, end);
    steps++;
  }
}

/** One QR step on the block of rows `start` to `end`, as a chain of rotations that chases the bulge out of it. */
function step(d: Float64Array, e: Float64Array, start: number, end: number): void {
  const [last, below] = [d[end]!, e[end - 1]!];
  const delta = (d[end - 1]! - last) / 2;
  const shift = last - (below * below) / (delta + (delta < 0 ? -1 : 1) * Math.hypot(delta, below));
  let [x, z] = [d[start]! - shift, e[start]!];
  for (let k = start; k < end; k++) {
    const r = Math.hypot(x, z) || 1;
    const [c, s] = [x / r, z / r];
    if (k > start) e[k - 1] = r;
    const [p, q, t] = [d[k]!, d[k + 1]!, e[k]!];
    d[k] = c * c * p + 2 * c * s * t + s * s * q;
    d[k + 1] = s * s * p - 2 * c * s * t + c * c * q;
    e[k] = c * s * (q - p) + (c * c - s * s) * t;
    x = e[k]!;
    if (k === end - 1) break;
    z = s * e[k + 1]!;
    e[k + 1] = c * e[k + 1]!;
  }
}

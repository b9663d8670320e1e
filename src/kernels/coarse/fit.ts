// Approximates long smooth taps by short ones on a coarse grid: pixels are averaged under triangles around every
// `factor`-th one, filtered there, and interpolated along straight lines. The short taps are the least-squares fit of the
// effective taps over all positions within a cell.

export interface CoarseFit {
  factor: number;
  /** Taps on the coarse grid, 2 · radius + 1 of them. */
  taps: number[];
  radius: number;
  /** For each position within a cell: |effective|², effective · wanted, and the sums of |effective| and |difference|. */
  phases: { square: number; product: number; sum: number; difference: number }[];
}

/** A triangle of unit sum over 2 · factor − 1 pixels: by what pixels are averaged. */
export const triangle = (factor: number): number[] =>
  Array.from({ length: 2 * factor - 1 }, (_, k) => (factor - Math.abs(k - factor + 1)) / factor ** 2);

/** What a coarse tap of 1 contributes to position `phase` of a cell, by the pixel's distance from the cell's start. */
function response(factor: number, phase: number): (distance: number) => number {
  const at = (d: number): number => Math.max(0, factor - Math.abs(d)) / factor ** 2;
  const t = phase / factor;
  return (d) => (1 - t) * at(d) + t * at(d - factor);
}

/** Fits an odd number of taps around their centre. */
export function fitCoarse(wanted: readonly number[], factor: number): CoarseFit {
  const reach = (wanted.length - 1) / 2;
  const radius = Math.ceil(reach / factor) + 1;
  const count = 2 * radius + 1;
  const tap = (i: number): number => wanted[reach + i] ?? 0;
  const responses = Array.from({ length: factor }, (_, phase) => response(factor, phase));
  const near = Array.from({ length: 3 * factor }, (_, i) => i - factor);

  // Normal equations: the matrix depends on the distance of two coarse taps only.
  const overlap = [0, 1, 2, 3].map((d) =>
    responses.reduce((s, r) => s + near.reduce((t, v) => t + r(v) * r(v - d * factor), 0), 0),
  );
  const matrix = Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_, j) => overlap[Math.abs(i - j)] ?? 0),
  );
  const right = Array.from({ length: count }, (_, m) =>
    responses.reduce(
      (s, r, phase) => s + near.reduce((t, v) => t + r(v) * tap(v + (m - radius) * factor - phase), 0),
      0,
    ),
  );
  const fitted = solve(matrix, right);
  // A constant stays what it is.
  const sum = (taps: readonly number[]): number => taps.reduce((total, t) => total + t, 0);
  const total = sum(fitted);
  const taps = total === 0 ? fitted : fitted.map((t) => (t * sum(wanted)) / total);

  const phases = responses.map((r, phase) => {
    const found = { square: 0, product: 0, sum: 0, difference: 0 };
    for (let u = -(radius + 1) * factor; u <= (radius + 2) * factor; u++) {
      let effective = 0;
      const first = Math.max(-radius, Math.floor((u - 2 * factor) / factor));
      for (let m = first; m <= Math.min(radius, first + 4); m++) effective += taps[m + radius]! * r(u - m * factor);
      const exact = tap(u - phase);
      found.square += effective * effective;
      found.product += effective * exact;
      found.sum += Math.abs(effective);
      found.difference += Math.abs(effective - exact);
    }
    return found;
  });
  return { factor, taps, radius, phases };
}

/** Relative Frobenius error of column ⊗ row at the worst position, and the largest sum of |differences|. */
export function coarseError(
  column: CoarseFit,
  row: CoarseFit,
  exact: { column: readonly number[]; row: readonly number[] },
) {
  const square = (taps: readonly number[]): number => taps.reduce((s, t) => s + t * t, 0);
  const size = square(exact.column) * square(exact.row);
  const magnitude = exact.column.reduce((s, t) => s + Math.abs(t), 0);
  let [relative, difference] = [0, 0];
  for (const c of column.phases) {
    for (const r of row.phases) {
      relative = Math.max(relative, c.square * r.square - 2 * c.product * r.product + size);
      difference = Math.max(difference, c.difference * r.sum + magnitude * r.difference);
    }
  }
  return { relative: Math.sqrt(Math.max(0, relative) / size), difference };
}

/** Gaussian elimination of a small positive definite system. */
function solve(matrix: number[][], right: number[]): number[] {
  const [a, b] = [matrix.map((row) => [...row]), [...right]];
  const n = b.length;
  for (let k = 0; k < n; k++) {
    for (let i = k + 1; i < Math.min(n, k + 4); i++) {
      const ratio = a[i]![k]! / a[k]![k]!;
      for (let j = k; j < Math.min(n, k + 8); j++) a[i]![j]! -= ratio * a[k]![j]!;
      b[i]! -= ratio * b[k]!;
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < Math.min(n, k + 8); j++) b[k]! -= a[k]![j]! * b[j]!;
    b[k]! /= a[k]![k]!;
  }
  return b;
}

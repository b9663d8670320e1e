import fc from "fast-check";
import { Matrix as Oracle, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { norm, type Svd, svd } from "../../src/factor/svd.ts";
import { distance, frobenius, generator, type Matrix, matrices, reals, sumOfTerms, transposed } from "./matrices.ts";

const epsilon = Number.EPSILON;

function rebuilt({ u, s, v }: Svd, rows: number, cols: number): number[] {
  return sumOfTerms(
    s.map((sigma, k) => ({ column: u[k]!.map((x) => x * sigma), row: v[k]! })),
    rows,
    cols,
  );
}

function expectOrthonormal(vectors: Float64Array[], length: number): void {
  for (const [i, a] of vectors.entries()) {
    expect(a.length).toBe(length);
    for (const [j, b] of vectors.entries()) {
      const product = a.reduce((sum, x, k) => sum + x * b[k]!, 0);
      expect(Math.abs(product - (i === j ? 1 : 0))).toBeLessThan(50 * length * epsilon);
    }
  }
}

function random(rows: number, cols: number, seed = 1): Matrix {
  const next = generator(seed);
  return { rows, cols, values: Array.from({ length: rows * cols }, next) };
}

describe("svd", () => {
  test("rebuilds the matrix from orthonormal vectors and descending values", () => {
    fc.assert(
      fc.property(matrices(9, fc.oneof(reals, fc.constantFrom(0, 1, -1, 2))), ({ rows, cols, values }) => {
        const result = svd(values, rows, cols);
        expectOrthonormal(result.u, rows);
        expectOrthonormal(result.v, cols);
        expect(result.s.every((sigma, k) => sigma > 0 && sigma <= (result.s[k - 1] ?? Infinity))).toBe(true);
        expect(distance(rebuilt(result, rows, cols), values)).toBeLessThanOrEqual(100 * epsilon * frobenius(values));
      }),
    );
  });

  test.each([
    [1, 7],
    [7, 1],
    [5, 5],
    [4, 30],
    [30, 4],
    [40, 40],
  ])("agrees with ml-matrix on %i x %i", (rows, cols) => {
    const { values } = random(rows, cols);
    const oracle = new SingularValueDecomposition(Oracle.from1DArray(rows, cols, values), { autoTranspose: true });
    const { s } = svd(values, rows, cols);
    expect(s.length).toBe(Math.min(rows, cols));
    for (const [k, sigma] of s.entries()) {
      expect(Math.abs(sigma - oracle.diagonal[k]!)).toBeLessThan(100 * epsilon * s[0]!);
    }
  });

  test("in every left vector the entry of largest magnitude is positive, the first among equals", () => {
    fc.assert(
      fc.property(matrices(6, fc.integer({ min: -2, max: 2 })), ({ rows, cols, values }) => {
        for (const vector of svd(values, rows, cols).u) {
          const largest = Math.max(...vector.map(Math.abs));
          expect(vector.find((x) => Math.abs(x) > largest * (1 - 1e-9))).toBeGreaterThan(0);
        }
      }),
    );
    expect(Array.from(svd([-1, 1], 2, 1).u[0]!, Math.sign)).toEqual([1, -1]);
  });

  test("a transposed matrix has the same values", () => {
    fc.assert(
      fc.property(matrices(7, reals), (matrix) => {
        const [a, b] = [matrix, transposed(matrix)].map(({ rows, cols, values }) => svd(values, rows, cols).s);
        const pad = (s: number[]) => Array.from({ length: 7 }, (_, k) => s[k] ?? 0);
        expect(distance(pad(a!), pad(b!))).toBeLessThanOrEqual(100 * epsilon * (a![0] ?? 0));
      }),
    );
  });

  test("a matrix of zeros has no singular values, one of rank 1 one above rounding", () => {
    expect(svd([0, 0, 0, 0, 0, 0], 2, 3)).toEqual({ u: [], s: [], v: [] });
    const { s } = svd([0.1, 0.2, 0.3, 0.2, 0.4, 0.6], 2, 3);
    expect(s[0]).toBeCloseTo(Math.sqrt(0.7), 14);
    expect(s[1] ?? 0).toBeLessThan(4 * epsilon);
  });

  test.each([2 ** -1000, 2 ** 1000, 1e-300, 1e300])("scales with the matrix by %d", (factor) => {
    const { rows, cols, values } = random(6, 5);
    const [plain, scaled] = [
      svd(values, rows, cols),
      svd(
        values.map((x) => x * factor),
        rows,
        cols,
      ),
    ];
    for (const [k, sigma] of plain.s.entries()) {
      expect(Math.abs(scaled.s[k]! / factor / sigma - 1)).toBeLessThan(1000 * epsilon);
      expect(distance(scaled.u[k]!, plain.u[k]!)).toBeLessThan(1e-12);
    }
  });

  test("small singular values keep their digits: their product is the determinant", () => {
    // An integer matrix of determinant 16, its columns scaled by powers of two.
    const columnScales = [1, 2 ** -20, 2 ** -70, 2 ** -40];
    const values = [2, 1, 0, 1, 1, 3, 1, 1, 0, 1, 2, 1, 1, 0, 1, 3].map((x, i) => x * columnScales[i % 4]!);
    const { s } = svd(values, 4, 4);
    const determinant = 16 * columnScales.reduce((product, x) => product * x);
    expect(s[3]).toBeLessThan(2 ** -60);
    expect(Math.abs(s.reduce((product, x) => product * x) / determinant - 1)).toBeLessThan(100 * epsilon);
  });

  test("stops at a known rank, and where the rest is negligible", () => {
    const [next, n] = [generator(3), 40];
    const vector = () => Array.from({ length: n }, next);
    const values = sumOfTerms(
      [1, 1, 1].map(() => ({ column: vector(), row: vector() })),
      n,
      n,
    );
    const whole = svd(values, n, n);
    for (const options of [{ maxRank: 3 }, { negligible: n * epsilon }]) {
      const cut = svd(values, n, n, options);
      expect(cut.s.length).toBe(3);
      expect(distance(cut.s, whole.s.slice(0, 3))).toBeLessThan(100 * epsilon * whole.s[0]!);
      expect(distance(rebuilt(cut, n, n), values)).toBeLessThan(100 * epsilon * frobenius(values));
    }
  });
});

test("norm neither overflows nor underflows", () => {
  expect(norm([3e200, 4e200])).toBeCloseTo(5e200, -190);
  expect(norm([3e-200, -4e-200]) / 5e-200).toBeCloseTo(1, 14);
  expect(norm([0, 0])).toBe(0);
});

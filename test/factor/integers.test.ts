import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eliminate, integerRank, smallTerms } from "../../src/factor/integers.ts";
import { generator, lowRankIntegers, type Matrix, matrices, smallIntegers, sumOfTerms } from "./matrices.ts";

/** The rank by elimination with exact fractions: slow and obvious. */
function rankByFractions({ rows, cols, values }: Matrix): number {
  const matrix = Array.from({ length: rows }, (_, i) => values.slice(i * cols, (i + 1) * cols).map(BigInt));
  let rank = 0;
  for (let j = 0; j < cols; j++) {
    const found = matrix.findIndex((row, i) => i >= rank && row[j] !== 0n);
    if (found < 0) continue;
    [matrix[rank], matrix[found]] = [matrix[found]!, matrix[rank]!];
    const pivot = matrix[rank]!;
    for (let i = rank + 1; i < rows; i++) {
      const factor = matrix[i]![j]!;
      matrix[i] = matrix[i]!.map((x, c) => x * pivot[j]! - factor * pivot[c]!);
    }
    rank++;
  }
  return rank;
}

const anyIntegers = fc.oneof(
  matrices(6, smallIntegers),
  matrices(6, fc.integer({ min: -32768, max: 32768 })),
  lowRankIntegers,
);

describe("integer matrices", () => {
  test("integerRank is the rank over the fractions, cut at maxRank + 1", () => {
    fc.assert(
      fc.property(anyIntegers, fc.integer({ min: 0, max: 8 }), (matrix, maxRank) => {
        const rank = integerRank(matrix.values, matrix.rows, matrix.cols, maxRank);
        expect(rank).toBe(Math.min(rankByFractions(matrix), maxRank + 1));
      }),
    );
  });

  test("eliminate finds as many crosses as the rank, where it does not give up", () => {
    let found = 0;
    fc.assert(
      fc.property(anyIntegers, (matrix) => {
        const crosses = eliminate(matrix.values, matrix.rows, matrix.cols, 8);
        if (!crosses) return;
        found++;
        expect(crosses.length).toBe(rankByFractions(matrix));
      }),
    );
    expect(found).toBeGreaterThan(40);
  });

  test("small matrices of low rank are sums of integers over a denominator, exactly", () => {
    let found = 0;
    fc.assert(
      fc.property(lowRankIntegers, ({ rows, cols, values }) => {
        const crosses = eliminate(values, rows, cols, 8)!;
        const exact = smallTerms(values, rows, cols, crosses);
        if (!exact) return;
        found++;
        const { terms, denominator } = exact;
        expect(terms.flatMap(({ column, row }) => [...column, ...row]).every(Number.isInteger)).toBe(true);
        expect(sumOfTerms(terms, rows, cols)).toEqual(values.map((x) => x * denominator + 0));
      }),
    );
    expect(found).toBeGreaterThan(40);
  });

  test("numbers that outgrow exact arithmetic are given up", () => {
    const next = generator(1);
    const values = Array.from({ length: 36 }, () => Math.round(next() * 60000));
    expect(eliminate(values, 6, 6, 6)).toBeUndefined();
    expect(integerRank(values, 6, 6, 6)).toBe(6);
  });

  test("a matrix that one prime mistakes has the rank that the others see", () => {
    expect(8000 * 8000 + 1157 * 2687).toBe(67108859); // the determinant, and the first of the primes
    expect(integerRank([8000, 1157, -2687, 8000], 2, 2, 2)).toBe(2);
  });
});

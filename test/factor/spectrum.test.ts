// Singular values alone, against those that come with their vectors.
import fc from "fast-check";
import { expect, test } from "vitest";
import { singularValues } from "../../src/factor/spectrum.ts";
import { svd } from "../../src/factor/svd.ts";
import { estimateWeight, factorizeWeight } from "../../src/factor/weights.ts";
import { generator } from "./matrices.ts";

test("matrices of every shape, rank and scale", () => {
  const side = fc.integer({ min: 1, max: 14 });
  fc.assert(
    fc.property(side, side, fc.integer({ min: 1, max: 14 }), fc.integer({ min: -60, max: 60 }), fc.nat(), (rows, cols, rank, exponent, seed) => {
      const random = generator(seed);
      const [left, right] = [Array.from({ length: rows * rank }, random), Array.from({ length: cols * rank }, random)];
      const entry = (row: number, col: number): number => {
        let sum = 0;
        for (let k = 0; k < rank; k++) sum += left[row * rank + k]! * right[col * rank + k]!;
        return sum * 2 ** exponent;
      };
      const entries = Float64Array.from({ length: rows * cols }, (_, i) => entry(Math.floor(i / cols), i % cols));
      const expected = svd(entries, rows, cols).s;
      const found = singularValues(rows, cols, entry);
      expect(found).toHaveLength(Math.min(rows, cols));
      for (const [k, value] of found.entries()) {
        expect(Math.abs(value ** 2 - (expected[k] ?? 0) ** 2)).toBeLessThanOrEqual(1e-13 * found[0]! ** 2);
      }
    }),
  ); // biome-ignore format: one line
});

test("zero, diagonal and constant matrices", () => {
  expect(singularValues(3, 4, () => 0)).toEqual([0, 0, 0]);
  expect(singularValues(4, 4, (i, j) => (i === j ? [3, 0, 7, 1][i]! : 0))).toEqual([7, 3, 1, 0]);
  const [first, ...rest] = singularValues(6, 5, () => -2);
  expect(first).toBeCloseTo(2 * Math.sqrt(30), 12);
  for (const value of rest) expect(value).toBeLessThan(1e-6);
});

test.each(["depthwise", "spatial", "bottleneck"] as const)("an estimate has the error of the %s factors", (split) => {
  const shape = [12, 7, 3, 5];
  const weight = { shape, data: Float32Array.from({ length: 12 * 7 * 15 }, generator(3)) };
  const shares = [0.2, 0.5, 0.8, 1];
  const estimates = shares.map((share) => ({ share, estimate: estimateWeight(weight, { split, share }) }));
  expect(estimates.filter(({ estimate }) => estimate).length).toBeGreaterThan(2);
  for (const { share, estimate } of estimates) {
    if (!estimate) continue;
    const { direct, separable } = estimate.multiplications;
    const factors = factorizeWeight(weight, { split, rank: estimate.rank });
    expect(separable).toBeLessThanOrEqual(share * direct);
    expect(factors).toMatchObject({ rank: estimate.rank, multiplications: estimate.multiplications });
    expect(Math.abs(estimate.error - factors.error)).toBeLessThan(1e-7);
    const next = factorizeWeight(weight, { split, rank: estimate.rank + 1 });
    if (next.rank > estimate.rank) expect(next.multiplications.separable).toBeGreaterThan(share * direct);
  }
});

test("no estimate where no rank is small enough, nor for large matrices", () => {
  const thin = { shape: [1, 1, 1, 2], data: Float32Array.of(1, 2) };
  expect(estimateWeight(thin, { split: "spatial", share: 0.5 })).toBeUndefined();
  const large = { shape: [400, 400, 3, 3], data: new Float32Array(400 * 400 * 9).fill(1) };
  expect(estimateWeight(large, { split: "spatial", share: 0.5 })).toBeUndefined();
  expect(estimateWeight(large, { split: "depthwise", share: 0.5 })?.error).toBeLessThan(1e-7);
  expect(() => estimateWeight(thin, { split: "spatial", share: 2 })).toThrow(
    /share: expected a finite number from 0 to 1/,
  );
  expect(() => estimateWeight(thin, { split: "cp" as "spatial", share: 1 })).toThrow(/split: expected one of/);
});

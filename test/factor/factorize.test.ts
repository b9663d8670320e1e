import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitError } from "../../src/errors.ts";
import { analyse, type FilterFactors, factorize, factorsWithin } from "../../src/factor/factorize.ts";
import { checkFilter, denseValues, type Filter } from "../../src/factor/filter.ts";
import { filters } from "../../src/factor/filters.ts";
import { finished } from "../../src/factor/steps.ts";
import {
  distance,
  frobenius,
  generator,
  lowRankIntegers,
  type Matrix,
  matrices,
  reals,
  smallIntegers,
  sumOfTerms,
  transposed,
} from "./matrices.ts";

const epsilon = Number.EPSILON;
const anyMatrix = fc.oneof(matrices(7, smallIntegers), matrices(7, reals), lowRankIntegers);

function asFilter({ rows, cols, values }: Matrix): Filter {
  return { kh: rows, kw: cols, values };
}

/** The relative error, measured by rebuilding. */
function measuredError(filter: Filter, { terms }: Pick<FilterFactors, "terms">): number {
  const checked = checkFilter(filter, { maxSide: 4000 });
  const values = denseValues(checked).map((x) => x * checked.gain);
  const norm = frobenius(values);
  return norm === 0 ? 0 : distance(sumOfTerms(terms, checked.kh, checked.kw), values) / norm;
}

describe("factorize: what must be seen", () => {
  test("Sobel x is one column and one row of integers", () => {
    expect(factorize("sobel-x")).toEqual({
      kh: 3,
      kw: 3,
      offset: 0,
      rank: 1,
      exactRank: 1,
      spatiallySeparable: true,
      terms: [{ column: [1, 2, 1], row: [-1, 0, 1] }],
      exact: { terms: [{ column: [1, 2, 1], row: [-1, 0, 1] }], denominator: 1, gain: 1 },
      error: 0,
      singularValues: [expect.closeTo(Math.sqrt(12), 14)],
      multiplications: { direct: 9, separable: 6 },
    });
    expect(factorize([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])).toMatchObject({ terms: factorize("sobel-x").terms }); // biome-ignore format: a matrix
    expect(factorize("sobel-y").terms).toEqual([{ column: [-1, 0, 1], row: [1, 2, 1] }]);
  });

  test("Laplacians are exact sums of two integer terms", () => {
    expect(factorize("laplacian-8")).toMatchObject({
      rank: 2,
      spatiallySeparable: false,
      exact: { denominator: 1, gain: 1 },
      error: 0,
      terms: [
        { column: [1, 1, 1], row: [1, 1, 1] },
        { column: [0, 1, 0], row: [0, -9, 0] },
      ],
    });
    expect(factorize("laplacian-4").terms).toEqual([
      { column: [1, -4, 1], row: [0, 1, 0] },
      { column: [0, 1, 0], row: [1, 0, 1] },
    ]);
    // σ = 3 ± √27 in magnitude.
    const best = factorize("laplacian-8", { rank: 1 });
    expect(best).toMatchObject({ rank: 1, exactRank: 2 });
    expect(best).not.toHaveProperty("exact");
    expect(best.error).toBeCloseTo((Math.sqrt(27) - 3) / Math.hypot(Math.sqrt(27) - 3, Math.sqrt(27) + 3), 14);
  });

  test("a random 5 x 5 has full rank and gains nothing", () => {
    const next = generator(5);
    const filter = { kh: 5, kw: 5, values: Array.from({ length: 25 }, next) };
    expect(factorize(filter)).toMatchObject({ rank: 5, multiplications: { direct: 25, separable: 50 } });
  });

  test("rational taps where integers do not exist: integers over a denominator", () => {
    const filter = [[2, 3], [3, 2]]; // biome-ignore format: a matrix
    const { terms, exact } = factorize(filter);
    expect(exact).toMatchObject({ denominator: 2, gain: 1 });
    expect(exact!.terms.flatMap(({ column, row }) => [...column, ...row]).every(Number.isInteger)).toBe(true);
    expect(sumOfTerms(exact!.terms, 2, 2, 1 / 2)).toEqual(filter.flat());
    expect(sumOfTerms(terms, 2, 2)).toEqual(filter.flat());
  });

  test("a zero filter has no terms, whichever way it is given", () => {
    for (const filter of [
      [[0, 0, 0]],
      { column: [0, 0], row: [1, 2] },
      { kh: 2, kw: 2, values: new Float32Array(4) },
      { kh: 2, kw: 2, values: [1, 2, 3, 0.3], gain: 0 },
    ]) {
      const factors = factorize(filter);
      expect(factors).toMatchObject({ rank: 0, exactRank: 0, terms: [], error: 0, spatiallySeparable: true });
      expect(factors.multiplications.separable).toBe(0);
    }
    expect(factorize([[0]], { rank: 3, tolerance: 0.5 }).rank).toBe(0);
  });

  test("a gain is in the terms and the singular values, an offset in neither", () => {
    const half = factorize({ kh: 1, kw: 2, values: [1, 3], gain: -0.5, offset: 7 });
    expect(half).toMatchObject({ offset: 7, exact: { terms: [{ column: [1], row: [1, 3] }], gain: -0.5 } });
    expect(sumOfTerms(half.terms, 1, 2)).toEqual([-0.5, -1.5]);
    expect(half.singularValues).toEqual([expect.closeTo(Math.sqrt(10) / 2, 14)]);
    expect(factorize("box:3")).toMatchObject({
      terms: [{ column: [1 / 9, 1 / 9, 1 / 9], row: [1, 1, 1] }],
      exact: { terms: [{ column: [1, 1, 1], row: [1, 1, 1] }], denominator: 1, gain: 1 / 9 },
      singularValues: [expect.closeTo(1 / 3, 14)],
    });
    const real = factorize({ column: [1, Math.SQRT2], row: [Math.PI, 1], gain: -4 });
    expect(real).not.toHaveProperty("exact");
    expect(real.terms).toEqual([{ column: [2, 2 * Math.SQRT2], row: [-2 * Math.PI, -2] }]);
  });
});

describe("factorize: properties", () => {
  test("the terms at the exact rank sum to the filter", () => {
    fc.assert(
      fc.property(anyMatrix, (matrix) => {
        const filter = asFilter(matrix);
        const factors = factorize(filter);
        expect(factors.rank).toBe(factors.exactRank);
        expect(factors.error).toBe(0);
        expect(measuredError(filter, factors)).toBeLessThan(200 * epsilon);
      }),
    );
  });

  test("so do the exact terms, which are integers, times gain over denominator", () => {
    const gained = fc.tuple(anyMatrix, fc.constantFrom(1, 0.3, -2, 1 / 9));
    let found = 0;
    fc.assert(
      fc.property(gained, fc.integer({ min: 1, max: 8 }), ([matrix, gain], rank) => {
        const filter = { ...(asFilter(matrix) as object), gain } as Filter;
        const { terms, exact, exactRank } = factorize(filter, { rank });
        if (rank >= exactRank) expect(measuredError(filter, { terms })).toBeLessThan(200 * epsilon);
        if (!exact) return;
        found++;
        expect(rank).toBeGreaterThanOrEqual(exactRank);
        const { denominator } = exact;
        expect(exact.terms.flatMap(({ column, row }) => [...column, ...row]).every(Number.isInteger)).toBe(true);
        const summed = exact.terms.map(({ column, row }) => ({
          column: column.map((tap) => (tap * exact.gain) / denominator),
          row,
        }));
        expect(measuredError(filter, { terms: summed })).toBeLessThan(200 * epsilon);
      }),
    );
    expect(found).toBeGreaterThan(10);
  });

  test("integer filters of rank 1 get integers in lowest terms", () => {
    const vector = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(vector, vector, (column, row) => {
        fc.pre(column.some(Boolean) && row.some(Boolean));
        const values = column.flatMap((c) => row.map((r) => c * r));
        const factors = factorize({ kh: column.length, kw: row.length, values });
        expect(factors).toMatchObject({ rank: 1, exact: { denominator: 1 }, spatiallySeparable: true });
        expect(sumOfTerms(factors.terms, column.length, row.length)).toEqual(values.map((x) => x + 0));
        for (const taps of Object.values(factors.exact!.terms[0]!)) {
          const divisor = (a: number, b: number): number => (b === 0 ? Math.abs(a) : divisor(b, a % b));
          expect(taps.reduce(divisor, 0)).toBe(1);
        }
      }),
    );
  });

  test("the error is the norm of the dropped singular values, and what rebuilding shows", () => {
    fc.assert(
      fc.property(anyMatrix, fc.integer({ min: 1, max: 8 }), (matrix, rank) => {
        const filter = asFilter(matrix);
        const factors = factorize(filter, { rank });
        const { singularValues } = factors;
        expect(factors.rank).toBe(Math.min(rank, factors.exactRank));
        expect(singularValues.length).toBe(factors.exactRank);
        const dropped = frobenius(singularValues.slice(factors.rank)) / (frobenius(singularValues) || 1);
        expect(factors.error).toBeCloseTo(dropped, 13);
        expect(Math.abs(measuredError(filter, factors) - factors.error)).toBeLessThan(1e-12);
      }),
    );
  });

  test("a tolerance gets the smallest rank that meets it", () => {
    fc.assert(
      fc.property(anyMatrix, fc.double({ min: 0, max: 1, noNaN: true }), (matrix, tolerance) => {
        const filter = asFilter(matrix);
        const factors = factorize(filter, { tolerance });
        expect(factors.error).toBeLessThanOrEqual(tolerance);
        if (factors.rank > 1) expect(factorize(filter, { rank: factors.rank - 1 }).error).toBeGreaterThan(tolerance);
        expect(factors.rank).toBeGreaterThanOrEqual(Math.min(1, factors.exactRank));
      }),
    );
  });

  test("rank bounds what a tolerance asks for", () => {
    const exact = factorize("emboss", { tolerance: 0.01 });
    expect(exact.rank).toBe(3);
    expect(factorize("emboss", { tolerance: 0.01, rank: 2 })).toMatchObject({ rank: 2, exactRank: 3 });
  });

  test("a transposed filter swaps columns and rows of rank 1, and keeps rank and error", () => {
    let found = 0;
    fc.assert(
      fc.property(anyMatrix, (matrix) => {
        const [a, b] = [matrix, transposed(matrix)].map((m) => factorize(asFilter(m), { rank: 1 }));
        expect(b!.exactRank).toBe(a!.exactRank);
        expect(b!.error).toBeCloseTo(a!.error, 12);
        if (a!.exactRank !== 1) return;
        found++;
        const swapped = a!.terms.map(({ column, row }) => ({ column: row, row: column }));
        const { rows, cols } = matrix;
        expect(distance(sumOfTerms(swapped, cols, rows), sumOfTerms(b!.terms, cols, rows))).toBeLessThan(
          100 * epsilon * a!.singularValues[0]!,
        );
      }),
    );
    expect(found).toBeGreaterThan(5);
  });

  test("a factor on the filter is a factor on the taps and on the singular values", () => {
    fc.assert(
      fc.property(anyMatrix, fc.constantFrom(2 ** -30, 3, -0.7, 1e100), (matrix, factor) => {
        const scaled = asFilter({ ...matrix, values: matrix.values.map((x) => x * factor) });
        const [plain, other] = [factorize(asFilter(matrix)), factorize(scaled)];
        expect(other.exactRank).toBe(plain.exactRank);
        for (const [i, sigma] of other.singularValues.entries())
          expect(sigma / Math.abs(factor)).toBeCloseTo(plain.singularValues[i]!, 10);
        expect(measuredError(scaled, other)).toBeLessThan(200 * epsilon);
      }),
    );
  });

  test("signs: of column and row the one that cancels less has a positive sum", () => {
    const balance = (taps: number[]) => taps.reduce((a, b) => a + b) / taps.reduce((a, b) => a + Math.abs(b), 0);
    fc.assert(
      fc.property(anyMatrix, fc.integer({ min: 1, max: 8 }), (matrix, rank) => {
        for (const { column, row } of factorize(asFilter(matrix), { rank }).terms) {
          const [c, r] = [balance(column), balance(row)];
          const clearer = Math.abs(r) > Math.abs(c) + 1e-9 ? r : c;
          if (Math.abs(clearer) > 1e-9) expect(clearer).toBeGreaterThan(0);
          else expect(column.find((tap) => Math.abs(tap) > 1e-9)).toBeGreaterThan(0);
        }
      }),
    );
  });
});

describe("factorize: large filters", () => {
  test("a column and a row are taken as they are, at any length", () => {
    const taps = Array.from({ length: 30001 }, (_, i) => Math.exp(-((i / 15000 - 1) ** 2)));
    const filter = checkFilter({ column: taps, row: taps }, { maxSide: 30001 });
    const analysis = finished(analyse(filter, false));
    const factors = factorsWithin(analysis, { rank: 1, tolerance: 0 });
    expect(factors).toMatchObject({ rank: 1, denominator: 0, terms: [{ column: taps, row: taps }] });
    expect(analysis.spectrum()[0]! / frobenius(taps) ** 2).toBeCloseTo(1, 12);
  });

  test("a disk of 201 x 201 is quick, and its integer version exact", () => {
    const disk = filters.disk(100) as { kh: number; kw: number; values: number[] };
    const start = performance.now();
    const factors = factorize(disk);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(measuredError(disk, factors)).toBeLessThan(1000 * epsilon);
    const stencil = { ...disk, gain: 1, values: disk.values.map(Math.round) };
    const exact = factorize(stencil);
    expect(exact.exact).toMatchObject({ denominator: 1, gain: 1 });
    expect(sumOfTerms(exact.terms, 201, 201)).toEqual(stencil.values);
  });

  test("2049 x 2049 of low rank is factored, of high rank refused", () => {
    const [next, n] = [generator(9), 2049];
    const vector = () => Array.from({ length: n }, next);
    const terms = [1, 2].map(() => ({ column: vector(), row: vector() }));
    const low = { kh: n, kw: n, values: sumOfTerms(terms, n, n) };
    const factors = factorize(low);
    expect(factors.rank).toBe(2);
    const [corner, size] = [[0, 1, n, n * n - 1], factors.singularValues[0]!];
    for (const k of corner) {
      const [i, j] = [Math.floor(k / n), k % n];
      const rebuilt = factors.terms.reduce((sum, { column, row }) => sum + column[i]! * row[j]!, 0);
      expect(Math.abs(rebuilt - low.values[k]!)).toBeLessThan(100 * epsilon * size);
    }
    const high = { kh: 514, kw: 514, values: Array.from({ length: 514 * 514 }, next) };
    expect(() => factorize(high)).toThrow(LimitError);
    expect(() => factorize({ ...high, values: high.values.map((x) => Math.round(100 * x)) })).toThrow(LimitError);
  });
});

describe("factorize refuses", () => {
  test.each([
    [{ rank: 0 }, "rank"],
    [{ rank: 1.5 }, "rank"],
    [{ rank: "2" }, "rank"],
    [{ tolerance: -0.1 }, "tolerance"],
    [{ tolerance: 1.1 }, "tolerance"],
    [{ tolerance: Number.NaN }, "tolerance"],
    [{ tolerence: 0.1 }, "options key"],
    [{ split: "spatial" }, "options key"],
    [3, "options"],
  ])("%j", (options, parameter) => {
    const call = () => factorize("sobel-x", options as never);
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(expect.objectContaining({ parameter }));
  });

  test("what is no filter", () => {
    expect(() => factorize(undefined as never)).toThrow(InvalidArgumentError);
    expect(() => factorize([[1, 2], [3]])).toThrow(/filter row 1/);
    expect(() => factorize({ shape: [3, 3], data: new Float32Array(9) } as never, { split: "spatial" })).toThrow(
      /\[outChannels, inChannels, kh, kw\]/,
    );
  });
});

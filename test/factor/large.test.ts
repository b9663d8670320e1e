// Filters of many taps: what is refused is refused soon, and what has many terms is taken as it stands.
import { describe, expect, test } from "vitest";
import { LimitError } from "../../src/errors.ts";
import { factorsWithin } from "../../src/factor/factorize.ts";
import { checkFilter } from "../../src/factor/filter.ts";
import { analyseForPasses } from "../../src/factor/passes.ts";
import { leastRank, rankExceeds } from "../../src/factor/sketch.ts";
import { finished } from "../../src/factor/steps.ts";
import { leastSingularValue, svd } from "../../src/factor/svd.ts";
import { createEngine } from "../../src/index.ts";
import { generator, sumOfTerms } from "./matrices.ts";

const next = generator(31);
const none = { rank: Number.MAX_SAFE_INTEGER, tolerance: 0 };
const ofRank = (rank: number, kh: number, kw: number, whole: boolean): number[] => {
  const vector = (length: number) => Array.from({ length }, () => (whole ? Math.round(2 * next()) : next()));
  return sumOfTerms(
    Array.from({ length: rank }, () => ({ column: vector(kh), row: vector(kw) })),
    kh,
    kw,
  );
};

/** Seconds of the processor: others may be at work on the machine. */
function seconds(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

test.each([true, false])("a rank above a limit is proven, one up to it never: integers %s", (whole) => {
  for (const [kh, kw] of [
    [90, 70],
    [70, 90],
    [60, 60],
  ] as const) {
    for (const [rank, limit] of [
      [12, 8],
      [9, 8],
      [8, 8],
      [3, 8],
      [1, 0],
    ] as const) {
      const filter = checkFilter({ kh, kw, values: ofRank(rank, kh, kw, whole) });
      expect(finished(rankExceeds(filter, limit, 1e-14))).toBe(rank > limit);
    }
  }
});

test("of integers the rank is found, also where few entries differ from 0", () => {
  for (const count of [1, 20, 40]) {
    const values = new Array<number>(100 * 100).fill(0);
    for (let i = 0; i < count; i++) values[((37 * i) % 100) * 100 + ((13 * i) % 100)] = i + 1;
    expect(leastRank(values, 100, 100, 40)).toBe(count);
  }
});

test("a bound of singular values is one, and near", () => {
  const values = ofRank(20, 30, 25, false);
  const { s } = svd(values, 30, 25);
  for (const rank of [1, 7, 20]) {
    const least = finished(leastSingularValue(values, 30, 25, rank));
    expect(least).toBeLessThanOrEqual(s[rank - 1]! * (1 + 1e-12));
    expect(least).toBeGreaterThan(s[rank - 1]! / 50);
  }
  expect(finished(leastSingularValue(values, 30, 25, 22))).toBeLessThan(1e-10 * s[0]!);
  expect(finished(leastSingularValue(values, 30, 25, 26))).toBe(0);
});

describe("2049 x 2049 of high rank", () => {
  const n = 2049;
  test.each<[string, (i: number, j: number) => number]>([
    ["dense integers", () => Math.round(9 * next())],
    ["few integers", () => (next() > 0.499 ? 1 : 0)],
    ["a diagonal", (i, j) => (i === j ? 1 : 0)],
    ["a disk", (i, j) => (Math.hypot(i - n / 2, j - n / 2) < n / 2 ? 1 : 0)],
    ["real numbers", () => next()],
  ])("is refused soon: %s", (_name, at) => {
    const filter = checkFilter({ kh: n, kw: n, values: Array.from({ length: n * n }, (_, k) => at(Math.floor(k / n), k % n)) }); // biome-ignore format: a line
    expect(seconds(() => expect(() => finished(analyseForPasses(filter, true))).toThrow(LimitError))).toBeLessThan(2);
  });
});

test("large filters of high rank are planned by their lines, exactly, and approximated where a tolerance allows it", () => {
  const [kh, kw] = [190, 170];
  for (const whole of [true, false]) {
    const values = ofRank(160, kh, kw, whole);
    const analysis = finished(analyseForPasses(checkFilter({ kh, kw, values }), whole));
    const all = factorsWithin(analysis, none);
    expect(all).toMatchObject({ rank: 170, error: 0 });
    const gain = checkFilter({ kh, kw, values }).gain;
    expect(sumOfTerms(all.terms, kh, kw).map((x) => x * gain)).toEqual(checkFilter({ kh, kw, values }).values!.map((x) => x * gain)); // biome-ignore format: a line
  }
  const noisy = ofRank(4, kh, kw, false).map((x) => x + 1e-4 * next());
  const analysis = finished(analyseForPasses(checkFilter({ kh, kw, values: noisy }), false));
  const fewer = factorsWithin(analysis, { ...none, tolerance: 0.01 });
  expect(fewer.rank).toBeLessThanOrEqual(4);
  const rebuilt = sumOfTerms(fewer.terms, kh, kw);
  const off = Math.hypot(...rebuilt.map((x, i) => x - noisy[i]!)) / Math.hypot(...noisy);
  expect(fewer.error).toBeGreaterThan(off * 0.99);
  expect(fewer.error).toBeLessThan(off * 1.05 + 1e-9);
  expect(factorsWithin(analysis, { ...none, tolerance: 1e-12 }).rank).toBe(170);
});

test("a filter of 300 x 260 integers of full rank is run exactly", async () => {
  const [kh, kw] = [300, 260];
  const values = Array.from({ length: kh * kw }, () => Math.round(4 * next()));
  const engine = await createEngine({ threads: 1 });
  const data = Uint8Array.from({ length: 20 * 15 }, () => 127 + 127 * next());
  const image = { width: 20, height: 15, channels: 1, data };
  const options = { border: "constant", output: "f32", anchor: [130, 150] } as const;
  const plan = engine.plan(engine.filterProblem({ ...image, dtype: "u8" }, { kh, kw, values }, options)); // biome-ignore format: a line
  expect(plan.error.maxAbs).toBe(0);
  const result = await engine.run(plan, image);
  for (const [x, y] of [
    [0, 0],
    [19, 14],
    [7, 9],
  ] as const) {
    let sum = 0;
    for (let i = 0; i < 15; i++)
      for (let j = 0; j < 20; j++) {
        sum += (values[(i - y + 150) * kw + (j - x + 130)] ?? 0) * data[i * 20 + j]!;
      }
    expect(result.data[y * 20 + x]).toBe(sum);
  }
  engine.dispose();
});

// A plan that says exact gives what loops over integers give, value for value; any other stays within the bound it states.
import { describe, expect, it } from "vitest";
import {
  createEngine,
  type Engine,
  explain,
  type Filter,
  type FilterOptions,
  type Image,
  type Plan,
} from "../../src/index.ts";
import { type ImageDType, imageDTypes } from "../../src/tensor.ts";
import { correlate, random, randomImage, toType } from "../oracle.ts";
import { strategiesOf } from "../strategies.ts";

const engines = await Promise.all(
  [{ threads: 1 }, { threads: 2 }, { threads: 1, deterministic: true }].map((options) => createEngine(options)),
);
const count = Number(process.env.RANK1_EXACT_CASES ?? 300);
const start = Number(process.env.RANK1_EXACT_SEED ?? 1);

const specOf = ({ width, height, channels }: Image, dtype: ImageDType) => ({ width, height, channels, dtype });

/** By how much the worst result misses the exact one beyond what the plan allows; at most 0 where it keeps its word. */
async function excess(engine: Engine, plan: Plan, image: Image, exact: Float64Array): Promise<number> {
  const { error, problem } = plan;
  const output = problem.y.dtype as ImageDType;
  const { data } = await engine.run(plan, image);
  const wanted = toType(exact, output);
  let worst = -Infinity;
  for (const [i, value] of data.entries()) {
    // Rounding to an integer moves a value that misses by half a level at most by one more half.
    const miss =
      error.maxAbs === 0
        ? Math.abs(value - (output === "f32" ? Math.fround(wanted[i]!) : wanted[i]!))
        : Math.abs(value - wanted[i]!) - error.maxAbs - (output === "f32" ? 0 : 1);
    worst = Math.max(worst, miss);
  }
  return worst;
}

interface Case {
  seed: number;
  filter: number[][];
  image: Image;
  dtype: Exclude<ImageDType, "f32">;
  options: FilterOptions & { output: ImageDType };
}

/** A filter of 3 x 3 to 17 x 17 integers: of any rank, of several magnitudes, sparse ones among them. */
function integerCase(seed: number): Case {
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const [kh, kw, most] = [
    3 + Math.floor(next() * 15),
    3 + Math.floor(next() * 15),
    pick([1, 9, 50, 1000, 40_000, 2 ** 20]),
  ];
  const integer = (limit: number): number => Math.floor(next() * (2 * limit + 1)) - limit;
  const rank = 1 + Math.floor(next() * Math.min(kh, kw));
  const vectors = (length: number) =>
    Array.from({ length: rank }, () => Array.from({ length }, () => integer(Math.ceil(Math.sqrt(most)))));
  const [columns, rows, dense] = [vectors(kh), vectors(kw), next() < 0.3];
  const filter = Array.from({ length: kh }, (_, i) =>
    Array.from({ length: kw }, (_, j) =>
      dense ? integer(most) * Number(next() < 0.7) : columns.reduce((sum, c, k) => sum + c[i]! * rows[k]![j]!, 0),
    ),
  );
  const dtype = pick(["u8", "u16", "i16"] as const);
  const image = randomImage(
    8 + Math.floor(next() * 30),
    5 + Math.floor(next() * 20),
    1 + Math.floor(next() * 4),
    dtype,
    seed,
  );
  const options = {
    output: pick(imageDTypes),
    gain: pick([1, 1, 1, 1 / 256, 0.1]),
    offset: pick([0, 0, 7]),
    border: pick(["reflect", "edge", "wrap", "symmetric", "constant"] as const),
    borderValue: 0,
  };
  return { seed, filter, image, dtype, options };
}

describe("integer filters on integer pictures", () => {
  it("are exact, and so is every plan that says so", async () => {
    const faults: string[] = [];
    let exactly = 0;
    for (let seed = start; seed < start + count; seed++) {
      const { filter, image, dtype, options } = integerCase(seed);
      const engine = engines[seed % engines.length]!;
      const problem = engine.filterProblem(specOf(image, dtype), filter, options);
      const plan = engine.plan(problem);
      if (plan.error.maxAbs === 0) exactly++;
      expect(explain(plan)).toMatch(plan.error.maxAbs === 0 ? /\nexact\n/ : /\nexact within rounding: at most /);
      const exact = correlate(image, filter, options);
      for (const strategy of strategiesOf(plan)) {
        const other = engine.plan(problem, { strategy });
        const miss = await excess(engine, other, image, exact);
        if (miss > 0) faults.push(`seed ${seed}, ${strategy}, error ${other.error.maxAbs}: ${miss}`);
      }
    }
    expect(faults).toEqual([]);
    expect(exactly / count).toBeGreaterThanOrEqual(0.95);
  });

  it.each<[string, Filter, Exclude<ImageDType, "f32">]>([
    ["taps beyond 16 bits", [[40_001, -39_999, -2]], "u16"],
    ["taps beyond 32 bits", [[2 ** 33 + 1, 5, -(2 ** 33) - 6]], "u16"],
    ["passes whose sums need more than 32 bits", { column: [90_001, -90_000, 7], row: [80_001, 3, -80_004] }, "u16"],
    [
      "signed pixels",
      [
        [70_000, -30_000],
        [-50_000, 10_000],
      ],
      "i16",
    ],
  ])("a constant picture under a filter of zero sum is 0: %s", async (_name, filter, dtype) => {
    for (const value of dtype === "i16" ? [-32_768, 32_767] : [1, 40_000, 65_535]) {
      const image = randomImage(21, 9, 2, dtype, 1);
      image.data.fill(value);
      for (const engine of engines) {
        for (const output of imageDTypes) {
          const plan = engine.plan(engine.filterProblem(specOf(image, dtype), filter, { output }));
          expect(plan.error).toEqual({ relative: 0, maxAbs: 0 });
          const { data } = await engine.run(plan, image);
          expect(data.every((x) => x === 0)).toBe(true);
        }
      }
    }
  });

  it("sums that not even 53 bits hold are not called exact", async () => {
    const image = randomImage(20, 10, 1, "u16", 3);
    const filter = [[2 ** 50 + 1, -(2 ** 50), 2 ** 49 - 1]];
    const [engine] = engines as [Engine];
    const plan = engine.plan(engine.filterProblem(specOf(image, "u16"), filter, { output: "f32" }));
    expect(plan.error.maxAbs).toBeGreaterThan(0);
    expect(await excess(engine, plan, image, correlate(image, filter, {}))).toBeLessThanOrEqual(0);
  });
});

describe("real filters", () => {
  it("stay within the bound that their plan states", async () => {
    const faults: string[] = [];
    for (let seed = start; seed < start + count / 2; seed++) {
      const next = random(seed + 1e6);
      const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
      const [kh, kw] = [1 + Math.floor(next() * 13), 1 + Math.floor(next() * 13)];
      const positive = next() < 0.5;
      const filter = Array.from({ length: kh }, () =>
        Array.from({ length: kw }, () => (positive ? next() : 2 * next() - 1) / (kh * kw)),
      );
      const [dtype, output] = [pick(imageDTypes), pick(imageDTypes)];
      const image = randomImage(
        8 + Math.floor(next() * 90),
        5 + Math.floor(next() * 20),
        1 + Math.floor(next() * 3),
        dtype,
        seed,
      );
      if (dtype === "f32") image.data.forEach((x, i) => void (image.data[i] = x / 1.5));
      const options = { output, gain: pick([1, 1, 3.7]), offset: pick([0, 0.3]), tolerance: pick([0, 0, 0.2]) };
      const engine = engines[seed % engines.length]!;
      const problem = engine.filterProblem(specOf(image, dtype), filter, options);
      for (const strategy of strategiesOf(engine.plan(problem))) {
        const plan = engine.plan(problem, { strategy });
        expect(Number.isFinite(plan.error.maxAbs)).toBe(true);
        const miss = await excess(engine, plan, image, correlate(image, filter, options));
        if (miss > 0) faults.push(`seed ${seed}, ${strategy}, error ${plan.error.maxAbs}: ${miss}`);
      }
    }
    expect(faults).toEqual([]);
  });
});

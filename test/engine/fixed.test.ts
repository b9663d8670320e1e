// Fixed point: taps of 16 bits in place of real ones, for pictures of 8 bits. Every machine gives the bits of the
// reference, and no result is further from the exact value than the plan says.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, type Engine, explain, type Filter, type FilterOptions, type Plan } from "../../src/index.ts";
import type { ImageDType } from "../../src/tensor.ts";
import { correlate, random, randomImage } from "../oracle.ts";
import { bits, rowsOf } from "./engines.ts";

const reference = await createEngine({ backend: "reference" });
const machines: [string, Engine][] = [
  ["plain", await createEngine({ backend: "wasm", threads: 1, deterministic: true })],
  ["relaxed", await createEngine({ backend: "wasm", threads: 1 })],
  ["2 threads", await createEngine({ backend: "wasm", threads: 2 })],
  ["wide where the machine can", await createEngine({ backend: "wasm", threads: 1, wide: true })],
];
afterAll(() => {
  for (const [, engine] of [["", reference] as const, ...machines]) engine.dispose();
});

function planFor(filter: Filter, options: FilterOptions = {}, dtype: ImageDType = "u8", channels = 1): Plan {
  const problem = reference.filterProblem({ width: 50, height: 40, channels, dtype }, filter, options);
  return reference.plan(problem, { strategy: "column-row" });
}
const arithmeticOf = ({ stages }: Plan): string =>
  stages.flatMap(({ steps }) => steps.map(({ kernel }) => ("arithmetic" in kernel ? kernel.arithmetic : "")))[0]!;

const gaussians: Filter[] = ["gaussian:0.4", "gaussian:1", "gaussian:sigma=2x0.7", "gaussian:4", "gaussian:9"];
const waves = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i * i) / n);
const others: Filter[] = [
  ...["unsharp", "disk:2.3", "motion:length=5,angle=30"],
  { column: [1], row: [Math.SQRT1_2, 0.1] },
  { column: waves(151), row: [0.5, -0.25, 0.3] },
  { column: [0.7, 1e-4], row: waves(200) },
];

/** Sums of one to three column ⊗ row products of real taps, of which some cancel. */
const anyFilter: fc.Arbitrary<Filter> = fc
  .record({
    kh: fc.integer({ min: 1, max: 12 }),
    kw: fc.integer({ min: 1, max: 12 }),
    rank: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(1e9),
  })
  .map(({ kh, kw, rank, seed }) => {
    const next = random(seed);
    const vector = (n: number): number[] => Array.from({ length: n }, () => next() - 0.4);
    const terms = Array.from({ length: rank }, () => ({ column: vector(kh), row: vector(kw) }));
    return Array.from({ length: kh }, (_, i) =>
      Array.from({ length: kw }, (_, j) => terms.reduce((sum, t) => sum + t.column[i]! * t.row[j]!, 0)),
    );
  });

describe("a plan in fixed point", () => {
  it("stays within its bound of the exact value, and within one level of it rounded; bits are equal everywhere", async () => {
    const spec = fc.record({
      filter: fc.oneof(fc.constantFrom(...gaussians, ...others), anyFilter),
      size: fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 4 })),
      output: fc.constantFrom<ImageDType>("u8", "i16", "u16"),
      border: fc.constantFrom("constant", "edge", "reflect", "symmetric", "wrap"),
      gain: fc.constantFrom(1, 0.3, -2),
      offset: fc.constantFrom(0, 128, -7.3),
      black: fc.boolean(),
      seed: fc.nat(1e9),
    });
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(spec, async ({ filter, size: [width, height, channels], black, seed, ...given }) => {
        const options = { ...given, borderValue: 9 } as const;
        const image = randomImage(width, height, channels, "u8", seed);
        // Black and white alone bring sums to their extremes.
        if (black) for (let i = 0; i < image.data.length; i++) image.data[i] = image.data[i]! < 128 ? 0 : 255;
        const problem = reference.filterProblem({ ...image, dtype: "u8" }, filter, options);
        const plan = reference.plan(problem, { strategy: "column-row" });
        if (arithmeticOf(plan) !== "fixed") return;
        seen++;
        expect(plan.error.relative).toBe(0);
        expect(plan.error.maxAbs).toBeGreaterThan(0);
        expect(plan.error.maxAbs).toBeLessThanOrEqual(0.5);
        const [low, high] = { u8: [0, 255], u16: [0, 65535], i16: [-32768, 32767] }[given.output as "u8"] as [
          number,
          number,
        ];
        const exact = correlate(image, rowsOf(filter), options);
        const result = await reference.run(plan, image);
        const bound = plan.error.maxAbs + 1e-6;
        result.data.forEach((value, i) => {
          const wanted = Math.min(high, Math.max(low, exact[i]!));
          if (Math.abs(value - wanted) > 0.5 + bound) expect.fail(`${value} for ${exact[i]}: more than ${bound} off`);
          if (Math.abs(value - Math.floor(wanted + 0.5)) > 1) expect.fail(`${value} for ${exact[i]}: two levels`);
        });
        for (const [name, engine] of machines) expect(bits(await engine.run(plan, image)), name).toBe(bits(result));
      }),
      { numRuns: 250 },
    );
    expect(seen).toBeGreaterThan(100);
  });

  it("says so, with its bound", () => {
    for (const filter of gaussians) {
      const plan = planFor(filter);
      expect(arithmeticOf(plan), `${filter}`).toBe("fixed");
      expect(plan.error.maxAbs, `${filter}`).toBeLessThan(0.1);
      const levels = plan.error.maxAbs.toPrecision(2);
      expect(explain(plan)).toContain(
        `\nexact within rounding: at most ${levels} grey levels before the result is rounded\n`,
      );
    }
  });

  it("keeps taps of 16 bits and their sum: a flat picture stays flat between the passes", () => {
    for (const filter of [...gaussians, "gaussian:60"]) {
      const [column, row] = planFor(filter).stages[0]!.steps.map(({ kernel }) => kernel);
      if (column?.family !== "taps" || row?.family !== "taps") throw new Error("no passes of taps");
      const taps = [...column.taps, ...row.taps].map(({ tap }) => tap);
      expect(taps.every((tap) => Number.isInteger(tap) && Math.abs(tap) <= 32767)).toBe(true);
      const sums = [column, row].map(({ taps }) => taps.reduce((sum, { tap }) => sum + tap, 0));
      const scale = sums[0]! * sums[1]!;
      expect(scale).toBe(column.finish!.denominator * row.finish!.denominator);
      expect(Math.log2(sums[0]!) % 1).toBe(0);
    }
  });

  it("is for pictures of 8 bits alone, for integer results, and where its bound is kept", () => {
    expect(arithmeticOf(planFor("gaussian:2", { output: "f32" }))).toBe("f32");
    expect(arithmeticOf(planFor("gaussian:2", { alpha: "premultiply" }, "u8", 4))).toBe("f32");
    expect(arithmeticOf(planFor("gaussian:2", { alpha: "keep" }, "u8", 4))).toBe("fixed");
    for (const dtype of ["u16", "i16", "f32"] as const)
      expect(arithmeticOf(planFor("gaussian:2", {}, dtype))).toBe("f32");
    expect(arithmeticOf(planFor("gaussian:2", { gain: 3, output: "u16" }))).toBe("fixed");
    expect(arithmeticOf(planFor("gaussian:2", { gain: 1000, output: "u16" }))).toBe("f32");
    expect(arithmeticOf(planFor("gaussian:2", { offset: 1e9 }))).toBe("f32");
  });
});

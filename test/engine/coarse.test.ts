// Filters on a coarse grid: within the error that the plan states, for every border, anchor, type and number of channels.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { filters, type Image, type ImageDType } from "../../src/index.ts";
import { type Border, randomImage, ranges } from "../oracle.ts";
import { bits, testEngines } from "./engines.ts";

const tolerance = 0.01;
const strategy = "coarse";

const arbitrary = fc.record({
  width: fc.integer({ min: 1, max: 90 }),
  height: fc.integer({ min: 1, max: 90 }),
  channels: fc.integer({ min: 1, max: 4 }),
  dtype: fc.constantFrom<ImageDType>("u8", "u16", "i16"),
  output: fc.constantFrom<ImageDType>("u8", "u16", "i16", "f32"),
  border: fc.constantFrom<Border>("constant", "edge", "reflect", "symmetric", "wrap"),
  sigma: fc.tuple(fc.double({ min: 18, max: 60, noNaN: true }), fc.double({ min: 18, max: 60, noNaN: true })),
  anchor: fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 })),
  gain: fc.constantFrom(1, 0.5, -1),
  seed: fc.nat(1e9),
});

describe.each(testEngines())("a coarse plan, on %s,", (name, promise) => {
  it("misses the exact result by no more than it says", { timeout: 120_000 }, async () => {
    const engine = await promise;
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ width, height, channels, dtype, sigma, seed, ...rest }) => {
        const image = randomImage(width, height, channels, dtype, seed);
        const filter = filters.gaussian({ sigma });
        const options = { ...rest, offset: 3, tolerance };
        const problem = engine.filterProblem({ width, height, channels, dtype }, filter, options);
        const plan = engine.plan(problem, { strategy });
        expect(plan.error.relative).toBeLessThanOrEqual(tolerance);
        const exact = (await engine.filter(image, filter, { ...options, output: "f32", strategy: "column-row" })).data;
        const [low, high] = ranges[rest.output];
        const { data } = await engine.run(plan, image);
        const bound =
          plan.error.maxAbs * (1 + 1e-3) + (rest.output === "f32" ? 1e-3 : 0.5) + (dtype === "u8" ? 0 : 0.5);
        data.forEach((v: number, i: number) => {
          expect(Math.abs(v - Math.min(high!, Math.max(low!, exact[i]!)))).toBeLessThanOrEqual(bound);
        });
      }),
      { numRuns: 25 },
    );
  });

  it("leaves a constant picture as it is", async () => {
    const engine = await promise;
    for (const value of [0, 1, 127, 254, 255]) {
      const image: Image = { width: 70, height: 50, channels: 1, data: new Uint8Array(3500).fill(value) };
      const { data } = await engine.filter(image, "gaussian:sigma=20", { tolerance, strategy });
      expect(data.every((v) => v === value)).toBe(true);
    }
  });

  it("gives equal bits for every strip height", async () => {
    const engine = await promise;
    const image = randomImage(150, 170, 3, "u8", 5);
    const problem = engine.filterProblem({ ...image, dtype: "u8" }, "gaussian:sigma=17", { tolerance });
    const plan = engine.plan(problem, { strategy });
    const expected = bits(await engine.run(plan, image));
    for (const grain of [1, 2, 5, 1000]) {
      const stages = plan.stages.map((stage) => ({ ...stage, grid: { ...stage.grid, grain } }));
      expect(bits(await engine.run({ ...plan, stages }, image))).toBe(expected);
    }
  });

  const slow = name === "reference";
  it.skipIf(slow)(
    `has the relative error that it states, at its worst position${slow ? ": it is too slow" : ""}`,
    async () => {
      const engine = await promise;
      const filter = filters.gaussian({ sigma: 18 });
      const side = 301;
      const problem = engine.filterProblem({ width: side, height: side, channels: 1, dtype: "u16" }, filter, {
        tolerance,
        output: "f32",
      });
      const plan = engine.plan(problem, { strategy });
      // One output's effective taps are what impulses leave there: by rows and columns, since the plan is separable.
      const at = 150;
      const responses = async (dx: number, dy: number): Promise<number[]> => {
        const taps: number[] = [];
        for (let d = -90; d <= 90; d++) {
          const data = new Uint16Array(side * side);
          data[(at + dy * d) * side + at + dx * d] = 65535;
          taps.push(
            (await engine.run(plan, { width: side, height: side, channels: 1, data })).data[at * side + at]! / 65535,
          );
        }
        return taps;
      };
      const [row, column] = [await responses(1, 0), await responses(0, 1)];
      const centre = row[90]!;
      const exact = (d: number): number => Math.exp(-(d * d) / (2 * 18 * 18));
      const norm = Array.from({ length: 181 }, (_, i) => exact(i - 90)).reduce((s, v) => s + v, 0);
      let [miss, size] = [0, 0];
      for (let i = 0; i <= 180; i++) {
        for (let j = 0; j <= 180; j++) {
          const wanted =
            Math.abs(i - 90) <= 72 && Math.abs(j - 90) <= 72 ? (exact(i - 90) * exact(j - 90)) / norm ** 2 : 0;
          miss += ((row[i]! * column[j]!) / centre - wanted) ** 2;
          size += wanted ** 2;
        }
      }
      expect(Math.sqrt(miss / size)).toBeLessThanOrEqual(plan.error.relative + 1e-3);
      expect(Math.sqrt(miss / size)).toBeGreaterThan(plan.error.relative / 10);
    },
  );
});

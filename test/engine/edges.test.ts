// The odd corners: pixels that are no numbers, filters larger than the picture, anchors, and default output types.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Border,
  createEngine,
  type Filter,
  type FilterOptions,
  type Image,
  type ImageDType,
} from "../../src/index.ts";
import { arrays, correlate, random, randomImage, toType } from "../oracle.ts";
import { everyPlan, floatBound, largestOf, rowsOf, testEngines, worst } from "./engines.ts";

const borders: Border[] = ["constant", "edge", "reflect", "symmetric", "wrap"];
const matrix = (kh: number, kw: number, seed: number, tap: (random: number) => number): number[][] => {
  const next = random(seed);
  return Array.from({ length: kh }, () => Array.from({ length: kw }, () => tap(next())));
};
const small = (r: number): number => Math.floor(r * 9) - 4;

/** Results in integers of exact sums are equal; sums in f32 may miss a little, and half a level may then be a whole. */
function bound(filter: Filter, { data }: Image, { gain = 1, output }: FilterOptions): number {
  const missed = Math.abs(gain) * floatBound(filter, largestOf(data) + 1);
  return output === "f32" ? missed : Math.ceil(missed);
}

/** Filters larger than their pictures, under every border, and what the oracle makes of them. */
const largeFilterCases = (() => {
  const filters: Filter[] = [
    matrix(31, 31, 4, small),
    "box:31",
    "gaussian:sigma=4x3",
    matrix(1, 99, 5, small),
    { column: new Array(99).fill(1), row: [1] },
    matrix(8, 1, 6, (r) => r - 0.5),
    [[0, 0, 0, 0]],
  ];
  const sizes = [[1, 1], [2, 3], [1, 20], [20, 1]] as const; // biome-ignore format: pairs
  return filters.flatMap((filter, index) =>
    sizes.flatMap(([width, height]) =>
      borders.map((border, b) => {
        const dtype = (["u8", "f32", "i16"] as const)[(index + b) % 3]!;
        const image = randomImage(width, height, 1 + (b % 3), dtype, index);
        const options = { border, borderValue: 2, output: "f32" } as const;
        const what = `filter ${index}, ${border}, ${width} x ${height} ${dtype}`;
        return { filter, image, options, what, expected: correlate(image, rowsOf(filter), options) };
      }),
    ),
  );
})();

describe.each(testEngines())("every plan, on %s,", (_name, promise) => {
  it("lets a pixel that is no number, or infinite, reach only the outputs whose window holds it", async () => {
    const engine = await promise;
    const filters: Filter[] = ["box:3", "gaussian:1", "sobel-y", "laplacian-8", "sharpen", "motion:length=5,angle=20"];
    const generic = [matrix(4, 3, 1, small), matrix(3, 3, 2, (r) => r - 0.5)];
    const [width, height, channels] = [23, 11, 2];
    const clean = randomImage(width, height, channels, "f32", 3);
    for (const [round, filter] of [...filters, ...generic].entries()) {
      const rows = rowsOf(filter);
      const inWindow = rows.map((row) => row.map(() => 1));
      const counts = rows.map((row) => row.map((tap) => (Math.abs(tap) > 1e-6 ? 1 : 0)));
      for (const [b, border] of borders.entries()) {
        const value = [Number.NaN, Infinity, -Infinity][(round + b) % 3]!;
        const at = ((7 * round + 3 * b) % (width * height)) * channels + 1;
        const poisoned = { ...clean, data: clean.data.with(at, value) as Float32Array };
        const mark = { ...clean, data: new Float32Array(clean.data.length) };
        mark.data[at] = 1;
        const [held, used] = [correlate(mark, inWindow, { border }), correlate(mark, counts, { border })];
        for (const plan of everyPlan(engine, clean, filter, { border })) {
          const [before, after] = [await engine.run(plan, clean), await engine.run(plan, poisoned)];
          for (let i = 0; i < held.length; i++) {
            const right =
              held[i] === 0 ? Object.is(before.data[i], after.data[i]) : !used[i] || !Number.isFinite(after.data[i]);
            if (!right)
              expect.fail(`${filter}, ${plan.solver}, ${border}, ${value} at ${at}: ${after.data[i]} at ${i}`);
          }
        }
      }
    }
  });

  it("is right where the filter is larger than the picture", async () => {
    const engine = await promise;
    for (const { filter, image, options, expected, what } of largeFilterCases) {
      for (const plan of everyPlan(engine, image, filter, options)) {
        const off = worst((await engine.run(plan, image)).data, expected);
        expect(off, `${what}, ${plan.solver}`).toBeLessThanOrEqual(bound(filter, image, options));
      }
    }
  });

  it("puts the anchor and the gain where they belong, turned or not", async () => {
    const engine = await promise;
    const spec = fc.record({
      size: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
      picture: fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 9 })),
      dtype: fc.constantFrom<ImageDType>("u8", "u16", "i16", "f32"),
      border: fc.constantFrom(...borders),
      flip: fc.boolean(),
      gain: fc.constantFrom(1, -2, 0.3),
      seed: fc.nat(1e9),
    });
    await fc.assert(
      fc.asyncProperty(spec, async ({ size: [kh, kw], picture: [width, height], dtype, seed, ...given }) => {
        const filter = matrix(kh, kw, seed, small);
        const anchor: [number, number] = [seed % kw, (seed >> 8) % kh];
        const options = { ...given, anchor, offset: 5, output: "f32" } as const;
        const image = randomImage(width, height, 2, dtype, seed);
        const rows = given.flip ? filter.toReversed().map((row) => row.toReversed()) : filter;
        const expected = correlate(image, rows, options);
        for (const plan of everyPlan(engine, image, filter, options)) {
          const off = worst((await engine.run(plan, image)).data, expected);
          expect(off, plan.solver).toBeLessThanOrEqual(bound(filter, image, options));
        }
      }),
      { numRuns: 80 },
    );
  });

  it("rounds half up and saturates, to the level where sums are exact", async () => {
    const engine = await promise;
    for (const output of ["u8", "u16", "i16"] as const) {
      for (const dtype of ["u8", "u16", "i16"] as const) {
        const image = randomImage(37, 5, 3, dtype, 11);
        for (const [filter, gain, offset] of [
          [
            [
              [1, 1],
              [-1, 2],
            ],
            0.5,
            0,
          ],
          [[[-1, -2, 1]], 0.25, 0.5],
          [[[3]], 100, -1000.5],
          [[[5], [3], [9]], 2, -7],
        ] as const) {
          // biome-ignore format: filter, gain, offset
          const rows = filter.map((row) => [...row]);
          const options = { output, gain, offset };
          const expected = toType(correlate(image, rows, options), output);
          for (const plan of everyPlan(engine, image, rows, options)) {
            expect(worst((await engine.run(plan, image)).data, expected), `${dtype}, ${plan.solver}`).toBe(0);
          }
        }
      }
    }
  });
});

describe("the type of the result, unless given,", () => {
  const cases: [ImageDType, Filter, FilterOptions, ImageDType][] = [
    ["u8", "gaussian", {}, "u8"],
    ["u16", "box", {}, "u16"],
    ["i16", "sharpen", {}, "i16"],
    ["f32", "emboss", {}, "f32"],
    ["u8", "sobel-x", {}, "i16"],
    ["u8", "scharr-y", {}, "i16"],
    ["u8", "laplacian-8", {}, "i16"],
    ["u8", { column: [1, 2, 1], row: [-1, 0, 1] }, {}, "i16"],
    ["u8", "laplacian-of-gaussian", {}, "f32"],
    ["u8", "difference-of-gaussians", {}, "f32"],
    ["u8", "derivative-of-gaussian-x", {}, "f32"],
    ["u16", "sobel-x", {}, "f32"],
    ["i16", "sobel-x", {}, "f32"],
    ["f32", "sobel-x", {}, "f32"],
    ["u8", "sobel-x", { gain: 16 }, "i16"],
    ["u8", "sobel-x", { gain: 17 }, "f32"],
    ["u8", "sobel-x", { gain: 0.5 }, "f32"],
    // An offset says where zero shall lie: 128 makes a signed result fit the input's type.
    ["u8", "sobel-x", { offset: 128 }, "u8"],
    ["u8", [[0, 0], [0, 0]], {}, "u8"],
  ]; // biome-ignore format: matrices

  it.each(cases)("of %s under %o with %o is %s", async (dtype, filter, options, expected) => {
    const engine = await createEngine({ backend: "reference" });
    const image = randomImage(5, 4, 1, dtype, 1);
    expect((await engine.filter(image, filter, options)).data).toBeInstanceOf(arrays[expected]);
    expect((await engine.filter(image, filter, { ...options, output: "u16" })).data).toBeInstanceOf(Uint16Array);
  });
});

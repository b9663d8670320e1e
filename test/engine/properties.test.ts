// What must hold of every plan on every engine, mostly without an oracle: linearity, impulses, shifts, constants.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Border, type Engine, type Filter, type FilterOptions, filters, type Image } from "../../src/index.ts";
import { random, randomImage } from "../oracle.ts";
import { everyPlan, floatBound, rowsOf, testEngines, worst } from "./engines.ts";

const borders: Border[] = ["constant", "edge", "reflect", "symmetric", "wrap"];

/** Integer and real filters of every rank and of even sides, named or not. */
const someFilters: Filter[] = [
  "sobel-x",
  "laplacian-8",
  "emboss",
  "box:size=4x5",
  "binomial:size=5x1",
  "gaussian:sigma=0.8x1.5",
  "motion:length=5,angle=30",
  "laplacian-of-gaussian:sigma=0.7",
  [[3]],
  [[0, 0, 0], [0, 0, 0]],
  [[1, 0, -2, 4], [0, 0, 0, 5]],
  { column: [1, 4, 6, 4, 1], row: [1, 1] },
  { column: [0.3, -1.7], row: [2.5, 0, Math.PI] },
]; // biome-ignore format: matrices

const side = fc.integer({ min: 1, max: 6 });
const seed = fc.nat(1e9);

function randomFilter(kh: number, kw: number, start: number): number[][] {
  const next = random(start);
  return Array.from({ length: kh }, () => Array.from({ length: kw }, () => Math.floor(next() * 17) - 8));
}

const anyFilter = fc.oneof(
  fc.constantFrom(...someFilters),
  fc.tuple(side, side, seed).map((s) => randomFilter(...s)),
);

const anyPicture = fc.record({
  width: fc.integer({ min: 1, max: 40 }),
  height: fc.integer({ min: 1, max: 40 }),
  channels: fc.integer({ min: 1, max: 4 }),
  seed,
});

/** A picture of which every channel is constant. */
function flatImage(width: number, height: number, values: number[], dtype: "u8" | "u16"): Image {
  const data = new { u8: Uint8Array, u16: Uint16Array }[dtype](width * height * values.length);
  return { width, height, channels: values.length, data: data.map((_, i) => values[i % values.length]!) };
}

describe.each(testEngines())("every plan, on %s,", (_name, promise) => {
  it("is linear", async () => {
    const engine = await promise;
    await fc.assert(
      fc.asyncProperty(anyFilter, anyPicture, fc.constantFrom(...borders), async (filter, picture, border) => {
        const [p, q] = [0, 1].map((n) =>
          randomImage(picture.width, picture.height, picture.channels, "f32", picture.seed + n),
        ) as [Image, Image];
        const both = { ...p, data: Float32Array.from(p.data, (v, i) => 2 * v - 3 * q.data[i]!) };
        const bound = 6 * floatBound(filter, 3);
        for (const plan of everyPlan(engine, p, filter, { border })) {
          const [fp, fq] = [await engine.run(plan, p), await engine.run(plan, q)];
          const expected = Float64Array.from(fp.data, (v, i) => 2 * v - 3 * fq.data[i]!);
          expect(worst((await engine.run(plan, both)).data, expected), plan.solver).toBeLessThanOrEqual(bound);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("answers an impulse with the filter, turned about its anchor", async () => {
    const engine = await promise;
    const spec = fc.record({ filter: anyFilter, at: fc.tuple(fc.nat(18), fc.nat(12)), flip: fc.boolean(), seed });
    await fc.assert(
      fc.asyncProperty(spec, async ({ filter, at: [px, py], flip, seed }) => {
        const given = rowsOf(filter);
        const rows = flip ? given.toReversed().map((row) => row.toReversed()) : given;
        const next = random(seed);
        const [ax, ay] = [Math.floor(next() * rows[0]!.length), Math.floor(next() * rows.length)];
        const image: Image = { width: 19, height: 13, channels: 1, data: new Float32Array(19 * 13) };
        image.data[py * 19 + px] = 1;
        const expected = Float64Array.from(image.data, (_, i) => {
          const [x, y] = [i % 19, Math.floor(i / 19)];
          return rows[py - y + ay]?.[px - x + ax] ?? 0;
        });
        for (const plan of everyPlan(engine, image, filter, { border: "constant", anchor: [ax, ay], flip })) {
          const { data } = await engine.run(plan, image);
          expect(worst(data, expected), plan.solver).toBeLessThanOrEqual(floatBound(filter, 1));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("moves with the picture, to the bit, where no window reaches the border", async () => {
    const engine = await promise;
    const shift = fc.tuple(fc.nat(9), fc.nat(9));
    const dtype = fc.constantFrom("u8", "u16", "f32");
    let moved = 0;
    await fc.assert(
      fc.asyncProperty(anyFilter, shift, dtype, seed, async (filter, [dx, dy], dtype, seed) => {
        const [width, height, channels] = [40, 30, 2];
        const whole = randomImage(width + dx, height + dy, channels, dtype, seed);
        const rows = Array.from({ length: height }, (_, y) => {
          const start = ((y + dy) * (width + dx) + dx) * channels;
          return whole.data.slice(start, start + width * channels);
        });
        const part: Image = { width, height, channels, data: whole.data.slice(0, width * height * channels) };
        rows.forEach((row, y) => {
          part.data.set(row, y * width * channels);
        });
        const [kh, kw] = [rowsOf(filter).length, rowsOf(filter)[0]!.length];
        const plans = everyPlan(engine, part, filter);
        for (const [index, plan] of everyPlan(engine, whole, filter).entries()) {
          // What a transform rounds depends on where its tiles begin.
          if (plan.solver === "fft") continue;
          moved++;
          const strategy = { strategy: plan.solver };
          const there = (await engine.run(plan, whole)).data;
          const { data } = await engine.run(engine.plan(plans[0]!.problem, strategy), part);
          for (let y = kh; y < height - kh; y++) {
            for (let i = kw * channels; i < (width - kw) * channels; i++) {
              const [a, b] = [data[y * width * channels + i], there[((y + dy) * (width + dx) + dx) * channels + i]];
              if (!Object.is(a, b)) expect.fail(`${index} ${plan.solver}: ${a} and ${b} in row ${y}`);
            }
          }
        }
      }),
      { numRuns: 40 },
    );
    expect(moved).toBeGreaterThanOrEqual(40);
  });

  it("does with a column and then a row what it does with their outer product", async () => {
    const engine = await promise;
    const taps = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(taps, taps, anyPicture, fc.constantFrom(...borders), async (column, row, picture, border) => {
        const image = randomImage(picture.width, picture.height, picture.channels, "u8", picture.seed);
        const options: FilterOptions = { border, output: "f32" };
        const columnOnly = await engine.filter(image, { column, row: [1] }, options);
        const twice = await engine.filter(columnOnly, { column: [1], row }, options);
        const outer = column.map((c) => row.map((r) => c * r));
        for (const filter of [{ column, row }, outer]) {
          for (const plan of everyPlan(engine, image, filter, options)) {
            // Sums of these integers stay below 2^24: they are exact in f32, too.
            expect(worst((await engine.run(plan, image)).data, twice.data), plan.solver).toBe(0);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("a filter of unit sum leaves a constant picture as it is", () => {
  const others = [
    ...["box:1", "box:2", "box:size=4x7", "box:31", "binomial:7", "binomial:size=2x31", "disk:1.3", "disk:9.7"],
    ...["gaussian:0.3", "gaussian:sigma=2x5", "gaussian:8", "gaussian:sigma=3,truncate=1", "gaussian:sigma=1,size=3"],
    ...["motion:length=15,angle=30", "unsharp:2.5", "unsharp:amount=0.3,sigma=3"],
  ];
  const sumOf = (name: string): number =>
    rowsOf(name)
      .flat()
      .reduce((sum, tap) => sum + tap, 0);
  const unitSums = [...filters.names, ...others].filter((name) => Math.abs(sumOf(name) - 1) < 1e-9);

  it("which many named ones are", () => {
    expect(unitSums).toEqual(
      expect.arrayContaining([...others, "box", "gaussian", "disk", "sharpen", "unsharp", "emboss"]),
    );
  });

  const inFours = (values: number[]): number[][] =>
    Array.from({ length: values.length / 4 }, (_, i) => values.slice(4 * i, 4 * i + 4));

  async function check(engine: Engine, name: string, pictures: Image[]): Promise<void> {
    for (const plan of everyPlan(engine, pictures[0]!, name)) {
      for (const picture of pictures) {
        const { data } = await engine.run(plan, picture);
        const change = `${picture.data.slice(0, 4)} became ${data.slice(0, 4)}`;
        if (worst(data, picture.data) > 0) expect.fail(`${name}, ${plan.solver}: ${change}`);
      }
    }
  }

  describe.each(testEngines())("on %s", (_name, promise) => {
    it("of 8 bits, whatever its value", async () => {
      const pictures = inFours(Array.from({ length: 256 }, (_, v) => v)).map((four) => flatImage(3, 2, four, "u8"));
      for (const name of unitSums) await check(await promise, name, pictures);
    });

    it("of 16 bits", async () => {
      const next = random(7);
      const extremes = [0, 1, 127, 128, 255, 256, 257, 32767, 32768, 40000, 65534, 65535];
      const values = [...extremes, ...Array.from({ length: 48 }, () => Math.floor(next() * 65536))];
      const pictures = inFours(values).map((four) => flatImage(3, 2, four, "u16"));
      for (const name of unitSums) await check(await promise, name, pictures);
    });

    it.each(["box:181", "box:201", "box:999", "gaussian:64", "gaussian:200", "disk:20", "disk:40"])(
      "of 16 bits under the large %s",
      async (name) => {
        const engine = await promise;
        const picture = flatImage(3, 2, [65535, 65534, 40001, 12345], "u16");
        const { data } = await engine.filter(picture, name);
        expect(worst(data, picture.data)).toBe(0);
      },
    );
  });
});

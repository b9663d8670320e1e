// Regions and extents: every plan gives there what filtering the whole would give, and SciPy's modes; also in place.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Border,
  createEngine,
  type Engine,
  type Extent,
  explain,
  type Filter,
  type FilterCallOptions,
  type FilterOptions,
  type Image,
  type ImageDType,
  type Plan,
  type Region,
} from "../../src/index.ts";
import { imageDTypeOf } from "../../src/tensor.ts";
import { arrays, correlate, outside, random, randomImage, ranges } from "../oracle.ts";
import { cropped, pasted } from "./crops.ts";
import { bits, everyPlan, floatBound, largestOf, rowsOf, testEngines, worst } from "./engines.ts";

const borders: Border[] = ["constant", "edge", "reflect", "symmetric", "wrap"];
const extents: Extent[] = ["same", "valid", "full"];

const someFilters: Filter[] = [
  ...["sobel-x", "laplacian-8", "emboss", "box:size=4x5", "box:9", "binomial:size=5x1", "gaussian:sigma=0.8x1.5"],
  ...["gaussian:sigma=3", "motion:length=5,angle=30"],
  [[3]],
  [[0, 0], [0, 0]],
  [[1, 0, -2, 4], [0, 0, 0, 5]],
  { column: [0.3, -1.7], row: [2.5, 0, Math.PI] },
]; // biome-ignore format: matrices

interface Case {
  filter: Filter;
  /** Turned where it is flipped. */
  rows: number[][];
  image: Image;
  options: FilterOptions;
  place: Region;
}

/** The results of an extent, and a region of them (or all). */
function placeIn(next: () => number, { width, height }: Image, rows: number[][], anchor: number[], extent: Extent) {
  const [kw, kh] = [rows[0]!.length, rows.length];
  const [ax, ay] = anchor as [number, number];
  const all = {
    same: { x: 0, y: 0, width, height },
    valid: { x: ax, y: ay, width: width - kw + 1, height: height - kh + 1 },
    full: { x: ax - kw + 1, y: ay - kh + 1, width: width + kw - 1, height: height + kh - 1 },
  }[extent];
  const below = (count: number): number => Math.floor(next() * count);
  const [x, y] = [below(all.width), below(all.height)];
  const [w, h] = [1 + below(all.width - x), 1 + below(all.height - y)];
  return { all, region: { x: all.x + x, y: all.y + y, width: w, height: h } };
}

function caseOf(seed: number): Case | undefined {
  const next = random(seed);
  const one = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const filter = one(someFilters);
  const flip = next() < 0.3;
  const given = rowsOf(filter);
  const rows = flip ? given.toReversed().map((row) => row.toReversed()) : given;
  const anchor = [Math.floor(next() * rows[0]!.length), Math.floor(next() * rows.length)] as [number, number];
  const dtype = one<ImageDType>(["u8", "u16", "i16", "f32", "u8", "f32", "i8", "i32", "u32", "f64"]);
  const sides = [1 + Math.floor(next() * 40), 1 + Math.floor(next() * 40)] as const;
  const image = randomImage(...sides, 1 + Math.floor(next() * 4), dtype, seed);
  const extent = one(extents);
  const { all, region } = placeIn(next, image, rows, anchor, extent);
  if (all.width < 1 || all.height < 1) return undefined;
  const some = next() < 0.7;
  const options: FilterOptions = {
    ...{ border: one(borders), borderValue: 3, anchor, flip, extent, output: one([dtype, "f32"] as const) },
    ...(some && { region }),
  };
  return { filter, rows, image, options, place: some ? region : all };
}

/** The largest difference from exact results, saturated; half a level is rounding. */
function missed({ data }: Image, exact: Float64Array): number {
  const dtype = imageDTypeOf(data)!;
  const [low, high] = ranges[dtype];
  const saturated = exact.map((v) => Math.min(high, Math.max(low, v)));
  return Math.max(0, worst(data, saturated) - (dtype === "f32" || dtype === "f64" ? 0 : 0.5));
}

describe.each(testEngines())("on %s,", (_name, promise) => {
  it("every plan filters a part as the specification does", async () => {
    const engine = await promise;
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(1e9), async (seed) => {
        const one = caseOf(seed);
        if (!one) return;
        const { filter, rows, image, options, place } = one;
        const exact = correlate(image, rows, { ...options, place });
        for (const plan of everyPlan(engine, image, filter, options)) {
          const result = await engine.run(plan, image);
          const what = `${JSON.stringify({ filter, options })} of ${image.width} x ${image.height}, ${plan.solver}`;
          expect([result.width, result.height, result.channels], what).toEqual([
            place.width,
            place.height,
            image.channels,
          ]);
          const largest = Math.max(3, largestOf(image.data));
          const bound = 2 * floatBound(filter, largest) + plan.error.maxAbs;
          expect(missed(result, exact), what).toBeLessThanOrEqual(bound);
          count++;
        }
      }),
      { numRuns: 50 },
    );
    expect(count).toBeGreaterThan(50);
  });

  it("a region is to the bit the part of the whole, in arrays, in values and in place", async () => {
    const engine = await promise;
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(1e9), async (seed) => {
        const one = caseOf(seed);
        if (!one?.options.region || one.options.extent === "full") return;
        const { filter, image, place } = one;
        const options = { ...one.options, output: undefined };
        const whole = { ...options, region: undefined, extent: "same" } as const;
        const problem = engine.filterProblem({ ...image, dtype: imageDTypeOf(image.data)! }, filter, options);
        for (const { solver: strategy } of everyPlan(engine, image, filter, options)) {
          // What a transform rounds depends on where its tiles begin.
          if (strategy === "fft") continue;
          // A thin picture is turned where that is faster, and then rows come before columns.
          const isTurned = (of: FilterOptions): boolean | undefined =>
            engine.plan(engine.filterProblem({ ...image, dtype: imageDTypeOf(image.data)! }, filter, of), { strategy }).turned; // biome-ignore format: one line
          if (isTurned(options) !== isTurned(whole)) continue;
          const all = await engine.filter(image, filter, { ...whole, strategy });
          const expected = bits(cropped(all, place));
          const what = `${strategy}, seed ${seed}`;
          expect(bits(await engine.filter(image, filter, { ...options, strategy })), what).toBe(expected);
          await everyOut(engine, image, filter, { ...options, strategy }, place, problem.y.dtype, expected, what);
          count++;
        }
      }),
      { numRuns: 60 },
    );
    expect(count).toBeGreaterThan(5);
  });

  it("weighs and keeps alpha in a region as in the whole, and under full what the border says", async () => {
    const engine = await promise;
    const next = random(11);
    const image = randomImage(33, 21, 4, "u8", 5);
    for (const alpha of ["keep", "premultiply"] as const)
      for (const border of borders)
        for (const filter of ["gaussian:1.5", "sharpen", "box:size=3x4"]) {
          const { region } = placeIn(next, image, rowsOf(filter), [1, 1], "same");
          const options = { alpha, border, anchor: [1, 1], borderValue: 9, strategy: "column-row" } as const;
          if (filter === "sharpen" && alpha === "premultiply") continue;
          const whole = await engine.filter(image, filter, options);
          const what = JSON.stringify({ alpha, border, filter, region });
          expect(bits(await engine.filter(image, filter, { ...options, region })), what).toBe(
            bits(cropped(whole, region)),
          );
          const data = image.data.slice();
          await engine.filter({ ...image, data }, filter, { ...options, region, out: data });
          expect(bits({ data }), `${what}, in place`).toBe(bits(pasted(image, cropped(whole, region), region)));
          const value = engine.alloc({ ...sidesOf(image), channels: image.channels, dtype: "u8" });
          await value.write(image);
          expect(bits(await engine.filter(value, filter, { ...options, region })), what).toBe(
            bits(cropped(whole, region)),
          );
          const full = await engine.filter(image, filter, { ...options, extent: "full" });
          const inner = { x: full.width - image.width - 1, y: full.height - image.height - 1, ...sidesOf(image) };
          expect(bits(cropped(full, inner)), what).toBe(bits(whole));
          if (alpha === "keep")
            expect(full.data[3], what).toBe(border === "constant" ? 9 : alphaAt(image, full, border));
          value.dispose();
        }
  });

  it("edges and what is sharpened above a threshold are those of the whole there", async () => {
    const engine = await promise;
    const image = randomImage(37, 26, 3, "u8", 12);
    const region = { x: 20, y: 0, width: 17, height: 11 };
    const named: [string, number, ImageDType][] = [["canny:sigma=1", 1, "u8"], ["unsharp:threshold=9", 3, "u8"]]; // biome-ignore format: a line
    for (const [name, channels, dtype] of named) {
      const expected = cropped(await engine.filter(image, name), region);
      const part = await engine.filter(image, name, { region });
      expect([part.width, part.height, part.channels], name).toEqual([17, 11, channels]);
      expect(bits(part), name).toBe(bits(expected));
      if (channels === 3) await everyOut(engine, image, name, { region }, region, dtype, bits(expected), name);
    }
    const full = await engine.filter(image, "unsharp:threshold=9", { extent: "full", border: "edge" });
    const inside = { x: (full.width - 37) / 2, y: (full.height - 26) / 2, width: 37, height: 26 };
    const same = await engine.filter(image, "unsharp:threshold=9", { border: "edge" });
    expect(bits(cropped(full, inside))).toBe(bits(same));
    await expect(engine.filter(image, "canny", { extent: "valid" })).rejects.toThrow(
      /^extent: expected "same", of edges/,
    );
  });

  it("of pictures with a mask and NaN, too", async () => {
    const engine = await promise;
    const next = random(3);
    const image = randomImage(31, 22, 2, "f32", 9);
    for (let i = 0; i < 99; i++) image.data[Math.floor(next() * image.data.length)] = Number.NaN;
    const mask = Float32Array.from({ length: 31 * 22 }, () => Math.max(0, next() * 2 - 1));
    for (const border of borders)
      for (const filter of ["gaussian:1.5", "box:size=3x4", "disk:2"]) {
        const options = { mask, nan: "ignore", border, strategy: "direct", fill: 5 } as const;
        const { region } = placeIn(next, image, rowsOf(filter), [1, 1], "same");
        const expected = cropped(await engine.filter(image, filter, options), region);
        const what = JSON.stringify({ border, filter, region });
        expect(bits(await engine.filter(image, filter, { ...options, region })), what).toBe(bits(expected));
        const data = image.data.slice();
        await engine.filter({ ...image, data }, filter, { ...options, region, out: data });
        expect(bits({ data }), what).toBe(bits(pasted(image, expected, region)));
      }
  });

  it("of an ImageData, too, where what is opaque is asked of the pixels read alone", async () => {
    const engine = await promise;
    const { data } = randomImage(40, 30, 4, "u8", 8);
    const image = { width: 40, height: 30, data: new Uint8ClampedArray(data) };
    for (let i = 3; i < image.data.length; i += 4) image.data[i] = i < 400 ? 7 : 255;
    const region = { x: 12, y: 15, width: 9, height: 8 };
    const whole = await engine.filter(image, "gaussian:1");
    const part = await engine.filter(image, "gaussian:1", { region });
    expect(worst(part.data, cropped(whole, region).data)).toBeLessThanOrEqual(1);
    const before = { ...image, channels: 4, data: image.data.slice() };
    const result = await engine.filter(image, "gaussian:1", { region, out: { ...image, channels: 4 } });
    expect([result.data, result.width, result.height]).toEqual([image.data, 40, 30]);
    expect(bits(image)).toBe(bits(pasted(before, part, region)));
  });

  it("gradients and pairs of a region are those of the whole there", async () => {
    const engine = await promise;
    for (const dtype of ["u8", "i16", "f32"] as const)
      for (const place of [
        { x: 3, y: 0, width: 11, height: 9 },
        { x: 0, y: 0, width: 24, height: 18 },
      ]) {
        const image = randomImage(24, 18, 2, dtype, 4);
        const [whole, part] = [await engine.gradient(image), await engine.gradient(image, { region: place })];
        for (const name of ["gx", "gy", "magnitude", "angle"] as const) {
          expect(bits(part[name]), name).toBe(bits(cropped(whole[name], place)));
          const out = blankLike(image, whole[name]);
          const placed = await engine.gradient(image, { region: place, out: { [name]: out } });
          expect([placed[name].width, placed[name].data], name).toEqual([24, out]);
          expect(bits({ data: out }), name).toBe(
            bits(pasted({ ...image, data: blankLike(image, whole[name]) }, part[name], place)),
          );
        }
        const all = await engine.filter(image, "scharr");
        await everyOut(engine, image, "scharr", { region: place }, place, dtype, bits(cropped(all, place)), "scharr");
        const valid = await engine.filter(image, "sobel", { extent: "valid" });
        const inside = { x: 1, y: 1, width: 22, height: 16 };
        expect(bits(valid)).toBe(bits(cropped(await engine.filter(image, "sobel"), inside)));
        expect([valid.width, valid.height]).toEqual([22, 16]);
      }
  });

  it("large filters by spectra, on coarse grids and by running sums stay in their bounds", async () => {
    const engine = await promise;
    // Loops over such filters are slow; their kernels have cases of their own.
    if (engine.info().backend === "reference") return;
    const image = randomImage(90, 70, 1, "u8", 2);
    const region = { x: 40, y: 3, width: 50, height: 66 };
    const solvers = new Set<string>();
    const cases = [
      ["gaussian:8", 0.05],
      ["box:17", 0],
      ["disk:9", 1e-4],
    ] as const;
    for (const [filter, tolerance] of cases)
      for (const extent of extents) {
        const rows = rowsOf(filter);
        const given = extent === "valid" ? undefined : region;
        const options: FilterOptions = { extent, tolerance, region: given, output: "f32", border: "symmetric" };
        const middle = [rows[0]!.length >> 1, rows.length >> 1];
        const place = given ?? placeIn(random(1), image, rows, middle, extent).all;
        const exact = correlate(image, rows, { border: "symmetric", place });
        for (const plan of everyPlan(engine, image, filter, options)) {
          const result = await engine.run(plan, image);
          const bound = plan.error.maxAbs + floatBound(filter, 255);
          expect(missed(result, exact), `${plan.solver}, ${extent}`).toBeLessThanOrEqual(bound);
          solvers.add(plan.solver);
        }
      }
    expect([...solvers]).toEqual(expect.arrayContaining(["coarse", "fft", "running-sum"]));
  }, 120_000);

  it("regions of equal sides share a plan and a program, and stored plans know theirs", async () => {
    // One of its own: where many programs are kept, each new one sends others away.
    const { backend, threads } = (await promise).info();
    const engine = await createEngine({ backend, threads });
    const image = randomImage(64, 48, 3, "u8", 6);
    const whole = await engine.filter(image, "gaussian:1.1");
    const { count } = engine.info().programs;
    for (const x of [0, 20, 54])
      for (const y of [0, 13, 38]) {
        const region = { x, y, width: 10, height: 10 };
        expect(bits(await engine.filter(image, "gaussian:1.1", { region }))).toBe(bits(cropped(whole, region)));
      }
    expect(engine.info().programs.count).toBe(count + 1);
    const region = { x: 5, y: 7, width: 10, height: 10 };
    const problem = engine.filterProblem({ ...image, dtype: "u8" }, "gaussian:1.1", { region });
    expect([problem.origin, problem.y.shape]).toEqual([
      [7, 5],
      [10, 10, 3],
    ]);
    const plan = JSON.parse(JSON.stringify(engine.plan(problem))) as Plan;
    expect(explain(plan)).toContain("on 48 x 64 x 3 u8 -> 10 x 10 x 3 u8 at (7, 5)");
    expect(bits(await engine.run(plan, image))).toBe(bits(cropped(whole, region)));
    const data = image.data.slice();
    await engine.run(plan, { ...image, data }, { out: data });
    expect(bits({ data })).toBe(bits(pasted(image, cropped(whole, region), region)));
    engine.dispose();
  });
});

it("extents are SciPy's modes", async () => {
  const engine = await createEngine({ backend: "wasm", threads: 1 });
  type Golden = { picture: number[][]; filter: number[][]; extent: Extent; border: Border; result: number[][] };
  const file = new URL("../golden/extents.json", import.meta.url);
  const cases = JSON.parse(readFileSync(file, "utf8")) as Golden[];
  for (const { picture, filter, extent, border, result } of cases) {
    const sides = { width: picture[0]!.length, height: picture.length, channels: 1 };
    const image = { ...sides, data: new Float32Array(picture.flat()) };
    const got = await engine.filter(image, filter, { flip: true, extent, border, borderValue: 7 });
    expect([got.height, got.width]).toEqual([result.length, result[0]!.length]);
    expect(Array.from(got.data), JSON.stringify({ filter, extent, border })).toEqual(result.flat());
  }
  engine.dispose();
});

/** The same region into every kind of `out`, from arrays and from values. */
async function everyOut(
  engine: Engine,
  image: Image,
  filter: Filter,
  options: FilterCallOptions,
  place: Region,
  dtype: ImageDType,
  expected: string,
  what: string,
) {
  const value = engine.alloc({ ...sidesOf(image), channels: image.channels, dtype: imageDTypeOf(image.data)! });
  const small = engine.alloc({ ...sidesOf(place), channels: image.channels, dtype });
  const large = engine.alloc({ ...sidesOf(image), channels: image.channels, dtype });
  await value.write(image);
  expect(bits(await engine.filter(value, filter, options)), `${what}, of a value`).toBe(expected);
  await engine.filter(value, filter, { ...options, out: small });
  expect(bits({ data: await small.read() }), `${what}, into a value`).toBe(expected);
  const part = { ...sidesOf(place), channels: image.channels, data: (await small.read()) as Image["data"] };
  await large.write(filled(image, dtype));
  await engine.filter(image, filter, { ...options, out: large });
  const around = pasted({ ...image, data: filled(image, dtype) }, part, place);
  expect(bits({ data: await large.read() }), `${what}, into a larger value`).toBe(bits(around));
  const data = filled(image, dtype);
  const result = await engine.filter(image, filter, { ...options, out: { ...image, data } });
  expect([result.data === data, result.width, result.height], what).toEqual([true, image.width, image.height]);
  expect(bits({ data }), `${what}, into a larger array`).toBe(bits(around));
  const packed = new (data.constructor as Uint8ArrayConstructor)(part.data.length);
  await engine.filter(value, filter, { ...options, out: packed });
  expect(bits({ data: packed }), `${what}, into an array`).toBe(expected);
  if (dtype === imageDTypeOf(image.data)) {
    const own = image.data.slice();
    await engine.filter({ ...image, data: own }, filter, { ...options, out: own });
    expect(bits({ data: own }), `${what}, in place`).toBe(bits(pasted(image, part, place)));
    await engine.filter(value, filter, { ...options, out: value });
    expect(bits({ data: await value.read() }), `${what}, in place in a value`).toBe(bits(pasted(image, part, place)));
  }
  for (const one of [value, small, large]) one.dispose();
}

const sidesOf = ({ width, height }: { width: number; height: number }) => ({ width, height });

const filled = ({ data }: Image, dtype: ImageDType): Image["data"] => new arrays[dtype](data.length).fill(77);

const blankLike = (image: Image, { data }: Image): Float32Array => filled(image, imageDTypeOf(data)!) as Float32Array;

/** The alpha of the pixel that stands for a full result's first. */
function alphaAt(image: Image, full: Image, border: Border): number {
  const x = outside(image.width + 1 - full.width + 0, image.width, border)!;
  const y = outside(image.height + 1 - full.height + 0, image.height, border)!;
  return image.data[(y * image.width + x) * 4 + 3]!;
}

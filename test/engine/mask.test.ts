// Normalised convolution: pictures of which some pixels are unknown, by a mask of weights and by NaN.
import { describe, expect, it } from "vitest";
import { type Engine, type Filter, type FilterCallOptions, type Image, type ImageDType, type MaskLike, Rank1Error } from "../../src/index.ts"; // biome-ignore format: a line
import { imageDTypeOf } from "../../src/tensor.ts";
import { type Border, outside, random, randomImage, ranges } from "../oracle.ts";
import { strategiesOf } from "../strategies.ts";
import { bits, rowsOf, testEngines } from "./engines.ts";

const isFloat = (dtype: ImageDType): boolean => dtype === "f32" || dtype === "f64";
const fullOf = (dtype: ImageDType): number => (isFloat(dtype) ? 1 : ranges[dtype][1]);
const borders: readonly Border[] = ["reflect", "edge", "symmetric", "wrap", "constant"];

type Options = Omit<FilterCallOptions, "mask"> & { border?: Border };

/** A mask's weights as numbers from 0 to 1. */
const weightsIn = (mask: MaskLike | undefined, count: number): number[] => {
  if (mask === undefined) return Array(count).fill(1);
  const data = ArrayBuffer.isView(mask) ? mask : (mask.data as Uint8Array);
  const full = data instanceof Float32Array ? 1 : data instanceof Uint16Array ? 65535 : 255;
  return Array.from(data, (weight) => weight / full);
};

/** What each result should be, in f64, before it is rounded; and 0 to 1, how much of it is known. */
function means(image: Image, filter: Filter, mask: MaskLike | undefined, options: Options) {
  const { width, height, channels, data } = image;
  const taps = rowsOf(filter);
  const rows = options.flip ? taps.map((row) => row.toReversed()).toReversed() : taps;
  const [kh, kw] = [rows.length, rows[0]!.length];
  const { border = "reflect", borderValue = 0, anchor = [kw >> 1, kh >> 1], gain = 1, offset = 0 } = options;
  const { alpha = "none", nan } = options;
  const [full, weights] = [fullOf(imageDTypeOf(data)!), weightsIn(mask, width * height)];
  const [values, known] = [new Float64Array(data.length), new Float64Array(width * height)];
  for (let pixel = 0; pixel < width * height; pixel++) {
    const sums = new Float64Array(channels);
    let [weight, covered, whole] = [0, 0, 0];
    for (let i = 0; i < kh; i++)
      for (let j = 0; j < kw; j++) {
        const tap = rows[i]![j]!;
        const y = outside(Math.floor(pixel / width) + i - anchor[1], height, border);
        const x = outside((pixel % width) + j - anchor[0], width, border);
        const at = y === undefined || x === undefined ? -1 : y * width + x;
        const colour = Array.from({ length: channels }, (_, c) => (at < 0 ? borderValue : data[at * channels + c]!));
        const isNan = nan === "ignore" && colour.some((v) => Number.isNaN(v));
        const m = isNan ? 0 : at < 0 ? 1 : weights[at]!;
        whole += tap;
        if (m === 0) continue;
        const a = alpha === "premultiply" ? colour[channels - 1]! / full : 1;
        weight += tap * m;
        covered += tap * m * a;
        for (let c = 0; c < channels; c++) sums[c]! += tap * m * a * colour[c]!;
      }
    known[pixel] = weight / whole;
    for (let c = 0; c < channels; c++) {
      const isAlpha = alpha !== "none" && c === channels - 1;
      const value = covered === 0 ? 0 : (sums[c]! / covered) * gain + offset;
      values[pixel * channels + c] = !isAlpha ? value : alpha === "keep" ? data[pixel * channels + c]! : (covered / weight) * full; // biome-ignore format: a line
    }
  }
  return { values, known };
}

/** Checks a result against {@link means}: rounded, saturated, filled where nothing is known. */
function check(
  result: Image,
  image: Image,
  filter: Filter,
  mask: MaskLike | undefined,
  options: Options,
  what: string,
) {
  const { values, known } = means(image, filter, mask, options);
  const { channels } = image;
  const dtype = imageDTypeOf(result.data)!;
  const { fill = isFloat(dtype) ? Number.NaN : 0, alpha = "none", gain = 1 } = options;
  const [low, high] = ranges[dtype];
  const largest = Math.max(
    ...Array.from(image.data, (v) => (Number.isFinite(v) ? Math.abs(v) : 0)),
    Math.abs(options.borderValue || 0),
  );
  // All taps have one sign: a few dozen roundings of sums that do not cancel, on both sides of a quotient.
  const missed = 100 * 2 ** -23 * Math.max(1, Math.abs(gain)) * largest + (isFloat(dtype) ? 0 : 0.5);
  for (let i = 0; i < result.data.length; i++) {
    const c = i % channels;
    const kept = alpha === "keep" && c === channels - 1;
    const filled = !kept && known[Math.floor(i / channels)]! === 0;
    const wanted = filled ? (typeof fill === "number" ? fill : fill[c]!) : Math.min(high, Math.max(low, values[i]!));
    const got = result.data[i]!;
    const fair = Object.is(got, wanted) || Math.abs(got - wanted) <= (filled ? 0 : missed);
    if (!fair && !(Number.isNaN(got) && Number.isNaN(wanted)))
      expect.fail(`${what}: ${got} where ${wanted} is right, at ${i}`);
  }
}

/** Weights, many of them 0 and 1, some areas all 0. */
function randomMask(width: number, height: number, kind: number, seed: number): MaskLike {
  const next = random(seed);
  const weights = Array.from({ length: width * height }, (_, i) => {
    if (i % width > width / 2 && i > (width * height) / 2) return 0;
    const draw = next();
    return draw < 0.4 ? 0 : draw < 0.6 ? 1 : next();
  });
  const of = (full: number): number[] => weights.map((w) => Math.round(w * full));
  const forms: (() => MaskLike)[] = [
    () => Float32Array.from(weights),
    () => Uint8Array.from(of(255)),
    () => Uint16Array.from(of(65535)),
    () => ({ width, height, channels: 1, data: Uint8ClampedArray.from(of(255)) }),
    () => ({ shape: [height, width], data: Uint8Array.from(weights, (w) => Number(w > 0.5)), dtype: "bool" }),
  ];
  return forms[kind % forms.length]!();
}

const withNans = (image: Image, seed: number): Image => {
  const next = random(seed);
  return { ...image, data: image.data.map((v) => (next() < 0.15 ? Number.NaN : v)) as Image["data"] };
};

const filterList: Filter[] = ["gaussian:1.3", "box:size=3x4", "binomial:5", "disk:2", { column: [0, 1, 2, 0], row: [3] }, [[0, 0, 0], [0.5, 0.1, 0.3], [0, 0, 0]], [[-1, -2]], "motion:length=5,angle=30"]; // biome-ignore format: a line

/** A random case, the same for a seed. */
function randomCase(seed: number) {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const dtype = pick(["u8", "u16", "i16", "i8", "i32", "u32", "f32", "f32", "f32", "f64"] as const);
  const channels = pick([1, 2, 3, 4, 7] as const);
  const [width, height] = [1 + Math.floor(next() * 23), 1 + Math.floor(next() * 13)];
  const plain = randomImage(width, height, channels, dtype, seed);
  const alpha = channels % 2 === 0 ? pick(["none", "keep", "premultiply"] as const) : "none";
  const positive = alpha === "premultiply" ? { ...plain, data: plain.data.map((v) => Math.min(fullOf(dtype), Math.abs(v))) as Image["data"] } : plain; // biome-ignore format: a line
  const ignores = isFloat(dtype) && next() < 0.6;
  const image = ignores ? withNans(positive, seed) : positive;
  const mask = !ignores || next() < 0.5 ? randomMask(width, height, Math.floor(next() * 5), seed + 1) : undefined;
  const output = pick([undefined, "f32", dtype] as const);
  const border = pick(borders);
  const beyond = ignores && next() < 0.3 ? Number.NaN : pick([0, 1, 100].slice(0, isFloat(dtype) ? 2 : 3));
  const options: Options = {
    ...{ border, alpha, flip: next() < 0.5, ...(output && { output }) },
    ...(border === "constant" && { borderValue: beyond }),
    ...(ignores && { nan: "ignore" }),
    ...(next() < 0.3 && { gain: 1.5, offset: 3 }),
    ...(next() < 0.5 && { fill: pick([7, Array.from({ length: channels }, (_, c) => 10 + c)]) }),
  };
  const filter = pick(filterList);
  const [kh, kw] = [rowsOf(filter).length, rowsOf(filter)[0]!.length];
  if (next() < 0.3) Object.assign(options, { anchor: [Math.floor(next() * kw), Math.floor(next() * kh)] });
  return { image, mask, filter, options };
}

async function runCase(engine: Engine, seed: number): Promise<void> {
  const { image, mask, filter, options } = randomCase(seed);
  const spec = { ...image, dtype: imageDTypeOf(image.data)!, masked: mask !== undefined };
  for (const strategy of strategiesOf(engine.plan(engine.filterProblem(spec, filter, options)))) {
    const result = await engine.filter(image, filter, { ...options, mask, strategy });
    const { width, height, channels } = image;
    const shown = JSON.stringify({ seed, width, height, channels, dtype: spec.dtype, filter, strategy, ...options, mask: mask?.constructor.name }); // biome-ignore format: a line
    check(result, image, filter, mask, options, shown);
  }
}

const plainImage = (dtype: ImageDType, channels = 3): Image => randomImage(37, 21, channels, dtype, 3);
const floats = (width: number, height: number, data: number[]): Image => ({
  ...{ width, height, channels: 1, data: Float32Array.from(data) },
});

describe.each(testEngines())("on %s", (name, promise) => {
  it("random masks, NaN, borders, anchors, alpha and types give weighted means", async () => {
    const engine = await promise;
    for (let seed = 0; seed < (name === "reference" ? 60 : 150); seed++) await runCase(engine, 1000 + seed * 7);
  });

  it("a constant picture stays constant under any mask", async () => {
    const engine = await promise;
    for (const [dtype, value] of [
      ["u8", 201],
      ["u16", 65535],
      ["i16", -32768],
      ["f32", 0.3],
    ] as const) {
      // biome-ignore format: pairs
      const plain = plainImage(dtype);
      const image = { ...plain, data: plain.data.map(() => value) as Image["data"] };
      for (let kind = 0; kind < 3; kind++) {
        const mask = randomMask(37, 21, kind, 5 + kind);
        const { data } = await engine.filter(image, "gaussian:2", { mask, fill: value });
        for (const v of data) expect(Math.abs(v - image.data[0]!)).toBeLessThanOrEqual(dtype === "f32" ? 2 ** -22 : 0);
      }
    }
  });

  it("a mask of ones gives the filter of unit sum, whatever its taps' sum", async () => {
    const engine = await promise;
    for (const dtype of ["u8", "f32"] as const) {
      const image = plainImage(dtype);
      const ones = new Float32Array(37 * 21).fill(1);
      const masked = await engine.filter(image, [[3, 6, 3]], { mask: ones, gain: 0.5, offset: 2 });
      const plain = await engine.filter(image, [[0.25, 0.5, 0.25]], { gain: 0.5, offset: 2 });
      const off = Math.max(...Array.from(plain.data, (v, i) => Math.abs(v - masked.data[i]!)));
      expect(off).toBeLessThanOrEqual(dtype === "f32" ? 2 ** -21 : 0);
      // Without anything unknown, integer pictures are computed as ever: exactly.
      const ignoring = await engine.filter(image, [[3, 6, 3]], { nan: "ignore", gain: 0.5, offset: 2 });
      if (dtype === "u8") expect(bits(ignoring)).toBe(bits(plain));
    }
  });

  it("bytes of 0 and 1 mean what bytes of 0 and 255 mean", async () => {
    const engine = await promise;
    const image = plainImage("u8");
    const of = (one: number): Uint8Array => Uint8Array.from({ length: 37 * 21 }, (_, i) => (i % 3 ? one : 0));
    const [a, b] = [await engine.filter(image, "box:3", { mask: of(1) }), await engine.filter(image, "box:3", { mask: of(255) })]; // biome-ignore format: a line
    expect(bits(a)).toBe(bits(b));
  });

  it("NaN are filled in by their neighbours, and stay where all neighbours are NaN", async () => {
    const engine = await promise;
    const image = floats(7, 1, [1, Number.NaN, 3, Number.NaN, Number.NaN, Number.NaN, 7]);
    const run = async (options: FilterCallOptions) => [...(await engine.filter(image, "box:size=1x3", options)).data];
    expect(await run({ nan: "ignore", border: "edge" })).toEqual([1, 2, 3, 3, Number.NaN, 7, 7]);
    expect(await run({ nan: "ignore", border: "edge", fill: -1 })).toEqual([1, 2, 3, 3, -1, 7, 7]);
    expect(await run({ nan: "ignore", border: "constant", fill: 0 })).toEqual([0.5, 2, 3, 3, 0, 7, 3.5]);
    expect(await run({ nan: "ignore", border: "constant", borderValue: Number.NaN })).toEqual([1, 2, 3, 3, Number.NaN, 7, 7]); // biome-ignore format: a line
    expect(await run({ nan: "propagate", border: "edge" })).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN]); // biome-ignore format: a line
  });

  it("what is unknown is not read: NaN and infinities under a mask of 0 touch nothing", async () => {
    const engine = await promise;
    const image = floats(5, 1, [1, Number.POSITIVE_INFINITY, 3, Number.NaN, 5]);
    const mask = Uint8Array.of(255, 0, 255, 0, 255);
    const { data } = await engine.filter(image, "box:size=1x3", { mask, border: "edge" });
    expect([...data]).toEqual([1, 2, 3, 4, 5]);
  });

  it("weights of -0 are weights of 0", async () => {
    const engine = await promise;
    const of = (zero: number): Float32Array => Float32Array.from({ length: 37 * 21 }, (_, i) => (i % 3 ? 1 : zero));
    const run = (zero: number): Promise<Image> => engine.filter(plainImage("u8"), "box:3", { mask: of(zero) });
    expect(bits(await run(-0))).toBe(bits(await run(0)));
  });

  it("a weight outside 0 to 1 is found wherever it stands, and nothing is written", async () => {
    const engine = await promise;
    for (const [width, height] of [
      [1, 1],
      [5, 1],
      [37, 2],
      [331, 199],
    ] as const) {
      // biome-ignore format: a line
      const count = width * height;
      const image = { width, height, channels: 1, data: new Float32Array(count) };
      const [mask, out] = [new Float32Array(count).fill(1), new Float32Array(count).fill(-7)];
      for (const at of new Set(
        [0, 1, 2, 3, count - 2, count - 1, count >> 1, 65_535, 65_536].filter((i) => i >= 0 && i < count),
      ))
        for (const weight of [1 + 2 ** -23, -1e-30, Number.NaN, Number.POSITIVE_INFINITY]) {
          mask[at] = weight;
          const expected = `mask: expected weights from 0 to 1, got ${Math.fround(weight)} at ${at}`;
          await expect(engine.filter(image, "box:3", { mask, out })).rejects.toThrow(expected);
          mask[at] = 1;
        }
      expect(out.every((v) => v === -7)).toBe(true);
      await engine.filter(image, "box:3", { mask, out });
      expect(out.every((v) => v === 0)).toBe(true);
    }
  });

  it("far from what is known only the relative weight counts", async () => {
    const engine = await promise;
    const mask = new Float32Array(61 * 61);
    mask[30 * 61 + 30] = 2 ** -20;
    const image = { width: 61, height: 61, channels: 1, data: new Uint16Array(61 * 61).fill(40000) };
    const { data } = await engine.filter(image, "gaussian:sigma=7.5", { mask, fill: 5 });
    expect([...new Set(data)]).toEqual([40000]);
  });

  it("zeros of a filter that terms of both signs would make are zeros", async () => {
    const engine = await promise;
    // Known is only the pixel under the filter's zero.
    const filter = [[0, 16, 5], [13, 6, 6], [15, 15, 4]]; // biome-ignore format: a line
    const mask = Float32Array.of(0.09901849925518036, 0, 0, 0, 0, 0, 0, 0, 0);
    const image = { width: 3, height: 3, channels: 1, data: new Uint8Array(9).fill(200) };
    const problem = engine.filterProblem({ ...image, dtype: "u8", masked: true }, filter, { fill: 22, border: "constant", tolerance: 0.3 }); // biome-ignore format: a line
    for (const strategy of strategiesOf(engine.plan(problem))) {
      const { data } = await engine.run(engine.plan(problem, { strategy }), image, { mask });
      expect([strategy, data[4]]).toEqual([strategy, 22]);
    }
  });

  it("values of the engine as picture, mask and out", async () => {
    const engine = await promise;
    for (const dtype of ["u8", "f32"] as const) {
      for (const alpha of ["none", "keep", "premultiply"] as const) {
        const image = plainImage(dtype, 4);
        if (alpha === "premultiply") image.data.forEach((v, i) => { image.data[i] = Math.abs(v) / 2; }); // biome-ignore format: a line
        const mask = randomMask(37, 21, dtype === "u8" ? 1 : 0, 9) as Uint8Array;
        const wanted = await engine.filter(image, "gaussian", { mask, alpha });
        const spec = { width: 37, height: 21 };
        const x = engine.alloc({ ...spec, channels: 4, dtype });
        const m = engine.alloc({ ...spec, channels: 1, dtype });
        const out = engine.alloc({ ...spec, channels: 4, dtype });
        await x.write(image.data);
        await m.write(mask);
        await engine.filter(x, "gaussian", { mask: m, alpha, out });
        expect(bits({ data: await out.read() })).toBe(bits(wanted));
        const array = image.data.map(() => 0) as Image["data"];
        await engine.filter(x, "gaussian", { mask, alpha, out: array });
        expect(bits({ data: array })).toBe(bits(wanted));
        for (const value of [x, m, out]) value.dispose();
      }
    }
  });

  it("a stored plan runs with a mask, and only with one", async () => {
    const engine = await promise;
    const image = plainImage("u8");
    const mask = randomMask(37, 21, 1, 4) as Uint8Array;
    const spec = { width: 37, height: 21, channels: 3, dtype: "u8", masked: true } as const;
    const plan = JSON.parse(JSON.stringify(engine.plan(engine.filterProblem(spec, "gaussian", { fill: 9, output: "f32" })))); // biome-ignore format: a line
    const wanted = await engine.filter(image, "gaussian", { mask, fill: 9, output: "f32" });
    expect(bits(await engine.run(plan, image, { mask }))).toBe(bits(wanted));
    await expect(engine.run(plan, image)).rejects.toThrow("mask: expected a mask, as the plan says, got none");
    const plain = engine.plan(engine.filterProblem({ ...spec, masked: false }, "gaussian"));
    await expect(engine.run(plain, image, { mask })).rejects.toThrow(
      "mask: expected none, as the plan says, got a mask",
    );
  });

  it("tall pictures go through rings of rows, on every border", async () => {
    const engine = await promise;
    const image = randomImage(9, name === "reference" ? 100 : 700, 1, "u8", 4);
    const next = random(8);
    const mask = Uint8Array.from({ length: image.width * image.height }, () => (next() < 0.5 ? 255 : 0));
    for (const border of borders) {
      const options = { border, fill: 3 };
      const result = await engine.filter(image, "binomial:5", { ...options, mask });
      check(result, image, "binomial:5", mask, options, border);
    }
  });
});

/** Of rank 2, and of more taps than are summed as they stand. */
const crossed = Array.from({ length: 257 }, (_, i) =>
  Array.from({ length: 257 }, (_, j) => Number(i === 128 || j === 128)),
);

describe("wrong use", () => {
  const [, promise] = testEngines()[1]!;
  const image = plainImage("u8");
  const mask = new Uint8Array(37 * 21).fill(255);
  const refused: [string, Image, Filter, unknown, string][] = [
    ["derivatives", image, "sobel-x", { mask }, 'filter: expected taps of one sign with a mask or nan: "ignore", got taps above and below 0'],
    ["gradients", image, "sobel", { mask }, "filter: expected taps of one sign"],
    ["derivatives of pictures with NaN", image, "laplacian-4", { nan: "ignore" }, "filter: expected taps of one sign"],
    ["no taps", image, [[0, 0]], { mask }, "got taps that are all 0"],
    ["a mask of another size", image, "box:3", { mask: new Uint8Array(5) }, "mask: expected 37 x 21 = 777 weights, one for each pixel, got 5"],
    ["a mask of other sides", image, "box:3", { mask: { width: 21, height: 37, channels: 1, data: mask } }, "mask: expected sides [21, 37, 1], got [37, 21, 1]"],
    ["a mask in colour", image, "box:3", { mask: plainImage("u8") }, "mask: expected sides"],
    ["a mask of doubles", image, "box:3", { mask: new Float64Array(777) }, "mask: expected a Float32Array of weights from 0 to 1, a Uint8Array or Uint16Array, got Float64Array(777)"],
    ["a mask of signed numbers", image, "box:3", { mask: new Int16Array(777) }, "mask: expected a Float32Array"],
    ["a plain array", image, "box:3", { mask: Array(777).fill(1) }, "Float32Array.from(data) makes one of it"],
    ["a mask of halves", image, "box:3", { mask: { shape: [21, 37], data: new Uint16Array(777), dtype: "f16" } }, 'mask.dtype: expected u8, bool, u16 or f32, got "f16"'],
    ["no mask", image, "box:3", { mask: true }, "mask: expected"],
    ["weights above 1", image, "box:3", { mask: new Float32Array(777).fill(1).fill(1.5, 70, 71) }, "mask: expected weights from 0 to 1, got 1.5 at 70"],
    ["weights below 0", image, "box:3", { mask: new Float32Array(777).fill(-1, 776) }, "got -1 at 776"],
    ["weights that are no numbers", image, "box:3", { mask: new Float32Array(777).fill(Number.NaN, 0, 1) }, "got NaN at 0"],
    ["fill alone", image, "box:3", { fill: 3 }, 'fill: expected a mask or nan: "ignore", of which it is an option, got neither'],
    ["fill out of range", image, "box:3", { mask, fill: 256 }, "fill: expected an integer from 0 to 255, got 256"],
    ["NaN in integers", image, "box:3", { mask, fill: Number.NaN }, "fill: expected an integer"],
    ["fill of another number of channels", image, "box:3", { mask, fill: [1, 2] }, "fill: expected a number, or 3, one for each channel, got [1, 2]"],
    ["another policy", image, "box:3", { nan: "omit" }, 'nan: expected one of propagate, ignore, got "omit"; here its name is "ignore"'],
    ["a border of NaN without it", plainImage("f32"), "box:3", { border: "constant", borderValue: Number.NaN }, "borderValue: expected a finite number"],
    ["out over the mask", { ...image, channels: 1, data: new Uint8Array(777) }, "box:3", { mask, out: mask }, "out: expected memory apart from the mask's"],
    ["large filters of a high rank", image, crossed, { mask }, "filter: expected at most 65536 taps where pixels may be unknown"],
  ]; // biome-ignore format: a line each

  it.each(refused)("%s", async (_name, picture, filter, options, message) => {
    const call = (await promise).filter(picture, filter, options as FilterCallOptions);
    await expect(call).rejects.toThrow(message);
    await expect(call).rejects.toBeInstanceOf(Rank1Error);
  });

  it("a gradient has no mask", async () => {
    await expect((await promise).gradient(image, { mask } as object)).rejects.toThrow("options key");
    await expect((await promise).gradient(image, { nan: "ignore" })).rejects.toThrow("taps of one sign");
  });
});

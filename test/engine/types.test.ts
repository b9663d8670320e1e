// Every element type and any number of channels against f64 loops; what is known of alpha; pictures of sharp and of canvases.
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, explain, type Image, type ImageDType } from "../../src/index.ts";
import { imageDTypes } from "../../src/tensor.ts";
import { arrays, type Border, correlate, random, randomImage, ranges, toType } from "../oracle.ts";
import { everyPlan, testEngines, worst } from "./engines.ts";

const isFloat = (dtype: ImageDType): boolean => dtype === "f32" || dtype === "f64";
const isWide = (dtype: ImageDType): boolean => ["i32", "u32", "f64"].includes(dtype);
const oneOf = <T>(next: () => number, list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
const channelCounts = [1, 2, 3, 4, 5, 7, 16, 64];
const borders: readonly Border[] = ["constant", "edge", "reflect", "symmetric", "wrap"];

/** Small integers or real taps, of a seed. */
function randomCase(seed: number) {
  const next = random(seed);
  const [dtype, output] = [oneOf(next, imageDTypes), oneOf(next, imageDTypes)];
  const channels = oneOf(next, channelCounts);
  const [width, height] = [1 + Math.floor(next() * 40), 1 + Math.floor(next() * 12)];
  const [kh, kw] = [1 + Math.floor(next() * 5), 1 + Math.floor(next() * 6)];
  const whole = next() < 0.6;
  const tap = (): number => (whole ? Math.floor(next() * 7) - 3 : next() - 0.4);
  const filter = Array.from({ length: kh }, () => Array.from({ length: kw }, tap));
  const border = oneOf(next, borders);
  const borderValue = border === "constant" && dtype !== "f32" ? 3 : 0;
  const gain = oneOf(next, [1, 1, 0.5, 1 / 3]);
  return { image: randomImage(width, height, channels, dtype, seed), dtype, output, filter, border, borderValue, gain };
}

const engines = testEngines();

describe.each(engines)("types and channels, on %s", (_name, promise) => {
  it("give what f64 loops give, by every plan", { timeout: 200_000 }, async () => {
    const engine = await promise;
    for (let seed = 1; seed <= 150; seed++) {
      const { image, dtype, output, filter, ...options } = randomCase(seed);
      const exact = correlate(image, filter, options);
      const wanted = toType(exact, output);
      const largest = isFloat(dtype) ? 2 : ranges[dtype][1] + 1;
      const taps = filter.flat().reduce((sum, one) => sum + Math.abs(one), 1);
      const whole = filter.flat().every(Number.isInteger) && !isFloat(dtype);
      const inDoubles = isWide(dtype) || isWide(output);
      // What rounds: sums in f64 or f32, and a result in f32.
      const unit = inDoubles ? 2 ** -50 : 2 ** -20;
      const rounding = unit * taps * largest * Math.min(filter.length, filter[0]!.length);
      const stored = output === "f32" ? 2 ** -23 * taps * largest : 0;
      for (const plan of everyPlan(engine, image, filter, { ...options, output })) {
        const { data } = await engine.run(plan, image);
        expect(data.constructor.name).toBe(arrays[output].name);
        const off = worst(data, wanted);
        // Real numbers may fall on the other side of a half.
        const ties = isFloat(output) || (whole && plan.solver === "direct" && options.gain !== 1 / 3) ? 0 : 1;
        if (off <= rounding + ties + stored) continue;
        expect.fail(`seed ${seed}, ${plan.solver}: ${dtype} to ${output}, off by ${off}`);
      }
    }
  });

  it("integers of 32 bits are exact under integer taps", async () => {
    const engine = await promise;
    for (const dtype of ["i32", "u32"] as const) {
      const image = randomImage(33, 9, 3, dtype, 4);
      const filter = [[1, 2, 1], [2, 4, 2], [1, 2, 3]]; // biome-ignore format: a matrix
      const { data } = await engine.filter(image, filter, { output: "f64" });
      expect(data).toEqual(correlate(image, filter, {}));
    }
  });

  it("values in the engine are filtered as arrays are", async () => {
    const engine = await promise;
    for (const dtype of imageDTypes) {
      const image = randomImage(21, 9, 6, dtype, 8);
      const wanted = await engine.filter(image, "gaussian:1.5");
      const spec = { shape: [image.height, image.width, image.channels], dtype };
      const [x, out] = [engine.alloc(spec), engine.alloc(spec)];
      await x.write(image.data);
      expect((await engine.filter(x, "gaussian:1.5")).data).toEqual(wanted.data);
      expect(await (await engine.filter(x, "gaussian:1.5", { out })).read()).toEqual(wanted.data);
      for (const value of [x, out]) value.dispose();
    }
  });

  it("derivatives of wide types are in f64, so are magnitude and angle", async () => {
    const engine = await promise;
    for (const dtype of imageDTypes) {
      const { gx, gy, magnitude, angle } = await engine.gradient(randomImage(12, 7, 5, dtype, 9));
      const signed = isWide(dtype) ? Float64Array : dtype === "u8" || dtype === "i8" ? Int16Array : Float32Array;
      const real = isWide(dtype) ? Float64Array : Float32Array;
      for (const half of [gx, gy]) expect(half.data).toBeInstanceOf(signed);
      for (const half of [magnitude, angle]) expect(half.data).toBeInstanceOf(real);
      const squares = Array.from(gx.data, (v, i) => real.of(Math.hypot(v, gy.data[i]!))[0]!);
      expect(worst(magnitude.data, squares)).toBeLessThanOrEqual(2 ** -23 * Math.max(...squares));
      expect((await engine.filter(randomImage(12, 7, 5, dtype, 9), "sobel")).data).toBeInstanceOf(arrays[dtype]);
    }
  });

  it("edges and sharpening above a threshold are the same in every type", async () => {
    const engine = await promise;
    const { data, ...sides } = randomImage(31, 17, 3, "u8", 21);
    const of = (dtype: ImageDType): Image => ({ ...sides, data: arrays[dtype].from(Array.from(data, (v) => v >> 2)) });
    for (const filter of ["canny:sigma=0,low=20,high=60", "canny:sigma=0,low=20,high=60,colour=each"]) {
      const wanted = await engine.filter(of("u8"), filter);
      for (const dtype of ["i8", "u16", "i16", "i32", "u32", "f64"] as const)
        if (!filter.endsWith("each") && isFloat(dtype)) continue;
        else expect((await engine.filter(of(dtype), filter)).data).toEqual(wanted.data);
    }
    const wanted = await engine.filter(of("u8"), "unsharp:threshold=3", { output: "f32" });
    for (const dtype of ["i8", "i32", "f64"] as const) {
      const { data } = await engine.filter(of(dtype), "unsharp:threshold=3", { output: "f32" });
      expect(worst(data, wanted.data)).toBeLessThan(0.01);
    }
    const six = randomImage(9, 9, 6, "u8", 3);
    await expect(engine.filter(six, "canny")).rejects.toMatchObject({ parameter: "image.channels" });
  });

  it("a translucent picture of any type is weighted by alpha", async () => {
    const engine = await promise;
    for (const dtype of imageDTypes) {
      const full = isFloat(dtype) ? 1 : ranges[dtype][1];
      const [colour, half] = [isFloat(dtype) ? 0.75 : 100, isFloat(dtype) ? 0.5 : Math.floor(full / 2)];
      const data = new arrays[dtype](2 * 9 * 4);
      // Left half of one colour and translucent, right half of another and invisible.
      for (let i = 0; i < data.length; i += 4)
        data.set((i / 4) % 9 < 5 ? [colour, 0, colour, half] : [0, colour, 0, 0], i);
      for (const hasAlpha of [true, undefined]) {
        const picture: Image = { width: 9, height: 2, channels: 4, data, ...(hasAlpha && { hasAlpha }) };
        const result = await engine.filter(picture, "box:3", hasAlpha ? {} : { alpha: "premultiply" });
        expect(result.hasAlpha).toBe(hasAlpha);
        for (let i = 0; i < data.length; i += 4) {
          const [red, green, blue, alpha] = result.data.slice(i, i + 4);
          if (alpha === 0) continue;
          expect(green).toBe(0);
          for (const one of [red, blue]) expect(Math.abs(one! - colour)).toBeLessThanOrEqual(1e-4);
          expect(alpha).toBeLessThanOrEqual(half * (1 + 1e-6));
        }
      }
    }
  });

  it("what is premultiplied stays so, and gives what its colours give", async () => {
    const engine = await promise;
    const plain = randomImage(17, 9, 4, "f32", 12);
    plain.data.forEach((v, i) => {
      plain.data[i] = i % 4 === 3 ? Math.min(1, Math.round(4 * Math.abs(v)) / 4) : Math.abs(v);
    });
    const times = (data: Image["data"]): Float32Array =>
      Float32Array.from(data, (v, i) => (i % 4 === 3 ? v : v * data[i - (i % 4) + 3]!));
    const premultiplied: Image = { ...plain, data: times(plain.data), hasAlpha: true, premultiplied: true };
    for (const options of [{}, { gain: 0.5, offset: 0.25 }]) {
      const wanted = await engine.filter({ ...plain, hasAlpha: true }, "gaussian:1", options);
      const got = await engine.filter(premultiplied, "gaussian:1", options);
      expect(got).toMatchObject({ hasAlpha: true, premultiplied: true });
      expect(worst(got.data, times(wanted.data))).toBeLessThan(1e-5);
    }
  });
});

describe("a picture that is given", async () => {
  const engine = await createEngine();
  afterAll(() => engine.dispose());

  it("says in its plan that it is computed in f64", () => {
    const problem = engine.filterProblem({ width: 90, height: 70, channels: 9, dtype: "i32" }, "gaussian:2");
    const text = explain(engine.plan(problem));
    expect(text).toContain("70 x 90 x 9 i32 -> 70 x 90 x 9 i32");
    expect(text).toContain("17 taps, f64");
  });

  it("as an ImageData gives what a new ImageData takes", async () => {
    const data = Uint8ClampedArray.from({ length: 6 * 5 * 4 }, (_, i) => (i * 37) % 256);
    const result = await engine.filter({ width: 6, height: 5, data }, "gaussian:1");
    expect(result.data).toBeInstanceOf(Uint8ClampedArray);
    expect(result.hasAlpha).toBe(true);
    // Once more: the result is known to have alpha.
    const twice = await engine.filter(result, "box:3");
    expect(twice.data).toEqual((await engine.filter({ ...result, hasAlpha: false }, "box:3", { alpha: "premultiply" })).data);
    expect((await engine.filter({ width: 6, height: 5, data }, "sobel")).data).toBeInstanceOf(Uint8ClampedArray);
    expect((await engine.filter({ width: 6, height: 5, data }, "sobel-x")).data).toBeInstanceOf(Int16Array);
  }); // biome-ignore format: a line

  it("wherever its bytes begin, is what its depth says", async () => {
    const depths = { uchar: "u8", char: "i8", ushort: "u16", short: "i16", uint: "u32", int: "i32", float: "f32", double: "f64" } as const;
    for (const [depth, dtype] of Object.entries(depths)) {
      const image = randomImage(9, 6, 3, dtype, 3);
      const bytes = new Uint8Array(image.data.buffer);
      const wanted = await engine.filter(image, "gaussian:1");
      for (const start of [0, 1, 2, 4]) {
        const data = Buffer.concat([Buffer.alloc(8 + start), bytes]).subarray(8 + start);
        const info = { width: 9, height: 6, channels: 3, depth, hasAlpha: false };
        expect(await engine.filter({ data, info }, "gaussian:1")).toEqual(wanted);
        expect(await engine.filter({ data: image.data, info }, "gaussian:1")).toEqual(wanted);
      }
    }
  }); // biome-ignore format: a table

  const info = { width: 2, height: 2, channels: 2 };
  it.each([
    [{ data: new Uint8Array(8), info: { ...info, depth: "complex" } }, "image.depth"],
    [{ data: new Uint8Array(9), info: { ...info, depth: "ushort" } }, "image.data"],
    [{ data: new Uint8Array(8), info: { ...info, depth: "ushort" } }, "image.data"],
    [{ data: new Float32Array(8), info: { ...info, depth: "ushort" } }, "image.data"],
    [{ data: new Uint8Array(8), info: { ...info, hasAlpha: "yes" } }, "image.hasAlpha"],
    [{ data: new Uint8Array(4), info: { ...info, channels: 1, hasAlpha: true } }, "image.hasAlpha"],
    [{ data: new BigInt64Array(8), ...info }, "image.data"],
    [{ data: new Uint8Array(4100), width: 2, height: 1, channels: 2050 }, "image.channels"],
  ])("is refused as %o", async (image, parameter) => {
    await expect(engine.filter(image as never, "box:3")).rejects.toMatchObject({ code: "INVALID_ARGUMENT", parameter });
  });

  it("of an unknown type is refused, in problems and plans too", async () => {
    const image = randomImage(7, 5, 1, "u8", 2);
    const plan = engine.plan(engine.filterProblem({ ...image, dtype: "u8" }, "box:3"));
    const odd = <T>(object: T): T => ({ ...object, dtype: "u9" });
    const { problem, buffers } = plan;
    const plans = [
      { ...plan, problem: { ...problem, x: odd(problem.x) } },
      { ...plan, problem: { ...problem, y: odd(problem.y) } },
      { ...plan, buffers: buffers.map(odd) },
    ] as (typeof plan)[];
    const refused = { code: "INVALID_ARGUMENT", received: '"u9"' };
    for (const one of plans) await expect(engine.run(one, image)).rejects.toMatchObject(refused);
    for (const one of plans.slice(0, 2))
      expect(() => engine.plan(one.problem)).toThrow(expect.objectContaining(refused));
    const value = engine.alloc({ shape: [4] });
    const tensor = odd({ shape: [4], data: new Float32Array(4) });
    await expect(value.write(tensor)).rejects.toMatchObject(refused);
    await expect(engine.conv2d(odd({ shape: [1, 1, 1, 1], data: new Float32Array(1) }), tensor)).rejects.toMatchObject(
      refused,
    );
  });

  it("has alpha in the last of 2 or 4 channels, or of any number where it says so", async () => {
    const image = randomImage(7, 5, 6, "u8", 2);
    await expect(engine.filter(image, "box:3", { alpha: "keep" })).rejects.toMatchObject({ parameter: "alpha" });
    const kept = await engine.filter({ ...image, hasAlpha: true }, "box:3", { alpha: "keep" });
    kept.data.forEach((v, i) => {
      if (i % 6 === 5) expect(v).toBe(image.data[i]);
    });
  });
});

describe("sharp's pictures", async () => {
  const engine = await createEngine();
  afterAll(() => engine.dispose());
  // Red and visible on the left, green and invisible on the right.
  const [width, height] = [24, 10];
  const pixels = Uint8Array.from({ length: width * height * 4 }, (_, i) =>
    (i >> 2) % width < 12 ? [200, 0, 0, 255][i % 4]! : [0, 250, 0, 0][i % 4]!,
  );
  const png = await sharp(pixels, { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();

  it.each(["uchar", "short", "ushort", "int", "uint", "float", "double"] as const)(
    "of depth %s keep invisible colours to themselves, and go back to sharp",
    async (depth) => {
      const raw = await sharp(png).raw({ depth }).toBuffer({ resolveWithObject: true });
      const result = await engine.filter(raw, "gaussian:2");
      const { data, width, height, channels } = result;
      let [visible, between] = [0, 0];
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3]! === 0) continue;
        visible++;
        if (data[i + 3]! > 1 && data[i + 3]! < 254) between++;
        expect(data[i + 1]).toBe(0);
        expect(Math.abs(data[i]! - 200)).toBeLessThanOrEqual(1);
      }
      expect(visible).toBeGreaterThan(12 * height);
      expect(between).toBeGreaterThan(4 * height);
      const form = { raw: { width, height, channels: channels as 4 } };
      const back = await sharp(data, form).raw({ depth }).toBuffer({ resolveWithObject: true });
      expect(back.info).toMatchObject({ width, height, channels, depth });
      expect(await sharp(data, form).png().toBuffer()).toBeInstanceOf(Buffer);
    },
  );

  it("under a filter of zero sum keep alpha", async () => {
    const raw = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    const { data } = await engine.filter(raw, "sobel-x");
    data.forEach((v, i) => {
      if (i % 4 === 3) expect(v).toBe(pixels[i]);
    });
  });

  it("without alpha are filtered in all channels", async () => {
    const raw = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect(await engine.filter(raw, "box:3")).not.toHaveProperty("hasAlpha");
  });
});

describe.each(["wasm", "reference"] as const)("an array that is taken away, on %s", async (backend) => {
  const engine = await createEngine({ backend, threads: 1 });
  afterAll(() => engine.dispose());
  const detach = (data: ArrayBufferView): void =>
    void structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
  const sides = { width: 900, height: 600, channels: 4 };
  const make = {
    bytes: (): Image => ({ ...sides, data: new Uint8Array(900 * 600 * 4).fill(9) }),
    "clamped bytes": (): Image => ({ ...sides, data: new Uint8ClampedArray(900 * 600 * 4).fill(9) }),
    "a Buffer": (): Image => ({ ...sides, data: Buffer.from(new Uint8Array(900 * 600 * 4).fill(9).buffer) }),
    floats: (): Image => ({ ...sides, data: new Float32Array(900 * 600 * 4).fill(9) }),
    integers: (): Image => ({ ...sides, data: new Int32Array(900 * 600 * 4).fill(9) }),
  };
  for (const [name, picture] of Object.entries(make)) {
    for (const alpha of ["none", "keep", "premultiply"] as const) {
      it(`is an error that says so: ${name}, alpha ${alpha}`, { timeout: 60_000 }, async () => {
        const refused = { code: "INVALID_ARGUMENT", expected: expect.stringContaining("until the call is done") };
        for (const late of [false, true]) {
          for (const which of ["image", "out"] as const) {
            const image = picture();
            const out = picture().data;
            const call = engine.filter(image, "gaussian:9", {
              ...{ alpha, out },
              onProgress: () => late && detach(which === "image" ? image.data : out),
            });
            if (!late) detach(which === "image" ? image.data : out);
            const done = await call.then((result) => result, (error: unknown) => error);
            // Where all had been read before, nothing is missing.
            if (late && which === "image" && !(done instanceof Error)) continue;
            expect(done).toMatchObject(refused);
          }
        }
      }); // biome-ignore format: promises
    }
  }

  it("is an error of a gradient as well", { timeout: 60_000 }, async () => {
    const image = make.bytes();
    const magnitude = new Float32Array(image.data.length);
    const call = engine.gradient(image, {
      out: { magnitude },
      onProgress: () => magnitude.length && detach(magnitude),
    });
    await expect(call).rejects.toMatchObject({ code: "INVALID_ARGUMENT", parameter: "out" });
  });
});

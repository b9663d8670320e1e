// Pictures of short rows and long columns: plans turn them, and nothing else about them changes.
import { describe, expect, it } from "vitest";
import { explain, type FilterCallOptions, type Image, type ImageDType } from "../../src/index.ts";
import { imageDTypeOf } from "../../src/tensor.ts";
import { correlate, random, randomImage, toType } from "../oracle.ts";
import { engineMaker, floatBound, rowsOf, testEngines, worst } from "./engines.ts";

const borders = ["constant", "edge", "reflect", "symmetric", "wrap"] as const;
const someFilters = ["sobel-x", "sobel-y", "box:size=4x7", "gaussian:sigma=1x3", "motion:length=5,angle=30", "emboss"];

/** The picture with x and y exchanged. */
function mirrored({ width, height, channels, data }: Image): Image {
  const turned = data.slice();
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        turned[(x * height + y) * channels + c] = data[(y * width + x) * channels + c]!;
  return { width: height, height: width, channels, data: turned };
}

const engineOf = engineMaker();

describe.each(testEngines())("a thin picture, on %s,", (_name, promise) => {
  it("is filtered as any other, by every plan, border, anchor, type and number of channels", async () => {
    const engine = await promise;
    const next = random(9);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
    let turned = 0;
    for (let k = 0; k < 12; k++) {
      const [width, channels] = [1 + Math.floor(next() * 3), 1 + Math.floor(next() * 4)];
      const dtype = pick<ImageDType>(["u8", "u16", "i16", "f32"]);
      const height = pick([40, 300, 900]);
      const image = randomImage(width, height, channels, dtype, k);
      const filter = pick(someFilters);
      const rows = rowsOf(filter);
      const anchor = [Math.floor(next() * rows[0]!.length), Math.floor(next() * rows.length)] as const;
      const options: FilterCallOptions = { border: pick(borders), borderValue: 3, anchor, output: "f32", offset: 2 };
      const problem = engine.filterProblem({ ...image, dtype }, filter, options);
      const exact = correlate(image, rows, { ...options, borderValue: 3, border: options.border, anchor });
      const plan = engine.plan(problem);
      if (plan.turned) turned++;
      const strategies = [plan.solver, ...plan.rejected.filter(({ cost }) => cost).map(({ solver }) => solver)];
      const largest = Math.max(...Array.from(image.data, Math.abs), 3);
      for (const strategy of new Set(strategies)) {
        const { data } = await engine.run(engine.plan(problem, { strategy }), image);
        const allowed = floatBound(filter, largest) + largest * 1e-5;
        expect(worst(data, exact), `${k} ${filter} ${strategy}`).toBeLessThanOrEqual(allowed);
      }
    }
    expect(turned).toBeGreaterThan(2);
  });

  it("of integers is filtered exactly, and in place of one column", async () => {
    const engine = await promise;
    for (const width of [1, 2, 3]) {
      const image = randomImage(width, 2000, 1, "u8", width);
      const out = new Int16Array(image.data.length);
      await engine.filter(image, "sobel-x", { out });
      expect(worst(out, toType(correlate(image, rowsOf("sobel-x"), {}), "i16"))).toBe(0);
    }
  });

  it("is turned in stretches of any length, whatever its pixels are", { timeout: 60_000 }, async () => {
    const engine = await promise;
    const heights = engine.info().backend === "wasm" ? [257, 4095, 4096, 4097, 8193] : [257];
    let turned = 0;
    for (const [k, height] of heights.entries())
      for (const [width, channels, dtype] of [
        [2, 1, "u8"],
        [5, 1, "u8"],
        [31, 1, "u8"],
        [3, 2, "u8"],
        [2, 3, "u8"],
        [7, 4, "u8"],
        [3, 1, "u16"],
        [4, 2, "i16"],
        [8, 1, "f32"],
        [2, 2, "f32"],
      ] as const) {
        const image = randomImage(width, height, channels, dtype, k);
        const problem = engine.filterProblem({ ...image, dtype }, "box:size=3x1", { output: "f32" });
        turned += Number(engine.plan(problem).turned ?? false);
        const there = await engine.filter(mirrored(image), "box:size=1x3", { output: "f32" });
        const { data } = await engine.filter(image, "box:size=3x1", { output: "f32" });
        const largest = Array.from(image.data).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        expect(worst(data, mirrored(there).data), `${width} x ${height} x ${channels} ${dtype}`).toBeLessThanOrEqual(
          largest * 1e-6,
        );
      }
    expect(turned).toBeGreaterThan(0);
  });

  it("gives with a mask, alpha, NaN and fill what its mirrored twin gives", async () => {
    const engine = await promise;
    const image = randomImage(2, 900, 4, "f32", 5);
    for (let i = 0; i < image.data.length; i += 37) image.data[i] = Number.NaN;
    const mask = randomImage(2, 900, 1, "f32", 6).data.map((v) => Math.max(0, v % 1)) as Float32Array;
    for (const alpha of ["none", "keep", "premultiply"] as const) {
      const options: FilterCallOptions = { nan: "ignore", fill: [1, 2, 3, 4], alpha };
      const here = await engine.filter(image, "gaussian:1x2", { ...options, mask });
      const twin = await engine.filter(mirrored(image), "gaussian:2x1", {
        ...options,
        mask: mirrored({ ...image, channels: 1, data: mask }).data as Float32Array,
      });
      const there = mirrored(twin).data;
      here.data.forEach((v, i) => {
        if (Number.isNaN(v) !== Number.isNaN(there[i]!) || Math.abs(v - there[i]!) > 1e-3) expect.fail(`${alpha} ${i}`);
      });
    }
  });

  it("may be a value, and so may its result and its mask", async () => {
    const engine = await promise;
    for (const width of [1, 2]) {
      const image = randomImage(width, 1000, 2, "f32", width);
      const expected = await engine.filter(image, "gaussian:2");
      const [x, y] = [0, 1].map(() => engine.alloc({ width, height: 1000, channels: 2, dtype: "f32" }));
      await x!.write(image.data);
      await engine.filter(x!, "gaussian:2", { out: y! });
      expect(await y!.read()).toEqual(expected.data);
      expect((await engine.filter(x!, "gaussian:2")).data).toEqual(expected.data);
      const other = await engineOf({ backend: "reference" });
      await expect(other.filter(x!, "gaussian:2")).rejects.toThrow("value: expected one of this engine");
      for (const value of [x!, y!]) value.dispose();
    }
  });
});

describe("a plan of a thin picture", () => {
  it("says so, and survives JSON", async () => {
    const engine = await engineOf();
    const image = randomImage(3, 5000, 1, "u8", 1);
    const plan = engine.plan(engine.filterProblem({ ...image, dtype: imageDTypeOf(image.data)! }, "gaussian:2"));
    expect(plan.turned).toBe(true);
    expect(plan.problem.x.shape).toEqual([5000, 3, 1]);
    expect(explain(plan)).toContain("turned: rows of the steps are columns of the picture");
    const stored = JSON.parse(JSON.stringify(plan));
    expect((await engine.run(stored, image)).data).toEqual((await engine.filter(image, "gaussian:2")).data);
  });

  it("is not turned where rows would be too long, or are long enough", async () => {
    const engine = await engineOf();
    const turned = (width: number, height: number): boolean | undefined =>
      engine.plan(engine.filterProblem({ width, height, channels: 1, dtype: "f32" }, "gaussian:2")).turned;
    expect([turned(1, 50_000), turned(2, 50_000)]).toEqual([true, true]);
    expect([turned(1, 1_000_000), turned(64, 50_000), turned(3, 4)]).toEqual([undefined, undefined, undefined]);
  });

  it("ends when its signal fires, and refuses an array that is gone", async () => {
    const engine = await engineOf({ threads: 1 });
    const image = randomImage(3, 20_000, 1, "f32", 1);
    await expect(engine.filter(image, "gaussian:2", { signal: AbortSignal.abort() })).rejects.toThrow("abort");
    const call = engine.filter(image, "gaussian:2");
    structuredClone(image.data.buffer, { transfer: [image.data.buffer as ArrayBuffer] });
    await expect(call).rejects.toThrow("an array that keeps its 60000 elements");
  });
});

describe("a region or another extent of a thin picture", () => {
  it("is what the whole gives there, in an array of its own and in place", async () => {
    const engine = await engineOf();
    for (const width of [1, 2, 3]) {
      const image = randomImage(width, 2000, 2, "u8", width);
      const whole = (await engine.filter(image, "sobel-x", { output: "f32" })).data;
      const region = { x: width - 1, y: 100, width: 1, height: 1500 };
      const part = await engine.filter(image, "sobel-x", { output: "f32", region });
      expect([part.width, part.height]).toEqual([1, 1500]);
      const out = new Float32Array(whole.length);
      await engine.filter(image, "sobel-x", { output: "f32", region, out });
      for (let y = 0; y < 1500; y++)
        for (let c = 0; c < 2; c++) {
          const at = ((y + 100) * width + width - 1) * 2 + c;
          if (part.data[y * 2 + c] !== whole[at] || out[at] !== whole[at]) expect.fail(`${width}: row ${y}`);
        }
      const full = await engine.filter(image, "sobel-x", { output: "f32", extent: "full" });
      expect([full.width, full.height]).toEqual([width + 2, 2002]);
      expect(full.data.subarray(((width + 2) * 1 + 1) * 2, ((width + 2) * 1 + 1 + width) * 2)).toEqual(
        whole.subarray(0, width * 2),
      );
    }
  });
});

describe("a stored plan of a thin picture", () => {
  it("is refused where it no longer says that it is turned", async () => {
    const engine = await engineOf();
    const image = randomImage(3, 5000, 1, "u8", 1);
    const { turned, ...plan } = engine.plan(engine.filterProblem({ ...image, dtype: "u8" }, "gaussian:2"));
    expect(turned).toBe(true);
    await expect(engine.run(plan, image)).rejects.toThrow("plan: expected stages and buffers as this version's");
  });
});

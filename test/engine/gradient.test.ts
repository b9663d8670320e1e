// Both derivatives, their magnitude and angle; and "sobel", which means the magnitude.
import { describe, expect, it } from "vitest";
import type { Image, ImageDType } from "../../src/index.ts";
import { correlate, randomImage, toType } from "../oracle.ts";
import { bits, floatBound, largestOf, rowsOf, testEngines, worst } from "./engines.ts";

const names = ["sobel", "scharr", "prewitt", "roberts"] as const;
const borders = ["reflect", "constant", "wrap"] as const;
const dtypes: ImageDType[] = ["u8", "u16", "i16", "f32"];

function derivatives(image: Image, name: string, border: (typeof borders)[number]): [Float64Array, Float64Array] {
  const [gx, gy] = ["x", "y"].map((axis) => correlate(image, rowsOf(`${name}-${axis}`), { border }));
  return [gx!, gy!];
}

describe.each(testEngines())("on %s", (_name, promise) => {
  it.each(names)("%s gives both derivatives, their length and their direction", async (name) => {
    const engine = await promise;
    for (const [index, dtype] of dtypes.entries()) {
      const image = randomImage(21, 13, 1 + (index % 4), dtype, index);
      for (const border of borders) {
        const [x, y] = derivatives(image, name, border);
        const { gx, gy, magnitude, angle } = await engine.gradient(image, { filter: name, border });
        const bound = dtype === "f32" ? floatBound(`${name}-x`, largestOf(image.data)) : 0;
        expect(worst(gx.data, x)).toBeLessThanOrEqual(bound);
        expect(worst(gy.data, y)).toBeLessThanOrEqual(bound);
        expect(gx.data).toBeInstanceOf(dtype === "u8" ? Int16Array : Float32Array);
        expect([magnitude.data, angle.data].every((data) => data instanceof Float32Array)).toBe(true);
        const length = x.map((v, i) => Math.hypot(v, y[i]!));
        expect(worst(magnitude.data, length)).toBeLessThanOrEqual(2 * bound + 2 ** -23 * largestOf(length));
        for (let i = 0; i < x.length; i++) {
          const direction = Math.atan2(gy.data[i]!, gx.data[i]!);
          if (Math.abs(angle.data[i]! - direction) > 1e-6) expect.fail(`${angle.data[i]}, not ${direction}, at ${i}`);
        }
      }
    }
  });

  it("the angle is 0 where the picture grows brighter to the right, and a quarter turn where downwards", async () => {
    const engine = await promise;
    const ramp = (of: (x: number, y: number) => number): Image => ({
      ...{ width: 5, height: 5, channels: 1 },
      data: Float32Array.from({ length: 25 }, (_, i) => of(i % 5, Math.floor(i / 5))),
    });
    const middle = async (image: Image) => (await engine.gradient(image)).angle.data[12];
    expect(await middle(ramp((x) => x))).toBe(0);
    expect(await middle(ramp((_, y) => y))).toBeCloseTo(Math.PI / 2, 6);
    expect(await middle(ramp((x) => -x))).toBeCloseTo(Math.PI, 6);
  });

  it.each(names)("%s as a filter is the magnitude, rounded and saturated to the input's type", async (name) => {
    const engine = await promise;
    for (const dtype of dtypes) {
      const image = randomImage(23, 9, 3, dtype, 20);
      const [x, y] = derivatives(image, name, "reflect");
      const length = x.map((v, i) => Math.hypot(v, y[i]!));
      const missed = dtype === "f32" ? 2 * floatBound(`${name}-x`, 2) + 2 ** -23 * largestOf(length) : 0;
      const result = await engine.filter(image, name);
      expect(result.data.constructor).toBe(image.data.constructor);
      expect(worst(result.data, toType(length, dtype))).toBeLessThanOrEqual(missed);
      const real = await engine.filter(image, name, { output: "f32" });
      expect(bits(real)).toBe(bits((await engine.gradient(image, { filter: name })).magnitude));
      const scaled = await engine.filter(image, name, { output: "u8", gain: 0.25, offset: 3 });
      const expected = toType(
        length.map((v) => 0.25 * v + 3),
        "u8",
      );
      expect(worst(scaled.data, expected)).toBeLessThanOrEqual(dtype === "f32" ? 1 : 0);
    }
  });

  it("the magnitude keeps a known alpha, and takes what `out` is for", async () => {
    const engine = await promise;
    const { width, height, data } = randomImage(9, 7, 4, "u8", 21);
    const out = new Uint8Array(data.length);
    const result = await engine.filter({ width, height, data: Uint8ClampedArray.from(data) }, "sobel", { out });
    expect(result.data).toBe(out);
    for (let i = 3; i < data.length; i += 4) expect(out[i]).toBe(data[i]);
    const filtered = await engine.filter({ width, height, channels: 4, data }, "sobel");
    expect(filtered.data).not.toEqual(out);
  });

  it("results in memory that they share are refused", async () => {
    const engine = await promise;
    const image = randomImage(9, 7, 1, "u8", 22);
    const [gx, floats] = [new Int16Array(63), new Float32Array(100)];
    const magnitude = floats.subarray(0, 63);
    const message = "out.gy: expected memory apart from out.gx's, got an overlap";
    await expect(engine.gradient(image, { out: { gx, gy: gx } })).rejects.toThrow(message);
    const angle = floats.subarray(30, 93);
    await expect(engine.gradient(image, { out: { magnitude, angle } })).rejects.toThrow("out.angle: expected memory");
  });
});

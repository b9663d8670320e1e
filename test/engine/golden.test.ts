// Results equal those of SciPy and OpenCV, which golden/filters.py and golden/pictures.py wrote down.
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createEngine, type Filter, type FilterOptions, type Image, type ImageDType } from "../../src/index.ts";
import { readPicture } from "../../src/node/pictures.ts";
import { dataPath, withoutData } from "../data.ts";
import { arrays } from "../oracle.ts";
import { everyPlan, floatBound, largestOf, testEngines, worst } from "./engines.ts";

const golden = (name: string) => JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8"));

interface Case {
  call: string;
  picture: "grey" | "rgb";
  dtype: ImageDType;
  filter: Filter;
  options: FilterOptions & { output: ImageDType };
  levels: number;
  /** Base64 of a little-endian array of the output's type. */
  result: string;
}

/** The pictures of filters.py. */
function picture(name: Case["picture"], dtype: ImageDType): Image {
  const [height, width, channels] = name === "grey" ? [7, 17, 1] : [7, 11, 3];
  const data = new arrays[dtype](height * width * channels).map((_: number, i: number) => {
    const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    const v = (7 * x * x + 13 * y * y + 5 * x * y + 31 * x + 17 * y + 71 * c) % 256;
    return { u8: v, u16: 257 * v, i16: 16 * v - 2048, f32: v / 256 - 0.25 }[dtype as "u8"];
  });
  return { width, height, channels, data };
}

describe.each(testEngines())("SciPy's and OpenCV's results, on %s", (_name, promise) => {
  // Integer results are equal, but where "levels" is 1: OpenCV rounds halves to even and blurs 8 bits in fixed point.
  it.each(golden("filters").cases as Case[])("$call", async ({ dtype, filter, options, levels, ...c }) => {
    const engine = await promise;
    const image = picture(c.picture, dtype);
    const expected = new arrays[options.output](Uint8Array.from(Buffer.from(c.result, "base64")).buffer);
    const gain = Math.abs(options.gain ?? 1);
    const bound = options.output === "f32" ? gain * floatBound(filter, largestOf(image.data)) : levels;
    for (const plan of everyPlan(engine, image, filter, options)) {
      const { data } = await engine.run(plan, image);
      // Means are kept within their windows, which takes as much again as sums may round: their plans say so.
      const allowed = options.output === "f32" ? Math.max(bound, plan.error.maxAbs) : bound;
      expect(worst(data, expected), plan.solver).toBeLessThanOrEqual(allowed);
    }
  });
});

// ── Photographs ────────────────────────────────────────────────────────────────────────────────────────────────────

interface Photograph {
  name: string;
  /** Of the decoded pixels: another decoder may read a JPEG a little differently. */
  pixels: number;
  sobel: number;
  sharpen: number;
  gaussian: { mean: number; variance: number; samples: [index: number, value: number][] };
}

const missing = withoutData("images");
const checksum = ({ data }: Image): number => crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

describe.skipIf(missing)(`photographs${missing}`, () => {
  it.for(golden("pictures").pictures as Photograph[])("$name", async (expected, { skip }) => {
    const { width, height, channels, data } = await readPicture(dataPath("images", expected.name));
    const image: Image = { width, height, channels, data };
    skip(checksum(image) !== expected.pixels, "this decoder reads other pixels than the golden values are of");
    const engine = await createEngine({ backend: "wasm" });
    try {
      expect(checksum(await engine.filter(image, "sobel-x"))).toBe(expected.sobel);
      expect(checksum(await engine.filter(image, "sharpen"))).toBe(expected.sharpen);
      const rounded = await engine.filter(image, "gaussian:sigma=2");
      const real = await engine.filter(image, "gaussian:sigma=2", { output: "f32" });
      const { mean, variance, samples } = expected.gaussian;
      const bound = floatBound("gaussian:sigma=2", 255);
      for (const [index, value] of samples) {
        expect(Math.abs(real.data[index]! - value)).toBeLessThanOrEqual(bound);
        expect(Math.abs(rounded.data[index]! - value)).toBeLessThanOrEqual(0.5 + bound);
      }
      const blurred = real.data as Float32Array;
      const moment = (power: number, around: number): number =>
        blurred.reduce((sum, v) => sum + (v - around) ** power, 0) / blurred.length;
      expect(Math.abs(moment(1, 0) - mean)).toBeLessThanOrEqual(bound);
      expect(Math.abs(moment(2, mean) / variance - 1)).toBeLessThanOrEqual(1e-5);
    } finally {
      engine.dispose();
    }
  });
});

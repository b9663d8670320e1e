// What the studio computes on the page itself, against the engine: borders, the arithmetic of one pixel, what is shown.
import fc from "fast-check";
import { expect, it } from "vitest";
import { createEngine, factorize, filters } from "../../src/index.ts";
import { directly, inPasses, patchOf } from "../../web/src/picture/arithmetic.ts";
import { placeFor } from "../../web/src/picture/border.ts";
import { displayOf, outputOptions } from "../../web/src/picture/display.ts";
import { choiceOf, resized, weightsOf } from "../../web/src/state/choice.ts";
import { borders } from "../../web/src/state/hash.ts";

const engine = createEngine({ backend: "reference" });

it.each(borders)("fills a %s border as the engine does", async (border) => {
  for (const size of [1, 2, 5]) {
    const data = Float32Array.from({ length: size }, (_, i) => i + 1);
    for (let shift = -12; shift <= 12; shift++) {
      const row = Array.from({ length: 25 }, (_, i) => (i === shift + 12 ? 1 : 0));
      const moved = await (await engine).filter({ width: size, height: 1, channels: 1, data }, { column: [1], row }, { border, output: "f32" }); // biome-ignore format: one call
      const expected = Array.from(data, (_, x) => placeFor(x + shift, size, border) + 1);
      expect(Array.from(moved.data)).toEqual(expected);
    }
  }
});

const names = ["sobel-x", "laplacian-4", "emboss", "gaussian:sigma=0.8", "2x3:1,-2,3,4,0,6@0.5", "1,2,5*-1,0,3,1"];

it("does the arithmetic of a pixel as the engine does, at once and in passes", async () => {
  const running = await engine;
  const arbitrary = fc.record({
    name: fc.constantFrom(...names),
    border: fc.constantFrom(...borders),
    flip: fc.boolean(),
    width: fc.integer({ min: 1, max: 7 }),
    height: fc.integer({ min: 1, max: 7 }),
    seed: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(arbitrary, async ({ name, border, flip, width, height, seed }) => {
      const data = new Uint8ClampedArray(4 * width * height).map((_, i) => (seed + i * i * 31) % 251);
      const [x, y, channel] = [seed % width, seed % height, seed % 3];
      const weights = weightsOf(choiceOf(name));
      const image = { width, height, channels: 4, data };
      const result = await running.filter(image, weights, { border, flip, output: "f32", alpha: "none" });
      const expected = result.data[4 * (y * width + x) + channel]!;
      const raster = { width, height, data } as unknown as ImageData;
      const patch = patchOf(raster, weights.kh, weights.kw, { x, y, channel, border, flip });
      const near = 1e-4 * (1 + Math.abs(expected));
      expect(Math.abs(directly(patch, weights, flip).sum - expected)).toBeLessThan(near);
      const { terms } = factorize(weights);
      const sum = terms.reduce((total, term) => total + inPasses(patch, term, flip).sum, 0);
      expect(Math.abs(sum - expected)).toBeLessThan(near);
    }),
    { numRuns: 150 },
  );
});

it("shows what has a sign around the middle grey, and the rest as it is", () => {
  expect(displayOf(weightsOf(choiceOf("sobel-x")))).toEqual({ gain: 0.25, offset: 128, signed: true });
  expect(displayOf(weightsOf(choiceOf("laplacian-8")))).toEqual({ gain: 0.125, offset: 128, signed: true });
  expect(displayOf(weightsOf(choiceOf("box:size=3")))).toEqual({ gain: 1, offset: 0, signed: false });
  expect(displayOf({ kh: 1, kw: 1, values: [0], gain: 1 })).toEqual({ gain: 1, offset: 0, signed: false });
  expect(displayOf({ kh: 1, kw: 2, values: [3, 1], gain: 1 }, true)).toEqual({ gain: 0.25, offset: 0, signed: false });
  expect(outputOptions("auto", weightsOf(choiceOf("sobel-x")))).toEqual({ output: "u8", gain: 0.25, offset: 128 });
  expect(outputOptions("f32", weightsOf(choiceOf("sobel-x")))).toEqual({ output: "f32" });
});

it("knows the named filters as the library builds them, and their sides", () => {
  const { values, gain } = weightsOf(choiceOf("box:size=3"));
  expect(values.map((one) => one * gain)).toEqual(Array(9).fill(1 / 9));
  expect(weightsOf(choiceOf("emboss")).values).toEqual((filters.emboss() as number[][]).flat());
  const grown = resized({ kh: 1, kw: 1, values: [7], gain: 2 }, 3, 2);
  expect(grown).toEqual({ kh: 3, kw: 2, values: [0, 0, 0, 7, 0, 0], gain: 2 });
  expect(resized(grown, 1, 1)).toEqual({ kh: 1, kw: 1, values: [7], gain: 2 });
});

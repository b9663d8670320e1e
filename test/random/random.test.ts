// Random filters of random pictures, called in every way, against plain loops. `npm run random` runs more of them.
import { afterAll, describe, expect, it } from "vitest";
import { imageDTypes } from "../../src/tensor.ts";
import { calls, engineNames, inputs, outs, randomCase } from "./cases.ts";
import { checkCase, Engines } from "./check.ts";

const engines = new Engines();
afterAll(() => engines.dispose());

const [seed, parts, ofEach] = [1, 10, 200];
const counts = new Map<string, number>();

describe("random filters of random pictures are exact where their plans say so, else within the stated bound", () => {
  it.each(Array.from({ length: parts }, (_, part) => part * ofEach))("from case %i on", async (from) => {
    for (let index = from; index < from + ofEach; index++) {
      const one = randomCase(seed, index);
      const { faults, features } = await checkCase(engines, one);
      for (const feature of [...one.features, ...features]) counts.set(feature, (counts.get(feature) ?? 0) + 1);
      expect(faults, `npm run random -- --seed ${seed} --case ${index}`).toEqual([]);
    }
  });

  it("and none of what they are drawn from is missing among them", () => {
    const borders = ["reflect", "edge", "symmetric", "wrap", "constant"].map((name) => `border: ${name}`);
    const wanted = [
      ...["exact", "within a bound", "single", "thin", "filter larger than the picture", "border value", "anchor", "flip", "region"],
      ...["gain", "offset", "tolerance", "mask", "nan ignored", "fill", "another type", "named filter"],
      ...["integers, column and row", "integers, of a rank", "integers, of full rank", "integers times a unit"],
      ...["integers with a gain", "real, column and row", "real, of a rank", "real, of full rank"],
      ...["picture: noise", "picture: extremes", "picture: constant", "picture: sparse", "picture: ramp"],
      ...["extent: valid", "extent: full", "picture: with NaN and infinities", "alpha: none", "alpha: keep", "alpha: premultiply", "alpha: known"],
      ...["strategy: direct", "strategy: column-row", "strategy: running-sum", "strategy: fft", "strategy: coarse"],
      ...imageDTypes.flatMap((dtype) => [`type: ${dtype}`, `to: ${dtype}`]),
      ...[...borders, ...engineNames.map((name) => `engine: ${name}`), ...calls.map((name) => `call: ${name}`)],
      ...[...inputs.map((name) => `input: ${name}`), ...outs.map((name) => `out: ${name}`)],
    ]; // biome-ignore format: a list
    expect(wanted.filter((name) => (counts.get(name) ?? 0) < 5)).toEqual([]);
    expect(counts.get("too large") ?? 0).toBeLessThan(10);
  });

  it("the same for the same seed", () => {
    expect(randomCase(3, 77)).toEqual(randomCase(3, 77));
    expect(randomCase(3, 77)).not.toEqual(randomCase(3, 78));
  });
});

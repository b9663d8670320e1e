// Filters whose taps are not negative and sum to one, with results in f32: each result lies between the least and the greatest
// pixel of its window, to the bit.
import { describe, expect, it } from "vitest";
import type { Filter, Image, Plan } from "../../src/index.ts";
import { outside, random } from "../oracle.ts";
import { everyPlan, rowsOf, testEngines } from "./engines.ts";

const means: Filter[] = [
  ...["gaussian:0.5", "gaussian:2", "gaussian:sigma=1x5", "gaussian:sigma=1,size=31", "box:5", "box:size=4x7"],
  ...["disk:2.5", "motion:length=9,angle=30", { column: [-1, -2, -1], row: [-0.25] }, "binomial:size=1x9", "box:size=101x1"],
  [[0, 0, 0], [0.1, 0.2, 0.3], [0, 0.4, 0]],
]; // biome-ignore format: matrices

/** Sums of one term of such taps; several terms, and transforms, only stay within their bound. */
const isOfOneTerm = ({ solver, summary }: Plan): boolean =>
  solver === "direct" || (solver === "column-row" && !/\d x column/.test(summary));

/** Pictures with much that is equal, next to what hardly differs or differs by much. */
const pictures: Record<string, (next: () => number) => number> = {
  "constants of [0, 1]": (next) => (next() < 0.95 ? 1 : next()),
  "255 and its neighbour": (next) => (next() < 0.99 ? 255 : 255 - 2 ** -16),
  "both signs": (next) => (next() < 0.97 ? -0.7 : 100 * next()),
  "large and small": (next) => (next() < 0.97 ? 1.1e-9 : 1e9 * next()),
};

/** Results that lie outside what their windows hold. */
function outliers({ width, height, data }: Image, result: ArrayLike<number>, filter: Filter): number {
  const rows = rowsOf(filter);
  const [ay, ax] = [rows.length >> 1, rows[0]!.length >> 1];
  let count = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let [least, most] = [Infinity, -Infinity];
      rows.forEach((row, i) => {
        row.forEach((tap, j) => {
          if (tap === 0) return;
          const [yy, xx] = [outside(y + i - ay, height, "reflect")!, outside(x + j - ax, width, "reflect")!];
          const pixel = data[yy * width + xx]!;
          [least, most] = [Math.min(least, pixel), Math.max(most, pixel)];
        });
      });
      const value = result[y * width + x]!;
      if (!(value >= least && value <= most)) count++;
    }
  return count;
}

describe.each(testEngines())("means, on %s,", (_name, promise) => {
  it.each(Object.keys(pictures))("stay within their windows: %s", async (name) => {
    const engine = await promise;
    for (const [k, filter] of means.entries()) {
      const next = random(k);
      const [width, height] = [23 + k, 17];
      const data = Float32Array.from({ length: width * height }, () => pictures[name]!(next));
      const image = { width, height, channels: 1, data };
      const plans = everyPlan(engine, image, filter).filter(isOfOneTerm);
      expect(plans.length).toBeGreaterThan(0);
      for (const plan of plans) {
        const result = (await engine.run(plan, image)).data;
        expect(outliers(image, result, filter), `${JSON.stringify(filter)} ${plan.solver}`).toBe(0);
      }
    }
  });

  it("of constants are these constants, of integers and of floats", async () => {
    const engine = await promise;
    const next = random(3);
    for (const filter of means)
      for (const data of [new Float32Array(60).fill(1e3 * next() - 300), new Uint16Array(60).fill(65535)]) {
        const image = { width: 10, height: 6, channels: 1, data };
        for (const plan of everyPlan(engine, image, filter, { output: "f32" }).filter(isOfOneTerm)) {
          expect((await engine.run(plan, image)).data, `${plan.solver}`).toEqual(Float32Array.from(data));
        }
      }
  });

  it("keep what is no number, and what is infinite", async () => {
    const engine = await promise;
    const data = new Float32Array(49).fill(1);
    [data[0], data[24]] = [Number.NaN, Infinity];
    for (const plan of everyPlan(engine, { width: 7, height: 7, channels: 1, data }, "box:3").filter(isOfOneTerm)) {
      const result = (await engine.run(plan, { width: 7, height: 7, channels: 1, data })).data;
      expect([result[1], result[23], result[25], result[48]]).toEqual([Number.NaN, Infinity, Infinity, 1]);
    }
  });
});

// Threads and strips decide when a result is computed, never what it is: equal bits whatever the schedule.
import { describe, expect, it } from "vitest";
import type { EngineOptions, Filter, Image } from "../../src/index.ts";
import { randomImage } from "../oracle.ts";
import { bits, engineMaker, everyPlan } from "./engines.ts";

const filters: Filter[] = ["sobel-x", "gaussian:1.7", "box:size=9x4", "emboss", "unsharp", "motion:length=7,angle=25"];
const pictures: [string, Image][] = [
  ["u8", randomImage(37, 31, 3, "u8", 1)],
  ["u16", randomImage(21, 45, 1, "u16", 2)],
  ["f32", randomImage(19, 33, 4, "f32", 3)],
];

const engineOf = engineMaker();

describe.each(pictures)("on a picture of %s", (_dtype, image) => {
  it.each([false, true])("1, 2 and 3 threads give equal bits, deterministic: %s", async (deterministic) => {
    const [one, ...more] = await Promise.all(
      [1, 2, 3].map((threads) => engineOf({ backend: "wasm", threads, deterministic })),
    );
    for (const filter of filters) {
      for (const plan of everyPlan(one!, image, filter)) {
        const expected = bits(await one!.run(plan, image));
        expect(bits(await one!.run(plan, image)), `${plan.solver} again`).toBe(expected);
        for (const engine of more) expect(bits(await engine.run(plan, image)), plan.solver).toBe(expected);
      }
    }
  });

  it.each<[string, EngineOptions]>([
    ["reference", { backend: "reference" }],
    ["wasm, 1 thread", { backend: "wasm", threads: 1 }],
    ["wasm, 2 threads", { backend: "wasm", threads: 2 }],
  ])("strips of every height give equal bits on %s", async (_name, options) => {
    const engine = await engineOf(options);
    for (const filter of filters) {
      for (const plan of everyPlan(engine, image, filter)) {
        const expected = bits(await engine.run(plan, image));
        for (const grain of [1, 2, 3, 7, image.height - 1, image.height, image.height + 5]) {
          const stages = plan.stages.map((stage) => ({ ...stage, grid: { ...stage.grid, grain } }));
          expect(bits(await engine.run({ ...plan, stages }, image)), `${plan.solver}, ${grain} rows`).toBe(expected);
        }
      }
    }
  });
});

it("deterministic results are those of the reference wherever sums are exact in integers", async () => {
  const [reference, wasm] = await Promise.all([
    engineOf({ backend: "reference" }),
    engineOf({ backend: "wasm", threads: 2, deterministic: true }),
  ]);
  const image = pictures[0]![1];
  for (const filter of ["sobel-x", "box:9", "binomial:5", "emboss", "laplacian-4"]) {
    for (const plan of everyPlan(reference, image, filter)) {
      expect(bits(await wasm.run(plan, image)), `${filter}, ${plan.solver}`).toBe(
        bits(await reference.run(plan, image)),
      );
    }
  }
});

it("an array that comes again is read and written anew, whatever its contents, sides and channels are now", async () => {
  for (const options of [{ backend: "reference" }, { backend: "wasm", threads: 1 }, { backend: "wasm", threads: 2 }]) {
    const engine = await engineOf(options as EngineOptions);
    const [data, out] = [new Uint8Array(720), new Uint8Array(720)];
    const sides = [[24, 30, 1], [24, 30, 1], [30, 24, 1], [8, 30, 3], [24, 30, 1], [9, 20, 4], [720, 1, 1]] as const; // biome-ignore format: triples
    for (const [round, [width, height, channels]] of sides.entries()) {
      data.set(randomImage(720, 1, 1, "u8", round).data);
      for (const filter of ["gaussian:2", "sharpen"]) {
        const image = { width, height, channels, data };
        const fresh = await engine.filter({ ...image, data: data.slice() }, filter);
        expect(bits(await engine.filter(image, filter, { out })), `${filter}, round ${round}`).toBe(bits(fresh));
      }
    }
  }
});

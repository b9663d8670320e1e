// Plans that were changed by someone give a typed error that names what is wrong, or a right run: never a crash or a hang.
import { expect, it } from "vitest";
import { type Filter, type FilterCallOptions, filters, type Plan, Rank1Error } from "../../src/index.ts";
import { randomImage } from "../oracle.ts";
import { bits, engineMaker } from "./engines.ts";

const engineOf = engineMaker();
const cases: [string, ReturnType<typeof randomImage>, Filter, FilterCallOptions][] = [
  ["fixed point", randomImage(40, 31, 3, "u8", 1), filters.gaussian({ sigma: 2 }), {}],
  ["integers", randomImage(21, 23, 1, "u16", 2), "sobel-x", { border: "constant", borderValue: 7 }],
  ["floats", randomImage(33, 20, 4, "f32", 3), "emboss", { alpha: "premultiply", border: "wrap" }],
  ["spectra", randomImage(50, 40, 1, "u8", 4), filters.disk({ radius: 7 }), { strategy: "fft" }],
  ["a coarse grid", randomImage(90, 80, 1, "u8", 5), filters.gaussian({ sigma: 12 }), { tolerance: 0.01 }],
  ["running sums", randomImage(30, 30, 1, "u8", 6), filters.box(9), { strategy: "running-sum" }],
  ["a part", randomImage(30, 30, 1, "u8", 6), filters.box(5), { region: { x: 3, y: 4, width: 9, height: 8 } }],
  ["known pixels", randomImage(30, 30, 2, "f32", 6), filters.box(5), { nan: "ignore" }],
];

let seed = 7;
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
}

type Holder = Record<string, unknown>;

/** Every place in a plan: what holds it, and its key. */
function placesIn(value: unknown, found: [Holder, string][] = []): [Holder, string][] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push([value as Holder, key]);
    placesIn((value as Holder)[key], found);
  }
  return found;
}

const others = [
  null,
  "x",
  "",
  true,
  -1,
  0,
  0.5,
  1,
  3,
  1e9,
  2 ** 31,
  1e308,
  -1e308,
  Number.NaN,
  [],
  {},
  [[]],
  [1, 2, 3],
];

it.each(cases)(
  "random changes of a plan with %s",
  async (_name, image, filter, options) => {
    const engine = await engineOf({ backend: "wasm", threads: 1, maxMemory: 2 ** 26 });
    const { width, height, channels, data } = image;
    const dtype = { Uint8Array: "u8", Uint16Array: "u16", Float32Array: "f32" }[data.constructor.name] as "u8";
    const { strategy, ...rest } = options;
    const plan = engine.plan(engine.filterProblem({ width, height, channels, dtype }, filter, rest), { strategy });
    const text = JSON.stringify(plan);
    const right = bits(await engine.run(plan, image));
    expect(bits(await engine.run(JSON.parse(text), image))).toBe(right);
    let refused = 0;
    for (let i = 0; i < 60; i++) {
      const changed = JSON.parse(text) as Plan;
      const places = placesIn({ problem: changed.problem, stages: changed.stages, buffers: changed.buffers });
      const [holder, key] = places[random(places.length)]!;
      const value = random(4) === 0 ? undefined : others[random(others.length)];
      if (value === undefined) delete holder[key];
      else holder[key] = value;
      const why = await engine.run(changed, image).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (why !== undefined) refused++;
      if (why !== undefined) expect(why, `${key} = ${JSON.stringify(value)}`).toBeInstanceOf(Rank1Error);
    }
    expect(refused).toBeGreaterThan(30);
    expect(bits(await engine.run(JSON.parse(text), image))).toBe(right);
  },
  60_000,
);

it.each<[string, (plan: Holder & Plan) => void, RegExp]>([
  ["a kernel", (plan) => (plan.stages[0]!.steps[0]!.kernel = { family: "none" } as never), /^plan: expected stages/],
  ["a step", (plan) => (plan.stages[0]!.steps = undefined as never), /^plan: expected stages/],
  ["a buffer", (plan) => plan.buffers.pop(), /^plan: expected stages/],
  ["the width of a buffer", (plan) => (plan.buffers[0]!.width = 1e9), /^plan: expected stages/],
  ["strips", (plan) => (plan.stages[0]!.grid.grain = -1), /^plan\.stages\[0\]\.grid\.grain: expected an integer/],
  ["the type", (plan) => (plan.problem.y.dtype = "f16" as never), /^plan\.problem\.y\.dtype: /],
  [
    "the window",
    (plan) => (plan.problem.window.pads = [] as never),
    /^plan\.problem\.window\.pads: expected an array of 4/,
  ],
  ["the kind", (plan) => (plan.problem.kind = "conv" as never), /^plan\.problem\.kind: /],
])("says what is wrong: %s", async (_name, change, message) => {
  const engine = await engineOf({ backend: "wasm", threads: 1 });
  const image = randomImage(12, 10, 1, "u8", 1);
  const picture = { width: 12, height: 10, channels: 1, dtype: "u8" } as const;
  const plan = JSON.parse(JSON.stringify(engine.plan(engine.filterProblem(picture, "gaussian:1"))));
  change(plan);
  await expect(engine.run(plan, image)).rejects.toThrow(message);
});

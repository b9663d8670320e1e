// Plans as data and as text: they survive JSON, and every figure that they show is right.
import { afterAll, describe, expect, it } from "vitest";
import {
  createEngine,
  explain,
  type Filter,
  type FilterOptions,
  factorize,
  type Image,
  type ImageDType,
  type Plan,
} from "../../src/index.ts";
import { random, randomImage } from "../oracle.ts";
import { strategiesOf } from "../strategies.ts";
import { bits, rowsOf } from "./engines.ts";

const engine = await createEngine({ backend: "wasm", threads: 2 });
const reference = await createEngine({ backend: "reference" });
afterAll(() => {
  engine.dispose();
  reference.dispose();
});

const [width, height] = [640, 480];
function planFor(filter: Filter, options: FilterOptions = {}, dtype: ImageDType = "u8", strategy?: string): Plan {
  return engine.plan(engine.filterProblem({ width, height, channels: 1, dtype }, filter, options), { strategy });
}

/** What an explanation says beside the predictions, which change with the profile. */
const timeless = (plan: Plan): string =>
  explain(plan)
    .replace(/[\d.e+-]+ (ms|x slower|x faster)/g, "? $1")
    .replace(/strips of \d+ rows/, "strips of ? rows")
    .replace(/ +/g, " ");

const next = random(55);
const random5 = Array.from({ length: 5 }, () => Array.from({ length: 5 }, () => Math.ceil(next() * 100)));

describe("explain", () => {
  it("sobel-x", () => {
    expect(timeless(planFor("sobel-x"))).toMatchInlineSnapshot(`
      "filter 3 x 3 on 480 x 640 x 1 u8 -> 480 x 640 x 1 i16, border reflect
      exact

       plan what it does multiplications a value predicted
      > direct 6 taps at once 6 ? ms chosen
       column-row column pass, row pass 5 ? ms predicted ? x slower
       fft exact spectra of tiles of 64 x 64 in f64 20.9 ? ms predicted ? x slower
       running-sum - - does not apply: neither column nor row is constant
       coarse - - does not apply: it approximates, and no tolerance is given

      stage 1: strips of ? rows
       direct: x -> y (6 taps, i16)
      moves 0.9 MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread"
    `);
  });
  it("laplacian-8", () => {
    expect(timeless(planFor("laplacian-8"))).toMatchInlineSnapshot(`
      "filter 3 x 3 on 480 x 640 x 1 u8 -> 480 x 640 x 1 i16, border reflect
      exact

       plan what it does multiplications a value predicted
      > direct 9 taps at once 9 ? ms chosen
       column-row 2 x column pass, row pass 8 ? ms predicted ? x slower
       fft exact spectra of tiles of 64 x 64 in f64 20.9 ? ms predicted ? x slower
       running-sum - - does not apply: it needs a filter of rank 1
       coarse - - does not apply: it approximates, and no tolerance is given

      stage 1: strips of ? rows
       direct: x -> y (9 taps, i16)
      moves 0.9 MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread"
    `);
  });
  it("a random 5 x 5 filter", () => {
    expect(timeless(planFor(random5, { border: "constant", borderValue: 9 }))).toMatchInlineSnapshot(`
      "filter 5 x 5 on 480 x 640 x 1 u8 -> 480 x 640 x 1 u8, border constant 9
      exact

       plan what it does multiplications a value predicted
      > direct 25 taps at once 25 ? ms chosen
       column-row 5 x column pass, row pass 30.2 ? ms predicted ? x slower
       fft exact spectra of tiles of 64 x 64 in f64 20.9 ? ms predicted ? x slower
       running-sum - - does not apply: it needs a filter of rank 1
       coarse - - does not apply: it approximates, and no tolerance is given

      stage 1: strips of ? rows
       direct: x -> y (25 taps, i32)
      moves 0.6 MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread"
    `);
  });
  it("a box of 31 x 31", () => {
    expect(timeless(planFor("box:31"))).toMatchInlineSnapshot(`
      "filter 31 x 31 on 480 x 640 x 1 u8 -> 480 x 640 x 1 u8, border reflect
      exact

       plan what it does multiplications a value predicted
      > running-sum running column sums, running row sums 1 ? ms chosen
       column-row column pass, row pass 63.5 ? ms predicted ? x slower
       fft exact spectra of tiles of 256 x 256 in f64 51.2 ? ms predicted ? x slower
       direct 961 taps at once 961 ? ms predicted ? x slower
       coarse - - does not apply: it approximates, and no tolerance is given

      stage 1: strips of ? rows
       column pass: x -> column (running sums of 31 along the column)
       row pass: column -> row (running sums of 31 along the row)
       finish: row -> y (1 tap, i32)
      moves 0.6 MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread"
    `);
  });
  it("a disk", () => {
    expect(timeless(planFor("disk:9"))).toMatchInlineSnapshot(`
      "filter 19 x 19 on 480 x 640 x 1 u8 -> 480 x 640 x 1 u8, border reflect
      exact within rounding: at most 0.00054 grey levels before the result is rounded

       plan what it does multiplications a value predicted
      > fft spectra of tiles of 64 x 256 39.9 ? ms chosen
       column-row 8 x column pass, row pass 308 ? ms predicted ? x slower
       direct 293 taps at once 293 ? ms predicted ? x slower
       running-sum - - does not apply: it needs a filter of rank 1
       coarse - - does not apply: it approximates, and no tolerance is given

      stage 1: strips of ? rows
       product of spectra: x + tile -> y (tiles of 64 x 256)
      moves 0.6 MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread"
    `);
  });
  it("a disk with a tolerance", () => {
    expect(timeless(planFor("disk:9", { tolerance: 0.1 }))).toMatchInlineSnapshot(`
      "filter 19 x 19 on 480 x 640 x 1 u8 -> 480 x 640 x 1 u8, border reflect
      approximate: relative error of the taps 0.0988, at most 10 grey levels before the result is rounded

       plan what it does multiplications a value predicted
      > column-row 3 x column pass, row pass (approximate) 116 ? ms chosen
       fft spectra of tiles of 64 x 256 39.9 ? ms predicted ? x slower
       column-row 8 x column pass, row pass 308 ? ms predicted ? x slower
       direct 293 taps at once 293 ? ms predicted ? x slower
       running-sum - - does not apply: it needs a filter of rank 1
       coarse - - does not apply: it needs a filter of rank 1

      stage 1: strips of ? rows
       column pass 1: x -> column (19 taps, fixed)
       row pass 1: column -> sum (19 taps, fixed)
       column pass 2: x -> column (19 taps, fixed)
       row pass 2: column + sum -> sum (19 taps, fixed)
       column pass 3: x -> column (19 taps, fixed)
       row pass 3: column + sum -> y (19 taps, fixed)
      moves 0.6 MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread"
    `);
  });
  it("a tolerance that nothing can use", () => {
    expect(timeless(planFor("sharpen", { tolerance: 0.01 }, "f32"))).toMatchInlineSnapshot(`
      "filter 3 x 3 on 480 x 640 x 1 f32 -> 480 x 640 x 1 f32, border reflect
      exact within rounding: at most 0.0000073 for pixels of magnitude up to 1 (no approximation is cheaper)

       plan what it does multiplications a value predicted
      > direct 5 taps at once 5 ? ms chosen
       column-row 2 x column pass, row pass 7 ? ms predicted ? x slower
       running-sum - - does not apply: it needs a filter of rank 1
       coarse - - does not apply: it needs a filter of rank 1
       fft - - does not apply: a NaN would touch its neighbours' outputs

      stage 1: strips of ? rows
       direct: x -> y (5 taps, f32)
      moves 2.5 MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread"
    `);
  });
});

describe("the figures of a plan", () => {
  /** Taps that are not 0. */
  const count = (taps: number[]): number => taps.filter((tap) => tap !== 0).length;

  it("multiplications: those of a direct plan are the taps that are not 0, those of passes the taps of all steps", () => {
    for (const filter of ["sobel-x", "laplacian-8", "gaussian:2", "emboss", random5]) {
      const rows = rowsOf(filter);
      const outputs = width * height;
      const direct = planFor(filter, {}, "u8", "direct");
      expect(direct.cost.multiplications).toBe(count(rows.flat()) * outputs);
      const passes = planFor(filter, {}, "u8", "column-row");
      // Column passes also make the pixels left and right of the picture that the row pass reads.
      const wide = (width + rows[0]!.length - 1) * height;
      const { rank } = factorize(filter);
      expect(passes.stages[0]!.steps.length).toBe(2 * rank);
      const taps = passes.stages[0]!.steps.map(({ kernel }) => (kernel.family === "taps" ? kernel.taps.length : NaN));
      const made = taps.map((count, i) => count * (i % 2 === 0 ? wide : outputs));
      expect(passes.cost.multiplications).toBe(made.reduce((sum, n) => sum + n, 0));
      expect(passes.cost.multiplications).toBeLessThanOrEqual(rank * (rows.length * wide + rows[0]!.length * outputs));
    }
    const sums = planFor("box:31", {}, "u8", "running-sum");
    expect(sums.cost.multiplications).toBe(width * height);
    expect(sums.cost.additions).toBe(2 * height * (width + 30) + 2 * height * width);
  });

  it("strips: whole blocks of the four rows that kernels make at once, where there are as many", () => {
    for (const side of [100, 500, 1500, 3000, 9000]) {
      const picture = { width: side, height: 99, channels: 4, dtype: "u8" } as const;
      const { grain } = engine.plan(engine.filterProblem(picture, "gaussian:2")).stages[0]!.grid;
      expect(grain % 4, `${grain} rows of ${side}`).toBe(0);
    }
    const low = { width: 100, height: 3, channels: 1, dtype: "u8" } as const;
    expect(engine.plan(engine.filterProblem(low, "gaussian:2")).stages[0]!.grid.grain).toBe(3);
  });

  it("bytes: the picture in, its border left and right included, and out", () => {
    expect(planFor("sobel-x").cost.bytes).toBe((width + 2) * height + 2 * width * height);
    expect(planFor("box:31", {}, "f32").cost.bytes).toBe(4 * (width + 30) * height + 4 * width * height);
  });

  it("a rejected plan is dearer, and its ratio is that of the predictions", () => {
    const seen = new Set<string>();
    for (const plan of [planFor("box:31"), planFor(random5), planFor("gaussian:3", {}, "u16", "direct")]) {
      for (const { why } of plan.rejected) seen.add(/apply|slower|faster/.exec(why)![0]);
      for (const { cost, why } of plan.rejected) {
        if (!cost) expect(why).toMatch(/^does not apply: ./);
        else if (cost.time >= plan.cost.time)
          expect(why).toBe(`predicted ${(cost.time / plan.cost.time).toFixed(2)} x slower`);
        else expect(why).toBe(`predicted ${(plan.cost.time / cost.time).toFixed(2)} x faster, but not asked for`);
      }
    }
    expect([...seen].sort()).toEqual(["apply", "faster", "slower"]);
    expect(planFor(random5).solver).toBe("direct");
  });

  it("the error is what the effective taps miss, and the worst picture reaches the largest one", async () => {
    for (const [filter, tolerance] of [
      ["disk:9", 0.1],
      ["motion:length=15,angle=20", 0.4],
    ] as const) {
      const rows = rowsOf(filter);
      const [kh, kw] = [rows.length, rows[0]!.length];
      const spec = { width: kw, height: kh, channels: 1 };
      const anchor = [0, 0] as const;
      const run = async (dtype: "u8" | "f32", data: Image["data"], tolerance: number): Promise<Image["data"]> => {
        const options = { border: "constant", anchor, tolerance, output: "f32" } as const;
        const problem = engine.filterProblem({ ...spec, dtype }, filter, options);
        const plan = engine.plan(problem, { strategy: tolerance > 0 ? "column-row" : "direct" });
        if (tolerance > 0) expect(plan.error.relative, `${filter} is approximated`).toBeGreaterThan(0);
        return (await engine.run(plan, { ...spec, data })).data;
      };
      // With the anchor in the corner, an impulse in the last corner answers with the taps, turned by half.
      const impulse = new Float32Array(kh * kw);
      impulse[kh * kw - 1] = 1;
      const taps = (await run("f32", impulse, tolerance)).toReversed();
      const missed = rows.flat().map((tap, i) => taps[i]! - tap);
      const relative = Math.hypot(...missed) / Math.hypot(...rows.flat());
      const { error } = planFor(filter, { tolerance, output: "f32" }, "u8", "column-row");
      expect(relative).toBeLessThanOrEqual(tolerance);
      expect(error.relative).toBeCloseTo(relative, 5);
      const [brightest, darkest] = [1, -1].map((sign) => Uint8Array.from(missed, (d) => (sign * d > 0 ? 255 : 0)));
      let largest = 0;
      for (const picture of [brightest!, darkest!]) {
        const [exact, near] = [await run("u8", picture, 0), await run("u8", picture, tolerance)];
        largest = Math.max(largest, Math.abs(exact[0]! - near[0]!));
      }
      expect(error.maxAbs).toBeCloseTo(largest, 2);
      // Results of 8 bits are computed in fixed point, whose own error comes on top.
      const fixed = planFor(filter, { tolerance }, "u8", "column-row").error.maxAbs - error.maxAbs;
      expect(fixed).toBeGreaterThan(0);
      expect(fixed).toBeLessThan(0.5);
    }
  });
});

describe("a plan that went through JSON", () => {
  it.each<[Filter, FilterOptions, ImageDType]>([
    ["sobel-x", {}, "u8"],
    ["box:9", { border: "constant", borderValue: 3, offset: 0.5 }, "u8"],
    ["laplacian-of-gaussian", { border: "wrap" }, "u16"],
    ["disk:4", { tolerance: 0.2, gain: 1.1 }, "f32"],
    [random5, { flip: true, anchor: [0, 4], output: "f32" }, "i16"],
    [[[0, 0]], {}, "u8"],
  ])("%j of %o on %s gives equal bits and the same explanation", async (filter, options, dtype) => {
    const image = randomImage(31, 23, 2, dtype, 4);
    const problem = engine.filterProblem({ ...image, dtype }, filter, options);
    const first = engine.plan(problem);
    for (const plan of strategiesOf(first).map((strategy) => engine.plan(problem, { strategy }))) {
      const stored: Plan = JSON.parse(JSON.stringify(plan));
      expect(explain(stored)).toBe(explain(plan));
      expect(JSON.stringify(stored)).toBe(JSON.stringify(plan));
      for (const machine of [engine, reference]) {
        expect(bits(await machine.run(stored, image))).toBe(bits(await machine.run(plan, image)));
      }
    }
    const replanned = engine.plan(JSON.parse(JSON.stringify(problem)));
    expect(explain(replanned)).toBe(explain(first));
  });
});

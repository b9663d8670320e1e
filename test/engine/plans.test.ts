// Random filters of every rank on random pictures: every plan gives what the sum over the whole window gives.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "../../src/index.ts";
import type { Image, ImageDType } from "../../src/tensor.ts";
import { type Border, correlate, random, randomImage, toType } from "../oracle.ts";
import { strategiesOf } from "../strategies.ts";

const engines: [string, Promise<Engine>][] = [
  ["reference", createEngine({ backend: "reference" })],
  ["wasm, 1 thread", createEngine({ backend: "wasm", threads: 1 })],
  ["wasm, 2 threads", createEngine({ backend: "wasm", threads: 2 })],
  ["wasm, deterministic", createEngine({ backend: "wasm", threads: 2, deterministic: true })],
];

afterAll(async () => {
  for (const [, engine] of engines) (await engine).dispose();
});

interface Case {
  image: Image;
  dtype: ImageDType;
  filter: number[][];
  integer: boolean;
  options: { border: Border; borderValue: number; gain: number; offset: number; output: ImageDType };
}

/** Filters of every rank: sums of few outer products, or arbitrary; integers or real. */
const filterArbitrary = fc
  .record({
    kh: fc.integer({ min: 1, max: 9 }),
    kw: fc.integer({ min: 1, max: 9 }),
    rank: fc.integer({ min: 0, max: 9 }),
    constant: fc.boolean(),
    integer: fc.boolean(),
    seed: fc.nat(1e9),
  })
  .map(({ kh, kw, rank, constant, integer, seed }) => {
    const next = random(seed);
    const tap = (): number => (integer ? Math.floor(next() * 9) - 4 : next() * 2 - 1);
    const vector = (n: number): number[] => (constant ? new Array(n).fill(tap()) : Array.from({ length: n }, tap));
    const filter = Array.from({ length: kh }, () => new Array<number>(kw).fill(0));
    for (let r = 0; r < rank; r++) {
      const [column, row] = [vector(kh), vector(kw)];
      for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) filter[i]![j]! += column[i]! * row[j]!;
    }
    return { filter, integer };
  });

const caseArbitrary: fc.Arbitrary<Case> = fc
  .record({
    width: fc.integer({ min: 1, max: 70 }),
    height: fc.integer({ min: 1, max: 70 }),
    channels: fc.integer({ min: 1, max: 4 }),
    dtype: fc.constantFrom<ImageDType>("u8", "u16", "i16", "f32"),
    output: fc.constantFrom<ImageDType>("u8", "u16", "i16", "f32"),
    border: fc.constantFrom<Border>("constant", "edge", "reflect", "symmetric", "wrap"),
    gain: fc.constantFrom(1, 1, 0.5, 1 / 6, -1 / 16),
    offset: fc.constantFrom(0, 0, 12.5, -3),
    filter: filterArbitrary,
    seed: fc.nat(1e9),
  })
  .map(({ width, height, channels, dtype, filter: { filter, integer }, seed, ...options }) => {
    const borderValue = dtype === "f32" ? 0.25 : 7;
    return {
      image: randomImage(width, height, channels, dtype, seed),
      dtype,
      filter,
      integer,
      options: { ...options, borderValue },
    };
  });

/** What floating point may miss (fixed point: see fixed.test.ts): sums of `terms` column ⊗ row products of taps, each rounded in f32. */
function tolerance({ dtype, filter, options }: Case, float: boolean): number {
  const largest = { u8: 255, u16: 65535, i16: 32768, f32: 2 }[dtype as "u8"];
  const [kh, kw] = [filter.length, filter[0]!.length];
  const taps = filter.flat().reduce((sum, tap) => sum + Math.abs(tap), 1);
  const rounding = 2 ** -23 * (kh + kw) * Math.min(kh, kw) * 4 * Math.abs(options.gain) * taps * largest;
  if (options.output === "f32") return rounding + 1e-6 * (1 + Math.abs(options.offset));
  return float ? Math.max(1, rounding) : 0;
}

describe.each(engines)("every candidate plan, on %s", (_name, promise) => {
  it("gives what the k² products give", { timeout: 300_000 }, async () => {
    const engine = await promise;
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (c) => {
        const exact = correlate(c.image, c.filter, c.options);
        // Exact sums may be scaled in another order: only at a tie does that show.
        const [low, high] = [-1, 1].map((sign) =>
          toType(
            exact.map((v) => v + sign * 1e-12 * (1 + Math.abs(v))),
            c.options.output,
          ),
        );
        const { width, height, channels } = c.image;
        const problem = engine.filterProblem({ width, height, channels, dtype: c.dtype }, c.filter, c.options);
        for (const strategy of strategiesOf(engine.plan(problem))) {
          const plan = engine.plan(problem, { strategy });
          const float = plan.stages.some((stage) =>
            stage.steps.some((s) => "arithmetic" in s.kernel && /f32|fixed/.test(s.kernel.arithmetic)),
          );
          const out = (await engine.run(plan, c.image)).data;
          const bound = tolerance(c, float);
          const worst = Array.from(out).reduce(
            (most: number, v: number, i: number) => Math.max(most, low![i]! - v, v - high![i]!),
            0,
          );
          expect(worst, `${strategy}, ${c.image.width}x${c.image.height}x${channels} ${c.dtype}`).toBeLessThanOrEqual(
            bound,
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("planning a filter of many taps", () => {
  const side = 601;
  const next = random(3);
  const vectors = () => Array.from({ length: 60 }, () => Array.from({ length: side }, () => next() - 0.5));
  const [columns, rows] = [vectors(), vectors()];
  const filter = Array.from({ length: side }, (_, i) =>
    Array.from({ length: side }, (_, j) => columns.reduce((sum, column, k) => sum + column[i]! * rows[k]![j]!, 0)),
  );
  const image = randomImage(20, 10, 1, "u8", 1);

  it("lets events have their turn, stops on a signal, and keeps the order of calls", { timeout: 60_000 }, async () => {
    const engine = await createEngine({ threads: 1 });
    const done: string[] = [];
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const long = engine.filter(image, filter, { border: "constant" }).then(() => done.push("long"));
    const short = engine.filter(image, "box:3").then(() => done.push("short"));
    await Promise.all([long, short]);
    clearInterval(timer);
    expect(done).toEqual(["long", "short"]);
    expect(turns).toBeGreaterThan(3);
    const abort = new AbortController();
    const reason = new Error("enough");
    const stopped = engine.filter(image, [...filter, filter[0]!], { signal: abort.signal });
    setTimeout(() => abort.abort(reason), 1);
    await expect(stopped).rejects.toBe(reason);
    await expect(engine.filter(image, filter, { out: new Uint8Array(3) })).rejects.toMatchObject({ parameter: "out" });
    expect((await engine.filter(image, "identity")).data).toEqual(image.data);
    engine.dispose();
  });
});

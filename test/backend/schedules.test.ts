// Results do not depend on the schedule: equal bits on one thread and on many, whatever rows a strip has.
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import type { Bindings, SourceBinding } from "../../src/backend/backend.ts";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import { findStructure, weightsOf } from "../../src/engine/layers.ts";
import { createEngine, type Plan } from "../../src/index.ts";
import { solvers, workOf } from "../../src/kernels/table.ts";
import { builtInProfile } from "../../src/plan/cost.ts";
import { candidates } from "../../src/plan/planner.ts";
import { turnedProblem } from "../../src/plan/turned.ts";
import type { FilterProblem, LayerProblem } from "../../src/plan/types.ts";
import { newArray } from "../../src/tensor.ts";
import { makers, sampleOf } from "../layers/samples.ts";
import { randomShapes } from "../layers/shapes.ts";
import { random } from "../oracle.ts";

const backends = [1, 2, 3, 4].map(
  (threads) =>
    new WasmBackend({
      ...{ threads, always: true, maxMemory: 2 ** 28, mode: { relaxed: true, wide: false } },
      memories: threads !== 3,
    }),
);
const engine = await createEngine({ backend: "wasm", threads: 1 });
afterAll(() => {
  for (const backend of backends) backend.dispose();
  engine.dispose();
});

const planner = { solvers, workOf, profile: builtInProfile };

/** A plan's run on every backend at some heights of strips, as bytes. */
async function resultsOf(
  plan: Plan,
  weights: Parameters<WasmBackend["compile"]>[1],
  inputs: Bindings,
  output: (data: ReturnType<typeof newArray>) => Bindings,
  heights: readonly (number | undefined)[],
): Promise<string[]> {
  const results: string[] = [];
  for (const backend of backends) {
    for (const rows of heights) {
      backend.stripRows = rows;
      const program = await backend.compile(plan, weights);
      const { y } = plan.problem;
      const data = newArray(
        y.dtype,
        y.shape.reduce((a, b) => a * b, 1),
      );
      await program.run(inputs, output(data));
      program.dispose();
      results.push(Buffer.from(data.buffer).toString("base64"));
    }
  }
  return results;
}

const side = (max: number) => fc.integer({ min: 1, max });
const heightsUpTo = (extent: number) => [undefined, ...Array.from({ length: extent }, (_, i) => i + 1)];

const filters = fc.record({
  ...{ width: side(40), height: side(30), channels: side(4), seed: fc.nat(1e6) },
  filter: fc.constantFrom(
    "gaussian:1",
    "gaussian:2",
    "sobel-x",
    "box:5",
    "box:9x3",
    "unsharp",
    "laplacian-4",
    "motion:length=9,angle=30",
  ),
  dtype: fc.constantFrom("u8" as const, "u16" as const, "f32" as const),
  border: fc.constantFrom("reflect" as const, "constant" as const, "wrap" as const),
});

it("of 120 random filters, by every plan", { timeout: 300_000 }, async () => {
  let plans = 0;
  await fc.assert(
    fc.asyncProperty(filters, async ({ width, height, channels, seed, filter, dtype, border }) => {
      const next = random(seed);
      const upright: FilterProblem = engine.filterProblem({ width, height, channels, dtype }, filter, { border });
      const data = newArray(dtype, width * height * channels).map(() => next() * (dtype === "f32" ? 1 : 256));
      for (const candidate of candidates(upright, planner).found) {
        // A plan of a picture that is turned reads rows where the picture has columns.
        const problem = candidate.turned ? turnedProblem(upright) : upright;
        const plan = { ...candidate, problem } as Plan;
        const [height, width] = problem.x.shape as [number, number];
        const source: SourceBinding = {
          ...{ kind: "source", width, height, channels, dtype, border, borderValue: 0, alpha: "none" },
          data: data as Uint8Array,
        };
        const output = (data: ReturnType<typeof newArray>): Bindings => [
          [
            "y",
            {
              kind: "target",
              data: data as Uint8Array,
              dtype: problem.y.dtype,
              ...{ width, height, gain: 1, offset: 0, alpha: "none", source },
            },
          ],
        ];
        const all = await resultsOf(plan, new Map(), [["x", source]], output, [undefined, 1, 4, 8, 16]);
        expect(new Set(all).size, `${filter}, ${candidate.solver}`).toBe(1);
        plans++;
      }
    }),
    { numRuns: 120 },
  );
  expect(plans).toBeGreaterThan(200);
});

const kinds = Object.keys(makers) as (keyof typeof makers)[];
const shapes = randomShapes({ height: 11, width: 13, inputs: 40, outputs: 70, groups: 1, multiplier: 2, middle: 40 });
const between = { first: "relu6", middle: "relu6", last: "none" } as const;

it("of 120 random layers, by every plan, at every height of strips", { timeout: 300_000 }, async () => {
  let plans = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...kinds), shapes, async (kind, shape) => {
      const { kind: name, x, weights: all, biases, options } = sampleOf(kind, shape, between);
      const sides = Object.fromEntries(Object.entries(all).map(([name, { shape }]) => [name, shape]));
      const given: LayerProblem = engine.layerProblem(name, { x: x.shape, ...sides }, options);
      const weights = weightsOf(given, { ...all, ...biases });
      const problem = findStructure(given, weights);
      const bind = (shape: readonly number[], data: Float32Array) => {
        const [images, height, width, channels] = shape as [number, number, number, number];
        const members = problem.kind === "depthwise" && data !== x.data ? problem.depthMultiplier : 1;
        return { kind: "tensor" as const, data, format: "NHWC" as const, images, height, width, channels, members };
      };
      for (const candidate of candidates(problem, planner).found) {
        const plan = { ...candidate, problem } as Plan;
        const output = (data: ReturnType<typeof newArray>): Bindings => [
          ["y", bind(problem.y.shape, data as Float32Array)],
        ];
        const extent = Math.max(...candidate.stages.map(({ grid }) => grid.extent));
        const input: Bindings = [["x", bind(problem.x.shape, x.data)]];
        const found = await resultsOf(plan, weights, input, output, heightsUpTo(extent));
        expect(new Set(found).size, candidate.solver).toBe(1);
        plans++;
      }
    }),
    { numRuns: 120 },
  );
  expect(plans).toBeGreaterThan(150);
});

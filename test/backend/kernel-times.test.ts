// Kernels timed one by one add up to their plan: work and predictions are those that the planner counted.
import { afterAll, describe, expect, it } from "vitest";
import { floorOf, timeKernels } from "../../src/backend/wasm/kernel-times.ts";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import { createEngine, type Filter, type FilterOptions, type ImageDType, type Plan } from "../../src/index.ts";

const engine = await createEngine({ backend: "wasm", threads: 1 });
afterAll(() => engine.dispose());

const [width, height] = [120, 90];
function planFor(filter: Filter, options?: FilterOptions, channels = 1, dtype: ImageDType = "u8"): Plan {
  return engine.plan(engine.filterProblem({ width, height, channels, dtype }, filter, options));
}
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe.each<[string, FilterOptions | undefined, number]>([
  ["gaussian:2", undefined, 1],
  ["gaussian:2", undefined, 4],
  ["sobel-x", undefined, 3],
  ["box:31", undefined, 1],
  ["disk:9", { tolerance: 0.1 }, 1],
  ["gaussian:20", { tolerance: 0.01 }, 1],
])("%s %o on %i channels", (filter, options, channels) => {
  const plan = planFor(filter, options, channels);

  it("has a time for each step, and their work is the plan's", async () => {
    const times = await timeKernels(plan, { wide: false, verdicts: {} });
    const steps = plan.stages.flatMap((stage) => stage.steps);
    expect(times.map(({ step }) => step)).toEqual(steps.map(({ name }) => name));
    for (const { time } of times) expect(time).toBeGreaterThan(0);
    const { multiplications, additions, bytes, time } = plan.cost;
    expect(sum(times.map((kernel) => kernel.multiplications))).toBeCloseTo(multiplications);
    expect(sum(times.map((kernel) => kernel.additions))).toBeCloseTo(additions);
    // What is left of the prediction is to copy in and out.
    expect((time - sum(times.map(({ predicted }) => predicted))) / bytes).toBeCloseTo(0.06);
  });
});

it("a column pass loads each row once for every four that it makes; a row pass loads every product's operand", async () => {
  const [column, row] = await timeKernels(planFor("gaussian:2", {}, 1, "f32"), { wide: false, verdicts: {} });
  expect(column!.loads).toBe(((17 + 3) / 4) * (width + 16) * height);
  expect(row!.loads).toBe(17 * width * height);
  expect(column!.bytes).toBe(4 * column!.loads + 4 * (width + 16) * height);
  expect(row!.bytes).toBe(4 * row!.loads + 4 * width * height);
});

it("in fixed point two taps share a load, and a column pass makes two rows at once, or four if wide", async () => {
  const plan = planFor("gaussian:2");
  for (const [wide, rows] of [
    [false, 2],
    [wideSupport().supported, wideSupport().supported ? 4 : 2],
  ] as const) {
    const [column, row] = await timeKernels(plan, { wide, verdicts: {} });
    expect([column!.arithmetic, row!.arithmetic]).toEqual(["fixed", "fixed"]);
    expect(column!.loads).toBe(((17 + rows - 1) / rows) * (width + 16) * height);
    expect(row!.loads).toBe(9 * width * height);
  }
});

it("the floor of a kernel is what its work takes at the machine's peaks", async () => {
  const [, row] = await timeKernels(planFor("gaussian:2", {}, 1, "f32"), { wide: false, verdicts: {} });
  const multiplications = { i16: 1, u16: 1, i32: 1, f32: 4, f64: 1, fixed: 1 };
  const floor = floorOf({ ...row!, additions: 30 }, { multiplications, additions: 3, cache: 8, memory: 1 });
  expect(floor).toEqual({ arithmetic: (17 * width * height) / 4 + 10, cache: row!.bytes / 8 });
});

it("ends with an abort", async () => {
  const signal = AbortSignal.abort();
  const large = engine.plan(
    engine.filterProblem({ width: 4000, height: 2000, channels: 4, dtype: "u8" }, "gaussian:8"),
  );
  await expect(timeKernels(large, { wide: false, verdicts: {}, signal })).rejects.toThrow(/abort/i);
});

// Planning by measuring: the fastest candidate is found, once, and results are those of a plan that exists.
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { WasmProgram } from "../../src/backend/wasm/program.ts";
import { fastestPlan } from "../../src/engine/measured.ts";
import { createEngine, type Engine, InvalidArgumentError, LimitError, type Plan } from "../../src/index.ts";
import { randomImage } from "../oracle.ts";
import { bits, everyPlan } from "./engines.ts";

const measured = await createEngine({ backend: "wasm", threads: 1, planning: "measured" });
const predicted = await createEngine({ backend: "wasm", threads: 1 });
afterAll(() => {
  measured.dispose();
  predicted.dispose();
});
afterEach(() => vi.restoreAllMocks());

describe("the fastest plan", () => {
  const planOf = (solver: string, time: number): Plan => ({ solver, cost: { time } }) as Plan;
  const busy = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const full = new LimitError({ parameter: "maxMemory", expected: "less", received: "more" });

  it("is the one that ran fastest, whatever was predicted; the first run of each does not count", async () => {
    const plans = [planOf("a", 1), planOf("b", 2), planOf("c", 3)];
    const runs: string[] = [];
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const best = await fastestPlan(plans, async ({ solver }) => {
      now += runs.includes(solver) ? { a: 20, b: 19, c: 21 }[solver]! : 1;
      runs.push(solver);
    });
    expect(best.solver).toBe("b");
    expect(runs.join("")).toBe("abc".repeat(4));
  });

  it("is not looked for among those predicted to take far longer; one alone is not run", async () => {
    const run = vi.fn(async () => {});
    expect((await fastestPlan([planOf("a", 1), planOf("b", 5)], run)).solver).toBe("a");
    expect(run).not.toHaveBeenCalled();
  });

  it("has room in memory", async () => {
    const run = async ({ solver }: Plan): Promise<void> => {
      if (solver !== "b") throw full;
      await busy(5);
    };
    expect((await fastestPlan([planOf("a", 1), planOf("b", 1), planOf("c", 1)], run)).solver).toBe("b");
    await expect(fastestPlan([planOf("a", 1), planOf("c", 1)], run)).rejects.toBe(full);
  });

  it("is given up where a run fails", async () => {
    const run = () => Promise.reject(new Error("broken"));
    await expect(fastestPlan([planOf("a", 1), planOf("b", 1)], run)).rejects.toThrow("broken");
  });
});

describe("an engine that measures", () => {
  const image = randomImage(90, 60, 1, "u8", 1);

  async function runsOf(
    engine: Engine,
    ...args: Parameters<Engine["filter"]> extends [unknown, ...infer R] ? R : never
  ) {
    const run = vi.spyOn(WasmProgram.prototype, "run");
    const result = await engine.filter(image, ...args);
    const runs = run.mock.calls.length;
    run.mockRestore();
    return { runs, result: bits(result) };
  }

  it("runs several plans at the first call, and one at those that follow; the result is one of theirs", async () => {
    const possible = await Promise.all(
      everyPlan(predicted, image, "sobel-x").map(async (plan) => bits(await predicted.run(plan, image))),
    );
    const first = await runsOf(measured, "sobel-x");
    expect(first.runs).toBeGreaterThan(4);
    expect(possible).toContain(first.result);
    const again = await runsOf(measured, "sobel-x");
    expect(again).toEqual({ runs: 1, result: first.result });
  });

  it("takes the strategy that is asked for, unmeasured; an engine that predicts never measures", async () => {
    expect((await runsOf(measured, "sobel-x", { strategy: "direct" })).runs).toBe(1);
    expect((await runsOf(predicted, "sobel-x")).runs).toBe(1);
  });

  it("measures anew after an abort, and stays usable", async () => {
    const abort = new AbortController();
    const run = WasmProgram.prototype.run;
    vi.spyOn(WasmProgram.prototype, "run").mockImplementation(function (this: WasmProgram, ...args) {
      abort.abort();
      return run.apply(this, args);
    });
    await expect(measured.filter(image, "laplacian-8", { signal: abort.signal })).rejects.toThrow(/abort/i);
    vi.restoreAllMocks();
    expect((await runsOf(measured, "laplacian-8")).runs).toBeGreaterThan(4);
  });

  it("checks the option", async () => {
    const planning = "guessed" as "measured";
    await expect(createEngine({ planning })).rejects.toThrow(InvalidArgumentError);
    await expect(createEngine({ planning })).rejects.toThrow(/^planning: expected one of predicted, measured/);
  });
});

// Separating for another machine: a profile is measured, checked, and decides what is chosen in place of this machine's time.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../src/errors.ts";
import { inputSpecs } from "../../src/graph/infer.ts";
import { plannedTime } from "../../src/graph/time.ts";
import { createEngine, type Engine } from "../../src/index.ts";
import { exampleModel } from "../../src/node/package.ts";
import { loadModel, type MachineProfile, measureProfile, saveModel, separateModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";

const bytes = new Uint8Array(readFileSync(exampleModel));
const usual: MachineProfile = {
  name: "a machine",
  matrix: 0.02,
  depthwise: 0.03,
  addition: 0.1,
  byte: 0.02,
  call: 100,
};
let engines: Engine[];
beforeAll(async () => {
  engines = await Promise.all([1, 2].map((threads) => createEngine({ threads })));
  return () => {
    for (const engine of engines) engine.dispose();
  };
});

const load = (threads = 1) => loadModel(bytes, { engine: engines[threads - 1]! });

describe("a profile", () => {
  let measured: MachineProfile;
  beforeAll(async () => {
    measured = await measureProfile(engines[0]!, { name: "this one" });
  }, 60_000);

  test("is measured in figures of the order of a nanosecond's part", () => {
    expect(measured.name).toBe("this one");
    const { matrix, depthwise, byte, call } = measured;
    for (const rate of [matrix, depthwise, byte]) expect([rate > 1e-4, rate < 2]).toEqual([true, true]);
    expect(call).toBeGreaterThan(1);
    expect(measured).toEqual(JSON.parse(JSON.stringify(measured)));
  });

  test("times a network by a sum of its rates", async () => {
    const model = await load();
    const [graph, engine] = [model.graph, await model.engine()];
    const time = (profile: MachineProfile): number => plannedTime(graph, operators, inputSpecs(graph), engine, profile);
    const rates = ["matrix", "depthwise", "addition", "byte", "call"] as const;
    const none = { name: "", matrix: 0, depthwise: 0, addition: 0, byte: 0, call: 0 };
    const parts = rates.map((rate) => time({ ...none, [rate]: usual[rate] }));
    expect(parts[0]).toBeGreaterThan(0);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(time(usual), 3);
    expect(plannedTime(graph, operators, inputSpecs(graph), engine)).toBeGreaterThan(0);
    model.dispose();
  });
});

describe("a goal of time on another machine", () => {
  const layers = "*conv2*";
  const separated = async (profile: MachineProfile, threads = 1) => {
    const { model, report } = await separateModel(await load(threads), { speedup: 1.05, layers, profile });
    return { report, file: saveModel(model) };
  };

  test("is met as planned, and equal profiles give equal files on any number of threads", async () => {
    const [one, other] = [await separated(usual), await separated(usual, 2)];
    expect(one.file).toEqual(other.file);
    const { planned, met } = one.report.reached;
    expect(planned!.for).toBe("a machine");
    expect(planned!.speedup).toBeGreaterThanOrEqual(1.05);
    expect(met).toBe(true);
  });

  test("has no depthwise filters where these take long", async () => {
    const decompositionsOn = async (machine: MachineProfile) =>
      (await separated(machine)).report.layers.map(({ decomposition }) => decomposition);
    expect(await decompositionsOn(usual)).toEqual(["cp"]);
    expect(await decompositionsOn({ ...usual, depthwise: 5 })).not.toEqual(["cp"]);
  });
});

describe("what is no profile is refused", () => {
  test.each<[string, unknown, RegExp]>([
    ["without a name", { ...usual, name: undefined }, /profile\.name/],
    ["with a rate below 0", { ...usual, byte: -1 }, /profile\.byte/],
    ["without a rate", { ...usual, call: undefined }, /profile\.call/],
    ["with another rate", { ...usual, other: 1 }, /other/],
    ["a number", 3, /profile/],
  ])("%s", async (_title, profile, message) => {
    const failed = await separateModel(await load(), { speedup: 1.1, profile: profile as MachineProfile }).catch(
      (error) => error,
    );
    expect(failed).toBeInstanceOf(InvalidArgumentError);
    expect(failed.message).toMatch(message);
  });

  test("and one beside another goal", async () => {
    await expect(separateModel(await load(), { reduce: 2, profile: usual })).rejects.toThrow(/profile.*speedup/);
  });
});

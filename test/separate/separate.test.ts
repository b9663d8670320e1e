// Separating the bundled network: what comes back is a standard file that computes what it says, the same every time.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { drawShapes } from "../../demo/drawing/shapes/draw.ts";
import { createEngine, type Engine, InvalidArgumentError } from "../../src/index.ts";
import { exampleModel } from "../../src/node/package.ts";
import { imageToTensor, inspectModel, loadModel, type Model, saveModel, separateModel } from "../../src/onnx/index.ts";
import { GraphProto, ModelProto, NodeProto, TensorProto } from "../../src/onnx/schema.ts";
import { decode } from "../../src/onnx/wire.ts";
import { model as build, node, tensor, value } from "../onnx/build.ts";
import { expectClose } from "../onnx/close.ts";
import { runRuntime, runtime, withoutRuntime } from "../onnx/runtime.ts";
import { random } from "../oracle.ts";

const bytes: Uint8Array = new Uint8Array(readFileSync(exampleModel));
const inputs = drawShapes(16, 9).map(({ picture }) => ({ input: imageToTensor(picture) }));
const layers = "/conv1/*";

let engines: Engine[];
beforeAll(async () => {
  engines = await Promise.all([1, 2].map((threads) => createEngine({ threads })));
  return () => {
    for (const engine of engines) engine.dispose();
  };
});

const load = (threads = 1, data: Uint8Array = bytes): Promise<Model> =>
  loadModel(data, { engine: engines[threads - 1] });

function partsOf(file: Uint8Array) {
  const { graph = decode(GraphProto, new Uint8Array(), "graph") } = decode(ModelProto, file, "model");
  return {
    nodes: new Map(graph.node.map((one) => [decode(NodeProto, one, "node").name, one])),
    initializers: new Map(graph.initializer.map((one) => [decode(TensorProto, one, "tensor").name, one])),
  };
}

describe("tolerance 0", () => {
  test("leaves alone what is of full rank", async () => {
    const { model, report } = await separateModel(await load(), { tolerance: 0 });
    expect(report.layers.every(({ decomposition }) => decomposition === undefined)).toBe(true);
    expect(partsOf(saveModel(model))).toEqual(partsOf(bytes));
    expect(report.reached).toMatchObject({ reduction: 1, met: true });
  });

  test("rewrites what is of low rank, without loss", async () => {
    const [outputs, size] = [8, 6 * 9];
    const next = random(4);
    const filter = Array.from({ length: size }, () => next() - 0.5);
    const weight = Float32Array.from(
      { length: outputs * size },
      (_, i) => filter[i % size]! * Math.floor(1 + i / size),
    );
    const original = await load(
      1,
      build({
        nodes: [node("Conv", ["x", "w"], ["y"])],
        initializers: [tensor("w", [outputs, 6, 3, 3], { rawData: new Uint8Array(weight.buffer) })],
        inputs: [value("x", [1, 6, 10, 10])],
        outputs: [value("y", [1, outputs, 8, 8])],
      }),
    );
    const { model, report } = await separateModel(original, { tolerance: 0 });
    expect(
      report.layers
        .filter(({ decomposition }) => decomposition)
        .map(({ decomposition, rank }) => [decomposition, rank]),
    ).toEqual([["bottleneck", 1]]);
    const x = { shape: [1, 6, 10, 10], data: Float32Array.from({ length: 600 }, next) };
    const [before, after] = [await original.run({ x }), await model.run({ x })];
    expectClose(after.y!, before.y!, 3e-5);
  });
});

test("one rank for all, by the weights alone, runs in ONNX Runtime", async ({ skip }) => {
  const { model, report } = await separateModel(await load(), { rank: 2 });
  expect(report.layers.every(({ decomposition, rank }) => decomposition === "depthwise" && rank === 2)).toBe(true);
  expect(report.samples).toBe(0);
  skip(!runtime, withoutRuntime);
  const expected = await runRuntime(saveModel(model), inputs[0]!);
  expectClose((await model.run(inputs[0]!)).logits!, expected.logits!, 1e-4);
});

describe("a budget of multiplications", () => {
  const run = async (threads: number) => {
    const found = await separateModel(await load(threads), { reduce: 1.01, layers, calibration: inputs });
    return { ...found, file: saveModel(found.model) };
  };

  test("is kept, what is not chosen stays byte for byte, and the file is the same on any number of threads", async () => {
    const one = await run(1);
    const { report, model, file } = one;
    expect(report.reached.reduction).toBeGreaterThanOrEqual(1.01);
    expect(report.reached.met).toBe(true);
    expect(inspectModel(model).totals.multiplications).toBe(report.totals.multiplications.after);
    expect(report.lossFunction).toBe("divergence");
    expect(report.reached.loss).toBeGreaterThan(0);
    expect(report.layers).toHaveLength(1);
    expect(report.layers[0]!.decomposition).toBeDefined();
    const [before, after] = [partsOf(bytes), partsOf(file)];
    for (const [name, node] of before.nodes) if (name !== "/conv1/Conv") expect(after.nodes.get(name)).toEqual(node);
    const kept = [...before.initializers].filter(([name]) => after.initializers.has(name));
    expect(kept.length).toBe(before.initializers.size - 2);
    for (const [name, tensor] of kept) expect(after.initializers.get(name)).toEqual(tensor);
    expect((await run(2)).file).toEqual(file);
  });

  test("that nothing can keep is refused with the best there is", async () => {
    const options = { reduce: 50, layers, calibration: inputs.slice(0, 4) };
    await expect(separateModel(await load(), options)).rejects.toThrow(/reduce.*at most 1\.\d+/);
  });
});

describe("wrong calls are refused", () => {
  test.each<[string, Parameters<typeof separateModel>[1], RegExp]>([
    ["no goal", {}, /exactly one of/],
    ["two goals", { reduce: 2, rank: 1 }, /reduce and rank/],
    ["a reduction below 1", { reduce: 0.5 }, /reduce/],
    ["no inputs", { reduce: 2, calibration: [] }, /calibration/],
    ["other inputs", { reduce: 2, calibration: [{ wrong: inputs[0]!.input }] }, /input/],
    ["loss without inputs", { tolerance: 0.1 }, /calibration/],
    ["no such layers", { reduce: 2, layers: "none*" }, /convolution/],
  ])("%s", async (_title, options, message) => {
    const failed = await separateModel(await load(), options).catch((error) => error);
    expect(failed).toBeInstanceOf(InvalidArgumentError);
    expect(failed.message).toMatch(message);
  });

  test("a signal stops it, and the model stays usable", async () => {
    const [model, stop] = [await load(), new AbortController()];
    const onProgress = (done: number): void => {
      if (done > 0.01) stop.abort();
    };
    const run = separateModel(model, { reduce: 2, calibration: inputs, onProgress, signal: stop.signal });
    await expect(run).rejects.toThrow(/abort/i);
    expect((await model.run(inputs[0]!)).logits!.shape).toEqual([1, 10]);
  });
});

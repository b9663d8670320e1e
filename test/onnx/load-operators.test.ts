// Operators by what a network names: all can be had, and rare ones are not loaded for networks that do not name them.
import { expect, test } from "vitest";
import { inspectModel, loadModel } from "../../src/onnx/index.ts";
import { common } from "../../src/onnx/ops/common.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { loadOperators } from "../../src/onnx/ops/load.ts";
import { attribute, model, node, value } from "./build.ts";

const naming = (...names: string[]) => ({
  nodes: names.map((op) => ({ name: op, op, opset: 13, inputs: [], outputs: [], attributes: {} })),
});

test.each([...operators])("%s is there where a network names it", async (name, operator) => {
  expect((await loadOperators(naming("Conv", name))).get(name)).toBe(operator);
});

test("networks of common operators load no others", async () => {
  const loaded = await loadOperators(naming("Conv", "Relu", "Add", "MaxPool", "Gemm"));
  expect([...loaded.values()]).toEqual(common);
  expect(loaded.size).toBeLessThan(operators.size);
});

test("an operator that nobody knows is missing", async () => {
  expect((await loadOperators(naming("Conv", "SequenceMap"))).has("SequenceMap")).toBe(false);
});

test("a loaded model is inspected and run with the rare operators that it names", async () => {
  const nodes = [
    node("SpaceToDepth", ["x"], ["h"], { attribute: [attribute("blocksize", { i: 2n, type: 2n })] }),
    node("Relu", ["h"], ["y"]),
  ];
  const loaded = await loadModel(model({ nodes, inputs: [value("x", [1, 1, 2, 2])], outputs: [{ name: "y" }] }));
  expect(inspectModel(loaded).outputs[0]!.shape).toEqual([1, 4, 1, 1]);
  const { y } = await loaded.run({ x: { shape: [1, 1, 2, 2], data: Float32Array.of(1, -2, 3, 4) } });
  expect([...y!.data]).toEqual([1, 0, 3, 4]);
  loaded.dispose();
});

// Tuning: gradients of weights are what differences of a loss are, and tuned networks lose less on inputs not seen.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { drawShapes } from "../../demo/drawing/shapes/draw.ts";
import { runGraph } from "../../src/graph/evaluate.ts";
import type { GraphNode, Value } from "../../src/graph/types.ts";
import { createEngine, type Engine } from "../../src/index.ts";
import { exampleModel } from "../../src/node/package.ts";
import { imageToTensor, loadModel, saveModel, separateModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { Gemm } from "../../src/separate/gemm.ts";
import { seeded } from "../../src/separate/random.ts";
import { addBiasGradient, addWeightGradient } from "../../src/separate/weight-gradients.ts";

const random = seeded(3);
const values = (shape: readonly number[]): Value & { data: Float32Array } => ({
  dtype: "f32",
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random.normal),
});

describe("the gradient of a convolution's weight", () => {
  const cases: [string, number[], GraphNode["attributes"]][] = [
    ["pointwise", [5, 4, 1, 1], {}],
    ["with a window", [5, 4, 3, 2], { pads: [1, 0, 1, 1] }],
    ["in steps, dilated", [3, 4, 3, 3], { strides: [2, 3], dilations: [2, 1], pads: [2, 1, 0, 1] }],
    ["of groups", [6, 2, 3, 2], { group: 2, strides: [1, 2], pads: [1, 0, 1, 1] }],
    ["depthwise", [4, 1, 3, 3], { group: 4, pads: [1, 1, 1, 1] }],
    ["depthwise in steps, several filters a channel", [8, 1, 3, 3], { group: 4, strides: [2, 2], pads: [0, 1, 1, 1] }],
  ];
  test.each(cases)("%s", async (_name, size, attributes) => {
    const [x, weight, bias] = [values([2, 4, 9, 8]), values(size), values([size[0]!])];
    const node: GraphNode = {
      name: "conv",
      op: "Conv",
      opset: 13,
      inputs: ["x", "w", "b"],
      outputs: ["y"],
      attributes,
    };
    const run = (w: Float32Array): Value => {
      const constants = new Map([
        ["w", { ...weight, data: w }],
        ["b", bias],
      ]);
      const graph = { inputs: [{ name: "x" }], outputs: [{ name: "y" }], nodes: [node], constants };
      return runGraph(graph, operators, { x }).y as Value;
    };
    const direction = values(run(weight.data).shape);
    const along = (w: Float32Array): number =>
      (run(w).data as Float32Array).reduce((sum, value, i) => sum + value * direction.data[i]!, 0);
    const gemm = new Gemm();
    const [found, sums] = [new Float64Array(weight.data.length), new Float64Array(size[0]!)];
    addWeightGradient(found, node, size.slice(2), x, direction, gemm);
    // A result is linear in its weight: differences of any length are exact but for rounding
    for (const [i, own] of found.entries()) {
      const moved = weight.data.slice();
      moved[i]! += 1;
      expect(along(moved) - along(weight.data)).toBeCloseTo(own, 2);
    }
    addBiasGradient(sums, direction);
    const places = direction.data.length / (2 * size[0]!);
    const plane = (n: number): number =>
      direction.data.subarray(n * size[0]! * places, (n * size[0]! + 1) * places).reduce((a, b) => a + b, 0);
    expect(sums[0]).toBeCloseTo(plane(0) + plane(1), 4);
    await gemm.dispose();
  });
});

describe("tuning", () => {
  const bytes = new Uint8Array(readFileSync(exampleModel));
  const calibration = drawShapes(40, 9).map(({ picture }) => ({ input: imageToTensor(picture) }));
  let engines: Engine[];
  beforeAll(async () => {
    engines = await Promise.all([1, 2].map((threads) => createEngine({ threads })));
    return () => {
      for (const engine of engines) engine.dispose();
    };
  });
  const tuned = async (threads: number, tune = true) => {
    const model = await loadModel(bytes, { engine: engines[threads - 1]! });
    const found = await separateModel(model, { rank: 1, layers: "*conv5*", calibration, tune });
    return { ...found, file: saveModel(found.model) };
  };

  test("lessens the loss on inputs that it has not seen, the same on any number of threads", async () => {
    const [one, other, without] = [await tuned(1), await tuned(2), await tuned(1, false)];
    const { before, after } = one.report.reached.tuned!;
    expect(after).toBeLessThan(0.98 * before);
    expect(one.report.reached.loss).toBe(after);
    expect(without.report.reached).toMatchObject({ loss: before, tuned: undefined });
    expect(other.file).toEqual(one.file);
    expect(one.report.reached.reduction).toBe(without.report.reached.reduction);
  }, 120_000);

  test("needs inputs", async () => {
    await expect(separateModel(await loadModel(bytes), { rank: 1, tune: true })).rejects.toThrow(/tune.*calibration/);
  });
});

// Convolutions of groups: every form of them is written as grouped convolutions, fitted group by group, and what is exact for each
// group is exact for all. The judges are the plain loops in f64 and, where there is one, ONNX Runtime.
import { describe, expect, test } from "vitest";
import { fitDecomposition } from "../../src/factor/fit.ts";
import { multiplyPlainly, rowsFrom } from "../../src/factor/matrix.ts";
import { runGraph } from "../../src/graph/evaluate.ts";
import { infer } from "../../src/graph/infer.ts";
import type { Graph, Value } from "../../src/graph/types.ts";
import { loadModel, type Model, saveModel, separateModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { decomposedLayer, decompositionsOf } from "../../src/separate/decomposition.ts";
import { Gemm } from "../../src/separate/gemm.ts";
import {
  biasOfGroups,
  blindFittings,
  channelsOf,
  fitGroups,
  GroupMoments,
  partsOf,
} from "../../src/separate/groups.ts";
import { biasOf } from "../../src/separate/moments.ts";
import { seeded } from "../../src/separate/random.ts";
import { type Target, targetsOf } from "../../src/separate/targets.ts";
import type { Tensor } from "../../src/tensor.ts";
import { attributeOf, model as build, node, tensor, value } from "../onnx/build.ts";
import { expectClose } from "../onnx/close.ts";
import { runRuntime, runtime } from "../onnx/runtime.ts";

const random = seeded(21);
const normal = (shape: readonly number[], size = 1): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => size * random.normal());
const values = (shape: readonly number[]): Value => ({ dtype: "f32", shape, data: normal(shape) });
const raw = (data: Float32Array) => ({ rawData: new Uint8Array(data.buffer) });

/** A convolution alone. */
function alone(size: readonly number[], attributes: Record<string, number | number[]>, x: readonly number[]) {
  const constants = new Map<string, Tensor>([
    ["w", { shape: size, data: normal(size, 0.3) }],
    ["b", { shape: [size[0]!], data: normal([size[0]!]) }],
  ]);
  const nodes = [{ name: "conv", op: "Conv", opset: 13, inputs: ["x", "w", "b"], outputs: ["y"], attributes }];
  const graph: Graph = { inputs: [{ name: "x" }], outputs: [{ name: "y" }], nodes, constants };
  const specs = infer(graph, operators, new Map([["x", { dtype: "f32", shape: x }]]));
  return { graph, targets: targetsOf(graph, specs) };
}

const tools = { multiply: multiplyPlainly, random: random.normal };
const fully = { iterations: 300 };

describe("a convolution of groups", () => {
  test.for([
    ["3 x 3", [12, 3, 3, 3], { pads: [1, 1, 1, 1] }],
    ["in steps, dilated", [6, 3, 3, 2], { strides: [2, 1], dilations: [1, 2], pads: [1, 0, 1, 2] }],
    ["pointwise", [9, 3, 1, 1], {}],
    ["one row", [6, 3, 1, 3], { pads: [0, 1, 0, 1] }],
  ] as const)("is itself in every form of full rank: %s", (([, size, attributes]: [string, number[], object]) => {
    const shape = [2, 9, 8, 9];
    const { graph, targets } = alone(size, { ...attributes, group: 3 }, shape);
    const [target] = targets as [Target];
    const x = values(shape);
    const expected = runGraph(graph, operators, { x }).y as Value;
    for (const form of decompositionsOf(target)) {
      const { inChannels, outChannels, kh, kw } = target.sizes;
      const most = { cp: kh * kw * Math.min(inChannels, outChannels), depthwise: kh * kw, spatial: inChannels * kh };
      const rank = { ...most, bottleneck: outChannels, narrow: inChannels }[form];
      const fit = fitGroups(form, blindFittings(target), rank, tools, fully);
      expect(fit.error, form).toBeLessThan(1e-3);
      const { nodes, constants } = decomposedLayer(target, form, fit.weights, target.bias);
      const found = runGraph({ ...graph, nodes, constants }, operators, { x }).y as Value;
      expectClose(found as Tensor, expected as Tensor, 0.1);
    }
  }) as never);

  test("is fitted as its groups alone are, by their own inputs", async () => {
    const shape = [2, 6, 9, 8];
    const { targets } = alone([8, 3, 3, 3], { group: 2, pads: [1, 1, 1, 1] }, shape);
    const [target] = targets as [Target];
    const x = values(shape);
    const y = values([2, 8, 9, 8]);
    const gemm = new Gemm();
    const moments = new GroupMoments(target, gemm, 1, true);
    moments.add(x, y);
    const metric = { rows: 8, cols: 8, data: Float64Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 2 : 0.1)) };
    const fittings = moments.fitting(metric);
    const whole = fitGroups("bottleneck", fittings, 2, tools, fully);
    const bias = biasOfGroups(fittings, whole.weight);
    for (const [i, part] of partsOf(target).entries()) {
      const own = new GroupMoments(part, gemm, 1, true);
      own.add(channelsOf(x, i, 2), channelsOf(y, i, 2));
      const fitting = own.fitting({
        ...rowsFrom(metric, 0, 4),
        cols: 4,
        rows: 4,
        data: corner(metric.data, 8, 4 * i),
      })[0]!;
      const fit = fitDecomposition("bottleneck", fitting, 2, tools, fully);
      const columns = fit.weight.data.map((_, k) => whole.weight.data[Math.floor(k / 4) * 8 + 4 * i + (k % 4)]!);
      for (const [k, number] of fit.weight.data.entries()) expect(columns[k]).toBeCloseTo(number, 4);
      const shift = biasOf(fitting, fit.weight);
      for (const [k, number] of shift.entries()) expect(bias[4 * i + k]).toBeCloseTo(number, 4);
    }
    await gemm.dispose();
  });
});

const corner = (data: Float64Array, side: number, first: number): Float64Array =>
  Float64Array.from({ length: 16 }, (_, k) => data[(first + (k >> 2)) * side + first + (k % 4)]!);

describe("a network of groups", () => {
  const [groups, channels, side] = [2, 16, 10];
  const input = (): { x: Tensor } => {
    const shape = [1, channels, side, side];
    return { x: { shape, data: normal(shape) } };
  };
  const calibration = Array.from({ length: 12 }, input);
  const weight = [channels, channels / groups, 3, 3];

  const network = (weights: readonly Float32Array[]): Uint8Array =>
    build({
      nodes: [
        ...weights.flatMap((_, i) => [
          node("Conv", [i === 0 ? "x" : `r${i - 1}`, `w${i}`], [`c${i}`], {
            attribute: Object.entries({ pads: [1, 1, 1, 1], group: groups }).map(attributeOf),
          }),
          node("Relu", [`c${i}`], [`r${i}`]),
        ]),
        node("Conv", [`r${weights.length - 1}`, "d"], ["y"], {
          attribute: [attributeOf(["group", channels])],
        }),
      ],
      initializers: [
        ...weights.map((data, i) => tensor(`w${i}`, weight, raw(data))),
        tensor("d", [channels, 1, 3, 3], raw(normal([channels, 1, 3, 3], 0.3))),
      ],
      inputs: [value("x", [1, channels, side, side])],
      outputs: [value("y", [1, channels, side - 2, side - 2])],
    });

  async function agrees(model: Model): Promise<void> {
    if (!runtime) return;
    const given = input();
    const expected = await runRuntime(saveModel(model), given);
    expectClose((await model.run(given)).y!, expected.y!, 1e-4);
  }

  test("weights of low rank are rewritten without loss, at the largest rank of any group", async () => {
    // One filter for all of the first group, two for all of the second.
    const filters = [0, 1].map(() => normal(weight.slice(1)));
    const size = filters[0]!.length;
    const data = normal(weight).map((_, i) => {
      const output = Math.floor(i / size);
      const own = (1 + output) * filters[0]![i % size]!;
      return 0.05 * (output < channels / 2 ? own : own + (output % 3) * filters[1]![i % size]!);
    });
    const original = await loadModel(network([data]));
    const { model, report } = await separateModel(original, { tolerance: 0 });
    expect(report.layers.map(({ decomposition, rank }) => [decomposition, rank])).toEqual([["bottleneck", 2]]);
    const given = input();
    expectClose((await model.run(given)).y!, (await original.run(given)).y!, 1e-4);
    const convolutions = model.graph.nodes.filter(({ op }) => op === "Conv");
    expect(convolutions.map(({ attributes }) => Number(attributes.group))).toEqual([groups, groups, channels]);
    await agrees(model);
  });

  test.for([
    ["the weights alone", { rank: 2 }],
    ["a budget", { reduce: 1.7, calibration }],
    ["a budget, tuned", { reduce: 1.7, calibration, tune: true }],
  ] as const)("is separated by %s; depthwise convolutions stay", async ([, options]) => {
    const { model, report } = await separateModel(
      await loadModel(network([normal(weight, 0.15), normal(weight, 0.15)])),
      options,
    );
    expect(report.layers).toHaveLength(2);
    expect(report.layers.every(({ decomposition }) => decomposition)).toBe(true);
    expect(report.reached.reduction).toBeGreaterThan("reduce" in options ? 1.7 : 1.2);
    await agrees(model);
  });
});

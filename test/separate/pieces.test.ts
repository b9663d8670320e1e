// Inputs cut to pieces: of which networks, which pieces, and that a network fitted to pieces serves whole inputs.
import { describe, expect, test } from "vitest";
import type { Graph, GraphNode, Spec } from "../../src/graph/types.ts";
import { newValue } from "../../src/graph/values.ts";
import { loadModel, saveModel, separateModel } from "../../src/onnx/index.ts";
import { cutOf, piecesOf } from "../../src/separate/pieces.ts";
import { seeded } from "../../src/separate/random.ts";
import { attribute, big, model as build, node, tensor, value } from "../onnx/build.ts";

const random = seeded(5);
const [channels, side] = [4, 128];
const numbers = (shape: readonly number[]): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random.normal);
const specs = (height: number, width = height): Map<string, Spec> =>
  new Map([["x", { dtype: "f32", shape: [1, channels, height, width] }]]);

const constants: Graph["constants"] = new Map([
  ["w", { shape: [channels, channels, 3, 3], data: numbers([channels, channels, 3, 3]) }],
  ["map", { shape: [1, 1, side - 2, side - 2], data: numbers([(side - 2) ** 2]) }],
  ["shift", { shape: [channels, 1, 1], data: numbers([channels]) }],
]);
const of = (op: string, inputs: string[], output: string, attributes: GraphNode["attributes"] = {}): GraphNode => ({
  ...{ name: output, op, opset: 13, inputs, outputs: [output], attributes },
});
const graphOf = (...nodes: GraphNode[]): Graph => {
  return { inputs: [{ name: "x" }], outputs: [{ name: nodes.at(-1)!.outputs[0]! }], nodes, constants };
};
const conv = of("Conv", ["x", "w"], "a");

describe("inputs are cut", () => {
  test("where each place is computed alike, to sides that keep their remainders", () => {
    const graph = graphOf(conv, of("Add", ["a", "shift"], "b"), of("Relu", ["b"], "c"));
    expect(cutOf(graph, specs(side))).toEqual({ input: "x", height: 64, width: 64, count: 4 });
    expect(cutOf(graph, specs(157))).toMatchObject({ height: 61, width: 61, count: 4 });
    expect(cutOf(graph, specs(side, 70))).toEqual({ input: "x", height: 64, width: 70, count: 2 });
  });

  test.each<[string, Graph, number]>([
    ["small ones", graphOf(conv), 91],
    [
      "where zeros reach in from the borders, of this size",
      graphOf(of("Conv", ["x", "w"], "a", { pads: [1, 1, 1, 1] })),
      side,
    ],
    ["with a mean over all places", graphOf(conv, of("GlobalAveragePool", ["a"], "b")), side],
    ["with a constant for each place", graphOf(conv, of("Add", ["a", "map"], "b")), side],
    ["with pixels in another order", graphOf(conv, of("Transpose", ["a"], "b", { perm: [0, 1, 3, 2] })), side],
  ])("but not %s", (_what, graph, size) => {
    expect(cutOf(graph, specs(size))).toBeUndefined();
  });
});

test("pieces are windows of an input, spread over it; a smaller input stays whole", () => {
  const [height, width] = [20, 30];
  const x = newValue("f32", [1, channels, height, width]);
  for (let i = 0; i < x.data.length; i++) x.data[i] = i;
  const cut = { input: "x", height: 8, width: 10, count: 3 };
  const pieces = piecesOf(new Map([["x", x]]), cut, 3, 7);
  const places = pieces.map((piece) => {
    const { shape, data } = piece.get("x")!;
    expect(shape).toEqual([1, channels, 8, 10]);
    const first = Number(data[0]);
    const expected = Array.from({ length: channels * 80 }, (_, i) => {
      const [c, row, column] = [Math.floor(i / 80), Math.floor(i / 10) % 8, i % 10];
      return first + (c * height + row) * width + column;
    });
    expect(Array.from(data, Number)).toEqual(expected);
    return first;
  });
  expect(new Set(places).size).toBe(3);
  const small = new Map([["x", newValue("f32", [1, channels, 7, 30])]]);
  expect(piecesOf(small, cut, 3, 0)).toEqual([small]);
});

test("a network fitted to pieces loses little on whole inputs, and its report is of these", async () => {
  const ints = (name: string, list: number[]) => attribute(name, { ints: big(list), type: 7n });
  const weight = (name: string): Uint8Array => {
    // Near rank one, so that little is lost.
    const [a, b] = [numbers([8]), numbers([8 * 9])];
    const data = Float32Array.from(
      { length: 8 * 8 * 9 },
      (_, i) => a[Math.floor(i / 72)]! * b[i % 72]! + 0.1 * random.normal(),
    );
    return tensor(name, [8, 8, 3, 3], { rawData: new Uint8Array(data.map((number) => number / 6).buffer) });
  };
  const large = 96;
  const file = build({
    nodes: [
      node("Conv", ["x", "v"], ["a"], { attribute: [ints("pads", [0, 0, 0, 0])] }),
      node("Relu", ["a"], ["b"]),
      node("Conv", ["b", "w"], ["y"]),
    ],
    initializers: [weight("v"), weight("w")],
    inputs: [value("x", [1, 8, "h", "w"])],
    outputs: [value("y", [1, 8, "h2", "w2"])],
  });
  const input = () => ({ x: { shape: [1, 8, large, large], data: numbers([8, large, large]) } });
  const original = await loadModel(file);
  const small = { x: { shape: [1, 8, 40, 50], data: numbers([8, 40, 50]) } };
  const calibration = [...Array.from({ length: 10 }, input), small];
  const { model, report } = await separateModel(original, { reduce: 2, calibration });
  expect(report.samples).toBe(11);
  expect(report.totals.multiplications.before).toBe(8 * 72 * (94 ** 2 + 92 ** 2));
  const one = input();
  const [before, after] = [
    (await original.run(one)).y!.data,
    (await (await loadModel(saveModel(model))).run(one)).y!.data,
  ];
  let [lost, energy] = [0, 0];
  for (let i = 0; i < before.length; i++) {
    lost += (Number(before[i]) - Number(after[i])) ** 2;
    energy += Number(before[i]) ** 2;
  }
  expect(lost / energy).toBeLessThan(0.05);
  expect(report.reached.loss! / (lost / energy)).toBeGreaterThan(0.5);
});

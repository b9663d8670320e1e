// Inputs cut to pieces: of which networks, which pieces, and that a network fitted to pieces serves whole inputs.
import { describe, expect, test } from "vitest";
import type { Graph, GraphNode, Spec, Value } from "../../src/graph/types.ts";
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

test("half of the pieces that are fitted to are variants: edges of black or white from each side, and turned channels", () => {
  const [height, width, colours] = [20, 30, 3];
  const x = newValue("f32", [1, colours, height, width]);
  for (let i = 0; i < x.data.length; i++) x.data[i] = i + 1;
  const cut = { input: "x", height: 8, width: 10, count: 4 };
  const at = (piece: Value, c: number, row: number, column: number): number =>
    Number(piece.data[(c * 8 + row) * 10 + column]);
  const seen = new Set<string>();
  for (let index = 0; index < 32; index++) {
    const own = (varied: boolean): Value => [...piecesOf(new Map([["x", x]]), cut, 1, index, varied)[0]!.values()][0]!;
    const [plain, varied] = [own(false), own(true)];
    if (index % 4 === 0 || index % 4 === 2) expect(varied).toEqual(plain);
    else if (index % 4 === 3) {
      const turn = (at(varied, 0, 0, 0) - at(plain, 0, 0, 0)) / (height * width);
      expect([1, 2]).toContain(turn);
      for (let c = 0; c < colours; c++) expect(at(varied, c, 3, 4)).toBe(at(plain, (c + turn) % colours, 3, 4));
      seen.add(`turned by ${turn}`);
    } else {
      const last = x.data.length;
      const isBeyond = (row: number, column: number): boolean => [1, last].includes(at(varied, 1, row, column));
      const corners = [isBeyond(0, 5), isBeyond(7, 5), isBeyond(4, 0), isBeyond(4, 9)];
      expect(corners.filter(Boolean)).toHaveLength(1);
      const side = corners.indexOf(true);
      const rows = Array.from({ length: 8 }, (_, row) => row).filter((row) => !isBeyond(row, 5));
      const columns = Array.from({ length: 10 }, (_, column) => column).filter((column) => !isBeyond(4, column));
      const shown = rows.length * columns.length;
      expect(shown).toBeGreaterThanOrEqual(40);
      expect(shown).toBeLessThan(80);
      for (const row of rows) {
        for (const column of columns) {
          const [y, z] = [side === 0 ? row - rows[0]! : row + 8 - rows.length, column + 10 - columns.length];
          expect(at(varied, 2, row, column)).toBe(at(plain, 2, y, side === 2 ? column - columns[0]! : z));
        }
      }
      seen.add(`${side}, ${at(varied, 1, [0, 7, 4, 4][side]!, [5, 5, 0, 9][side]!)}`);
    }
  }
  expect([...seen].sort()).toEqual(["0, 1", "0, 1800", "1, 1", "1, 1800", "2, 1", "2, 1800", "3, 1", "3, 1800", "turned by 1", "turned by 2"]); // biome-ignore format: one line
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

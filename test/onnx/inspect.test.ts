// What models are said to consist of: formulas on small ones, known figures of real ones.
import { describe, expect, test } from "vitest";
import { estimateSplits, inspectModel } from "../../src/onnx/inspect.ts";
import { loadModel } from "../../src/onnx/model.ts";
import type { TensorProto } from "../../src/onnx/schema.ts";
import { dataPath, withoutData } from "../data.ts";
import { attribute, big, model, node, tensor, value } from "./build.ts";

const ints = (name: string, list: number[]) => attribute(name, { ints: big(list), type: 7n });
const int = (name: string, i: number) => attribute(name, { i: BigInt(i), type: 2n });

interface Case {
  op: string;
  inputs: number[][];
  weights: number[][];
  attributes?: ReturnType<typeof attribute>[];
  kind: string;
  window?: number[];
  strides?: number[];
  output: number[];
  multiplications: number;
}

const cases: Case[] = [
  { op: "Conv", inputs: [[1, 3, 9, 8]], weights: [[4, 3, 3, 2], [4]], kind: "conv", window: [3, 2], strides: [1, 1], output: [1, 4, 7, 7], multiplications: 49 * 4 * 3 * 6 },
  { op: "Conv", inputs: [[2, 6, 8, 8]], weights: [[4, 3, 3, 3]], attributes: [int("group", 2), ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1])], kind: "grouped conv", window: [3, 3], strides: [2, 2], output: [2, 4, 4, 4], multiplications: 2 * 16 * 4 * 3 * 9 },
  { op: "Conv", inputs: [[1, 6, 8, 8]], weights: [[12, 1, 3, 3]], attributes: [int("group", 6)], kind: "depthwise conv", window: [3, 3], strides: [1, 1], output: [1, 12, 6, 6], multiplications: 36 * 12 * 9 },
  { op: "Conv", inputs: [[1, 6, 8, 8]], weights: [[5, 6, 1, 1], [5]], kind: "pointwise conv", window: [1, 1], strides: [1, 1], output: [1, 5, 8, 8], multiplications: 64 * 30 },
  { op: "Conv", inputs: [[1, 2, 10]], weights: [[3, 2, 5]], kind: "conv", window: [5], strides: [1], output: [1, 3, 6], multiplications: 6 * 30 },
  { op: "ConvTranspose", inputs: [[1, 6, 5, 4]], weights: [[6, 3, 4, 4]], attributes: [ints("strides", [2, 2])], kind: "transposed conv", window: [4, 4], strides: [2, 2], output: [1, 3, 12, 10], multiplications: 20 * 6 * 3 * 16 },
  { op: "Gemm", inputs: [[7, 5]], weights: [[7, 3], [3]], attributes: [int("transA", 1)], kind: "dense", output: [5, 3], multiplications: 5 * 3 * 7 },
  { op: "MatMul", inputs: [[2, 5, 7]], weights: [[7, 3]], kind: "dense", output: [2, 5, 3], multiplications: 2 * 5 * 3 * 7 },
  { op: "MatMul", inputs: [[2, 5, 7], [2, 7, 3]], weights: [], kind: "MatMul", output: [2, 5, 3], multiplications: 2 * 5 * 3 * 7 },
  { op: "Relu", inputs: [[1, 3, 4, 4]], weights: [], kind: "Relu", output: [1, 3, 4, 4], multiplications: 0 },
  { op: "BatchNormalization", inputs: [[1, 3, 4, 4]], weights: [[3], [3], [3], [3]], kind: "BatchNormalization", output: [1, 3, 4, 4], multiplications: 0 },
]; // biome-ignore format: a table

test.each(cases)("$op as $kind of $inputs", async ({ op, inputs, weights, attributes, output, ...expected }) => {
  const names = [...inputs.map((_, i) => `x${i}`), ...weights.map((_, i) => `w${i}`)];
  const bytes = model({
    nodes: [node(op, names, ["y"], { attribute: attributes ?? [], name: "it" })],
    initializers: weights.map((shape, i) => tensor(`w${i}`, shape)),
    inputs: inputs.map((shape, i) => value(`x${i}`, shape)),
    outputs: [value("y", output)],
  });
  const { layers, totals } = inspectModel(await loadModel(bytes));
  const parameters = weights.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  expect(layers).toHaveLength(1);
  expect(layers[0]).toMatchObject({ name: "it", op, parameters, inputs, outputs: [output], ...expected });
  expect(totals).toEqual({ parameters, multiplications: expected.multiplications });
});

/** Of [2, 2, 3, 3] with a value for each place. */
function weightOf(at: (o: number, c: number, y: number, x: number) => number): Partial<TensorProto> {
  const places = Array.from({ length: 36 }, (_, i) => [Math.floor(i / 18), Math.floor(i / 9) % 2, Math.floor(i / 3) % 3, i % 3] as const); // biome-ignore format: one line
  return { rawData: new Uint8Array(Float32Array.from(places, (place) => at(...place)).buffer) };
}

test("splits one layer after another are those of the whole, and come with how far it is", async () => {
  const weight = (name: string, shape: number[]) =>
    tensor(name, shape, { rawData: new Uint8Array(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * i)).buffer) }); // biome-ignore format: one call
  const loaded = await loadModel(
    model({
      nodes: [node("Relu", ["x"], ["a"]), node("Conv", ["a", "w0"], ["b"]), node("Conv", ["b", "w1"], ["c"]), node("Conv", ["c", "w2"], ["y"])],
      initializers: [weight("w0", [4, 3, 3, 3]), weight("w1", [4, 4, 1, 1]), weight("w2", [2, 4, 3, 3])],
      inputs: [value("x", [1, 3, 9, 9])],
      outputs: [value("y", [1, 2, 5, 5])],
    }),
  ); // biome-ignore format: one model
  const options = { spectra: true, share: 0.6 };
  const found = [...estimateSplits(loaded, options)];
  expect(found.map(({ layer }) => layer)).toEqual([1, 3]);
  const { layers } = inspectModel(loaded, options);
  for (const { layer, splits } of found) expect(splits).toEqual(layers[layer]!.splits);
  expect(found[0]!.splits.length).toBeGreaterThan(1);
  expect(found[0]!.done).toBeGreaterThan(0);
  expect(found[0]!.done).toBeLessThan(1);
  expect(found.at(-1)!.done).toBe(1);
  expect(inspectModel(loaded, { splits: false }).layers.flatMap(({ splits }) => splits)).toEqual([]);
  expect(() => estimateSplits(loaded, { share: 2 })).toThrow(/share/);
  expect(() => estimateSplits(loaded, { splits: true } as object)).toThrow(/splits/);
});

test("what each split loses, the best first", async () => {
  const inspect = async (weight: Partial<TensorProto>, share?: number) => {
    const nodes = [node("Conv", ["x", "w"], ["y"])];
    const parts = { initializers: [tensor("w", [2, 2, 3, 3], weight)], inputs: [value("x", [1, 2, 9, 9])] };
    return inspectModel(await loadModel(model({ nodes, ...parts, outputs: [value("y", [])] })), { share }).layers[0]!;
  };
  const separable = await inspect(
    weightOf((o, c, y, x) => (o + 1) * (c + 2) * (y + 1) * (x - 1)),
    0.6,
  );
  expect(separable.splits.map(({ split }) => split).sort()).toEqual(["bottleneck", "spatial"]);
  for (const { error } of separable.splits) expect(error).toBeLessThan(1e-7);
  const other = await inspect(
    weightOf((o, c, y, x) => Math.sin((1 + o + 2 * c + 5 * y + 13 * x) ** 2)),
    0.7,
  );
  const errors = other.splits.map(({ error }) => error);
  expect(errors).toHaveLength(3);
  expect(errors).toEqual(errors.toSorted((a, b) => a - b));
  expect(errors[0]).toBeGreaterThan(0.01);
  for (const { multiplications } of other.splits) expect(multiplications.separable).toBeLessThanOrEqual(0.7 * 36);
});

test("singular values of each split, whose squares add up to what a rank loses", async () => {
  const weights = {
    rawData: new Uint8Array(Float32Array.from({ length: 4 * 3 * 9 }, (_, i) => Math.sin(i * i)).buffer),
  };
  const bytes = model({
    nodes: [node("Conv", ["x", "w"], ["y"])],
    initializers: [tensor("w", [4, 3, 3, 3], weights)],
    inputs: [value("x", [1, 3, 9, 9])],
    outputs: [value("y", [])],
  }); // biome-ignore format: one model
  const loaded = await loadModel(bytes);
  expect(inspectModel(loaded).layers[0]!.splits[0]).not.toHaveProperty("singularValues");
  expect(inspectModel(loaded, { splits: false }).layers[0]!.splits).toEqual([]);
  const { splits } = inspectModel(loaded, { spectra: true }).layers[0]!;
  expect(splits.map(({ split }) => split).sort()).toEqual(["bottleneck", "depthwise", "spatial"]);
  const squares = (values: readonly number[]): number => values.reduce((sum, value) => sum + value ** 2, 0);
  for (const { singularValues, rank, error } of splits) {
    expect(singularValues!.length).toBeGreaterThan(rank);
    expect(singularValues).toEqual(singularValues!.toSorted((a, b) => b - a));
    const lost = Math.sqrt(squares(singularValues!.slice(rank)) / squares(singularValues!));
    expect(lost).toBeCloseTo(error, 9);
  }
});

test("constants are counted once, sizes and scalars are no parameters, and what computes them is no layer", async () => {
  const shape = { dataType: 7n, int64Data: [Uint8Array.of(1, 12)] };
  const bytes = model({
    nodes: [
      node("Add", ["x", "w"], ["a"]),
      node("Mul", ["a", "w"], ["b"]),
      node("Mul", ["b", "s"], ["c"]),
      node("Shape", ["c"], ["size"]),
      node("Gather", ["size", "first"], ["rows"]),
      node("Reshape", ["c", "flat"], ["y"]),
    ],
    initializers: [tensor("w", [4]), tensor("s", []), tensor("first", [1], { dataType: 7n, int64Data: [Uint8Array.of(0)] }), tensor("flat", [2], shape)], // biome-ignore format: one line
    inputs: [value("x", [3, 4])],
    outputs: [value("y", [])],
  });
  const { layers, totals, outputs } = inspectModel(await loadModel(bytes));
  expect(layers.map(({ op, parameters }) => [op, parameters])).toEqual([["Add", 4], ["Mul", 0], ["Mul", 0], ["Reshape", 0]]); // biome-ignore format: one line
  expect(totals.parameters).toBe(4);
  expect(outputs[0]!.shape).toEqual([1, 12]);
});

describe("sides that the model leaves open", () => {
  const bytes = model({
    nodes: [node("Conv", ["x", "w"], ["y"])],
    initializers: [tensor("w", [4, 3, 3, 3])],
    inputs: [value("x", ["N", 3, "height", "width"])],
    outputs: [value("y", ["N", 4, "h", "w"])],
  });

  test("are given, the batch is 1", async () => {
    const found = inspectModel(await loadModel(bytes), { shapes: { x: [1, 3, 10, 12] } });
    expect(found.inputs[0]!.shape).toEqual([1, 3, 10, 12]);
    expect(found.outputs[0]!.shape).toEqual([1, 4, 8, 10]);
  });

  test("need not be given for a list of what is there", async () => {
    const found = inspectModel(await loadModel(bytes), { partial: true });
    expect(found).toMatchObject({ open: ["x"], totals: { parameters: 108, multiplications: 0 } });
    expect(found.layers).toMatchObject([{ kind: "conv", parameters: 108, inputs: [], outputs: [] }]);
    expect(inspectModel(await loadModel(bytes), { shapes: { x: [1, 3, 9, 9] }, partial: true }).open).toEqual([]);
  });

  test.each<[object, RegExp]>([
    [{ shapes: { z: [1] } }, /shapes key: expected one of x, got "z"/],
    [{}, /shape of input "x": expected a shape like \[N, 3, height, width\], got none/],
    [{ shapes: { x: [1, 4, 10, 12] } }, /got \[1, 4, 10, 12\]/],
    [{ shapes: { x: [1, 3, 2, 2] } }, /node "Conv of x,w"/],
    [{ size: 3 }, /options key: expected one of shapes, share/],
    [{ shapes: { x: [1, 3, 9, 9] }, share: 2 }, /share: expected a finite number from 0 to 1/],
  ])("%j: a typed error", async (options, message) => {
    const loaded = await loadModel(bytes);
    expect(() => inspectModel(loaded, options)).toThrow(message);
  });
});

const missing = withoutData("models");
describe.skipIf(missing)(`real models${missing}`, () => {
  test.each([
    ["resnet20-cifar10", 40_551_040, 269_034, { conv: 19, dense: 1 }],
    ["ultraface-slim-320", 81_410_560, 257_916, { conv: 3, "depthwise conv": 19, "pointwise conv": 20 }],
    ["ultraface-rfb-320", 100_418_560, 307_620, { conv: 10, "depthwise conv": 18, "pointwise conv": 24 }],
    ["waifu2x-scale2", 11_659_637_952, 552_483, { conv: 6, "transposed conv": 1 }],
    ["mnist", 4_516_480, 26_450, { conv: 2, "pointwise conv": 1, dense: 1 }],
  ])("%s: %i multiplications, %i parameters", async (name, multiplications, parameters, kinds) => {
    const { layers, totals, outputs } = inspectModel(await loadModel(dataPath("models", `${name}.onnx`)));
    expect(totals).toEqual({ multiplications, parameters });
    const counts: Record<string, number> = {};
    for (const layer of layers) if (layer.multiplications > 0) counts[layer.kind] = (counts[layer.kind] ?? 0) + 1;
    expect(counts).toEqual(kinds);
    // What the file declares of its outputs is what follows from its inputs
    const { graph } = await loadModel(dataPath("models", `${name}.onnx`));
    for (const [i, { shape }] of graph.outputs.entries())
      expect(outputs[i]!.shape).toEqual(shape!.map((side) => (typeof side === "string" ? 1 : side)));
  });
});

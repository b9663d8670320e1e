// Separating networks of every kind: of half floats, with weights in other files, quantised, with operators or sizes behind
// their backbone that nobody knows, with several outputs, pointwise. The judge of the files is ONNX Runtime, where there is one.
import { describe, expect, test } from "vitest";
import { toBits } from "../../src/graph/halves.ts";
import { UnsupportedError } from "../../src/index.ts";
import { loadModel, type Model, saveModel, separateModel } from "../../src/onnx/index.ts";
import { seeded } from "../../src/separate/random.ts";
import type { Tensor } from "../../src/tensor.ts";
import { attribute, attributeOf, big, model as build, node, tensor, value } from "../onnx/build.ts";
import { expectClose } from "../onnx/close.ts";
import { runRuntime, runtime } from "../onnx/runtime.ts";

const random = seeded(5);
const [channels, side] = [8, 10];
const ints = (name: string, list: number[]) => attribute(name, { ints: big(list), type: 7n });
const padded = { attribute: [ints("pads", [1, 1, 1, 1])] };

const normal = (shape: readonly number[], size = 1): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => size * random.normal());
const raw = (data: Float32Array | Uint16Array) => ({ rawData: new Uint8Array(data.buffer) });

const weight = [channels, channels, 3, 3];
const floats = (name: string, shape: readonly number[], size = 0.1): Uint8Array =>
  tensor(name, shape, raw(normal(shape, size)));

const input = (shape = [1, channels, side, side]): { x: Tensor } => ({ x: { shape, data: normal(shape) } });
const calibration = Array.from({ length: 12 }, () => input());

/** Where ONNX Runtime is there, it loads the file and agrees. */
async function agrees(model: Model, given: { x: Tensor }, relative = 1e-4): Promise<void> {
  const found = await model.run(given);
  expect(Object.values(found).every(({ data }) => Array.from(data, Number).every(Number.isFinite))).toBe(true);
  if (!runtime) return;
  const expected = await runRuntime(saveModel(model), given);
  for (const [name, wanted] of Object.entries(expected)) {
    const { shape, data } = found[name]!;
    expectClose({ shape, data } as Tensor, wanted, relative);
  }
}

describe("half floats stay half floats", () => {
  const half = (name: string, shape: readonly number[]): Uint8Array =>
    tensor(name, shape, { dataType: 10n, ...raw(toBits(normal(shape, 0.1), "f16")) });
  const nodes = [
    node("Conv", ["x", "v"], ["a"], padded),
    node("Relu", ["a"], ["b"]),
    node("Conv", ["b", "w"], ["y"], padded),
  ];

  test.for([
    ["by the weights alone", { rank: 2 }],
    ["fitted", { reduce: 1.4, calibration }],
  ] as const)("%s", async ([, options]) => {
    const info = (name: string) => value(name, [1, channels, side, side], 10);
    const initializers = [half("v", weight), half("w", weight)];
    const { model, report } = await separateModel(
      await loadModel(build({ nodes, initializers, inputs: [info("x")], outputs: [info("y")] })),
      options,
    );
    expect(report.layers.some(({ decomposition }) => decomposition)).toBe(true);
    expect(report.difference).toBeLessThan(1e-3);
    const again = await loadModel(saveModel(model));
    expect([...again.graph.constants.values()].every(({ dtype }) => dtype === "f16")).toBe(true);
    // A few units in the last place of a half float between layers.
    await agrees(model, input(), 4e-2);
  });

  test("weights that a Cast makes floats are written as floats", async () => {
    const nodes = [node("Cast", ["h"], ["w"], { attribute: [attribute("to", { i: 1n, type: 2n })] })];
    const file = build({
      nodes: [...nodes, node("Conv", ["x", "w"], ["y"], padded)],
      initializers: [half("h", weight)],
      inputs: [value("x", [1, channels, side, side])],
      outputs: [value("y", [1, channels, side, side])],
    });
    const { model } = await separateModel(await loadModel(file), { rank: 2 });
    expect([...model.graph.constants.values()].every(({ dtype }) => dtype === undefined)).toBe(true);
    await agrees(model, input());
  });
});

test("weights of other files are in the new one: it may lie elsewhere", async () => {
  const bytes = new Uint8Array(normal(weight, 0.1).buffer);
  const externalData = [{ key: "location", value: "weights.bin" }];
  const file = build({
    nodes: [node("Conv", ["x", "w"], ["a"], padded), node("Add", ["a", "s"], ["y"])],
    initializers: [
      floats("w", weight),
      tensor("s", weight.slice(0, 1).concat(1, 1), { externalData, dataLocation: 1n }),
    ],
    inputs: [value("x", [1, channels, side, side])],
    outputs: [value("y", [1, channels, side, side])],
  });
  const original = await loadModel(file, { externalData: { "weights.bin": bytes.slice(0, 4 * channels) } });
  const { model } = await separateModel(original, { rank: 1 });
  const given = input();
  const [own, again] = [await model.run(given), await (await loadModel(saveModel(model))).run(given)];
  expectClose(again.y!, own.y!);
});

test.for([
  ["QDQ", () => [node("DequantizeLinear", ["q", "scale"], ["w"]), node("Conv", ["x", "w"], ["y"], padded)]],
  ["ConvInteger", () => [node("ConvInteger", ["x", "q"], ["y"], padded)]],
] as const)("a quantised network is refused with the way out: %s", async ([, nodes]) => {
  const data = new Uint8Array(weight.reduce((a, b) => a * b, 1)).fill(3);
  const file = build({
    nodes: nodes(),
    initializers: [
      tensor("q", weight, { dataType: 3n, rawData: data }),
      tensor("scale", [], raw(new Float32Array([0.1]))),
    ],
    inputs: [value("x", [1, channels, side, side])],
    outputs: [value("y", [1, channels, side, side])],
  });
  const failed = await separateModel(await loadModel(file), { rank: 1 }).catch((error) => error);
  expect(failed).toBeInstanceOf(UnsupportedError);
  expect(failed.message).toMatch(/quantised.*separate the float model/);
});

describe("what stands behind the backbone stays", () => {
  const body = (rest: Uint8Array[], output: string, initializers: Uint8Array[] = []): Uint8Array =>
    build({
      nodes: [node("Conv", ["x", "w"], ["a"], padded), node("Relu", ["a"], ["r"]), ...rest],
      initializers: [floats("w", weight), ...initializers],
      inputs: [value("x", [1, channels, side, side])],
      outputs: [value(output, ["n", "m"])],
    });

  test("an operator that nobody knows", async () => {
    const rest = [node("Riddle", ["r"], ["z"], { domain: "somewhere" })];
    const { model, report } = await separateModel(await loadModel(body(rest, "z")), { reduce: 1.5, calibration });
    expect(report.missing.map(({ operator }) => operator)).toEqual(["somewhere.Riddle"]);
    expect(report.layers[0]!.decomposition).toBeDefined();
    expect(model.graph.nodes.at(-1)!.op).toBe("somewhere.Riddle");
    expect(report.outputs.map(({ name }) => name)).toEqual(["r"]);
  });

  test("a result of a size that only a run knows", async () => {
    const rest = [node("NonZero", ["r"], ["z"])];
    const original = await loadModel(body(rest, "z"));
    const { model, report } = await separateModel(original, { reduce: 1.5, calibration });
    expect(report.layers[0]!.decomposition).toBeDefined();
    expect((await model.run(input())).z!.shape[0]).toBe(4);
  });

  test.for(["Reshape", "Flatten"])("%s and a dense layer", async (op) => {
    const features = channels * side * side;
    const shape = tensor("s", [2], {
      dataType: 7n,
      rawData: new Uint8Array(BigInt64Array.of(1n, BigInt(features)).buffer),
    });
    const rest = [node(op, op === "Reshape" ? ["r", "s"] : ["r"], ["f"]), node("Gemm", ["f", "d"], ["z"])];
    const file = body(rest, "z", [floats("d", [features, 5]), ...(op === "Reshape" ? [shape] : [])]);
    const { model, report } = await separateModel(await loadModel(file), { reduce: 1.5, calibration });
    expect(report.layers[0]!.decomposition).toBeDefined();
    await agrees(model, input());
  });
});

test.for([
  ["dilated", { pads: [2, 2, 2, 2], dilations: [2, 2] }],
  ["in steps, padded by itself", { strides: [2, 2], auto_pad: "SAME_UPPER" }],
] as const)("a window is kept: %s", async ([, attributes]) => {
  const file = build({
    nodes: [node("Conv", ["x", "w"], ["y"], { attribute: Object.entries(attributes).map(attributeOf) })],
    initializers: [floats("w", weight)],
    inputs: [value("x", [1, channels, side, side])],
    outputs: [value("y", [1, channels, "h", "w"])],
  });
  const { model, report } = await separateModel(await loadModel(file), { reduce: 1.5, calibration });
  expect(report.layers[0]!.decomposition).toBeDefined();
  await agrees(model, input());
});

test("open sides of pictures are something usual where no input says them", async () => {
  const file = build({
    nodes: [node("Conv", ["x", "w"], ["y"], padded)],
    initializers: [floats("w", weight)],
    inputs: [value("x", ["n", channels, "h", "w"])],
    outputs: [value("y", ["n", channels, "h", "w"])],
  });
  const { model, report } = await separateModel(await loadModel(file), { rank: 2 });
  expect(report.assumed).toEqual({ x: [1, channels, 256, 256] });
  expect(report.layers[0]!.decomposition).toBe("depthwise");
  await agrees(model, input());
});

test("a network that writes a batch of one into a reshape gets its inputs one by one", async () => {
  const [features, batch] = [channels * side * side, "n"];
  const shape = tensor("s", [2], {
    dataType: 7n,
    rawData: new Uint8Array(BigInt64Array.of(1n, BigInt(features)).buffer),
  });
  const file = build({
    nodes: [
      node("Conv", ["x", "w"], ["a"], padded),
      node("Reshape", ["a", "s"], ["f"]),
      node("Gemm", ["f", "d"], ["z"]),
    ],
    initializers: [floats("w", weight), shape, floats("d", [features, 5])],
    inputs: [value("x", [batch, channels, side, side])],
    outputs: [value("z", [batch, 5])],
  });
  const { report } = await separateModel(await loadModel(file), { reduce: 1.5, calibration });
  expect(report.layers[0]!.decomposition).toBeDefined();
});

describe("pointwise convolutions", () => {
  const wide = 96;
  test("become two of fewer channels", async () => {
    const low = normal([wide, 4]);
    const other = normal([4, channels]);
    const product = Float32Array.from({ length: wide * channels }, (_, i) =>
      [0, 1, 2, 3].reduce(
        (sum, k) => sum + low[Math.floor(i / channels) * 4 + k]! * other[k * channels + (i % channels)]!,
        0,
      ),
    );
    const file = build({
      nodes: [node("Conv", ["x", "w"], ["y"])],
      initializers: [tensor("w", [wide, channels, 1, 1], raw(product))],
      inputs: [value("x", [1, channels, side, side])],
      outputs: [value("y", [1, wide, side, side])],
    });
    const { model, report } = await separateModel(await loadModel(file), { reduce: 1.5, calibration });
    expect(report.layers.map(({ decomposition, rank }) => [decomposition, rank])).toEqual([["bottleneck", 4]]);
    expect(report.reached.loss).toBeLessThan(1e-4);
    await agrees(model, input());
  });
});

describe("an output is measured as what it is", () => {
  const features = channels;
  /** Scores by a dense layer, and more after it. */
  const ending = (
    count: number,
    dense: Float32Array,
    bias: Float32Array,
    rest: Uint8Array[] = [],
    output = "z",
    kernel = normal(weight, 0.1),
  ) =>
    build({
      nodes: [
        node("Conv", ["x", "w"], ["a"], padded),
        node("Relu", ["a"], ["r"]),
        node("GlobalAveragePool", ["r"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "d", "b"], ["z"]),
        ...rest,
      ],
      initializers: [
        tensor("w", weight, raw(kernel)),
        tensor("d", [features, count], raw(dense)),
        tensor("b", [count], raw(bias)),
      ],
      inputs: [value("x", [1, channels, side, side])],
      outputs: [value(output, [1, count])],
    });
  /** Inputs of other sizes, so that the features vary. */
  const varied = Array.from({ length: 16 }, (_, i) => {
    const { x } = input();
    const scale = Float32Array.from({ length: channels }, () => Math.abs(random.normal()) + 0.1 * (i % 3));
    return { x: { ...x, data: (x.data as Float32Array).map((v, k) => v * scale[Math.floor(k / side ** 2)]!) } };
  });
  const functionOf = async (file: Uint8Array, loss?: "auto" | "kl" | "mse") => {
    const { report } = await separateModel(await loadModel(file), { reduce: 1.2, calibration: varied, loss });
    return report.lossFunction;
  };
  const zeroSum = (count: number, size: number): Float32Array => {
    const dense = normal([features, count], size);
    return dense.map(
      (v, i) => v - dense.slice(i - (i % count), i - (i % count) + count).reduce((a, b) => a + b) / count,
    );
  };

  /** A network that answers with each class about as often: the mean of its answers is taken off. */
  const balanced = async (count: number): Promise<Uint8Array> => {
    const [dense, kernel] = [zeroSum(count, 40), normal(weight, 0.1)];
    const model = await loadModel(ending(count, dense, new Float32Array(count), [], "z", kernel));
    const mean = new Float32Array(count);
    for (const given of varied) (await model.run(given)).z!.data.forEach((v, i) => void (mean[i]! -= Number(v) / 16));
    return ending(count, dense, mean, [], "z", kernel);
  };

  test("probabilities, and scores that vary against each other, are classes", async () => {
    const softmax = [node("Softmax", ["z"], ["q"])];
    expect(await functionOf(ending(5, normal([features, 5]), normal([5]), softmax, "q"))).toBe("divergence");
    expect(await functionOf(await balanced(5))).toBe("divergence");
  });

  test("coordinates, which keep their order or move together, are not", async () => {
    const places = Float32Array.from({ length: 12 }, (_, i) => 20 * i);
    expect(await functionOf(ending(12, normal([features, 12]), places))).toBe("relative square error");
    const together = Float32Array.from({ length: features * 4 }, (_, i) => 30 * Math.sin(Math.floor(i / 4)));
    expect(await functionOf(ending(4, together, new Float32Array(4)))).toBe("relative square error");
    const file = ending(5, normal([features, 5]), normal([5]), [node("Sigmoid", ["z"], ["q"])], "q");
    expect(await functionOf(file)).toBe("relative square error");
  });

  test("as the caller says", async () => {
    expect(await functionOf(await balanced(5), "mse")).toBe("relative square error");
    expect(await functionOf(ending(5, normal([features, 5]), normal([5])), "kl")).toBe("divergence");
    const alone = ending(1, normal([features, 1]), normal([1]));
    await expect(functionOf(alone, "kl")).rejects.toThrow(/loss: expected auto, mse/);
  });
});

test("of several outputs each counts by its own variance, whatever its unit", async () => {
  const layers = async (scale: number) => {
    const random = seeded(3);
    const numbers = (shape: readonly number[], size: number): Float32Array =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => size * random.normal());
    const file = build({
      nodes: [
        node("Conv", ["x", "v"], ["a"], padded),
        node("Conv", ["x", "w"], ["b"], padded),
        node("Mul", ["b", "s"], ["c"]),
      ],
      initializers: [
        tensor("v", weight, raw(numbers(weight, 0.1))),
        tensor("w", weight, raw(numbers(weight, 0.1))),
        tensor("s", [], raw(new Float32Array([scale]))),
      ],
      inputs: [value("x", [1, channels, side, side])],
      outputs: ["a", "c"].map((name) => value(name, [1, channels, side, side])),
    });
    const { report } = await separateModel(await loadModel(file), { reduce: 2, calibration });
    expect(report.outputs.map(({ name }) => name)).toEqual(["a", "c"]);
    return report.layers.map(({ decomposition, rank }) => [decomposition, rank]);
  };
  expect(await layers(1024)).toEqual(await layers(1));
});

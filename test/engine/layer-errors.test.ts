// Bad layers: a typed error that names the parameter, says what was expected and what came, before anything is made.
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, InvalidArgumentError, LimitError, type Rank1Error } from "../../src/index.ts";
import type { F32Tensor } from "../../src/tensor.ts";

const engine = await createEngine({ backend: "wasm", threads: 1 });
afterAll(() => engine.dispose());

const tensor = (...shape: number[]): F32Tensor => ({
  ...{ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1) },
});

/** Calls that take whatever a table says. */
type Call = (x: unknown, ...given: unknown[]) => unknown;
const untyped = engine as unknown as Record<string, (...given: unknown[]) => unknown>;
const conv: Call = (x, weight, options) => untyped.conv2d!(x, weight, options);
const depthwise: Call = (x, weight, options) => untyped.depthwiseConv2d!(x, weight, options);
const pointwise: Call = (x, weight, options) => untyped.pointwiseConv2d!(x, weight, options);
const separable: Call = (x, first, second, options) => untyped.separableConv2d!(x, first, second, options);

const x = tensor(1, 6, 5, 4);
const weight = tensor(3, 3, 4, 7);
const filters = tensor(3, 3, 4, 2);
const mix = tensor(1, 1, 8, 7);
const planes = tensor(1, 4, 6, 5);
const NCHW = { dataFormat: "NCHW" };

type Row = [call: () => unknown, parameter: string, expected: string, received: string, hint?: string];

async function failure(call: () => unknown): Promise<Rank1Error> {
  const [before, { bytes }] = [engine.info().programs, engine.info()];
  const error = await (async () => call())().then(
    () => expect.fail("there was no error"),
    (thrown: unknown) => thrown as Rank1Error,
  );
  expect(engine.info().programs).toEqual(before);
  expect(engine.info().bytes).toBe(bytes);
  return error;
}

const fourSides = "a tensor { shape, data } of 4 sides of at least 1";
const onX = "of the 4 channels of x";

describe("an input or a weight", () => {
  const table: Row[] = [
    [() => conv(undefined, weight), "x", fourSides, "undefined"],
    [() => conv("x", weight), "x", fourSides, "undefined"],
    [() => conv({ data: x.data }, weight), "x", fourSides, "undefined"],
    [() => conv({ ...x, shape: [6, 5, 4] }, weight), "x", fourSides, "[6, 5, 4]"],
    [() => conv({ ...x, shape: [0, 6, 5, 4] }, weight), "x", fourSides, "[0, 6, 5, 4]"],
    [() => conv({ ...x, shape: [1, 6.5, 5, 4] }, weight), "x", fourSides, "[1, 6.5, 5, 4]"],
    [() => conv({ data: x.data, dims: [1, 6, 5] }, weight), "x", fourSides, "[1, 6, 5]"],
    [() => conv({ ...x, shape: [1, 6, 5, 5] }, weight), "x.data", "1 x 6 x 5 x 5 = 150 elements", "120"],
    [() => conv({ ...x, data: new Float64Array(120) }, weight), "x.data", "a Float32Array", "Float64Array(120)"],
    [() => conv({ ...x, data: Array(120).fill(0) }, weight), "x.data", "a Float32Array", "an array of 120"],
    [() => conv(x, undefined), "weight", fourSides, "undefined"],
    [() => conv(x, tensor(3, 3, 5, 7)), "weight", "4 inputs a group (4 channels in 1 group)", "[3, 3, 5, 7]"],
    [() => conv(x, tensor(3, 3, 1, 7), { groups: 2 }), "weight", "2 inputs a group (4 channels in 2 groups)", "[3, 3, 1, 7]"],
    [() => conv(x, tensor(3, 3, 2, 7), { groups: 2 }), "weight", "outputs in 2 equal groups", "[3, 3, 2, 7]"],
    [() => conv(planes, weight, NCHW), "weight", "4 inputs a group (4 channels in 1 group)", "[3, 3, 4, 7]"],
    [() => depthwise(x, tensor(3, 3, 5, 1)), "weight", "[kh, kw, 4, multiplier], as x has 4 channels", "[3, 3, 5, 1]"],
    [() => depthwise(planes, tensor(6, 1, 3, 3), NCHW), "weight", "[4 · multiplier, 1, kh, kw], as x has 4 channels", "[6, 1, 3, 3]"],
    [() => depthwise(planes, tensor(4, 2, 3, 3), NCHW), "weight", "[4 · multiplier, 1, kh, kw], as x has 4 channels", "[4, 2, 3, 3]"],
    [() => pointwise(x, tensor(3, 3, 4, 7)), "weight", "[1, 1, 4, outputs]", "[3, 3, 4, 7]"],
    [() => pointwise(planes, tensor(1, 1, 4, 7), NCHW), "weight", "[outputs, 4, 1, 1]", "[1, 1, 4, 7]"],
    [() => separable(x, tensor(3, 3, 3, 2), mix), "depthwise", "[kh, kw, 4, multiplier], as x has 4 channels", "[3, 3, 3, 2]"],
    [() => separable(x, filters, tensor(1, 1, 4, 7)), "pointwise", "[1, 1, 8, outputs]", "[1, 1, 4, 7]"],
    [() => separable(x, filters), "pointwise", fourSides, "undefined"],
    [() => conv(x, tensor(7, 3, 4, 7)), "x", "x and its pads to have a height of at least 7, which the window spans", "6"],
    [() => conv(x, weight, { dilations: [1, 3] }), "x", "x and its pads to have a width of at least 7, which the window spans", "5"],
    [() => conv(x, weight, { bias: [1, 2] }), "bias", "7 numbers", "[1, 2]"],
    [() => conv(x, weight, { bias: 7 }), "bias", "7 numbers", "7"],
    [() => conv(x, weight, { bias: [1, 2, 3, 4, 5, 6, "7"] }), "bias", "7 numbers", '[1, 2, 3, 4, 5, 6, "7"]'],
    [() => separable(x, filters, mix, { depthwiseBias: [1] }), "depthwiseBias", "8 numbers", "[1]"],
    [() => separable(x, filters, mix, { depthwiseBias: null }), "depthwiseBias", "8 numbers", "null"],
  ]; // biome-ignore format: a table

  it.each(table)("%s: %s", async (call, parameter, expected, received) => {
    const error = await failure(call);
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", parameter, expected, received });
    // What could be done may follow.
    expect(`${error.message};`).toContain(`${parameter}: expected ${expected}, got ${received};`);
  });
});

describe("an option", () => {
  const pair = "a number, or [y, x]";
  const integer = "an integer of at least 1";
  const names = "one of none, relu, relu6, hardSwish, silu, sigmoid";
  const shape = "{ leakyRelu: slope } or { clip: [least, most] }";
  const pads = '"same", "valid" or [top, left, bottom, right]';
  const table: [options: unknown, parameter: string, expected: string, received: string, hint?: string][] = [
    [7, "options", "an object of options", "7"],
    [{ stride: 2 }, "options key", expect.stringContaining("one of strides, pads"), '"stride"', 'did you mean "strides"?'],
    [{ depthwiseBias: [1] }, "options key", expect.any(String), '"depthwiseBias"'],
    [{ depthwiseActivation: "relu" }, "options key", expect.any(String), '"depthwiseActivation"'],
    [{ residual: true }, "options key", expect.any(String), '"residual"'],
    [{ strides: 0 }, "strides", integer, "0"],
    [{ strides: [1, 1.5] }, "strides", integer, "1.5"],
    [{ strides: [1, 2, 3] }, "strides", pair, "[1, 2, 3]"],
    [{ strides: "2" }, "strides", integer, '"2"'],
    [{ dilations: -1 }, "dilations", integer, "-1"],
    [{ pads: 1 }, "pads", pads, "1"],
    [{ pads: [1, 1] }, "pads", pads, "[1, 1]"],
    [{ pads: [0, 0, -1, 0] }, "pads[2]", "an integer of at least 0", "-1"],
    [{ pads: "SAME" }, "pads", "one of same, valid", '"SAME"', 'did you mean "same"?'],
    [{ dataFormat: "nhwc" }, "dataFormat", "one of NHWC, NCHW", '"nhwc"', 'did you mean "NHWC"?'],
    [{ groups: 3 }, "groups", `a divisor ${onX}`, "3"],
    [{ groups: 0 }, "groups", integer, "0"],
    [{ activation: "swish" }, "activation", names, '"swish"', 'here its name is "silu"'],
    [{ activation: "hard-swish" }, "activation", names, '"hard-swish"', 'did you mean "hardSwish"?'],
    [{ activation: "ReLU" }, "activation", names, '"ReLU"', 'did you mean "relu"?'],
    [{ activation: "hard_silu" }, "activation", names, '"hard_silu"', 'here its name is "hardSwish"'],
    [{ activation: "leaky_relu" }, "activation", shape, '"leaky_relu"'],
    [{ activation: "clip" }, "activation", shape, '"clip"'],
    [{ activation: null }, "activation", names, "null"],
    [{ activation: { leakyRelu: "x" } }, "activation.leakyRelu", "a finite number", '"x"'],
    [{ activation: { clip: [2, 1] } }, "activation", shape, "an object with keys clip"],
    [{ activation: {} }, "activation", shape, "an object with no keys"],
    [{ out: [] }, "out", "a Float32Array of 84 elements", "[]"],
    [{ out: new Float32Array(83) }, "out", "a Float32Array of 84 elements", "Float32Array(83)"],
    [{ out: new Float64Array(84) }, "out", "a Float32Array of 84 elements", "Float64Array(84)"],
    [{ out: x.data.subarray(0, 84) }, "out", "memory apart from x's", "an overlap"],
    [{ signal: 5 }, "signal", "an AbortSignal", "5"],
    [{ onProgress: 5 }, "onProgress", "a function", "5"],
  ]; // biome-ignore format: a table

  it.each(table)("%j", async (options, parameter, expected, received, hint) => {
    const error = await failure(() => conv(x, weight, options));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", parameter, expected, received });
    if (hint) expect(error.message).toContain(hint);
    expect(x.data.every((v) => v === 1)).toBe(true);
  });

  it("of another kind of layer is none", async () => {
    for (const call of [
      () => depthwise(x, filters, { groups: 4 }),
      () => separable(x, filters, mix, { groups: 4 }),
      () => pointwise(x, tensor(1, 1, 4, 7), { depthwiseBias: [] }),
    ])
      expect(await failure(call)).toMatchObject({ parameter: "options key", code: "INVALID_ARGUMENT" });
  });
});

describe("prepare", () => {
  const problem = engine.layerProblem("separableConv2d", {
    x: x.shape,
    depthwise: filters.shape,
    pointwise: mix.shape,
  });
  const weights = { depthwise: filters, pointwise: mix };
  const filter = engine.filterProblem({ width: 4, height: 4, channels: 1, dtype: "u8" }, "box");
  const inverted = { x: [1, 6, 5, 4], expand: [1, 1, 4, 9], depthwise: [3, 3, 9, 1], project: [1, 1, 9, 4] };
  const prepared = engine.prepare(problem, weights);
  const prepare: Call = (...given) => untyped.prepare!(...given);
  const make: Call = (...given) => untyped.layerProblem!(...given);
  const made = "a problem made by engine.layerProblem";
  const key = "one of depthwise, depthwiseBias, pointwise, bias";

  const table: Row[] = [
    [() => prepare(undefined, weights), "problem", made, "undefined"],
    [() => prepare({ kind: "conv" }, weights), "problem", made, "an object with keys kind"],
    [() => prepare(filter, weights), "problem", made, expect.any(String)],
    [() => prepare(problem), "depthwise", fourSides, "undefined"],
    [() => prepare(problem, { ...weights, weight }), "weights key", key, '"weight"'],
    [() => prepare(problem, { pointwise: mix }), "depthwise", fourSides, "undefined"],
    [() => prepare(problem, { ...weights, pointwise: tensor(1, 1, 7, 8) }), "pointwise", "[1, 1, 8, 7]", "[1, 1, 7, 8]"],
    [() => prepare(problem, { ...weights, bias: [1] }), "bias", "7 numbers", "[1]"],
    [() => prepare(problem, weights, { strategy: "winograd" }), "strategy", expect.any(String), '"winograd"'],
    [() => make("conv3d", {}), "kind", expect.stringContaining("one of conv2d, "), '"conv3d"'],
    [() => make("conv2d"), "x", fourSides, "undefined"],
    [() => make("invertedResidual", inverted, { residual: true }), "residual", "a result of the input's shape [1, 6, 5, 4]", "[1, 4, 3, 4]"],
    [() => make("invertedResidual", { ...inverted, depthwise: [3, 3, 9, 2] }), "depthwise", "a depth multiplier of 1", "[3, 3, 9, 2]"],
    [async () => (await prepared).run(planes), "x", "the layer's [1, 6, 5, 4]", "[1, 4, 6, 5]"],
    [async () => (await prepared).run(x, { out: new Float32Array(3) }), "out", "a Float32Array of 84 elements", "Float32Array(3)"],
    [async () => (await prepared).run(x, { bias: [] } as object), "options key", "one of out, signal, onProgress", '"bias"'],
  ]; // biome-ignore format: a table

  it.each(table)("%s: %s", async (call, parameter, expected, received) => {
    await prepared;
    const error = await failure(call);
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", parameter, expected, received });
  });
});

describe("a layer too large for the memory", () => {
  it.each<[string, () => unknown]>([
    ["its result", () => conv(x, weight, { pads: [1e6, 1e6, 1e6, 1e6] })],
    ["its result along one axis", () => conv(x, weight, { pads: [2 ** 40, 0, 0, 0] })],
    ["its input", async () => {
      const small = await createEngine({ backend: "wasm", threads: 1, maxMemory: 2 ** 20 });
      return small.pointwiseConv2d(tensor(1, 600, 600, 4), tensor(1, 1, 4, 4)).finally(() => small.dispose());
    }],
    ["prepared", () => engine.prepare(
      engine.layerProblem("conv2d", { x: x.shape, weight: weight.shape }, { pads: [1e6, 1e6, 1e6, 1e6] }),
      { weight },
    )],
  ])("%s", async (_what, call) => {
    const error = await failure(call);
    expect(error).toBeInstanceOf(LimitError);
    expect(error).toMatchObject({ code: "LIMIT_EXCEEDED", parameter: "maxMemory" });
    expect(error.message).toContain("raise it with createEngine({ maxMemory })");
  }); // biome-ignore format: a table
});

it("after all these errors the engine still works", async () => {
  const { data } = await engine.conv2d(x, weight);
  expect(data).toEqual(new Float32Array(84).fill(36));
});

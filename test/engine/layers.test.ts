// Layers by the engine's public calls: what each computes in both orders of data, and what becomes of calls, weights and
// memory. test/run/layers.test.ts tries every plan; this is about the engine around them.
import { afterAll, describe, expect, it } from "vitest";
import type { LayerCallOptions, LayerTensors } from "../../src/engine/layers.ts";
import {
  type Activation,
  createEngine,
  type Engine,
  type EngineOptions,
  explain,
  type LayerKind,
  type LayerProblem,
} from "../../src/index.ts";
import type { LayerOptions } from "../../src/plan/layer-problem.ts";
import type { F32Tensor } from "../../src/tensor.ts";
import { conv, depthwise, type Layer, outSide, pointwiseAfter, worstError } from "../layer-oracle.ts";
import { permute, type Shape4 } from "../layers/permute.ts";
import { random } from "../oracle.ts";
import { strategiesOf } from "../strategies.ts";
import { testEngines } from "./engines.ts";

const next = random(11);
const values = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * next() - 1);
const tensor = (...shape: number[]): F32Tensor => ({ shape, data: values(shape.reduce((a, b) => a * b, 1)) });

/** A layer in TensorFlow's orders, and what its definition gives. */
interface Sample {
  kind: LayerKind;
  x: F32Tensor;
  weights: Record<string, F32Tensor>;
  biases: Record<string, Float32Array>;
  options: LayerOptions;
  wanted: (x: ArrayLike<number>) => Float64Array;
}

const sides = { images: 2, height: 9, width: 8 };
const pads = [1, 0, 2, 1] as const;
const where = { ...sides, inputs: 6, strides: [2, 1], dilations: [1, 2], pads: [...pads] } satisfies Partial<Layer>;
const window = { strides: [2, 1], dilations: [1, 2], pads } as const;
const layer: Layer = { ...where, size: [3, 2] } as Layer;
const whole: Layer = { ...layer, size: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };

/** Layers of every kind, whose channels fill no vectors; without activations where that is asked for. */
function samples(linear = false): [string, Sample][] {
  const x = tensor(2, 9, 8, 6);
  const by = (activation: Activation): Activation => (linear ? "none" : activation);
  const make = (kind: LayerKind, sample: Omit<Sample, "kind" | "x">): Sample => ({ kind, x, ...sample });
  const convOf = (weight: F32Tensor, groups: number): Sample => {
    const [outputs, bias] = [weight.shape[3]!, values(weight.shape[3]!)];
    return make("conv2d", {
      ...{ weights: { weight }, biases: { bias }, options: { ...window, groups, activation: by("relu6") } },
      wanted: (x) => conv(layer, x, weight.data, bias, { outputs, groups, activation: by("relu6") }),
    });
  };
  const [filters, mix] = [tensor(3, 2, 6, 2), tensor(1, 1, 6, 7)];
  const [two, seven] = [values(12), values(7)];
  const [deep, wide] = [tensor(3, 2, 6, 2), tensor(1, 1, 12, 7)];
  const [expand, middle, project, ten] = [tensor(1, 1, 6, 10), tensor(3, 2, 10, 1), tensor(1, 1, 10, 7), values(10)];
  return [
    ["conv2d", convOf(tensor(3, 2, 6, 7), 1)],
    ["conv2d in 3 groups", convOf(tensor(3, 2, 2, 9), 3)],
    ["conv2d in as many groups as inputs", convOf(tensor(3, 2, 1, 12), 6)],
    [
      "depthwiseConv2d",
      make("depthwiseConv2d", {
        ...{ weights: { weight: filters }, biases: { bias: two }, options: { ...window, activation: by("silu") } },
        wanted: (x) => depthwise(layer, x, filters.data, two, { multiplier: 2, activation: by("silu") }),
      }),
    ],
    [
      "pointwiseConv2d",
      make("pointwiseConv2d", {
        ...{ weights: { weight: mix }, biases: { bias: seven }, options: { activation: by({ leakyRelu: 0.1 }) } },
        wanted: (x) => conv(whole, x, mix.data, seven, { outputs: 7, activation: by({ leakyRelu: 0.1 }) }),
      }),
    ],
    [
      "separableConv2d",
      make("separableConv2d", {
        ...{ weights: { depthwise: deep, pointwise: wide }, biases: { depthwiseBias: two, bias: seven } },
        options: { ...window, depthwiseActivation: by("relu"), activation: by("hard-swish") },
        wanted: (x) => {
          const between = depthwise(layer, x, deep.data, two, { multiplier: 2, activation: by("relu") });
          const after = pointwiseAfter(layer, 12);
          return conv(after, between, wide.data, seven, { outputs: 7, activation: by("hard-swish") });
        },
      }),
    ],
    [
      "invertedResidual",
      make("invertedResidual", {
        weights: { expand, depthwise: middle, project },
        biases: { expandBias: ten, depthwiseBias: ten, bias: seven },
        options: { ...window, expandActivation: by("relu6"), depthwiseActivation: by("relu6") },
        wanted: (x) => {
          const expanded = conv(whole, x, expand.data, ten, { outputs: 10, activation: by("relu6") });
          const filtered = depthwise({ ...layer, inputs: 10 }, expanded, middle.data, ten, { activation: by("relu6") });
          return conv(pointwiseAfter(layer, 10), filtered, project.data, seven, { outputs: 7 });
        },
      }),
    ],
  ];
}

/** The same layer in ONNX's orders. */
function inPlanes({ x, weights, ...rest }: Sample): Sample {
  const turned = ({ shape, data }: F32Tensor, order: Shape4): F32Tensor => ({
    ...{ shape: order.map((axis) => shape[axis]!), data: permute(data, shape as Shape4, order) },
  });
  const filters = (name: string): boolean => name === "depthwise" || rest.kind === "depthwiseConv2d";
  const turnedWeights = Object.entries(weights).map(([name, weight]): [string, F32Tensor] => {
    if (!filters(name)) return [name, turned(weight, [3, 2, 0, 1])];
    const [kh, kw, inputs, multiplier] = weight.shape as Shape4;
    const { data } = turned(weight, [2, 3, 0, 1]);
    return [name, { shape: [inputs * multiplier, 1, kh, kw], data }];
  });
  const options = { ...rest.options, dataFormat: "NCHW" as const };
  return { ...rest, x: turned(x, [0, 3, 1, 2]), weights: Object.fromEntries(turnedWeights), options };
}

/** The engine's own call of a sample. */
function call(engine: Engine, sample: Sample, options: LayerCallOptions = {}): Promise<F32Tensor> {
  const { kind, x, weights, biases } = sample;
  const all = { ...sample.options, ...biases, ...options };
  const given = Object.values(weights);
  if (kind === "separableConv2d") return engine.separableConv2d(x, given[0]!, given[1]!, all);
  if (kind === "invertedResidual") throw new Error("there is no call for it");
  return engine[kind](x, given[0]!, all);
}

const problemOf = (engine: Engine, { kind, x, weights, options }: Sample) => {
  const shapes = Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, shape]));
  return engine.layerProblem(kind, { x: x.shape, ...shapes }, options);
};

const prepare = (engine: Engine, sample: Sample, options?: { strategy?: string }) =>
  engine.prepare(problemOf(engine, sample), { ...sample.weights, ...sample.biases } as LayerTensors, options);

const tolerance = 2 ** -23 * 2000;
const inPixels = ({ data, shape }: F32Tensor): Float32Array => permute(data, shape as Shape4, [0, 2, 3, 1]);
const bits = (data: Float32Array): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");

const extra: Engine[] = [];
async function engineOf(options: EngineOptions): Promise<Engine> {
  const engine = await createEngine(options);
  extra.push(engine);
  return engine;
}
afterAll(() => {
  for (const engine of extra) engine.dispose();
});

describe.each(testEngines())("%s", (_name, created) => {
  it.each(samples())("%s is its definition: called and prepared, in both orders", async (_kind, sample) => {
    const engine = await created;
    const planes = inPlanes(sample);
    const wanted = sample.wanted(sample.x.data);
    const [outputs, rows, columns] = [
      Object.values(sample.weights).at(-1)!.shape,
      outSide(layer, 0),
      outSide(layer, 1),
    ];
    const channels = sample.kind === "depthwiseConv2d" ? 12 : outputs[3]!;
    const [height, width] = sample.kind === "pointwiseConv2d" ? [9, 8] : [rows, columns];
    for (const given of [sample, planes]) {
      const { x } = given;
      const prepared = await prepare(engine, given);
      const results = [await prepared.run(x), await prepared.run({ data: x.data, dims: x.shape })];
      if (given.kind !== "invertedResidual") results.push(await call(engine, given));
      for (const y of results) {
        expect(y.shape).toEqual(given === planes ? [2, channels, height, width] : [2, height, width, channels]);
        expect(worstError(given === planes ? inPixels(y) : y.data, wanted)).toBeLessThan(tolerance);
        expect(y.data.some(Number.isNaN)).toBe(false);
      }
      expect(prepared.bytes).toBeGreaterThan(0);
      prepared.dispose();
    }
  });

  it("takes biases and weights as lists, typed arrays, and tensors of either kind", async () => {
    const engine = await created;
    const [x, weight, bias] = [tensor(1, 4, 5, 3), tensor(3, 3, 3, 2), [0.5, -1]];
    const wanted = await engine.conv2d(x, weight, { bias });
    const dims = { data: weight.data, dims: weight.shape };
    for (const one of [Float32Array.from(bias), Float64Array.from(bias)]) {
      expect((await engine.conv2d(x, dims, { bias: one })).data).toEqual(wanted.data);
    }
    const problem = engine.layerProblem("conv2d", { x: x.shape, weight: weight.shape });
    const prepared = await engine.prepare(problem, {
      weight: dims,
      bias: { shape: [2], data: Float32Array.from(bias) },
    });
    expect((await prepared.run(x)).data).toEqual(wanted.data);
    prepared.dispose();
  });

  it("writes what it is given as out, and nothing else", async () => {
    const engine = await created;
    const [x, weight] = [tensor(1, 6, 5, 3), tensor(3, 3, 3, 1)];
    const { data } = await engine.depthwiseConv2d(x, weight, { pads: "same" });
    const memory = new Float32Array(data.length + 8).fill(77);
    const out = memory.subarray(4, -4);
    const y = await engine.depthwiseConv2d(x, weight, { pads: "same", out });
    expect(y.data).toBe(out);
    expect(out).toEqual(data);
    expect([...memory.subarray(0, 4), ...memory.subarray(-4)]).toEqual(Array(8).fill(77));
    const prepared = await engine.prepare(
      engine.layerProblem("depthwiseConv2d", { x: x.shape, weight: weight.shape }),
      {
        weight,
      },
    );
    const small = new Float32Array(4 * 3 * 3);
    expect((await prepared.run(x, { out: small })).data).toBe(small);
    prepared.dispose();
  });

  it("gives output channel c · multiplier + m what filter m makes of channel c", async () => {
    const x = { shape: [1, 1, 1, 5], data: Float32Array.from([1, 2, 3, 4, 5]) };
    const weight = { shape: [1, 1, 5, 3], data: Float32Array.from({ length: 15 }, (_, i) => 10 ** (i % 3)) };
    const { data } = await (await created).depthwiseConv2d(x, weight);
    expect([...data]).toEqual([1, 10, 100, 2, 20, 200, 3, 30, 300, 4, 40, 400, 5, 50, 500]);
  });

  it.each(["sigmoid", "silu"] as const)("has a relative error below 2^-21 in %s", async (activation) => {
    const x = { shape: [1, 40, 40, 8], data: Float32Array.from({ length: 12800 }, (_, i) => i / 80 - 80) };
    const weight = { shape: [1, 1, 8, 1], data: new Float32Array(8).fill(1) };
    const { data } = await (await created).depthwiseConv2d(x, weight, { activation });
    const worst = data.reduce((most, got, i) => {
      const wanted = (activation === "silu" ? x.data[i]! : 1) / (1 + Math.exp(-x.data[i]!));
      return Math.max(most, wanted === 0 ? Math.abs(got) : Math.abs(got / wanted - 1));
    }, 0);
    expect(worst).toBeLessThan(2 ** -21);
  });

  it("counts the fraction done, up to 1", async () => {
    const seen: number[] = [];
    const [x, weight] = [tensor(1, 40, 30, 3), tensor(3, 3, 3, 4)];
    await (await created).conv2d(x, weight, { onProgress: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it("stops where a signal says so, before and during, and stays usable", async () => {
    const engine = await created;
    const [x, weight, small] = [tensor(1, 192, 192, 32), tensor(5, 5, 32, 32), tensor(1, 7, 7, 32)];
    const wanted = await engine.conv2d(small, weight);
    const out = new Float32Array(188 * 188 * 32).fill(77);
    const reason = new Error("enough");
    await expect(engine.conv2d(x, weight, { out, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const during = new AbortController();
    const onProgress = () => during.abort(reason);
    await expect(engine.conv2d(x, weight, { out, signal: during.signal, onProgress })).rejects.toBe(reason);
    const waiting = new AbortController();
    const [first, second] = [engine.conv2d(small, weight), engine.conv2d(x, weight, { out, signal: waiting.signal })];
    waiting.abort(reason);
    await expect(second).rejects.toBe(reason);
    expect(out.every((v) => v === 77)).toBe(true);
    expect((await first).data).toEqual(wanted.data);
    expect((await engine.conv2d(small, weight)).data).toEqual(wanted.data);
  });

  it("serves calls in the order in which they came", async () => {
    const engine = await created;
    const [weight, order] = [tensor(3, 3, 8, 8), [] as number[]];
    const heights = [40, 3, 20, 3];
    const calls = heights.map(async (height, i) => {
      const { shape } = await engine.conv2d(tensor(1, height, 20, 8), weight);
      order.push(i);
      return shape[1];
    });
    expect(await Promise.all(calls)).toEqual(heights.map((height) => height - 2));
    expect(order).toEqual([0, 1, 2, 3]);
  });
});

/** Where tiles and columns are shared by several outputs. */
function shared(): [string, Sample][] {
  const x = tensor(1, 8, 6, 5);
  const base: Layer = { ...layer, images: 1, height: 8, width: 6, inputs: 5, size: [3, 3], strides: [1, 1] };
  const same: Layer = { ...base, dilations: [1, 1], pads: [1, 1, 1, 1] };
  const weight = tensor(3, 3, 5, 7);
  const product = Float32Array.from({ length: 45 }, (_, i) => (1 + Math.floor(i / 15)) * (1 + (i % 15)));
  const rank1 = { shape: [3, 3, 5, 1], data: product };
  const given = { x, biases: {}, options: { pads: "same" } } as const;
  return [
    [
      "3 x 3 conv2d",
      {
        ...{ kind: "conv2d", ...given, weights: { weight } },
        wanted: (x) => conv(same, x, weight.data, undefined, { outputs: 7 }),
      },
    ],
    [
      "depthwiseConv2d of rank 1",
      {
        ...{ kind: "depthwiseConv2d", ...given, weights: { weight: rank1 } },
        wanted: (x) => depthwise(same, x, product, undefined),
      },
    ],
  ];
}

describe.each(testEngines())("%s, given what is no number", (_name, created) => {
  const all = [...samples(true), ...shared()];
  it.each(all)("%s spreads it to the outputs that see it, until the next call", async (_kind, sample) => {
    const engine = await created;
    const first = await prepare(engine, sample);
    first.dispose();
    for (const strategy of strategiesOf(first.plan)) {
      const prepared = await prepare(engine, sample, { strategy });
      const clean = bits((await prepared.run(sample.x)).data);
      for (const [i, value] of [NaN, Infinity, -Infinity].entries()) {
        const data = sample.x.data.slice();
        data[Math.floor(((i + 0.5) * data.length) / 3)] = value;
        const [y, wanted] = [await prepared.run({ ...sample.x, data }), sample.wanted(data)];
        const finite = (numbers: ArrayLike<number>): string => Array.from(numbers, (v) => +Number.isFinite(v)).join("");
        expect(finite(y.data), `${strategy}, ${value}`).toBe(finite(wanted));
        expect(finite(wanted)).toMatch(/0/);
        expect(finite(wanted)).toMatch(/1/);
      }
      expect(bits((await prepared.run(sample.x)).data)).toBe(clean);
      prepared.dispose();
    }
  });
});

describe("bits", () => {
  const modes = [{}, { threads: 2 }, { deterministic: true }, { threads: 2, deterministic: true }];
  const engines = Promise.all(modes.map((mode) => engineOf({ backend: "wasm", threads: 1, ...mode })));
  it.each(samples())(
    "%s: equal on one thread and two; without fused multiply-adds nearly so",
    async (_kind, sample) => {
      const results: Float32Array[] = [];
      for (const engine of await engines) {
        const prepared = await prepare(engine, sample);
        results.push((await prepared.run(sample.x)).data);
        prepared.dispose();
      }
      const [one, two, plain, plainTwo] = results as [Float32Array, Float32Array, Float32Array, Float32Array];
      expect(bits(two)).toBe(bits(one));
      expect(bits(plainTwo)).toBe(bits(plain));
      expect(worstError(plain, Float64Array.from(one))).toBeLessThan(tolerance);
    },
  );
});

describe("packed weights", () => {
  const x = tensor(1, 8, 8, 8);

  it("are found again by the arrays that hold them", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1 });
    const [weight, other, bias] = [tensor(3, 3, 8, 8), tensor(3, 3, 8, 8), values(8)];
    const counts: number[] = [];
    const run = async (w: F32Tensor, options: LayerCallOptions = {}): Promise<void> => {
      await engine.conv2d(x, w, options);
      counts.push(engine.info().programs.count);
    };
    await run(weight);
    await run({ shape: [...weight.shape], data: weight.data });
    await run(other);
    await run(weight, { bias });
    await run(weight, { bias });
    await run(weight, { bias, pads: "same" });
    await run(weight);
    expect(counts).toEqual([1, 1, 2, 3, 3, 4, 4]);
    expect(engine.info().programs.bytes).toBeGreaterThan(4 * 4 * weight.data.length);
    expect(engine.info().programs.bytes).toBeLessThanOrEqual(engine.info().bytes);
  });

  it("go where they exceed a quarter of the memory, the least recently used first", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1, maxMemory: 2 ** 22 });
    const weights = Array.from({ length: 8 }, () => tensor(5, 5, 32, 64));
    const x = tensor(1, 6, 6, 32);
    const first = await engine.conv2d(x, weights[0]!);
    for (const weight of weights) {
      await engine.conv2d(x, weight);
      expect(engine.info().programs.bytes).toBeLessThanOrEqual(2 ** 20);
      expect(engine.info().programs.count).toBeGreaterThan(0);
    }
    expect(engine.info().programs.count).toBeLessThan(weights.length);
    expect((await engine.conv2d(x, weights[0]!)).data).toEqual(first.data);
  });
});

describe("prepare", () => {
  const [x, weight] = [tensor(1, 8, 8, 16), tensor(3, 3, 16, 16)];
  const shapes = { x: x.shape, weight: weight.shape };

  it("gives its memory back when it is disposed of, after the calls that wait", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1, maxMemory: 2 ** 20 });
    const problem = engine.layerProblem("conv2d", shapes);
    const wanted = (await engine.conv2d(x, weight)).data;
    for (let turn = 0; turn < 40; turn++) {
      const prepared = await engine.prepare(problem, { weight });
      const waiting = prepared.run(x);
      prepared.dispose();
      prepared.dispose();
      expect((await waiting).data).toEqual(wanted);
      await expect(prepared.run(x)).rejects.toMatchObject({ code: "DISPOSED", parameter: "layer" });
    }
  });

  it("takes problems and gives plans that survive JSON and explain themselves", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1 });
    for (const [, sample] of samples()) {
      const problem = problemOf(engine, sample);
      const stored = JSON.parse(JSON.stringify(problem));
      expect(stored).toEqual(problem);
      const prepared = await engine.prepare(stored, { ...sample.weights, ...sample.biases } as LayerTensors);
      expect(worstError((await prepared.run(sample.x)).data, sample.wanted(sample.x.data))).toBeLessThan(tolerance);
      const plan = JSON.parse(JSON.stringify(prepared.plan));
      expect(plan).toEqual(prepared.plan);
      const text = explain(plan);
      expect(text).toBe(explain(prepared.plan));
      expect(text).toContain(`> ${prepared.plan.solver}`);
      expect(text).toMatch(/chosen/);
      expect(text).not.toMatch(/undefined|NaN|object/);
      prepared.dispose();
    }
  });

  it("finds depthwise filters that are a column times a row", async () => {
    const engine = await engineOf({ backend: "reference" });
    const [, sample] = shared()[1]!;
    const prepared = await prepare(engine, sample);
    expect(prepared.plan.problem).toMatchObject({ kind: "depthwise", spatiallySeparable: true });
    prepared.dispose();
  });

  it("is of no use after its engine's end", async () => {
    const engine = await createEngine({ backend: "wasm", threads: 2 });
    const prepared = await engine.prepare(engine.layerProblem("conv2d", shapes), { weight });
    engine.dispose();
    const gone = { code: "DISPOSED", parameter: "engine" };
    await expect(prepared.run(x)).rejects.toMatchObject(gone);
    await expect(engine.conv2d(x, weight)).rejects.toMatchObject(gone);
    await expect(engine.prepare(prepared.plan.problem as LayerProblem, { weight })).rejects.toMatchObject(gone);
    prepared.dispose();
  });
});

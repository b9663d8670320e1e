// Layers of every kind with what they compute by definition, and how tests ask an engine for one. Each is seeded by itself.
import type { LayerCallOptions, LayerTensors } from "../../src/engine/layers.ts";
import type { Activation, Engine, LayerKind } from "../../src/index.ts";
import type { LayerOptions } from "../../src/plan/layer-problem.ts";
import type { F32Tensor } from "../../src/tensor.ts";
import { conv, depthwise, type Layer, outSide, pointwiseAfter } from "../layer-oracle.ts";
import { random } from "../oracle.ts";
import { permute, type Shape4 } from "./permute.ts";
import type { Shape } from "./shapes.ts";

/** Numbers in -1..1, the same for the same seed. */
export function drawn(seed: number) {
  const next = random(seed);
  const values = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * next() - 1);
  const tensor = (...shape: number[]): F32Tensor => ({ shape, data: values(shape.reduce((a, b) => a * b, 1)) });
  return { values, tensor };
}

/** A layer in TensorFlow's orders, and what its definition gives. */
export interface Sample {
  kind: LayerKind;
  x: F32Tensor;
  weights: Record<string, F32Tensor>;
  biases: Record<string, Float32Array>;
  options: LayerOptions;
  wanted: (x: ArrayLike<number>) => Float64Array;
  /** How many products an output sums, at most. */
  depth: number;
}

type Draw = ReturnType<typeof drawn>;
type Made = Omit<Sample, "x">;

/** What goes after each of at most three steps; whether an inverted residual adds its input, where it can. */
export interface Between {
  first: Activation;
  middle: Activation;
  last: Activation;
  residual?: boolean;
}

const windowOf = ({ strides, dilations, pads }: Shape): LayerOptions => ({ strides, dilations, pads });
const areaOf = ({ size }: Shape): number => size[0] * size[1];
/** The layer that mixes the channels of x. */
const whole = (shape: Shape): Layer => ({
  ...{ ...shape, size: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
});

type Maker = (shape: Shape, draw: Draw, between: Between) => Made;

const convolution: Maker = (shape, { values, tensor }, { last: activation }) => {
  const { inputs, outputs, groups } = shape;
  const [weight, bias] = [tensor(...shape.size, inputs / groups, outputs), values(outputs)];
  return {
    ...{ kind: "conv2d", weights: { weight }, biases: { bias } },
    options: { ...windowOf(shape), groups, activation },
    wanted: (x) => conv(shape, x, weight.data, bias, { outputs, groups, activation }),
    depth: (areaOf(shape) * inputs) / groups,
  };
};

const filtered: Maker = (shape, { values, tensor }, { last: activation }) => {
  const { inputs, multiplier, size } = shape;
  const [weight, bias] = [tensor(...size, inputs, multiplier), values(inputs * multiplier)];
  return {
    ...{ kind: "depthwiseConv2d", weights: { weight }, biases: { bias } },
    options: { ...windowOf(shape), activation },
    wanted: (x) => depthwise(shape, x, weight.data, bias, { multiplier, activation }),
    depth: areaOf(shape),
  };
};

/** Every filter is a column times a row, of small integers. */
const filteredTwice: Maker = (shape, { values }, { last: activation }) => {
  const { inputs, size } = shape;
  const integers = (length: number): Float32Array => values(length).map((value) => Math.ceil(Math.abs(4 * value)));
  const [column, row, bias] = [integers(size[0] * inputs), integers(size[1] * inputs), values(inputs)];
  const product = Float32Array.from({ length: areaOf(shape) * inputs }, (_, i) => {
    const [tap, c] = [Math.floor(i / inputs), i % inputs];
    return column[Math.floor(tap / size[1]) * inputs + c]! * row[(tap % size[1]) * inputs + c]!;
  });
  return {
    ...{
      kind: "depthwiseConv2d",
      weights: { weight: { shape: [...size, inputs, 1], data: product } },
      biases: { bias },
    },
    options: { ...windowOf(shape), activation },
    wanted: (x) => depthwise(shape, x, product, bias, { activation }),
    // In units of weights up to 1.
    depth: 16 * areaOf(shape),
  };
};

const mixed: Maker = (shape, { values, tensor }, { last: activation }) => {
  const { inputs, outputs } = shape;
  const [weight, bias] = [tensor(1, 1, inputs, outputs), values(outputs)];
  return {
    ...{ kind: "pointwiseConv2d", weights: { weight }, biases: { bias }, options: { activation } },
    wanted: (x) => conv(whole(shape), x, weight.data, bias, { outputs, activation }),
    depth: inputs,
  };
};

const separable: Maker = (shape, { values, tensor }, { middle, last: activation }) => {
  const { inputs, multiplier, outputs, size } = shape;
  const channels = inputs * multiplier;
  const [deep, wide] = [tensor(...size, inputs, multiplier), tensor(1, 1, channels, outputs)];
  const [depthwiseBias, bias] = [values(channels), values(outputs)];
  return {
    ...{ kind: "separableConv2d", weights: { depthwise: deep, pointwise: wide }, biases: { depthwiseBias, bias } },
    options: { ...windowOf(shape), depthwiseActivation: middle, activation },
    wanted: (x) => {
      const between = depthwise(shape, x, deep.data, depthwiseBias, { multiplier, activation: middle });
      return conv(pointwiseAfter(shape, channels), between, wide.data, bias, { outputs, activation });
    },
    depth: areaOf(shape) * channels,
  };
};

const inverted: Maker = (shape, { values, tensor }, { first, middle, last: activation, residual: wished = false }) => {
  const { inputs, middle: channels, size, height, width } = shape;
  const residual = wished && outSide(shape, 0) === height && outSide(shape, 1) === width;
  const outputs = residual ? inputs : shape.outputs;
  const [expand, deep] = [tensor(1, 1, inputs, channels), tensor(...size, channels, 1)];
  const project = tensor(1, 1, channels, outputs);
  const [expandBias, depthwiseBias, bias] = [values(channels), values(channels), values(outputs)];
  return {
    ...{ kind: "invertedResidual", weights: { expand, depthwise: deep, project } },
    biases: { expandBias, depthwiseBias, bias },
    options: {
      ...{ ...windowOf(shape), expandActivation: first, depthwiseActivation: middle, activation, residual },
    },
    wanted: (x) => {
      const expanded = conv(whole(shape), x, expand.data, expandBias, { outputs: channels, activation: first });
      const filters: Layer = { ...shape, inputs: channels };
      const between = depthwise(filters, expanded, deep.data, depthwiseBias, { activation: middle });
      const added = residual ? x : undefined;
      return conv(pointwiseAfter(shape, channels), between, project.data, bias, { outputs, activation, added });
    },
    depth: areaOf(shape) * inputs * channels,
  };
};

/** What a layer of each kind is made by, of any shape. */
export const makers = {
  ...{ conv2d: convolution, depthwiseConv2d: filtered, "depthwiseConv2d of rank 1": filteredTwice },
  ...{ pointwiseConv2d: mixed, separableConv2d: separable, invertedResidual: inverted },
} as const satisfies Record<string, Maker>;

/** A layer of a shape, with numbers of the shape's seed. */
export function sampleOf(kind: keyof typeof makers, shape: Shape, between: Between): Sample {
  const draw = drawn(shape.seed);
  const { images, height, width, inputs } = shape;
  return { x: draw.tensor(images, height, width, inputs), ...makers[kind](shape, draw, between) };
}

/** The shape of samples: channels that fill no vectors, and pads, strides and dilations of all kinds. */
export const layer: Shape = {
  ...{ images: 2, height: 9, width: 8, inputs: 6, outputs: 7, groups: 1, multiplier: 2, middle: 10, seed: 0 },
  ...{ size: [3, 2], strides: [2, 1], dilations: [1, 2], pads: [1, 0, 2, 1] },
};

const none: Between = { first: "none", middle: "none", last: "none" };

/** Layers of every kind; without activations where that is asked for. */
export function samples(linear = false): [string, Sample][] {
  const kinds: [string, keyof typeof makers, Partial<Shape>, Partial<Between>][] = [
    ["conv2d", "conv2d", {}, { last: "relu6" }],
    ["conv2d in 3 groups", "conv2d", { groups: 3, outputs: 9 }, { last: "relu6" }],
    ["conv2d in as many groups as inputs", "conv2d", { groups: 6, outputs: 12 }, { last: "relu6" }],
    ["depthwiseConv2d", "depthwiseConv2d", {}, { last: "silu" }],
    ["pointwiseConv2d", "pointwiseConv2d", {}, { last: { leakyRelu: 0.1 } }],
    ["separableConv2d", "separableConv2d", {}, { middle: "relu", last: "hardSwish" }],
    ["invertedResidual", "invertedResidual", {}, { first: "relu6", middle: "relu6" }],
  ];
  return kinds.map(([title, kind, change, between], seed) => [
    title,
    sampleOf(kind, { ...layer, ...change, seed }, { ...none, ...(linear ? {} : between) }),
  ]);
}

/** Where tiles and columns are shared by several outputs. */
export function shared(): [string, Sample][] {
  const same: Shape = {
    ...{ ...layer, images: 1, height: 8, width: 6, inputs: 5, multiplier: 1, seed: 50 },
    ...{ size: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] },
  };
  return [
    ["3 x 3 conv2d", sampleOf("conv2d", same, none)],
    ["depthwiseConv2d of rank 1", sampleOf("depthwiseConv2d of rank 1", same, none)],
  ];
}

/** The same layer in ONNX's orders. */
export function inPlanes({ x, weights, ...rest }: Sample): Sample {
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
export function call(engine: Engine, sample: Sample, options: LayerCallOptions = {}): Promise<F32Tensor> {
  const { kind, x, weights, biases } = sample;
  const all = { ...sample.options, ...biases, ...options };
  const given = Object.values(weights);
  if (kind === "separableConv2d") return engine.separableConv2d(x, given[0]!, given[1]!, all);
  if (kind === "invertedResidual") throw new Error("there is no call for it");
  return engine[kind](x, given[0]!, all);
}

export const problemOf = (engine: Engine, { kind, x, weights, options }: Sample) => {
  const shapes = Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, shape]));
  return engine.layerProblem(kind, { x: x.shape, ...shapes }, options);
};

export const prepare = (engine: Engine, sample: Sample, options?: { strategy?: string }) =>
  engine.prepare(problemOf(engine, sample), { ...sample.weights, ...sample.biases } as LayerTensors, options);

/** What sums in f32 may miss, in units of 1 + the value. */
export const tolerance = 2 ** -23 * 2000;

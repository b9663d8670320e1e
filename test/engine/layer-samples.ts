// Layers of every kind with what they compute by definition, and how tests ask an engine for one. Each is seeded by itself.
import type { LayerCallOptions, LayerTensors } from "../../src/engine/layers.ts";
import type { Activation, Engine, LayerKind } from "../../src/index.ts";
import type { LayerOptions } from "../../src/plan/layer-problem.ts";
import type { F32Tensor } from "../../src/tensor.ts";
import { conv, depthwise, type Layer, pointwiseAfter } from "../layer-oracle.ts";
import { permute, type Shape4 } from "../layers/permute.ts";
import { random } from "../oracle.ts";

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
}

const sides = { images: 2, height: 9, width: 8 };
const pads = [1, 0, 2, 1] as const;
const where = { ...sides, inputs: 6, strides: [2, 1], dilations: [1, 2], pads: [...pads] } satisfies Partial<Layer>;
const window = { strides: [2, 1], dilations: [1, 2], pads } as const;
/** Where the windows of samples lie. */
export const layer: Layer = { ...where, size: [3, 2] } as Layer;
const whole: Layer = { ...layer, size: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };

type Draw = ReturnType<typeof drawn>;
type Made = Omit<Sample, "x">;
/** What an activation is replaced by where layers are to be linear. */
type By = (activation: Activation) => Activation;

const convolution =
  (groups: number, each: number, outputs: number) =>
  ({ values, tensor }: Draw, by: By): Made => {
    const [weight, bias, activation] = [tensor(3, 2, each, outputs), values(outputs), by("relu6")];
    return {
      ...{ kind: "conv2d", weights: { weight }, biases: { bias }, options: { ...window, groups, activation } },
      wanted: (x) => conv(layer, x, weight.data, bias, { outputs, groups, activation }),
    };
  };

function filtered({ values, tensor }: Draw, by: By): Made {
  const [weight, bias, activation] = [tensor(3, 2, 6, 2), values(12), by("silu")];
  return {
    ...{ kind: "depthwiseConv2d", weights: { weight }, biases: { bias }, options: { ...window, activation } },
    wanted: (x) => depthwise(layer, x, weight.data, bias, { multiplier: 2, activation }),
  };
}

function mixed({ values, tensor }: Draw, by: By): Made {
  const [weight, bias, activation] = [tensor(1, 1, 6, 7), values(7), by({ leakyRelu: 0.1 })];
  return {
    ...{ kind: "pointwiseConv2d", weights: { weight }, biases: { bias }, options: { activation } },
    wanted: (x) => conv(whole, x, weight.data, bias, { outputs: 7, activation }),
  };
}

function separable({ values, tensor }: Draw, by: By): Made {
  const [deep, wide] = [tensor(3, 2, 6, 2), tensor(1, 1, 12, 7)];
  const [depthwiseBias, bias] = [values(12), values(7)];
  const [depthwiseActivation, activation] = [by("relu"), by("hardSwish")];
  return {
    ...{ kind: "separableConv2d", weights: { depthwise: deep, pointwise: wide }, biases: { depthwiseBias, bias } },
    options: { ...window, depthwiseActivation, activation },
    wanted: (x) => {
      const between = depthwise(layer, x, deep.data, depthwiseBias, { multiplier: 2, activation: depthwiseActivation });
      return conv(pointwiseAfter(layer, 12), between, wide.data, bias, { outputs: 7, activation });
    },
  };
}

function inverted({ values, tensor }: Draw, by: By): Made {
  const [expand, middle, project] = [tensor(1, 1, 6, 10), tensor(3, 2, 10, 1), tensor(1, 1, 10, 7)];
  const [expandBias, depthwiseBias, bias, activation] = [values(10), values(10), values(7), by("relu6")];
  return {
    ...{ kind: "invertedResidual", weights: { expand, depthwise: middle, project } },
    biases: { expandBias, depthwiseBias, bias },
    options: { ...window, expandActivation: activation, depthwiseActivation: activation },
    wanted: (x) => {
      const expanded = conv(whole, x, expand.data, expandBias, { outputs: 10, activation });
      const between = depthwise({ ...layer, inputs: 10 }, expanded, middle.data, depthwiseBias, { activation });
      return conv(pointwiseAfter(layer, 10), between, project.data, bias, { outputs: 7 });
    },
  };
}

const kinds: [string, (draw: Draw, by: By) => Made][] = [
  ["conv2d", convolution(1, 6, 7)],
  ["conv2d in 3 groups", convolution(3, 2, 9)],
  ["conv2d in as many groups as inputs", convolution(6, 1, 12)],
  ["depthwiseConv2d", filtered],
  ["pointwiseConv2d", mixed],
  ["separableConv2d", separable],
  ["invertedResidual", inverted],
];

/** Layers of every kind, whose channels fill no vectors; without activations where that is asked for. */
export function samples(linear = false): [string, Sample][] {
  const by: By = (activation) => (linear ? "none" : activation);
  return kinds.map(([title, make], i) => {
    const draw = drawn(i);
    return [title, { x: draw.tensor(2, 9, 8, 6), ...make(draw, by) }];
  });
}

/** Where tiles and columns are shared by several outputs. */
export function shared(): [string, Sample][] {
  const { tensor } = drawn(50);
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

// Layers for tests: shapes that have broken someone's code, random ones, and their data.
import fc from "fast-check";
import { conv, depthwise, type Layer, outSide, pointwiseAfter } from "../layer-oracle.ts";
import { random } from "../oracle.ts";

export interface LayerCase extends Layer {
  kind: "conv" | "depthwise" | "separable";
  /** Of conv and separable. */
  outputs: number;
  /** Of conv; divides inputs and outputs. */
  groups: number;
  /** Of depthwise and separable. */
  multiplier: number;
  seed: number;
}

/** f32 data: x in NHWC, weights in TensorFlow's orders. */
export interface LayerData {
  x: Float32Array;
  /** conv [kh, kw, inputs / groups, outputs], else [kh, kw, inputs, multiplier]. */
  weight: Float32Array;
  /** Of separable: [1, 1, inputs · multiplier, outputs]. */
  pointwise: Float32Array;
}

const plain = {
  ...{ images: 1, height: 9, width: 8, inputs: 4, outputs: 6, groups: 1, multiplier: 1, seed: 1 },
  ...{ size: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
} satisfies Omit<LayerCase, "kind">;

const hard: [name: string, change: Partial<LayerCase>][] = [
  ["3 × 3, padded as usual", { pads: [1, 1, 1, 1] }],
  ["1 × 5, stride 2", { size: [1, 5], strides: [2, 2], pads: [0, 2, 0, 2] }],
  ["5 × 1, stride 2", { size: [5, 1], strides: [2, 2], pads: [2, 0, 2, 0] }],
  ["1 × 5 on one row, strides 1 and 2", { height: 1, width: 13, size: [1, 5], strides: [1, 2], pads: [0, 1, 0, 2] }],
  ["1 × 1, stride 2", { size: [1, 1], strides: [2, 2] }],
  ["2 × 4, pads of four kinds", { size: [2, 4], pads: [0, 1, 2, 3] }],
  ["strides 3 and 1 beyond the window", { size: [2, 2], strides: [3, 1] }],
  ["dilations 2 and 3", { size: [3, 2], dilations: [2, 3], pads: [2, 1, 2, 2] }],
  ["strides and dilations at once", { strides: [2, 1], dilations: [1, 2], pads: [1, 2, 1, 2] }],
  ["a window larger than the input", { height: 2, width: 3, size: [5, 7], pads: [2, 3, 2, 3] }],
  ["one pixel", { height: 1, width: 1, pads: [1, 1, 1, 1] }],
  ["outputs that see only zeros", { height: 2, width: 2, size: [1, 1], pads: [1, 2, 1, 2] }],
  ["many channels", { inputs: 35, outputs: 19, images: 2 }],
  ["one channel", { inputs: 1, outputs: 1, pads: [1, 1, 1, 1] }],
  ["depth multiplier 3", { multiplier: 3, pads: [1, 1, 1, 1] }],
];

/** Every hard shape as every kind, and convolutions in groups. */
export const hardCases: [name: string, LayerCase][] = [
  ...(["conv", "depthwise", "separable"] as const).flatMap((kind) =>
    hard.map(([name, change]): [string, LayerCase] => [`${kind}, ${name}`, { ...plain, ...change, kind }]),
  ),
  ["conv, 2 groups", { ...plain, kind: "conv", groups: 2, pads: [1, 0, 1, 2] }],
  ["conv, a group for each input", { ...plain, kind: "conv", groups: 4, outputs: 8, strides: [2, 2] }],
];

const small = (max: number) => fc.integer({ min: 1, max });
const pair = (max: number) => fc.tuple(small(max), small(max));

export const randomCases: fc.Arbitrary<LayerCase> = fc
  .record({
    kind: fc.constantFrom("conv", "depthwise", "separable"),
    ...{ images: small(2), height: small(10), width: small(10), size: pair(5), strides: pair(3), dilations: pair(3) },
    ...{ inputs: small(4), outputs: small(6), groups: small(3), multiplier: small(3), seed: small(1e6) },
    pads: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)),
  })
  .map((layer): LayerCase => {
    if (layer.kind !== "conv") return { ...layer, groups: 1 };
    return { ...layer, inputs: layer.inputs * layer.groups, outputs: layer.outputs * layer.groups };
  })
  .filter((layer) => outSide(layer, 0) > 0 && outSide(layer, 1) > 0);

export function dataFor({ kind, images, height, width, inputs, outputs, groups, multiplier, size, seed }: LayerCase) {
  const next = random(seed);
  const values = (length: number) => Float32Array.from({ length }, () => 2 * next() - 1);
  const taps = size[0] * size[1];
  const x = values(images * height * width * inputs);
  const weight = values(kind === "conv" ? (taps * inputs * outputs) / groups : taps * inputs * multiplier);
  return { x, weight, pointwise: values(kind === "separable" ? inputs * multiplier * outputs : 0) };
}

/** The result in NHWC by plain loops in f64. */
export function byLoops(layer: LayerCase, { x, weight, pointwise }: LayerData): Float64Array {
  const { kind, inputs, outputs, groups, multiplier } = layer;
  if (kind === "conv") return conv(layer, x, weight, undefined, { outputs, groups });
  const middle = depthwise(layer, x, weight, undefined, { multiplier });
  const after = pointwiseAfter(layer, inputs * multiplier);
  return kind === "depthwise" ? middle : conv(after, middle, pointwise, undefined, { outputs });
}

/** What each output may miss in f32: a rounding for each product, of the sum of their magnitudes. */
export function toleranceOf(layer: LayerCase, { x, weight, pointwise }: LayerData): Float64Array {
  const { kind, inputs, groups, multiplier, size } = layer;
  const magnitudes = { x: x.map(Math.abs), weight: weight.map(Math.abs), pointwise: pointwise.map(Math.abs) };
  const products = kind === "conv" ? size[0] * size[1] * (inputs / groups) : size[0] * size[1] + inputs * multiplier;
  return byLoops(layer, magnitudes).map((v) => 2 ** -24 * (products + 2) * v);
}

// Layers that several implementations compute: every hard shape as every kind, random ones, and their data.
import fc from "fast-check";
import { conv, depthwise, pointwiseAfter } from "../layer-oracle.ts";
import { drawn } from "./samples.ts";
import { grouped, groupedShapes, hardShapes, randomShapes, type Shape } from "./shapes.ts";

const kinds = ["conv", "depthwise", "separable"] as const;

export interface LayerCase extends Shape {
  kind: (typeof kinds)[number];
}

/** f32 data: x in NHWC, weights in TensorFlow's orders. */
export interface LayerData {
  x: Float32Array;
  /** conv [kh, kw, inputs / groups, outputs], else [kh, kw, inputs, multiplier]. */
  weight: Float32Array;
  /** Of separable: [1, 1, inputs · multiplier, outputs]. */
  pointwise: Float32Array;
}

export const hardCases: [name: string, LayerCase][] = [
  ...kinds.flatMap((kind) =>
    hardShapes.map(([name, shape]): [string, LayerCase] => [`${kind}, ${name}`, { ...shape, kind }]),
  ),
  ...groupedShapes.map(([name, shape]): [string, LayerCase] => [`conv, ${name}`, { ...shape, kind: "conv" }]),
];

export const randomCases: fc.Arbitrary<LayerCase> = fc
  .tuple(fc.constantFrom(...kinds), randomShapes())
  .map(([kind, shape]) => ({ ...(kind === "conv" ? grouped(shape) : { ...shape, groups: 1 }), kind }));

export function dataFor({ kind, images, height, width, inputs, outputs, groups, multiplier, size, seed }: LayerCase) {
  const { values } = drawn(seed);
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

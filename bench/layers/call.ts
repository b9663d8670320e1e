// A case as rank1 is told of it: the kind of layer, shapes and options of its problem, its input, weights and biases.
import type { LayerKind, LayerOptions } from "../../src/index.ts";
import { type Group, type LayerCase, linksOf } from "./cases.ts";
import type { LayerData, Weights } from "./data.ts";

const kinds: Record<Group, LayerKind> = {
  separable: "separableConv2d",
  inverted: "invertedResidual",
  depthwise: "depthwiseConv2d",
  pointwise: "pointwiseConv2d",
  regular: "conv2d",
};

/** Names of the weights in the order of the chain, each with that of its bias. */
const names: Record<Group, readonly (readonly [weight: string, bias: string])[]> = {
  separable: [
    ["depthwise", "depthwiseBias"],
    ["pointwise", "bias"],
  ],
  inverted: [
    ["expand", "expandBias"],
    ["depthwise", "depthwiseBias"],
    ["project", "bias"],
  ],
  depthwise: [["weight", "bias"]],
  pointwise: [["weight", "bias"]],
  regular: [["weight", "bias"]],
};

interface Weight {
  shape: number[];
  data: Float32Array;
}

export interface Call {
  kind: LayerKind;
  x: Weight;
  /** Of x and the weights. */
  shapes: Record<string, readonly number[]>;
  options: LayerOptions;
  weights: Record<string, Weight>;
  biases: Record<string, Float32Array>;
}

export function callOf(problem: LayerCase, { x: data, links }: LayerData): Call {
  const { group, height, width, channels, residual } = problem;
  const x = { shape: [1, height, width, channels], data };
  const named = names[group];
  const weights = Object.fromEntries(links.map((link, i) => [named[i]![0], weightOf(link)]));
  const biases = Object.fromEntries(links.map(({ bias }, i) => [named[i]![1], bias]));
  const strides = Math.max(...links.map(({ stride }) => stride));
  const activations = links.map(({ activation }) => activation);
  const options: LayerOptions = { strides, pads: "same", activation: activations.at(-1)! };
  if (group === "separable") options.depthwiseActivation = activations[0]!;
  if (group === "inverted") {
    Object.assign(options, { residual, expandActivation: activations[0], depthwiseActivation: activations[1] });
  }
  const shapes = Object.fromEntries(Object.entries({ x, ...weights }).map(([name, { shape }]) => [name, shape]));
  return { kind: kinds[group], x, shapes, options, weights, biases };
}

const weightOf = ({ kind, size, inputs, outputs, weight }: LayerData["links"][number] & Weights): Weight => ({
  shape: [size, size, inputs, kind === "depthwise" ? 1 : outputs],
  data: weight,
});

/** [batch, height, width, channels] of the result. */
export function shapeOf(problem: LayerCase): number[] {
  const { outHeight, outWidth, outputs } = linksOf(problem).at(-1)!;
  return [1, outHeight, outWidth, outputs];
}

export const lengthOf = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

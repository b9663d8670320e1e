// BatchNormalization with given means and variances, InstanceNormalization with those of each plane, and Softmax and
// LogSoftmax along an axis.
import { axisOf, floats, numberOf, refuse, required, unsupported } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { elementsOf, numbersOf, sizeOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";
import { type Lines, linesOf } from "./loops.ts";

type Inputs = readonly (Spec | undefined)[];

/** The input, if all others hold one number a channel. */
function checked(node: GraphNode, inputs: Inputs, vectors: number): Spec {
  const x = required(node, inputs, 0, floats);
  for (let i = 1; i <= vectors; i++) {
    const { shape } = required(node, inputs, i, floats);
    if (`${shape}` !== `${x.shape[1]}`) refuse(node, `${plural(x.shape[1], "number")} as input ${i}`, shape);
  }
  return { dtype: x.dtype, shape: x.shape };
}

/** Replaces each plane x by scale · (x − mean) / √(variance + epsilon) + bias. */
function normalize(
  node: GraphNode,
  [x, scale, bias]: readonly (Value | undefined)[],
  y: Value,
  moments: (plane: Float64Array, channel: number) => readonly [mean: number, variance: number],
): void {
  const epsilon = numberOf(node, "epsilon", 1e-5);
  const [data, scales, biases] = [numbersOf(x!), numbersOf(scale!), numbersOf(bias!)];
  const size = sizeOf(x!.shape.slice(2));
  for (let start = 0, p = 0; start < data.length; start += size, p++) {
    const channel = p % scales.length;
    const plane = Float64Array.from(data.subarray(start, start + size));
    const [mean, variance] = moments(plane, channel);
    const factor = scales[channel]! / Math.sqrt(variance + epsilon);
    write(
      y,
      plane.map((value) => (value - mean) * factor + biases[channel]!),
      start,
    );
  }
}

export const batchNormalization: Operator = {
  name: "BatchNormalization",
  infer: (node, inputs) => {
    if (numberOf(node, "training_mode", 0)) unsupported(node, "a network that is not in training", "training_mode");
    if (!numberOf(node, "spatial", 1)) unsupported(node, "one mean a channel", "spatial = 0");
    return [checked(node, inputs, 4)];
  },
  run: (node, inputs, [y]) => {
    const [means, variances] = [numbersOf(inputs[3]!), numbersOf(inputs[4]!)];
    normalize(node, inputs, y!, (_, channel) => [means[channel]!, variances[channel]!]);
  },
};

function momentsOf(plane: Float64Array): [mean: number, variance: number] {
  const mean = plane.reduce((sum, x) => sum + x, 0) / plane.length;
  return [mean, plane.reduce((sum, x) => sum + (x - mean) ** 2, 0) / plane.length];
}

export const instanceNormalization: Operator = {
  name: "InstanceNormalization",
  infer: (node, inputs) => [checked(node, inputs, 2)],
  run: (node, inputs, [y]) => normalize(node, inputs, y!, momentsOf),
};

function linesIn(node: GraphNode, x: Spec): Lines {
  const before = node.opset < 13;
  const axis = axisOf(node, numberOf(node, "axis", before ? 1 : -1), x.shape.length);
  return before ? { length: sizeOf(x.shape.slice(axis)), inner: 1 } : linesOf(x, axis);
}

/** One line of elements `step` apart. */
function softmaxLine(
  data: Float64Array,
  out: Float64Array,
  start: number,
  end: number,
  step: number,
  terms: Float64Array,
  log: boolean,
): void {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i += step) most = Math.max(most, data[i]!);
  let sum = 0;
  for (let i = start, k = 0; i < end; i += step) sum += terms[k++] = Math.exp(data[i]! - most);
  const shift = most + Math.log(sum);
  for (let i = start, k = 0; i < end; i += step) out[i] = log ? data[i]! - shift : terms[k++]! / sum;
}

function softmax(name: string, log: boolean): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const x = required(node, inputs, 0, floats);
      linesIn(node, x);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    run: (node, [x], [y]) => {
      const { length, inner } = linesIn(node, x!);
      const [data, out] = [elementsOf(x!), elementsOf(y!)];
      const size = length * inner;
      const terms = new Float64Array(length);
      for (let outer = 0; outer < data.length; outer += size)
        for (let start = outer; start < outer + inner; start++)
          softmaxLine(data, out, start, start + size, inner, terms, log);
    },
  };
}

export const softmaxes: readonly Operator[] = [softmax("Softmax", false), softmax("LogSoftmax", true)];

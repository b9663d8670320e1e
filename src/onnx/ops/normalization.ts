// BatchNormalization with given means and variances, and InstanceNormalization with those of each plane.
import { floats, numberOf, refuse, required, unsupported } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { numbersOf, sizeOf, write } from "../../graph/values.ts";

type Inputs = readonly (Spec | undefined)[];

/** The input, if all others hold one number a channel. */
function checked(node: GraphNode, inputs: Inputs, vectors: number): Spec {
  const x = required(node, inputs, 0, floats);
  for (let i = 1; i <= vectors; i++) {
    const { shape } = required(node, inputs, i, floats);
    if (`${shape}` !== `${x.shape[1]}`) refuse(node, `${x.shape[1]} numbers as input ${i}`, shape);
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

// Small networks made from plain data.
import type { Dimension, Graph, GraphNode } from "../../src/graph/types.ts";
import type { Tensor } from "../../src/tensor.ts";

export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: GraphNode["attributes"] = {},
  opset = 18,
): GraphNode {
  return { name: `${op} ${outputs[0]}`, op, opset, inputs, outputs, attributes };
}

export function graphOf(
  inputs: Readonly<Record<string, readonly Dimension[]>>,
  nodes: readonly GraphNode[],
  outputs: readonly string[],
  constants: Readonly<Record<string, Tensor>> = {},
): Graph {
  return {
    inputs: Object.entries(inputs).map(([name, shape]) => ({ name, dtype: "f32", shape })),
    outputs: outputs.map((name) => ({ name })),
    nodes,
    constants: new Map(Object.entries(constants)),
  };
}

export const floats = (shape: readonly number[], from: readonly number[] = []): Tensor => {
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float32Array.from({ length }, (_, i) => from[i] ?? i) };
};

export const integers = (...values: number[]): Tensor => ({
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

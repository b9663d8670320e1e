// Operators on quantised values that are one on real numbers, by ONNX Runtime's definition: dequantise, compute, quantise. One
// line an operator; operators on the host and rules of the pass both read it.
import { numberOf, unsupported } from "../nodes.ts";
import type { GraphNode } from "../types.ts";

/** Which inputs are a quantised value, its scale and its zero point. */
export type Triple = readonly [value: number, scale: number, zero: number];

interface LinearOperator {
  /** The operator on real numbers, and the operator set that gives it its meaning. */
  op: string;
  opset: number;
  /** What it is computed of. */
  operands: readonly Triple[] | ((node: GraphNode) => Triple[]);
  /** The inputs that are the result's scale and zero point. */
  result: readonly [scale: number, zero: number];
}

const one: readonly Triple[] = [[0, 1, 2]];
const two: readonly Triple[] = [...one, [3, 4, 5]];
const triples = ({ inputs }: GraphNode): Triple[] =>
  Array.from({ length: Math.floor((inputs.length - 2) / 3) }, (_, i) => [3 * i + 2, 3 * i + 3, 3 * i + 4]);

export const linearOperators: Readonly<Record<string, LinearOperator>> = {
  "com.microsoft.QLinearAdd": { op: "Add", opset: 14, operands: two, result: [6, 7] },
  "com.microsoft.QLinearMul": { op: "Mul", opset: 14, operands: two, result: [6, 7] },
  "com.microsoft.QLinearLeakyRelu": { op: "LeakyRelu", opset: 16, operands: one, result: [3, 4] },
  "com.microsoft.QLinearSigmoid": { op: "Sigmoid", opset: 13, operands: one, result: [3, 4] },
  "com.microsoft.QLinearSoftmax": { op: "Softmax", opset: 13, operands: one, result: [3, 4] },
  "com.microsoft.QLinearAveragePool": { op: "AveragePool", opset: 11, operands: one, result: [3, 4] },
  "com.microsoft.QLinearGlobalAveragePool": { op: "GlobalAveragePool", opset: 1, operands: one, result: [3, 4] },
  "com.microsoft.QLinearConcat": { op: "Concat", opset: 13, operands: triples, result: [0, 1] },
};

export const operandsOf = (node: GraphNode): readonly Triple[] => {
  const { operands } = linearOperators[node.op]!;
  return typeof operands === "function" ? operands(node) : operands;
};

/** The node on real numbers of these names. */
export function realNode(node: GraphNode, inputs: readonly string[], output: string): GraphNode {
  const { op, opset } = linearOperators[node.op]!;
  if (numberOf(node, "channels_last", 0) !== 0) unsupported(node, "channels before positions", "channels last");
  const { channels_last, opset: own, ...attributes } = node.attributes;
  return { ...node, op, opset: typeof own === "number" ? own : opset, inputs, outputs: [output], attributes };
}

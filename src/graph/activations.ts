// Activation functions of ONNX, elementwise and of one argument: as operators of their own, and fused into the node
// before.
import { erf } from "../kernels/expression/formulas.ts";
import type { Activation } from "../plan/types.ts";
import { numberOf, textOf } from "./nodes.ts";
import type { GraphNode, Spec, Value } from "./types.ts";
import { elementsOf } from "./values.ts";

export interface ActivationFunction {
  /** Names and defaults of up to two attributes, in the order in which `apply` takes them. */
  readonly parameters: Readonly<Record<string, number>>;
  /** The same at the end of a generated kernel, where there is such a one. */
  readonly kernel?: (a: number, b: number) => Activation | undefined;
  apply(x: number, a: number, b: number): number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const between = (x: number, least: number, most: number): number => Math.min(most, Math.max(least, x));

const plain = (apply: (x: number) => number, kernel?: Activation): ActivationFunction => ({
  ...{ parameters: {}, apply },
  ...(kernel && { kernel: () => kernel }),
});
/** Bounds as kernels take them: none where there is none. Other infinite ones have no kernel. */
function clipBetween(least: number, most: number): Activation | undefined {
  if (least === Infinity || most === -Infinity || Number.isNaN(least) || Number.isNaN(most)) return undefined;
  return { clip: [least === -Infinity ? null : least, most === Infinity ? null : most] };
}

/** By the names and with the defaults of ONNX. `Clip` has no attributes in new files: see its operator. */
export const activations: Readonly<Record<string, ActivationFunction>> = {
  Relu: plain((x) => Math.max(0, x), "relu"),
  Sigmoid: plain(sigmoid, "sigmoid"),
  Tanh: plain(Math.tanh),
  Softplus: plain(softplus),
  Softsign: plain((x) => x / (1 + Math.abs(x))),
  HardSwish: plain((x) => x * between(x / 6 + 0.5, 0, 1), "hardSwish"),
  Swish: {
    parameters: { alpha: 1 },
    apply: (x, alpha) => (alpha * x === -Infinity ? 0 : x * sigmoid(alpha * x)),
    kernel: (alpha) => (alpha === 1 ? "silu" : undefined),
  },
  Mish: plain((x) => x * Math.tanh(softplus(x))),
  LeakyRelu: {
    parameters: { alpha: 0.01 },
    apply: (x, alpha) => (x < 0 ? alpha * x : x),
    kernel: (leakyRelu) => ({ leakyRelu }),
  },
  Elu: { parameters: { alpha: 1 }, apply: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x) },
  Celu: { parameters: { alpha: 1 }, apply: (x, alpha) => (x < 0 ? alpha * Math.expm1(x / alpha) : x) },
  Selu: {
    parameters: { alpha: 1.6732631921768188, gamma: 1.0507010221481323 },
    apply: (x, alpha, gamma) => gamma * (x < 0 ? alpha * Math.expm1(x) : x),
  },
  HardSigmoid: { parameters: { alpha: 0.2, beta: 0.5 }, apply: (x, alpha, beta) => between(alpha * x + beta, 0, 1) },
  ThresholdedRelu: { parameters: { alpha: 1 }, apply: (x, alpha) => (x > alpha ? x : 0) },
  Gelu: plain((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  GeluTanh: plain((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  Clip: {
    parameters: { min: -Infinity, max: Infinity },
    apply: between,
    kernel: clipBetween,
  },
};

/** What a node computes of each element, if it is such a function: its name in the table and its parameters. */
export function activationOf(
  node: GraphNode,
  bounds: readonly (Spec | undefined)[] = [],
): { name: string; parameters: number[] } | undefined {
  const activation = Object.hasOwn(activations, node.op) ? activations[node.op] : undefined;
  if (activation === undefined) return undefined;
  const tanh = node.op === "Gelu" && textOf(node, "approximate", ["none", "tanh"]) === "tanh";
  const defaults = Object.entries(activation.parameters);
  if (node.op !== "Clip" || node.opset < 11) {
    const parameters = defaults.map(([name, fallback]) => numberOf(node, name, fallback));
    return { name: tanh ? "GeluTanh" : node.op, parameters };
  }
  if (defaults.some((_, i) => node.inputs[i + 1] && bounds[i]?.data?.length !== 1)) return undefined;
  const parameters = defaults.map(([, fallback], i) => (node.inputs[i + 1] ? Number(bounds[i]!.data![0]) : fallback));
  return { name: node.op, parameters };
}

/** Applies a function of the table to each element of `from`. */
export function activate(from: Value, name: string, parameters: readonly number[], to: Value): void {
  const { apply } = activations[name]!;
  const [a = 0, b = 0] = parameters;
  const [data, out] = [elementsOf(from), elementsOf(to)];
  for (let i = 0; i < out.length; i++) out[i] = apply(data[i]!, a, b);
}

// Activation functions inside recurrent cells: loops over a part of an array, in place.
import { listOf, refuse } from "../../graph/nodes.ts";
import type { Attribute, GraphNode } from "../../graph/types.ts";

/** Clips `count` elements from `at` on to -clip ... clip, and applies the function. */
export type Activate = (data: Float32Array | Float64Array, at: number, count: number, clip: number) => void;

interface Known {
  /** Of alpha and beta, where it has them; undefined where a node must give one. */
  defaults?: readonly (number | undefined)[];
  f(x: number, alpha: number, beta: number): number;
}

/** By their names in small letters. */
const known: Readonly<Record<string, Known>> = {
  sigmoid: { f: (x) => 1 / (1 + Math.exp(-x)) },
  tanh: { f: Math.tanh },
  relu: { f: (x) => Math.max(0, x) },
  affine: { defaults: [undefined, undefined], f: (x, alpha, beta) => alpha * x + beta },
  leakyrelu: { defaults: [0.01], f: (x, alpha) => (x < 0 ? alpha * x : x) },
  thresholdedrelu: { defaults: [1], f: (x, alpha) => (x > alpha ? x : 0) },
  scaledtanh: { defaults: [undefined, undefined], f: (x, alpha, beta) => alpha * Math.tanh(beta * x) },
  hardsigmoid: { defaults: [0.2, 0.5], f: (x, alpha, beta) => Math.min(1, Math.max(0, alpha * x + beta)) },
  elu: { defaults: [1], f: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x) },
  softsign: { f: (x) => x / (1 + Math.abs(x)) },
  softplus: { f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) },
};

/** Any function; the call is not inlined, since all functions share these lines. */
function loopOf({ f }: Known, alpha: number, beta: number): Activate {
  return (data, at, count, clip) => {
    for (let i = at; i < at + count; i++) data[i] = f(Math.min(clip, Math.max(-clip, data[i]!)), alpha, beta);
  };
}

/** Loops of their own for the functions that almost all cells have. */
const loops: Readonly<Record<string, Activate>> = {
  sigmoid(data, at, count, clip) {
    for (let i = at; i < at + count; i++) data[i] = 1 / (1 + Math.exp(-Math.min(clip, Math.max(-clip, data[i]!))));
  },
  tanh(data, at, count, clip) {
    for (let i = at; i < at + count; i++) data[i] = Math.tanh(Math.min(clip, Math.max(-clip, data[i]!)));
  },
};

const parameters = ["activation_alpha", "activation_beta"] as const;

const usual: Readonly<Record<string, readonly string[]>> = {
  ...{ RNN: ["Tanh"], GRU: ["Sigmoid", "Tanh"], LSTM: ["Sigmoid", "Tanh", "Tanh"] },
};

/** The functions of each direction, one after the other; those with parameters take them from lists in turn. */
export function activationsOf(node: GraphNode, directions: number, count: number): Activate[] {
  const given = node.attributes.activations as Attribute | undefined;
  const names = (given ?? Array.from({ length: directions }, () => usual[node.op]!).flat()) as readonly string[];
  if (!Array.isArray(names) || names.length !== directions * count) {
    return refuse(node, `${directions * count} names as activations`, given);
  }
  const lists = parameters.map((parameter) => [...(listOf(node, parameter) ?? [])]);
  return names.map((name) => {
    const key = String(name).toLowerCase();
    const found = Object.hasOwn(known, key) ? known[key]! : undefined;
    if (!found) return refuse(node, "an activation function that ONNX names", name);
    const [alpha = 0, beta = 0] = (found.defaults ?? []).map((fallback, i) => {
      return lists[i]!.shift() ?? fallback ?? refuse(node, `a number for ${name} in ${parameters[i]}`, "none");
    });
    return loops[key] ?? loopOf(found, alpha, beta);
  });
}

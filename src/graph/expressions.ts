// The elementwise operators of ONNX on 32-bit floats as expressions that kernels compute: one line an operator.
import type { ExpressionNode } from "../plan/types.ts";
import { activationOf } from "./activations.ts";
import { numberOf } from "./nodes.ts";
import type { GraphNode, Value } from "./types.ts";
import { numbersOf } from "./values.ts";

type Name = Exclude<ExpressionNode[0], "operand" | "constant">;
/** A node of the expression that is built, or a number. */
type Term = number | { readonly index: number };

/** Builds an expression; constants and operands that are named twice stand in it once. */
export class ExpressionBuilder {
  readonly nodes: ExpressionNode[] = [];
  readonly constants: number[] = [];

  operand(index: number): Term {
    return this.add(["operand", index]);
  }

  apply(name: Name, ...terms: readonly Term[]): Term {
    return this.add([name, ...terms.map((term) => this.indexOf(term))] as unknown as ExpressionNode);
  }

  /** The result is the last node: it is put there where it is not. */
  finish(result: Term): void {
    const index = this.indexOf(result);
    if (index !== this.nodes.length - 1 || this.nodes.length === 0) this.nodes.push(["max", index, index]);
  }

  private indexOf(term: Term): number {
    if (typeof term !== "number") return term.index;
    const known = this.constants.findIndex((constant) => Object.is(constant, term));
    const at = known < 0 ? this.constants.push(term) - 1 : known;
    return this.add(["constant", at]).index;
  }

  private add(node: ExpressionNode): { readonly index: number } {
    const known = this.nodes.findIndex((other) => other.join() === node.join());
    return { index: known < 0 ? this.nodes.push(node) - 1 : known };
  }
}

interface Functions {
  b: ExpressionBuilder;
  x: Term;
  /** Parameters of an activation function. */
  p: readonly number[];
}

const clip = ({ b, x }: Pick<Functions, "b" | "x">, least: number, most: number): Term => {
  const low = least === -Infinity ? x : b.apply("max", x, least);
  return most === Infinity ? low : b.apply("min", low, most);
};
const sigmoid = ({ b, x }: Pick<Functions, "b" | "x">): Term =>
  b.apply("div", 1, b.apply("add", b.apply("exp", b.apply("neg", x)), 1));
/** max(x, 0) + log(1 + e^−|x|) */
const softplus = ({ b, x }: Pick<Functions, "b" | "x">): Term => {
  const rest = b.apply("log", b.apply("add", b.apply("exp", b.apply("neg", b.apply("abs", x))), 1));
  return b.apply("add", b.apply("max", x, 0), rest);
};
/** x where it is not below 0, else scale · (e^(x / width) − 1). */
const exponentialBelow = ({ b, x }: Functions, scale: number, width = 1): Term => {
  const below = b.apply("min", x, 0);
  const raised = b.apply("sub", b.apply("exp", width === 1 ? below : b.apply("div", below, width)), 1);
  return b.apply("add", b.apply("max", x, 0), b.apply("mul", raised, scale));
};
const gelu = ({ b, x }: Functions, inner: Term, name: "tanh" | "erf"): Term =>
  b.apply("mul", b.apply("mul", x, 0.5), b.apply("add", b.apply(name, inner), 1));

/** Functions of one argument. */
const activations: Readonly<Record<string, (f: Functions) => Term>> = {
  Relu: (f) => clip(f, 0, Infinity),
  Clip: (f) => clip(f, f.p[0]!, f.p[1]!),
  Sigmoid: sigmoid,
  Tanh: ({ b, x }) => b.apply("tanh", x),
  Softplus: softplus,
  Softsign: ({ b, x }) => b.apply("div", x, b.apply("add", b.apply("abs", x), 1)),
  HardSwish: ({ b, x }) => b.apply("mul", x, clip({ b, x: b.apply("add", b.apply("mul", x, 1 / 6), 0.5) }, 0, 1)),
  Swish: ({ b, x, p }) => b.apply("mul", x, sigmoid({ b, x: p[0] === 1 ? x : b.apply("mul", x, p[0]!) })),
  Mish: (f) => f.b.apply("mul", f.x, f.b.apply("tanh", softplus(f))),
  LeakyRelu: ({ b, x, p }) => b.apply("add", b.apply("max", x, 0), b.apply("mul", b.apply("min", x, 0), p[0]!)),
  Elu: (f) => exponentialBelow(f, f.p[0]!),
  Celu: (f) => exponentialBelow(f, f.p[0]!, f.p[0]),
  Selu: (f) => f.b.apply("mul", exponentialBelow(f, f.p[0]!), f.p[1]!),
  HardSigmoid: ({ b, x, p }) => clip({ b, x: b.apply("add", b.apply("mul", x, p[0]!), p[1]!) }, 0, 1),
  ThresholdedRelu: ({ b, x, p }) => b.apply("where", b.apply("lessEqual", x, p[0]!), 0, x),
  Gelu: (f) => gelu(f, f.b.apply("mul", f.x, Math.SQRT1_2), "erf"),
  GeluTanh: (f) => {
    const { b, x } = f;
    const cubic = b.apply("mul", b.apply("mul", b.apply("mul", x, x), x), 0.044715);
    return gelu(f, b.apply("mul", b.apply("add", x, cubic), Math.sqrt(2 / Math.PI)), "tanh");
  },
  Exp: ({ b, x }) => b.apply("exp", x),
  Log: ({ b, x }) => b.apply("log", x),
  Sqrt: ({ b, x }) => b.apply("sqrt", x),
  Reciprocal: ({ b, x }) => b.apply("div", 1, x),
  Floor: ({ b, x }) => b.apply("floor", x),
  Ceil: ({ b, x }) => b.apply("ceil", x),
  Round: ({ b, x }) => b.apply("round", x),
  Erf: ({ b, x }) => b.apply("erf", x),
  Abs: ({ b, x }) => b.apply("abs", x),
  Neg: ({ b, x }) => b.apply("neg", x),
};

/** Powers that are products, roots and quotients. */
const powers: Readonly<Record<number, (b: ExpressionBuilder, x: Term) => Term>> = {
  0.5: (b, x) => b.apply("sqrt", x),
  1: (_b, x) => x,
  2: (b, x) => b.apply("mul", x, x),
  3: (b, x) => b.apply("mul", b.apply("mul", x, x), x),
  [-0.5]: (b, x) => b.apply("div", 1, b.apply("sqrt", x)),
  [-1]: (b, x) => b.apply("div", 1, x),
  [-2]: (b, x) => b.apply("div", 1, b.apply("mul", x, x)),
};

type Binary = (b: ExpressionBuilder, x: Term, y: Term) => Term | undefined;
const binary: Readonly<Record<string, Binary>> = {
  Add: (b, x, y) => b.apply("add", x, y),
  Sub: (b, x, y) => b.apply("sub", x, y),
  Mul: (b, x, y) => b.apply("mul", x, y),
  Div: (b, x, y) => b.apply("div", x, y),
  Min: (b, x, y) => b.apply("min", x, y),
  Max: (b, x, y) => b.apply("max", x, y),
  Sum: (b, x, y) => b.apply("add", x, y),
  PRelu: (b, x, y) => b.apply("add", b.apply("max", x, 0), b.apply("mul", b.apply("min", x, 0), y)),
  Pow: (b, x, y) => (typeof y === "number" ? powers[y]?.(b, x) : undefined),
};

/** Nodes that the pass over quantised networks writes (graph/quantized). */
const quantized: Readonly<Record<string, (b: ExpressionBuilder, terms: readonly Term[], node: GraphNode) => Term>> = {
  Requantize: (b, [x, factor, limit], node) => {
    const value = b.apply(numberOf(node, "divide", 0) ? "div" : "mul", x!, factor!);
    const least = numberOf(node, "low", -Infinity);
    const low = least === -Infinity ? value : b.apply("max", value, least);
    return b.apply("round", b.apply("min", low, limit ?? numberOf(node, "high", Infinity)));
  },
  DynamicScale: (b, [least, most]) => {
    const range = b.apply("sub", b.apply("max", most!, 0), b.apply("min", least!, 0));
    return b.apply("where", b.apply("equal", range, 0), 1, b.apply("div", range, 255));
  },
  DynamicLimit: (b, [least, scale]) => {
    const zero = b.apply("div", b.apply("neg", b.apply("min", least!, 0)), scale!);
    return b.apply("sub", 255, b.apply("round", b.apply("min", zero, 255)));
  },
};

export const expressionOperators = [...Object.keys(activations), ...Object.keys(binary), ...Object.keys(quantized)];

/** A node's function of its inputs, each as a term; undefined where kernels have none. */
export function expressionOf(
  node: GraphNode,
  b: ExpressionBuilder,
  terms: readonly Term[],
  constants: readonly (Value | undefined)[],
): Term | undefined {
  const own = quantized[node.op];
  if (own) return own(b, terms, node);
  const two = binary[node.op];
  if (two) {
    // Before version 7 an attribute said how the second input is repeated.
    if (node.opset < 7 && numberOf(node, "broadcast", 0) !== 0) return undefined;
    return terms.slice(1).reduce<Term | undefined>((x, y) => (x === undefined ? x : two(b, x, y)), terms[0]);
  }
  const found = activationOf(node, constants.slice(1));
  const name = found?.name ?? node.op;
  if (node.op in { Clip: 1 } && !found) return undefined;
  return activations[name]?.({ b, x: terms[0]!, p: found?.parameters ?? [] });
}

/** A constant of one number. */
export function scalarOf(value: Value | undefined): number | undefined {
  return value && value.data.length === 1 ? numbersOf(value)[0] : undefined;
}

// The elementwise operators of ONNX on 32-bit floats as expressions that kernels compute: one line an operator.
import type { ExpressionNode, ExpressionSpec } from "../plan/types.ts";
import { activationOf } from "./activations.ts";
import { numberOf } from "./nodes.ts";
import type { GraphNode, Value } from "./types.ts";

type Name = Exclude<ExpressionNode[0], "operand" | "constant">;
/** A node of the expression that is built, or a number. */
export type Term = number | { readonly index: number };

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

  /** The result of another expression, of terms as its operands. */
  include({ nodes, constants }: Pick<ExpressionSpec, "nodes" | "constants">, operands: readonly Term[]): Term {
    const terms: Term[] = [];
    for (const [name, a, ...others] of nodes) {
      if (name === "operand") terms.push(operands[a]!);
      else if (name === "constant") terms.push(constants[a]!);
      else terms.push(this.apply(name, ...[a, ...others].map((index) => terms[index]!)));
    }
    return terms.at(-1)!;
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

type One = Pick<Functions, "b" | "x">;

/** The largest finite number: a factor in place of Infinity, where the other is 0. */
const largest = Math.fround(3.4028234663852886e38);
const clip = ({ b, x }: One, least: Term, most: Term): Term => {
  const low = least === -Infinity ? x : b.apply("max", x, least);
  return most === Infinity ? low : b.apply("min", low, most);
};
/** One of two by whether x is below 0: products with 0 or Infinity on the other side do not count. */
const bySign = ({ b, x }: One, below: Term, otherwise: Term): Term =>
  b.apply("where", b.apply("less", x, 0), below, otherwise);
const not = (b: ExpressionBuilder, x: Term): Term => b.apply("sub", 1, x);
const sigmoid = ({ b, x }: One): Term => b.apply("sigmoid", x);
const swish = ({ b, x }: One, alpha: number): Term => {
  // Beyond, the result is next to 0, and of infinite x no number.
  const bound = Math.min(largest, Math.fround(88 / Math.abs(alpha)));
  const finite = alpha > 0 ? b.apply("max", x, -bound) : alpha < 0 ? b.apply("min", x, bound) : x;
  return b.apply("mul", finite, sigmoid({ b, x: alpha === 1 ? x : b.apply("mul", x, alpha) }));
};
/** max(x, 0) + log(1 + e^−|x|) */
const softplus = ({ b, x }: One): Term => {
  const rest = b.apply("log", b.apply("add", b.apply("exp", b.apply("neg", b.apply("abs", x))), 1));
  return b.apply("add", b.apply("max", x, 0), rest);
};
/** x where it is not below 0, else scale · (e^(x / width) − 1). */
const exponentialBelow = ({ b, x }: One, scale: number, width = 1): Term => {
  const below = b.apply("min", x, 0);
  const raised = b.apply("sub", b.apply("exp", width === 1 ? below : b.apply("div", below, width)), 1);
  return b.apply("add", b.apply("max", x, 0), b.apply("mul", raised, scale));
};
const gelu = ({ b, x }: Functions, inner: Term, name: "tanh" | "erf"): Term =>
  b.apply("mul", b.apply("mul", x, 0.5), b.apply("add", b.apply(name, inner), 1));
/** log(1 + x): what 1 + x rounds off is made up for. */
const logOfMore = ({ b, x }: One): Term => {
  const more = b.apply("add", x, 1);
  const log = b.apply("log", more);
  const near = b.apply("mul", log, b.apply("div", x, b.apply("sub", more, 1)));
  const some = b.apply("where", b.apply("equal", more, 1), x, near);
  return b.apply("where", b.apply("less", b.apply("abs", x), 2 ** 24), some, log);
};
/** The function of the magnitude with the sign of x. */
const odd = ({ b, x }: One, of: (magnitude: Term) => Term): Term => {
  const value = of(b.apply("abs", x));
  return bySign({ b, x }, b.apply("neg", value), b.apply("where", b.apply("equal", x, 0), x, value));
};
/** Half of e^x without a number between that is too large. */
const halfExponential = ({ b, x }: One): Term => {
  const root = b.apply("exp", b.apply("mul", x, 0.5));
  return b.apply("mul", b.apply("mul", root, 0.5), root);
};
const hyperbolicSine = (b: ExpressionBuilder, x: Term): Term => {
  const t = b.apply("tanh", b.apply("mul", x, 0.5));
  const near = b.apply("div", b.apply("mul", t, 2), b.apply("sub", 1, b.apply("mul", t, t)));
  const half = halfExponential({ b, x });
  const far = b.apply("sub", half, b.apply("div", 0.25, half));
  return b.apply("where", b.apply("less", x, 1), near, far);
};
/** log(x + √(x² ± 1)) far out, where the square would be too large. */
const logOfTwice = ({ b, x }: One): Term => b.apply("add", b.apply("log", x), Math.LN2);
const inverseSine = (b: ExpressionBuilder, x: Term): Term => {
  const square = b.apply("mul", x, x);
  const root = b.apply("add", b.apply("sqrt", b.apply("add", square, 1)), 1);
  const near = logOfMore({ b, x: b.apply("add", x, b.apply("div", square, root)) });
  return b.apply("where", b.apply("less", x, 2 ** 40), near, logOfTwice({ b, x }));
};
const inverseCosine = ({ b, x }: One): Term => {
  const more = b.apply("sub", x, 1);
  // Not of the product, which is positive below -1.
  const root = b.apply("mul", b.apply("sqrt", more), b.apply("sqrt", b.apply("add", x, 1)));
  const near = logOfMore({ b, x: b.apply("add", more, root) });
  return b.apply("where", b.apply("less", x, 2 ** 40), near, logOfTwice({ b, x }));
};
const arcTangentOfQuotient = (b: ExpressionBuilder, y: Term, x: Term): Term => b.apply("atan", b.apply("div", y, x));

/** Functions of one argument. */
const activations: Readonly<Record<string, (f: Functions) => Term>> = {
  Relu: (f) => clip(f, 0, Infinity),
  Clip: (f) => clip(f, f.p[0]!, f.p[1]!),
  Sigmoid: sigmoid,
  Tanh: ({ b, x }) => b.apply("tanh", x),
  Softplus: softplus,
  Softsign: ({ b, x }) => b.apply("div", x, b.apply("add", b.apply("abs", x), 1)),
  HardSwish: ({ b, x }) => b.apply("mul", x, clip({ b, x: b.apply("add", b.apply("mul", x, 1 / 6), 0.5) }, 0, 1)),
  Swish: (f) => swish(f, f.p[0]!),
  Mish: (f) => f.b.apply("mul", f.x, f.b.apply("tanh", softplus(f))),
  LeakyRelu: (f) => bySign(f, f.b.apply("mul", f.x, f.p[0]!), f.x),
  Elu: (f) => exponentialBelow(f, f.p[0]!),
  Celu: (f) => exponentialBelow(f, f.p[0]!, f.p[0]),
  Selu: (f) => f.b.apply("mul", exponentialBelow(f, f.p[0]!), f.p[1]!),
  HardSigmoid: ({ b, x, p }) => clip({ b, x: b.apply("add", b.apply("mul", x, p[0]!), p[1]!) }, 0, 1),
  ThresholdedRelu: ({ b, x, p }) => b.apply("where", b.apply("less", p[0]!, x), x, 0),
  Gelu: (f) => gelu(f, f.b.apply("mul", f.x, Math.SQRT1_2), "erf"),
  GeluTanh: (f) => {
    const { b, x } = f;
    const cubic = b.apply("mul", b.apply("mul", b.apply("mul", x, x), x), 0.044715);
    return gelu(f, b.apply("mul", b.apply("add", x, cubic), Math.sqrt(2 / Math.PI)), "tanh");
  },
};

/** Functions of one argument that have no parameters, or take them from the node. */
const unary: Readonly<Record<string, (b: ExpressionBuilder, x: Term, node: GraphNode) => Term>> = {
  Exp: (b, x) => b.apply("exp", x),
  Log: (b, x) => b.apply("log", x),
  Sqrt: (b, x) => b.apply("sqrt", x),
  Reciprocal: (b, x) => b.apply("div", 1, x),
  Floor: (b, x) => b.apply("floor", x),
  Ceil: (b, x) => b.apply("ceil", x),
  Round: (b, x) => b.apply("round", x),
  Erf: (b, x) => b.apply("erf", x),
  Abs: (b, x) => b.apply("abs", x),
  Neg: (b, x) => b.apply("neg", x),
  // 0 and NaN are their own sign.
  Sign: (b, x) => b.apply("where", b.apply("less", 0, x), 1, bySign({ b, x }, -1, x)),
  Sin: (b, x) => b.apply("sin", x),
  Cos: (b, x) => b.apply("cos", x),
  Tan: (b, x) => b.apply("div", b.apply("sin", x), b.apply("cos", x)),
  Atan: (b, x) => b.apply("atan", x),
  Asin: (b, x) => {
    const rest = b.apply("mul", b.apply("sub", 1, x), b.apply("add", 1, x));
    return arcTangentOfQuotient(b, x, b.apply("sqrt", rest));
  },
  Acos: (b, x) => {
    const quotient = b.apply("div", b.apply("sub", 1, x), b.apply("add", 1, x));
    return b.apply("mul", b.apply("atan", b.apply("sqrt", quotient)), 2);
  },
  Sinh: (b, x) => odd({ b, x }, (magnitude) => hyperbolicSine(b, magnitude)),
  Cosh: (b, x) => {
    const half = halfExponential({ b, x: b.apply("abs", x) });
    return b.apply("add", half, b.apply("div", 0.25, half));
  },
  Asinh: (b, x) => odd({ b, x }, (magnitude) => inverseSine(b, magnitude)),
  Acosh: (b, x) => inverseCosine({ b, x }),
  Atanh: (b, x) =>
    odd({ b, x }, (magnitude) => {
      const quotient = b.apply("div", b.apply("mul", magnitude, 2), b.apply("sub", 1, magnitude));
      return b.apply("mul", logOfMore({ b, x: quotient }), 0.5);
    }),
  IsNaN: (b, x) => not(b, b.apply("equal", x, x)),
  IsInf: (b, x, node) => {
    const [isBelow, isAbove] = ["detect_negative", "detect_positive"].map((name) => numberOf(node, name, 1) !== 0);
    const one = isBelow && isAbove ? b.apply("abs", x) : x;
    return isBelow || isAbove ? b.apply("equal", one, isAbove ? Infinity : -Infinity) : b.apply("mul", 0, b.apply("equal", x, x)); // biome-ignore format: a line
  },
  Not: not,
  Shrink: (b, x, node) => {
    const [bias, far] = [numberOf(node, "bias", 0), numberOf(node, "lambd", 0.5)];
    const above = b.apply("where", b.apply("less", far, x), b.apply("sub", x, bias), 0);
    return b.apply("where", b.apply("less", x, -far), b.apply("add", x, bias), above);
  },
};

/** Powers that are products, roots and quotients. */
const powers: Readonly<Record<number, (b: ExpressionBuilder, x: Term) => Term>> = {
  0.5: (b, x) => rootOf(b, x),
  1: (_b, x) => x,
  2: (b, x) => b.apply("mul", x, x),
  3: (b, x) => b.apply("mul", b.apply("mul", x, x), x),
  [-0.5]: (b, x) => b.apply("div", 1, rootOf(b, x)),
  [-1]: (b, x) => b.apply("div", 1, x),
  [-2]: (b, x) => b.apply("div", 1, b.apply("mul", x, x)),
};

/** A power's root is never −0, and that of −Infinity is Infinity. */
const rootOf = (b: ExpressionBuilder, x: Term): Term =>
  b.apply("where", b.apply("equal", x, -Infinity), Infinity, b.apply("sqrt", b.apply("add", x, 0)));

type Binary = (b: ExpressionBuilder, x: Term, y: Term, node: GraphNode) => Term | undefined;
const binary: Readonly<Record<string, Binary>> = {
  Add: (b, x, y) => b.apply("add", x, y),
  Sub: (b, x, y) => b.apply("sub", x, y),
  Mul: (b, x, y) => b.apply("mul", x, y),
  Div: (b, x, y) => b.apply("div", x, y),
  PRelu: (b, x, y) => bySign({ b, x }, b.apply("mul", x, y), x),
  Pow: (b, x, y) => (typeof y === "number" && powers[y] ? powers[y](b, x) : b.apply("pow", x, y)),
  Mod: (b, x, y, node) => (numberOf(node, "fmod", 0) !== 0 ? b.apply("mod", x, y) : undefined),
  Less: (b, x, y) => b.apply("less", x, y),
  LessOrEqual: (b, x, y) => b.apply("lessEqual", x, y),
  Greater: (b, x, y) => b.apply("less", y, x),
  GreaterOrEqual: (b, x, y) => b.apply("lessEqual", y, x),
  Equal: (b, x, y) => b.apply("equal", x, y),
  And: (b, x, y) => b.apply("mul", x, y),
  Or: (b, x, y) => b.apply("max", x, y),
  Xor: (b, x, y) => not(b, b.apply("equal", x, y)),
};

/** Functions of any number of arguments, by two at a time. */
const variadic: Readonly<Record<string, (b: ExpressionBuilder, x: Term, y: Term) => Term>> = {
  Min: (b, x, y) => b.apply("min", x, y),
  Max: (b, x, y) => b.apply("max", x, y),
  Sum: (b, x, y) => b.apply("add", x, y),
  Mean: (b, x, y) => b.apply("add", x, y),
};

/** Operators whose arguments may be taken a few at a time. */
export const isVariadic = (op: string): boolean => op in variadic;

/** To the nearest half: of 11 bits, or below the least normal one of as many as there are left. */
const toHalf = (b: ExpressionBuilder, x: Term): Term => {
  const magnitude = b.apply("abs", x);
  const wide = b.apply("mul", x, 2 ** 13 + 1);
  const cut = b.apply("sub", wide, b.apply("sub", wide, x));
  const small = b.apply("sub", b.apply("add", x, 0.75), 0.75);
  const normal = b.apply("where", b.apply("less", magnitude, 65520), cut, b.apply("mul", x, Infinity));
  return b.apply("where", b.apply("less", magnitude, 2 ** -14), small, normal);
};
/** By ONNX's numbers of types: f32, bool, f16. */
const casts: Readonly<Record<number, (b: ExpressionBuilder, x: Term) => Term>> = {
  ...{ 1: (_b, x) => x, 9: (b, x) => not(b, b.apply("equal", x, 0)), 10: toHalf },
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

export const expressionOperators = [
  ...Object.keys({ ...activations, ...unary, ...binary, ...variadic, ...quantized }),
  ...["Where", "Cast"],
];

/** An activation function of a term. */
export const functionOf = (name: string, b: ExpressionBuilder, x: Term, parameters: readonly number[]): Term =>
  activations[name]!({ b, x, p: parameters });

/** A node's function of its inputs, each as a term; undefined where kernels have none. */
export function expressionOf(
  node: GraphNode,
  b: ExpressionBuilder,
  terms: readonly Term[],
  constants: readonly (Value | undefined)[],
): Term | undefined {
  const { op } = node;
  if (quantized[op]) return quantized[op](b, terms, node);
  // Before version 7 an attribute said how the second input is repeated.
  const isOld = node.opset < 7 && numberOf(node, "broadcast", 0) !== 0;
  if (binary[op]) return isOld ? undefined : binary[op](b, terms[0]!, terms[1]!, node);
  if (variadic[op]) {
    const all = terms.reduce((x, y) => variadic[op]!(b, x, y));
    return op === "Mean" ? b.apply("div", all, terms.length) : all;
  }
  if (op === "Where") return b.apply("where", terms[0]!, terms[1]!, terms[2]!);
  if (op === "Cast") return casts[Number(node.attributes.to)]?.(b, terms[0]!);
  if (unary[op]) return unary[op](b, terms[0]!, node);
  const found = activationOf(node, constants.slice(1));
  if (op === "Clip" && !found) return boundedBy(node, b, terms);
  return activations[found?.name ?? op]?.({ b, x: terms[0]!, p: found?.parameters ?? [] });
}

/** Clip by bounds that are computed. */
function boundedBy({ inputs }: GraphNode, b: ExpressionBuilder, [x, ...bounds]: readonly Term[]): Term {
  const low = inputs[1] ? b.apply("max", x!, bounds[0]!) : x!;
  return inputs[2] ? b.apply("min", low, bounds.at(-1)!) : low;
}

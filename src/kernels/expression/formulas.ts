// What the nodes of expressions are: the specification, and what they cost.
import type { ExpressionNode, ExpressionSpec } from "../../plan/types.ts";

export type NodeName = ExpressionNode[0];
type Formula = (a: number, b: number, c: number) => number;

/** To the nearest integer, halves to the even one. */
export function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** erf(x) = 2/√π · e^(−x²) · Σ 2^n x^(2n+1) / (2n+1)!!: all terms have one sign, so nothing cancels. */
export function erf(x: number): number {
  if (!(Math.abs(x) <= 6)) return Number.isNaN(x) ? x : Math.sign(x);
  let sum = 0;
  for (let n = 0, term = x; Math.abs(term) > 1e-17 * Math.abs(sum); term *= (2 * x * x) / (2 * ++n + 1)) sum += term;
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Of larger angles sines and cosines are not computed: they are NaN. */
export const mostAngle = 2 ** 31;

/** a to the b as in C: 1 of 1, and of −1 to ±Infinity, where JavaScript has NaN. */
export const power = (a: number, b: number): number => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);

const formulas: Readonly<Record<Exclude<NodeName, "operand" | "constant">, Formula>> = {
  neg: (a) => -a,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundEven,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  erf,
  atan: Math.atan,
  sin: (a) => (Math.abs(a) <= mostAngle ? Math.sin(a) : Number.NaN),
  cos: (a) => (Math.abs(a) <= mostAngle ? Math.cos(a) : Number.NaN),
  pow: power,
  mod: (a, b) => a % b,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  less: (a, b) => Number(a < b),
  lessEqual: (a, b) => Number(a <= b),
  equal: (a, b) => Number(a === b),
  where: (a, b, c) => (a !== 0 ? b : c),
};

/** The value of the last node for one element. */
export function evaluate(
  { nodes, constants }: Pick<ExpressionSpec, "nodes" | "constants">,
  operands: ArrayLike<number>,
): number {
  const values: number[] = [];
  for (const [name, a, b = 0, c = 0] of nodes) {
    if (name === "operand") values.push(operands[a]!);
    else if (name === "constant") values.push(constants[a]!);
    else values.push(formulas[name](values[a]!, values[b]!, values[c]!));
  }
  return values.at(-1)!;
}

/** Additions that take as long as a node. */
const additions: Partial<Record<NodeName, number>> = {
  ...{ operand: 0, constant: 0, div: 4, sqrt: 4, exp: 16, log: 20, tanh: 28, erf: 28, sigmoid: 18 },
  ...{ atan: 24, sin: 60, cos: 60, pow: 120, mod: 16 },
};
export const additionsOf = ([name]: ExpressionNode): number => additions[name] ?? 1;

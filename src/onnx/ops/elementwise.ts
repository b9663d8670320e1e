// Elementwise operators, as tables of functions. Where a function differs for integers or for 64-bit integers (bigints
// under the type of numbers), the table has another.
import { activate, activationOf, activations } from "../../graph/activations.ts";
import { floats, numberOf, refuse, required, reshaped } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { isBig, isFloat, newValue, numbersOf, toBig, write } from "../../graph/values.ts";
import { erf, power, roundEven } from "../../kernels/expression/formulas.ts";
import type { DType } from "../../tensor.ts";
import { broadcastShape, combine, type Row } from "./loops.ts";

type Function1 = (x: number) => number;

/** Of floats. */
const unary: Readonly<Record<string, Function1>> = {
  ...{ Exp: Math.exp, Log: Math.log, Sqrt: Math.sqrt, Reciprocal: (x) => 1 / x, Erf: erf },
  ...{ Floor: Math.floor, Ceil: Math.ceil, Round: roundEven },
  ...{ Sin: Math.sin, Cos: Math.cos, Tan: Math.tan, Asin: Math.asin, Acos: Math.acos, Atan: Math.atan },
  ...{ Sinh: Math.sinh, Cosh: Math.cosh, Asinh: Math.asinh, Acosh: Math.acosh, Atanh: Math.atanh },
};

/** Of floats and of integers of every size. */
const signed: Readonly<Record<string, Function1>> = {
  Abs: (x) => (x < 0 || Object.is(x, -0) ? -x : x),
  Neg: (x) => -x,
};

export function ofOne(name: string, f: Function1, types: readonly DType[] = [], output?: DType): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0, types);
      if (types.length === 0 && dtype === "bool") refuse(node, "numbers", dtype);
      return [{ dtype: output ?? dtype, shape }];
    },
    run: (_node, [x], [y]) => combine(y!, [x!], f),
  };
}

/** A function of two elements. */
export interface Function2 {
  f(a: number, b: number): number | boolean;
  /** Its loop on floats, where it has one of its own: calls of `f` box their numbers, which takes ten times as long. */
  row?: Row;
  integer?(a: number, b: number): number;
  big?(a: number, b: number): number;
  /** The result says whether, the operands are numbers or, where `logical`, bools. */
  output?: "bool";
  logical?: boolean;
  /** Refuses types and attributes. */
  check?(node: GraphNode, dtype: DType): void;
}

/** All four in one loop: the branches are foreseen. */
const rowsOf =
  (op: "+" | "-" | "*" | "/"): Row =>
  (out, at, count, a, b) => {
    for (let i = 0; i < count; i++) {
      const x = a.data[a.from + i * a.step]!;
      const y = b.data[b.from + i * b.step]!;
      out[at + i] = op === "+" ? x + y : op === "-" ? x - y : op === "*" ? x * y : x / y;
    }
  };

const zero = toBig(0);

/** The lower 64 bits, by squaring. */
function bigPower(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) return base === 1n || (base === -1n && exponent % 2n === 0n) ? 1n : base === -1n ? -1n : 0n;
  let result = 1n;
  for (let [square, left] = [base, exponent]; left > 0n; left >>= 1n, square = BigInt.asUintN(64, square * square))
    if (left & 1n) result = BigInt.asUintN(64, result * square);
  return result;
}

const binary: Readonly<Record<string, Function2>> = {
  Add: { f: (a, b) => a + b, row: rowsOf("+") },
  Sub: { f: (a, b) => a - b, row: rowsOf("-") },
  Mul: { f: (a, b) => a * b, row: rowsOf("*"), integer: Math.imul, big: (a, b) => a * b },
  Div: {
    ...{ f: (a, b) => a / b, row: rowsOf("/") },
    ...{ integer: (a, b) => Math.trunc(a / b), big: (a, b) => (b === zero ? zero : a / b) },
  },
  Pow: { f: power, big: bigPower as never },
  Equal: { f: (a, b) => a === b, output: "bool" },
  Less: { f: (a, b) => a < b, output: "bool" },
  LessOrEqual: { f: (a, b) => a <= b, output: "bool" },
  Greater: { f: (a, b) => a > b, output: "bool" },
  GreaterOrEqual: { f: (a, b) => a >= b, output: "bool" },
  And: { f: (a, b) => a & b, output: "bool", logical: true },
  Or: { f: (a, b) => a | b, output: "bool", logical: true },
  Xor: { f: (a, b) => a ^ b, output: "bool", logical: true },
};

/** Operator sets before 7 say by attributes that the second input is repeated, and which axis its first one meets. */
function aligned<T extends Spec>(node: GraphNode, inputs: readonly (T | undefined)[]): [T, T] {
  const [a, b] = [required(node, inputs, 0), required(node, inputs, 1)];
  if (node.opset >= 7 || node.attributes.axis === undefined) return [a, b];
  const after = a.shape.length - numberOf(node, "axis") - b.shape.length;
  if (!(after >= 0)) refuse(node, `an axis that fits [${b.shape}] into [${a.shape}]`, node.attributes.axis);
  return [a, reshaped(b, [...b.shape, ...Array<number>(after).fill(1)])];
}

export function ofTwo(
  name: string,
  { f, row, integer = f as never, big = f as never, output, logical, check }: Function2,
): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const [a, b] = aligned(node, inputs);
      if (!output && a.dtype === "bool") refuse(node, "numbers", a.dtype);
      if (logical && a.dtype !== "bool") refuse(node, "inputs of type bool", a.dtype);
      if (a.dtype !== b.dtype && name !== "Pow") refuse(node, "inputs of one type", `${a.dtype} and ${b.dtype}`);
      check?.(node, a.dtype);
      return [{ dtype: output ?? a.dtype, shape: broadcastShape(node, [a, b]) }];
    },
    run: (node, inputs, [y]) => {
      const [a, b] = aligned(node, inputs);
      if (a.dtype === b.dtype && isFloat(a.dtype)) combine(y!, [a, b], f, row);
      else if (a.dtype === b.dtype) combine(y!, [a, b], isBig(a.dtype) ? big : integer);
      else {
        const sums = newValue("f64", y!.shape);
        combine(sums, [a, b].map(asNumbers), f);
        write(y!, numbersOf(sums));
      }
    },
  };
}

const asNumbers = (value: Value): Value => ({ ...value, dtype: "f64", data: numbersOf(value) });

const variadic: Readonly<Record<string, (a: number, b: number) => number>> = {
  Min: (a, b) => (a < b || Number.isNaN(a) ? a : b),
  Max: (a, b) => (a > b || Number.isNaN(a) ? a : b),
  Sum: (a, b) => a + b,
  Mean: (a, b) => a + b,
};

function ofMany(name: string, f: (a: number, b: number) => number): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype } = required(node, inputs, 0, name === "Mean" ? floats : []);
      const all = inputs.map((_, i) => required(node, inputs, i, [dtype]));
      return [{ dtype, shape: broadcastShape(node, all) }];
    },
    run: (_node, inputs, [y]) => {
      const sums = isBig(y!.dtype) ? y! : newValue("f64", y!.shape);
      combine(sums, [inputs[0]!], (a) => a);
      for (const x of inputs.slice(1)) combine(sums, [sums, x!], f);
      if (name === "Mean") combine(sums, [sums], (a) => a / inputs.length);
      if (sums !== y) write(y!, numbersOf(sums));
    },
  };
}

function activation(name: string): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0, floats);
      activationOf(node);
      return [{ dtype, shape }];
    },
    run: (node, [x], [y]) => {
      const { name, parameters } = activationOf(node)!;
      activate(x!, name, parameters, y!);
    },
  };
}

const not = ofOne("Not", (x) => 1 - x, ["bool"]);

export const elementwise: readonly Operator[] = [
  not,
  ...Object.entries(unary).map(([name, f]) => ofOne(name, f, floats)),
  ...Object.entries(signed).map(([name, f]) => ofOne(name, f, [])),
  ...Object.entries(binary).map(([name, entry]) => ofTwo(name, entry)),
  ...Object.entries(variadic).map(([name, f]) => ofMany(name, f)),
  ...Object.keys(activations).flatMap((name) => (name === "Clip" || name === "GeluTanh" ? [] : [activation(name)])),
];

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

export function ofOne(name: string, f: Function1, types: readonly DType[] = [], output?: DType, row?: Row): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0, types);
      if (types.length === 0 && dtype === "bool") refuse(node, "numbers", dtype);
      return [{ dtype: output ?? dtype, shape }];
    },
    run: (_node, [x], [y]) => combine(y!, [x!], f, row),
  };
}

/** A function of two elements. */
export interface Function2 {
  f(a: number, b: number): number | boolean;
  /** Its loop on floats, where it has one of its own, and that on integers of at most 32 bits. */
  row?: Row;
  integerRow?: Row;
  integer?(a: number, b: number): number;
  big?(a: number, b: number): number;
  /** The result says whether, the operands are numbers or, where `logical`, bools. */
  output?: "bool";
  logical?: boolean;
  /** Refuses types and attributes. */
  check?(node: GraphNode, dtype: DType): void;
}

/** A loop for each: a call of a function for each element boxes its numbers. */
const rows = {
  add: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! + b[i]!;
  },
  subtract: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! - b[i]!;
  },
  multiply: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! * b[i]!;
  },
  multiplyIntegers: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = Math.imul(a[i]!, b[i]!);
  },
  divide: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! / b[i]!;
  },
  divideIntegers: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = Math.trunc(a[i]! / b[i]!);
  },
  equal: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! === b[i]! ? 1 : 0;
  },
  less: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! < b[i]! ? 1 : 0;
  },
  lessOrEqual: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! <= b[i]! ? 1 : 0;
  },
  and: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! & b[i]!;
  },
  or: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! | b[i]!;
  },
  min: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! < b[i]! || Number.isNaN(a[i]!) ? a[i]! : b[i]!;
  },
  max: (out, count, a, b) => {
    for (let i = 0; i < count; i++) out[i] = a[i]! > b[i]! || Number.isNaN(a[i]!) ? a[i]! : b[i]!;
  },
  take: (out, _count, a) => out.set(a),
  not: (out, count, a) => {
    for (let i = 0; i < count; i++) out[i] = 1 - a[i]!;
  },
  sqrt: (out, count, a) => {
    for (let i = 0; i < count; i++) out[i] = Math.sqrt(a[i]!);
  },
  abs: (out, count, a) => {
    for (let i = 0; i < count; i++) out[i] = Math.abs(a[i]!);
  },
  negate: (out, count, a) => {
    for (let i = 0; i < count; i++) out[i] = -a[i]!;
  },
  exp: (out, count, a) => {
    for (let i = 0; i < count; i++) out[i] = Math.exp(a[i]!);
  },
} satisfies Record<string, Row>;

/** The loop on floats and on integers. */
const both = (row: Row): { row: Row; integerRow: Row } => ({ row, integerRow: row });

/** With its inputs in the other order. */
const swapped =
  (row: Row): Row =>
  (out, count, a, b, c) =>
    row(out, count, b, a, c);

/** Loops of functions of one element. */
const unaryRows: Readonly<Record<string, Row>> = { Sqrt: rows.sqrt, Exp: rows.exp, Abs: rows.abs, Neg: rows.negate };

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
  Add: { f: (a, b) => a + b, ...both(rows.add) },
  Sub: { f: (a, b) => a - b, ...both(rows.subtract) },
  Mul: {
    ...{ f: (a, b) => a * b, row: rows.multiply },
    ...{ integer: Math.imul, integerRow: rows.multiplyIntegers, big: (a, b) => a * b },
  },
  Div: {
    ...{ f: (a, b) => a / b, row: rows.divide, integerRow: rows.divideIntegers },
    ...{ integer: (a, b) => Math.trunc(a / b), big: (a, b) => (b === zero ? zero : a / b) },
  },
  Pow: { f: power, big: bigPower as never },
  Equal: { f: (a, b) => a === b, ...both(rows.equal), output: "bool" },
  Less: { f: (a, b) => a < b, ...both(rows.less), output: "bool" },
  LessOrEqual: { f: (a, b) => a <= b, ...both(rows.lessOrEqual), output: "bool" },
  Greater: { f: (a, b) => a > b, ...both(swapped(rows.less)), output: "bool" },
  GreaterOrEqual: { f: (a, b) => a >= b, ...both(swapped(rows.lessOrEqual)), output: "bool" },
  And: { f: (a, b) => a & b, ...both(rows.and), output: "bool", logical: true },
  Or: { f: (a, b) => a | b, ...both(rows.or), output: "bool", logical: true },
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
  { f, row, integerRow, integer = f as never, big = f as never, output, logical, check }: Function2,
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
      else if (a.dtype === b.dtype) combine(y!, [a, b], isBig(a.dtype) ? big : integer, integerRow);
      else {
        const sums = newValue("f64", y!.shape);
        combine(sums, [a, b].map(asNumbers), f);
        write(y!, numbersOf(sums));
      }
    },
  };
}

const asNumbers = (value: Value): Value => ({ ...value, dtype: "f64", data: numbersOf(value) });

const sum = { f: (a: number, b: number) => a + b, row: rows.add };

const variadic: Readonly<Record<string, { f(a: number, b: number): number; row: Row }>> = {
  Min: { f: (a, b) => (a < b || Number.isNaN(a) ? a : b), row: rows.min },
  Max: { f: (a, b) => (a > b || Number.isNaN(a) ? a : b), row: rows.max },
  ...{ Sum: sum, Mean: sum },
};

const countOf = ({ length }: readonly unknown[]): Value => ({ dtype: "f64", shape: [], data: Float64Array.of(length) });

function ofMany(name: string, { f, row }: (typeof variadic)[string]): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype } = required(node, inputs, 0, name === "Mean" ? floats : []);
      const all = inputs.map((_, i) => required(node, inputs, i, [dtype]));
      return [{ dtype, shape: broadcastShape(node, all) }];
    },
    run: (_node, inputs, [y]) => {
      const sums = isBig(y!.dtype) ? y! : newValue("f64", y!.shape);
      combine(sums, [inputs[0]!], (a) => a, rows.take);
      for (const x of inputs.slice(1)) combine(sums, [sums, x!], f, row);
      if (name === "Mean") combine(sums, [sums, countOf(inputs)], (a, b) => a / b, rows.divide);
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

const not = ofOne("Not", (x) => 1 - x, ["bool"], undefined, rows.not);

export const elementwise: readonly Operator[] = [
  not,
  ...Object.entries(unary).map(([name, f]) => ofOne(name, f, floats, undefined, unaryRows[name])),
  ...Object.entries(signed).map(([name, f]) => ofOne(name, f, [], undefined, unaryRows[name])),
  ...Object.entries(binary).map(([name, entry]) => ofTwo(name, entry)),
  ...Object.entries(variadic).map(([name, f]) => ofMany(name, f)),
  ...Object.keys(activations).flatMap((name) => (name === "Clip" || name === "GeluTanh" ? [] : [activation(name)])),
];

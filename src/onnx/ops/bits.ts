// Elementwise operators that few networks name: on the bits of integers, remainders, signs, what is no number, and Shrink.
import { floats, numberOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator } from "../../graph/types.ts";
import { isBig, isFloat, toBig } from "../../graph/values.ts";
import { bytesOf, type DType } from "../../tensor.ts";
import { type Function2, ofOne, ofTwo } from "./elementwise.ts";
import { combine } from "./loops.ts";

const integers: readonly DType[] = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];
const unsigned = integers.slice(0, 4);

const check =
  (types: readonly DType[]) =>
  (node: GraphNode, dtype: DType): void => {
    if (!types.includes(dtype)) refuse(node, `inputs of ${types.join(" or ")}`, dtype);
  };

const bitwise: Readonly<Record<string, Function2["f"]>> = {
  BitwiseAnd: (a, b) => a & b,
  BitwiseOr: (a, b) => a | b,
  BitwiseXor: (a, b) => a ^ b,
};

/** Bits that are shifted beyond the last are lost, all of them too. */
const bitShift: Operator = {
  name: "BitShift",
  infer: (node, inputs) => {
    textOf(node, "direction", ["LEFT", "RIGHT"]);
    return shifts(node, "u32").infer(node, inputs);
  },
  run: (node, inputs, outputs) => shifts(node, inputs[0]!.dtype).run!(node, inputs, outputs),
};

function shifts(node: GraphNode, dtype: DType): Operator {
  const left = node.attributes.direction !== "RIGHT";
  const [bits, none] = [8 * bytesOf[dtype], toBig(0)];
  const f = (a: number, b: number): number => (b >= bits ? 0 : left ? a << b : a >>> b);
  const big = (a: number, b: number): number => (b >= bits ? none : left ? a << b : a >> b);
  return ofTwo("BitShift", { f, big, check: check(unsigned) });
}

/** Of the sign of the divisor, or with `fmod` of that of the dividend. Integers by 0 leave 0. */
const mod: Operator = {
  name: "Mod",
  infer: (node, inputs) => remainders(node).infer(node, inputs),
  run: (node, inputs, outputs) => remainders(node).run!(node, inputs, outputs),
};

function remainders(node: GraphNode): Operator {
  const truncates = numberOf(node, "fmod", 0) !== 0;
  const zero = toBig(0);
  const signed = (rest: number, b: number): number => (!truncates && rest < 0 !== b < 0 ? rest + b : rest);
  const integer = (a: number, b: number): number => {
    const rest = a % b;
    return rest === 0 ? 0 : signed(rest, b);
  };
  const big = (a: number, b: number): number => {
    if (b === zero) return zero;
    const rest = a % b;
    return rest === zero ? zero : signed(rest, b);
  };
  const checkType = (_node: GraphNode, dtype: DType): void => {
    if (isFloat(dtype) && !truncates) refuse(node, "fmod 1 for floats", "0");
  };
  return ofTwo("Mod", { f: (a, b) => a % b, integer, big, check: checkType });
}

const [one, minusOne] = [toBig(1), toBig(-1)];

const sign: Operator = {
  ...ofOne("Sign", Math.sign),
  run: (_node, [x], [y]) =>
    combine(y!, [x!], isBig(x!.dtype) ? (a) => (a > 0 ? one : a < 0 ? minusOne : a) : Math.sign),
};

const isInf: Operator = {
  ...ofOne("IsInf", Number, floats, "bool"),
  run: (node, [x], [y]) => {
    const [least, most] = ["detect_negative", "detect_positive"].map((name) => numberOf(node, name, 1) !== 0);
    combine(y!, [x!], (a) => (a === Infinity && most!) || (a === -Infinity && least!));
  },
};

const shrink: Operator = {
  name: "Shrink",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    if (dtype === "bool" || isBig(dtype)) refuse(node, "numbers of at most 32 bits or f64", dtype);
    return [{ dtype, shape }];
  },
  run: (node, [x], [y]) => {
    const [lambd, bias] = [numberOf(node, "lambd", 0.5), numberOf(node, "bias", 0)];
    combine(y!, [x!], (a) => (a < -lambd ? a + bias : a > lambd ? a - bias : 0));
  },
};

export const bits: readonly Operator[] = [
  ...Object.entries(bitwise).map(([name, f]) => ofTwo(name, { f, check: check(integers) })),
  ofOne("BitwiseNot", (a) => ~a, integers),
  ...[bitShift, mod, sign, isInf, shrink],
  ofOne("IsNaN", Number.isNaN as never, floats, "bool"),
];

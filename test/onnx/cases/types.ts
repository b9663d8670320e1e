// Elementwise operators on all types that ONNX names, and those of one element that networks of images seldom have.
import type { DType } from "../../../src/tensor.ts";
import type { Random } from "../../random-tensors.ts";
import { type Cases, type Inputs, use } from "./use.ts";

const integers: readonly DType[] = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];
const unsigned = integers.slice(0, 4);
const signed = integers.slice(4);
const every: readonly DType[] = [...integers, "f32", "f64"];
const numberOf: Partial<Record<DType, number>> = {
  ...{ f32: 1, u8: 2, i8: 3, u16: 4, i16: 5, i32: 6, i64: 7, bool: 9, f64: 11, u32: 12, u64: 13 },
};

/** Two tensors whose shapes go together. */
function pair(
  r: Random,
  dtype: DType,
  [least, most]: [number, number],
  second: [number, number] = [least, most],
): Inputs {
  const shape = r.shape(r.int(0, 3));
  return [r.tensor(shape, dtype, least, most), r.tensor(r.narrower(shape), dtype, ...second)];
}

const range = (dtype: DType): [number, number] => (dtype.startsWith("u") ? [0, 100] : [-100, 100]);

const floats = (ops: string, opset: number, least: number, most: number, types: readonly DType[] = ["f32", "f64"]) =>
  use(ops, opset, (r) => [r.tensor(r.shape(r.int(0, 3)), r.pick(types), least, most)]);

export const types: Cases = {
  Trigonometry: floats("Sin Cos Tan Atan", 7, -9, 9, ["f32"]),
  "Inverse trigonometry": floats("Asin Acos Atanh", 9, -0.99, 0.99, ["f32"]),
  "Hyperbolic functions": floats("Sinh Cosh Asinh", 9, -9, 9, ["f32"]),
  Acosh: floats("Acosh", 9, 1, 9, ["f32"]),
  "Exp, Floor, Ceil, Sqrt, Reciprocal, Log of f64": floats("Exp Floor Ceil Sqrt Reciprocal Log", 13, 0.1, 9, ["f64"]),
  "Abs of integers": use("Abs", 13, (r) => [r.tensor([7], r.pick(integers), 0, 100)]),
  Sign: use("Sign", 13, (r) => {
    const dtype = r.pick(every);
    return [r.tensor([9], dtype, ...range(dtype))];
  }),
  "IsNaN and IsInf": use("IsNaN IsInf", 13, (r) => {
    const given = r.tensor([9]);
    const data = Float32Array.from(given.data as Float32Array, (x) => r.pick([x, x, Number.NaN, Infinity, -Infinity]));
    return [{ ...given, data }];
  }),
  "IsInf of one sign": use(
    "IsInf",
    10,
    () => [{ shape: [4], dtype: "f32", data: Float32Array.of(1, Infinity, -Infinity, Number.NaN) }],
    (r) => ({ detect_negative: r.int(0, 1), detect_positive: r.int(0, 1) }),
  ),
  Shrink: use("Shrink", 9, (r) => [r.tensor([9], r.pick(["f32", "f64", "i8", "u8", "i16", "i32"]), 0, 9)], {
    ...{ lambd: 3.5, bias: 1.5 },
  }),
  "Arithmetic of all types": use("Add Sub Mul", 14, (r) => {
    const dtype = r.pick(every);
    return pair(r, dtype, range(dtype));
  }),
  "Division of all types": use("Div", 14, (r) => {
    const dtype = r.pick(every);
    return pair(r, dtype, range(dtype), [1, 9]);
  }),
  "Comparisons of all types": use("Equal Less Greater LessOrEqual GreaterOrEqual", 16, (r) => {
    return pair(r, r.pick(["f32", "f64", "i32", "i64"]), [0, 3]);
  }),
  "Equal of bool": use("Equal", 13, (r) => pair(r, "bool", [0, 1])),
  "Min and Max of all types": use("Min Max", 13, (r) => {
    const dtype = r.pick(["f32", "f64", "i32", "i64", "u32", "u64", "i8", "u8"] as const);
    return pair(r, dtype, range(dtype));
  }),
  "Clip of all types": use("Clip", 13, (r) => {
    const dtype = r.pick(["f32", "f64", "i8", "u8", "i32", "i64", "u32", "u64"] as const);
    return [r.tensor([9], dtype, ...range(dtype)), r.tensor([], dtype, 5, 9), r.tensor([], dtype, 40, 50)];
  }),
  "Where of all types": use("Where", 16, (r) => {
    const [shape, dtype] = [r.shape(3), r.pick(["u8", "i32", "i64", "f32", "f64"] as const)];
    return [r.tensor(r.narrower(shape), "bool"), ...pairOf(r, shape, dtype)];
  }),
  "Mod of integers": use(
    "Mod",
    13,
    (r) => {
      const dtype = r.pick(integers);
      const second: [number, number] = dtype.startsWith("u") || r.flag() ? [1, 9] : [-9, -1];
      return pair(r, dtype, range(dtype), second);
    },
    (r) => ({ fmod: r.int(0, 1) }),
  ),
  "Mod of floats": use("Mod", 13, (r) => pair(r, r.pick(["f32", "f64"]), [-9, 9], [1, 4]), { fmod: 1 }),
  BitShift: use(
    "BitShift",
    11,
    (r) => pair(r, r.pick(["u8", "u32", "u64"]), [0, 200], [0, 7]),
    (r) => ({
      direction: r.pick(["LEFT", "RIGHT"]),
    }),
  ),
  "Bitwise operators": use("BitwiseAnd BitwiseOr BitwiseXor", 18, (r) => {
    const dtype = r.pick(integers);
    return pair(r, dtype, range(dtype));
  }),
  BitwiseNot: use("BitwiseNot", 18, (r) => {
    const dtype = r.pick(integers);
    return [r.tensor([9], dtype, ...range(dtype))];
  }),
  "Neg of signed types": use("Neg", 13, (r) => [r.tensor([9], r.pick(["f32", "f64", "i8", "i32", "i64"]), -100, 100)]),
  "Pow of bases and exponents": use("Pow", 15, (r) => {
    const [base, exponent] = [
      r.pick(["f32", "f64", "i32", "i64"] as const),
      r.pick(["f32", "f64", "i32", "i64"] as const),
    ];
    return [r.tensor([2, 3], base, 1, 9), r.tensor([3], exponent, 0, 5)];
  }),
  "Cast between all types": use(
    "Cast",
    13,
    (r) => {
      const dtype = r.pick([...every, "bool"] as const);
      return [r.tensor([9], dtype, 0, dtype === "bool" ? 1 : 100)];
    },
    (r) => ({ to: numberOf[r.pick([...every, "bool"] as const)]! }),
  ),
  "Cast of integers to fewer bits": use(
    "Cast",
    13,
    (r) => [r.tensor([9], r.pick(["i32", "i64"]), -70_000, 70_000)],
    (r) => ({ to: numberOf[r.pick([...unsigned, ...signed])]! }),
  ),
};

const pairOf = (r: Random, shape: number[], dtype: DType): Inputs => [
  r.tensor(shape, dtype, 0, 100),
  r.tensor(r.narrower(shape), dtype, 0, 100),
];

// Operators on one element at a time: activations, arithmetic with broadcasting, comparisons, logic and types.
import type { DType, Tensor } from "../../../src/tensor.ts";
import { type Random, tensorOf } from "../../random-tensors.ts";
import { type Attributes, type Cases, type Inputs, numbers, use } from "./use.ts";

/** An operator of one tensor of any shape. */
const unary = (op: string, opset: number, attributes?: Attributes) =>
  use(op, opset, (r) => [r.tensor(r.shape(r.int(0, 4)))], attributes);

const each = (ops: string, opset: number): Cases =>
  Object.fromEntries(ops.split(" ").map((op) => [op, unary(op, opset)]));

/** Inputs of one vector. */
const vector =
  (length: number, types: readonly DType[] = ["f32"], least?: number, most?: number) =>
  (r: Random): Inputs => [r.tensor([length], r.pick(types), least, most)];

/** Two tensors whose shapes go together. */
function pair(r: Random, dtype: DType, least?: number, most?: number): Tensor[] {
  const shape = r.shape(r.int(0, 4));
  const shapes = r.shuffle([shape, r.narrower(shape)]);
  return shapes.map((one) => r.tensor(one, dtype, least, most));
}

/** A tensor and one that is broadcast to it, each with its range. */
function broadcast(r: Random, shape: number[], dtype: DType, first: [number, number], second = first): Tensor[] {
  return [r.tensor(shape, dtype, ...first), r.tensor(r.narrower(shape), dtype, ...second)];
}

/** To or from 8 bits, with a scale and a zero of each part along `axis`. */
const quantization = (op: string, shape: number[], axis: number, x?: [number, number]) =>
  use(
    op,
    13,
    (r) => {
      const [dtype, parts] = [r.pick(["u8", "i8"] as const), [shape[axis]!]];
      const first = x ? r.tensor(shape, "f32", ...x) : r.tensor(shape, dtype, -100, 100);
      return [first, r.tensor(parts, "f32", 0.05, 0.2), r.tensor(parts, dtype, 0, 9)];
    },
    { axis },
  );

export const elementwise: Cases = {
  ...each("Relu Sigmoid Tanh Softplus Softsign HardSwish LeakyRelu Elu Selu HardSigmoid", 14),
  ...each("Exp Floor Ceil Round Erf Abs Neg Reciprocal", 13),
  Mish: unary("Mish", 18),
  Swish: unary("Swish", 24, { alpha: 1.5 }),
  "Celu, with alpha": use("Celu", 12, vector(5), { alpha: 0.7 }),
  "ThresholdedRelu, with alpha": use("ThresholdedRelu", 10, vector(9), { alpha: 1.5 }),
  Gelu: use("Gelu", 20, vector(20, ["f32"], -9, 9), (r) => ({ approximate: r.pick(["none", "tanh"]) })),
  "Log and Sqrt": use("Log Sqrt", 13, vector(7, ["f32"], 0.1, 9)),
  "Abs and Neg of integers": use("Abs Neg", 13, vector(7, ["i32", "i64", "i8"])),
  PRelu: use("PRelu", 16, (r) => broadcast(r, r.shape(4), "f32", [-4, 4])),
  "Add, Sub, Mul": use("Add Sub Mul", 14, (r) => pair(r, r.pick(numbers), -2000, 2000)),
  Div: use("Div", 14, (r) => broadcast(r, r.shape(3), r.pick(numbers), [-50, 50], [1, 7])),
  Pow: use("Pow", 15, (r) => {
    const types: readonly DType[] = ["f32", "i32", "i64"];
    return [r.tensor([2, 3], r.pick(types), 1, 4), r.tensor([3], r.pick(types), 0, 3)];
  }),
  comparisons: use("Equal Less LessOrEqual Greater GreaterOrEqual", 16, (r) => pair(r, r.pick(["i32", "i64"]), 0, 2)),
  logic: use("And Or Xor", 7, (r) => pair(r, "bool")),
  Not: use("Not", 1, vector(5, ["bool"])),
  Where: use("Where", 16, (r) => {
    const [shape, dtype] = [r.shape(3), r.pick(["f32", "i64"] as const)];
    return [r.tensor(r.narrower(shape), "bool"), r.tensor(r.narrower(shape), dtype), r.tensor(shape, dtype)];
  }),
  "Min, Max": use("Min Max", 13, (r) => pair(r, r.pick(numbers))),
  "Sum, Mean": use("Sum Mean", 13, (r) => {
    const shape = r.shape(3);
    return [shape, r.narrower(shape), r.narrower(shape)].map((one) => r.tensor(one));
  }),
  "Clip by inputs": use("Clip", 13, (r) => {
    const dtype = r.pick(numbers);
    const bounds = [tensorOf([], [-1], dtype), tensorOf([], [2], dtype)].map((one) => (r.flag() ? one : undefined));
    return [r.tensor([9], dtype), ...bounds];
  }),
  "Clip by attributes": use("Clip", 6, vector(9), { min: -1, max: 1 }),
  Cast: use("Cast", 13, vector(8, [...numbers, "u8", "bool"]), (r) => ({ to: r.pick([1, 6, 7, 9, 11]) })),
  QuantizeLinear: quantization("QuantizeLinear", [2, 3, 4], 1, [-20, 20]),
  DequantizeLinear: quantization("DequantizeLinear", [2, 5], 0),
};

// Operators that sum or compare along axes: reductions, products of matrices, and norms.
import { list, type Random } from "../../random-tensors.ts";
import { type Attributes, type Cases, type OperatorCase, use } from "./use.ts";

const reduction = (ops: string, opset: number) =>
  use(
    ops,
    opset,
    (r) => {
      const shape = r.shape(r.int(1, 4));
      const axes = r.shuffle(shape.map((_, i) => i - r.flag() * shape.length)).slice(0, r.int(0, shape.length));
      return [r.tensor(shape, r.pick(["f32", "i32"])), ...(axes.length > 0 ? [list(axes)] : [])];
    },
    (r) => ({ keepdims: r.flag() }),
  );

function gemm(r: Random): OperatorCase {
  const [rows, inner, columns] = r.shape(3) as [number, number, number];
  const [transA, transB] = [r.flag(), r.flag()];
  const c = r.pick([[[rows, columns]], [[columns]], [[rows, 1]], [[]], []]);
  const sides = [transA ? [inner, rows] : [rows, inner], transB ? [columns, inner] : [inner, columns], ...c];
  const attributes = { transA, transB, alpha: 0.5, beta: 2 };
  return { op: "Gemm", opset: 13, attributes, inputs: sides.map((shape) => r.tensor(shape)) };
}

export const reductions: Cases = {
  ReduceSum: reduction("ReduceSum", 13),
  "ReduceMean, -Max, -Min": reduction("ReduceMean ReduceMax ReduceMin", 18),
  "other reductions": reduction("ReduceProd ReduceL1 ReduceSumSquare", 18),
  "reductions of 64-bit integers": (r) => {
    const op = r.pick(["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean"]);
    const attributes: Attributes = op === "ReduceSum" ? {} : { axes: [1] };
    return { op, opset: 13, attributes, inputs: [r.tensor([2, 3], "i64", -99, 99)] };
  },
  "reductions by roots and logarithms": use(
    "ReduceL2 ReduceLogSum ReduceLogSumExp",
    18,
    (r) => [r.tensor(r.shape(3), "f32", 0.5, 4), list([r.int(-3, 2)])],
    (r) => ({ keepdims: r.flag() }),
  ),
  "reductions of no axes": use(
    "ReduceSum ReduceMean ReduceMax ReduceProd",
    18,
    (r) => [r.tensor(r.shape(3))],
    (r) => ({ keepdims: r.flag(), noop_with_empty_axes: r.flag() }),
  ),
  "ArgMax, ArgMin": use(
    "ArgMax ArgMin",
    13,
    (r) => [r.tensor(r.shape(3), "i32", 0, 2)],
    (r) => ({ axis: r.int(-3, 2), keepdims: r.flag(), select_last_index: r.flag() }),
  ),
  Softmax: (r) =>
    use(
      "Softmax LogSoftmax",
      r.pick([11, 13]),
      () => [r.tensor(r.shape(3), "f32", -50, 50)],
      () => ({ axis: r.int(-3, 2) }),
    )(r),
  MatMul: use("MatMul", 13, (r) => {
    const [batch, [rows, inner, columns]] = [r.shape(2, 3), r.shape(3) as [number, number, number]];
    const a = r.pick([[inner], [...r.narrower(batch), rows, inner]]);
    const b = r.pick([[inner], [...batch, inner, columns]]);
    return [r.tensor(a), r.tensor(b)];
  }),
  Gemm: gemm,
  BatchNormalization: use(
    "BatchNormalization",
    15,
    (r) => {
      const shape = [2, 3, ...r.shape(r.int(1, 3))];
      return [r.tensor(shape), ...[1, 2, 3].map(() => r.tensor([3])), r.tensor([3], "f32", 0, 2)];
    },
    { epsilon: 0.01 },
  ),
  InstanceNormalization: use("InstanceNormalization", 6, (r) => [[2, 3, 4, 5], [3], [3]].map((one) => r.tensor(one))),
};

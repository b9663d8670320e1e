// MatMul: matrix products over the last two axes; the axes before broadcast as in elementwise operators.
import type { Steps } from "../../engine/turns.ts";
import { refuse, required, reshaped } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { numbersOf, sizeOf, write } from "../../graph/values.ts";
import { forRows } from "./axes.ts";
import { matrix, multiply } from "./gemm.ts";
import { broadcastShape, broadcastStrides } from "./loops.ts";

interface Product {
  /** The axes before the matrices: of the result, and of each operand. */
  batch: number[];
  own: [a: readonly number[], b: readonly number[]];
  rows: number;
  inner: number;
  columns: number;
}

function productOf(node: GraphNode, inputs: readonly (Spec | undefined)[]): Product {
  const [a, b] = [required(node, inputs, 0), required(node, inputs, 1, [inputs[0]!.dtype])];
  if (a.shape.length === 0 || b.shape.length === 0) refuse(node, "matrices or vectors", "a scalar");
  const [left, right] = [
    a.shape.length === 1 ? [1, ...a.shape] : a.shape,
    b.shape.length === 1 ? [...b.shape, 1] : b.shape,
  ];
  const [rows, inner, same, columns] = [...left.slice(-2), ...right.slice(-2)] as [number, number, number, number];
  if (inner !== same) refuse(node, "as many columns as rows", `[${a.shape}] and [${b.shape}]`);
  const own: Product["own"] = [left.slice(0, -2), right.slice(0, -2)];
  const batch = broadcastShape(node, [reshaped(a, own[0]), reshaped(b, own[1])]);
  return { batch, own, rows, inner, columns };
}

export const matMul: Operator = {
  name: "MatMul",
  infer: (node, inputs) => {
    const { batch, rows, columns } = productOf(node, inputs);
    const [a, b] = inputs as [Spec, Spec];
    const sides = [...(a.shape.length > 1 ? [rows] : []), ...(b.shape.length > 1 ? [columns] : [])];
    return [{ dtype: a.dtype, shape: [...batch, ...sides] }];
  },
  run: (node, inputs, [y]) => multiplied(node, inputs as Value[], y!),
};

/** Computes MatMul's output. */
export function* multiplied(node: GraphNode, inputs: readonly Value[], y: Value): Steps {
  const { batch, own, rows, inner, columns } = productOf(node, inputs);
  const [a, b] = [numbersOf(inputs[0]!), numbersOf(inputs[1]!)];
  const sums = new Float64Array(rows * columns);
  // Which matrices are multiplied, of both operands.
  const places = own.map((sides) => placesOf(sides, batch));
  for (let i = 0; i < sizeOf(batch); i++) {
    const left = matrix(a, inner, false, places[0]![i]! * rows * inner);
    const right = matrix(b, columns, false, places[1]![i]! * inner * columns);
    yield* multiply(left, right, inner, columns, sums);
    write(y, sums, i * sums.length);
  }
}

/** Of each element of the larger `shape`, the one that it is of a tensor that is repeated to it. */
function placesOf(sides: readonly number[], shape: readonly number[]): Float64Array {
  const places = new Float64Array(sizeOf(shape));
  const strides = broadcastStrides(sides, shape);
  const [length, step] = [shape.at(-1) ?? 1, strides.at(-1) ?? 0];
  forRows(shape, [strides], (at, [from]) => {
    for (let i = 0; i < length; i++) places[at + i] = from! + i * step;
  });
  return places;
}

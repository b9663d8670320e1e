// Gemm (alpha A B + beta C, with A and B transposed on demand), and the matrix product in f64 that MatMul shares.
import type { Steps } from "../../engine/turns.ts";
import { numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { newValue, numbersOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";
import { checkFinish, finish } from "./activations.ts";
import { broadcastShape, combine } from "./loops.ts";

function sidesOf(
  node: GraphNode,
  inputs: readonly (Spec | undefined)[],
): [rows: number, inner: number, columns: number] {
  const [a, b] = [required(node, inputs, 0), required(node, inputs, 1, [inputs[0]!.dtype])];
  if (a.shape.length !== 2 || b.shape.length !== 2) refuse(node, "two matrices", `[${a.shape}] and [${b.shape}]`);
  const [rows, inner] = (isTransposed(node, "transA") ? a.shape.toReversed() : a.shape) as [number, number];
  const [same, columns] = (isTransposed(node, "transB") ? b.shape.toReversed() : b.shape) as [number, number];
  return inner === same ? [rows, inner, columns] : refuse(node, `${plural(inner, "row")} of B`, same);
}

const isTransposed = (node: GraphNode, name: string): boolean => numberOf(node, name, 0) !== 0;

export const gemm: Operator = {
  name: "Gemm",
  infer: (node, inputs) => {
    const [rows, , columns] = sidesOf(node, inputs);
    const y: Spec = { dtype: inputs[0]!.dtype, shape: [rows, columns] };
    const c = inputs[2] && required(node, inputs, 2, [y.dtype]);
    if (c && `${broadcastShape(node, [y, c])}` !== `${y.shape}`) refuse(node, `C to fit [${y.shape}]`, c.shape);
    checkFinish(node, y);
    return [y];
  },
  *run(node, inputs, [y]) {
    const [a, b, c] = inputs;
    const [rows, inner, columns] = sidesOf(node, inputs);
    const left = matrix(numbersOf(a!), a!.shape[1]!, isTransposed(node, "transA"));
    const right = matrix(numbersOf(b!), b!.shape[1]!, isTransposed(node, "transB"));
    const sums = newValue("f64", [rows, columns]);
    yield* multiply(left, right, inner, columns, numbersOf(sums));
    const [alpha, beta] = [numberOf(node, "alpha", 1), numberOf(node, "beta", 1)];
    combine(
      sums,
      c ? [sums, { ...c, data: numbersOf(c) }] : [sums],
      (sum, bias) => alpha * sum + (c ? beta * bias : 0),
    );
    write(y!, numbersOf(sums));
    finish(node, y!);
  },
};

/** Rows and columns lie `row` and `column` elements apart. */
export interface MatrixView {
  data: Float64Array;
  offset: number;
  row: number;
  column: number;
}

/** Row-major, or its transpose. */
export function matrix(data: Float64Array, columns: number, transposed = false, offset = 0): MatrixView {
  return transposed ? { data, offset, row: 1, column: columns } : { data, offset, row: columns, column: 1 };
}

/** Multiplications between two turns of others: about a millisecond. */
const partSize = 2 ** 19;

/** How many of some equal pieces of work, of `each` multiplications, go into a part; at least one. */
export const piecesOf = (each: number): number => Math.max(1, Math.floor(partSize / Math.max(1, each)));

/** sums[r, c] = sum over i < inner of a[r, i] b[i, c], row after row. */
export function* multiply(a: MatrixView, b: MatrixView, inner: number, columns: number, sums: Float64Array): Steps {
  sums.fill(0);
  const rows = columns > 0 ? sums.length / columns : 0;
  const part = piecesOf(inner * columns);
  for (let r = 0; r < rows; r += part) {
    yield;
    addRows(a, b, inner, columns, sums, r, Math.min(rows, r + part));
  }
}

function addRows(
  a: MatrixView,
  b: MatrixView,
  inner: number,
  columns: number,
  sums: Float64Array,
  from: number,
  to: number,
): void {
  for (let r = from; r < to; r++) {
    const at = r * columns;
    for (let i = 0; i < inner; i++) {
      const factor = a.data[a.offset + r * a.row + i * a.column]!;
      const first = b.offset + i * b.row;
      for (let c = 0; c < columns; c++) sums[at + c]! += factor * b.data[first + c * b.column]!;
    }
  }
}

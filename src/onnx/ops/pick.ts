// Copies elements without arithmetic: by lists of positions, or by views. Shared by Slice, Pad, Tile, Gather, Transpose and
// their kin.
import type { GraphNode, Operator, Spec, Value, View } from "../../graph/types.ts";
import { elementsOf, stridesOf } from "../../graph/values.ts";
import { copyLists, copyView } from "./words.ts";

/**
 * For each axis of `from` a list of positions: to[i, j, ...] = from[lists[0][i], lists[1][j], ...], and `fill` where one of
 * them is -1.
 */
export function pick(to: Value, from: Value, lists: readonly ArrayLike<number>[], fill: number = 0): void {
  if (lists.some((list) => Array.prototype.includes.call(list, -1))) elementsOf(to).fill(fill);
  if (to.data.length > 0) copyLists(to.data, from.data, from.shape, lists);
}

/** The list of `length` positions whose i-th is `at(i)`. */
export function positions(length: number, at: (i: number) => number = (i) => i): Int32Array {
  return Int32Array.from({ length }, (_, i) => at(i));
}

/** Every element of the first output, from the first input: output[i, j, ...] = input[offset + i · strides[0] + ...]. */
export const viewOf = (counts: readonly number[], strides: readonly number[], offset = 0, output = 0): View => ({
  ...{ input: 0, output, counts, from: { offset, strides }, to: { offset: 0, strides: stridesOf(counts) } },
});

/** The axes of an input, read as `shape`, in another order: axis i of the result is axis order[i]. */
export function permuted(shape: readonly number[], order: readonly number[]): View {
  const strides = stridesOf(shape);
  return viewOf(
    order.map((axis) => shape[axis]!),
    order.map((axis) => strides[axis]!),
  );
}

/** An operator that only copies. */
export function copying(
  name: string,
  infer: Operator["infer"],
  viewsOf: (node: GraphNode, inputs: readonly (Spec | undefined)[]) => readonly View[],
): Operator {
  return {
    ...{ name, infer, copies: (node, inputs) => ({ views: viewsOf(node, inputs) }) },
    run: (node, inputs, outputs) => {
      for (const view of viewsOf(node, inputs)) {
        const to = outputs[view.output];
        if (to) copyView(to.data, inputs[view.input]!.data, view);
      }
    },
  };
}

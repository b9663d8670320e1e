// Copies elements without arithmetic: by lists of positions, or by views. Shared by Slice, Pad, Tile, Gather, Transpose and
// their kin.
import type { GraphNode, Operator, Spec, Value, View } from "../../graph/types.ts";
import { elementsOf, stridesOf } from "../../graph/values.ts";
import { forRows, joinAxes } from "./loops.ts";

/**
 * For each axis of `from` a list of positions: to[i, j, ...] = from[lists[0][i], lists[1][j], ...], and `fill` where one of
 * them is -1.
 */
export function pick(to: Value, from: Value, lists: readonly ArrayLike<number>[], fill: number = 0): void {
  const [source, target] = [elementsOf(from), elementsOf(to)];
  const strides = stridesOf(from.shape);
  let at = 0;
  const walk = (axis: number, base: number): void => {
    if (axis === lists.length) {
      target[at++] = base < 0 ? fill : source[base]!;
      return;
    }
    const [list, stride] = [lists[axis]!, strides[axis]!];
    const last = axis === lists.length - 1;
    for (let i = 0; i < list.length; i++) {
      const next = base < 0 || list[i]! < 0 ? -1 : base + list[i]! * stride;
      if (!last) walk(axis + 1, next);
      else target[at++] = next < 0 ? fill : source[next]!;
    }
  };
  walk(0, 0);
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
        if (to) copyView(to, inputs[view.input]!, view);
      }
    },
  };
}

/** The elements that a view names. */
export function copyView(to: Value, from: Value, view: View): void {
  const [source, target] = [elementsOf(from), elementsOf(to)];
  const { shape, strides } = joinAxes(view.counts, [view.from.strides, view.to.strides]);
  const [columns = 1, rows = 1] = shape.slice(-2).reverse();
  const inner = (steps: readonly number[]): number[] => [steps.at(-1) ?? 1, steps.at(-2) ?? 0];
  const [[step, rowStep], [toStep, toRowStep]] = strides.map(inner) as [[number, number], [number, number]];
  // Both inner axes in one visit: rows may be as short as two elements.
  const outer = [...shape.slice(0, -2), rows * columns];
  const around = strides.map((steps) => [...steps.slice(0, -2), 0]);
  forRows(outer, around, (_at, [offset, toOffset]) => {
    let [first, at] = [view.from.offset + offset!, view.to.offset + toOffset!];
    for (let row = 0; row < rows; row++, first += rowStep, at += toRowStep) {
      for (let i = 0, next = first, last = at; i < columns; i++, next += step, last += toStep)
        target[last] = source[next]!;
    }
  });
}

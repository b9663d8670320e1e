// Copies elements without arithmetic: by lists of positions, by a permutation of axes, or by strides. Shared by Slice,
// Pad, Tile, Gather, Transpose and their kin.
import type { Value } from "../../graph/types.ts";
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

/** The axes of `from`, read as `shape`, in another order: axis i of the result is axis order[i]. */
export function permute(to: Value, from: Value, shape: readonly number[], order: readonly number[]): void {
  const strides = stridesOf(shape);
  copyStrided(
    to,
    from,
    order.map((axis) => shape[axis]!),
    order.map((axis) => strides[axis]!),
  );
}

/** to[i, j, ...] = from[start + i · steps[0] + j · steps[1] + ...]; `to` is read as of these sides. */
export function copyStrided(
  to: Value,
  from: Value,
  sides: readonly number[],
  steps: readonly number[],
  start = 0,
): void {
  const [source, target] = [elementsOf(from), elementsOf(to)];
  const { shape, strides } = joinAxes(sides, [steps]);
  const [columns = 1, rows = 1] = shape.slice(-2).reverse();
  const [step = 1, rowStep = 0] = strides[0]!.slice(-2).reverse();
  // Both inner axes in one visit: rows may be as short as two elements.
  const outer = [...shape.slice(0, -2), rows * columns];
  forRows(outer, strides, (at, [offset]) => {
    for (let row = 0, first = start + offset!; row < rows; row++, first += rowStep) {
      for (let i = 0, next = first; i < columns; i++, next += step) target[at++] = source[next]!;
    }
  });
}

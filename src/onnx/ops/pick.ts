// Rearranging without arithmetic: what Slice, Pad, Tile, Gather and nearest Resize share, and what Transpose and its kin do.
import type { Value } from "../../graph/types.ts";
import { elementsOf, stridesOf } from "../../graph/values.ts";
import { forRows } from "./broadcast.ts";

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
  const [source, target] = [elementsOf(from), elementsOf(to)];
  const strides = stridesOf(shape);
  const sides = order.map((axis) => shape[axis]!);
  const step = strides[order.at(-1) ?? 0] ?? 1;
  const length = sides.at(-1) ?? 1;
  forRows(sides, [order.map((axis) => strides[axis]!)], (at, [offset]) => {
    for (let i = 0; i < length; i++) target[at + i] = source[offset! + i * step]!;
  });
}

// Work along one axis: a tensor as lines of `length` elements, `inner` apart.
import { axisOf, numberOf, refuse } from "../../graph/nodes.ts";
import type { GraphNode, Spec } from "../../graph/types.ts";
import { sizeOf } from "../../graph/values.ts";

export interface Lines {
  length: number;
  inner: number;
}

export function linesOf({ shape }: Spec, axis: number): Lines {
  return { length: shape[axis] ?? 1, inner: sizeOf(shape.slice(axis + 1)) };
}

/** Visits the first element of each line of a tensor of `size` elements, in order. */
export function forLines({ length, inner }: Lines, size: number, visit: (start: number, index: number) => void): void {
  const lines = size / length;
  for (let i = 0; i < lines; i++) visit(Math.floor(i / inner) * length * inner + (i % inner), i);
}

/** The axis that an attribute names. */
export function axisIn(node: GraphNode, { shape }: Spec, fallback?: number): number {
  return axisOf(node, numberOf(node, "axis", fallback), shape.length);
}

/** Refuses an empty axis, of which there is no largest element. */
export function filled(node: GraphNode, { shape }: Spec, axis: number): number {
  return shape[axis] === 0 ? refuse(node, `elements along axis ${axis}`, shape) : axis;
}

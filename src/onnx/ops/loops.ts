// Loops over tensors: NumPy's broadcasting rule, rows, joined axes, and lines along one axis.
import { axisOf, numberOf, refuse } from "../../graph/nodes.ts";
import type { GraphNode, Spec, Value } from "../../graph/types.ts";
import { elementsOf, sizeOf, stridesOf } from "../../graph/values.ts";

export function broadcastShape(node: GraphNode, inputs: readonly Spec[]): number[] {
  const rank = Math.max(...inputs.map(({ shape }) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sides = inputs.map(({ shape }) => shape[axis - rank + shape.length] ?? 1);
    const side = sides.find((one) => one !== 1) ?? 1;
    if (sides.every((one) => one === 1 || one === side)) return side;
    return refuse(node, "inputs of equal sides or sides of 1", inputs.map(({ shape }) => `[${shape}]`).join(" and "));
  });
}

/** Strides that read a tensor as if it had the larger `shape`: 0 along repeated axes. */
export function broadcastStrides(from: readonly number[], shape: readonly number[]): number[] {
  const strides = stridesOf(from);
  return shape.map((_, axis) => {
    const own = axis - shape.length + from.length;
    return own < 0 || from[own] === 1 ? 0 : strides[own]!;
  });
}

/** Visits rows (along the last axis) in order: the position of their first element, and the offset under each strides. */
export function forRows(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (at: number, offsets: readonly number[]) => void,
): void {
  if (sizeOf(shape) === 0) return;
  const index = shape.map(() => 0);
  const offsets = strides.map(() => 0);
  for (let at = 0; ; at += shape.at(-1) ?? 1) {
    visit(at, offsets);
    let axis = shape.length - 2;
    for (; axis >= 0; axis--) {
      const rewind = ++index[axis]! < shape[axis]! ? 0 : shape[axis]!;
      for (let k = 0; k < offsets.length; k++) offsets[k]! += strides[k]![axis]! * (1 - rewind);
      if (rewind === 0) break;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Neighbouring axes that all strides walk through as through one become one: the fewer rows, the better. */
export function joinAxes(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): { shape: number[]; strides: number[][] } {
  const joined = { shape: [] as number[], strides: strides.map((): number[] => []) };
  shape.forEach((side, axis) => {
    const last = joined.shape.length - 1;
    if (last >= 0 && strides.every((one, k) => joined.strides[k]![last] === one[axis]! * side)) {
      joined.shape[last]! *= side;
      for (const [k, one] of strides.entries()) joined.strides[k]![last] = one[axis]!;
    } else {
      joined.shape.push(side);
      for (const [k, one] of strides.entries()) joined.strides[k]!.push(one[axis]!);
    }
  });
  return joined;
}

/** Elements of an input that a row reads: from `from` on, `step` apart. */
interface Reads {
  data: Float64Array;
  from: number;
  step: number;
}

/** Computes `count` neighbouring elements of `out`, from `at` on. */
export type Row = (out: Float64Array, at: number, count: number, a: Reads, b: Reads, c: Reads) => void;

const rowOf =
  (f: (a: number, b: number, c: number) => number | boolean): Row =>
  (out, at, count, a, b, c) => {
    for (let i = 0; i < count; i++) {
      const third = c.data[c.from + i * c.step]!;
      out[at + i] = f(a.data[a.from + i * a.step]!, b.data[b.from + i * b.step]!, third) as number;
    }
  };

/**
 * to = f(inputs[0], inputs[1], inputs[2]), element by element, as far as there are inputs. `row` is the loop, where `f` has
 * one of its own.
 */
export function combine(
  to: Value,
  inputs: readonly Value[],
  f: (a: number, b: number, c: number) => number | boolean,
  row = rowOf(f),
): void {
  const [first, second = first, third = first] = inputs as [Value, Value?, Value?];
  const all = [first, second, third];
  const { shape, strides } = joinAxes(
    to.shape,
    all.map((input) => broadcastStrides(input.shape, to.shape)),
  );
  const reads = all.map((input, i): Reads => ({ data: elementsOf(input), from: 0, step: strides[i]!.at(-1) ?? 0 }));
  const [a, b, c] = reads as [Reads, Reads, Reads];
  const out = elementsOf(to);
  const length = shape.at(-1) ?? 1;
  forRows(shape, strides, (at, offsets) => {
    [a.from, b.from, c.from] = offsets as [number, number, number];
    row(out, at, length, a, b, c);
  });
}

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

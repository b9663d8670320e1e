// Operators whose elements decide how many results there are: NonZero, Compress and Unique. Their sizes are known only when
// their inputs are computed.
import { checkSize } from "../../graph/evaluate.ts";
import { axisOf, computed, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { asFloat64, elementsOf, newValue, sizeOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";
import { pick, positions } from "./pick.ts";

const isSet = (element: number): boolean => Number(element) !== 0;

/** The indices of elements other than 0, an axis a row. */
function nonZeroOf(node: GraphNode, x: Value): Value {
  const data = asFloat64(x);
  const rank = Math.max(1, x.shape.length);
  let count = 0;
  for (let i = 0; i < data.length; i++) count += data[i] !== 0 ? 1 : 0;
  checkSize(node, { dtype: "i64", shape: [rank, count] });
  const found = newValue("i64", [rank, count]);
  const places = new Float64Array(count);
  for (let i = 0, at = 0; i < data.length; i++) if (data[i] !== 0) places[at++] = i;
  // Each axis takes its part of what is left of the places.
  const index = new Float64Array(count);
  for (let axis = rank - 1; axis >= 0; axis--) {
    const side = x.shape[axis] ?? 1;
    for (let i = 0; i < count; i++) {
      const rest = Math.floor(places[i]! / side);
      index[i] = places[i]! - rest * side;
      places[i] = rest;
    }
    write(found, index, axis * count);
  }
  return found;
}

export const nonZero: Operator = {
  name: "NonZero",
  infer: (node, inputs) => {
    required(node, inputs, 0);
    return [nonZeroOf(node, computed(node, inputs)[0]!)];
  },
};

/** The axis, if there is one, and the places along it that the condition names. */
function keptBy(node: GraphNode, inputs: readonly (Spec | undefined)[]): [axis: number | undefined, kept: number[]] {
  const { shape } = required(node, inputs, 0);
  const [condition] = computed(node, [required(node, inputs, 1, ["bool"])]);
  const { axis: named } = node.attributes;
  const axis = named === undefined ? undefined : axisOf(node, numberOf(node, "axis"), shape.length);
  const side = axis === undefined ? sizeOf(shape) : shape[axis]!;
  const kept = [...condition!.data.keys()].filter((i) => isSet(condition!.data[i] as number));
  if (condition!.shape.length !== 1) refuse(node, "a condition of one axis", condition!.shape);
  return (kept.at(-1) ?? -1) < side
    ? [axis, kept]
    : refuse(node, `a condition for ${plural(side, "element")}`, condition!.shape);
}

export const compress: Operator = {
  name: "Compress",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const [axis, kept] = keptBy(node, inputs);
    return [{ dtype, shape: axis === undefined ? [kept.length] : shape.with(axis, kept.length) }];
  },
  run: (node, inputs, [y]) => {
    const x = inputs[0]!;
    const [axis, kept] = keptBy(node, inputs);
    const from = axis === undefined ? { ...x, shape: [x.data.length] } : x;
    pick(
      y!,
      from,
      from.shape.map((side, i) => (i === (axis ?? 0) ? kept : positions(side))),
    );
  },
};

/** Slices of a tensor along an axis, as rows of a matrix. */
interface Slices {
  rows: number;
  length: number;
  at(row: number, i: number): number;
}

function slicesOf({ shape, data }: Value, axis: number | undefined): Slices {
  const all = elementsOf({ data });
  if (axis === undefined) return { rows: all.length, length: 1, at: (row) => all[row]! };
  const [rows, inner] = [shape[axis]!, sizeOf(shape.slice(axis + 1))];
  const length = sizeOf(shape) / (rows || 1);
  const at = (row: number, i: number): number => all[(Math.floor(i / inner) * rows + row) * inner + (i % inner)]!;
  return { rows, length, at };
}

/** Before, at or after; NaN comes last, and is equal to nothing. */
function order(a: number, b: number): number {
  if (a === b) return 0;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(b) ? -1 : 1;
  return a < b ? -1 : 1;
}

/** Of all rows, which are the first of their kind, of which kind each is, and how many there are of each. */
function kindsOf(
  { rows, length, at }: Slices,
  sorted: boolean,
): { first: number[]; kind: Int32Array; counts: number[] } {
  const compare = (a: number, b: number): number => {
    for (let i = 0; i < length; i++) {
      const found = order(at(a, i), at(b, i));
      if (found !== 0) return found;
    }
    return 0;
  };
  const places = positions(rows).sort((a, b) => compare(a, b) || a - b);
  const groups: number[][] = [];
  for (const row of places) {
    const last = groups.at(-1);
    if (last && compare(last[0]!, row) === 0) last.push(row);
    else groups.push([row]);
  }
  if (!sorted) groups.sort(([a], [b]) => a! - b!);
  const kind = new Int32Array(rows);
  for (const [i, group] of groups.entries()) for (const row of group) kind[row] = i;
  return { first: groups.map(([row]) => row!), kind, counts: groups.map((group) => group.length) };
}

export const unique: Operator = {
  name: "Unique",
  infer: (node, inputs) => {
    required(node, inputs, 0);
    const x = computed(node, inputs)[0]!;
    const axis = node.attributes.axis === undefined ? undefined : axisOf(node, numberOf(node, "axis"), x.shape.length);
    const { first, kind, counts } = kindsOf(slicesOf(x, axis), numberOf(node, "sorted", 1) !== 0);
    const from = axis === undefined ? { ...x, shape: [x.data.length] } : x;
    const y = newValue(x.dtype, from.shape.with(axis ?? 0, first.length));
    pick(
      y,
      from,
      from.shape.map((side, i) => (i === (axis ?? 0) ? first : positions(side))),
    );
    return [y, ...[first, kind, counts].map(integers)];
  },
};

function integers(list: ArrayLike<number>): Value {
  const value = newValue("i64", [list.length]);
  write(value, list);
  return value;
}

export const measured: readonly Operator[] = [nonZero, compress, unique];

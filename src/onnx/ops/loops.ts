// Loops over tensors: NumPy's broadcasting rule, functions of elements, and lines along one axis.
import { axisOf, numberOf, refuse } from "../../graph/nodes.ts";
import type { GraphNode, Spec, Value } from "../../graph/types.ts";
import { elementsOf, sizeOf, stridesOf } from "../../graph/values.ts";
import type { TypedArray } from "../../tensor.ts";
import { forRows, joinAxes } from "./axes.ts";
import { type Copy, copyOf, wordsIn, wordsOf } from "./words.ts";

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

/** Computes `count` elements of `out` from as many of each input, all of them numbers. */
export type Row = (out: Float64Array, count: number, a: Float64Array, b: Float64Array, c: Float64Array) => void;

type Function3 = (a: number, b: number, c: number) => number | boolean;

const rowOf =
  (f: Function3): Row =>
  (out, count, a, b, c) => {
    for (let i = 0; i < count; i++) out[i] = f(a[i]!, b[i]!, c[i]!) as number;
  };

/** The same loop for 64-bit integers, apart from that for numbers: each knows few classes of arrays. */
const bigRowOf =
  (f: Function3): Row =>
  (out, count, a, b, c) => {
    for (let i = 0; i < count; i++) out[i] = f(a[i]!, b[i]!, c[i]!) as number;
  };

/** Elements that are computed at once: all of their inputs stay in cache. */
const blockSize = 2048;

const isBigArray = (data: TypedArray): boolean => data instanceof BigInt64Array || data instanceof BigUint64Array;

/** Room for elements as loops have them: 64-bit integers, bools where these are results, or numbers. */
function roomFor({ data, dtype }: Value, length: number, result = false): Float64Array {
  const own = isBigArray(data) || (result && dtype === "bool");
  const Class = (own ? data.constructor : Float64Array) as Float64ArrayConstructor;
  return new Class(length);
}

/** Reads blocks of an input that is repeated along axes of stride 0: `read(first, rows)` leaves them in `room`. */
function reader(input: Value, counts: readonly number[], strides: readonly number[]) {
  const data = elementsOf(input);
  const size = sizeOf(counts);
  const room = roomFor(input, size);
  const own = stridesOf(counts);
  const plain = strides.every((stride, axis) => stride === own[axis]);
  const single = strides.every((stride) => stride === 0);
  const words = wordsIn(data);
  const spread = plain || single ? data : (new (data.constructor as Float64ArrayConstructor)(size) as Float64Array);
  const [from, to] = plain || single ? [] : [wordsOf(data), wordsOf(spread)];
  let [copy, planned, seen] = [undefined as Copy | undefined, 0, -1];
  const read = (first: number, rows: number): void => {
    const count = counts[0] === undefined ? 1 : (size / counts[0]) * rows;
    if (plain) room.set(data.subarray(first, first + count));
    else if (seen === first && strides[0] === 0 && rows <= planned) return;
    else if (single) room.fill(data[first]!);
    else {
      if (rows !== planned) copy = copyOf(words, counts.with(0, rows), strides, own);
      copy!(to!, 0, from!, first * words);
      room.set(spread.subarray(0, count));
    }
    [seen, planned] = [first, rows];
  };
  return { room, read };
}

/**
 * to = f(inputs[0], inputs[1], inputs[2]), element by element, as far as there are inputs. `row` is the loop over numbers,
 * where `f` has one of its own.
 */
export function combine(to: Value, inputs: readonly Value[], f: Function3, row = rowOf(f)): void {
  if (sizeOf(to.shape) === 0) return;
  const { shape, strides } = joinAxes(
    to.shape,
    inputs.map((input) => broadcastStrides(input.shape, to.shape)),
  );
  // A block is as many rows as fit, each of them all axes from `inner` on.
  let [inner, size] = [shape.length, 1];
  while (inner > 1 && size * shape[inner - 1]! <= blockSize) size *= shape[--inner]!;
  const first = Math.max(0, inner - 1);
  const side = shape[first] ?? 1;
  const most = Math.min(side, Math.max(1, Math.floor(blockSize / size)));
  const counts = shape.length > 0 ? [most, ...shape.slice(inner)] : [];
  const reads = inputs.map((input, k) => reader(input, counts, strides[k]!.slice(first)));
  const steps = strides.map((one) => one[first] ?? 0);
  const data = elementsOf(to);
  const out = roomFor(to, most * size, true);
  const [a, b, c] = [reads[0]!.room, (reads[1] ?? reads[0]!).room, (reads[2] ?? reads[0]!).room];
  const loop = [data, ...inputs.map(elementsOf)].some(isBigArray) ? bigRowOf(f) : row;
  forRows([...shape.slice(0, first), side], strides, (at, offsets) => {
    for (let start = 0; start < side; start += most) {
      const rows = Math.min(most, side - start);
      for (let k = 0; k < reads.length; k++) reads[k]!.read(offsets[k]! + start * steps[k]!, rows);
      loop(out, rows * size, a, b, c);
      data.set(rows === most ? out : out.subarray(0, rows * size), (at + start) * size);
    }
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

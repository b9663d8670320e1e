// Where selects elements by a condition; ArgMax and ArgMin find the index of the largest or smallest element along an
// axis.
import { numberOf, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { elementsOf, isBig, write } from "../../graph/values.ts";
import type { TypedArray } from "../../tensor.ts";
import { forRows, joinAxes } from "./axes.ts";
import { axisIn, broadcastShape, broadcastStrides, filled, forLines, type Lines, linesOf } from "./loops.ts";
import { wordsOf } from "./words.ts";

/**
 * The elements of `a` where the condition holds, and of `b` elsewhere. Nothing is computed: what one condition decides about, an
 * element or all channels of a pixel, is copied as words of 32 bits, or as bytes where it is no whole number of words.
 */
function choose(to: Value, condition: Value, a: Value, b: Value): void {
  if (to.data.length === 0) return;
  const { BYTES_PER_ELEMENT: bytes } = to.data;
  const values = [a, b, to];
  const tests = broadcastStrides(condition.shape, to.shape);
  const strides = values.map(({ shape }) => broadcastStrides(shape, to.shape));
  const together = tests.at(-1) === 0 && strides.every((one) => one.at(-1) === 1);
  const each = bytes * (together ? to.shape.at(-1)! : 1);
  const word = each % 4 === 0 && values.every(({ data }) => data.byteOffset % 4 === 0) ? 4 : 1;
  const outer = together ? -1 : undefined;
  const inWords = strides.map((one) => [...one.slice(0, outer).map((stride) => (stride * bytes) / word), 1]);
  const tested = [...tests.slice(0, outer), 0];
  const { shape, strides: joined } = joinAxes([...to.shape.slice(0, outer), each / word], [tested, ...inWords]);
  const [columns = 1, rows = 1] = [shape.pop(), shape.pop()];
  const steps = joined.map((one): Steps => {
    const [column = 0, row = 0] = [one.pop(), one.pop()];
    return { column, row: row - columns * column };
  });
  const [x, y, out] = values.map(({ data }) => wordsOf(data, word)) as [Int32Array, Int32Array, Int32Array];
  const test = condition.data as Uint8Array;
  const grid = (word === 4 ? chooseWords : chooseBytes) as typeof chooseWords;
  // Rows of rows, the last axis of which is one.
  const around = joined.map((one) => [...one, 0]);
  forRows([...shape, 1], around, (_, starts) => grid(out, test, x, y, starts, { rows, columns, steps }));
}

/** From one element to the next, and from the end of a row to the next one. */
interface Steps {
  column: number;
  row: number;
}

/** Rows of a condition, of both values and of the result. */
interface Grid {
  rows: number;
  columns: number;
  steps: readonly Steps[];
}

function chooseBytes(
  out: Uint8Array,
  test: Uint8Array,
  a: Uint8Array,
  b: Uint8Array,
  starts: readonly number[],
  { rows, columns, steps }: Grid,
): void {
  const [c, x, y, z] = steps as [Steps, Steps, Steps, Steps];
  let [k, i, j, to] = starts as [number, number, number, number];
  for (let row = 0; row < rows; row++, k += c.row, i += x.row, j += y.row, to += z.row)
    for (let n = 0; n < columns; n++, k += c.column, i += x.column, j += y.column, to += z.column)
      out[to] = test[k] !== 0 ? a[i]! : b[j]!;
}

/** As {@link chooseBytes}: each knows one class of arrays, so that engines make fast code of it. */
function chooseWords(
  out: Int32Array,
  test: Uint8Array,
  a: Int32Array,
  b: Int32Array,
  starts: readonly number[],
  { rows, columns, steps }: Grid,
): void {
  const [c, x, y, z] = steps as [Steps, Steps, Steps, Steps];
  let [k, i, j, to] = starts as [number, number, number, number];
  for (let row = 0; row < rows; row++, k += c.row, i += x.row, j += y.row, to += z.row)
    for (let n = 0; n < columns; n++, k += c.column, i += x.column, j += y.column, to += z.column)
      out[to] = test[k] !== 0 ? a[i]! : b[j]!;
}

export const where: Operator = {
  name: "Where",
  infer: (node, inputs) => {
    const condition = required(node, inputs, 0, ["bool"]);
    const x = required(node, inputs, 1);
    return [{ dtype: x.dtype, shape: broadcastShape(node, [condition, x, required(node, inputs, 2, [x.dtype])]) }];
  },
  run: (_node, [condition, a, b], [y]) => choose(y!, condition!, a!, b!),
};

const axisOfNode = (node: GraphNode, x: Spec): number => filled(node, x, axisIn(node, x, 0));

function extreme(name: string, sign: 1 | -1): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const x = required(node, inputs, 0);
      const kept = numberOf(node, "keepdims", 1) ? [1] : [];
      return [{ dtype: "i64", shape: x.shape.toSpliced(axisOfNode(node, x), 1, ...kept) }];
    },
    run: (node, [x], [y]) => {
      const last = numberOf(node, "select_last_index", 0) !== 0;
      const lines = linesOf(x!, axisOfNode(node, x!));
      const found = new Float64Array(y!.data.length);
      if (isBig(x!.dtype)) bestOfBig(elementsOf(x!), found, lines, sign, last);
      else bestOf(x!.data, found, lines, sign, last);
      write(y!, found);
    },
  };
}

/** The index of the largest element of each line, or of the smallest where `sign` is -1. */
function bestOf(data: TypedArray, found: Float64Array, lines: Lines, sign: number, last: boolean): void {
  const { length, inner } = lines;
  const [best, row] = [new Float64Array(inner), new Float64Array(length * inner)];
  for (let first = 0; first < found.length; first += inner) {
    row.set((data as Float64Array).subarray(first * length, (first + inner) * length));
    for (let k = 0; k < inner; k++) best[k] = row[k]! * sign;
    for (let i = 1; i < length; i++)
      for (let k = 0; k < inner; k++) {
        const value = row[i * inner + k]! * sign;
        if (!(value > best[k]! || (last && value === best[k]!))) continue;
        best[k] = value;
        found[first + k] = i;
      }
  }
}

function bestOfBig(data: Float64Array, found: Float64Array, lines: Lines, sign: number, last: boolean): void {
  forLines(lines, data.length, (start, index) => {
    let best = 0;
    for (let i = 1; i < lines.length; i++) {
      const [value, than] = [data[start + i * lines.inner]!, data[start + best * lines.inner]!];
      if ((sign > 0 ? value > than : value < than) || (last && value === than)) best = i;
    }
    found[index] = best;
  });
}

export const argExtremes: readonly Operator[] = [extreme("ArgMax", 1), extreme("ArgMin", -1)];

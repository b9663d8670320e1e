// Where selects elements by a condition; ArgMax and ArgMin find the index of the largest or smallest element along an
// axis.
import { numberOf, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, isBig, write } from "../../graph/values.ts";
import type { TypedArray } from "../../tensor.ts";
import { axisIn, broadcastShape, combine, filled, forLines, type Lines, linesOf, type Row } from "./loops.ts";

const select: Row = (out, count, condition, a, b) => {
  for (let i = 0; i < count; i++) out[i] = condition[i]! !== 0 ? a[i]! : b[i]!;
};

export const where: Operator = {
  name: "Where",
  infer: (node, inputs) => {
    const condition = required(node, inputs, 0, ["bool"]);
    const x = required(node, inputs, 1);
    return [{ dtype: x.dtype, shape: broadcastShape(node, [condition, x, required(node, inputs, 2, [x.dtype])]) }];
  },
  run: (_node, inputs, [y]) => combine(y!, inputs as never, (condition, a, b) => (condition ? a : b), select),
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

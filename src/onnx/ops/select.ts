// Where selects elements by a condition; ArgMax and ArgMin find the index of the largest or smallest element along an
// axis.
import { numberOf, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, toBig } from "../../graph/values.ts";
import { axisIn, broadcastShape, combine, filled, forLines, linesOf } from "./loops.ts";

export const where: Operator = {
  name: "Where",
  infer: (node, inputs) => {
    const condition = required(node, inputs, 0, ["bool"]);
    const x = required(node, inputs, 1);
    return [{ dtype: x.dtype, shape: broadcastShape(node, [condition, x, required(node, inputs, 2, [x.dtype])]) }];
  },
  run: (_node, inputs, [y]) => combine(y!, inputs as never, (condition, a, b) => (condition ? a : b)),
};

const axisOfNode = (node: GraphNode, x: Spec): number => filled(node, x, axisIn(node, x, 0));

function extreme(name: string, isBetter: (a: number, b: number) => boolean): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const x = required(node, inputs, 0);
      const kept = numberOf(node, "keepdims", 1) ? [1] : [];
      return [{ dtype: "i64", shape: x.shape.toSpliced(axisOfNode(node, x), 1, ...kept) }];
    },
    run: (node, [x], [y]) => {
      const last = numberOf(node, "select_last_index", 0) !== 0;
      const [data, out] = [elementsOf(x!), elementsOf(y!)];
      const lines = linesOf(x!, axisOfNode(node, x!));
      forLines(lines, data.length, (start, index) => {
        let best = 0;
        for (let i = 1; i < lines.length; i++) {
          const [value, than] = [data[start + i * lines.inner]!, data[start + best * lines.inner]!];
          if (isBetter(value, than) || (last && value === than)) best = i;
        }
        out[index] = toBig(best);
      });
    },
  };
}

export const argExtremes: readonly Operator[] = [
  extreme("ArgMax", (a, b) => a > b),
  extreme("ArgMin", (a, b) => a < b),
];

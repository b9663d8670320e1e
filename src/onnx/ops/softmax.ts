// Softmax and LogSoftmax along an axis; before operator set 13 over this axis and all after it together.
import { axisOf, floats, numberOf, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, sizeOf } from "../../graph/values.ts";
import { forLines, type Lines, linesOf } from "./lines.ts";

function linesIn(node: GraphNode, x: Spec): Lines {
  const before = node.opset < 13;
  const axis = axisOf(node, numberOf(node, "axis", before ? 1 : -1), x.shape.length);
  return before ? { length: sizeOf(x.shape.slice(axis)), inner: 1 } : linesOf(x, axis);
}

function softmax(name: string, log: boolean): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const x = required(node, inputs, 0, floats);
      linesIn(node, x);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    run: (node, [x], [y]) => {
      const lines = linesIn(node, x!);
      const [data, out] = [elementsOf(x!), elementsOf(y!)];
      const terms = new Float64Array(lines.length);
      forLines(lines, data.length, (start) => {
        const end = start + lines.length * lines.inner;
        let most = Number.NEGATIVE_INFINITY;
        for (let i = start; i < end; i += lines.inner) most = Math.max(most, data[i]!);
        let sum = 0;
        for (let i = start, k = 0; i < end; i += lines.inner) sum += terms[k++] = Math.exp(data[i]! - most);
        const logSum = log ? Math.log(sum) : 0;
        for (let i = start, k = 0; i < end; i += lines.inner) {
          out[i] = log ? data[i]! - most - logSum : terms[k++]! / sum;
        }
      });
    },
  };
}

export const softmaxes: readonly Operator[] = [softmax("Softmax", false), softmax("LogSoftmax", true)];

// Softmax and LogSoftmax along an axis; before operator set 13 over this axis and all after it together.
import { axisOf, floats, numberOf, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, sizeOf } from "../../graph/values.ts";
import { type Lines, linesOf } from "./loops.ts";

function linesIn(node: GraphNode, x: Spec): Lines {
  const before = node.opset < 13;
  const axis = axisOf(node, numberOf(node, "axis", before ? 1 : -1), x.shape.length);
  return before ? { length: sizeOf(x.shape.slice(axis)), inner: 1 } : linesOf(x, axis);
}

/** One line of elements `step` apart. */
function softmaxLine(
  data: Float64Array,
  out: Float64Array,
  start: number,
  end: number,
  step: number,
  terms: Float64Array,
  log: boolean,
): void {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i += step) most = Math.max(most, data[i]!);
  let sum = 0;
  for (let i = start, k = 0; i < end; i += step) sum += terms[k++] = Math.exp(data[i]! - most);
  const shift = most + Math.log(sum);
  for (let i = start, k = 0; i < end; i += step) out[i] = log ? data[i]! - shift : terms[k++]! / sum;
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
      const { length, inner } = linesIn(node, x!);
      const [data, out] = [elementsOf(x!), elementsOf(y!)];
      const size = length * inner;
      const terms = new Float64Array(length);
      for (let outer = 0; outer < data.length; outer += size)
        for (let start = outer; start < outer + inner; start++)
          softmaxLine(data, out, start, start + size, inner, terms, log);
    },
  };
}

export const softmaxes: readonly Operator[] = [softmax("Softmax", false), softmax("LogSoftmax", true)];

// ReduceSum, ReduceMean, ReduceMax and ReduceMin, and the global pools, which are reductions over all positions.
import { axesOf, floats, listFrom, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, newValue, numbersOf, sizeOf, stridesOf, write } from "../../graph/values.ts";
import { forRows } from "./loops.ts";

type Inputs = readonly (Spec | undefined)[];

interface Reduction {
  start: number;
  add(sum: number, x: number): number;
  /** Divides by the number of elements. */
  mean?: boolean;
}

const sum = { start: 0, add: (a: number, b: number) => a + b };
const mean = { ...sum, mean: true };
const max = { start: Number.NEGATIVE_INFINITY, add: (a: number, b: number) => (a > b || Number.isNaN(a) ? a : b) };
const min = { start: Number.POSITIVE_INFINITY, add: (a: number, b: number) => (a < b || Number.isNaN(a) ? a : b) };

/** Attributes before operator set `since`, then an input. None given means all axes, or none where the node says so. */
function axesSince(since: number) {
  return (node: GraphNode, inputs: Inputs): number[] => {
    const { shape } = required(node, inputs, 0);
    const axes = listFrom(node, inputs, 1, "axes", since) ?? [];
    if (axes.length > 0 || numberOf(node, "noop_with_empty_axes", 0) !== 0) return axesOf(node, axes, shape.length);
    return shape.map((_, axis) => axis);
  };
}

/** All axes after batch and channels. */
function places(node: GraphNode, inputs: Inputs): number[] {
  const { shape } = required(node, inputs, 0, floats);
  if (shape.length < 3) refuse(node, "a batch of channels with at least one axis more", shape);
  return shape.slice(2).map((_, i) => i + 2);
}

function reduction(
  name: string,
  { start, add, mean }: Reduction,
  axesIn: (node: GraphNode, inputs: Inputs) => number[],
): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0);
      const axes = axesIn(node, inputs);
      if (!Number.isFinite(start) && axes.some((axis) => shape[axis] === 0)) refuse(node, "elements to compare", shape);
      const keep = numberOf(node, "keepdims", 1) !== 0;
      const sides = shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
      return [{ dtype, shape: keep ? sides : sides.filter((_, axis) => !axes.includes(axis)) }];
    },
    run: (node, inputs, [y]) => {
      const x = inputs[0]!;
      const axes = axesIn(node, inputs);
      const kept = x.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
      const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
      const sums = newValue("f64", kept);
      const [data, out] = [numbersOf(x), elementsOf(sums).fill(start)];
      const [length, step] = [x.shape.at(-1) ?? 1, strides.at(-1) ?? 0];
      forRows(x.shape, [strides], (at, [to]) => {
        if (step > 0) {
          for (let i = 0; i < length; i++) out[to! + i * step] = add(out[to! + i * step]!, data[at + i]!);
          return;
        }
        let total = out[to!]!;
        for (let i = 0; i < length; i++) total = add(total, data[at + i]!);
        out[to!] = total;
      });
      const count = sizeOf(x.shape) / out.length;
      write(y!, mean ? out.map((value) => value / count) : out);
    },
  };
}

export const reductions: readonly Operator[] = [
  reduction("ReduceSum", sum, axesSince(13)),
  reduction("ReduceMean", mean, axesSince(18)),
  reduction("ReduceMax", max, axesSince(18)),
  reduction("ReduceMin", min, axesSince(18)),
  reduction("GlobalAveragePool", mean, places),
  reduction("GlobalMaxPool", max, places),
];

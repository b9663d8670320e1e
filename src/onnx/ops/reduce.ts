// Reductions: sums, means, products, largest and smallest elements and norms along axes; and the global pools, which are
// reductions over all positions.
import { axesOf, floats, listFrom, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import {
  elementsOf,
  isBig,
  isFloat,
  newValue,
  numbersOf,
  sizeOf,
  stridesOf,
  toBig,
  write,
} from "../../graph/values.ts";
import { combine, forRows } from "./loops.ts";

type Inputs = readonly (Spec | undefined)[];

/** f(start, x₁), and so on; 64-bit integers come as bigints under the type of numbers. */
interface Reduction {
  start: number;
  add(sum: number, x: number): number;
  /** What becomes of each element before. */
  map?(x: number): number;
  /** What becomes of the result of `count` elements. */
  finish?(sum: number, count: number): number;
  /** The largest element is taken away before, and added after. */
  shifts?: boolean;
}

const sum: Reduction = { start: 0, add: (a, b) => a + b };
const max: Reduction = { start: Number.NEGATIVE_INFINITY, add: (a, b) => (a > b || Number.isNaN(a) ? a : b) };
const min: Reduction = { start: Number.POSITIVE_INFINITY, add: (a, b) => (a < b || Number.isNaN(a) ? a : b) };
const squares: Reduction = { ...sum, map: (x) => x * x };
const mean: Reduction = { ...sum, finish: (total, count) => total / count };

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

/** The reduction of all elements along some axes, whose sides become 1; by bigints where both hold these. */
function reduced(x: Value, axes: readonly number[], { start, add, map }: Reduction): Value {
  const kept = x.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
  const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const big = isBig(x.dtype) && Number.isFinite(start);
  const sums = newValue(big ? x.dtype : "f64", kept);
  const data = big ? elementsOf(x) : numbersOf(x);
  const out = elementsOf(sums).fill(big ? toBig(start) : start);
  const [length, step] = [x.shape.at(-1) ?? 1, strides.at(-1) ?? 0];
  forRows(x.shape, [strides], (at, [to]) => {
    if (step > 0 || map) {
      for (let i = 0; i < length; i++) {
        const [place, value] = [to! + i * step, data[at + i]!];
        out[place] = add(out[place]!, map ? map(value) : value);
      }
      return;
    }
    let total = out[to!]!;
    for (let i = 0; i < length; i++) total = add(total, data[at + i]!);
    out[to!] = total;
  });
  return sums;
}

/** ln Σ exp x, without infinities on the way. */
function logSumExp(x: Value, axes: readonly number[]): Float64Array {
  const most = reduced(x, axes, max);
  const shifts = numbersOf(most).map((value) => (Number.isFinite(value) ? value : 0));
  const terms: Value = { dtype: "f64", shape: x.shape, data: new Float64Array(x.data.length) };
  const negative = { ...most, data: shifts };
  combine(terms, [{ ...x, dtype: "f64", data: numbersOf(x) }, negative], (value, shift) => Math.exp(value - shift));
  return numbersOf(reduced(terms, axes, sum)).map((total, i) => Math.log(total) + shifts[i]!);
}

function reduction(name: string, rule: Reduction, axesIn: (node: GraphNode, inputs: Inputs) => number[]): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0);
      const axes = axesIn(node, inputs);
      const empty = !Number.isFinite(rule.start) && axes.some((axis) => shape[axis] === 0);
      if (empty && (node.opset < 20 || !isFloat(dtype))) refuse(node, "elements to compare", shape);
      const keep = numberOf(node, "keepdims", 1) !== 0;
      const sides = shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
      return [{ dtype, shape: keep ? sides : sides.filter((_, axis) => !axes.includes(axis)) }];
    },
    run: (node, inputs, [y]) => {
      const x = inputs[0]!;
      const axes = axesIn(node, inputs);
      if (rule.shifts) return write(y!, logSumExp(x, axes));
      const sums = reduced(x, axes, rule);
      const { finish } = rule;
      const count = sizeOf(x.shape) / sums.data.length;
      if (finish)
        write(
          y!,
          Float64Array.from(numbersOf(sums), (total) => finish(total, count)),
        );
      else if (isBig(sums.dtype)) elementsOf(y!).set(elementsOf(sums));
      else write(y!, numbersOf(sums));
    },
  };
}

export const reductions: readonly Operator[] = [
  reduction("ReduceSum", sum, axesSince(13)),
  reduction("ReduceMean", mean, axesSince(18)),
  reduction("ReduceMax", max, axesSince(18)),
  reduction("ReduceMin", min, axesSince(18)),
  reduction("ReduceProd", { start: 1, add: (a, b) => a * b }, axesSince(18)),
  reduction("ReduceL1", { ...sum, map: (x) => (x < 0 ? -x : x) }, axesSince(18)),
  reduction("ReduceL2", { ...squares, finish: Math.sqrt }, axesSince(18)),
  reduction("ReduceSumSquare", squares, axesSince(18)),
  reduction("ReduceLogSum", { ...sum, finish: Math.log }, axesSince(18)),
  reduction("ReduceLogSumExp", { ...sum, shifts: true }, axesSince(18)),
  reduction("GlobalAveragePool", mean, places),
  reduction("GlobalMaxPool", max, places),
];

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
import { forRows, joinAxes } from "./axes.ts";
import { combine } from "./loops.ts";

type Inputs = readonly (Spec | undefined)[];

/** add(start, x₁), and so on; 64-bit integers come as bigints under the type of numbers. */
interface Reduction {
  start: number;
  add(sum: number, x: number): number;
  fold: Fold;
  /** What becomes of each element before. */
  map?(x: number): number;
  /** What becomes of the result of `count` elements. */
  finish?(sum: number, count: number): number;
  /** The largest element is taken away before, and added after. */
  shifts?: boolean;
}

/** `add` and `map` of `count` numbers: of all into one result (`step` 0), or of each into its own. */
type Fold = (out: Float64Array, at: number, step: number, data: Float64Array, first: number, count: number) => void;

/** The loops of a reduction without calls of its functions, which box numbers; where the sum is one, it is no element. */
const folds = {
  sum: (out, at, step, data, first, count) => {
    let total = out[at]!;
    if (step === 0) for (let i = 0; i < count; i++) total += data[first + i]!;
    else for (let i = 0; i < count; i++) out[at + i * step]! += data[first + i]!;
    if (step === 0) out[at] = total;
  },
  squares: (out, at, step, data, first, count) => {
    let total = out[at]!;
    if (step === 0) for (let i = 0; i < count; i++) total += data[first + i]! * data[first + i]!;
    else for (let i = 0; i < count; i++) out[at + i * step]! += data[first + i]! * data[first + i]!;
    if (step === 0) out[at] = total;
  },
  sizes: (out, at, step, data, first, count) => {
    let total = out[at]!;
    if (step === 0) for (let i = 0; i < count; i++) total += Math.abs(data[first + i]!);
    else for (let i = 0; i < count; i++) out[at + i * step]! += Math.abs(data[first + i]!);
    if (step === 0) out[at] = total;
  },
  product: (out, at, step, data, first, count) => {
    for (let i = 0; i < count; i++) out[at + i * step]! *= data[first + i]!;
  },
  max: (out, at, step, data, first, count) => {
    let most = out[at]!;
    for (let i = 0; i < count; i++) {
      if (step > 0) most = out[at + i * step]!;
      const x = data[first + i]!;
      most = most > x || Number.isNaN(most) ? most : x;
      if (step > 0) out[at + i * step] = most;
    }
    if (step === 0) out[at] = most;
  },
  min: (out, at, step, data, first, count) => {
    let least = out[at]!;
    for (let i = 0; i < count; i++) {
      if (step > 0) least = out[at + i * step]!;
      const x = data[first + i]!;
      least = least < x || Number.isNaN(least) ? least : x;
      if (step > 0) out[at + i * step] = least;
    }
    if (step === 0) out[at] = least;
  },
} satisfies Record<string, Fold>;

const sum: Reduction = { start: 0, add: (a, b) => a + b, fold: folds.sum };
const max: Reduction = {
  ...{ start: Number.NEGATIVE_INFINITY, add: (a, b) => (a > b || Number.isNaN(a) ? a : b), fold: folds.max },
};
const min: Reduction = {
  ...{ start: Number.POSITIVE_INFINITY, add: (a, b) => (a < b || Number.isNaN(a) ? a : b), fold: folds.min },
};
const squares: Reduction = { ...sum, map: (x) => x * x, fold: folds.squares };
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

/** The strides of a tensor with sides 1 along some axes, 0 there. */
function keptStrides(kept: readonly number[], axes: readonly number[]): number[] {
  return stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
}

/** By bigints, one at a time. */
function reducedBig(x: Value, sums: Value, axes: readonly number[], { add, map }: Reduction): void {
  const strides = keptStrides(sums.shape, axes);
  const [data, out] = [elementsOf(x), elementsOf(sums)];
  const [length, step] = [x.shape.at(-1) ?? 1, strides.at(-1) ?? 0];
  forRows(x.shape, [strides], (at, [to]) => {
    for (let i = 0; i < length; i++) {
      const [place, value] = [to! + i * step, data[at + i]!];
      out[place] = add(out[place]!, map ? map(value) : value);
    }
  });
}

/** Numbers that are converted at once. */
const blockSize = 2048;

/** The reduction of all elements along some axes, whose sides become 1; by bigints where both hold these. */
function reduced(x: Value, axes: readonly number[], rule: Reduction): Value {
  const { start, fold } = rule;
  const kept = x.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
  const big = isBig(x.dtype) && Number.isFinite(start);
  const sums = newValue(big ? x.dtype : "f64", kept);
  const out = elementsOf(sums).fill(big ? toBig(start) : start);
  if (big) reducedBig(x, sums, axes, rule);
  if (big || x.data.length === 0) return sums;
  const { shape, strides } = joinAxes(x.shape, [keptStrides(kept, axes)]);
  const [columns = 1, rows = 1] = shape.slice(-2).reverse();
  const [step = 0, rowStep = 0] = strides[0]!.slice(-2).reverse();
  const data = numbersOf(x);
  // Rows that fit, or parts of one.
  const most = Math.max(1, Math.floor(blockSize / columns));
  const width = Math.min(columns, blockSize);
  const block = new Float64Array(Math.min(rows, most) * width);
  forRows([...shape.slice(0, -2), rows], [[...strides[0]!.slice(0, -2), 0]], (at, offsets) => {
    for (let row = 0; row < rows; row += most)
      for (let column = 0; column < columns; column += width) {
        const [height, count] = [Math.min(most, rows - row), Math.min(width, columns - column)];
        const first = (at + row) * columns + column;
        block.set(data.subarray(first, first + height * count));
        const to = offsets[0]! + row * rowStep + column * step;
        for (let i = 0; i < height; i++) fold(out, to + i * rowStep, step, block, i * count, count);
      }
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
          numbersOf(sums).map((total) => finish(total, count)),
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
  reduction("ReduceProd", { start: 1, add: (a, b) => a * b, fold: folds.product }, axesSince(18)),
  reduction("ReduceL1", { ...sum, map: (x) => (x < 0 ? -x : x), fold: folds.sizes }, axesSince(18)),
  reduction("ReduceL2", { ...squares, finish: Math.sqrt }, axesSince(18)),
  reduction("ReduceSumSquare", squares, axesSince(18)),
  reduction("ReduceLogSum", { ...sum, finish: Math.log }, axesSince(18)),
  reduction("ReduceLogSumExp", { ...sum, shifts: true }, axesSince(18)),
  reduction("GlobalAveragePool", mean, places),
  reduction("GlobalMaxPool", max, places),
];

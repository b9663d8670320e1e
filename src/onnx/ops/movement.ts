// Operators that copy, cut, repeat or rearrange elements, and that few networks name: Slice, Split, Gather, Pad, Tile,
// Expand, DepthToSpace, SpaceToDepth.
import {
  axesOf,
  axisOf,
  countOf,
  integersOf,
  listFrom,
  numberOf,
  refuse,
  required,
  textOf,
} from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, View } from "../../graph/types.ts";
import { elementsOf, isBig, numbersOf, sizeOf, stridesOf, toBig } from "../../graph/values.ts";
import { borderIndex } from "../../plan/border.ts";
import { plural } from "../../words.ts";
import { broadcastShape, broadcastStrides } from "./loops.ts";
import { copying, permuted, pick, positions, viewOf } from "./pick.ts";

interface Range {
  start: number;
  step: number;
  count: number;
}

function rangesOf(node: GraphNode, { shape }: Spec, inputs: readonly (Spec | undefined)[]): Range[] {
  const list = (index: number, name: string) => listFrom(node, inputs, index, name, 10);
  const starts = list(1, "starts") ?? refuse(node, "starts", "none");
  const ends = list(2, "ends") ?? refuse(node, "ends", "none");
  const axes = axesOf(node, list(3, "axes") ?? starts.map((_, i) => i), shape.length);
  const steps = (node.opset < 10 ? undefined : list(4, "steps")) ?? starts.map(() => 1);
  if ([ends, axes, steps].some(({ length }) => length !== starts.length)) {
    refuse(
      node,
      "as many starts as ends, axes and steps",
      [starts, ends, axes, steps].map((one) => one.length),
    );
  }
  const ranges = shape.map((count) => ({ start: 0, step: 1, count }));
  axes.forEach((axis, i) => {
    const [side, step] = [shape[axis]!, steps[i]!];
    if (step === 0) refuse(node, "steps other than 0", steps);
    // Backwards a slice may end before the first element, but not start there
    const [most, last] = step > 0 ? [side, 0] : [side - 1, -1];
    const clamp = (at: number, least: number): number => Math.min(most, Math.max(least, at < 0 ? at + side : at));
    const start = clamp(starts[i]!, 0);
    ranges[axis] = { start, step, count: Math.max(0, Math.ceil((clamp(ends[i]!, last) - start) / step)) };
  });
  return ranges;
}

export const slice = copying(
  "Slice",
  (node, inputs) => {
    const x = required(node, inputs, 0);
    return [{ dtype: x.dtype, shape: rangesOf(node, x, inputs).map(({ count }) => count) }];
  },
  (node, inputs) => {
    const x = inputs[0]!;
    const [ranges, strides] = [rangesOf(node, x, inputs), stridesOf(x.shape)];
    const first = ranges.reduce((sum, { start }, axis) => sum + start * strides[axis]!, 0);
    const counts = ranges.map(({ count }) => count);
    const steps = ranges.map(({ step }, axis) => step * strides[axis]!);
    return [viewOf(counts, steps, first)];
  },
);

function axisAndSizes(
  node: GraphNode,
  inputs: readonly (Spec | undefined)[],
): [axis: number, sizes: readonly number[]] {
  const { shape } = required(node, inputs, 0);
  const axis = axisOf(node, numberOf(node, "axis", 0), shape.length);
  const side = shape[axis]!;
  const given = listFrom(node, inputs, 1, "split", 13);
  const parts = node.outputs.length;
  const size = Math.ceil(side / parts);
  const equal = Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(size, side - i * size)));
  const sizes = given ?? equal;
  if (sizes.reduce((sum, one) => sum + one, 0) === side && sizes.every((one) => one >= 0)) return [axis, sizes];
  return refuse(node, `parts that add up to ${side}`, sizes);
}

export const split = copying(
  "Split",
  (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const [axis, sizes] = axisAndSizes(node, inputs);
    return sizes.map((size) => ({ dtype, shape: shape.with(axis, size) }));
  },
  (node, inputs) => {
    const [axis, sizes] = axisAndSizes(node, inputs);
    const { shape } = inputs[0]!;
    const strides = stridesOf(shape);
    let start = 0;
    return sizes.map((size, part) => {
      const view = viewOf(shape.with(axis, size), strides, start, part);
      start += size * strides[axis]!;
      return view;
    });
  },
);

/** Runs of elements that are copied one by one, at most. */
const mostViews = 16;

/** The elements that are gathered, if they are known and there. */
function gathered(node: GraphNode, [x, indices]: readonly (Spec | undefined)[]): number[] | undefined {
  if (!indices!.data || indices!.data.length === 0) return undefined;
  const side = x!.shape[axisOf(node, numberOf(node, "axis", 0), x!.shape.length)]!;
  const list = Array.from(numbersOf({ data: indices!.data }), (index) => (index < 0 ? index + side : index));
  return list.every((index) => index >= 0 && index < side) ? list : undefined;
}

interface Run extends Range {
  /** Where its first element is written. */
  at: number;
}

/** Neighbours of a list that are equally far apart. */
function runsIn(list: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (const [at, index] of list.entries()) {
    const last = runs.at(-1);
    if (last?.count === 1) Object.assign(last, { step: index - last.start, count: 2 });
    else if (last && index === last.start + last.count * last.step) last.count++;
    else runs.push({ start: index, step: 1, count: 1, at });
  }
  return runs;
}

export const gather: Operator = {
  name: "Gather",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const indices = required(node, inputs, 1, ["i32", "i64"]);
    const axis = axisOf(node, numberOf(node, "axis", 0), shape.length);
    return [{ dtype, shape: shape.toSpliced(axis, 1, ...indices.shape) }];
  },
  // Every so-manieth element is a view, and so is each of few runs of them.
  copies: (node, inputs) => {
    const [x, indices] = [inputs[0]!, inputs[1]!];
    const list = gathered(node, inputs);
    if (!list) return undefined;
    const axis = axisOf(node, numberOf(node, "axis", 0), x.shape.length);
    const runs = runsIn(list);
    if (runs.length > mostViews) return undefined;
    const [outer, inner] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
    const strides = stridesOf(x.shape);
    const stride = strides[axis]!;
    const toStrides = stridesOf([...outer, sizeOf(indices.shape), ...inner]);
    const views = runs.map(({ start, step, count, at }) => ({
      ...{ input: 0, output: 0, counts: [...outer, count, ...inner] },
      from: { offset: start * stride, strides: strides.with(axis, step * stride) },
      to: { offset: at * toStrides[axis]!, strides: toStrides },
    }));
    return { views };
  },
  samples: (node, inputs) => {
    const list = gathered(node, inputs);
    if (!list || inputs[1]!.shape.length !== 1) return undefined;
    const axis = axisOf(node, numberOf(node, "axis", 0), inputs[0]!.shape.length);
    return inputs[0]!.shape.map((_, i) => (i === axis ? list.map((at) => [[at, 1]]) : undefined));
  },
  run: (node, [x, indices], [y]) => {
    const axis = axisOf(node, numberOf(node, "axis", 0), x!.shape.length);
    const lists: ArrayLike<number>[] = x!.shape.map((side) => positions(side));
    lists[axis] = numbersOf(indices!).map((index) => {
      const side = x!.shape[axis]!;
      return index >= -side && index < side ? (index + side) % side : refuse(node, `indices below ${side}`, index);
    });
    pick(y!, x!, lists);
  },
};

function padsOf(node: GraphNode, inputs: readonly (Spec | undefined)[]): [before: number, after: number][] {
  const { shape } = required(node, inputs, 0);
  const pads = listFrom(node, inputs, 1, "pads", 11) ?? refuse(node, "pads", "none");
  const axes = axesOf(node, integersOf(node, inputs[3], "axes") ?? shape.map((_, axis) => axis), shape.length);
  if (pads.length !== 2 * axes.length) refuse(node, `${2 * axes.length} pads`, pads);
  const sides = shape.map((): [number, number] => [0, 0]);
  for (const [i, axis] of axes.entries()) sides[axis] = [pads[i]!, pads[i + axes.length]!];
  return sides;
}

const padModes = ["constant", "reflect", "edge", "wrap"] as const;

export const pad: Operator = {
  name: "Pad",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const mode = textOf(node, "mode", padModes);
    const padded = padsOf(node, inputs).map(([before, after], axis) => {
      const side = before + shape[axis]! + after;
      if (side < 0) refuse(node, `at most ${plural(shape[axis], "element")} to cut off`, [before, after]);
      if (shape[axis] === 0 && side > 0 && mode !== "constant") refuse(node, `elements to ${mode}`, shape);
      return side;
    });
    const value = inputs[2] && required(node, inputs, 2, [dtype]);
    if (value && sizeOf(value.shape) !== 1) refuse(node, "one number as value", value.shape);
    return [{ dtype, shape: padded }];
  },
  copies: (node, inputs) => {
    const x = inputs[0]!;
    const value = inputs[2] ? inputs[2].data : [node.opset < 11 ? numberOf(node, "value", 0) : 0];
    const pads = padsOf(node, inputs);
    const isPadded = pads.some((sides) => sides.some((count) => count > 0));
    if ((textOf(node, "mode", padModes) !== "constant" || !value) && isPadded) return undefined;
    const padded = x.shape.map((side, axis) => side + pads[axis]![0] + pads[axis]![1]);
    const [strides, toStrides] = [stridesOf(x.shape), stridesOf(padded)];
    const place = (list: readonly number[], what: 0 | 1): number =>
      list.reduce((sum, stride, axis) => sum + Math.max(0, what ? pads[axis]![0] : -pads[axis]![0]) * stride, 0);
    const counts = x.shape.map((side, axis) => side + Math.min(0, pads[axis]![0]) + Math.min(0, pads[axis]![1]));
    if (counts.some((count) => count <= 0)) return undefined;
    const view: View = {
      ...{ input: 0, output: 0, counts },
      ...{ from: { offset: place(strides, 0), strides }, to: { offset: place(toStrides, 1), strides: toStrides } },
    };
    return { views: [view], ...(isPadded && { fill: Number(value![0]) }) };
  },
  samples: (node, inputs) => {
    const { shape } = inputs[0]!;
    const mode = textOf(node, "mode", padModes);
    if (mode === "constant") return undefined;
    return padsOf(node, inputs).map(([before, after], axis) => {
      const side = shape[axis]!;
      if (before === 0 && after === 0) return undefined;
      return Array.from({ length: before + side + after }, (_, i) => [[borderIndex(i - before, side, mode), 1]]);
    });
  },
  run: (node, inputs, [y]) => {
    const x = inputs[0]!;
    const mode = textOf(node, "mode", padModes);
    const lists = padsOf(node, inputs).map(([before], axis) =>
      positions(y!.shape[axis]!, (i) => borderIndex(i - before, x.shape[axis]!, mode)),
    );
    const number = node.opset < 11 ? numberOf(node, "value", 0) : 0;
    pick(y!, x, lists, inputs[2] ? elementsOf(inputs[2])[0] : isBig(x.dtype) ? toBig(number) : number);
  },
};

export const tile = copying(
  "Tile",
  (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const repeats = repeatsOf(node, inputs);
    return [{ dtype, shape: shape.map((side, axis) => side * repeats[axis]!) }];
  },
  (node, inputs) => {
    const { shape } = inputs[0]!;
    const [repeats, strides] = [repeatsOf(node, inputs), stridesOf(shape)];
    const counts = shape.flatMap((side, axis) => [repeats[axis]!, side]);
    return [
      viewOf(
        counts,
        strides.flatMap((stride) => [0, stride]),
      ),
    ];
  },
);

function repeatsOf(node: GraphNode, inputs: readonly (Spec | undefined)[]): number[] {
  const { shape } = required(node, inputs, 0);
  const repeats = integersOf(node, required(node, inputs, 1), "repeats")!;
  const fits = repeats.length === shape.length && repeats.every((times) => times >= 0);
  return fits ? repeats : refuse(node, `${shape.length} repeats of at least 0`, repeats);
}

const expandedShape = (node: GraphNode, inputs: readonly (Spec | undefined)[]): number[] => {
  const x = required(node, inputs, 0);
  const shape = integersOf(node, required(node, inputs, 1), "shape")!;
  if (shape.some((side) => side < 0)) refuse(node, "sides of at least 0", shape);
  return broadcastShape(node, [x, { dtype: x.dtype, shape }]);
};

export const expand = copying(
  "Expand",
  (node, inputs) => [{ dtype: required(node, inputs, 0).dtype, shape: expandedShape(node, inputs) }],
  (node, inputs) => {
    const shape = expandedShape(node, inputs);
    return [viewOf(shape, broadcastStrides(inputs[0]!.shape, shape))];
  },
);

type Sides = [batch: number, channels: number, height: number, width: number, block: number];

function sidesOf(node: GraphNode, { shape }: Spec): Sides {
  const block = countOf(node, "blocksize");
  if (shape.length !== 4) refuse(node, "a tensor of rank 4", shape);
  return [...(shape as [number, number, number, number]), block];
}

export const depthToSpace = copying(
  "DepthToSpace",
  (node, inputs) => {
    const x = required(node, inputs, 0);
    const [n, c, h, w, b] = sidesOf(node, x);
    if (c % (b * b) !== 0) refuse(node, `a multiple of ${plural(b * b, "channel")}`, c);
    return [{ dtype: x.dtype, shape: [n, c / (b * b), h * b, w * b] }];
  },
  (node, inputs) => {
    const [n, c, h, w, b] = sidesOf(node, inputs[0]!);
    const first = textOf(node, "mode", ["DCR", "CRD"]) === "DCR";
    if (first) return [permuted([n, b, b, c / (b * b), h, w], [0, 3, 4, 1, 5, 2])];
    return [permuted([n, c / (b * b), b, b, h, w], [0, 1, 4, 2, 5, 3])];
  },
);

export const spaceToDepth = copying(
  "SpaceToDepth",
  (node, inputs) => {
    const x = required(node, inputs, 0);
    const [n, c, h, w, b] = sidesOf(node, x);
    if (h % b !== 0 || w % b !== 0) refuse(node, `sides that are multiples of ${b}`, [h, w]);
    return [{ dtype: x.dtype, shape: [n, c * b * b, h / b, w / b] }];
  },
  (node, inputs) => {
    const [n, c, h, w, b] = sidesOf(node, inputs[0]!);
    return [permuted([n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4])];
  },
);

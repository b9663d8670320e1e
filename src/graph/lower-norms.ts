// Lowering rules for reductions along any axes, for operators that norm elements by what is reduced, and for softmax: each a
// formula over pieces.
import { pointwiseWindow } from "../kernels/layer.ts";
import type { PoolSpec, Position, SoftmaxSpec } from "../plan/types.ts";
import type { ExpressionBuilder } from "./expressions.ts";
import { type Lowered, type LoweringContext, type LoweringRule, orderOf, read, stages, write } from "./lowering.ts";
import { axesOf, axisOf, listOf, numberOf } from "./nodes.ts";
import {
  collapsedSpace,
  type Piece,
  Pieces,
  type Reduction,
  type Space,
  sidesReduced,
  spaceIn,
  type Term,
} from "./pieces.ts";
import { type Order, sidesIn } from "./places.ts";
import type { GraphNode } from "./types.ts";
import { numbersOf, sizeOf } from "./values.ts";

type B = ExpressionBuilder;

/** The input of a node in a space where some axes can be reduced. */
interface Start {
  pieces: Pieces;
  x: Piece;
  space: Space;
  /** Sides that are reduced, and of how many elements one result is made. */
  over: boolean[];
  count: number;
  /** Orders for results, the best first. */
  orders: Order[];
}

function startOf(node: GraphNode, axes: readonly number[], context: LoweringContext): Start | undefined {
  const name = node.inputs[0]!;
  const spec = context.specs.get(name);
  if (spec?.dtype !== "f32" || spec.data || sizeOf(spec.shape) === 0) return undefined;
  const { shape } = spec;
  const held = orderOf(name, context);
  const orders: Order[] = shape.length === 4 ? [held, held === "plain" ? "channels last" : "plain"] : ["plain"];
  const direct = orders.flatMap((order) => {
    const space = spaceIn(shape, order)!;
    const over = sidesReduced(space, axes);
    return over ? [{ order, space, over }] : [];
  })[0];
  const space = direct?.space ?? collapsedSpace(shape, axes);
  const over = direct?.over ?? (space && sidesReduced(space, axes));
  const pieces = new Pieces(node, context);
  const x = space && pieces.input(name, direct?.order ?? held, space);
  if (!x || !over) return undefined;
  const count = sizeOf(axes.map((axis) => shape[axis]!));
  return { pieces, x, space, over, count, orders: [direct?.order ?? "plain", "plain"] };
}

/** A shape whose reduced axes are 1. */
const kept = ({ shape }: Space, axes: readonly number[]): number[] =>
  shape.map((side, axis) => (axes.includes(axis) ? 1 : side));

const after = (first: number, shape: readonly number[]): number[] =>
  shape.flatMap((_, axis) => (axis >= first ? [axis] : []));

/** The axes that a reduction names; undefined where a run decides, or none are reduced. */
function axesIn(node: GraphNode, { specs }: LoweringContext): number[] | undefined {
  const rank = specs.get(node.inputs[0]!)!.shape.length;
  const input = node.inputs[1] ? specs.get(node.inputs[1]) : undefined;
  if (input && !input.data) return undefined;
  const given = (input ? Array.from(numbersOf({ data: input.data! })) : listOf(node, "axes")) ?? [];
  if (given.length > 0) return axesOf(node, given, rank);
  return numberOf(node, "noop_with_empty_axes", 0) === 0 ? after(0, Array(rank).fill(1)) : undefined;
}

interface Formula extends Reduction {
  mean?: boolean;
  finish?: (b: B, x: Term) => Term;
}

const square: Formula = { op: "sum", map: "square" };
const sqrt = (b: B, x: Term): Term => b.apply("sqrt", x);
const log = (b: B, x: Term): Term => b.apply("log", x);

/** Infinite maxima are no centres: their differences would be no numbers. */
const centreOf = (b: B, x: Term): Term => b.apply("where", b.apply("equal", b.apply("abs", x), Infinity), 0, x);

function reduced({ pieces, x, over, count }: Start, { mean, finish, ...reduction }: Formula): Piece {
  const found = pieces.reduce(x, over, { ...reduction, ...(mean && { scale: 1 / count }) });
  return finish ? pieces.express([found], finish) : found;
}

/** The logarithm of the sum of exponentials, less the centre that it comes with. */
function logSum(start: Start): { centre: Piece; sum: Piece } {
  const centre = reduced(start, { op: "max", finish: centreOf });
  return { centre, sum: reduced(start, { op: "sum", map: "exp", centre, finish: log }) };
}

const reduction =
  (
    find: (start: Start) => Piece,
    axesOf: (node: GraphNode, context: LoweringContext) => number[] | undefined = axesIn,
  ) =>
  (node: GraphNode, context: LoweringContext): Lowered | undefined => {
    const axes = axesOf(node, context);
    const start = axes && startOf(node, axes, context);
    if (!start || node.outputs.length > 1) return undefined;
    const { pieces, space, orders } = start;
    return pieces.output(0, find(start), space, kept(space, axes), orders) ? pieces.finish() : undefined;
  };

const by = (formula: Formula) => (start: Start) => reduced(start, formula);
const places = (node: GraphNode, { specs }: LoweringContext): number[] => after(2, specs.get(node.inputs[0]!)!.shape);

/** The norm of each plane; for two exponents. */
const globalLp: LoweringRule = (node, context) => {
  const p = numberOf(node, "p", 2);
  if (p !== 1 && p !== 2) return undefined;
  return reduction(by(p === 1 ? { op: "sum", map: "abs" } : { ...square, finish: sqrt }), places)(node, context);
};

/** Elements less their mean, and the reciprocal of how far they are from it. */
interface Moments {
  mean?: Piece;
  factor: Piece;
}

/** Means and factors by what is found in a space, or after another step: groups of channels. */
function momentsOf(
  start: Start,
  factorOf: (b: B, variance: Term) => Term,
  centred = true,
  settle: (piece: Piece) => Piece | undefined = (piece) => piece,
): Moments | undefined {
  const mean = centred ? settle(reduced(start, { op: "sum", mean: true })) : undefined;
  if (centred && !mean) return undefined;
  const variance = settle(reduced(start, { ...square, mean: true, centre: mean }));
  return variance && { mean, factor: start.pieces.express([variance], factorOf) };
}

const inverse =
  (epsilon: number) =>
  (b: B, variance: Term): Term =>
    b.apply("div", 1, b.apply("sqrt", b.apply("add", variance, epsilon)));

/** (x − mean) · factor · scale + bias */
function normed({ pieces, x }: Start, { mean, factor }: Moments, scale?: Piece, bias?: Piece): Piece {
  if (!mean && scale && !bias)
    return pieces.express([x, factor, scale], (b, x, f, s) => b.apply("mul", b.apply("mul", x, f!), s!));
  const found = mean
    ? pieces.express([x, mean, factor], (b, x, m, f) => b.apply("mul", b.apply("sub", x, m!), f!))
    : pieces.express([x, factor], (b, x, f) => b.apply("mul", x, f!));
  if (scale && bias)
    return pieces.express([found, scale, bias], (b, x, s, o) => b.apply("add", b.apply("mul", x, s!), o!));
  if (scale) return pieces.express([found, scale], (b, x, s) => b.apply("mul", x, s!));
  return bias ? pieces.express([found, bias], (b, x, o) => b.apply("add", x, o!)) : found;
}

/** Scale and bias, if a node has them, by the shapes that they stand for. */
function parameters(
  { pieces, space }: Start,
  node: GraphNode,
  shapeOf: (own: readonly number[]) => readonly number[],
  { specs }: LoweringContext,
): (Piece | undefined)[] | undefined {
  const names = node.inputs.slice(1, 3);
  const found = names.map((name) =>
    name ? pieces.parameter(name, shapeOf(specs.get(name)!.shape), space) : undefined,
  );
  return names.every((name, i) => !name || found[i]) ? found : undefined;
}

const ones = (count: number): number[] => Array<number>(Math.max(0, count)).fill(1);
/** One number a channel, or an axis of as many. */
const perChannel = (rank: number) => (own: readonly number[]) => [1, ...own, ...ones(rank - 2)];

/** Gives y, and what else a node names. */
function finished(
  start: Start,
  axes: readonly number[],
  y: Piece,
  others: readonly (Piece | undefined)[],
  node: GraphNode,
) {
  const { pieces, space, orders } = start;
  const given = node.outputs.slice(1).map((name, i) => name === "" || (others[i] && pieces.output(i + 1, others[i], space, kept(space, axes), orders))); // biome-ignore format: a line
  return given.every(Boolean) && pieces.output(0, y, space, space.shape, orders) ? pieces.finish() : undefined;
}

const instanceNorm: LoweringRule = (node, context) => {
  const axes = places(node, context);
  const start = startOf(node, axes, context);
  const given = start && parameters(start, node, perChannel(start.space.shape.length), context);
  const moments = start && momentsOf(start, inverse(numberOf(node, "epsilon", 1e-5)));
  return given && moments && finished(start, axes, normed(start, moments, given[0], given[1]), [], node);
};

/** Means of planes, then of the planes of a group: a group's planes are equally large. */
const groupNorm: LoweringRule = (node, context) => {
  const axes = places(node, context);
  const start = startOf(node, axes, context);
  if (!start) return undefined;
  const { pieces, space } = start;
  const [images, channels] = space.shape as [number, number];
  const groups = numberOf(node, "num_groups");
  const each = channels / groups;
  const settle = (piece: Piece): Piece | undefined => {
    const sides: Position = [images, groups, 1, each];
    const grouped = pieces.copy(piece, [images, groups, each], [channels, each, 1], sides);
    const found = grouped && pieces.reduce(grouped, [false, false, false, true], { op: "sum", scale: 1 / each });
    return found && pieces.copy(found, [images, groups, each], [groups, 1, 0], piece.sides);
  };
  /** Before operator set 21 there is one number a group. */
  const parameter = (name: string): Piece | undefined => {
    const shape = context.specs.get(name)!.shape;
    if (shape[0] === channels) return pieces.parameter(name, perChannel(space.shape.length)(shape), space);
    const lists = { shape, sides: [1, 1, 1, groups] as Position, groups: [[], [], [], [0]] };
    const list = pieces.input(name, "plain", lists);
    // Images and channels may go along one side.
    const repeats = along.includes(0) ? images : 1;
    const sides = space.groups.map((group) => (group === along ? repeats * channels : 1)) as Position;
    return list && pieces.copy(list, [repeats, groups, each], [0, 1, 0], sides);
  };
  const along = space.groups.find((group) => group.includes(1))!;
  const [scale, bias] = node.inputs.slice(1, 3).map(parameter);
  if (!scale || !bias) return undefined;
  const moments = momentsOf(start, inverse(numberOf(node, "epsilon", 1e-5)), true, settle);
  return moments && finished(start, axes, normed(start, moments, scale, bias), [], node);
};

/** Layer norms, and those without a mean. */
const layerNorm =
  (centred: boolean): LoweringRule =>
  (node, context) => {
    const rank = context.specs.get(node.inputs[0]!)!.shape.length;
    const first = axisOf(node, numberOf(node, "axis", -1), rank);
    const axes = after(first, ones(rank));
    const start = startOf(node, axes, context);
    const aligned = (own: readonly number[]): number[] => [...ones(rank - own.length), ...own];
    const given = start && parameters(start, node, aligned, context);
    const moments = start && momentsOf(start, inverse(numberOf(node, "epsilon", 1e-5)), centred);
    if (!given || !moments) return undefined;
    const others = centred ? [moments.mean, moments.factor] : [moments.factor];
    return finished(start, axes, normed(start, moments, given[0], given[1]), others, node);
  };

const meanVariance: LoweringRule = (node, context) => {
  const { shape } = context.specs.get(node.inputs[0]!)!;
  const axes = axesOf(node, listOf(node, "axes") ?? [0, 2, 3].filter((axis) => axis < shape.length), shape.length);
  const start = startOf(node, axes, context);
  const moments = start && momentsOf(start, (b, v) => b.apply("div", 1, b.apply("add", b.apply("sqrt", v), 1e-9)));
  return moments && finished(start, axes, normed(start, moments), [], node);
};

const lpNorm: LoweringRule = (node, context) => {
  const { shape } = context.specs.get(node.inputs[0]!)!;
  const axes = [axisOf(node, numberOf(node, "axis", -1), shape.length)];
  const start = startOf(node, axes, context);
  if (!start) return undefined;
  const first = numberOf(node, "p", 2) === 1;
  // Where all are 0, they stay so.
  const factor = reduced(start, {
    ...(first ? { op: "sum", map: "abs" } : square),
    finish: (b, x) => {
      const norm = first ? x : b.apply("sqrt", x);
      return b.apply("div", 1, b.apply("where", norm, norm, 1));
    },
  });
  return finished(start, axes, normed(start, { factor }), [], node);
};

/** x / (bias + alpha · mean of the squares of neighbouring channels)^beta: a pool along channels as rows. */
const localResponse: LoweringRule = (node, context) => {
  const { shape } = context.specs.get(node.inputs[0]!)!;
  const size = numberOf(node, "size");
  const sides: Position = [shape[0]!, shape[1]!, 1, sizeOf(shape.slice(2))];
  const space = { shape, sides, groups: [[0], [1], [], after(2, shape)] };
  const own = shape.length === 4 ? spaceIn(shape, "plain")! : space;
  const pieces = new Pieces(node, context);
  const order = orderOf(node.inputs[0]!, context);
  if (context.specs.get(node.inputs[0]!)!.dtype !== "f32") return undefined;
  const x = pieces.input(node.inputs[0]!, own === space ? order : "plain", own);
  if (!x) return undefined;
  const squares = pieces.express([x], (b, x) => b.apply("mul", x, x));
  const [before, height, width] = [Math.floor((size - 1) / 2), x.sides[1], x.sides[2]];
  const kernel: PoolSpec = {
    ...{ family: "pool", ...pointwiseWindow, op: "average", size: [size, 1], pads: [before, 0] },
    ...{ height, width, countOutside: true },
  };
  const means = pieces.step("mean of squares", kernel, [squares.buffer], x.sides);
  const [alpha, beta, bias] = [numberOf(node, "alpha", 1e-4), numberOf(node, "beta", 0.75), numberOf(node, "bias", 1)];
  const y = pieces.express([x, means], (b, x, mean) => {
    const base = b.apply("add", b.apply("mul", mean!, alpha), bias);
    if (beta === 0.5) return b.apply("div", x, b.apply("sqrt", base));
    if (beta === 0.75) {
      const root = b.apply("sqrt", base);
      return b.apply("div", x, b.apply("mul", root, b.apply("sqrt", root)));
    }
    return b.apply("mul", x, b.apply("exp", b.apply("mul", b.apply("log", base), -beta)));
  });
  return pieces.output(0, y, own, shape, ["plain"]) ? pieces.finish() : undefined;
};

/** Along the last axis of where a value lies, one kernel does all. */
function softmaxOfChannels(node: GraphNode, log: boolean, axes: readonly number[], context: LoweringContext) {
  const { shape } = context.specs.get(node.inputs[0]!)!;
  const order = orderOf(node.inputs[0]!, context);
  const space = spaceIn(shape, order);
  const over = space && sidesReduced(space, axes);
  const from = over && over.join() === "false,false,false,true" ? read(node.inputs[0]!, order, context) : undefined;
  if (!from) return undefined;
  const { buffer, held } = write(node.outputs[0]!, order, context);
  const channels = sidesIn(shape, order)![3];
  const kernel: SoftmaxSpec = { family: "softmax", ...pointwiseWindow, channels, log };
  return stages([from, buffer], [{ name: node.op, kernel, reads: [from.id], writes: held.id }], [held]);
}

const softmax =
  (log: boolean): LoweringRule =>
  (node, context) => {
    const { shape, dtype, data } = context.specs.get(node.inputs[0]!)!;
    if (dtype !== "f32" || data || sizeOf(shape) === 0) return undefined;
    const before = node.opset < 13;
    const axis = axisOf(node, numberOf(node, "axis", before ? 1 : -1), shape.length);
    const axes = before ? after(axis, shape) : [axis];
    const simple = softmaxOfChannels(node, log, axes, context);
    if (simple) return simple;
    const start = startOf(node, axes, context);
    if (!start) return undefined;
    const { pieces, x } = start;
    const most = reduced(start, { op: "max" });
    const sum = pieces.reduce(x, start.over, { op: "sum", map: "exp", centre: most });
    const y = pieces.express([x, most, sum], (b, x, most, sum) => {
      const less = b.apply("sub", x, most!);
      return log ? b.apply("sub", less, b.apply("log", sum!)) : b.apply("div", b.apply("exp", less), sum!);
    });
    return finished(start, axes, y, [], node);
  };

/** By the operator's name. */
export const normRules: Readonly<Record<string, LoweringRule>> = {
  ReduceSum: reduction(by({ op: "sum" })),
  ReduceMean: reduction(by({ op: "sum", mean: true })),
  ReduceMax: reduction(by({ op: "max" })),
  ReduceMin: reduction(by({ op: "min" })),
  ReduceProd: reduction(by({ op: "product" })),
  ReduceL1: reduction(by({ op: "sum", map: "abs" })),
  ReduceL2: reduction(by({ ...square, finish: sqrt })),
  ReduceSumSquare: reduction(by(square)),
  ReduceLogSum: reduction(by({ op: "sum", finish: log })),
  ReduceLogSumExp: reduction((start) => {
    const { centre, sum } = logSum(start);
    return start.pieces.express([sum, centre], (b, sum, centre) => b.apply("add", sum, centre!));
  }),
  GlobalAveragePool: reduction(by({ op: "sum", mean: true }), places),
  GlobalMaxPool: reduction(by({ op: "max" }), places),
  GlobalLpPool: globalLp,
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LayerNormalization: layerNorm(true),
  RMSNormalization: layerNorm(false),
  SimplifiedLayerNormalization: layerNorm(false),
  MeanVarianceNormalization: meanVariance,
  LpNormalization: lpNorm,
  LRN: localResponse,
  ...{ Softmax: softmax(false), LogSoftmax: softmax(true) },
};

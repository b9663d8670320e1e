// Lowering rules for elementwise operators and batch norms; with those of norms and pools, all rules for values that are on the
// backend already or that lead to layers.
import { paddedChannels } from "../kernels/conv/layout.ts";
import { arena, pointwiseWindow, sidesOf, weights as weightBuffer } from "../kernels/layer.ts";
import type { BufferSpec, ExpressionSpec, MoveSpec, Position } from "../plan/types.ts";
import { ExpressionBuilder, expressionOf, expressionOperators, isVariadic, type Term } from "./expressions.ts";
import { normRules } from "./lower-norms.ts";
import { poolRules } from "./lower-pools.ts";
import {
  isHeld,
  type Lowered,
  type LoweringContext,
  type LoweringRule,
  moving,
  orderOf,
  read,
  shapeOf,
  stages,
  write,
} from "./lowering.ts";
import { normIn } from "./passes/batch-norm.ts";
import { moveOf, type Order, sidesIn } from "./places.ts";
import type { GraphNode } from "./types.ts";
import { numbersOf, sizeOf, stridesOf, toValue } from "./values.ts";

/**
 * An input of an elementwise node: a number, a constant of channels, or a value that is read; that is first copied where it lies
 * otherwise than its axes are seen.
 */
type Operand =
  | { number: number }
  | { channels: ArrayLike<number> }
  | { buffer: BufferSpec; sides: readonly number[]; copy?: { from: BufferSpec; kernel: MoveSpec } };

/** The shape of an input as the result's axes see it. */
const aligned = (shape: readonly number[], rank: number): number[] => [
  ...Array<number>(Math.max(0, rank - shape.length)).fill(1),
  ...shape,
];

/** The input `name` of a node that computes a value of shape `y`; `id` is for a copy of its own. */
function operandOf(
  name: string,
  y: readonly number[],
  order: Order,
  context: LoweringContext,
  id: string,
  expand = false,
): Operand | undefined {
  const constant = context.constants.get(name);
  if (constant && sizeOf(constant.shape) === 1) return { number: numbersOf(constant)[0]! };
  const spec = context.specs.get(name);
  if (!spec || !isHeld(spec) || spec.shape.length > y.length) return undefined;
  if (!constant && sizeOf(spec.shape) === 1) {
    // One element lies the same in every order.
    const buffer = read(name, orderOf(name, context), context);
    return buffer && { buffer, sides: [1, 1, 1, 1] };
  }
  const perChannel = expand && spec.shape.length === 1 && y.length > 2;
  const shape = aligned(perChannel ? [...spec.shape, ...y.slice(2).map(() => 1)] : spec.shape, y.length);
  const [seen, full] = [sidesIn(shape, order), sidesIn(y, order)!];
  const fits = seen?.every((side, i) => side === 1 || side === full[i]);
  if (constant && fits && seen!.slice(0, 3).every((side) => side === 1)) return { channels: numbersOf(constant) };
  const hasOrder = order === "plain" || spec.shape.length === 4;
  const own = hasOrder && !perChannel ? sidesIn(spec.shape, order) : undefined;
  const buffer = own?.join() === seen?.join() && fits ? read(name, order, context) : undefined;
  if (buffer) return { buffer, sides: seen! };
  // Axes that are repeated between others are written out.
  const sides = fits ? seen! : full;
  const [from, at] = [
    read(name, orderOf(name, context), context),
    { shape: spec.shape, order: orderOf(name, context) },
  ];
  const counts = fits ? shape : y;
  const strides = stridesOf(shape).map((stride, i) => (shape[i] === 1 ? 0 : stride));
  const view = { counts, from: { offset: 0, strides }, to: { offset: 0, strides: stridesOf(counts) } };
  const kernel = from && sides && moveOf(view, at, { shape: counts, order });
  return kernel && { buffer: arena(id, sidesOf(sides)), sides, copy: { from, kernel } };
}

/** The order of the result: that in which the first whole input is at hand. */
function resultOrder(node: GraphNode, y: readonly number[], context: LoweringContext): Order {
  const whole = node.inputs.filter((name) => context.specs.get(name)?.shape.join() === y.join());
  const first = whole.find((name) => context.held.has(name)) ?? whole[0];
  if (y.length !== 4) return "plain";
  return first === undefined ? "channels last" : orderOf(first, context);
}

const elementwise: LoweringRule = (node, context) => {
  const to = node.outputs[0]!;
  const spec = context.specs.get(to);
  if (!spec || !isHeld(spec) || spec.data || node.outputs.length > 1) return undefined;
  const order = resultOrder(node, spec.shape, context);
  const sides = sidesIn(spec.shape, order);
  if (!sides) return undefined;
  // Before version 7 a list of slopes has one for each channel.
  const expand = node.op === "PRelu" && node.opset < 7;
  const { held } = write(to, order, context);
  const names = node.inputs.filter((name) => name !== "");
  const operands = names.map((name, i) =>
    operandOf(name, spec.shape, order, context, `${held.id}: operand ${i}`, expand),
  );
  if (operands.includes(undefined)) return undefined;
  const constants = node.inputs.map((name) => {
    const constant = context.constants.get(name);
    return constant && toValue(constant);
  });
  const build =
    (of: GraphNode): Build =>
    (b, terms) =>
      expressionOf(of, b, terms, constants);
  if (!isVariadic(node.op)) return expressed(node, sides[3], order, operands as Operand[], context, build(node));
  return inTurns(node, sides, order, operands as Operand[], context, build);
};

/** Operands that a kernel reads. */
const mostReads = 3;

/** A function of any number of operands: as many as a kernel reads, then their result and others. */
function inTurns(
  node: GraphNode,
  sides: Position,
  order: Order,
  operands: readonly Operand[],
  context: LoweringContext,
  build: (of: GraphNode) => Build,
): Lowered | undefined {
  const isMean = node.op === "Mean";
  const sum = build(isMean ? { ...node, op: "Sum" } : node);
  const { held } = write(node.outputs[0]!, order, context);
  const made: Lowered[] = [];
  let left = operands.toSorted((a, b) => Number("buffer" in b) - Number("buffer" in a));
  while (left.length > mostReads) {
    const buffer = arena(`${held.id}: turn ${made.length}`, sidesOf(sides));
    const turn = { buffer, held: { ...held, id: buffer.id } };
    const lowered = expressed(node, sides[3], order, left.slice(0, mostReads), context, sum, turn);
    if (!lowered) return undefined;
    made.push(lowered);
    left = [{ buffer, sides }, ...left.slice(mostReads)];
  }
  const last: Build = isMean ? (b, terms) => b.apply("div", sum(b, terms)!, operands.length) : sum;
  const lowered = expressed(node, sides[3], order, left, context, last);
  const all = lowered && [...made, lowered];
  return (
    all && {
      stages: all.flatMap(({ stages }) => stages),
      buffers: all.flatMap(({ buffers }) => buffers),
      weights: new Map(all.flatMap(({ weights }) => [...weights])),
      time: all.reduce((time, one) => time + one.time, 0),
      ...{ multiplications: 0, outputs: lowered.outputs },
    }
  );
}

type Build = (b: ExpressionBuilder, terms: readonly Term[]) => Term | undefined;

/** A step that computes the node's output from operands, of which up to three are read. */
function expressed(
  node: GraphNode,
  channels: number,
  order: Order,
  operands: readonly Operand[],
  context: LoweringContext,
  build: Build,
  { buffer: result, held } = write(node.outputs[0]!, order, context),
): Lowered | undefined {
  const constants: [string, ArrayLike<number>][] = [];
  const found = operands.map((operand, i) => {
    if ("number" in operand) return operand.number;
    if (!("channels" in operand)) {
      const { buffer, sides } = operand;
      return { buffer, pixels: sides[2]! > 1, channels: sides[3]! > 1 || channels === 1 };
    }
    const buffer = weightBuffer(`${held.id}: ${i}`, paddedChannels(channels));
    constants.push([buffer.id, operand.channels]);
    return { buffer, pixels: false, channels: true };
  });
  // Kernels take the rows of the grid from what they read first: a value.
  const isConstant = ({ buffer }: { buffer: BufferSpec }): number => Number(buffer.scope === "constant");
  const reads = found
    .filter((one) => typeof one !== "number")
    .filter(({ buffer: { id } }, i, all) => all.findIndex(({ buffer }) => buffer.id === id) === i)
    .sort((a, b) => isConstant(a) - isConstant(b));
  const first = reads[0];
  if (!first || isConstant(first) || reads.length > mostReads) return undefined;
  const builder = new ExpressionBuilder();
  const terms = found.map((one) =>
    typeof one === "number" ? one : builder.operand(reads.findIndex(({ buffer }) => buffer.id === one.buffer.id)),
  );
  const term = build(builder, terms);
  if (term === undefined) return undefined;
  builder.finish(term);
  const { nodes, constants: numbers } = builder;
  const kernel: ExpressionSpec = {
    ...{ family: "expression", ...pointwiseWindow, nodes, constants: numbers, channels },
    operands: reads.map(({ pixels, channels }) => ({ pixels, channels })),
    ...(first.buffer.height === 1 && result.height! > 1 && { strides: [0, 0] as [number, number] }),
  };
  const ids = reads.map(({ buffer }) => buffer.id);
  const step = { name: node.op, kernel, reads: ids, writes: held.id };
  const copies = operands.flatMap((one) => ("copy" in one && one.copy ? [{ ...one.copy, to: one.buffer.id }] : []));
  return stages(
    [...copies.map(({ from }) => from), ...reads.map(({ buffer }) => buffer), result],
    [...copies.map(({ kernel, from, to }) => moving(kernel, from.id, to)), step],
    [held],
    constants,
  );
}

const batchNorm: LoweringRule = (node, context) => {
  const x = shapeOf(node.inputs[0], context);
  const scaling = normIn(node, context.constants);
  if (!x || !scaling) return undefined;
  const { factors, offsets } = scaling;
  const buffer = read(node.inputs[0]!, "channels last", context)!;
  const operands = [{ buffer, sides: x }, { channels: factors }, { channels: offsets }];
  return expressed(node, x[3]!, "channels last", operands, context, (b, [value, factor, offset]) =>
    b.apply("add", b.apply("mul", value!, factor!), offset!),
  );
};

/** By the operator's name. */
export const elementwiseRules: Readonly<Record<string, LoweringRule>> = {
  ...Object.fromEntries(expressionOperators.map((name) => [name, elementwise])),
  BatchNormalization: batchNorm,
  ...normRules,
  ...poolRules,
};

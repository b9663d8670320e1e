// Lowering rules for elementwise operators, batch norms and softmax; with those of pools, all rules for values that are on the
// backend already or that lead to layers.
import { paddedChannels } from "../kernels/conv/layout.ts";
import { pointwiseWindow, weights as weightBuffer } from "../kernels/layer.ts";
import type { BufferSpec, ExpressionSpec, SoftmaxSpec } from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import { ExpressionBuilder, expressionOf, expressionOperators } from "./expressions.ts";
import { poolRules } from "./lower-pools.ts";
import {
  constantOf,
  type LoweringContext,
  type LoweringRule,
  orderOf,
  read,
  shapeOf,
  stages,
  write,
} from "./lowering.ts";
import { axisOf, numberOf } from "./nodes.ts";
import { isFixed, normOf } from "./passes/batch-norm.ts";
import { type Order, sidesIn } from "./places.ts";
import type { GraphNode } from "./types.ts";
import { numbersOf, sizeOf, toValue } from "./values.ts";

/** An input of an elementwise node: a number, a constant of channels, or a value that is read. */
type Operand = { number: number } | { channels: ArrayLike<number> } | { buffer: BufferSpec; sides: readonly number[] };

/** The shape of an input as the result's axes see it. */
const aligned = (shape: readonly number[], rank: number): number[] => [
  ...Array<number>(Math.max(0, rank - shape.length)).fill(1),
  ...shape,
];

function operandOf(
  name: string,
  y: readonly number[],
  order: Order,
  context: LoweringContext,
  expand = false,
): Operand | undefined {
  const constant = constantOf(name, context);
  if (constant && sizeOf(constant.shape) === 1) return { number: numbersOf(constant)[0]! };
  const spec = context.specs.get(name);
  if (spec?.dtype !== "f32" || spec.shape.length > y.length) return undefined;
  if (!constant && sizeOf(spec.shape) === 1) {
    // One element lies the same in every order.
    const buffer = read(name, orderOf(name, context), context);
    return buffer && { buffer, sides: [1, 1, 1, 1] };
  }
  const perChannel = expand && spec.shape.length === 1 && y.length > 2;
  const shape = perChannel ? [...spec.shape, ...y.slice(2).map(() => 1)] : spec.shape;
  const seen = sidesIn(aligned(shape, y.length), order);
  const [full, own] = [sidesIn(y, order)!, sidesIn(spec.shape, spec.shape.length === 4 ? order : "plain")];
  if (!seen?.every((side, i) => side === 1 || side === full[i])) return undefined;
  if (constant && seen.slice(0, 3).every((side) => side === 1)) return { channels: numbersOf(constant) };
  // A list of channels that is computed lies otherwise than the axes that it is one of.
  if (own?.join() !== seen.join() || (order === "channels last" && spec.shape.length !== 4)) return undefined;
  const buffer = read(name, order, context);
  return buffer && { buffer, sides: seen };
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
  if (spec?.dtype !== "f32" || spec.data || node.outputs.length > 1) return undefined;
  const order = resultOrder(node, spec.shape, context);
  const sides = sidesIn(spec.shape, order);
  // Bounds of Clip are parameters, not operands.
  const names = node.op === "Clip" ? node.inputs.slice(0, 1) : node.inputs;
  if (!sides) return undefined;
  // Before version 7 a list of slopes has one for each channel.
  const expand = node.op === "PRelu" && node.opset < 7;
  const operands = names.map((name) => operandOf(name, spec.shape, order, context, expand));
  if (operands.includes(undefined)) return undefined;
  return expressed(node, sides[3], order, operands as Operand[], context, (b, terms) =>
    expressionOf(
      node,
      b,
      terms,
      node.inputs.map((name) => {
        const constant = context.constants.get(name);
        return constant && toValue(constant);
      }),
    ),
  );
};

type Term = ReturnType<ExpressionBuilder["operand"]>;

/** A step that computes the node's output from operands, of which up to three are read. */
function expressed(
  node: GraphNode,
  channels: number,
  order: Order,
  operands: readonly Operand[],
  context: LoweringContext,
  build: (b: ExpressionBuilder, terms: readonly Term[]) => Term | undefined,
) {
  const { buffer: result, held } = write(node.outputs[0]!, order, context);
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
  if (!first || isConstant(first) || reads.length > 3) return undefined;
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
  return stages([...reads.map(({ buffer }) => buffer), result], [step], [held], constants);
}

const batchNorm: LoweringRule = (node, context) => {
  const x = shapeOf(node.inputs[0], context);
  const given = node.inputs.slice(1, 5).map((name) => constantOf(name, context));
  if (!x || node.outputs.length > 1 || given.length !== 4 || given.includes(undefined) || !isFixed(node)) {
    return undefined;
  }
  const { factors, offsets } = normOf(node, given as Tensor[]);
  const buffer = read(node.inputs[0]!, "channels last", context)!;
  const operands = [{ buffer, sides: x }, { channels: factors }, { channels: offsets }];
  return expressed(node, x[3]!, "channels last", operands, context, (b, [value, factor, offset]) =>
    b.apply("add", b.apply("mul", value!, factor!), offset!),
  );
};

const softmax =
  (log: boolean): LoweringRule =>
  (node, context) => {
    const [name, spec] = [node.inputs[0]!, context.specs.get(node.inputs[0]!)!];
    const { shape } = spec;
    const before = node.opset < 13;
    const axis = axisOf(node, numberOf(node, "axis", before ? 1 : -1), shape.length);
    const alone = shape.every((side, i) => side === 1 || i <= axis);
    const order: Order = shape.length === 4 && axis === 1 ? "channels last" : "plain";
    const last = axis === shape.length - 1 || (order === "channels last" && (!before || alone));
    const from = last && spec.dtype === "f32" ? read(name, order, context) : undefined;
    if (!from || spec.data) return undefined;
    const { buffer, held } = write(node.outputs[0]!, order, context);
    const kernel: SoftmaxSpec = {
      ...{ family: "softmax", ...pointwiseWindow, channels: sidesIn(shape, order)![3], log },
    };
    return stages([from, buffer], [{ name: node.op, kernel, reads: [from.id], writes: held.id }], [held]);
  };

/** By the operator's name. */
export const elementwiseRules: Readonly<Record<string, LoweringRule>> = {
  ...Object.fromEntries(expressionOperators.map((name) => [name, elementwise])),
  BatchNormalization: batchNorm,
  ...{ Softmax: softmax(false), LogSoftmax: softmax(true) },
  ...poolRules,
};

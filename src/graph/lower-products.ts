// Lowering rules for matrix products: with a constant matrix, a pointwise convolution of values whose last axis is that of
// channels; of two computed ones, the same with weights that are packed at run time, one matrix for each image or row.
import { derived } from "../kernels/kernel.ts";
import { arena, convSpec, pointwiseWindow, sidesOf } from "../kernels/layer.ts";
import type { BufferSpec, Window } from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import {
  base,
  constantOf,
  fusedActivation,
  joined,
  type Lowered,
  type LoweringContext,
  type LoweringRule,
  moving,
  named,
  read,
  stages,
  write,
} from "./lowering.ts";
import { numberOf } from "./nodes.ts";
import { inOtherPlace, sidesIn } from "./places.ts";
import type { GraphNode } from "./types.ts";
import { sizeOf, stridesOf } from "./values.ts";
import {
  allTaps,
  copiesOf,
  type PackBatch,
  type PackLoop,
  packConvolution,
  packedLayer,
  packSource,
} from "./weights.ts";

type Part = Omit<Lowered, "outputs">;

/** A stack of matrices: the axes before, its sides, and how far apart elements stand along each. */
interface Matrices {
  batch: readonly number[];
  steps: readonly number[];
  rows: number;
  columns: number;
  rowStep: number;
  columnStep: number;
}

function matricesOf(shape: readonly number[], vector: "row" | "column", transposed: boolean): Matrices {
  const whole = shape.length > 1 ? shape : vector === "row" ? [1, ...shape] : [...shape, 1];
  const steps = stridesOf(whole);
  const [rows, columns] = whole.slice(-2) as [number, number];
  const [rowStep, columnStep] = steps.slice(-2) as [number, number];
  const stack = { batch: whole.slice(0, -2), steps: steps.slice(0, -2) };
  if (transposed) return { ...stack, rows: columns, columns: rows, rowStep: columnStep, columnStep: rowStep };
  return { ...stack, rows, columns, rowStep, columnStep };
}

/** With axes of length 1 before, so that there are `rank`; those stand for all along them, as others of length 1 do. */
function aligned(matrices: Matrices, rank: number): Matrices {
  const more = Array<number>(rank - matrices.batch.length).fill(1);
  const batch = [...more, ...matrices.batch];
  return {
    ...matrices,
    batch,
    steps: [...more.map(() => 0), ...matrices.steps].map((step, i) => (batch[i] === 1 ? 0 : step)),
  };
}

export const product: LoweringRule = (node, context) => {
  const [a, b, y] = [node.inputs[0]!, node.inputs[1]!, node.outputs[0]!].map((name) => context.specs.get(name)!);
  const activation = fusedActivation(node);
  const isWrong = [a, b, y].some((spec) => spec?.dtype !== "f32" || sizeOf(spec.shape) === 0);
  if (isWrong || y!.data || !activation) return undefined;
  const isTransposed = (name: string): boolean => numberOf(node, name, 0) !== 0;
  const own = matricesOf(a!.shape, "row", isTransposed("transA"));
  const right = matricesOf(b!.shape, "column", isTransposed("transB"));
  const rank = Math.max(own.batch.length, right.batch.length);
  const [left, other] = [aligned(own, rank), aligned(right, rank)];
  const batch = left.batch.map((side, i) => (side === 1 ? other.batch[i]! : side));
  const full = [...batch, left.rows, other.columns];
  const { buffer, held } = write(node.outputs[0]!, "plain", context);
  const isDirect = sidesIn(full, "plain")!.join() === sidesIn(y!.shape, "plain")!.join();
  const target = isDirect ? buffer : arena(`${held.name}: product`, sidesOf(sidesIn(full, "plain")!));
  const weight = b!.shape.length === 2 ? constantOf(node.inputs[1], context) : undefined;
  const source = leftSide(node, context, left, batch);
  const made =
    source &&
    ((weight && withConstant(node, context, { weight, source, full, target })) ??
      withValue(node, context, { other, batch, source, full, target }));
  if (!made) return undefined;
  if (isDirect) return joined([source.part, made], [held]);
  const move = inOtherPlace({ shape: full, order: "plain" }, { shape: y!.shape, order: "plain" });
  if (!move) return undefined;
  const back = stages([target, buffer], [moving(move, target.id, buffer.id)], []);
  return joined([source.part, made, back], [held]);
};

interface Source {
  buffer: BufferSpec;
  shape: readonly number[];
  part: Part;
}

/** The left factor with its columns as channels: the value itself, or a copy where its axes stand otherwise. */
function leftSide(
  node: GraphNode,
  context: LoweringContext,
  left: Matrices,
  batch: readonly number[],
): Source | undefined {
  const given = packSource(node.inputs[0]!, context);
  if (!given) return undefined;
  const lead = left.batch.slice(0, -1);
  const isWhole = lead.every((side) => side === 1) || lead.every((side, i) => side === batch[i]);
  const axes = isWhole ? left.batch : batch;
  const shape = [...axes, left.rows, left.columns];
  const own = context.specs.get(node.inputs[0]!)!.shape;
  const plain = read(node.inputs[0]!, "plain", context);
  const isSame = sidesIn(own, "plain")!.join() === sidesIn(shape, "plain")!.join();
  if (plain && isSame && left.columnStep === 1 && left.rowStep === left.columns) {
    return { buffer: plain, shape, part: stages([], [], []) };
  }
  const target = arena(`${node.outputs[0]}: left`, sidesOf(sidesIn(shape, "plain")!));
  const to = stridesOf(shape);
  const loops: PackLoop[] = [...left.steps, left.rowStep, left.columnStep].map((from, i) => ({
    count: shape[i]!,
    from,
    to: to[i]!,
  }));
  const copies = copiesOf(loops, { placed: given.placed, offset: 0 }, { placed: { shape, order: "plain" }, offset: 0 });
  if (!copies) return undefined;
  const steps = copies.map((kernel) => moving(kernel, given.buffer.id, target.id));
  return { buffer: target, shape, part: stages([given.buffer, target], steps, []) };
}

interface Constant {
  weight: Tensor;
  source: Source;
  full: readonly number[];
  target: BufferSpec;
}

function withConstant(
  node: GraphNode,
  context: LoweringContext,
  { weight, source, full, target }: Constant,
): Part | undefined {
  const [from, to] = [sidesIn(source.shape, "plain")!, sidesIn(full, "plain")!];
  const bias = constantOf(node.inputs[2], context);
  const added = bias && biasColumns(bias, to[3]);
  if (node.inputs[2] && !added) return undefined;
  const [alpha, beta] = [numberOf(node, "alpha", 1), numberOf(node, "beta", 1)];
  const scaled = (data: Float32Array, by: number): Float32Array => (by === 1 ? data : data.map((value) => by * value));
  const order = numberOf(node, "transB", 0) !== 0 ? "OIHW" : "HWIO";
  const sources = [order, JSON.stringify([alpha, beta, added?.length]), weight.data, bias?.data ?? ""];
  const weights = derived(sources, () => ({
    ...{ weight: scaled(weight.data as Float32Array, alpha), order },
    ...(added && { bias: scaled(added, beta) }),
  }));
  const window = { ...pointwiseWindow, pads: [0, 0, 0, 0], border: "constant", borderValue: 0 } as Window;
  const shapes = base([...from], [...to], window, fusedActivation(node)!);
  const planned = context.plan({ kind: "conv", ...shapes, groups: 1, residual: false, shared: true });
  const own = node.outputs[0]!;
  return {
    ...named(planned, { x: source.buffer.id, y: target.id }, own),
    weights: new Map([[`${own}: weight`, weights]]),
  };
}

function biasColumns({ shape, data }: Tensor, columns: number): Float32Array | undefined {
  if (data.length === 1) return new Float32Array(columns).fill(Number(data[0]));
  return data.length === columns && shape.at(-1) === columns ? (data as Float32Array) : undefined;
}

interface Computed {
  other: Matrices;
  batch: readonly number[];
  source: Source;
  full: readonly number[];
  target: BufferSpec;
}

/** Packs the right factor, or each of a stack of them, and multiplies. */
function withValue(
  node: GraphNode,
  context: LoweringContext,
  { other, batch, source, full, target }: Computed,
): Part | undefined {
  const [weight, bias] = [1, 2].map((i) => (node.inputs[i] ? packSource(node.inputs[i], context) : undefined));
  const [alpha, beta] = [numberOf(node, "alpha", 1), numberOf(node, "beta", 1)];
  if (!weight || (node.inputs[2] && !bias) || alpha !== 1 || (bias && beta !== 1)) return undefined;
  const [inner, columns] = [other.rows, other.columns];
  if (bias && sizeOf(context.specs.get(node.inputs[2]!)!.shape) !== columns) return undefined;
  const packs = packBatch(other, batch);
  const [rows, all] = [sidesIn(source.shape, "plain")![1], sidesIn(full, "plain")![1]];
  const kernel = convSpec({
    ...{ inputs: inner, outputs: columns, activation: fusedActivation(node)! },
    packed: packs.rows > 1 ? "rows" : "value",
    // One row of the left factor may stand for all.
    strides: [rows < all ? 0 : 1, 1],
  });
  const part = {
    steps: { group: 0, output: other.columnStep, input: other.rowStep, depth: 0, y: 0, x: 0 },
    ...{ groups: 1, outputs: columns, inputs: inner, depth: allTaps(1), y: allTaps(1), x: allTaps(1) },
  };
  const made = packConvolution(`${node.outputs[0]}: packed`, kernel, part, weight, bias, packs);
  const sources = [weight, ...(bias ? [bias] : [])];
  return made && packedLayer(made, sources, kernel, [source.buffer], target);
}

/** How many packed matrices there are: one for all, for each image, or for each row, as values of these axes lie. */
function packBatch({ batch: own, steps }: Matrices, batch: readonly number[]): PackBatch {
  const count = batch.length < 2 ? batch.length : batch.length - 1;
  const [lead, wanted] = [own.slice(0, count), batch.slice(0, count)];
  const images = lead.every((side) => side === 1) ? lead : wanted;
  const axes = [...images, ...own.slice(count)];
  const to = stridesOf(axes);
  return {
    images: sizeOf(images),
    rows: own[count] ?? 1,
    loops: axes.map((side, i) => ({ count: side, from: steps[i]!, to: to[i]! })),
  };
}

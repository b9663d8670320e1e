// Lowering rules for pools, and for reductions of planes, which are pools over all pixels. Rules for values that are on the
// backend already, or that lead to layers.
import { arena, sidesOf } from "../kernels/layer.ts";
import { mostUnrolled } from "../kernels/pool/kernel.ts";
import type { BufferSpec, PoolSpec, Step, Window } from "../plan/types.ts";
import { type LoweringRule, moving, read, shapeOf, stages, windowFrom, write } from "./lowering.ts";
import { axisOf, listOf, numberOf } from "./nodes.ts";
import { inOtherPlace, isInPlace, type Order } from "./places.ts";
import { numbersOf } from "./values.ts";
import { windowOf } from "./window.ts";

/** What a pool computes, and on what: [images, height, width, channels]. */
interface Pool {
  op: PoolSpec["op"];
  x: readonly number[];
  y: readonly number[];
  window: Window;
  countOutside?: boolean;
}

function step({ op, x, window, countOutside = false }: Pool, from: string, to: string): Step {
  const { size, strides, dilations, pads } = window;
  const kernel: PoolSpec = {
    ...{ family: "pool", op, size, strides, dilations, pads: [pads[0], pads[1]], height: x[1]!, width: x[2]! },
    countOutside,
  };
  return { name: `${op} pool`, kernel, reads: [from], writes: to };
}

/** Whether a pass along columns and one along rows see fewer pixels: a rectangle's result is that of its rows' results. */
function isSeparated({ x, y, window: { size } }: Pool): boolean {
  const [kh, kw] = size;
  const [from, to] = [x[2]!, y[2]!];
  return kh * kw > mostUnrolled && from * kh + to * kw < to * kh * kw;
}

/** The steps of a pool, and the value between them where there are two. */
function stepsOf(pool: Pool, from: string, to: string): { steps: Step[]; between: BufferSpec[] } {
  const { x, y, window } = pool;
  if (!isSeparated(pool)) return { steps: [step(pool, from, to)], between: [] };
  const along = (axis: 0 | 1): Window => {
    const [size, strides, dilations, pads] = [
      [1, 1],
      [1, 1],
      [1, 1],
      [0, 0, 0, 0],
    ] as [...[[number, number], [number, number], [number, number], [number, number, number, number]]];
    size[axis] = window.size[axis];
    strides[axis] = window.strides[axis];
    dilations[axis] = window.dilations[axis];
    pads[axis] = window.pads[axis];
    return { ...window, size, strides, dilations, pads };
  };
  const middle = [x[0]!, y[1]!, x[2]!, x[3]!];
  const between = arena(`${to}: of columns`, sidesOf(middle));
  return {
    steps: [
      step({ ...pool, window: along(0) }, from, between.id),
      step({ ...pool, x: middle, window: along(1) }, between.id, to),
    ],
    between: [between],
  };
}

const wholeWindow = (x: readonly number[]): Window => ({
  ...{ size: [x[1]!, x[2]!], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
  ...{ border: "constant", borderValue: 0 },
});

const pool =
  (op: PoolSpec["op"], global: boolean): LoweringRule =>
  (node, context) => {
    const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
    if (!x || !y || node.outputs.length > 1) return undefined;
    const { shape } = context.specs.get(node.inputs[0]!)!;
    const ceil = !global && numberOf(node, "ceil_mode", 0) !== 0;
    const size = global ? shape.slice(2) : listOf(node, "kernel_shape")!;
    const window = global ? wholeWindow(x) : windowFrom(windowOf(node, shape, size, ceil));
    const countOutside = !global && op === "average" && numberOf(node, "count_include_pad", 0) !== 0;
    if (countOutside && ceil) return undefined;
    const { buffer, held } = write(node.outputs[0]!, "channels last", context);
    const from = read(node.inputs[0]!, "channels last", context)!;
    const { steps, between } = stepsOf({ op, x, y, window, countOutside }, from.id, held.id);
    return stages([from, ...between, buffer], steps, [held]);
  };

/** Means and largest values of planes, in another shape where their sides are dropped. */
const reduction =
  (op: PoolSpec["op"]): LoweringRule =>
  (node, context) => {
    const x = shapeOf(node.inputs[0], context);
    if (!x) return undefined;
    const constant = node.inputs[1] ? context.constants.get(node.inputs[1]) : undefined;
    const given = node.inputs[1] ? constant && Array.from(numbersOf(constant)) : listOf(node, "axes");
    const axes = given?.map((axis) => axisOf(node, axis, 4)).toSorted();
    if (axes?.join() !== "2,3") return undefined;
    const { shape } = context.specs.get(node.outputs[0]!)!;
    const order: Order = shape.length === 4 ? "channels last" : "plain";
    const from = read(node.inputs[0]!, "channels last", context)!;
    const { buffer, held } = write(node.outputs[0]!, order, context);
    const pooled = { shape: [x[0]!, x[3]!, 1, 1], order: "channels last" as const };
    const move = inOtherPlace(pooled, { shape, order });
    if (!move) return undefined;
    const stays = isInPlace(move, pooled, { shape, order });
    const sides = [x[0]!, 1, 1, x[3]!];
    const plane = stays ? buffer : arena(`${held.id}: pooled`, sidesOf(sides));
    const { steps, between } = stepsOf({ op, x, y: sides, window: wholeWindow(x) }, from.id, plane.id);
    return stages(
      [from, ...between, plane, ...(stays ? [] : [buffer])],
      stays ? steps : [...steps, moving(move, plane.id, held.id)],
      [held],
    );
  };

/** By the operator's name. */
export const poolRules: Readonly<Record<string, LoweringRule>> = {
  ...{ MaxPool: pool("max", false), AveragePool: pool("average", false) },
  ...{ GlobalMaxPool: pool("max", true), GlobalAveragePool: pool("average", true) },
  ...{ ReduceMean: reduction("average"), ReduceMax: reduction("max") },
};

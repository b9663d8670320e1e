// Lowering rules for pools. Rules for values that are on the
// backend already, or that lead to layers.
import { arena, sidesOf } from "../kernels/layer.ts";
import { mostUnrolled } from "../kernels/pool/kernel.ts";
import type { BufferSpec, PoolSpec, Step, Window } from "../plan/types.ts";
import { type LoweringRule, read, shapeOf, stages, windowFrom, write } from "./lowering.ts";
import { listOf, numberOf } from "./nodes.ts";
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

const pool =
  (op: PoolSpec["op"]): LoweringRule =>
  (node, context) => {
    const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
    if (!x || !y || node.outputs.length > 1) return undefined;
    const { shape } = context.specs.get(node.inputs[0]!)!;
    const ceil = numberOf(node, "ceil_mode", 0) !== 0;
    const size = listOf(node, "kernel_shape")!;
    const window = windowFrom(windowOf(node, shape, size, ceil));
    const countOutside = op === "average" && numberOf(node, "count_include_pad", 0) !== 0;
    if (countOutside && ceil) return undefined;
    const { buffer, held } = write(node.outputs[0]!, "channels last", context);
    const from = read(node.inputs[0]!, "channels last", context)!;
    const { steps, between } = stepsOf({ op, x, y, window, countOutside }, from.id, held.id);
    return stages([from, ...between, buffer], steps, [held]);
  };

/** By the operator's name. */
export const poolRules: Readonly<Record<string, LoweringRule>> = {
  ...{ MaxPool: pool("max"), AveragePool: pool("average") },
};

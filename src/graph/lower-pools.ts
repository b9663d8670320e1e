// Lowering rules for pools. Rules for values that are on the
// backend already, or that lead to layers.
import { arena, sidesOf } from "../kernels/layer.ts";
import { mostUnrolled } from "../kernels/pool/kernel.ts";
import type { PoolSpec, Position, Step, Window } from "../plan/types.ts";
import { type LoweringContext, type LoweringRule, read, shapeOf, stages, windowFrom, write } from "./lowering.ts";
import { listOf, numberOf } from "./nodes.ts";
import { Pieces, spaceIn, type Term } from "./pieces.ts";
import type { GraphNode } from "./types.ts";
import { windowOf } from "./window.ts";

/** What a pool computes, and on what: [images, height, width, channels]. */
interface Pool {
  op: PoolSpec["op"];
  x: readonly number[];
  y: readonly number[];
  window: Window;
  countOutside?: boolean;
}

function kernelOf({ op, x, window, countOutside = false }: Pool): PoolSpec {
  const { size, strides, dilations, pads } = window;
  return {
    ...{ family: "pool", op, size, strides, dilations, pads: [pads[0], pads[1]], height: x[1]!, width: x[2]! },
    countOutside,
  };
}

/** Whether a pass along columns and one along rows see fewer pixels: a rectangle's result is that of its rows' results. */
function isSeparated({ x, y, window: { size } }: Pool): boolean {
  const [kh, kw] = size;
  const [from, to] = [x[2]!, y[2]!];
  return kh * kw > mostUnrolled && from * kh + to * kw < to * kh * kw;
}

/** The steps of a pool, and the sides of what each gives. */
function partsOf(pool: Pool): { kernel: PoolSpec; sides: Position }[] {
  const { x, y, window } = pool;
  const [whole, middle] = [y as Position, [x[0]!, y[1]!, x[2]!, x[3]!] as Position];
  if (!isSeparated(pool)) return [{ kernel: kernelOf(pool), sides: whole }];
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
  return [
    { kernel: kernelOf({ ...pool, window: along(0) }), sides: middle },
    { kernel: kernelOf({ ...pool, x: middle, window: along(1) }), sides: whole },
  ];
}

/** The window of a node; its last one may begin within the input and end outside. */
function windowIn(node: GraphNode, { specs }: LoweringContext): { window: Window; ceil: boolean } {
  const ceil = numberOf(node, "ceil_mode", 0) !== 0;
  const { shape } = specs.get(node.inputs[0]!)!;
  return { window: windowFrom(windowOf(node, shape, listOf(node, "kernel_shape")!, ceil)), ceil };
}

const pool =
  (op: PoolSpec["op"]): LoweringRule =>
  (node, context) => {
    const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
    if (!x || !y || node.outputs.length > 1) return undefined;
    const { window, ceil } = windowIn(node, context);
    const countOutside = op === "average" && numberOf(node, "count_include_pad", 0) !== 0;
    if (countOutside && ceil) return undefined;
    const { buffer, held } = write(node.outputs[0]!, "channels last", context);
    const from = read(node.inputs[0]!, "channels last", context)!;
    const parts = partsOf({ op, x, y, window, countOutside });
    const made = [...parts.slice(1).map(() => arena(`${held.id}: of columns`, sidesOf(parts[0]!.sides))), buffer];
    const steps = parts.map(({ kernel }, i): Step => {
      return { name: `${op} pool`, kernel, reads: [made[i - 1]?.id ?? from.id], writes: made[i]!.id };
    });
    return stages([from, ...made], steps, [held]);
  };

/** Powers of so many factors are products. */
const mostFactors = 8;

/** The pth root of the sums of pth powers: means that count the outside as zeros, as often as a window has pixels. */
const lpPool: LoweringRule = (node, context) => {
  const [name, p] = [node.inputs[0]!, numberOf(node, "p", 2)];
  const [x, y] = [shapeOf(name, context), shapeOf(node.outputs[0], context)];
  if (!x || !y) return undefined;
  const [from, to] = [name, node.outputs[0]!].map((one) => spaceIn(context.specs.get(one)!.shape, "channels last")!);
  const pieces = new Pieces(node, context);
  let piece = pieces.input(name, "channels last", from!);
  if (!piece) return undefined;
  piece = pieces.express([piece], (b, x) => {
    const magnitude = b.apply("abs", x);
    if (!Number.isInteger(p) || p > mostFactors) return b.apply("pow", magnitude, p);
    return Array<Term>(p)
      .fill(magnitude)
      .reduce((power, factor) => b.apply("mul", power, factor));
  });
  const { window } = windowIn(node, context);
  for (const { kernel, sides } of partsOf({ op: "average", x, y, window, countOutside: true }))
    piece = pieces.step("average pool", kernel, [piece.buffer], sides);
  piece = pieces.express([piece], (b, mean) => {
    const sum = b.apply("mul", mean, window.size[0] * window.size[1]);
    return p === 1 ? sum : p === 2 ? b.apply("sqrt", sum) : b.apply("pow", sum, 1 / p);
  });
  return pieces.output(0, piece, to!, to!.shape, ["channels last"]) ? pieces.finish() : undefined;
};

/** By the operator's name. */
export const poolRules: Readonly<Record<string, LoweringRule>> = {
  ...{ MaxPool: pool("max"), AveragePool: pool("average"), LpPool: lpPool },
};

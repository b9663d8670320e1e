// Lowers operators that copy elements or resample axes, by what the operators say of themselves: for values that are on the
// backend already, or that lead to layers.
import { pointwiseWindow } from "../kernels/layer.ts";
import type { BufferSpec, ExpressionSpec, ResizeAxis, ResizeSpec, Step } from "../plan/types.ts";
import { type Lowered, type LoweringContext, moving, orderOf, read, shapeOf, stages, write } from "./lowering.ts";
import { isInPlace, moveOf, type Order, sidesIn } from "./places.ts";
import type { Copies, GraphNode, Samples, Spec } from "./types.ts";
import { sizeOf } from "./values.ts";

/** Pixels of which a resized one is the sum, along one axis, at most. */
const mostTaps = 4;

const specsOf = ({ inputs }: GraphNode, { specs }: LoweringContext): (Spec | undefined)[] =>
  inputs.map((name) => specs.get(name));

export function movement(node: GraphNode, context: LoweringContext): Lowered | undefined {
  const operator = context.operators.get(node.op)!;
  const specs = specsOf(node, context);
  const outputs = node.outputs.map((name) => context.specs.get(name));
  if ([...outputs, specs[0]].some((spec) => spec?.dtype !== "f32" || spec.data || sizeOf(spec.shape) === 0)) {
    return undefined;
  }
  const copies = operator.copies?.(node, specs);
  if (copies) return copied(node, copies, context);
  const samples = operator.samples?.(node, specs);
  return samples && resampled(node, samples, context);
}

/** The order in which a copy is read and written with the fewest copies more. */
function copied(node: GraphNode, copies: Copies, context: LoweringContext): Lowered | undefined {
  const from = orderOf(node.inputs[0]!, context);
  const fitting = (order: Order): boolean =>
    order === "plain" || node.outputs.every((name) => context.specs.get(name)!.shape.length === 4);
  const orders = [from, "channels last", "plain"].filter((order, i, all) => all.indexOf(order) === i) as Order[];
  const found = orders.filter(fitting).flatMap((to) => copiedTo(node, copies, to, context) ?? []);
  // Copies that leave all elements where they are are none.
  return found.find(({ stages }) => stages.length === 0) ?? found[0];
}

function copiedTo(node: GraphNode, copies: Copies, to: Order, context: LoweringContext): Lowered | undefined {
  const steps: Step[] = [];
  const buffers = new Map<string, BufferSpec>();
  const results = node.outputs.map((name) => write(name, to, context));
  for (const { buffer } of results) buffers.set(buffer.id, buffer);
  if (copies.fill !== undefined) steps.push(filling(copies.fill, results[0]!.buffer, sidesOfOutput(node, to, context)));
  for (const view of copies.views) {
    const name = node.inputs[view.input]!;
    const order = orderOf(name, context);
    const source = context.specs.get(name)?.dtype === "f32" ? read(name, order, context) : undefined;
    const [from, target] = [
      { shape: context.specs.get(name)!.shape, order },
      { shape: context.specs.get(node.outputs[view.output]!)!.shape, order: to },
    ];
    const kernel = source && moveOf(view, from, target);
    if (!kernel) return undefined;
    const { held } = results[view.output]!;
    if (copies.views.length === 1 && isInPlace(kernel, from, target)) {
      return stages([source], [], [{ ...held, id: source.id }]);
    }
    buffers.set(source.id, source);
    steps.push(moving(kernel, source.id, held.id));
  }
  const lowered = stages(
    [...buffers.values()],
    steps,
    results.map(({ held }) => held),
  );
  return lowered;
}

const sidesOfOutput = (node: GraphNode, order: Order, { specs }: LoweringContext) =>
  sidesIn(specs.get(node.outputs[0]!)!.shape, order)!;

/** One number for all elements, before others are copied over some. */
function filling(value: number, { id }: BufferSpec, [, , , channels]: readonly number[]): Step {
  const kernel: ExpressionSpec = {
    ...{ family: "expression", ...pointwiseWindow, nodes: [["constant", 0]], constants: [value], operands: [] },
    channels: channels!,
  };
  return { name: "fill", kernel, reads: [], writes: id };
}

/** As many pixels as are wanted: one counts in halves. With a weight of 0 an infinite one would give NaN. */
function inHalves(list: Samples[number], count: number): Samples[number] {
  if (list.length >= count) return list;
  const [[at, weight], ...others] = list as [Samples[number][number], ...Samples[number]];
  return inHalves([[at, weight / 2], ...others, [at, weight / 2]], count);
}

/** Rows and columns by weighted sums. */
function resampled(
  node: GraphNode,
  [images, channels, ys, xs]: readonly (Samples | undefined)[],
  context: LoweringContext,
): Lowered | undefined {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const all = [...(ys ?? []), ...(xs ?? [])];
  const taps = [1, 2, mostTaps].find((most) => all.every(({ length }) => length > 0 && length <= most));
  if (!x || !y || images || channels || !taps) return undefined;
  const axis = (samples: Samples | undefined, side: number): ResizeAxis => {
    const lists = samples ?? Array.from({ length: side }, (_, at) => [[at, 1] as const]);
    const filled = lists.map((list) => inHalves(list, taps));
    return {
      from: filled.flatMap((list) => list.map(([at]) => at)),
      weights: filled.flatMap((list) => list.map(([, w]) => w)),
    };
  };
  const kernel: ResizeSpec = {
    ...{ family: "resize", ...pointwiseWindow, whole: true, taps, rows: axis(ys, x[1]!), columns: axis(xs, x[2]!) },
  };
  const from = read(node.inputs[0]!, "channels last", context)!;
  const { buffer, held } = write(node.outputs[0]!, "channels last", context);
  return stages([from, buffer], [{ name: node.op, kernel, reads: [from.id], writes: held.id }], [held]);
}

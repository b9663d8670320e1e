// Lowers operators that copy elements or resample axes, by what the operators say of themselves: for values that are on the
// backend already, or that lead to layers.
import type { BufferSpec, Step } from "../plan/types.ts";
import { resampled } from "./lower-resize.ts";
import { filling, type Lowered, type LoweringContext, moving, orderOf, read, stages, write } from "./lowering.ts";
import { isInPlace, moveOf, type Order, sidesIn } from "./places.ts";
import type { Copies, GraphNode, Spec } from "./types.ts";
import { sizeOf } from "./values.ts";

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
  // What is not on the backend yet may come in either order.
  const sources = node.inputs.some((name) => context.held.has(name)) ? [undefined] : [undefined, "plain" as const];
  const found = sources.flatMap((source) =>
    orders.filter(fitting).flatMap((to) => copiedTo(node, copies, to, context, source) ?? []),
  );
  // Copies that leave all elements where they are are none. One channel is stored as four.
  const inPlace = found.find(({ stages }) => stages.length === 0);
  return inPlace ?? found.find((one) => 2 * storedBy(one) <= storedBy(found[0]!)) ?? found[0];
}

/** Elements of all buffers. */
const storedBy = ({ buffers }: Lowered): number =>
  buffers.reduce((sum, { images, height, width, channels }) => sum + images! * height! * width * channels, 0);

function copiedTo(
  node: GraphNode,
  copies: Copies,
  to: Order,
  context: LoweringContext,
  source?: Order,
): Lowered | undefined {
  const steps: Step[] = [];
  const buffers = new Map<string, BufferSpec>();
  const results = node.outputs.map((name) => write(name, to, context));
  for (const { buffer } of results) buffers.set(buffer.id, buffer);
  if (copies.fill !== undefined)
    steps.push(filling(copies.fill, results[0]!.buffer, sidesOfOutput(node, to, context)[3]));
  for (const view of copies.views) {
    const name = node.inputs[view.input]!;
    const order = source ?? orderOf(name, context);
    const buffer = context.specs.get(name)?.dtype === "f32" ? read(name, order, context) : undefined;
    const [from, target] = [
      { shape: context.specs.get(name)!.shape, order },
      { shape: context.specs.get(node.outputs[view.output]!)!.shape, order: to },
    ];
    const kernel = buffer && moveOf(view, from, target);
    if (!kernel) return undefined;
    const { held } = results[view.output]!;
    if (copies.views.length === 1 && isInPlace(kernel, from, target)) {
      return stages([buffer], [], [{ ...held, id: buffer.id }]);
    }
    buffers.set(buffer.id, buffer);
    steps.push(moving(kernel, buffer.id, held.id));
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

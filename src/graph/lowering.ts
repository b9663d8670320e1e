// What lowering rules share: the context that they read, the result that they give, and how a layer's plan takes on the
// names of a network's values.
import type { LayerWeights } from "../kernels/kernel.ts";
import { arena, draftOf, pointwiseWindow, sidesOf } from "../kernels/layer.ts";
import { turnsOf } from "../kernels/move/kernel.ts";
import { workOf } from "../kernels/table.ts";
import { builtInProfile, costOf } from "../plan/cost.ts";
import type {
  Activation,
  BufferSpec,
  ExpressionSpec,
  LayerProblem,
  MoveSpec,
  Stage,
  Step,
  Window,
} from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import { activations } from "./activations.ts";
import { listOf } from "./nodes.ts";
import { inOtherPlace, type Order, sidesIn } from "./places.ts";
import type { GraphNode, Operators, Spec } from "./types.ts";
import { toValue } from "./values.ts";
import type { Axis } from "./window.ts";

/** Where a value of the network lies on the backend: in which buffer, and in which order. */
export interface Held {
  name: string;
  id: string;
  order: Order;
  /** Integers of 16 bits, in a buffer that {@link integersIn} names; floats where absent. */
  dtype?: "i16";
}

/** A node as stages. Buffers of values are called as {@link LoweringContext.read} and `write` say, others by names of its own. */
export interface Lowered {
  stages: Stage[];
  buffers: BufferSpec[];
  weights: Map<string, LayerWeights>;
  /** Predicted nanoseconds on one thread, and multiply-accumulates. */
  time: number;
  multiplications: number;
  /** Where the node's outputs are. */
  outputs: Held[];
}

/** A stage, and the node that it comes from. */
export interface StageOf {
  stage: Stage;
  node: GraphNode;
}

/** What lowering knows of a network, and who plans its layers. */
export interface LoweringContext {
  specs: ReadonlyMap<string, Spec>;
  constants: ReadonlyMap<string, Tensor>;
  operators: Operators;
  /** Values that nodes before have left on the backend. */
  held: ReadonlyMap<string, Held>;
  /** Values that are read as integers of 16 bits alone. */
  integers: ReadonlySet<string>;
  plan(problem: LayerProblem): Omit<Lowered, "weights" | "outputs">;
}

export type LoweringRule = (node: GraphNode, context: LoweringContext) => Lowered | undefined;

/** The id of a value's buffer in an order, where no node has put it into another's. */
export const idOf = (name: string, order: Order): string => (order === "plain" ? `${name} (plain)` : name);

/** Whether the backend can hold a value: floats, and bools as 0 and 1 in floats. */
export const isHeld = ({ dtype }: Spec): boolean => dtype === "f32" || dtype === "bool";

/** The buffer of a value that a node writes. */
export function write(name: string, order: Order, { specs }: LoweringContext): { buffer: BufferSpec; held: Held } {
  const id = idOf(name, order);
  return { buffer: arena(id, sidesOf(sidesIn(specs.get(name)!.shape, order)!)), held: { name, id, order } };
}

/** The buffer of a value that a node reads in an order, if it can be had so: it is copied there where it is not. */
export function read(name: string, order: Order, context: LoweringContext): BufferSpec | undefined {
  const spec = context.specs.get(name);
  const sides = spec && isHeld(spec) ? sidesIn(spec.shape, order) : undefined;
  if (!spec || !sides) return undefined;
  const known = context.held.get(name);
  if (known && known.order !== order) {
    const { shape } = spec;
    if (!inOtherPlace({ shape, order: known.order }, { shape, order })) return undefined;
  }
  return arena(known?.order === order ? floatsIn(known) : idOf(name, order), sidesOf(sides));
}

/** The buffer of 16-bit integers for that of floats, and the one of floats. */
export const integersIn = (id: string): string => `${id} (integers)`;
export const floatsIn = ({ name, id, order, dtype }: Held): string => (dtype ? idOf(name, order) : id);

/** The same buffer, of 16-bit integers. */
export const asIntegers = (buffer: BufferSpec): BufferSpec => ({
  ...{ ...buffer, id: integersIn(buffer.id), dtype: "i16" },
});

/** The order in which a value is at hand; channels last where it is not on the backend and may be so. */
export function orderOf(name: string, { held, specs }: LoweringContext): Order {
  return held.get(name)?.order ?? (specs.get(name)?.shape.length === 4 ? "channels last" : "plain");
}

/** The sides of a value with channels last: [images, height, width, channels]. */
export function shapeOf(name: string | undefined, context: LoweringContext): number[] | undefined {
  const spec = context.specs.get(name ?? "");
  if (!name || spec?.dtype !== "f32" || spec.data || !read(name, "channels last", context)) return undefined;
  return sidesIn(spec.shape, "channels last");
}

export function constantOf(name: string | undefined, { constants }: LoweringContext): Tensor | undefined {
  const tensor = constants.get(name ?? "");
  return tensor && toValue(tensor)?.dtype === "f32" ? tensor : undefined;
}

/** What a node's results go through, by the attributes that a pass has given it; undefined where no kernel can. */
export function fusedActivation(node: GraphNode, prefix = "activation"): Activation | undefined {
  const name = node.attributes[prefix];
  if (name === undefined) return "none";
  const [a = 0, b = 0] = listOf(node, `${prefix}Parameters`) ?? [];
  return typeof name === "string" ? activations[name]?.kernel?.(a, b) : undefined;
}

export const windowFrom = ([, y, x]: readonly Axis[]): Window => ({
  ...{ size: [y!.size, x!.size], strides: [y!.stride, x!.stride], dilations: [y!.dilation, x!.dilation] },
  ...{ pads: [y!.before, x!.before, y!.after, x!.after], border: "constant", borderValue: 0 },
});

export const base = (x: number[], y: number[], window: Window, activation: Activation) => ({
  ...{ x: { shape: x, dtype: "f32" as const }, y: { shape: y, dtype: "f32" as const } },
  ...{ window, activation, dataFormat: "NCHW" as const },
});

type Planned = Omit<Lowered, "weights" | "outputs">;

/** Calls a plan's x, y and added by the ids of values, and all else by a name that is the node's own. */
export function named(planned: Planned, ids: Record<string, string>, own: string): Planned {
  const rename = (id: string): string => ids[id] ?? `${own}: ${id}`;
  const steps = (step: Step): Step => ({ ...step, reads: step.reads.map(rename), writes: rename(step.writes) });
  return {
    ...planned,
    stages: planned.stages.map((stage) => ({ ...stage, steps: stage.steps.map(steps) })),
    buffers: planned.buffers.map((buffer) => ({ ...buffer, id: rename(buffer.id) })),
  };
}

/** A layer with a plan of its own; its values are with channels last, or in another order that the rule has checked. */
export function layer(
  node: GraphNode,
  context: LoweringContext,
  problem: LayerProblem,
  weights: ReadonlyMap<string, LayerWeights>,
  { added, order = "channels last" }: { added?: string; order?: Order } = {},
): Lowered {
  const own = node.outputs[0]!;
  const { held } = write(own, order, context);
  const idIn = (name: string): string => read(name, order, context)!.id;
  const ids = { x: idIn(node.inputs[0]!), y: held.id, ...(added && { added: idIn(added) }) };
  const renamed = new Map([...weights].map(([id, weight]) => [`${own}: ${id}`, weight]));
  return { ...named(context.plan(problem), ids, own), weights: renamed, outputs: [held] };
}

/** Several parts that follow one another as one. */
export function joined(parts: readonly Omit<Lowered, "outputs">[], outputs: Held[]): Lowered {
  const sum = (of: (one: Omit<Lowered, "outputs">) => number): number => parts.reduce((all, one) => all + of(one), 0);
  return {
    stages: parts.flatMap(({ stages }) => stages),
    buffers: parts.flatMap(({ buffers }) => buffers),
    weights: new Map(parts.flatMap(({ weights }) => [...weights])),
    ...{ time: sum(({ time }) => time), multiplications: sum(({ multiplications }) => multiplications), outputs },
  };
}

/** Stages of one step each over whole values. */
export function stages(
  buffers: BufferSpec[],
  steps: readonly Step[],
  outputs: Held[],
  weights: readonly (readonly [string, ArrayLike<number> | LayerWeights])[] = [],
): Lowered {
  const made = steps.map((step) => stageOf(step, buffers));
  const constants = new Map(
    weights.map(([id, given]): [string, LayerWeights] => [id, "weight" in given ? given : { weight: given }]),
  );
  const { time, multiplications } = costOf({ stages: made, buffers }, builtInProfile, workOf);
  return { stages: made, buffers, weights: constants, time, multiplications, outputs };
}

/** A stage of one step. */
export function stageOf(step: Step, buffers: BufferSpec[]): Stage {
  const { kernel } = step;
  const written = buffers.find(({ id }) => id === step.writes)!;
  if (!("whole" in kernel)) return draftOf(builtInProfile, "", buffers, [[step]]).stages[0]!;
  const extent = kernel.family === "move" ? turnsOf(kernel) : written.images! * written.height!;
  return { grid: { images: 1, extent, grain: extent }, steps: [step] };
}

/** A step between floats and integers of 16 bits. */
export const retyping = (from: string, to: string): Step => ({
  ...{ name: "retype", kernel: { family: "retype", ...pointwiseWindow }, reads: [from], writes: to },
});

/** A step that copies. */
export const moving = (kernel: MoveSpec, from: string, to: string): Step => ({
  ...{ name: "move", kernel, reads: [from], writes: to },
});

/** A step that writes one number to all elements; stored channels beyond `channels` become zeros. */
export function filling(value: number, { id, channels: stored }: BufferSpec, channels = stored): Step {
  const kernel: ExpressionSpec = {
    ...{ family: "expression", ...pointwiseWindow, nodes: [["constant", 0]], constants: [value], operands: [] },
    channels,
  };
  return { name: "fill", kernel, reads: [], writes: id };
}

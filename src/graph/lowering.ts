// What lowering rules share: the context that they read, the result that they give, and how a layer's plan takes on the
// names of a network's values.
import type { LayerWeights } from "../kernels/kernel.ts";
import type { Activation, BufferSpec, LayerProblem, Stage, Step, Window } from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import { activations } from "./activations.ts";
import { listOf } from "./nodes.ts";
import type { GraphNode, Spec } from "./types.ts";
import { sizeOf, toValue } from "./values.ts";
import type { Axis } from "./window.ts";

/** A node as stages; buffers of values are called by the values' names, others by names of this node's own. */
export interface Lowered {
  stages: Stage[];
  buffers: BufferSpec[];
  weights: Map<string, LayerWeights>;
  /** Predicted nanoseconds on one thread, and multiply-accumulates. */
  time: number;
  multiplications: number;
  /** Nothing is computed: the host reads the input's buffer as it is stored. */
  leaves?: boolean;
}

/** What lowering knows of a network, and who plans its layers. */
export interface LoweringContext {
  specs: ReadonlyMap<string, Spec>;
  constants: ReadonlyMap<string, Tensor>;
  plan(problem: LayerProblem): Omit<Lowered, "weights">;
}

export type LoweringRule = (node: GraphNode, context: LoweringContext) => Lowered | undefined;

/** The sides of a value as kernels hold it: [images, height, width, channels]. */
export function shapeOf(name: string | undefined, { specs }: LoweringContext): number[] | undefined {
  const spec = specs.get(name ?? "");
  if (spec?.dtype !== "f32" || spec.shape.length !== 4 || spec.data || sizeOf(spec.shape) === 0) return undefined;
  const [n, c, h, w] = spec.shape;
  return [n!, h!, w!, c!];
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

/** Calls a plan's x, y and added by the names of values, and all else by a name that is the node's own. */
function named(
  planned: Omit<Lowered, "weights">,
  names: Record<string, string>,
  own: string,
): Omit<Lowered, "weights"> {
  const rename = (id: string): string => names[id] ?? `${own}: ${id}`;
  const steps = (step: Step): Step => ({ ...step, reads: step.reads.map(rename), writes: rename(step.writes) });
  return {
    ...planned,
    stages: planned.stages.map((stage) => ({ ...stage, steps: stage.steps.map(steps) })),
    buffers: planned.buffers.map((buffer) => ({ ...buffer, id: rename(buffer.id) })),
  };
}

export function layer(
  node: GraphNode,
  context: LoweringContext,
  problem: LayerProblem,
  weights: ReadonlyMap<string, LayerWeights>,
  added?: string,
): Lowered {
  const own = node.outputs[0]!;
  const names = { x: node.inputs[0]!, y: own, ...(added && { added }) };
  const renamed = new Map([...weights].map(([id, weight]) => [`${own}: ${id}`, weight]));
  return { ...named(context.plan(problem), names, own), weights: renamed };
}

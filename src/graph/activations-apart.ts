// Long activations as steps of their own: within a layer's kernel their constants would be made anew for every few results, and
// stand in the way of its sums.
import { draftOf } from "../kernels/layer.ts";
import { builtInProfile } from "../plan/cost.ts";
import { rowsOutOf } from "../plan/strips.ts";
import type { Activation, BufferSpec, ExpressionSpec, Step } from "../plan/types.ts";
import { ExpressionBuilder, functionOf } from "./expressions.ts";
import type { StageOf } from "./lowering.ts";

/** ONNX's names of the activations that are computed apart. */
const apart: Readonly<Record<string, { op: string; parameters: readonly number[] }>> = {
  silu: { op: "Swish", parameters: [1] },
  sigmoid: { op: "Sigmoid", parameters: [] },
};

/** With fewer rows, threads share the output channels of a stage, which only one of one step can. */
export const fewRows = 12;

/** The stage with steps that sum into strips, and then the activations of these; the buffers of the strips are added. */
export function activateApart({ stage, node }: StageOf, buffers: Map<string, BufferSpec>): StageOf {
  const { steps, grid } = stage;
  if (!steps.some((step) => foundIn(step, buffers)) || (steps.length === 1 && grid.extent < fewRows)) {
    return { stage, node };
  }
  const made = steps.flatMap((step) => {
    const found = foundIn(step, buffers);
    if (!found) return [step];
    const sums: BufferSpec = { ...buffers.get(step.writes)!, id: `${step.writes} (sums)`, scope: "strip" };
    buffers.set(sums.id, sums);
    const kernel = { ...step.kernel, activation: "none" as Activation } as Step["kernel"];
    return [{ ...step, kernel, writes: sums.id }, activating(step, sums, found)];
  });
  const drafted = draftOf(builtInProfile, "", [...buffers.values()], [made], { extent: grid.extent });
  return { stage: drafted.stages[0]!, node };
}

/** Of a step that sums and activates: the activation, where it is computed apart. */
function foundIn({ kernel, writes }: Step, buffers: ReadonlyMap<string, BufferSpec>) {
  const { activation } = kernel as { activation?: Activation };
  const isPart = "phase" in kernel || (kernel as { rowStart?: number }).rowStart || "whole" in kernel;
  if (typeof activation !== "string" || !Object.hasOwn(apart, activation) || isPart) return undefined;
  // Channels that a value does not have are zeros, and of silu stay so.
  const { channels } = buffers.get(writes)!;
  return activation === "silu" || logicalChannels(kernel) === channels ? apart[activation] : undefined;
}

const logicalChannels = (kernel: Step["kernel"]): number | undefined =>
  kernel.family === "conv" ? kernel.outputs : kernel.family === "depthwise" ? kernel.channels : undefined;

function activating(step: Step, { id, channels }: BufferSpec, { op, parameters }: (typeof apart)[string]): Step {
  const builder = new ExpressionBuilder();
  builder.finish(functionOf(op, builder, builder.operand(0), parameters));
  const { nodes, constants } = builder;
  const each = rowsOutOf(step.kernel);
  const kernel: ExpressionSpec = {
    ...{ family: "expression", size: [each, 1], strides: [each, 1], dilations: [1, 1], pads: [0, 0] },
    ...(each > 1 && { rowsOut: each }),
    ...{ nodes, constants, channels, operands: [{ pixels: true, channels: true }] },
  };
  return { name: op, kernel, reads: [id], writes: step.writes };
}

// Lowers GridSample on two axes: pixels, with channels last, at places that another value names.
import { pointwiseWindow } from "../kernels/layer.ts";
import { rareKernels } from "../kernels/rare.ts";
import { addKernels } from "../kernels/table.ts";
import type { SampleSpec } from "../plan/types.ts";
import { type LoweringRule, read, shapeOf, stages, write } from "./lowering.ts";
import { samplingOf } from "./sampling.ts";

export const gridSample: LoweringRule = (node, context) => {
  const [x, grid] = node.inputs as [string, string];
  if (!shapeOf(x, context) || !shapeOf(node.outputs[0], context)) return undefined;
  const places = context.specs.get(grid)?.dtype === "f32" ? read(grid, "plain", context) : undefined;
  if (!places) return undefined;
  addKernels(rareKernels);
  const from = read(x, "channels last", context)!;
  const { buffer, held } = write(node.outputs[0]!, "channels last", context);
  const kernel: SampleSpec = { family: "sample", ...pointwiseWindow, whole: true, ...samplingOf(node) };
  const step = { name: node.op, kernel, reads: [from.id, places.id], writes: held.id };
  return stages([from, places, buffer], [step], [held]);
};

// Lowers GridSample on two axes: pixels, with channels last, at places that another value names.
import { pointwiseWindow } from "../kernels/layer.ts";
import type { SampleSpec, Sampling } from "../plan/types.ts";
import { type LoweringRule, read, shapeOf, stages, write } from "./lowering.ts";
import { numberOf, textOf } from "./nodes.ts";
import type { GraphNode } from "./types.ts";

/** How a GridSample reads, by its attributes. */
export function samplingOf(node: GraphNode): Sampling {
  const names = ["linear", "bilinear", "nearest", "cubic", "bicubic"] as const;
  const mode = textOf(node, "mode", names).replace(/^bi/, "") as Sampling["mode"];
  const padding = textOf(node, "padding_mode", ["zeros", "border", "reflection"]);
  return { mode, padding, corners: numberOf(node, "align_corners", 0) !== 0 };
}

export const gridSample: LoweringRule = (node, context) => {
  const [x, grid] = node.inputs as [string, string];
  if (!shapeOf(x, context) || !shapeOf(node.outputs[0], context)) return undefined;
  const places = context.specs.get(grid)?.dtype === "f32" ? read(grid, "plain", context) : undefined;
  if (!places) return undefined;
  const from = read(x, "channels last", context)!;
  const { buffer, held } = write(node.outputs[0]!, "channels last", context);
  const kernel: SampleSpec = { family: "sample", ...pointwiseWindow, whole: true, ...samplingOf(node) };
  const step = { name: node.op, kernel, reads: [from.id, places.id], writes: held.id };
  return stages([from, places, buffer], [step], [held]);
};

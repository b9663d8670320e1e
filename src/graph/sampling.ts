// How a GridSample reads, by its attributes.
import type { Sampling } from "../plan/types.ts";
import { numberOf, textOf } from "./nodes.ts";
import type { GraphNode } from "./types.ts";

export function samplingOf(node: GraphNode): Sampling {
  const names = ["linear", "bilinear", "nearest", "cubic", "bicubic"] as const;
  const mode = textOf(node, "mode", names).replace(/^bi/, "") as Sampling["mode"];
  const padding = textOf(node, "padding_mode", ["zeros", "border", "reflection"]);
  return { mode, padding, corners: numberOf(node, "align_corners", 0) !== 0 };
}

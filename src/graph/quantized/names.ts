// Which operators work on quantised values, by their names.
import type { GraphNode } from "../types.ts";

/** Whether the pass over quantised networks is needed for a node. */
export const isQuantized = ({ op }: Pick<GraphNode, "op">): boolean =>
  /uantizeLinear|DynamicQuantize|QLinear|QGemm|Integer/.test(op);

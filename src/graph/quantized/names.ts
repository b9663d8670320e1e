// Which operators work on quantised values, by their names.
import type { GraphNode } from "../types.ts";

/** Whether the pass over quantised networks is needed for a node. */
export const isQuantized = ({ op }: GraphNode): boolean =>
  /uantizeLinear|DynamicQuantize|QLinear|QGemm|Integer/.test(op);

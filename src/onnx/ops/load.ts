// Loads the operators that a network names: the rare ones are imported on demand.
import type { Graph, Operators } from "../../graph/types.ts";
import { common } from "./common.ts";

const byName: Operators = new Map(common.map((operator) => [operator.name, operator]));

/** All that a network's nodes, and the nodes that passes make of them, need; those that nobody knows are missing. */
export async function loadOperators({ nodes }: Pick<Graph, "nodes">): Promise<Operators> {
  if (nodes.every(({ op }) => byName.has(op))) return byName;
  const { operators } = await import("./index.ts");
  return operators;
}

// Loads the operators that a network names: those that are not common are imported on demand, list by list.
import { withInner } from "../../graph/evaluate.ts";
import type { Graph, Operator, Operators } from "../../graph/types.ts";
import { common } from "./common.ts";

const byName: Operators = new Map(common.map((operator) => [operator.name, operator]));

/** The lists that are looked through where the common one does not do, the likeliest first. */
const lists: readonly (() => Promise<readonly Operator[]>)[] = [
  async () => (await import("./rare.ts")).rare,
  async () => (await import("./stepwise.ts")).stepwise,
  async () => (await import("./rarest.ts")).rarest,
];

/** All that a network's nodes, those of networks inside them, and the nodes that passes make of them, need; those that nobody knows are missing. */
export async function loadOperators({ nodes }: Pick<Graph, "nodes">): Promise<Operators> {
  let known = byName;
  const names = new Set(withInner(nodes).map(({ op }) => op));
  for (const load of lists) {
    if ([...names].every((op) => known.has(op))) break;
    known = new Map([...known, ...(await load()).map((operator): [string, Operator] => [operator.name, operator])]);
  }
  return known;
}

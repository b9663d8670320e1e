// The rewriting loop of passes that merge two consecutive nodes into one.
import type { Tensor } from "../../tensor.ts";
import type { Graph, GraphNode } from "../types.ts";

/** What stands for two nodes, and constants that it needs. */
export interface Merged {
  node: GraphNode;
  constants?: Readonly<Record<string, Tensor>>;
}

/**
 * Offers `merge` each pair of nodes of which the second reads the first's only result, at its input `index`, and nobody else
 * does. What it returns takes the place of the second node, and may be the first of the next pair.
 */
export function mergePairs(
  graph: Graph,
  merge: (
    first: GraphNode,
    second: GraphNode,
    index: number,
    constants: ReadonlyMap<string, Tensor>,
  ) => Merged | undefined,
): Graph {
  const uses = countUses(graph);
  const constants = new Map(graph.constants);
  const nodes: (GraphNode | undefined)[] = [...graph.nodes];
  const producers = new Map<string, number>();
  for (let at = 0; at < nodes.length; at++) {
    const second = nodes[at]!;
    // The latest producer first: what it is merged with has been computed by then
    const inputs = second.inputs
      .map((name, index) => ({ name, index, producer: producers.get(name) ?? -1 }))
      .filter(({ name, producer }) => producer >= 0 && uses.get(name) === 1 && nodes[producer]!.outputs.length === 1)
      .sort((a, b) => b.producer - a.producer);
    for (const { index, producer } of inputs) {
      const merged = merge(nodes[producer]!, second, index, constants);
      if (!merged) continue;
      nodes[at] = merged.node;
      nodes[producer] = undefined;
      for (const [name, tensor] of Object.entries(merged.constants ?? {})) constants.set(name, tensor);
      break;
    }
    for (const name of nodes[at]!.outputs) producers.set(name, at);
  }
  return { ...graph, constants, nodes: nodes.filter((node) => node !== undefined) };
}

/** How often each value is read, by nodes and as an output of the network. */
function countUses({ nodes, outputs }: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  const names = [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ name }) => name)];
  for (const name of names) uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
}

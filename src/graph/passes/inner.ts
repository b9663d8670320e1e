// Passes for nodes that hold networks: an If whose condition is known becomes the nodes of its branch, and constants of the
// network around are put into the networks that read them.
import { inlined, inlineNodes } from "../inline.ts";
import type { Graph, GraphNode, Spec } from "../types.ts";

/** Branches in place of nodes whose condition is known; the graph itself where there is none. */
export function inlineBranches(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  return inlineNodes(graph, (node) => {
    const condition = node.op === "If" ? specs.get(node.inputs[0]!)?.data : undefined;
    const branch = condition?.length === 1 && node.graphs?.[Number(condition[0]) ? "then_branch" : "else_branch"];
    return branch ? inlined(branch, { ...node, inputs: node.inputs.slice(1) }) : undefined;
  });
}

/** The networks inside nodes with constants of their own where they read constants of the network around. */
export function bindConstants(graph: Graph): Graph {
  const bind = (node: GraphNode): GraphNode => {
    if (!node.graphs || !node.captured) return node;
    const first = node.inputs.length - node.captured;
    const stays = (index: number, count: number): boolean =>
      index < count || !graph.constants.has(node.inputs[first + index - count]!);
    const graphs = Object.entries(node.graphs).map(([key, inner]) => {
      const count = inner.inputs.length - node.captured!;
      const bound = inner.inputs.flatMap(({ name }, i) => {
        return stays(i, count) ? [] : [[name, graph.constants.get(node.inputs[first + i - count]!)!] as const];
      });
      return [
        key,
        {
          ...inner,
          inputs: inner.inputs.filter((_, i) => stays(i, count)),
          constants: new Map([...inner.constants, ...bound]),
        },
      ] as const;
    });
    const inputs = node.inputs.filter((_, i) => stays(i, first));
    const captured = node.captured - (node.inputs.length - inputs.length);
    return { ...node, inputs, captured, graphs: Object.fromEntries(graphs) };
  };
  return graph.nodes.some(({ graphs }) => graphs) ? { ...graph, nodes: graph.nodes.map(bind) } : graph;
}

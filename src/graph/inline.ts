// Puts the nodes of a network in the place of one node: a function's body in that of its call, a branch in that of its If.
import type { Tensor } from "../tensor.ts";
import type { Expanded, Graph, GraphNode } from "./types.ts";

/** What takes the place of a node. */
export interface Inlined extends Expanded {
  nodes: GraphNode[];
  constants: Map<string, Tensor>;
}

/** Puts what `of` says in the place of each node that it says something of; the same network where it never does. */
export function inlineNodes(graph: Graph, of: (node: GraphNode) => Expanded | undefined): Graph {
  const constants = new Map(graph.constants);
  let changed = false;
  const nodes = graph.nodes.flatMap((node) => {
    const found = of(node);
    if (!found) return [node];
    changed = true;
    for (const [name, tensor] of found.constants) constants.set(name, tensor);
    return found.nodes;
  });
  return changed ? { ...graph, nodes, constants } : graph;
}

/**
 * The nodes of a network that is fed by the inputs of `node` ("" where one is left out) and gives its outputs. Values inside get
 * names that begin with that of the node's first output, so that they are the only ones of theirs.
 */
export function inlined(graph: Graph, { inputs, outputs, opset }: GraphNode): Inlined {
  const own = outputs.find((name) => name !== "") ?? "";
  const names = new Map([["", ""]]);
  for (const [i, { name }] of graph.inputs.entries()) names.set(name, inputs[i] ?? "");
  const computed = new Set(graph.nodes.flatMap((node) => node.outputs));
  const passed: [from: string, to: string][] = [];
  for (const [i, { name }] of graph.outputs.entries()) {
    const to = outputs[i];
    if (!to) continue;
    if (computed.has(name) && !names.has(name)) names.set(name, to);
    else passed.push([name, to]);
  }
  const nameOf = (name: string): string => names.get(name) ?? `${own}/${name}`;
  const identity = ([from, to]: [string, string]): GraphNode => ({
    ...{ name: to, op: "Identity", opset, inputs: [nameOf(from)], outputs: [to], attributes: {} },
  });
  return {
    nodes: [
      ...graph.nodes.map((node) => ({
        ...{ ...node, inputs: node.inputs.map(nameOf), outputs: node.outputs.map(nameOf) },
      })),
      ...passed.map(identity),
    ],
    constants: new Map([...graph.constants].map(([name, tensor]) => [nameOf(name), tensor])),
  };
}

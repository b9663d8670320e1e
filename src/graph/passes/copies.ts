// Copies of copies become one: Reshape, Transpose, Concat, Slice and their kin, where nobody else reads what is between.
import { moveOf, type Order } from "../places.ts";
import type { Graph, GraphNode, Operators, Spec, View } from "../types.ts";
import { composed, numbersOfViews } from "../views.ts";
import { mergePairs } from "./fuse.ts";

/** Copies of one node, at most. */
const mostViews = 16;

/** Merges nodes that only copy into one Rearrange: the views of its output are an attribute. */
export function fuseCopies(graph: Graph, operators: Operators, specs: ReadonlyMap<string, Spec>): Graph {
  // Of the inputs of one node a pass merges one.
  const fused = fusePairs(graph, operators, specs);
  return fused.nodes.length < graph.nodes.length ? fuseCopies(fused, operators, specs) : fused;
}

function fusePairs(graph: Graph, operators: Operators, specs: ReadonlyMap<string, Spec>): Graph {
  const viewsOf = (node: GraphNode): readonly View[] | undefined => {
    const known = [...node.inputs, ...node.outputs].every((name) => name === "" || specs.has(name));
    if (!known || node.outputs.length !== 1 || specs.get(node.outputs[0]!)!.data) return undefined;
    const copies = operators.get(node.op)!.copies?.(
      node,
      node.inputs.map((name) => specs.get(name)),
    );
    return copies && copies.fill === undefined && copies.views.length > 0 ? copies.views : undefined;
  };
  return mergePairs(graph, (first, second, index) => {
    const [before, after] = [viewsOf(first), viewsOf(second)];
    if (!before || !after || before.length + after.length > mostViews) return undefined;
    const { shape } = specs.get(first.outputs[0]!)!;
    const inputs: string[] = [];
    const inputOf = (name: string): number => (inputs.includes(name) ? inputs.indexOf(name) : inputs.push(name) - 1);
    const views: View[] = [];
    for (const view of after) {
      const parts = view.input === index ? composed(shape, before, view) : [view];
      if (!parts) return undefined;
      const names = view.input === index ? first.inputs : second.inputs;
      views.push(...parts.map((part) => ({ ...part, input: inputOf(names[part.input]!) })));
    }
    const to = specs.get(second.outputs[0]!)!.shape;
    const fits = views.every((view) => isMovable(view, specs.get(inputs[view.input]!)!.shape, to));
    if (views.length > mostViews || !fits) return undefined;
    const { name, opset, outputs } = second;
    const attributes = { views: numbersOfViews(views), shape: to };
    return { node: { name, op: "Rearrange", opset, inputs, outputs, attributes } };
  });
}

/** Whether kernels can copy it, wherever its values lie. */
function isMovable(view: View, from: readonly number[], to: readonly number[]): boolean {
  const orders = (shape: readonly number[]): Order[] => (shape.length === 4 ? ["plain", "channels last"] : ["plain"]);
  return orders(from).every((order) =>
    orders(to).every((other) => moveOf(view, { shape: from, order }, { shape: to, order: other })),
  );
}

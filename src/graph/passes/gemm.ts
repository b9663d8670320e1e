// A Gemm of which the sum is more than a bias of constants becomes a product and elementwise nodes, each of which has a kernel.
import { numberOf } from "../nodes.ts";
import type { Graph, GraphNode, Spec } from "../types.ts";
import { sizeOf } from "../values.ts";

/** Splits each Gemm of f32 that no kernel computes at once. */
export function splitGemm(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  const constants = new Map(graph.constants);
  const number = (name: string, value: number): string => {
    constants.set(name, { shape: [], data: Float32Array.of(value) });
    return name;
  };
  const nodes = graph.nodes.flatMap((node): GraphNode[] => {
    const [a, b, c] = node.inputs as [string, string, string | undefined];
    const y = node.outputs[0]!;
    const [own, added] = [specs.get(y), specs.get(c ?? "")];
    if (node.op !== "Gemm" || own?.dtype !== "f32" || node.attributes.activation !== undefined) return [node];
    const isKnown = graph.constants.has(b);
    const [alpha, beta] = [numberOf(node, "alpha", 1), numberOf(node, "beta", 1)];
    const plain = isKnown || alpha === 1;
    if (plain && (!c || takesBias(own, added, isKnown, alpha === 1 && beta === 1))) return [node];
    const made: GraphNode[] = [];
    const add = (op: string, inputs: string[], attributes: GraphNode["attributes"] = {}): string => {
      const output = `${y}: ${op} ${made.length}`;
      made.push({ name: output, op, opset: Math.max(13, node.opset), inputs, outputs: [output], attributes });
      return output;
    };
    const { transA = 0, transB = 0 } = node.attributes;
    let sum = add("Gemm", [a, b], { transA, transB, ...(isKnown && { alpha }) });
    if (!plain) sum = add("Mul", [sum, number(`${y}: alpha`, alpha)]);
    if (c) sum = add("Add", [sum, beta === 1 ? c : add("Mul", [c, number(`${y}: beta`, beta)])]);
    const last = made.at(-1)!;
    return [...made.slice(0, -1), { ...last, name: node.name, outputs: [y] }];
  });
  return { ...graph, constants, nodes };
}

/** Whether C is a number for each column that weights can be packed with: a constant, or as it is. */
function takesBias({ shape }: Spec, added: Spec | undefined, isKnown: boolean, isPlain: boolean): boolean {
  const columns = shape[1]!;
  if (!added) return false;
  if (isKnown && added.data && sizeOf(added.shape) === 1) return true;
  const isRow = sizeOf(added.shape) === columns && (added.shape.at(-1) === columns || columns === 1);
  return isRow && ((isKnown && added.data !== undefined) || isPlain);
}

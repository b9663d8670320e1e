// Writes a network of quantised operators as one of operators on 32-bit floats that compute the same: integers less their zero
// points are held in floats, in which sums of their products are exact. Loaded with networks that name such operators.
import type { Steps } from "../../engine/turns.ts";
import { integerKernels } from "../../kernels/integers.ts";
import { addKernels } from "../../kernels/table.ts";
import { inferring } from "../infer.ts";
import { foldConstants, removeUnused } from "../passes/index.ts";
import type { Graph, GraphNode, Operators, Spec } from "../types.ts";
import { elementRules } from "./elements.ts";
import { Expansion, type Quantized } from "./expansion.ts";
import { fuseRounding } from "./fuse.ts";
import { productRules } from "./products.ts";

export { integerRules } from "./lower.ts";

const rules = { ...productRules, ...elementRules };

/** For inputs of these types and shapes; constants are folded (`most` bytes of them), but for those that are dequantised. */
export function* expandingQuantized(
  whole: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  quantized: Quantized,
  most?: number,
): Steps<Graph> {
  addKernels(integerKernels);
  const { specs } = yield* inferring(whole, operators, inputs, most);
  const dequantizes = ({ op }: GraphNode): boolean => op.endsWith("DequantizeLinear");
  const graph = foldConstants(whole, specs, dequantizes);
  const e = new Expansion(graph, specs, quantized);
  for (const node of graph.nodes) {
    yield;
    e.begin(node);
    // What only a run can type stays as it is.
    const isKnown = [...node.inputs, ...node.outputs].every((name) => name === "" || e.specs.has(name));
    const rule = isKnown && Object.hasOwn(rules, node.op) ? rules[node.op]! : undefined;
    if (!rule?.(e, node)) keep(e, node);
  }
  for (const { name } of graph.outputs) e.need(name);
  return fuseRounding(removeUnused({ ...graph, nodes: e.nodes, constants: e.constants }));
}

/** A node as it is, on values under their own names. */
function keep(e: Expansion, node: GraphNode): void {
  for (const name of node.inputs) if (name !== "") e.need(name);
  e.emitAs(node, node.inputs, node.outputs);
}

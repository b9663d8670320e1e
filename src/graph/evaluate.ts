// Evaluates one node on the host: infers its outputs and computes their elements. Shared by running, inference and
// folding.
import { LimitError, UnsupportedOpError } from "../errors.ts";
import { nameOf, refuse } from "./nodes.ts";
import type { Graph, GraphNode, Operators, Spec, Value } from "./types.ts";
import { newValue, sizeOf } from "./values.ts";

/** Elements of any one value: 1 GiB of f32. */
const mostElements = 2 ** 28;

/** Throws {@link UnsupportedOpError} with every node whose operator is missing. */
export function checkOperators({ nodes }: Graph, operators: Operators): void {
  const missing = nodes.filter(({ op }) => !operators.has(op));
  const [first, ...rest] = missing.map(({ name, op, opset }) => ({ node: name, operator: op, opset }));
  if (first) throw new UnsupportedOpError([first, ...rest]);
}

/** Throws {@link LimitError} for a value that is too large, before it is allocated. */
export function checkSize(node: GraphNode, { shape }: Spec): void {
  if (sizeOf(shape) <= mostElements) return;
  const [expected, received] = [`at most ${mostElements} elements`, `[${shape}]`];
  throw new LimitError({ parameter: nameOf(node), expected, received });
}

/** Types and shapes of the outputs that the node names, by their position; nothing is allocated. */
export function outputsOf(node: GraphNode, operators: Operators, inputs: readonly (Spec | undefined)[]): Spec[] {
  const specs = operators.get(node.op)!.infer(node, inputs).slice(0, node.outputs.length);
  if (specs.length < node.outputs.length) refuse(node, `at most ${specs.length} outputs`, node.outputs);
  for (const spec of specs) checkSize(node, spec);
  return specs;
}

/** The outputs with their elements, in zeroed values that `make` gives for the specs of those that need one. */
export function compute(
  node: GraphNode,
  operators: Operators,
  inputs: readonly (Value | undefined)[],
  specs: readonly Spec[],
  make: (spec: Spec, index: number) => Value = ({ dtype, shape }) => newValue(dtype, shape),
): Value[] {
  const values = specs.map((spec, i): Value => (spec.data ? (spec as Value) : make(spec, i)));
  if (specs.some(({ data }) => !data)) operators.get(node.op)!.run!(node, inputs, values);
  return values;
}

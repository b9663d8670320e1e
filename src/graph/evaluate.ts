// Evaluates nodes and whole networks on the host, by plain loops: the reference that compiled networks are tested
// against. Also checks the inputs of a run.
import { checkOptions, describe, InvalidArgumentError, LimitError, UnsupportedOpError } from "../errors.ts";
import type { Tensor, TensorLike } from "../tensor.ts";
import { nameOf, refuse } from "./nodes.ts";
import type { Dimension, Graph, GraphNode, Operators, Spec, Value, ValueInfo } from "./types.ts";
import { heldAs, newValue, sizeOf, toValue } from "./values.ts";

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

type Tensors = Readonly<Record<string, TensorLike>>;

/**
 * Computes the outputs of a network from its inputs, both by name. Inputs are only read, outputs are fresh arrays.
 *
 * @throws InvalidArgumentError for inputs that are missing, not known, or of another shape or type; UnsupportedOpError for
 * operators that are missing. Both before anything is computed.
 */
export function runGraph(graph: Graph, operators: Operators, inputs: Tensors): Record<string, Tensor> {
  checkOperators(graph, operators);
  const values = checkInputs(graph, inputs);
  const borrowed = new Set([...values.values()].map(({ data }) => data));
  for (const [name, tensor] of graph.constants) {
    borrowed.add(tensor.data);
    values.set(name, toValue(tensor)!);
  }
  const last = lastUses(graph);
  graph.nodes.forEach((node, at) => {
    const read = node.inputs.map((name) => values.get(name));
    const outputs = compute(node, operators, read, outputsOf(node, operators, read));
    for (const [i, name] of node.outputs.entries()) if (name !== "") values.set(name, outputs[i]!);
    for (const name of [...node.inputs, ...node.outputs]) if (last.get(name) === at) values.delete(name);
  });
  return Object.fromEntries(
    graph.outputs.map(({ name }) => {
      const value = values.get(name)!;
      const fresh = !borrowed.has(value.data);
      borrowed.add(value.data);
      return [name, fresh ? value : { ...value, data: value.data.slice() }];
    }),
  );
}

/** The node after which a value is not needed any more; outputs of the network are needed to the end. */
function lastUses({ nodes, outputs }: Graph): Map<string, number> {
  const last = new Map<string, number>();
  nodes.forEach((node, at) => {
    for (const name of [...node.inputs, ...node.outputs]) last.set(name, at);
  });
  for (const { name } of outputs) last.delete(name);
  return last;
}

/** The inputs as values, if they are those that the network declares. A named side is the same wherever it stands. */
export function checkInputs(graph: Graph, inputs: Tensors): Map<string, Value> {
  const names = graph.inputs.map(({ name }) => name);
  const given = checkOptions<Record<string, TensorLike>>("inputs", inputs, names);
  const sides = new Map<string, number>();
  return new Map(graph.inputs.map((info) => [info.name, checkInput(info, given, sides)]));
}

function checkInput(info: ValueInfo, inputs: Tensors, sides: Map<string, number>): Value {
  const { name, dtype, shape: declared } = info;
  const wrong = (received: string): InvalidArgumentError => {
    const shape = declared ? ` [${declared.map((side) => side ?? "?").join(", ")}]` : "";
    return new InvalidArgumentError({
      parameter: `input ${describe(name)}`,
      expected: `a tensor${dtype ? ` of ${heldAs(dtype)}` : ""}${shape}`,
      received,
    });
  };
  const like = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  const tensor: Tensor | undefined =
    typeof like === "object" && like !== null && "dims" in like
      ? { shape: like.dims, data: like.data }
      : (like as Tensor);
  if (!tensor?.shape || !ArrayBuffer.isView(tensor.data)) throw wrong(describe(tensor));
  const { shape } = tensor;
  if (!Array.isArray(shape) || !shape.every((side) => Number.isSafeInteger(side) && side >= 0)) {
    throw wrong(`the shape ${describe(shape)}`);
  }
  const same = (side: Dimension, axis: number): boolean => {
    if (typeof side === "string") {
      if (!sides.has(side)) sides.set(side, shape[axis]!);
      return sides.get(side) === shape[axis];
    }
    return side === undefined || side === shape[axis];
  };
  const fits = !declared || (declared.length === shape.length && declared.every(same));
  if (!fits) throw wrong(`[${shape.join(", ")}]`);
  if (tensor.data.length !== sizeOf(shape)) throw wrong(`${tensor.data.length} elements for [${shape.join(", ")}]`);
  const value = toValue(tensor);
  if (!value || (dtype && heldAs(dtype) !== value.dtype)) {
    throw wrong(`${describe(tensor.data)}${tensor.dtype ? ` of ${tensor.dtype}` : ""}`);
  }
  return value;
}

/**
 * The network with other shapes of its inputs than it declares: a convolutional network often computes more than the one
 * size that its file names. Where a node depends on that size, running it says so.
 */
export function withInputShapes(graph: Graph, shapes: Readonly<Record<string, readonly Dimension[]>>): Graph {
  const inputs = graph.inputs.map((info) =>
    Object.hasOwn(shapes, info.name)
      ? { ...info, shape: shapes[info.name], declared: info.declared ?? info.shape }
      : info,
  );
  return { ...graph, inputs };
}

// Evaluates nodes and whole networks on the host, by plain loops: the reference that compiled networks are tested
// against. Also checks the inputs of a run.
import { finished, type Steps } from "../engine/turns.ts";
import {
  checkOptions,
  describe,
  InvalidArgumentError,
  LimitError,
  type OperatorUse,
  UnsupportedOpError,
} from "../errors.ts";
import {
  arrayHint,
  type DType,
  type HalfArray,
  sidesIn,
  type Tensor,
  type TensorLike,
  type TypedArray,
} from "../tensor.ts";
import { plural } from "../words.ts";
import { fromBits, isHalf, isHalfArray, roundedArray } from "./halves.ts";
import { nameOf, refuse } from "./nodes.ts";
import type { Call, Dimension, Graph, GraphNode, Operators, Spec, Value, ValueInfo } from "./types.ts";
import { heldAs, newValue, sizeOf, toValue, valueBytes } from "./values.ts";

/** Elements of any one value: 1 GiB of f32. */
const mostElements = 2 ** 28;

/** Nodes, and those of the networks inside them. */
export const withInner = (nodes: readonly GraphNode[]): GraphNode[] =>
  nodes.flatMap((node) => [node, ...Object.values(node.graphs ?? {}).flatMap((graph) => withInner(graph.nodes))]);

/** Whether nobody here computes a node, or one of those inside it. */
export const isMissing = (node: GraphNode, operators: Operators): boolean =>
  missingIn({ nodes: [node] }, operators).length > 0;

/** Every node whose operator is missing, those of networks inside nodes among them. */
export function missingIn({ nodes }: Pick<Graph, "nodes">, operators: Operators): OperatorUse[] {
  const missing = withInner(nodes).filter(({ op, unread }) => unread !== undefined || !operators.has(op));
  return missing.map(({ name, op, opset }) => ({ node: name, operator: op, opset }));
}

/** Throws {@link UnsupportedOpError} with every node whose operator is missing. */
export function checkOperators(graph: Graph, operators: Operators): void {
  const [first, ...rest] = missingIn(graph, operators);
  if (first) throw new UnsupportedOpError([first, ...rest]);
}

/** Throws {@link LimitError} for a value that is too large, before it is allocated. */
export function checkSize(node: GraphNode, { shape }: Spec): void {
  if (sizeOf(shape) <= mostElements) return;
  const [expected, received] = [`at most ${plural(mostElements, "element")}`, `[${shape}]`];
  throw new LimitError({ parameter: nameOf(node), expected, received });
}

/** Types and shapes of the outputs that the node names, by their position; nothing is allocated. `anySize`: nor ever will be. */
export function outputsOf(
  node: GraphNode,
  operators: Operators,
  inputs: readonly (Spec | undefined)[],
  anySize = false,
): Spec[] {
  return named(node, operators.get(node.op)!.infer(node, inputs), anySize);
}

/** What an operator tells of its outputs, as far as the node names them. */
function named(node: GraphNode, all: readonly Spec[], anySize = false): Spec[] {
  const specs = all.slice(0, node.outputs.length);
  if (specs.length < node.outputs.length) refuse(node, `at most ${plural(specs.length, "output")}`, node.outputs);
  for (const spec of anySize ? [] : specs) checkSize(node, spec);
  return specs;
}

/** Zeros for an output of a node, by its position. */
type Room = (spec: Spec, index: number) => Value;

/** The outputs with their elements, in zeroed values that `make` gives for the specs of those that need one. */
export function compute(
  node: GraphNode,
  operators: Operators,
  inputs: readonly (Value | undefined)[],
  specs: readonly Spec[],
  make?: Room,
): Value[] {
  return finished(filling(node, operators, inputs, specs, make));
}

function* filling(
  node: GraphNode,
  operators: Operators,
  inputs: readonly (Value | undefined)[],
  specs: readonly Spec[],
  make: Room = ({ dtype, shape }) => newValue(dtype, shape),
): Steps<Value[]> {
  const values = specs.map((spec, i): Value => (spec.data ? (spec as Value) : make(spec, i)));
  if (specs.some(({ data }) => !data)) yield* operators.get(node.op)!.run!(node, inputs, values) ?? [];
  return values;
}

/** The outputs of a node on values that are known, in parts. */
export function* computing(
  node: GraphNode,
  operators: Operators,
  inputs: readonly (Value | undefined)[],
  make?: Room,
): Steps<Value[]> {
  yield;
  const { find } = operators.get(node.op)!;
  const specs = find ? named(node, yield* find(node, inputs)) : outputsOf(node, operators, inputs);
  return yield* filling(node, operators, inputs, specs, make);
}

/** A tensor as it may be given to a network: of any array of numbers, a Float16Array too. */
export type GivenTensor =
  | TensorLike
  | (Omit<Tensor, "data"> & {
      /** A Float16Array, the last axis innermost. */
      readonly data: HalfArray;
    })
  | {
      /** A Float16Array, the last axis innermost. */
      readonly data: HalfArray;
      /** Sides, the outermost first. */
      readonly dims: readonly number[];
    };

type GivenTensors = Readonly<Record<string, GivenTensor>>;

/** All that one may say. */
interface Given {
  shape: readonly number[];
  dims: readonly number[];
  data: TypedArray | HalfArray;
  dtype: DType;
  type: string;
}

/** What ONNX Runtime's tensors say of arrays that do not tell their type. */
const typeNames: Readonly<Record<string, DType>> = { bool: "bool", float16: "f16" };

/**
 * Computes the outputs of a network from its inputs, both by name. Inputs are only read, outputs are fresh arrays.
 *
 * @throws InvalidArgumentError for inputs that are missing, not known, or of another shape or type; UnsupportedOpError for
 * operators that are missing. Both before anything is computed.
 */
export function runGraph(graph: Graph, operators: Operators, inputs: GivenTensors): Record<string, Tensor> {
  checkOperators(graph, operators);
  const values = checkInputs(graph, inputs);
  const borrowed = new Set([...values.values(), ...graph.constants.values()].map(({ data }) => data));
  finished(evaluating(graph, operators, values));
  return Object.fromEntries(
    graph.outputs.map((info) => {
      const value = values.get(info.name)!;
      const fresh = !borrowed.has(value.data);
      borrowed.add(value.data);
      return [info.name, asOutput(fresh ? value : { ...value, data: value.data.slice() }, info)];
    }),
  );
}

/** What counts the memory of values, and throws where there is no room for more. */
export interface Counter {
  count(name: string, bytes: number): void;
  discount(bytes: number): void;
}

const uncounted: Counter = { count: () => {}, discount: () => {} };

/** Computes the outputs of a network into `values`, which hold its inputs; what is not needed any more is left out. */
function* evaluating(graph: Graph, operators: Operators, values: Map<string, Value>, counter = uncounted): Steps {
  for (const [name, tensor] of graph.constants) values.set(name, toValue(tensor)!);
  const last = lastUses(graph);
  const held = new Map<string, number>();
  const drop = (name: string): void => {
    values.delete(name);
    counter.discount(held.get(name) ?? 0);
    held.delete(name);
  };
  try {
    for (const [at, node] of graph.nodes.entries()) {
      const read = node.inputs.map((name) => values.get(name));
      const make = (spec: Spec, i: number): Value => {
        const [name, bytes] = [node.outputs[i]!, valueBytes(spec)];
        counter.count(name, bytes);
        held.set(name, (held.get(name) ?? 0) + bytes);
        return newValue(spec.dtype, spec.shape);
      };
      const outputs = yield* evaluatingNode(node, operators, read, make, counter);
      for (const [i, name] of node.outputs.entries()) if (name !== "") values.set(name, outputs[i]!);
      for (const name of [...node.inputs, ...node.outputs]) if (last.get(name) === at) drop(name);
    }
  } finally {
    for (const bytes of held.values()) counter.discount(bytes);
  }
}

function* evaluatingNode(
  node: GraphNode,
  operators: Operators,
  inputs: readonly (Value | undefined)[],
  make: Room,
  counter: Counter,
): Steps<Value[]> {
  const { control } = operators.get(node.op)!;
  if (!control) return yield* computing(node, operators, inputs, make);
  const holding = new Holding(nameOf(node), counter);
  try {
    const steps = control.run(node, inputs, holding.hold);
    let next = steps.next();
    while (!next.done) next = steps.next(yield* evaluatingCall(next.value, operators, counter));
    return next.value;
  } finally {
    holding.end();
  }
}

/** What a node that holds networks keeps while it runs. */
export class Holding {
  readonly hold: (spec: Spec) => void;
  private readonly counter: Counter;
  private bytes = 0;

  constructor(name: string, counter: Counter) {
    this.counter = counter;
    this.hold = (spec) => {
      const bytes = valueBytes(spec);
      counter.count(name, bytes);
      this.bytes += bytes;
    };
  }

  end(): void {
    this.counter.discount(this.bytes);
  }
}

/** The outputs of a network inside a node, in their order. */
export function* evaluatingCall({ graph, inputs }: Call, operators: Operators, counter?: Counter): Steps<Value[]> {
  const values = new Map(graph.inputs.map(({ name }, i) => [name, inputs[i]!]));
  yield* evaluating(graph, operators, values, counter);
  return graph.outputs.map(({ name }) => {
    const value = values.get(name)!;
    return graph.constants.has(name) ? { ...value, data: value.data.slice() } : value;
  });
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

/**
 * The inputs as values, if they are those that the network declares. A named side is the same wherever it stands. Only
 * those that are `needed` must be there and come out; others that are given are checked, too.
 */
export function checkInputs(
  graph: Graph,
  inputs: GivenTensors,
  needed: readonly ValueInfo[] = graph.inputs,
): Map<string, Value> {
  const names = graph.inputs.map(({ name }) => name);
  const given = checkOptions<Record<string, GivenTensor>>("inputs", inputs, names);
  const isGiven = ({ name }: ValueInfo): boolean => Object.hasOwn(given, name) && given[name] !== undefined;
  const [missing, ...others] = needed.filter((info) => !isGiven(info));
  if (missing) {
    const all = [missing, ...others].map(({ name }) => name).join(", ");
    const hint = `${all} ${others.length > 0 ? "are" : "is"} missing in inputs`;
    throw new InvalidArgumentError({ parameter: `input ${describe(missing.name)}`, expected: wantedText(missing), received: "none", hint }); // biome-ignore format: a line
  }
  const sides = new Map<string, number>();
  const values = new Map(graph.inputs.filter(isGiven).map((info) => [info.name, checkInput(info, given, sides)]));
  return new Map(needed.map(({ name }) => [name, values.get(name)!]));
}

const wantedText = ({ dtype, shape }: ValueInfo): string =>
  `a tensor${dtype ? ` of ${dtype}` : ""}${shape ? ` [${shape.map((side) => side ?? "?").join(", ")}]` : ""}`;

function checkInput(info: ValueInfo, inputs: GivenTensors, sides: Map<string, number>): Value {
  const { name, dtype, shape: declared } = info;
  const parameter = `input ${describe(name)}`;
  const wrong = (received: string, hint?: string): InvalidArgumentError =>
    new InvalidArgumentError({ parameter, expected: wantedText(info), received, hint });
  const given = inputs[name];
  const { data, dtype: told, type } = (given ?? {}) as Partial<Given>;
  const said = told ?? (Object.hasOwn(typeNames, type ?? "") ? typeNames[type!] : undefined);
  const sidesOf = sidesIn(parameter, given) as readonly number[] | undefined;
  if (Array.isArray(data)) {
    const array = newValue(dtype ?? "f32", []).data.constructor.name;
    throw wrong(`data as ${describe(data)}`, arrayHint(data, array));
  }
  if (sidesOf === undefined || !ArrayBuffer.isView(data)) throw wrong(describe(given));
  if (!Array.isArray(sidesOf) || !sidesOf.every((side) => Number.isSafeInteger(side) && side >= 0)) {
    throw wrong(`the shape ${describe(sidesOf)}`);
  }
  const same = (side: Dimension, axis: number): boolean => {
    if (typeof side === "string") {
      if (!sides.has(side)) sides.set(side, sidesOf[axis]!);
      return sides.get(side) === sidesOf[axis];
    }
    return side === undefined || side === sidesOf[axis];
  };
  const fits = !declared || (declared.length === sidesOf.length && declared.every(same));
  if (!fits) throw wrong(`[${sidesOf.join(", ")}]`);
  if (data.length !== sizeOf(sidesOf)) throw wrong(`${plural(data.length, "element")} for [${sidesOf.join(", ")}]`);
  const value = givenValue({ shape: sidesOf, data, dtype: said });
  if (!value || (dtype && heldAs(dtype) !== value.dtype)) {
    const hint = dtype && dtype !== "bool" && said === undefined ? conversionHint(data, dtype) : undefined;
    throw wrong(`${describe(data)}${said ? ` of ${said}` : ""}`, hint);
  }
  const bytes = value.data as Uint8Array;
  if (value.dtype === "bool" && bytes.some((byte) => byte > 1)) throw wrong("bytes other than 0 and 1");
  return value;
}

/** How an array of numbers becomes one of another type. */
function conversionHint(data: TypedArray | HalfArray, dtype: DType): string {
  const wanted = newValue(heldAs(dtype), []).data.constructor.name;
  const [fromBig, toBig] = [data.constructor.name, wanted].map((name) => name.startsWith("Big"));
  return `${wanted}.from(data${fromBig === toBig ? "" : toBig ? ", BigInt" : ", Number"}) makes one of it`;
}

/** Half floats come as numbers, as a Float16Array, or as their bits. */
function givenValue({ shape, data, dtype }: Pick<Given, "shape" | "data"> & { dtype?: DType }): Value | undefined {
  if (isHalfArray(data)) {
    return dtype === undefined || dtype === "f16" ? { shape, data: Float32Array.from(data), dtype: "f32" } : undefined;
  }
  if (isHalf(dtype) && data instanceof Uint16Array) return { shape, data: fromBits(data, dtype), dtype: "f32" };
  return toValue({ shape, data, dtype } as Tensor);
}

/** A value as a caller takes it: half floats rounded to their type, which is said. */
export function asOutput(value: Value, { dtype }: ValueInfo): Tensor {
  if (!isHalf(dtype) || value.dtype !== "f32") return value;
  return { shape: value.shape, data: roundedArray(value.data as Float32Array, dtype), dtype };
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

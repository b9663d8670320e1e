// Imports an ONNX graph as a network: initializers become constants, attributes plain values, and nodes are put into
// topological order.
import { checkInteger, describe, InvalidArgumentError, LimitError, UnsupportedError } from "../errors.ts";
import { type Inlined, inlined } from "../graph/inline.ts";
import type { Attribute, Dimension, Graph, GraphNode, ValueInfo } from "../graph/types.ts";
import type { Tensor } from "../tensor.ts";
import {
  type AttributeProto,
  attributeTypes,
  FunctionProto,
  GraphProto,
  type ModelProto,
  NodeProto,
  type ValueInfoProto,
} from "./schema.ts";
import { dtypeOf, type ExternalFiles, mostElements, readTensor, sideOf } from "./tensors.ts";
import { decode } from "./wire.ts";

/**
 * The network in a model. Operators of other domains than ONNX's own are named `domain.Operator`. Inputs that have an
 * initializer are constants, not inputs; calls of the file's own functions become the nodes of these.
 *
 * @throws InvalidArgumentError for a graph that contradicts itself, UnsupportedError for sparse weights and what is no tensor.
 */
export function importGraph(proto: ModelProto, external?: ExternalFiles): Graph {
  const { graph, opsetImport } = proto;
  if (!graph) {
    throw new InvalidArgumentError({ parameter: "model", expected: "an ONNX model with a graph", received: "none" });
  }
  const scope: Scope = {
    ...{ opsets: opsetsOf(opsetImport), external, functions: functionsOf(proto), callers: [], depth: 0 },
    ...{ room: { left: mostNodes }, values: new Map() },
  };
  const { inputs, outputs, known, ...rest } = importBody(graph, scope, "");
  const nodes = orderNodes(rest.nodes, known);
  for (const { outputs } of nodes) for (const name of outputs) known.add(name);
  for (const { name } of outputs) {
    if (name !== "" && known.has(name)) continue;
    throw new InvalidArgumentError({
      parameter: `output ${describe(name)}`,
      expected: "a value of the graph",
      received: "none",
    });
  }
  return { inputs, outputs, nodes, constants: rest.constants };
}

/** Nodes in all, of functions as often as they are called. */
const mostNodes = 50_000;
/** Subgraphs and functions inside each other. */
const mostDepth = 32;

/** What the nodes of one graph or function are read with. */
interface Scope {
  opsets: ReadonlyMap<string, number>;
  external: ExternalFiles | undefined;
  functions: ReadonlyMap<string, Called>;
  /** The functions that are being called, which may not be called again. */
  callers: readonly string[];
  depth: number;
  room: { left: number };
  /** Of the call of a function: attributes, which its nodes may refer to. */
  values: ReadonlyMap<string, AttributeProto>;
}

const opsetsOf = (imports: ModelProto["opsetImport"]): Map<string, number> =>
  new Map(imports.map(({ domain, version }) => [domainOf(domain), Number(version ?? 1n)]));

const functionName = ({ domain, name, overload }: Pick<FunctionProto, "domain" | "name" | "overload">): string =>
  [domainOf(domain), name ?? "", overload ?? ""].join(":");

/** A function of the file, and how many nodes it has with those that it calls, once that is known. */
interface Called {
  proto: FunctionProto;
  nodes: NodeProto[];
  size?: number;
}

const calledBy = ({ domain, opType, overload }: NodeProto, functions: Scope["functions"]): Called | undefined =>
  functions.get(functionName({ domain, name: opType, overload }));

function functionsOf({ functions }: ModelProto): Map<string, Called> {
  const all = functions.map((bytes, i) => {
    const proto = decode(FunctionProto, bytes, `function ${i}`);
    return [functionName(proto), { proto, nodes: proto.node.map(nodeIn) }] as const;
  });
  return new Map(all);
}

const nodeIn = (bytes: Uint8Array, index: number): NodeProto => decode(NodeProto, bytes, `node ${index}`);

/** Nodes in all, without those of subgraphs: known before any is made, since functions that call each other may double them. */
function countNodes(nodes: readonly NodeProto[], functions: Scope["functions"], depth = 0): number {
  if (depth > mostDepth) throw tooMany("function", `at most ${mostDepth} calls inside each other`);
  return nodes.reduce((sum, node) => {
    const called = calledBy(node, functions);
    if (called) called.size ??= countNodes(called.nodes, functions, depth + 1);
    return sum + (called?.size ?? 1);
  }, 0);
}

const tooMany = (parameter: string, expected: string): LimitError =>
  new LimitError({ parameter, expected, received: "more" });

/** A graph whose nodes are in the order of the file; `known` are the values that no node computes. */
interface Body extends Graph {
  known: Set<string>;
}

/** `inside`: the name of what a subgraph belongs to; "" of the network itself, whose values must be tensors. */
function importBody(graph: GraphProto, scope: Scope, inside: string): Body {
  if (graph.sparseInitializer.length > 0) throw unsupported(inside || "model", "dense weights", "sparse ones");
  const constants = new Map<string, Tensor>();
  for (const [i, bytes] of graph.initializer.entries()) {
    const { name, ...tensor } = readTensor(bytes, `initializer ${i}`, scope.external);
    if (name === "" || constants.has(name)) throw twice("initializer", name);
    constants.set(name, tensor);
  }
  // Networks inside others may have sequences as values.
  const infoOf = (info: ValueInfoProto): ValueInfo =>
    inside === "" || info.type?.tensorType ? valueInfo(info) : { name: info.name ?? "" };
  const inputs = graph.input.map(infoOf).filter(({ name }) => !constants.has(name));
  const known = new Set(constants.keys());
  for (const { name } of inputs) {
    if (name === "" || known.has(name)) throw twice("input", name);
    known.add(name);
  }
  const protos = graph.node.map(nodeIn);
  scope.room.left -= countNodes(protos, scope.functions);
  if (scope.room.left < 0) throw tooMany("model", `at most ${mostNodes} nodes with all functions`);
  const nodes = importNodes(protos, scope, constants);
  return { inputs, outputs: graph.output.map(infoOf), nodes, constants, known };
}

/** Nodes, with those of functions in place of their calls; constants of these are added. */
function importNodes(all: readonly NodeProto[], scope: Scope, constants: Map<string, Tensor>): GraphNode[] {
  return all.flatMap((proto, i) => {
    const called = calledBy(proto, scope.functions);
    if (!called) return [importNode(proto, i, scope)];
    const { nodes, constants: more } = importCall(proto, called, scope);
    for (const [name, tensor] of more) constants.set(name, tensor);
    return nodes;
  });
}

function deeper(scope: Scope, what: string): Scope {
  if (scope.depth < mostDepth) return { ...scope, depth: scope.depth + 1 };
  throw tooMany(what, `at most ${mostDepth} graphs inside each other`);
}

/** The nodes of a function in place of its call. */
function importCall(call: NodeProto, { proto: called, nodes: own }: Called, scope: Scope): Inlined {
  const id = functionName(called);
  const what = `function ${describe(called.name)}`;
  if (scope.callers.includes(id)) {
    throw new InvalidArgumentError({ parameter: what, expected: "no call of itself", received: "one" });
  }
  const given = call.attribute.map((one) => referred(one, scope)).filter((one) => one !== undefined);
  const inner: Scope = {
    ...deeper(scope, what),
    opsets: new Map([...scope.opsets, ...opsetsOf(called.opsetImport)]),
    callers: [...scope.callers, id],
    values: new Map([...called.attributeProto, ...given].map((one) => [one.name ?? "", one])),
  };
  const constants = new Map<string, Tensor>();
  const named = (name: string): ValueInfo => ({ name });
  const nodes = importNodes(own, inner, constants);
  const body: Graph = { inputs: called.input.map(named), outputs: called.output.map(named), nodes, constants };
  const { name = "", input: inputs, output: outputs } = call;
  return inlined(body, { name, op: id, opset: scope.opsets.get("") ?? 1, inputs, outputs, attributes: {} });
}

/** The attribute of the call that an attribute inside a function stands for; undefined where the call has none. */
function referred(attribute: AttributeProto, { values }: Scope): AttributeProto | undefined {
  if (!attribute.refAttrName) return attribute;
  const value = values.get(attribute.refAttrName);
  return value && { ...value, name: attribute.name };
}

/** ONNX's own domain has two names. */
const domainOf = (domain: string | undefined): string => (domain === "ai.onnx" ? "" : (domain ?? ""));

function twice(parameter: string, name: string): InvalidArgumentError {
  return new InvalidArgumentError({ parameter, expected: "a name of its own", received: describe(name) });
}

function unsupported(parameter: string, expected: string, received: string): UnsupportedError {
  return new UnsupportedError({ parameter, expected, received });
}

function valueInfo({ name = "", type }: ValueInfoProto): ValueInfo {
  const tensor = type?.tensorType;
  if (type && !tensor) throw unsupported(`value ${describe(name)}`, "a tensor", "another type");
  if (!tensor) return { name };
  const dtype = tensor.elemType === undefined ? undefined : dtypeOf(tensor.elemType, `value ${describe(name)}`);
  const shape = tensor.shape?.dim.map(({ dimValue, dimParam }): Dimension => {
    return dimValue === undefined ? dimParam || undefined : sideOf(dimValue, `value ${describe(name)}`);
  });
  const elements = shape?.reduce<number>((product, side) => product * (typeof side === "number" ? side : 1), 1);
  checkInteger(`elements of value ${describe(name)}`, elements ?? 1, { min: 0, max: mostElements });
  return { name, dtype, shape };
}

function importNode(proto: NodeProto, index: number, scope: Scope): GraphNode {
  const { input, output: outputs, opType } = proto;
  const name = proto.name || outputs.find((output) => output !== "") || String(index);
  const what = `node ${describe(name)}`;
  if (!opType) throw new InvalidArgumentError({ parameter: what, expected: "an operator", received: "none" });
  const domain = domainOf(proto.domain);
  const opset = scope.opsets.get(domain) ?? 1;
  const given = proto.attribute.map((one) => referred(one, scope)).filter((one) => one !== undefined);
  const isGraph = ({ type, g }: AttributeProto): boolean => Number(type ?? 0n) === attributeTypes.g || (!type && !!g);
  const attributes = Object.fromEntries(
    given.filter((one) => !isGraph(one)).map((one) => [one.name ?? "", attributeValue(one, what, opType)]),
  );
  const node = { name, op: domain === "" ? opType : `${domain}.${opType}`, opset, inputs: input, outputs, attributes };
  const bodies = given.filter(isGraph);
  if (bodies.length > 2) throw unsupported(what, "at most 2 subgraphs", `${bodies.length}`);
  return bodies.length === 0 ? node : { ...node, ...importGraphs(node, bodies, deeper(scope, what), what) };
}

/** The subgraphs of a node, and its inputs with those that they read of the graph around. */
function importGraphs(
  { op, inputs }: Pick<GraphNode, "op" | "inputs">,
  attributes: readonly AttributeProto[],
  scope: Scope,
  what: string,
): Pick<GraphNode, "inputs" | "graphs" | "captured"> {
  const bodies = attributes.map(({ name = "", g }) => {
    const title = `${what} attribute ${describe(name)}`;
    const body = importBody(decode(GraphProto, g ?? new Uint8Array(), title), scope, title);
    const own = new Set([...body.known, ...body.nodes.flatMap((node) => node.outputs)]);
    const read = [...body.nodes.flatMap((node) => node.inputs), ...body.outputs.map((output) => output.name)];
    return { name, ...body, own, outer: read.filter((one) => one !== "" && !own.has(one)) };
  });
  const captures = [...new Set(bodies.flatMap(({ outer }) => outer))];
  const graphs = bodies.map(({ name, inputs, outputs, nodes, constants, known, own, outer }) => {
    // One branch may compute what the other reads from outside.
    const infos = captures.map((one) => ({ name: own.has(one) ? `${one} (outside)` : one }));
    for (const one of outer) known.add(one);
    return [name, { inputs: [...inputs, ...infos], outputs, nodes: orderNodes(nodes, known), constants }] as const;
  });
  // Loops may leave out their first inputs.
  const own = op === "Loop" ? [...inputs, "", ""].slice(0, Math.max(2, inputs.length)) : inputs;
  return { inputs: [...own, ...captures], graphs: Object.fromEntries(graphs), captured: captures.length };
}

/** Names that a node reads, or may read in its subgraphs. */
export function readsOf({ input, attribute }: NodeProto): string[] {
  const inner = attribute.flatMap(({ name, g }) => {
    if (!g) return [];
    const { node, output } = decode(GraphProto, g, `attribute ${describe(name)}`);
    return [...node.flatMap((bytes, i) => readsOf(nodeIn(bytes, i))), ...output.map((one) => one.name ?? "")];
  });
  return inner.length > 0 ? [...input, ...inner] : input;
}

type Field = keyof typeof attributeTypes;
const fields = Object.keys(attributeTypes) as Field[];

const decoder = /*@__PURE__*/ new TextDecoder();
const text = (bytes: Uint8Array): string => decoder.decode(bytes);

function attributeValue(attribute: AttributeProto, node: string, op: string): Attribute {
  const what = `${node} attribute ${describe(attribute.name)}`;
  const type = Number(attribute.type ?? 0n);
  // Old files do not name the type: the field that holds something tells it
  const field = fields.find((name) => (type === 0 ? holds(attribute[name]) : attributeTypes[name] === type));
  const { f = 0, i = 0n, s, t } = attribute;
  if (field === "f") return f;
  // Constants keep all digits.
  if (op === "Constant" && field === "i") return { shape: [], data: BigInt64Array.of(i) };
  if (op === "Constant" && field === "ints")
    return { shape: [attribute.ints.length], data: BigInt64Array.from(attribute.ints) };
  if (field === "i") return Number(i);
  if (field === "s") return text(s ?? new Uint8Array());
  if (field === "floats") return attribute.floats;
  if (field === "ints") return attribute.ints.map(Number);
  if (field === "strings") return attribute.strings.map(text);
  if (field === "t" && t) return readTensor(t, what);
  if (field === "t") throw new InvalidArgumentError({ parameter: what, expected: "a tensor", received: "none" });
  throw unsupported(what, "numbers, texts or a tensor", `type number ${type}`);
}

const holds = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : value !== undefined);

/**
 * The nodes in such an order; where the given order is one, it stays. `known` names the values that no node computes.
 *
 * @throws InvalidArgumentError for a value that nobody or more than one computes, and for nodes in a circle.
 */
export function orderNodes(nodes: readonly GraphNode[], known: ReadonlySet<string>): GraphNode[] {
  const producers = producersOf(nodes, known);
  const state = new Uint8Array(nodes.length); // 0 new, 1 waits for what it reads, 2 in the list
  const ordered: GraphNode[] = [];
  for (let first = 0; first < nodes.length; first++) {
    const stack = [first];
    while (stack.length > 0) {
      const at = stack.at(-1)!;
      if (state[at] === 0) {
        state[at] = 1;
        for (const name of nodes[at]!.inputs) {
          if (name === "" || known.has(name)) continue;
          const producer = producers.get(name);
          if (producer === undefined) throw broken(nodes[at]!, `${describe(name)}, which nothing computes`);
          if (state[producer] === 1) throw broken(nodes[at]!, `${describe(name)}, which needs its own result`);
          if (state[producer] === 0) stack.push(producer);
        }
      } else {
        if (state[at] === 1) ordered.push(nodes[at]!);
        state[at] = 2;
        stack.pop();
      }
    }
  }
  return ordered;
}

function producersOf(nodes: readonly GraphNode[], known: ReadonlySet<string>): Map<string, number> {
  const producers = new Map<string, number>();
  for (const [i, { name, outputs }] of nodes.entries()) {
    for (const output of outputs) {
      if (output === "") continue;
      if (!known.has(output) && !producers.has(output)) producers.set(output, i);
      else {
        const [expected, received] = ["names of its own for its results", `${describe(output)}, which exists already`];
        throw new InvalidArgumentError({ parameter: `node ${describe(name)}`, expected, received });
      }
    }
  }
  return producers;
}

function broken({ name }: GraphNode, received: string): InvalidArgumentError {
  const parameter = `node ${describe(name)}`;
  return new InvalidArgumentError({ parameter, expected: "inputs that are known before it", received });
}

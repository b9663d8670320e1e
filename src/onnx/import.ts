// Imports an ONNX graph as a network: initializers become constants, attributes plain values, and nodes are put into
// topological order.
import { checkInteger, describe, InvalidArgumentError, LimitError, UnsupportedError } from "../errors.ts";
import { type Inlined, inlined } from "../graph/inline.ts";
import type { Attribute, Dimension, Graph, GraphNode, ValueInfo } from "../graph/types.ts";
import type { Tensor } from "../tensor.ts";
import { attributeValue } from "./attributes.ts";
import { nameIn, standardNodes } from "./contrib.ts";
import { orderNodes } from "./order.ts";
import {
  type AttributeProto,
  attributeTypes,
  FunctionProto,
  GraphProto,
  type ModelProto,
  NodeProto,
  ValueInfoProto,
} from "./schema.ts";
import { dtypeOf, type ExternalFiles, mostElements, readTensor, sideOf } from "./tensors.ts";
import { decode } from "./wire.ts";

/**
 * The network in a model. Operators of other domains than ONNX's own are named `domain.Operator`. Inputs that have an
 * initializer are constants, not inputs; calls of the file's own functions become the nodes of these.
 *
 * @throws InvalidArgumentError for a graph that contradicts itself, UnsupportedError for sparse weights and inputs that are no tensors.
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
  const inputs = graph.input.map(inside === "" ? valueInfo : anyInfo).filter(({ name }) => !constants.has(name));
  const known = new Set(constants.keys());
  for (const { name } of inputs) {
    if (name === "" || known.has(name)) throw twice("input", name);
    known.add(name);
  }
  const protos = graph.node.map(nodeIn);
  scope.room.left -= countNodes(protos, scope.functions);
  if (scope.room.left < 0) throw tooMany("model", `at most ${mostNodes} nodes with all functions`);
  const nodes = importNodes(protos, scope, constants);
  return { inputs, outputs: graph.output.map(anyInfo), nodes, constants, known };
}

/** Nodes, with those of functions in place of their calls; constants of these are added. */
function importNodes(all: readonly NodeProto[], scope: Scope, constants: Map<string, Tensor>): GraphNode[] {
  return all.flatMap((proto, i) => {
    const called = calledBy(proto, scope.functions);
    if (!called) return standardNodes(importNode(proto, i, scope));
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

/** What a graph says of a value; of one that is no tensor of numbers only its name. */
function anyInfo(info: ValueInfoProto): ValueInfo {
  try {
    return valueInfo(info);
  } catch (error) {
    if (error instanceof UnsupportedError) return { name: info.name ?? "" };
    throw error;
  }
}

/** What the file says of values between the nodes, by name: its own word, which nobody has checked. */
export function declaredValues({ graph }: ModelProto): Map<string, ValueInfo> {
  const infos = graph?.valueInfo.map((bytes, i) => anyInfo(decode(ValueInfoProto, bytes, `value ${i}`))) ?? [];
  return new Map(infos.map((info) => [info.name, info]));
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
  const plain = given.filter((one) => !isGraph(one));
  const held = plain.map((one) => [one.name ?? "", attributeValue(one, what, opType)] as const);
  const attributes = Object.fromEntries(held.filter((entry): entry is [string, Attribute] => entry[1] !== undefined));
  const unread = held.find(([, value]) => value === undefined)?.[0];
  const node: GraphNode = {
    ...{ name, op: nameIn(domain, opType), opset, inputs: input, outputs, attributes },
    ...(unread !== undefined && { unread }),
  };
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

// Imports an ONNX graph as a network: initializers become constants, attributes plain values, and nodes are put into
// topological order.
import { checkInteger, describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import type { Attribute, Dimension, Graph, GraphNode, ValueInfo } from "../graph/types.ts";
import type { Tensor } from "../tensor.ts";
import { nameIn, standardNodes } from "./contrib.ts";
import { type AttributeProto, attributeTypes, type ModelProto, NodeProto, ValueInfoProto } from "./schema.ts";
import { dtypeOf, type ExternalFiles, mostElements, readTensor, sideOf } from "./tensors.ts";
import { decode } from "./wire.ts";

/**
 * The network in a model. Operators of other domains than ONNX's own are named `domain.Operator`. Inputs that have an
 * initializer are constants, not inputs.
 *
 * @throws InvalidArgumentError for a graph that contradicts itself, UnsupportedError for sparse weights.
 */
export function importGraph({ graph, opsetImport }: ModelProto, external?: ExternalFiles): Graph {
  if (!graph) {
    throw new InvalidArgumentError({ parameter: "model", expected: "an ONNX model with a graph", received: "none" });
  }
  if (graph.sparseInitializer.length > 0) throw unsupported("model", "dense weights", "sparse ones");
  const opsets = new Map(opsetImport.map(({ domain, version }) => [domainOf(domain), Number(version ?? 1n)]));
  const constants = new Map<string, Tensor>();
  for (const [i, bytes] of graph.initializer.entries()) {
    const { name, ...tensor } = readTensor(bytes, `initializer ${i}`, external);
    if (name === "" || constants.has(name)) throw twice("initializer", name);
    constants.set(name, tensor);
  }
  const inputs = graph.input.map(valueInfo).filter(({ name }) => !constants.has(name));
  const known = new Set(constants.keys());
  for (const { name } of inputs) {
    if (name === "" || known.has(name)) throw twice("input", name);
    known.add(name);
  }
  const nodes = orderNodes(
    graph.node.flatMap((bytes, i) => standardNodes(importNode(bytes, i, opsets))),
    known,
  );
  for (const { outputs } of nodes) for (const name of outputs) known.add(name);
  const outputs = graph.output.map(outputInfo);
  for (const { name } of outputs) {
    if (name !== "" && known.has(name)) continue;
    throw new InvalidArgumentError({
      parameter: `output ${describe(name)}`,
      expected: "a value of the graph",
      received: "none",
    });
  }
  return { inputs, outputs, nodes, constants };
}

/** ONNX's own domain has two names. */
const domainOf = (domain: string | undefined): string => (domain === "ai.onnx" ? "" : (domain ?? ""));

function twice(parameter: string, name: string): InvalidArgumentError {
  return new InvalidArgumentError({ parameter, expected: "a name of its own", received: describe(name) });
}

function unsupported(parameter: string, expected: string, received: string): UnsupportedError {
  return new UnsupportedError({ parameter, expected, received });
}

/** What a graph says of an output; of one that is no tensor of numbers only its name. */
function outputInfo(info: ValueInfoProto): ValueInfo {
  try {
    return valueInfo(info);
  } catch (error) {
    if (error instanceof UnsupportedError) return { name: info.name ?? "" };
    throw error;
  }
}

/** What the file says of values between the nodes, by name: its own word, which nobody has checked. */
export function declaredValues({ graph }: ModelProto): Map<string, ValueInfo> {
  const infos = graph?.valueInfo.map((bytes, i) => outputInfo(decode(ValueInfoProto, bytes, `value ${i}`))) ?? [];
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

function importNode(bytes: Uint8Array, index: number, opsets: ReadonlyMap<string, number>): GraphNode {
  const proto = decode(NodeProto, bytes, `node ${index}`);
  const { input: inputs, output: outputs, opType } = proto;
  const name = proto.name || outputs.find((output) => output !== "") || String(index);
  const what = `node ${describe(name)}`;
  if (!opType) throw new InvalidArgumentError({ parameter: what, expected: "an operator", received: "none" });
  const domain = domainOf(proto.domain);
  const opset = opsets.get(domain) ?? 1;
  const held = proto.attribute.map((attribute) => [attribute.name ?? "", attributeValue(attribute, what)] as const);
  const attributes = Object.fromEntries(held.filter((entry): entry is [string, Attribute] => entry[1] !== undefined));
  const unread = held.find(([, value]) => value === undefined)?.[0];
  return {
    name,
    op: nameIn(domain, opType),
    opset,
    inputs,
    outputs,
    attributes,
    ...(unread !== undefined && { unread }),
  };
}

type Field = keyof typeof attributeTypes;
const fields = Object.keys(attributeTypes) as Field[];

const decoder = /*@__PURE__*/ new TextDecoder();
const text = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Undefined for a subgraph, and whatever else is not read: the node cannot be computed, but the others can. */
function attributeValue(attribute: AttributeProto, node: string): Attribute | undefined {
  const what = `${node} attribute ${describe(attribute.name)}`;
  const type = Number(attribute.type ?? 0n);
  // Old files do not name the type: the field that holds something tells it
  const field = fields.find((name) => (type === 0 ? holds(attribute[name]) : attributeTypes[name] === type));
  const { f = 0, i = 0n, s, t } = attribute;
  if (field === "f") return f;
  if (field === "i") return Number(i);
  if (field === "s") return text(s ?? new Uint8Array());
  if (field === "floats") return attribute.floats;
  if (field === "ints") return attribute.ints.map(Number);
  if (field === "strings") return attribute.strings.map(text);
  if (field === "t" && t) return readTensor(t, what);
  if (field === "t") throw new InvalidArgumentError({ parameter: what, expected: "a tensor", received: "none" });
  return undefined;
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

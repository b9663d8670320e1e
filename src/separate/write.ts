// Writes the rewritten network into the ONNX message: decomposed layers take the place of nodes, and all else stays byte
// for byte.
import type { GraphNode } from "../graph/types.ts";
import { importGraph, readsOf } from "../onnx/import.ts";
import { Model } from "../onnx/model.ts";
import { attributeTypes, FunctionProto, type ModelProto, NodeProto, TensorProto } from "../onnx/schema.ts";
import { decode, encode } from "../onnx/wire.ts";
import type { Tensor } from "../tensor.ts";
import type { DecomposedLayer } from "./decomposition.ts";

/** Before version 4 of the format every initializer is listed as an input, too. */
const inputsNoLonger = 4n;

/**
 * The model with decomposed layers in place of the nodes that compute values. What only those read is left out; `metadata` is added to
 * what the file says of itself.
 */
export function rewriteModel(
  model: Model,
  decomposed: ReadonlyMap<string, DecomposedLayer>,
  metadata: Record<string, string>,
): Model {
  const graph = model.proto.graph!;
  const nodes = graph.node.map((bytes, i) => ({ bytes, proto: decode(NodeProto, bytes, `node ${i}`) }));
  const unusedBefore = unused(nodes, model);
  const replaced = nodes.flatMap((node) => {
    const layer = decomposed.get(node.proto.output[0] ?? "");
    return layer ? layer.nodes.map((own) => newNode(own)) : [node];
  });
  const kept = withoutUnused(replaced, model, unusedBefore);
  const read = new Set(kept.flatMap(({ proto }) => readsOf(proto)));
  const wasRead = new Set(nodes.flatMap(({ proto }) => readsOf(proto)));
  const isGone = (name: string): boolean => wasRead.has(name) && !read.has(name);
  const constants = [...decomposed.values()].flatMap((layer) => [...layer.constants]);
  const isOld = (model.proto.irVersion ?? inputsNoLonger) < inputsNoLonger;
  const initializers = graph.initializer.map((bytes, i) => ({
    bytes,
    name: decode(TensorProto, bytes, `initializer ${i}`).name ?? "",
  }));
  const held = new Set(initializers.map(({ name }) => name));
  const proto: ModelProto = {
    ...model.proto,
    metadataProps: [
      ...model.proto.metadataProps.filter(({ key }) => !(key !== undefined && key in metadata)),
      ...Object.entries(metadata).map(([key, value]) => ({ key, value })),
    ],
    graph: {
      ...graph,
      node: kept.map(({ bytes }) => bytes),
      initializer: [
        ...initializers.filter(({ name }) => !isGone(name)).map(({ bytes }) => bytes),
        ...constants.map(([name, tensor]) => tensorBytes(name, tensor)),
      ],
      input: [
        ...graph.input.filter(({ name = "" }) => !(held.has(name) && isGone(name))),
        ...(isOld ? constants.map(([name, { shape }]) => valueInfo(name, shape)) : []),
      ],
    },
  };
  const rewritten = { ...importGraph(proto, model.externalFiles), inputs: model.graph.inputs };
  return new Model(proto, rewritten, model.operators, model.givenEngine, model.externalFiles);
}

/** Whether a node computes a value of the file's own nodes, outside of functions and subgraphs. */
export function isWritten({ proto }: Model): (node: GraphNode) => boolean {
  const functions = new Set(proto.functions.map((bytes, i) => decode(FunctionProto, bytes, `function ${i}`).name));
  const own = new Set(
    (proto.graph?.node ?? []).flatMap((bytes, i) => {
      const { output, opType } = decode(NodeProto, bytes, `node ${i}`);
      return functions.has(opType) ? [] : output;
    }),
  );
  return ({ outputs }) => own.has(outputs[0]!);
}

interface Node {
  bytes: Uint8Array;
  proto: NodeProto;
}

/** Nodes of whose results nobody reads any. */
function unused(nodes: readonly Node[], { proto: { graph } }: Model): Set<Node> {
  const read = new Set([
    ...nodes.flatMap(({ proto }) => readsOf(proto)),
    ...graph!.output.map(({ name = "" }) => name),
  ]);
  return new Set(nodes.filter(({ proto }) => !proto.output.some((name) => read.has(name))));
}

/** Without the nodes that nobody reads any more; what nobody has read before stays. */
function withoutUnused(nodes: readonly Node[], model: Model, before: ReadonlySet<Node>): Node[] {
  for (let kept = [...nodes]; ; ) {
    const gone = unused(kept, model);
    const rest = kept.filter((node) => !gone.has(node) || before.has(node));
    if (rest.length === kept.length) return rest;
    kept = rest;
  }
}

function newNode({ name, op, inputs, outputs, attributes }: GraphNode): Node {
  const proto: NodeProto = {
    ...{ name, opType: op, input: [...inputs], output: [...outputs] },
    attribute: Object.entries(attributes).map(([key, value]) => {
      const common = { name: key, floats: [], ints: [], strings: [] };
      if (typeof value === "number") return { ...common, i: BigInt(value), type: BigInt(attributeTypes.i) };
      if (typeof value === "string") {
        return { ...common, s: new TextEncoder().encode(value), type: BigInt(attributeTypes.s) };
      }
      return { ...common, ints: (value as readonly number[]).map(BigInt), type: BigInt(attributeTypes.ints) };
    }),
  };
  return { proto, bytes: encode(NodeProto, proto) };
}

const f32 = 1n;

function tensorBytes(name: string, { shape, data }: Tensor): Uint8Array {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return encode(TensorProto, { name, dims: shape.map(BigInt), dataType: f32, rawData });
}

function valueInfo(name: string, shape: readonly number[]): NonNullable<ModelProto["graph"]>["input"][number] {
  const dim = shape.map((side) => ({ dimValue: BigInt(side) }));
  return { name, type: { tensorType: { elemType: f32, shape: { dim } } } };
}

// Writes the rewritten network into the ONNX message: decomposed layers take the place of nodes, and all else stays byte
// for byte.
import { isHalf, roundedArray, toBits } from "../graph/halves.ts";
import type { Graph, GraphNode } from "../graph/types.ts";
import { importGraph, readsOf } from "../onnx/import.ts";
import { Model } from "../onnx/model.ts";
import { attributeTypes, FunctionProto, type ModelProto, NodeProto, TensorProto } from "../onnx/schema.ts";
import { dtypeOf, type ExternalFiles, externalBytes, externalLocation } from "../onnx/tensors.ts";
import { decode, encode } from "../onnx/wire.ts";
import type { DType, Tensor } from "../tensor.ts";
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
  const typeOf = storedTypes(model.graph);
  const constants = [...decomposed].flatMap(([y, layer]) =>
    [...layer.constants].map(([name, tensor]) => ({ name, tensor, dtype: typeOf(y) })),
  );
  const isOld = (model.proto.irVersion ?? inputsNoLonger) < inputsNoLonger;
  const initializers = graph.initializer.map((bytes, i) => inOneFile(bytes, i, model.externalFiles));
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
        ...constants.map(({ name, tensor, dtype }) => tensorBytes(name, tensor, dtype)),
      ],
      input: [
        ...graph.input.filter(({ name = "" }) => !(held.has(name) && isGone(name))),
        ...(isOld ? constants.map(({ name, tensor, dtype }) => valueInfo(name, tensor.shape, dtype)) : []),
      ],
    },
  };
  const rewritten = { ...importGraph(proto, model.externalFiles), inputs: model.graph.inputs };
  return new Model(proto, rewritten, model.operators, model.givenEngine, model.externalFiles);
}

/** An initializer with its elements, also where these lay in another file: the new one may be written to another place. */
function inOneFile(bytes: Uint8Array, index: number, files: ExternalFiles): { name: string; bytes: Uint8Array } {
  const what = `initializer ${index}`;
  const proto = decode(TensorProto, bytes, what);
  const { name = "" } = proto;
  if (externalLocation(proto) === undefined) return { name, bytes };
  const rawData = externalBytes(proto, what, files);
  return { name, bytes: encode(TensorProto, { ...proto, rawData, dataLocation: undefined, externalData: [] }) };
}

/** Layers with their weights rounded to what the file holds them in: f16 where what they replace is f16. */
export function asStored<T extends { constants: ReadonlyMap<string, Tensor> }>(
  model: Model,
  layers: ReadonlyMap<string, T>,
): Map<string, T> {
  const typeOf = storedTypes(model.graph);
  return new Map(
    [...layers].map(([y, layer]) => {
      const dtype = typeOf(y);
      const rounded = (tensor: Tensor): Tensor =>
        dtype === "f32" ? tensor : { ...tensor, data: roundedArray(tensor.data as Float32Array, dtype) };
      return [y, { ...layer, constants: new Map([...layer.constants].map(([name, one]) => [name, rounded(one)])) }];
    }),
  );
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

/** Types that weights are written in, by ONNX's numbers. */
type WeightType = "f32" | "f16" | "bf16";
const elementTypes: Readonly<Record<WeightType, bigint>> = { f32: 1n, f16: 10n, bf16: 16n };

function tensorBytes(name: string, { shape, data }: Tensor, dtype: WeightType): Uint8Array {
  const { buffer, byteOffset, byteLength } = dtype === "f32" ? data : toBits(data as Float32Array, dtype);
  const rawData = new Uint8Array(buffer, byteOffset, byteLength);
  return encode(TensorProto, { name, dims: shape.map(BigInt), dataType: elementTypes[dtype], rawData });
}

function valueInfo(
  name: string,
  shape: readonly number[],
  dtype: WeightType,
): NonNullable<ModelProto["graph"]>["input"][number] {
  const dim = shape.map((side) => ({ dimValue: BigInt(side) }));
  return { name, type: { tensorType: { elemType: elementTypes[dtype], shape: { dim } } } };
}

/** The input that has the type of the result, where it is not the first. */
const typedBy: Readonly<Record<string, number>> = {
  ...{ Conv: 1, ConvTranspose: 1, Where: 1, CastLike: 1, DequantizeLinear: 1, QuantizeLinear: 2 },
};

/** Which types the weights beside a convolution's result have in the file: a half float, where the result is one. */
function storedTypes({ inputs, nodes, constants }: Graph): (value: string) => WeightType {
  const types = new Map<string, DType | undefined>(inputs.map(({ name, dtype }) => [name, dtype]));
  for (const [name, { dtype }] of constants) types.set(name, dtype);
  for (const node of nodes) {
    const type = resultType(node, types);
    for (const name of node.outputs) types.set(name, type);
  }
  return (value) => {
    const type = types.get(value);
    return type !== undefined && isHalf(type) ? type : "f32";
  };
}

function resultType({ op, inputs, attributes }: GraphNode, types: ReadonlyMap<string, DType | undefined>) {
  const { to, value } = attributes;
  if (op === "Cast" && typeof to === "number") return dtypeOf(BigInt(to), "Cast");
  if (op === "Constant" || op === "ConstantOfShape")
    return typeof value === "object" && "data" in value ? value.dtype : undefined;
  return types.get(inputs[typedBy[op] ?? 0] ?? "");
}

// The part of ONNX's file format that rank1 reads and writes, with the names and numbers of the public specification
// (github.com/onnx/onnx, onnx/onnx.proto). Nodes, tensors, functions and subgraphs inside others are left as bytes: what nobody
// changes is written again as it came, byte for byte, and no file nests deeper than this table.
import { type Message, schema } from "./wire.ts";

const TypeProto = schema({
  tensorType: [
    1,
    schema({
      elemType: [1, "int"],
      shape: [2, schema({ dim: [1, schema({ dimValue: [1, "int"], dimParam: [2, "string"] }), "list"] })],
    }),
  ],
});

export const ValueInfoProto = schema({ name: [1, "string"], type: [2, TypeProto] });

export const GraphProto = schema({
  /** NodeProto. */
  node: [1, "bytes", "list"],
  name: [2, "string"],
  /** TensorProto. */
  initializer: [5, "bytes", "list"],
  input: [11, ValueInfoProto, "list"],
  output: [12, ValueInfoProto, "list"],
  /** ValueInfoProto of values between the nodes. */
  valueInfo: [13, "bytes", "list"],
  sparseInitializer: [15, "bytes", "list"],
});

const OperatorSetProto = schema({ domain: [1, "string"], version: [2, "int"] });

export const ModelProto = schema({
  irVersion: [1, "int"],
  producerName: [2, "string"],
  producerVersion: [3, "string"],
  domain: [4, "string"],
  modelVersion: [5, "int"],
  docString: [6, "string"],
  graph: [7, GraphProto],
  opsetImport: [8, OperatorSetProto, "list"],
  metadataProps: [14, schema({ key: [1, "string"], value: [2, "string"] }), "list"],
  /** FunctionProto. */
  functions: [25, "bytes", "list"],
});

export const AttributeProto = schema({
  name: [1, "string"],
  f: [2, "float"],
  i: [3, "int"],
  s: [4, "bytes"],
  /** TensorProto. */
  t: [5, "bytes"],
  /** GraphProto. */
  g: [6, "bytes"],
  floats: [7, "float", "list"],
  ints: [8, "int", "list"],
  strings: [9, "bytes", "list"],
  /** One of {@link attributeTypes}. */
  type: [20, "int"],
  /** In functions: the attribute of the call that gives the value. */
  refAttrName: [21, "string"],
});

/** Numbers of AttributeProto.AttributeType by the field that holds the value. */
export const attributeTypes = { f: 1, i: 2, s: 3, t: 4, g: 5, floats: 6, ints: 7, strings: 8 } as const;

export const NodeProto = schema({
  input: [1, "string", "list"],
  output: [2, "string", "list"],
  name: [3, "string"],
  opType: [4, "string"],
  attribute: [5, AttributeProto, "list"],
  domain: [7, "string"],
  /** Tells functions of one name apart. */
  overload: [8, "string"],
});

export const FunctionProto = schema({
  name: [1, "string"],
  input: [4, "string", "list"],
  output: [5, "string", "list"],
  /** Names of attributes without a default. */
  attribute: [6, "string", "list"],
  /** NodeProto. */
  node: [7, "bytes", "list"],
  opsetImport: [9, OperatorSetProto, "list"],
  domain: [10, "string"],
  /** Those with a default. */
  attributeProto: [11, AttributeProto, "list"],
  overload: [13, "string"],
});

export const TensorProto = schema({
  dims: [1, "int", "list"],
  dataType: [2, "int"],
  floatData: [4, "packed", "list"],
  int32Data: [5, "packed", "list"],
  int64Data: [7, "packed", "list"],
  name: [8, "string"],
  rawData: [9, "bytes"],
  doubleData: [10, "packed", "list"],
  uint64Data: [11, "packed", "list"],
  externalData: [13, schema({ key: [1, "string"], value: [2, "string"] }), "list"],
  /** 0: in this message, 1: in the file that externalData names. */
  dataLocation: [14, "int"],
});

export type ModelProto = Message<typeof ModelProto>;
export type NodeProto = Message<typeof NodeProto>;
export type AttributeProto = Message<typeof AttributeProto>;
export type GraphProto = Message<typeof GraphProto>;
export type FunctionProto = Message<typeof FunctionProto>;
export type TensorProto = Message<typeof TensorProto>;
export type ValueInfoProto = Message<typeof ValueInfoProto>;

// Small ONNX files made from plain data.
import { type AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from "../../src/onnx/schema.ts";
import { encode, type Message } from "../../src/onnx/wire.ts";
import type { Attributes } from "./cases/use.ts";

type Value = NonNullable<Message<typeof ModelProto>["graph"]>["input"][number];

export const big = (numbers: readonly number[]): bigint[] => numbers.map(BigInt);

/** A value of f32, or of another of ONNX's types by number. */
export function value(name: string, dims: readonly (number | string)[], elemType = 1): Value {
  const dim = dims.map((side) => (typeof side === "number" ? { dimValue: BigInt(side) } : { dimParam: side }));
  return { name, type: { tensorType: { elemType: BigInt(elemType), shape: { dim } } } };
}

export function attribute(name: string, fields: Partial<AttributeProto>): AttributeProto {
  return { ...{ name, floats: [], ints: [], strings: [] }, ...fields };
}

const floats = new Set([
  ...["activation_alpha", "activation_beta", "activation_params", "alpha", "beta", "bias", "clip", "cubic_coeff_a"],
  ...["epsilon", "extrapolation_value", "lambd", "max", "min", "softcap", "spatial_scale", "value"],
]);
/** A float of ImageScaler, a list of integers of Crop. */
const isFloat = (name: string, given: unknown): boolean =>
  floats.has(name) || (name === "scale" && typeof given === "number");

const encoder = new TextEncoder();

/** An attribute of the type that its name has in ONNX. */
export function attributeOf([name, given]: [string, Attributes[string]]): AttributeProto {
  if (typeof given === "string") return attribute(name, { s: encoder.encode(given), type: 3n });
  const real = isFloat(name, given);
  if (typeof given === "number") return attribute(name, real ? { f: given, type: 1n } : { i: BigInt(given), type: 2n });
  if (typeof given[0] === "string")
    return attribute(name, { strings: given.map((one) => encoder.encode(String(one))), type: 8n });
  const numbers = given as readonly number[];
  return attribute(name, real ? { floats: [...numbers], type: 6n } : { ints: big(numbers), type: 7n });
}

export function node(opType: string, input: string[], output: string[], more: Partial<NodeProto> = {}): Uint8Array {
  return encode(NodeProto, { opType, input, output, name: `${opType} of ${input.join()}`, ...more });
}

/** A tensor of f32 with raw data, unless `fields` say otherwise. */
export function tensor(name: string, dims: readonly number[], fields: Partial<TensorProto> = {}): Uint8Array {
  const given = Object.keys(fields).some((key) => key.endsWith("Data"));
  const data = given ? {} : { rawData: new Uint8Array(4 * dims.reduce((a, b) => a * b, 1)) };
  return encode(TensorProto, { name, dims: big(dims), dataType: 1n, ...data, ...fields });
}

/** A network inside a node, as an attribute. */
export function inner(
  name: string,
  { nodes = [], initializers = [], inputs = [], outputs = [] }: Parts,
): AttributeProto {
  const graph = {
    node: nodes,
    initializer: initializers,
    sparseInitializer: [],
    valueInfo: [],
    input: inputs,
    output: outputs,
  };
  return attribute(name, { g: encode(GraphProto, { name, ...graph }), type: 5n });
}

interface Parts {
  nodes?: Uint8Array[];
  initializers?: Uint8Array[];
  inputs?: Value[];
  outputs?: Value[];
  /** Of values between the nodes: ValueInfoProto. */
  valueInfo?: Uint8Array[];
  more?: Partial<ModelProto>;
}

export function model({
  nodes = [],
  initializers = [],
  inputs = [],
  outputs = [],
  valueInfo = [],
  more,
}: Parts): Uint8Array {
  const graph = {
    name: "g",
    node: nodes,
    initializer: initializers,
    sparseInitializer: [],
    valueInfo,
    input: inputs,
    output: outputs,
  };
  return encode(ModelProto, { irVersion: 8n, graph, opsetImport: [{ version: 13n }], ...more });
}

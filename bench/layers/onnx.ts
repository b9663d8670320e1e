// Writes a chain of convolutions as an ONNX file: just enough of protobuf for that.
import type { LayerCase } from "./cases.ts";
import { type LayerData, onnxWeight } from "./data.ts";

type Field = Uint8Array[];

const utf8 = new TextEncoder();
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Uint8Array.of(...bytes, value);
}

const integer = (field: number, value: number): Field => [varint(field * 8), varint(value)];
const bytes = (field: number, value: Uint8Array): Field => [varint(field * 8 + 2), varint(value.length), value];
const text = (field: number, value: string): Field => bytes(field, utf8.encode(value));
const message = (field: number, ...parts: Field[]): Field => bytes(field, join(parts.flat()));

// Numbers of fields and types: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
const float = 1;

const tensor = (name: string, dims: readonly number[], data: Float32Array): Field =>
  message(5, ...dims.map((dim) => integer(1, dim)), integer(2, float), text(8, name), bytes(9, bytesOf(data)));

const integers = (name: string, values: readonly number[]): Field =>
  message(5, text(1, name), ...values.map((value) => integer(8, value)), integer(20, 7));

const count = (name: string, value: number): Field => message(5, text(1, name), integer(3, value), integer(20, 2));

const node = (type: string, inputs: readonly string[], output: string, ...attributes: Field[]): Field =>
  message(1, ...inputs.map((input) => text(1, input)), text(2, output), text(4, type), ...attributes);

const value = (field: number, name: string, dims: readonly number[]): Field => {
  const shape = message(2, ...dims.map((dim) => message(1, integer(1, dim))));
  return message(field, text(1, name), message(2, message(1, integer(1, float), shape)));
};

/** A file with the input "x" and the output "y", both [1, channels, height, width]. */
export function onnxFile(problem: LayerCase, { links }: LayerData): Uint8Array {
  const parts: Field[] = [];
  let x = "x";
  for (const [i, link] of links.entries()) {
    const { kind, size, stride, inputs, outputs, activation, pads } = link;
    const last = i === links.length - 1 && !problem.residual;
    const [sum, result] = [`sum${i}`, last ? "y" : `value${i}`];
    const groups = kind === "depthwise" ? inputs : 1;
    parts.push(
      tensor(`weight${i}`, [outputs, inputs / groups, size, size], onnxWeight(link)),
      tensor(`bias${i}`, [outputs], link.bias),
      node(
        "Conv",
        [x, `weight${i}`, `bias${i}`],
        activation === "none" ? result : sum,
        integers("kernel_shape", [size, size]),
        integers("strides", [stride, stride]),
        integers("pads", pads),
        count("group", groups),
      ),
    );
    if (activation === "relu") parts.push(node("Relu", [sum], result));
    if (activation === "relu6") {
      parts.push(tensor(`least${i}`, [], Float32Array.of(0)), tensor(`most${i}`, [], Float32Array.of(6)));
      parts.push(node("Clip", [sum, `least${i}`, `most${i}`], result));
    }
    x = result;
  }
  if (problem.residual) parts.push(node("Add", [x, "x"], "y"));
  const { outHeight, outWidth, outputs } = links.at(-1)!;
  const graph = message(
    7,
    text(2, "layer"),
    ...parts,
    value(11, "x", [1, problem.channels, problem.height, problem.width]),
    value(12, "y", [1, outputs, outHeight, outWidth]),
  );
  return join([...integer(1, 8), ...graph, ...message(8, integer(2, 17))]);
}

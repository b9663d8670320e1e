// An ONNX model of one Conv, x and weight to y, written by hand: the few fields of its protobuf that are needed.

/** Field `number` of a message: a varint, or bytes with their length. */
function field(number: number, value: number | Uint8Array | string): number[] {
  if (typeof value === "number") return [...varint(number << 3), ...varint(value)];
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return [...varint((number << 3) | 2), ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

const message = (...fields: number[][]): Uint8Array => Uint8Array.from(fields.flat());

const [kindInt, kindInts, float] = [2, 7, 1];

const ints = (name: string, values: readonly number[]): Uint8Array =>
  message(field(1, name), field(20, kindInts), ...values.map((v) => field(8, v)));

/** A float tensor of whatever shape. */
const value = (name: string): Uint8Array =>
  message(field(1, name), field(2, message(field(1, message(field(1, float))))));

/** The bytes of the model. */
export function convModel({
  strides,
  dilations,
  pads,
  groups,
}: {
  strides: readonly number[];
  dilations: readonly number[];
  pads: readonly number[];
  groups: number;
}): Uint8Array {
  const node = message(
    ...["x", "weight"].map((name) => field(1, name)),
    ...[field(2, "y"), field(4, "Conv")],
    ...[ints("strides", strides), ints("dilations", dilations), ints("pads", pads)].map((attribute) =>
      field(5, attribute),
    ),
    field(5, message(field(1, "group"), field(20, kindInt), field(3, groups))),
  );
  const graph = message(
    ...[field(1, node), field(2, "layer"), field(11, value("x")), field(11, value("weight")), field(12, value("y"))],
  );
  return message(field(1, 8), field(7, graph), field(8, message(field(1, ""), field(2, 13))));
}

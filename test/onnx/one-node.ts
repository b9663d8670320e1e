// A use of an operator as a model of one node, and its inputs by name.
import type { DType, Tensor } from "../../src/tensor.ts";
import { attributeOf, model, node, value } from "./build.ts";
import type { OperatorCase } from "./cases/use.ts";

const numberOfType: Partial<Record<DType, number>> = {
  ...{ f32: 1, u8: 2, i8: 3, u16: 4, i16: 5, i32: 6, i64: 7, bool: 9, f64: 11, u32: 12, u64: 13 },
};

/** Inputs that are there are called x0, x1 and so on, outputs y0, y1 and so on. */
export function modelOf({
  op,
  opset,
  attributes = {},
  inputs,
  outputs = 1,
}: OperatorCase): [Uint8Array, Record<string, Tensor>] {
  const domain = op.slice(0, Math.max(0, op.lastIndexOf(".")));
  const opType = op.slice(op.lastIndexOf(".") + 1);
  const names = inputs.map((input, i) => (input ? `x${i}` : ""));
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const given = inputs.flatMap((input, i) => (input ? [[names[i]!, input] as const] : []));
  const bytes = model({
    nodes: [node(opType, names, results, { domain, attribute: Object.entries(attributes).map(attributeOf) })],
    inputs: given.map(([name, { shape, dtype }]) => value(name, shape, numberOfType[dtype!]!)),
    outputs: results.map((name) => ({ name })),
    more: { opsetImport: domain ? [{ version: 17n }, { domain, version: 1n }] : [{ version: BigInt(opset) }] },
  });
  return [bytes, Object.fromEntries(given)];
}

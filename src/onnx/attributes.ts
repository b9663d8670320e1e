// Attributes of nodes as plain values.
import { describe, InvalidArgumentError } from "../errors.ts";
import type { Attribute } from "../graph/types.ts";
import { type AttributeProto, attributeTypes } from "./schema.ts";
import { readTensor } from "./tensors.ts";

type Field = keyof typeof attributeTypes;
const fields = Object.keys(attributeTypes) as Field[];

const decoder = /*@__PURE__*/ new TextDecoder();
const text = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Undefined for whatever is not read, such as a type: the node cannot be computed, but the others can. */
export function attributeValue(attribute: AttributeProto, node: string, op: string): Attribute | undefined {
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
  return undefined;
}

const holds = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : value !== undefined);

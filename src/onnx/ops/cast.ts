// Cast and CastLike, and Shape and Size: types and shapes of tensors. On the host a Cast to half floats rounds to them; numbers
// that an integer type cannot hold lose their upper bits.
import { isHalf, roundedTo } from "../../graph/halves.ts";
import { numberOf, refuse, required } from "../../graph/nodes.ts";
import type { Copies, GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import {
  elementsOf,
  heldAs,
  isBig,
  isFloat,
  numbersOf,
  sizeOf,
  stridesOf,
  wordPairs,
  write,
} from "../../graph/values.ts";
import type { DType } from "../../tensor.ts";
import { dtypeOf } from "../tensors.ts";
import { combine, type Row } from "./loops.ts";
import { viewOf } from "./pick.ts";

/** Whether numbers are other than 0. */
const isSet: Row = (out, count, x) => {
  for (let i = 0; i < count; i++) out[i] = x[i]! === 0 ? 0 : 1;
};

/** The lower bits of 64-bit integers: numbers would lose some. */
function lowerWords({ data }: Value): Int32Array {
  const words = wordPairs(data);
  return new Int32Array(data.length).map((_, i) => words[2 * i]!);
}

function convert(from: Value, to: Value, dtype: DType): void {
  if (isBig(from.dtype) && isBig(dtype)) elementsOf(to).set(elementsOf(from));
  else if (isBig(from.dtype) && !isFloat(heldAs(dtype)) && dtype !== "bool") write(to, lowerWords(from));
  else if (isHalf(dtype)) combine(to, [{ ...from, data: numbersOf(from) }], (x) => roundedTo(x, dtype));
  else if (dtype === "bool") combine(to, [{ ...from, data: numbersOf(from) }], Number, isSet);
  else write(to, numbersOf(from));
}

/** Half floats are f32 inside: between floats of at most 32 bits there is nothing to convert. */
function sameElements(to: DType, [x]: readonly (Spec | undefined)[]): Copies | undefined {
  if (x?.dtype !== "f32" || heldAs(to) !== "f32") return undefined;
  return { views: [viewOf(x.shape, stridesOf(x.shape))] };
}

const target = (node: GraphNode): DType => {
  const to = numberOf(node, "to");
  return Number.isInteger(to) ? dtypeOf(BigInt(to), `node ${node.name}`) : refuse(node, "a type as attribute to", to);
};

export const cast: Operator = {
  name: "Cast",
  infer: (node, inputs) => [{ dtype: heldAs(target(node)), shape: required(node, inputs, 0).shape }],
  run: (node, [x], [y]) => convert(x!, y!, target(node)),
  copies: (node, inputs) => sameElements(target(node), inputs),
};

export const castLike: Operator = {
  name: "CastLike",
  infer: (node, inputs) => [{ dtype: required(node, inputs, 1).dtype, shape: required(node, inputs, 0).shape }],
  run: (_node, [x], [y]) => convert(x!, y!, y!.dtype),
  copies: (_node, inputs) => sameElements(inputs[1]!.dtype, inputs),
};

const integers = (values: readonly number[], shape: readonly number[]): Value => {
  return { dtype: "i64", shape, data: BigInt64Array.from(values, BigInt) };
};

export const shape: Operator = {
  name: "Shape",
  infer: (node, inputs) => {
    const { shape } = required(node, inputs, 0);
    const sides = shape.slice(numberOf(node, "start", 0), numberOf(node, "end", shape.length));
    return [integers(sides, [sides.length])];
  },
};

export const size: Operator = {
  name: "Size",
  infer: (node, inputs) => [integers([sizeOf(required(node, inputs, 0).shape)], [])],
};

// Cast and CastLike, and Shape and Size: types and shapes of tensors. Half floats are held as f32, rounded to the half
// float's precision.
import { numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Value } from "../../graph/types.ts";
import { elementsOf, heldAs, isBig, numbersOf, sizeOf, write } from "../../graph/values.ts";
import { roundEven } from "../../kernels/expression/formulas.ts";
import type { DType } from "../../tensor.ts";
import { dtypeOf } from "../tensors.ts";

/** Bits of the fraction, the least exponent and the largest value of half floats. */
const halves: Readonly<Partial<Record<DType, readonly [bits: number, least: number, most: number]>>> = {
  f16: [10, -14, 65504],
  bf16: [7, -126, 2 ** 127 * (2 - 2 ** -7)],
};

function rounded(x: number, [bits, least, most]: readonly [number, number, number]): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), least) - bits);
  const near = roundEven(x / unit) * unit;
  return Math.abs(near) > most ? Math.sign(near) * Number.POSITIVE_INFINITY : near;
}

function convert(from: Value, to: Value, dtype: DType): void {
  const half = halves[dtype];
  if (isBig(from.dtype) && isBig(dtype)) elementsOf(to).set(elementsOf(from));
  else if (half)
    write(
      to,
      Float64Array.from(numbersOf(from), (x) => rounded(x, half)),
    );
  else if (dtype === "bool")
    write(
      to,
      Float64Array.from(numbersOf(from), (x) => (x === 0 ? 0 : 1)),
    );
  else write(to, numbersOf(from));
}

const target = (node: GraphNode): DType => {
  const to = numberOf(node, "to");
  return Number.isInteger(to) ? dtypeOf(BigInt(to), `node ${node.name}`) : refuse(node, "a type as attribute to", to);
};

export const cast: Operator = {
  name: "Cast",
  infer: (node, inputs) => [{ dtype: heldAs(target(node)), shape: required(node, inputs, 0).shape }],
  run: (node, [x], [y]) => convert(x!, y!, target(node)),
};

export const castLike: Operator = {
  name: "CastLike",
  infer: (node, inputs) => [{ dtype: required(node, inputs, 1).dtype, shape: required(node, inputs, 0).shape }],
  run: (_node, [x], [y]) => convert(x!, y!, y!.dtype),
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

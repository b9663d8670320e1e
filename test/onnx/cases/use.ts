// What a random use of an operator is, and how a table says one in a line or two.
import type { DType, Tensor } from "../../../src/tensor.ts";
import type { Random } from "../../random-tensors.ts";

/** Texts, integers or lists of them; attributes that hold floats are known by their names. */
export type Attributes = Record<string, number | string | readonly number[] | readonly string[]>;

/** Undefined where an input is left out. */
export type Inputs = readonly (Tensor | undefined)[];

export interface OperatorCase {
  op: string;
  opset: number;
  attributes?: Attributes;
  inputs: Inputs;
  outputs?: number;
  /** How far results may be apart, relatively, where more than sums of f32 differ. */
  tolerance?: number;
}

/** By a title, how to make a case. */
export type Cases = Readonly<Record<string, (r: Random) => OperatorCase>>;

/** Types that arithmetic is on. */
export const numbers: readonly DType[] = ["f32", "f64", "i32", "i64"];

/** One of some operators, whose names are apart by spaces. */
export function use(
  ops: string,
  opset: number,
  inputs: (r: Random) => Inputs,
  attributes?: Attributes | ((r: Random) => Attributes),
  more: Pick<OperatorCase, "outputs" | "tolerance"> = {},
) {
  return (r: Random): OperatorCase => ({
    op: r.pick(ops.split(" ")),
    opset,
    attributes: typeof attributes === "function" ? attributes(r) : attributes,
    inputs: inputs(r),
    ...more,
  });
}

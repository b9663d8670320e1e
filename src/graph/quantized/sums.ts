// Sums of products of small integers as nodes on floats that hold them. Kernels for 16-bit integers are exact as long as sums fit
// 32 bits; those for floats, which depthwise convolutions take, below 2^24.
import type { Tensor } from "../../tensor.ts";
import type { GraphNode } from "../types.ts";
import { numbersOf } from "../values.ts";
import type { Expansion } from "./expansion.ts";

export type Product = "Conv" | "MatMul" | "Gemm";

interface Sum {
  op: Product;
  /** Integers in floats, of a rank, and the largest magnitude among them. */
  x: string;
  rank: number;
  largest: number;
  /** [outputs, inputs / groups, ...], or a matrix. */
  weight: Tensor;
  bias?: ArrayLike<number>;
  /** Of the node. */
  attributes: GraphNode["attributes"];
  output: string;
}

const mostFloat = 2 ** 24;
const mostInteger = 2 ** 31 - 1;

/** The largest magnitude that a sum may reach. */
function boundOf({ op, largest, weight, bias, attributes }: Sum): number {
  const [first, second = 1] = weight.shape as [number, number];
  const byRow = op === "Conv" || attributes.transB === 1;
  const [outputs, data] = [byRow ? first : second, numbersOf(weight)];
  const sums = new Float64Array(outputs);
  const each = data.length / outputs;
  for (let i = 0, row = 0; i < data.length; row++) {
    if (byRow) for (const end = i + each; i < end; i++) sums[row]! += Math.abs(data[i]!);
    else for (let column = 0; column < outputs; column++, i++) sums[column]! += Math.abs(data[i]!);
  }
  return sums.reduce((most, sum, o) => Math.max(most, sum * largest + Math.abs(bias?.[o] ?? 0)), 0);
}

function transposed({ shape: [rows, columns], data }: Tensor): Tensor {
  const [from, turned] = [data as Float32Array, new Float32Array(data.length)];
  for (let r = 0, i = 0; r < rows!; r++) for (let c = 0; c < columns!; c++) turned[c * rows! + r] = from[i++]!;
  return { shape: [columns!, rows!], data: turned };
}

/** Writes a sum of products with constant weights; false where it might not be exact. */
export function emitSum(e: Expansion, sum: Sum): boolean {
  const { op, x, rank, largest, weight, bias, attributes, output } = sum;
  const isDepthwise = Number(attributes.group ?? 1) > 1 && weight.shape[1] === 1;
  const inIntegers = op !== "Conv" || (rank === 4 && !isDepthwise);
  if (boundOf(sum) > (inIntegers ? mostInteger : mostFloat) || largest > 2 ** 15) return false;
  e.constants.set(`${output}: weights`, op === "Gemm" && attributes.transB === 1 ? transposed(weight) : weight);
  const added = bias ? [e.constant(`${output}: biases`, bias, [bias.length])] : [];
  const inputs = [x, `${output}: weights`, ...added];
  if (!inIntegers) e.emit(op, inputs, output, { ...attributes, exact: 1 });
  else if (op === "Conv") e.emit("QuantizedConv", inputs, output, attributes);
  else e.emit("QuantizedMatMul", inputs, output);
  return true;
}

/** Whether floats hold every sum of `count` products of integers of such magnitudes. */
export const isExact = (count: number, a: number, b: number): boolean => count * a * b <= mostFloat;

// Sums of products of small integers in 32-bit floats: exact as long as they stay below 2^24, and so written in blocks of
// inputs where they might not.
import type { Tensor } from "../../tensor.ts";
import type { Attribute } from "../types.ts";
import type { Expansion } from "./expansion.ts";

/** Above, floats skip integers. */
const most = 2 ** 24;
/** Blocks begin at whole vectors of channels. */
const unit = 8;
/** More blocks than these cost more than what they keep exact. */
const mostBlocks = 8;

/** A weight of [outputs, inputs, taps], wherever these stand. */
interface Order {
  outputs: number;
  inputs: number;
  taps: number;
  at(output: number, input: number, tap: number): number;
}

export type Product = "Conv" | "MatMul" | "Gemm";

function orderOf(op: Product, { shape }: Tensor, transposed: boolean): Order {
  if (op === "Conv") {
    const [outputs, inputs, ...size] = shape as [number, number, ...number[]];
    const taps = size.reduce((product, side) => product * side, 1);
    return { outputs, inputs, taps, at: (o, i, tap) => (o * inputs + i) * taps + tap };
  }
  const [rows, columns] = shape as [number, number];
  if (transposed) return { outputs: rows, inputs: columns, taps: 1, at: (o, i) => o * columns + i };
  return { outputs: columns, inputs: rows, taps: 1, at: (o, i) => i * columns + o };
}

/** The first inputs of blocks whose sums are exact; undefined where there are none, or too many. */
function blocksOf(weight: Tensor, order: Order, largest: number, bias: ArrayLike<number> | undefined) {
  const { outputs, inputs, taps, at } = order;
  const data = weight.data as Float32Array;
  const sums = Float64Array.from({ length: outputs }, (_, o) => Math.abs(bias?.[o] ?? 0));
  const starts = [0];
  for (let first = 0; first < inputs; first += unit) {
    const added = new Float64Array(outputs);
    for (let o = 0; o < outputs; o++)
      for (let i = first; i < Math.min(inputs, first + unit); i++)
        for (let tap = 0; tap < taps; tap++) added[o]! += Math.abs(data[at(o, i, tap)]!) * largest;
    if (added.some((value) => value > most)) return undefined;
    if (added.some((value, o) => value + sums[o]! > most)) {
      starts.push(first);
      sums.fill(0);
    }
    for (let o = 0; o < outputs; o++) sums[o]! += added[o]!;
  }
  return starts.length > mostBlocks ? undefined : starts;
}

/** The inputs of a block. */
function partOf({ data, shape }: Tensor, axis: number, from: number, to: number): Tensor {
  const inner = shape.slice(axis + 1).reduce((product, side) => product * side, 1);
  const outer = shape.slice(0, axis).reduce((product, side) => product * side, 1);
  const [whole, part] = [shape[axis]! * inner, (to - from) * inner];
  const taken = new Float32Array(outer * part);
  for (let i = 0; i < outer; i++)
    taken.set((data as Float32Array).subarray(i * whole + from * inner, i * whole + to * inner), i * part);
  return { shape: shape.map((side, i) => (i === axis ? to - from : side)), data: taken };
}

interface Sum {
  op: Product;
  /** Integers in floats, and the largest magnitude among them. */
  x: string;
  largest: number;
  weight: Tensor;
  bias?: ArrayLike<number>;
  /** Of the node; groups and the transposition of a Gemm's weight among them. */
  attributes: Readonly<Record<string, Attribute>>;
  output: string;
}

/** Writes a sum of products with constant weights; false where it cannot be exact. */
export function emitSum(expansion: Expansion, { op, x, largest, weight, bias, attributes, output }: Sum): boolean {
  const transposed = op === "Gemm" && attributes.transB === 1;
  const order = orderOf(op, weight, transposed);
  const starts = blocksOf(weight, order, largest, bias);
  if (!starts || (starts.length > 1 && (attributes.group ?? 1) !== 1)) return false;
  const axis = op === "Conv" || transposed ? 1 : 0;
  const all = { ...attributes, exact: 1 };
  const part = (start: number, index: number, to: string, added: ArrayLike<number> | undefined): string => {
    const end = starts[index + 1] ?? order.inputs;
    const [name, whole] = [`${to}: weights`, starts.length === 1];
    expansion.constants.set(name, whole ? weight : partOf(weight, axis, start, end));
    const from = whole ? x : sliceOf(expansion, x, op === "Conv" ? 1 : -1, start, end, `${to}: inputs`);
    const inputs = [from, name, ...(added ? [expansion.constant(`${to}: biases`, added, [added.length])] : [])];
    if (op !== "MatMul" || !added) return expansion.emit(op, inputs, to, op === "MatMul" ? { exact: 1 } : all);
    const product = expansion.emit(op, inputs.slice(0, 2), `${to}: product`, { exact: 1 });
    return expansion.emit("Add", [product, inputs[2]!], to);
  };
  let sum = part(0, 0, starts.length === 1 ? output : `${output}: block 0`, bias);
  for (let i = 1; i < starts.length; i++) {
    const next = part(starts[i]!, i, `${output}: block ${i}`, undefined);
    sum = expansion.emit("Add", [sum, next], i === starts.length - 1 ? output : `${output}: blocks to ${i}`);
  }
  return true;
}

function sliceOf(e: Expansion, x: string, axis: number, start: number, end: number, output: string): string {
  const lists = [start, end, axis].map((value, i) => e.integers(`${output} ${i}`, [value]));
  return e.emit("Slice", [x, ...lists], output);
}

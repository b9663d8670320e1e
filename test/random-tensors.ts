// Random numbers, shapes and tensors, the same for the same seed, and tensors from plain lists.
import type { DType, Tensor, TypedArray } from "../src/tensor.ts";
import { newStored } from "../src/tensor.ts";
import { random } from "./oracle.ts";

/** Equal numbers, shapes and tensors for equal seeds. */
export class Random {
  /** From 0 up to 1, without it. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = random(seed);
  }

  /** Both ends included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  flag(): 0 | 1 {
    return this.int(0, 1) as 0 | 1;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }

  ints(length: number, least: number, most: number): number[] {
    return Array.from({ length }, () => this.int(least, most));
  }

  shape(rank: number, most = 4): number[] {
    return this.ints(rank, 1, most);
  }

  shuffle<T>(list: readonly T[]): T[] {
    return list
      .map((one) => [this.next(), one] as const)
      .sort(([a], [b]) => a - b)
      .map(([, one]) => one);
  }

  tensor(shape: readonly number[], dtype: DType = "f32", least = -4, most = 4): Tensor {
    const length = shape.reduce((a, b) => a * b, 1);
    const isFloat = dtype === "f32" || dtype === "f64";
    const from = dtype.startsWith("u") ? Math.max(0, least) : least;
    const next =
      dtype === "bool"
        ? () => this.flag()
        : isFloat
          ? () => from + this.next() * (most - from)
          : () => this.int(from, most);
    return tensorOf(shape, Array.from({ length }, next), dtype);
  }

  /** Some sides of a shape as 1, some axes at its front left out. */
  narrower(shape: readonly number[]): number[] {
    return shape.map((side) => (this.int(0, 2) === 0 ? 1 : side)).slice(this.int(0, shape.length));
  }
}

/** Elements of any type from numbers. */
export function tensorOf(shape: readonly number[], elements: readonly number[], dtype: DType = "f32"): Tensor {
  const data = newStored(dtype, elements.length);
  const big = dtype === "i64" || dtype === "u64";
  for (const [i, element] of elements.entries()) data[i] = (big ? BigInt(element) : element) as never;
  return { shape, data: data as TypedArray, dtype };
}

/** A tensor of one axis, of indices if nothing else is said. */
export const list = (values: readonly number[], dtype: DType = "i64"): Tensor =>
  tensorOf([values.length], values, dtype);

// Parts of tensors: cut out for tiles, and put together again.
import type { Field } from "../graph/tiles/seen.ts";
import { sizeOf, stridesOf } from "../graph/values.ts";
import type { Tensor, TypedArray } from "../tensor.ts";

/** What a tile adds to an output. */
export interface PartOfOutput {
  /** The elements that it adds. */
  tensor: Tensor;
  /** Sides of the whole output. */
  shape: readonly number[];
  /** Which axes are rows and columns. */
  axes: readonly [rows: number, columns: number];
  /** Where the part begins in the whole output, in rows. */
  top: number;
  /** Where the part begins in the whole output, in columns. */
  left: number;
  /** The share of tiles that are done, this one among them. */
  done: number;
}

/** A tensor of the same type with other sides. */
export function like<T extends Pick<Tensor, "data">>(tensor: T, shape: readonly number[]): T & Tensor {
  const Class = tensor.data.constructor as new (length: number) => TypedArray;
  return { ...tensor, shape, data: new Class(sizeOf(shape)) };
}

/** A place in a tensor: of its rows and columns, and the first along all other axes. */
export const placed = ({ shape }: Pick<Tensor, "shape">, [rows, columns]: Field, top: number, left: number): number[] =>
  shape.map((_, axis) => (axis === rows ? top : axis === columns ? left : 0));

/** Copies so many elements along each axis from a place in one tensor to one in another. */
export function copyBox(
  from: Tensor,
  to: Tensor,
  counts: readonly number[],
  fromPlace: readonly number[],
  toPlace: readonly number[],
): void {
  const [strides, toStrides] = [stridesOf(from.shape), stridesOf(to.shape)];
  // What lies together in both is copied at once.
  let inner = counts.length - 1;
  while (inner > 0 && counts[inner] === from.shape[inner] && counts[inner] === to.shape[inner]) inner--;
  const run = sizeOf(counts.slice(inner));
  const walk = (axis: number, at: number, target: number): void => {
    const [first, second] = [at + (fromPlace[axis] ?? 0) * (strides[axis] ?? 0), target + (toPlace[axis] ?? 0) * (toStrides[axis] ?? 0)]; // biome-ignore format: a line
    if (axis >= inner) (to.data as Float32Array).set((from.data as Float32Array).subarray(first, first + run), second);
    else for (let i = 0; i < counts[axis]!; i++) walk(axis + 1, first + i * strides[axis]!, second + i * toStrides[axis]!); // biome-ignore format: a line
  };
  walk(0, 0, 0);
}

/**
 * Puts what a tile adds into the whole output, which the first part makes: `whole = placePart(part, whole)`.
 *
 * @returns the whole output, with zeros where no part has been put yet.
 */
export function placePart(
  { tensor, shape, axes, top, left }: PartOfOutput,
  whole: Tensor = like(tensor, shape),
): Tensor {
  copyBox(tensor, whole, tensor.shape, tensor.shape.map(() => 0), placed(tensor, axes, top, left)); // biome-ignore format: a line
  return whole;
}

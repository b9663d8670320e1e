// What quantized operators share: scales and zero points of a whole tensor or of each slice along an axis.
import { refuse } from "../../graph/nodes.ts";
import type { GraphNode, Spec, Value } from "../../graph/types.ts";
import { numbersOf, roundEven, sizeOf } from "../../graph/values.ts";
import type { DType } from "../../tensor.ts";

const ranges: Readonly<Partial<Record<DType, readonly [least: number, most: number]>>> = {
  u8: [0, 255],
  i8: [-128, 127],
  u16: [0, 65535],
  i16: [-32768, 32767],
};

export const quantized = Object.keys(ranges) as DType[];

/** One number, or one for each slice along the axis. */
export function checkPerAxis(node: GraphNode, what: string, { shape }: Spec, slices: number): void {
  if (shape.length <= 1 && (sizeOf(shape) === 1 || sizeOf(shape) === slices)) return;
  refuse(node, `one number or ${slices} as ${what}`, shape);
}

/** Of slice `i`; 0 where it is left out. */
export function perAxis(value: Value | undefined): (slice: number) => number {
  if (!value) return () => 0;
  const numbers = numbersOf(value);
  return numbers.length === 1 ? () => numbers[0]! : (slice) => numbers[slice]!;
}

/** To the nearest integer, halves to the even one, within the type. */
export function saturate(value: number, dtype: DType): number {
  const [least, most] = ranges[dtype]!;
  return Math.min(most, Math.max(least, roundEven(value)));
}

/** The elements of each slice along the first axis after `before` others, less the zero point of the slice. */
export function centred(value: Value, zeroPoint: Value | undefined, slices: number, inner: number): Float64Array {
  const zero = perAxis(zeroPoint);
  return Float64Array.from(numbersOf(value), (x, i) => x - zero(Math.floor(i / inner) % slices));
}

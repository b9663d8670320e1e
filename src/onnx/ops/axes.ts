// Loops over axes: rows, and axes that become one.
import { sizeOf } from "../../graph/values.ts";

/** Visits rows (along the last axis) in order: the position of their first element, and the offset under each strides. */
export function forRows(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (at: number, offsets: readonly number[]) => void,
): void {
  if (sizeOf(shape) === 0) return;
  const index = shape.map(() => 0);
  const offsets = strides.map(() => 0);
  for (let at = 0; ; at += shape.at(-1) ?? 1) {
    visit(at, offsets);
    let axis = shape.length - 2;
    for (; axis >= 0; axis--) {
      const rewind = ++index[axis]! < shape[axis]! ? 0 : shape[axis]!;
      for (let k = 0; k < offsets.length; k++) offsets[k]! += strides[k]![axis]! * (1 - rewind);
      if (rewind === 0) break;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Neighbouring axes that all strides walk through as through one become one, and those of one element none: the fewer rows, the better. */
export function joinAxes(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): { shape: number[]; strides: number[][] } {
  const joined = { shape: [] as number[], strides: strides.map((): number[] => []) };
  shape.forEach((side, axis) => {
    if (side === 1) return;
    const last = joined.shape.length - 1;
    if (last >= 0 && strides.every((one, k) => joined.strides[k]![last] === one[axis]! * side)) {
      joined.shape[last]! *= side;
      for (const [k, one] of strides.entries()) joined.strides[k]![last] = one[axis]!;
    } else {
      joined.shape.push(side);
      for (const [k, one] of strides.entries()) joined.strides[k]!.push(one[axis]!);
    }
  });
  return joined;
}

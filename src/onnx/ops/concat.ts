// Concat: tensors one after the other along an axis.
import { axisOf, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { Operator } from "../../graph/types.ts";
import { elementsOf, isBig, sizeOf } from "../../graph/values.ts";

export const concat: Operator = {
  name: "Concat",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const axis = axisOf(node, numberOf(node, "axis"), shape.length);
    let side = 0;
    inputs.forEach((_, i) => {
      const one = required(node, inputs, i, [dtype]).shape;
      side += one[axis] ?? 0;
      const fits = one.length === shape.length && one.every((size, at) => at === axis || size === shape[at]);
      if (!fits) refuse(node, `inputs like [${shape}] but for axis ${axis}`, one);
    });
    return [{ dtype, shape: shape.with(axis, side) }];
  },
  run: (node, inputs, [y]) => {
    const axis = axisOf(node, numberOf(node, "axis"), y!.shape.length);
    const inner = (shape: readonly number[]): number => sizeOf(shape.slice(axis));
    const out = elementsOf(y!);
    const whole = inner(y!.shape);
    // A view takes longer than the copy of a few elements; but 64-bit integers in the same loop would box all numbers.
    const least = isBig(y!.dtype) ? 0 : 64;
    let start = 0;
    for (const x of inputs) {
      const [block, data] = [inner(x!.shape), elementsOf(x!)];
      for (let from = 0, at = start; from < data.length; from += block, at += whole) {
        if (block < least) for (let i = 0; i < block; i++) out[at + i] = data[from + i]!;
        else out.set(data.subarray(from, from + block), at);
      }
      start += block;
    }
  },
};

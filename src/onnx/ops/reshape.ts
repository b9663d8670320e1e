// Operators that give a tensor another shape or order and are in most networks: Reshape, Squeeze, Unsqueeze, Flatten,
// Transpose and Concat; and Rearrange, which a pass makes of several of them.
import {
  axesOf,
  axisOf,
  integersOf,
  listFrom,
  listOf,
  numberOf,
  refuse,
  required,
  reshaped,
} from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { sizeOf, stridesOf } from "../../graph/values.ts";
import { viewsOf } from "../../graph/views.ts";
import { copying, permuted, viewOf } from "./pick.ts";

/** 0 keeps the side of the input (unless `allowzero`), one -1 stands for what is left. */
function reshapedTo(node: GraphNode, from: readonly number[], sides: readonly number[]): number[] {
  const keep = numberOf(node, "allowzero", 0) === 0;
  const kept = sides.map((side, axis) => (side === 0 && keep ? (from[axis] ?? -2) : side));
  const known = sizeOf(kept.filter((side) => side !== -1));
  const free = kept.indexOf(-1);
  const shape = free < 0 ? kept : kept.with(free, sizeOf(from) / known);
  const fits = sizeOf(shape) === sizeOf(from) && shape.every((side) => Number.isInteger(side) && side >= 0);
  return fits ? shape : refuse(node, `a shape for the elements of [${from}]`, sides);
}

function squeezed(node: GraphNode, inputs: readonly (Spec | undefined)[]): number[] {
  const { shape } = required(node, inputs, 0);
  const given = listFrom(node, inputs, 1, "axes", 13);
  const axes = given && axesOf(node, given, shape.length);
  if (axes?.some((axis) => shape[axis] !== 1)) refuse(node, `axes of 1 in [${shape}]`, axes);
  return shape.filter((side, axis) => (axes ? !axes.includes(axis) : side !== 1));
}

function unsqueezed(node: GraphNode, inputs: readonly (Spec | undefined)[]): number[] {
  const sides = [...required(node, inputs, 0).shape];
  const given = listFrom(node, inputs, 1, "axes", 13) ?? refuse(node, "axes", "none");
  const axes = axesOf(node, given, sides.length + given.length);
  return Array.from({ length: sides.length + axes.length }, (_, axis) => (axes.includes(axis) ? 1 : sides.shift()!));
}

function flattened(node: GraphNode, inputs: readonly (Spec | undefined)[]): number[] {
  const { shape } = required(node, inputs, 0);
  const axis = numberOf(node, "axis", 1);
  const split = axis === shape.length ? axis : axisOf(node, axis, shape.length);
  return [sizeOf(shape.slice(0, split)), sizeOf(shape.slice(split))];
}

function viewing(
  name: string,
  shapeOf: (node: GraphNode, inputs: readonly (Spec | undefined)[]) => readonly number[],
): Operator {
  return {
    name,
    infer: (node, inputs) => [reshaped(required(node, inputs, 0), shapeOf(node, inputs))],
    copies: (node, inputs) => {
      const shape = shapeOf(node, inputs);
      return { views: [viewOf(shape, stridesOf(shape))] };
    },
  };
}

export const reshapes: readonly Operator[] = [
  viewing("Reshape", (node, inputs) => {
    const sides = integersOf(node, required(node, inputs, 1), "shape")!;
    return reshapedTo(node, required(node, inputs, 0).shape, sides);
  }),
  viewing("Squeeze", squeezed),
  viewing("Unsqueeze", unsqueezed),
  viewing("Flatten", flattened),
];

function orderOf(node: GraphNode, { shape }: Spec): number[] {
  const order = axesOf(node, listOf(node, "perm") ?? shape.map((_, axis) => shape.length - 1 - axis), shape.length);
  return order.length === shape.length ? order : refuse(node, `${shape.length} axes as perm`, order);
}

export const transpose = copying(
  "Transpose",
  (node, inputs) => {
    const x = required(node, inputs, 0);
    return [{ dtype: x.dtype, shape: orderOf(node, x).map((axis) => x.shape[axis]!) }];
  },
  (node, inputs) => [permuted(inputs[0]!.shape, orderOf(node, inputs[0]!))],
);

/** Inputs to parts of the output, as the attribute `views` has them; attribute `shape` is that of the output. */
export const rearrange = copying(
  "Rearrange",
  (node, inputs) => [{ dtype: required(node, inputs, 0).dtype, shape: listOf(node, "shape")! }],
  viewsOf,
);

export const concat = copying(
  "Concat",
  (node, inputs) => {
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
  (node, inputs) => {
    const shapes = inputs.map((input) => input!.shape);
    const axis = axisOf(node, numberOf(node, "axis"), shapes[0]!.length);
    const side = shapes.reduce((sum, shape) => sum + shape[axis]!, 0);
    const strides = stridesOf(shapes[0]!.with(axis, side));
    let start = 0;
    return shapes.map((shape, input) => {
      const view = { ...viewOf(shape, stridesOf(shape)), input, to: { offset: start, strides } };
      start += shape[axis]! * strides[axis]!;
      return view;
    });
  },
);

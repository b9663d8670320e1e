// Operators that give a tensor another shape and leave its elements where they are.
import { axesOf, axisOf, integersOf, listFrom, numberOf, refuse, required, reshaped } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { sizeOf } from "../../graph/values.ts";

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
  return { name, infer: (node, inputs) => [reshaped(required(node, inputs, 0), shapeOf(node, inputs))] };
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

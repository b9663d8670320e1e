// Operators of the first converters that ONNX has dropped since (Affine, Crop, ImageScaler), and CenterCropPad.
import { axesOf, floats, integersOf, listOf, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { numbersOf, sizeOf, stridesOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";
import { copying, viewOf } from "./pick.ts";

/** Each element by a factor, plus an offset for each channel. */
function scaling(
  name: string,
  of: (node: GraphNode, x: Spec) => { factor: number; offsets: readonly number[] },
): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0, floats);
      of(node, { dtype, shape });
      return [{ dtype, shape }];
    },
    run: (node, [x], [y]) => {
      const { factor, offsets } = of(node, x!);
      const plane = sizeOf(x!.shape.slice(2));
      write(
        y!,
        Float64Array.from(
          numbersOf(x!),
          (value, i) => factor * value + offsets[Math.floor(i / plane) % offsets.length]!,
        ),
      );
    },
  };
}

const affine = scaling("Affine", (node) => ({
  factor: numberOf(node, "alpha", 1),
  offsets: [numberOf(node, "beta", 0)],
}));

const imageScaler = scaling("ImageScaler", (node, { shape }) => {
  const offsets = listOf(node, "bias") ?? [];
  if (offsets.length !== shape[1]) refuse(node, `${plural(shape[1], "number")} as bias`, offsets);
  return { factor: numberOf(node, "scale", 1), offsets };
});

/** First row and column that stay, and how many. */
function cropOf(node: GraphNode, { shape }: Spec): { top: number; left: number; height: number; width: number } {
  const border = listOf(node, "border") ?? [];
  const [left, top, right, bottom] = border as [number, number, number, number];
  if (shape.length !== 4 || border.length !== 4) refuse(node, "four borders of an input of four axes", border);
  const sides = listOf(node, "scale") ?? [shape[2]! - top - bottom, shape[3]! - left - right];
  const [height, width] = sides as [number, number];
  const fits = [...border, height, width].every((side) => Number.isInteger(side) && side >= 0);
  if (fits && sides.length === 2 && top + height <= shape[2]! && left + width <= shape[3]!)
    return { top, left, height, width };
  return refuse(node, `a part of [${shape}]`, [...border, ...sides]);
}

const crop = copying(
  "Crop",
  (node, inputs) => {
    const x = required(node, inputs, 0);
    const { height, width } = cropOf(node, x);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), height, width] }];
  },
  (node, inputs) => {
    const { shape } = inputs[0]!;
    const { top, left, height, width } = cropOf(node, inputs[0]!);
    const strides = stridesOf(shape);
    return [viewOf([...shape.slice(0, 2), height, width], strides, top * strides[2]! + left)];
  },
);

/** The wanted side of each axis. */
function centredSides(node: GraphNode, inputs: readonly (Spec | undefined)[]): number[] {
  const { shape } = required(node, inputs, 0);
  const wanted = integersOf(node, required(node, inputs, 1, ["i32", "i64"]), "the shape")!;
  const axes = axesOf(node, listOf(node, "axes") ?? shape.map((_, axis) => axis), shape.length);
  if (wanted.length !== axes.length || wanted.some((side) => side < 0)) refuse(node, `${axes.length} sides`, wanted);
  const sides = [...shape];
  axes.forEach((axis, i) => {
    sides[axis] = wanted[i]!;
  });
  return sides;
}

const centerCropPad = copying(
  "CenterCropPad",
  (node, inputs) => [{ dtype: required(node, inputs, 0).dtype, shape: centredSides(node, inputs) }],
  (node, inputs) => {
    const { shape } = inputs[0]!;
    const sides = centredSides(node, inputs);
    const [from, to] = [stridesOf(shape), stridesOf(sides)];
    const begin = (strides: readonly number[], beyond: (axis: number) => number): number =>
      strides.reduce((sum, stride, axis) => sum + stride * Math.max(0, Math.floor(beyond(axis) / 2)), 0);
    const counts = shape.map((side, axis) => Math.min(side, sides[axis]!));
    const view = viewOf(
      counts,
      from,
      begin(from, (axis) => shape[axis]! - sides[axis]!),
    );
    return [{ ...view, to: { offset: begin(to, (axis) => sides[axis]! - shape[axis]!), strides: to } }];
  },
);

export const crops: readonly Operator[] = [affine, imageScaler, crop, centerCropPad];

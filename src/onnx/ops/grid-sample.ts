// GridSample reads an input at the places that a grid names, on two or three axes; AffineGrid makes such a grid of a matrix.
import { floats, integersOf, numberOf, refuse, required } from "../../graph/nodes.ts";
import { samplingOf } from "../../graph/sampling.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { numbersOf, sizeOf, stridesOf, write } from "../../graph/values.ts";
import { tapsAt } from "../../kernels/sample/places.ts";
import type { Sampling } from "../../plan/types.ts";
import { piecesOf } from "./gemm.ts";

type Inputs = readonly (Spec | undefined)[];

/** Sides after the channels. */
function sidesOf(node: GraphNode, inputs: Inputs): readonly number[] {
  const { shape } = required(node, inputs, 0);
  const grid = required(node, inputs, 1, floats).shape;
  const sides = shape.slice(2);
  const axes = sides.length;
  if (axes < 1 || axes > 3 || sizeOf(sides) === 0)
    refuse(node, "an input of one to three axes after the channels", shape);
  const fits = grid.length === shape.length && grid[0] === shape[0] && grid.at(-1) === axes;
  return fits ? sides : refuse(node, `a grid of ${axes} coordinates for [${shape}]`, grid);
}

/** What one place of a grid reads: elements of a plane and their weights. */
function readsAt(
  grid: Float64Array,
  at: number,
  sides: readonly number[],
  of: Sampling,
): [places: number[], weights: number[]] {
  const strides = stridesOf(sides);
  let [places, weights] = [[0], [1]];
  sides.forEach((side, axis) => {
    // The first coordinate is along the last axis.
    const taps = tapsAt(grid[at + sides.length - 1 - axis]!, side, of).filter(([place]) => place >= 0);
    const all = places.flatMap((base, i) =>
      taps.map(([p, w]) => [base + p * strides[axis]!, weights[i]! * w] as const),
    );
    [places, weights] = [all.map(([place]) => place), all.map(([, weight]) => weight)];
  });
  return [places, weights];
}

export const gridSample: Operator = {
  name: "GridSample",
  infer: (node, inputs) => {
    sidesOf(node, inputs);
    samplingOf(node);
    const { dtype, shape } = inputs[0]!;
    return [{ dtype, shape: [...shape.slice(0, 2), ...inputs[1]!.shape.slice(1, -1)] }];
  },
  *run(node, inputs, [y]) {
    const sides = sidesOf(node, inputs);
    const of = samplingOf(node);
    const [data, grid] = [numbersOf(inputs[0]!), numbersOf(inputs[1]!)];
    const [batch, channels] = inputs[0]!.shape as [number, number];
    const [plane, points] = [sizeOf(sides), sizeOf(y!.shape.slice(2))];
    const out = new Float64Array(y!.data.length);
    // A place takes some 64 multiplications for each of those of a channel.
    const part = piecesOf(64 * (channels + 16));
    for (let b = 0; b < batch; b++) {
      for (let p = 0; p < points; p++) {
        if (p % part === 0) yield;
        const [places, weights] = readsAt(grid, (b * points + p) * sides.length, sides, of);
        for (let c = 0; c < channels; c++) {
          const start = (b * channels + c) * plane;
          let sum = 0;
          for (let i = 0; i < places.length; i++) sum += weights[i]! * data[start + places[i]!]!;
          out[(b * channels + c) * points + p] = sum;
        }
      }
    }
    write(y!, out);
  },
};

/** [batch, sides...] of the grid that AffineGrid makes. */
function gridSides(node: GraphNode, inputs: Inputs): readonly number[] {
  const theta = required(node, inputs, 0, floats).shape;
  const [batch = -1, , ...sides] = integersOf(node, required(node, inputs, 1, ["i64"]), "size")!;
  const axes = sides.length;
  if (axes < 2 || axes > 3 || sides.some((side) => side < 0))
    refuse(node, "a size [n, c, h, w] or [n, c, d, h, w]", sides);
  if (`${theta}` !== `${[batch, axes, axes + 1]}`) refuse(node, `theta [${[batch, axes, axes + 1]}]`, theta);
  return [batch, ...sides];
}

/** Where an element of a side lies between -1 and 1. */
function coordinate(i: number, side: number, corners: boolean): number {
  if (corners) return side > 1 ? (2 * i) / (side - 1) - 1 : -1;
  return (2 * i + 1) / side - 1;
}

export const affineGrid: Operator = {
  name: "AffineGrid",
  infer: (node, inputs) => {
    const sides = gridSides(node, inputs);
    return [{ dtype: inputs[0]!.dtype, shape: [...sides, sides.length - 1] }];
  },
  run: (node, inputs, [y]) => {
    const [batch = 0, ...sides] = gridSides(node, inputs);
    const [corners, theta] = [numberOf(node, "align_corners", 0) !== 0, numbersOf(inputs[0]!)];
    const axes = sides.length;
    const along = sides.map((side) => Float64Array.from({ length: side }, (_, i) => coordinate(i, side, corners)));
    const [xs, ys, zs = Float64Array.of(0)] = along.toReversed() as [Float64Array, Float64Array, Float64Array?];
    const out = new Float64Array(y!.data.length);
    for (let b = 0; b < batch; b++)
      for (let row = 0; row < axes; row++) {
        const from = (b * axes + row) * (axes + 1);
        const [byX, byY, byZ] = [theta[from]!, theta[from + 1]!, axes > 2 ? theta[from + 2]! : 0];
        const offset = theta[from + axes]!;
        let at = b * sizeOf(sides) * axes + row;
        for (let k = 0; k < zs.length; k++)
          for (let j = 0; j < ys.length; j++)
            for (let i = 0; i < xs.length; i++, at += axes)
              out[at] = offset + byX * xs[i]! + byY * ys[j]! + byZ * zs[k]!;
      }
    write(y!, out);
  },
};

export const grids: readonly Operator[] = [gridSample, affineGrid];

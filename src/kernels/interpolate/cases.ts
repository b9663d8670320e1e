// Test shapes of the interpolate family: rows of a coarse grid become columns of the picture, as in plans, and columns alone.
import type { Finish, InterpolateSpec, Step } from "../../plan/types.ts";
import type { ViewDType } from "../../tensor.ts";
import { count, type KernelCase, pictureOf, rowsOf } from "../case.ts";
import { tapsBlock } from "../taps/layout.ts";

interface Shape {
  factor: number;
  to?: ViewDType;
  finish?: Finish;
  /** Cells of the coarse grid. */
  cells?: [rows: number, columns: number];
  channels?: number;
  /** Pixels of a row that are wanted; else all. */
  width?: number;
  /** Along columns alone. */
  columns?: boolean;
}

function interpolate(shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { factor, to = "f32", finish, cells: [rows, columns] = [3, 4], channels = 1 } = shape;
  const all = shape.columns ? columns : columns * factor;
  const width = shape.width ?? all;
  // One row and one column of the grid more than there are cells.
  const { input, picture } = pictureOf({
    ...{ width: shape.columns ? all : columns + 1, height: rows + 1, channels, dtype: "f32" },
    range: to === "f32" ? [-1, 1] : [-10, 260],
  });
  const kernel = (axis: InterpolateSpec["axis"], finish?: Finish): InterpolateSpec => ({
    ...{ family: "interpolate", axis, factor, ...(finish && { finish }) },
  });
  const steps: Step[] = [
    ...(shape.columns ? [] : [{ name: "rows", kernel: kernel("row"), reads: ["x"], writes: "wide" }]),
    { name: "columns", kernel: kernel("column", finish), reads: [shape.columns ? "x" : "wide"], writes: "y" },
  ];
  return {
    name: `${factor} times ${rows} x ${columns} x ${channels} to ${to}${finish ? `, gain ${finish.gain}` : ""}${shape.columns ? ", columns" : ""}, width ${width}`,
    grid: { images: 1, extent: rows },
    steps,
    buffers: [
      { ...input, below: 1 },
      ...(shape.columns ? [] : [{ ...rowsOf("wide", "strip", "f32", all, channels), below: 1 }]),
      { ...rowsOf("y", "output", to, width, channels), stride: factor, below: factor - 1 },
    ],
    picture,
    rows: rows * factor,
    ...more,
  };
}

const scaled: Finish = { denominator: 1, gain: 0.7, offset: 3 };
const plain: Finish = { denominator: 1, gain: 1, offset: 0 };

export const cases: readonly KernelCase[] = [
  ...[4, 8, 16, 32, 64].flatMap((factor) => count(1, 4).map((channels) => interpolate({ factor, channels }))),
  ...(["u8", "u16", "i16", "f32"] as const).flatMap((to) =>
    [plain, scaled].map((finish) => interpolate({ factor: 4, to, finish, channels: 3 })),
  ),
  ...count(1, 2 * tapsBlock + 1).map((width) =>
    interpolate({ factor: 4, to: "u8", finish: plain, cells: [2, width], columns: true }),
  ),
  ...count(1, 9).map((width) => interpolate({ factor: 4, cells: [2, Math.ceil(width / 4)], width })),
  interpolate({ factor: 4, to: "u8", finish: plain, cells: [250, 500] }, { name: "benchmark", benchmark: true }),
];

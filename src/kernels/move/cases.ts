// Test shapes of the move family.
import type { MoveLoop, MoveSpec, Position } from "../../plan/types.ts";
import { count, type KernelCase, layerCase } from "../case.ts";
import { pointwiseWindow } from "../layer.ts";
import { turnsOf } from "./kernel.ts";

interface Shape {
  x: readonly number[];
  y: readonly number[];
  /** How often, and along which axes: [axis, step] of what is read (none where it is repeated) and of what is written. */
  loops: [count: number, from: [axis: number, step: number] | undefined, to: [axis: number, step?: number]][];
  from?: Position;
  to?: Position;
}

const along = ([axis, step = 1]: readonly [number, number?]): Position =>
  [0, 1, 2, 3].map((one) => (one === axis ? step : 0)) as Position;

/** Elements that no loop writes are not looked at. */
function move(
  name: string,
  { x, y, loops, from = [0, 0, 0, 0], to = [0, 0, 0, 0] }: Shape,
  more?: Partial<KernelCase>,
) {
  const made = loops.map(
    ([count, read, written]): MoveLoop => ({ count, from: read ? along(read) : [0, 0, 0, 0], to: along(written) }),
  );
  const kernel: MoveSpec = {
    ...{ family: "move", ...pointwiseWindow, whole: true, loops: made, from, to, channels: y[3]! },
  };
  const written = new Set<number>();
  const visit = (depth: number, place: Position): void => {
    const loop = made[depth];
    if (!loop) {
      const [image, row, pixel, channel] = place;
      written.add(((image * y[1]! + row) * y[2]! + pixel) * y[3]! + channel);
      return;
    }
    for (let i = 0; i < loop.count; i++)
      visit(depth + 1, place.map((value, axis) => value + i * loop.to[axis]!) as Position);
  };
  visit(0, to);
  return layerCase(
    name,
    kernel,
    { x, y },
    {
      ...{ grid: { images: 1, extent: turnsOf(kernel) }, counts: (element) => written.has(element) },
      ...more,
    },
  );
}

const [image, row, pixel, channel] = [0, 1, 2, 3];

export const cases: readonly KernelCase[] = [
  ...count(1, 17).map((channels) =>
    move(`copy, ${channels} channels`, {
      ...{ x: [2, 3, 5, channels], y: [2, 3, 5, channels] },
      loops: [
        [2, [image, 1], [image]],
        [3, [row, 1], [row]],
        [5, [pixel, 1], [pixel]],
        [channels, [channel, 1], [channel]],
      ],
    }),
  ),
  move("planes from channels", {
    ...{ x: [2, 5, 7, 6], y: [2, 6, 5, 7] },
    loops: [
      [2, [image, 1], [image]],
      [6, [channel, 1], [row]],
      [5, [row, 1], [pixel]],
      [7, [pixel, 1], [channel]],
    ],
  }),
  move("rows as channels", {
    ...{ x: [1, 6, 7, 3], y: [1, 7, 3, 6] },
    loops: [
      [7, [pixel, 1], [row]],
      [3, [channel, 1], [pixel]],
      [6, [row, 1], [channel]],
    ],
  }),
  move("images as rows", {
    ...{ x: [3, 4, 2, 5], y: [1, 12, 2, 5] },
    loops: [
      [3, [image, 1], [row, 4]],
      [4, [row, 1], [row]],
      [2, [pixel, 1], [pixel]],
      [5, [channel, 1], [channel]],
    ],
  }),
  move("a part, backwards", {
    ...{ x: [1, 6, 9, 8], y: [1, 2, 3, 4], from: [0, 5, 8, 6] },
    loops: [
      [2, [row, -2], [row]],
      [3, [pixel, -3], [pixel]],
      [4, [channel, -2], [channel]],
    ],
  }),
  move("into a part", {
    ...{ x: [1, 2, 3, 4], y: [1, 5, 7, 9], to: [0, 2, 3, 4] },
    loops: [
      [2, [row, 1], [row]],
      [3, [pixel, 1], [pixel]],
      [4, [channel, 1], [channel]],
    ],
  }),
  move("one pixel for all", {
    ...{ x: [1, 1, 1, 5], y: [2, 3, 4, 5] },
    loops: [
      [2, undefined, [image]],
      [3, undefined, [row]],
      [4, undefined, [pixel]],
      [5, [channel, 1], [channel]],
    ],
  }),
  move("blocks from channels", {
    ...{ x: [1, 3, 4, 12], y: [1, 6, 8, 3] },
    loops: [
      [3, [row, 1], [row, 2]],
      [2, [channel, 6], [row]],
      [4, [pixel, 1], [pixel, 2]],
      [2, [channel, 3], [pixel]],
      [3, [channel, 1], [channel]],
    ],
  }),
  move("rows to one row of fewer channels", {
    ...{ x: [1, 3, 4, 6], y: [1, 1, 36, 2] },
    loops: [
      [3, [row, 1], [pixel, 12]],
      [4, [pixel, 1], [pixel, 3]],
      [3, [channel, 2], [pixel]],
      [2, [channel, 1], [channel]],
    ],
  }),
  // Tiles of any number of rows and columns, of what is read by rows or pixels and written by pixels or rows.
  ...count(2, 9).flatMap((n) => [
    move(`${n} channels of planes`, {
      ...{ x: [2, 6, 3, n], y: [2, 3, n, 6] },
      loops: [
        [2, [image, 1], [image]],
        [3, [pixel, 1], [row]],
        [n, [channel, 1], [pixel]],
        [6, [row, 1], [channel]],
      ],
    }),
    move(`rows of ${n} to pixels`, {
      ...{ x: [1, n, 2, 7], y: [1, 1, 7, n] },
      loops: [
        [7, [channel, 1], [pixel]],
        [n, [row, 1], [channel]],
      ],
    }),
    move(`${n} channels to rows`, {
      ...{ x: [2, 2, 5, n], y: [2, n, 2, 5] },
      loops: [
        [2, [image, 1], [image]],
        [n, [channel, 1], [row]],
        [2, [row, 1], [pixel]],
        [5, [pixel, 1], [channel]],
      ],
    }),
    move(`every second of ${n} channels to rows, backwards`, {
      ...{ x: [1, 9, 2, n], y: [1, n, 2, 9], from: [0, 8, 1, 0] },
      loops: [
        [n, [channel, 1], [row]],
        [2, [pixel, -1], [pixel]],
        [9, [row, -1], [channel]],
      ],
    }),
  ]),
  move(
    "benchmark",
    {
      ...{ x: [1, 56, 56, 64], y: [1, 64, 56, 56] },
      loops: [
        [64, [channel, 1], [row]],
        [56, [row, 1], [pixel]],
        [56, [pixel, 1], [channel]],
      ],
    },
    { benchmark: true },
  ),
];

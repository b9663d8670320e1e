// Test shapes of the running-sum family: columns of pixels, rows of sums, and both as a box has them.
import type { BufferSpec, RunningSumSpec, Step } from "../../plan/types.ts";
import type { ViewDType } from "../../tensor.ts";
import { count, type KernelCase, pictureOf, rowsOf } from "../case.ts";
import { stripBuffer } from "../filter.ts";

interface Shape {
  axis: RunningSumSpec["axis"] | "both";
  length: number;
  dtype: ViewDType;
  width?: number;
  height?: number;
  channels?: number;
}

function runningSum(shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { axis, length, dtype, width = 19, height = 8, channels = 1 } = shape;
  const [before, after] = [(length - 1) >> 1, length >> 1];
  const [y, x] = [axis !== "row", axis !== "column"];
  const { input, picture } = pictureOf({
    ...{ width, height, channels, dtype, ...(dtype === "i32" && { range: [-(2 ** 20), 2 ** 20] }) },
    pads: [y ? before : 0, x ? before : 0, y ? after : 0, x ? after : 0],
  });
  const kernel = (axis: RunningSumSpec["axis"]): RunningSumSpec => ({ family: "running-sum", axis, length });
  const between: BufferSpec = stripBuffer("column", "i32", input.width, channels);
  const steps: Step[] = [
    ...(y ? [{ name: "column", kernel: kernel("column"), reads: ["x"], writes: x ? "column" : "y" }] : []),
    ...(x ? [{ name: "row", kernel: kernel("row"), reads: [y ? "column" : "x"], writes: "y" }] : []),
  ];
  return {
    name: `${axis} of ${length}, ${dtype}, ${width} x ${height} x ${channels}`,
    grid: { images: 1, extent: height },
    steps,
    buffers: [input, ...(x && y ? [between] : []), rowsOf("y", "output", "i32", width, channels)],
    picture,
    rows: height,
    ...more,
  };
}

export const cases: readonly KernelCase[] = [
  ...(["u8", "u16", "i16", "i32"] as const).flatMap((dtype) =>
    [2, 3, 8].map((length) => runningSum({ axis: "column", length, dtype, channels: 1 + (length % 3) })),
  ),
  ...[2, 3, 8, 30].flatMap((length) =>
    count(1, 4).map((channels) => runningSum({ axis: "row", length, dtype: "i32", channels })),
  ),
  ...(["u8", "u16", "i16"] as const).map((dtype) => runningSum({ axis: "both", length: 5, dtype, channels: 3 })),
  // A block of columns is 16 sums.
  ...count(1, 33).map((width) => runningSum({ axis: "column", length: 3, dtype: "u8", width })),
  ...count(1, 9).map((width) => runningSum({ axis: "row", length: 4, dtype: "i32", width })),
  ...count(1, 5).map((height) => runningSum({ axis: "both", length: 7, dtype: "u8", height })),
  runningSum(
    { axis: "column", length: 31, dtype: "u8", width: 2000, height: 1000 },
    { name: "benchmark", benchmark: true },
  ),
];

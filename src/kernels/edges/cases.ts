// Test shapes of the edges family: each type under both norms, and every width of a block.
import type { EdgesSpec } from "../../plan/types.ts";
import type { ViewDType } from "../../tensor.ts";
import { count, type KernelCase, pictureOf, rowsOf } from "../case.ts";
import { wordsFor } from "./layout.ts";

interface Shape {
  dtype: ViewDType;
  norm?: EdgesSpec["norm"];
  width?: number;
  height?: number;
  channels?: number;
  range?: readonly [number, number];
}

function edges(shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { dtype, norm = "l1", width = 23, height = 9, channels = 1, range } = shape;
  const { input, picture } = pictureOf({ width, height, channels, dtype, pads: [2, 1, 2, 1], ...(range && { range }) });
  // About half of the crests are weak, so that both thresholds show.
  const size = range?.[1] ?? { u8: 255, u16: 65535, i16: 65535, f32: 1 }[dtype as string]!;
  const bounds = [1.1, 2.3].map((part) => (norm === "l1" ? part * size : (part * size) ** 2 / 1.5));
  const arithmetic = dtype === "u8" || (dtype === "i16" && range) ? "i16" : "f32";
  const kernel: EdgesSpec = { family: "edges", arithmetic, norm, thresholds: bounds as [number, number], height };
  return {
    name: `${norm} of ${dtype}, ${width} x ${height} x ${channels}`,
    grid: { images: 1, extent: height },
    steps: [{ name: "edges", kernel, reads: ["x"], writes: "y" }],
    buffers: [input, rowsOf("y", "output", "u8", 8 * wordsFor(width * channels), 1)],
    picture,
    rows: height,
    ...more,
  };
}

/** Few values, so that neighbours are equal. */
const few = [0, 3] as const;

export const cases: readonly KernelCase[] = [
  ...(["l1", "l2"] as const).flatMap((norm) => [
    ...(["u8", "u16", "i16", "f32"] as const).flatMap((dtype) =>
      count(1, 4).map((channels) => edges({ dtype, norm, channels })),
    ),
    edges({ dtype: "i16", norm, range: [0, 8160] }),
    ...(["u8", "u16"] as const).map((dtype) => edges({ dtype, norm, range: few, width: 40, height: 20 })),
  ]),
  ...count(1, 33).map((width) => edges({ dtype: "u8", width })),
  ...count(1, 9).map((width) => edges({ dtype: "f32", norm: "l2", width, channels: 3 })),
  ...count(1, 5).map((height) => edges({ dtype: "u8", norm: "l2", height })),
  edges({ dtype: "u8", width: 2000, height: 1000 }, { name: "benchmark", benchmark: true }),
];

// Test shapes of the fft family.
import type { FftSpec, Finish } from "../../plan/types.ts";
import { bytesOf, type ViewDType } from "../../tensor.ts";
import { count, type KernelCase, pictureOf, rowsOf } from "../case.ts";
import { valuesOf } from "../filter.ts";
import { block, tilePitch } from "./layout.ts";

interface Shape {
  tile: FftSpec["tile"];
  /** Of the filter. */
  size: [kh: number, kw: number];
  width: number;
  height?: number;
  channels?: number;
  from?: ViewDType;
  to?: ViewDType;
  finish?: Finish;
  terms?: number;
  /** Of integers, in f64. */
  whole?: boolean;
}

const plain: Finish = { denominator: 1, gain: 1, offset: 0 };
/** Smooth numbers of unit sum. */
const smooth = (length: number, term: number): number[] =>
  count(0, length).map((k) => (1 + Math.cos(k + term)) / length);
const integers = (length: number, term: number): number[] => count(0, length).map((k) => ((k * (term + 5)) % 11) - 4);

function fft(shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { tile, size, width, height = 40, channels = 1, from = "u8", to = "u8", finish = plain, terms = 1 } = shape;
  const [vector, arithmetic] = shape.whole ? ([integers, "f64"] as const) : ([smooth, "f32"] as const);
  const rows = tile[0] - size[0] + 1;
  const results = Math.floor((tile[1] - (size[1] - 1) * channels) / block) * block;
  const [top, left] = [(size[0] - 1) >> 1, (size[1] - 1) >> 1];
  // The last tile ends where results end, and reads as far as a tile does.
  const staged = Math.max(width + size[1] - 1, width + Math.ceil((tile[1] - results) / channels));
  const { input, picture } = pictureOf({
    ...{ width, height, channels, dtype: from },
    pads: [top, left, tile[0] - 1 - top, staged - width - left],
  });
  const kernel: FftSpec = {
    ...{ family: "fft", tile, results, arithmetic, finish },
    terms: count(0, terms).map((term) => ({ column: vector(size[0], term), row: vector(size[1], term) })),
  };
  if (shape.whole) {
    const sum = valuesOf(kernel.terms, ...size).reduce((total, tap) => total + tap, 0);
    kernel.whole = { middle: 100, missing: 100 * sum };
  }
  const strip = rowsOf(
    "tile",
    "strip",
    arithmetic,
    (tile[0] * tilePitch(tile[1], arithmetic)) / bytesOf[arithmetic],
    1,
  );
  return {
    name: `${shape.whole ? "integers, " : ""}${size.join(" x ")} in tiles of ${tile.join(" x ")}, ${from} to ${to}, gain ${finish.gain}, ${width} x ${height} x ${channels}`,
    grid: { images: 1, extent: Math.ceil(height / rows) },
    steps: [{ name: "product of spectra", kernel, reads: ["x", "tile"], writes: "y" }],
    buffers: [
      { ...input, stride: rows },
      { ...strip, stride: 0 },
      { ...rowsOf("y", "output", to, width, channels), stride: rows, below: rows - 1 },
    ],
    picture,
    rows: height,
    ...(from === "f64" && { integers: 200 }),
    ...more,
  };
}

const dtypes = ["u8", "u16", "i16"] as const;
const tiles = [
  [16, 16],
  [64, 16],
  [64, 64],
  [16, 256],
  [256, 64],
] as const;
const scaled: Finish = { denominator: 2, gain: 0.7, offset: 3 };

export const cases: readonly KernelCase[] = [
  ...dtypes.flatMap((from) =>
    ([...dtypes, "f32"] as const).flatMap((to) =>
      [plain, scaled].map((finish) => fft({ tile: [16, 64], size: [5, 7], width: 61, from, to, finish })),
    ),
  ),
  ...tiles.map((tile) => fft({ tile: [...tile], size: [9, 1], width: 300, height: 70, terms: 2 })),
  ...([...dtypes, "f64"] as const).flatMap((from) =>
    ([...dtypes, "f32", "f64"] as const).flatMap((to) =>
      [plain, scaled].map((finish) => fft({ tile: [16, 64], size: [5, 7], width: 61, from, to, finish, whole: true })),
    ),
  ),
  ...tiles.map((tile) => fft({ tile: [...tile], size: [9, 1], width: 300, height: 70, terms: 2, whole: true })),
  ...count(1, 4).map((channels) => fft({ tile: [64, 64], size: [7, 9], width: 50, channels, terms: 3, whole: true })),
  ...count(1, 4).map((channels) => fft({ tile: [64, 64], size: [7, 9], width: 50, channels, terms: 3 })),
  // Results of a tile are 48 elements here, and two tiles are transformed as one.
  ...count(48, 2 * 48 + 2).map((width) => fft({ tile: [16, 64], size: [3, 9], width, height: 15 })),
  fft({ tile: [64, 256], size: [31, 31], width: 400, height: 300, to: "f32" }, { name: "benchmark", benchmark: true }),
];

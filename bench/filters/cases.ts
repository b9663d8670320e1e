// What is timed: one entry a case. A case is data; each rival decides whether and how it can do it.

import { generator } from "../random.ts";

export type Work =
  | { kind: "gaussian"; sigma: number; size: number }
  | { kind: "sobel-x" }
  | { kind: "box"; size: number }
  | { kind: "matrix"; rows: number[][] };

export type Border = "reflect" | "edge" | "constant";

export interface Case {
  name: string;
  /** What the table calls it. */
  title: string;
  width: number;
  height: number;
  channels: number;
  work: Work;
  output: "u8" | "i16";
  border: Border;
  /** Relative error of the taps that rank1 may have. */
  tolerance: number;
  /** Levels by which a result may miss the exact value; rounding alone takes 0.5. */
  levels: number;
  threads: readonly number[];
  /** Only rank1 is timed: the case is there to be compared with another of its own. */
  alone: boolean;
}

/** OpenCV's side of a Gaussian for 8-bit pictures, which all rivals are asked for: it ends at 3 σ. */
const gaussianOf = (sigma: number): Work => ({ kind: "gaussian", sigma, size: Math.round(6 * sigma + 1) | 1 });

const gaussianTaps = (size: number, sigma: number): number[] => {
  const taps = Array.from({ length: size }, (_, i) => Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma * sigma)));
  const sum = taps.reduce((a, b) => a + b);
  return taps.map((tap) => tap / sum);
};

/** Real numbers of rank 1, given without a hint of it. */
function rankOne(size: number): Work {
  const taps = gaussianTaps(size, size / 5);
  return { kind: "matrix", rows: taps.map((c) => taps.map((r) => c * r)) };
}

/** A mean with irregular weights: of full rank. */
function fullRank(size: number): Work {
  const random = generator(size);
  const rows = Array.from({ length: size }, () => Array.from({ length: size }, () => 0.25 + random()));
  const sum = rows.flat().reduce((a, b) => a + b);
  return { kind: "matrix", rows: rows.map((row) => row.map((value) => value / sum)) };
}

const base: Omit<Case, "name" | "title" | "work"> = {
  width: 4000,
  height: 3000,
  channels: 1,
  output: "u8",
  border: "reflect",
  tolerance: 0,
  levels: 1.01,
  threads: [1, 2],
  alone: false,
};

const gaussian = (sigma: number): Case => ({
  ...base,
  name: `gaussian-${sigma}`,
  title: `Gaussian σ ${sigma}`,
  work: gaussianOf(sigma),
});

const flat = (sigma: number, alone: boolean): Case => ({
  ...gaussian(sigma),
  name: `gaussian-${sigma}-tolerance`,
  title: `Gaussian σ ${sigma}, tolerance 0.01`,
  tolerance: 0.01,
  levels: 4,
  threads: [1],
  alone,
});

const coloured = (sigma: number, channels: 3 | 4): Case => {
  const name = channels === 3 ? "RGB" : "RGBA";
  return {
    ...gaussian(sigma),
    name: `gaussian-${sigma}-${name.toLowerCase()}`,
    title: `Gaussian σ ${sigma}, ${name}`,
    channels,
    threads: [1],
  };
};

const matrix = (name: string, title: string, work: Work): Case => ({ ...base, name, title, work });

/** Two megapixels in three shapes, whose times tell the cost of borders from that of pixels. */
const bordered = (width: number, height: number, border: Border): Case => ({
  ...gaussian(10),
  name: `border-${border}-${width}x${height}`,
  title: `Gaussian σ 10, border ${border}`,
  width,
  height,
  border,
  threads: [1],
  alone: true,
});

export const cases: readonly Case[] = [
  ...[1, 2, 8].map(gaussian),
  flat(32, false),
  flat(16, true),
  flat(120, true),
  { ...base, name: "sobel-x", title: "Sobel x, u8 → i16", work: { kind: "sobel-x" }, output: "i16", levels: 0 },
  matrix("matrix-7", "7×7 matrix of rank 1", rankOne(7)),
  matrix("matrix-15", "15×15 matrix of rank 1", rankOne(15)),
  matrix("full-15", "15×15 matrix of rank 15", fullRank(15)),
  matrix("full-31", "31×31 matrix of rank 31", fullRank(31)),
  { ...base, name: "box-31", title: "Box 31×31", work: { kind: "box", size: 31 } },
  ...[2, 8].flatMap((sigma) => [coloured(sigma, 3), coloured(sigma, 4)]),
  bordered(1600, 1250, "reflect"),
  bordered(1600, 1250, "edge"),
  bordered(1600, 1250, "constant"),
  bordered(800, 2500, "reflect"),
  bordered(3200, 625, "reflect"),
  {
    ...gaussian(8),
    name: "video",
    title: "Gaussian σ 8, 1280×720 RGBA",
    width: 1280,
    height: 720,
    channels: 4,
    threads: [1],
  },
];

/** The column and the row of a case whose work is known to have them. */
export function columnAndRow(work: Work): { column: number[]; row: number[] } | undefined {
  if (work.kind === "matrix") return undefined;
  if (work.kind === "sobel-x") return { column: [1, 2, 1], row: [-1, 0, 1] };
  const taps = work.kind === "box" ? Array(work.size).fill(1 / work.size) : gaussianTaps(work.size, work.sigma);
  return { column: taps, row: taps };
}

/** The weights of a case as rows. */
export function rowsOf(work: Work): number[][] {
  if (work.kind === "matrix") return work.rows;
  const { column, row } = columnAndRow(work)!;
  return column.map((c) => row.map((r) => c * r));
}

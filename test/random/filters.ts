// Random filters: integers and real numbers of every rank and magnitude, sparse ones, and those that have names.
import type { Filter } from "../../src/index.ts";
import type { Draws } from "./draws.ts";

const named = [
  ...["box:3", "box:size=4x5", "box:31", "box:size=1x64", "binomial:5", "binomial:size=2x31", "gaussian:0.5", "gaussian:1.3"],
  ...["gaussian:sigma=2x5", "gaussian:8",
  "gaussian:sigma=6x12",
  "gaussian:11", "disk:1.3", "disk:4.5", "disk:9", "motion:length=7,angle=30", "sobel-x", "scharr-y"],
  ...["roberts-x", "prewitt-x", "laplacian-4", "laplacian-8", "laplacian-of-gaussian:sigma=1.2", "difference-of-gaussians"],
  ...["derivative-of-gaussian-x:sigma=1.5", "sharpen", "unsharp:1.5", "emboss", "identity", "gabor:sigma=3"],
]; // biome-ignore format: a list

/** `slow`: the engine computes by plain loops, so that large filters take long. */
export function randomFilter(draws: Draws, { slow }: { slow: boolean }): { filter: Filter; kind: string } {
  const { chance, integer, pick } = draws;
  if (chance(0.25)) return { filter: pick(named), kind: "named filter" };
  const most = slow ? 5 : pick([1, 3, 5, 9, 17]);
  const [kh, kw] = pick([
    [integer(1, most), integer(1, most)],
    [most, most],
    [1, integer(1, slow ? 9 : 120)],
    [integer(1, slow ? 9 : 120), 1],
  ] as const);
  if (chance(0.6)) return integers(draws, kh, kw);
  return reals(draws, kh, kw);
}

export const randomSmooth = ({ pick }: Draws): { filter: Filter; kind: string } => ({
  ...{ filter: pick(["gaussian:4", "gaussian:8", "gaussian:sigma=6x12", "gaussian:17"]), kind: "named filter" },
});

function integers(draws: Draws, kh: number, kw: number): { filter: Filter; kind: string } {
  const { chance, integer, pick, next } = draws;
  const most = pick([1, 2, 9, 50, 1000, 40_000, 2 ** 20, 2 ** 33]);
  const positive = chance(0.3);
  const draw = (limit: number) => (): number => integer(positive ? 0 : -limit, limit);
  const rank = integer(1, Math.min(kh, kw));
  if (rank === 1 && chance(0.5)) {
    const draw1 = draw(Math.min(most, 2 ** 20));
    return { filter: { column: list(kh, draw1), row: list(kw, draw1) }, kind: "integers, column and row" };
  }
  if (chance(0.3)) {
    const sparse = draw(most);
    return { filter: grid(kh, kw, () => (next() < 0.6 ? sparse() : 0)), kind: "integers, of full rank" };
  }
  const small = draw(Math.ceil(Math.sqrt(most)));
  return { filter: terms(kh, kw, rank, small), kind: "integers, of a rank" };
}

function reals(draws: Draws, kh: number, kw: number): { filter: Filter; kind: string } {
  const { chance, integer, pick, next } = draws;
  const scale = pick([1, 1, 1 / (kh * kw), 1e-3, 1e4]);
  const positive = chance(0.4);
  const draw = (): number => (positive ? next() : 2 * next() - 1) * scale;
  const form = pick(["full", "rank", "column and row", "units", "gain"] as const);
  if (form === "rank") return { filter: terms(kh, kw, integer(1, Math.min(kh, kw)), draw), kind: "real, of a rank" };
  if (form === "column and row") {
    const filter = { column: list(kh, draw), row: list(kw, draw), gain: pick([1, 0.25]), offset: pick([0, 3]) };
    return { filter, kind: "real, column and row" };
  }
  if (form === "units") return { filter: grid(kh, kw, () => integer(-4, 9) / 9), kind: "integers times a unit" };
  if (form === "gain") {
    const values = list(kh * kw, () => integer(0, 16));
    return { filter: { kh, kw, values, gain: 1 / 64, offset: pick([0, 0.5, 10]) }, kind: "integers with a gain" };
  }
  return { filter: grid(kh, kw, draw), kind: "real, of full rank" };
}

const list = (length: number, draw: () => number): number[] => Array.from({ length }, draw);
const grid = (kh: number, kw: number, draw: () => number): number[][] =>
  Array.from({ length: kh }, () => list(kw, draw));

/** A sum of columns times rows. */
function terms(kh: number, kw: number, rank: number, draw: () => number): number[][] {
  const [columns, rows] = [grid(rank, kh, draw), grid(rank, kw, draw)];
  return Array.from({ length: kh }, (_, i) =>
    Array.from({ length: kw }, (_, j) => columns.reduce((sum, column, k) => sum + column[i]! * rows[k]![j]!, 0)),
  );
}

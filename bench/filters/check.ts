// Whether a result is right: against exact values at sampled points, borders and corners included, and against another
// result everywhere but near the edges, where borders may differ.
import { generator } from "../random.ts";
import { type Border, type Case, rowsOf } from "./cases.ts";
import type { Picture, Pixels } from "./picture.ts";

type Values = Pixels | Float64Array;

/** Multiplications that a check may cost. */
const effort = 2e8;
const mostSamples = 4000;

function indexOf(at: number, length: number, border: Border): number {
  if (at >= 0 && at < length) return at;
  if (border === "constant") return -1;
  if (border === "edge") return at < 0 ? 0 : length - 1;
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const within = ((at % period) + period) % period;
  return within < length ? within : period - within;
}

/** The sum in f64, before rounding, saturated. */
function exactAt(problem: Case, rows: number[][], border: Border, picture: Picture, point: Point): number {
  const { width, height, channels, data } = picture;
  const [kh, kw] = [rows.length, rows[0]!.length];
  let sum = 0;
  for (let i = 0; i < kh; i++) {
    const y = indexOf(point.y + i - (kh >> 1), height, border);
    if (y < 0) continue;
    const row = rows[i]!;
    for (let j = 0; j < kw; j++) {
      const x = indexOf(point.x + j - (kw >> 1), width, border);
      if (x >= 0) sum += row[j]! * data[(y * width + x) * channels + point.c]!;
    }
  }
  return problem.output === "u8" ? Math.min(255, Math.max(0, sum)) : sum;
}

interface Point {
  x: number;
  y: number;
  c: number;
}

/** Seeded points: the corners, then half of them anywhere and half near an edge. */
function pointsOf({ width, height, channels }: Picture, reach: number, count: number): Point[] {
  const random = generator(2);
  const any = (length: number): number => Math.floor(random() * length);
  const near = (length: number): number => (random() < 0.5 ? any(reach + 1) : length - 1 - any(reach + 1));
  const clamp = (at: number, length: number): number => Math.min(length - 1, Math.max(0, at));
  const corners = [0, width - 1].flatMap((x) => [0, height - 1].map((y) => ({ x, y, c: 0 })));
  const others = Array.from({ length: count - corners.length }, (_, i) => {
    const [x, y] = [i % 4 === 1 ? near(width) : any(width), i % 4 === 3 ? near(height) : any(height)];
    return { x: clamp(x, width), y: clamp(y, height), c: any(channels) };
  });
  return [...corners, ...others];
}

/** The largest difference from the exact values, in levels. */
export function errorOf(
  problem: Case,
  border: Border,
  picture: Picture,
  result: Values,
): { samples: number; worst: number } {
  const { width, channels } = picture;
  const length = picture.data.length;
  if (result.length !== length) throw new Error(`a result of ${result.length} elements, not ${length}`);
  const rows = rowsOf(problem.work);
  const samples = Math.max(64, Math.min(mostSamples, Math.round(effort / (rows.length * rows[0]!.length))));
  let worst = 0;
  for (const point of pointsOf(picture, rows.length >> 1, samples)) {
    const exact = exactAt(problem, rows, border, picture, point);
    const value = result[(point.y * width + point.x) * channels + point.c]!;
    const error = Math.abs(value - exact);
    // A result that is no number is as wrong as can be.
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
  }
  return { samples, worst };
}

/** Differences of two results where neither border reaches: `a` may have fewer rows than `b`. */
export function differenceOf(problem: Case, picture: Picture, a: Values, b: Values): { worst: number; mean: number } {
  const { width, height, channels } = picture;
  const reach = rowsOf(problem.work).length >> 1;
  let [worst, sum, count] = [0, 0, 0];
  for (let y = reach; y < height - reach; y++) {
    const [from, to] = [(y * width + reach) * channels, ((y + 1) * width - reach) * channels];
    for (let i = from; i < to; i++) {
      const difference = Math.abs(a[i]! - b[i]!);
      if (!(difference <= worst)) worst = Number.isNaN(difference) ? Infinity : difference;
      sum += difference;
    }
    count += Math.max(0, to - from);
  }
  return { worst, mean: count > 0 ? sum / count : 0 };
}

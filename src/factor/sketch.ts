// Whether the rank of a matrix exceeds a limit, proven in little time: its rows and its columns are added up with random signs
// to few of each, which never raises the rank and hardly ever lowers it (Nelson and Nguyen, "OSNAP", 2013).
import type { CheckedFilter } from "./filter.ts";
import { rankModulo, residuesOf } from "./integers.ts";
import type { Steps } from "./steps.ts";
import { leastSingularValue, norm } from "./svd.ts";

/** To how many sums each row and each column is added. */
const copies = 4;

/** A matrix of sums of rows and of columns of another. */
interface Sketch {
  values: ArrayLike<number>;
  rows: number;
  cols: number;
  /** By how much it may be longer: at most the norm of what sums rows, times that of what sums columns. */
  growth: number;
}

/** Random numbers that are the same at every call: what is proven does not depend on the machine. */
function generator(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Sums of rows of a matrix of `cols` columns, as many as `size`; the matrix itself where it has no more. Transposed. */
function summed({ values, rows, cols, growth }: Sketch, size: number, next: () => number): Sketch {
  const kept = Math.min(rows, size);
  const found = new Float64Array(kept * cols);
  const counts = new Uint32Array(kept);
  for (let i = 0; i < rows; i++) {
    for (let copy = 0; copy < (rows > size ? copies : 1); copy++) {
      const random = next();
      const [sign, to] = rows > size ? [random & 1 ? 1 : -1, (random >>> 1) % size] : [1, i];
      counts[to]!++;
      for (let j = 0; j < cols; j++) found[to * cols + j]! += sign * values[i * cols + j]!;
    }
  }
  const turned = found.map((_, at) => found[(at % kept) * cols + Math.floor(at / kept)]!);
  // The norm of a matrix is at most the root of its largest sum of magnitudes along a row times that along a column.
  const stretch = rows > size ? Math.sqrt(copies * counts.reduce((most, count) => Math.max(most, count), 0)) : 1;
  return { values: turned, rows: cols, cols: kept, growth: growth * stretch };
}

function sketchOf(values: ArrayLike<number>, kh: number, kw: number, limit: number): Sketch {
  const [size, next] = [2 * (limit + 1), generator()];
  return summed(summed({ values, rows: kh, cols: kw, growth: 1 }, size, next), size, next);
}

/** At least this rank, and almost certainly it: of integers, up to `limit` + 1. Takes about kh · kw + limit³ operations. */
export function leastRank(values: readonly number[], kh: number, kw: number, limit: number): number {
  const { values: sums, rows, cols } = sketchOf(residuesOf(values), kh, kw, limit);
  return rankModulo(Array.from(sums), rows, cols, Math.min(rows, cols, limit + 1));
}

/**
 * True where the rank is proven to exceed `limit`: of integers the exact one, else the numerical one, of singular values above
 * `negligible` of the largest.
 */
export function* rankExceeds(
  { values, kh, kw, integer }: CheckedFilter,
  limit: number,
  negligible: number,
): Steps<boolean> {
  if (!values || Math.min(kh, kw) <= limit) return false;
  if (integer) return leastRank(values, kh, kw, limit) > limit;
  const size = norm(values);
  if (size === 0) return false;
  const sketch = sketchOf(values, kh, kw, limit);
  yield;
  const least = yield* leastSingularValue(sketch.values, sketch.rows, sketch.cols, limit + 1);
  return least > 16 * negligible * size * sketch.growth;
}

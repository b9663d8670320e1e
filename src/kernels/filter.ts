// What the solvers of image filters share: the buffers at both ends, the bounds that allow integer arithmetic, and the
// error of a truncated filter.
import { grainFor } from "../plan/cost.ts";
import type { Arithmetic, BufferSpec, Draft, FilterProblem, Finish, Profile, Step, Term } from "../plan/types.ts";
import { rangeOf, type ViewDType } from "../tensor.ts";

/** The largest magnitude that an input element can have; unbounded for floats. */
export function largestInput({ x, window }: FilterProblem): number {
  if (x.dtype === "f32") return Infinity;
  return Math.max(Math.abs(rangeOf[x.dtype][0]), rangeOf[x.dtype][1], Math.abs(window.borderValue));
}

const sumOfMagnitudes = (taps: readonly number[]): number => taps.reduce((sum, tap) => sum + Math.abs(tap), 0);

/** Integer arithmetic where input and taps are integers and no sum can leave 32 bits; else floating point. */
export function arithmeticFor(problem: FilterProblem, gains: readonly number[]): Arithmetic {
  const { factors, x, window, alpha } = problem;
  const exact = factors.integer && x.dtype !== "f32" && Number.isInteger(window.borderValue) && alpha !== "premultiply";
  const largest = largestInput(problem) * gains.reduce((sum, gain) => sum + gain, 0);
  return exact && largest < 2 ** 31 ? "i32" : "f32";
}

export const directGain = (values: readonly number[]): number[] => [sumOfMagnitudes(values)];
export const termGains = (terms: readonly Term[]): number[] =>
  terms.map(({ column, row }) => sumOfMagnitudes(column) * sumOfMagnitudes(row));

/** The caller's rows at both ends; a premultiplied picture is staged in f32. */
export function filterBuffers({ x, y, window, alpha }: FilterProblem): { input: BufferSpec; output: BufferSpec } {
  const [top, left, bottom, right] = window.pads;
  const [, width, channels] = x.shape as [number, number, number];
  const staged = (dtype: ViewDType): ViewDType => (alpha === "premultiply" ? "f32" : dtype);
  return {
    input: {
      ...{ id: "x", scope: "input", dtype: staged(x.dtype), width: left + width + right, channels },
      ...{ stride: 1, above: top, below: bottom, left, right },
    },
    output: { id: "y", scope: "output", dtype: staged(y.dtype), width, channels, stride: 1, above: 0, below: 0 },
  };
}

/** A strip buffer of intermediate sums, `width` pixels wide. */
export function stripBuffer(id: string, arithmetic: Arithmetic, width: number, channels: number): BufferSpec {
  return { id, scope: "strip", dtype: arithmetic, width, channels, stride: 1, above: 0, below: 0 };
}

export const finishOf = ({ gain, offset }: FilterProblem, denominator = 1): Finish => ({ denominator, gain, offset });

/** One stage over all rows of the picture. */
export function filterDraft(
  { x }: FilterProblem,
  profile: Profile,
  summary: string,
  steps: Step[],
  buffers: BufferSpec[],
  { error = { relative: 0, maxAbs: 0 }, leastGrain = 4 }: { error?: Draft["error"]; leastGrain?: number } = {},
): Draft {
  const extent = x.shape[0]!;
  const grid = { images: 1, extent, grain: grainFor(buffers, extent, profile, leastGrain) };
  return { summary, stages: [{ grid, steps }], buffers, error };
}

/** The largest error of one output, where the taps differ from the filter's by `difference`. */
export function worstError(problem: FilterProblem, difference: readonly number[]): number {
  const { x, gain } = problem;
  if (x.dtype === "f32") return Infinity;
  const [low, high] = rangeOf[x.dtype];
  const extreme = (sign: number): number =>
    difference.reduce((sum, d) => sum + Math.max(sign * d * low, sign * d * high), 0);
  return Math.abs(gain) * Math.max(extreme(1), extreme(-1));
}

/** Row-major values of a sum of terms. */
export function valuesOf(terms: readonly Term[], kh: number, kw: number): number[] {
  const values = new Array<number>(kh * kw).fill(0);
  for (const { column, row } of terms) {
    for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) values[i * kw + j]! += column[i]! * row[j]!;
  }
  return values;
}

// What the solvers of image filters share: the buffers at both ends, the bounds that allow integer arithmetic, and the
// error of a truncated filter.
import { grainFor } from "../plan/cost.ts";
import { comparesWithOwn, tapSum } from "../plan/taps.ts";
import type { Arithmetic, BufferSpec, Draft, FilterProblem, Finish, Profile, Step, Term } from "../plan/types.ts";
import { type ImageDType, isFloat, isWide, rangeOf, type ViewDType } from "../tensor.ts";
import { finishKind, shiftOf } from "./taps/layout.ts";
import { finishValue } from "./taps/reference.ts";

/** The least and the greatest pixel that there may be, beyond the edges too; of floats those from -1 to 1 are meant. */
export function pixelRange({ x, window }: FilterProblem): [least: number, most: number] {
  const [low, high] = isFloat(x.dtype) ? [-1, 1] : rangeOf[x.dtype];
  return [Math.min(low, window.borderValue), Math.max(high, window.borderValue)];
}

/** The least and the greatest value of Σ tap · input, over all such pixels. */
function sumRange(problem: FilterProblem, taps: readonly number[]): [number, number] {
  const [least, most] = pixelRange(problem);
  let [from, to] = [0, 0];
  for (const tap of taps) {
    from += tap > 0 ? tap * least : tap * most;
    to += tap > 0 ? tap * most : tap * least;
  }
  return [from, to];
}

/** Σ of all integer taps' products: the filter's values times `denominator`, or two taps that bound it. */
function wholeTaps({ factors }: FilterProblem, denominator: number): number[] {
  if (factors.values) return factors.values.map((value) => value * denominator);
  const part = (taps: readonly number[], sign: number): number =>
    taps.reduce((sum, t) => sum + Math.max(0, sign * t), 0);
  const [column, row] = [factors.terms[0]?.column ?? [], factors.terms[0]?.row ?? []];
  const positive = part(column, 1) * part(row, 1) + part(column, -1) * part(row, -1);
  const negative = part(column, 1) * part(row, -1) + part(column, -1) * part(row, 1);
  return [positive, -negative];
}

/** Above this many taps a direct plan is hopeless beside any other, and its list of taps a burden. */
export const mostTaps = 1 << 16;
export const isDirect = ([kh, kw]: FilterProblem["window"]["size"]): boolean => kh * kw <= mostTaps;

/** Whether sums are integers: those of integer taps and integer pixels. */
export const isOfIntegers = (problem: FilterProblem): boolean =>
  problem.factors.integer &&
  !isFloat(problem.x.dtype) &&
  Number.isInteger(problem.window.borderValue) &&
  !isWeighted(problem);

/** Whether sums are exact in some arithmetic: integers that f64 holds. `denominator`: of the terms used. */
export const isExact = (problem: FilterProblem, denominator: number): boolean =>
  isOfIntegers(problem) && Math.max(...sumRange(problem, wholeTaps(problem, denominator)).map(Math.abs)) <= 2 ** 53;

/**
 * The narrowest arithmetic that is exact: integers of 16 or 32 bits where input and taps are integers and the final sum
 * fits (sums in between may wrap around and come back), f64 where its integers suffice, else f32; and f64 where
 * f32 does not hold what goes in or comes out. `denominator`: of the terms used.
 */
export function arithmeticFor(problem: FilterProblem, denominator: number): Exclude<Arithmetic, "fixed"> {
  const { y } = problem;
  if (isInDoubles(problem)) return "f64";
  if (!isOfIntegers(problem)) return "f32";
  const range = sumRange(problem, wholeTaps(problem, denominator));
  const finish = finishOf(problem, denominator);
  const shift = shiftOf(finish);
  const rounding = shift === undefined ? 0 : finish.offset * 2 ** shift + 2 ** (shift - 1);
  const [low, high] = [Math.min(range[0], range[0] + rounding), Math.max(range[1], range[1] + rounding)];
  const fitting = low >= -32768 && high <= 32767 ? "i16" : low >= 0 && high <= 65535 ? "u16" : undefined;
  if (
    fitting &&
    (shift ?? 0) < 16 &&
    (finishKind(finish, fitting) !== "affine" || f32Finishes(finish, range, stagedIn(problem, y.dtype)))
  )
    return fitting;
  if (low >= -(2 ** 31) && high < 2 ** 31) return "i32";
  return Math.max(...range.map(Math.abs)) <= 2 ** 53 ? "f64" : "f32";
}

/** Whether scaling in f32, as the generated code does it for 16-bit sums, gives the specified result for every sum. */
function f32Finishes(finish: Finish, [low, high]: readonly [number, number], dtype: ViewDType): boolean {
  const scale = Math.fround(finish.gain / finish.denominator);
  if (dtype === "f32") {
    for (let sum = low; sum <= high; sum++) {
      const result = Math.fround(Math.fround(sum * scale) + Math.fround(finish.offset));
      if (result !== Math.fround(finishValue(sum, finish, dtype))) return false;
    }
    return true;
  }
  const [gain, offset] = [scale, Math.fround(finish.offset + 0.5)];
  const [least, most] = rangeOf[dtype as ImageDType];
  for (let sum = low; sum <= high; sum++) {
    const result = Math.floor(Math.fround(Math.fround(sum * gain) + offset));
    if (Math.min(most, Math.max(least, result)) !== finishValue(sum, finish, dtype)) return false;
  }
  return true;
}

/** Whether a filter is computed in f64, since f32 does not hold what goes in or comes out. */
export const isInDoubles = ({ x, y }: FilterProblem): boolean => isWide(x.dtype) || isWide(y.dtype);

/** Why solvers refuse a filter that is computed in f64. */
export const onlyTapsInDoubles = "f32 does not hold the numbers: they are summed in f64, tap by tap";

/** Pixels count by weights: results are weighted means, staged in f32 or f64 with the weights. */
export const isWeighted = ({ alpha, known }: Pick<FilterProblem, "alpha" | "known">): boolean =>
  alpha === "premultiply" || known !== undefined;

/** Channels as they are staged: where some pixels may be unknown, a last one says how well each is known; alpha that is kept is left out. */
const stagedChannels = ({ x, alpha, known }: FilterProblem): number =>
  x.shape[2]! + Number(known !== undefined && alpha !== "keep");

/**
 * What elements of a type are within a program: f64 where either end is wide, f32 of pixels that have weights, and i16 of i8.
 * The rows of the caller's arrays are converted where they are moved.
 */
function stagedIn(problem: FilterProblem, dtype: ImageDType): ViewDType {
  if (isInDoubles(problem)) return "f64";
  if (isWeighted(problem)) return "f32";
  return dtype === "i8" ? "i16" : dtype;
}

/** The caller's rows at both ends, in the types that the program computes with. */
export function filterBuffers(problem: FilterProblem): { input: BufferSpec; output: BufferSpec } {
  const { x, y, window } = problem;
  const [top, left, bottom, right] = window.pads;
  const [width, channels] = [y.shape[1]!, stagedChannels(problem)];
  return {
    input: {
      ...{ id: "x", scope: "input", dtype: stagedIn(problem, x.dtype), width: left + width + right, channels },
      ...{ stride: 1, above: top, below: bottom, left, right },
    },
    output: {
      id: "y",
      scope: "output",
      dtype: stagedIn(problem, y.dtype),
      width,
      channels,
      stride: 1,
      above: 0,
      below: 0,
    },
  };
}

/** A strip buffer of intermediate sums, `width` pixels wide; in fixed point also of pairs of values of 16 bits. */
export function stripBuffer(id: string, arithmetic: Arithmetic, width: number, channels: number): BufferSpec {
  return {
    id,
    scope: "strip",
    dtype: arithmetic === "fixed" ? "i32" : arithmetic,
    width,
    channels,
    stride: 1,
    above: 0,
    below: 0,
  };
}

/** Near a number: scaling by it rounds nothing. */
const powerOfTwo = (value: number): number => Math.sign(value) * 2 ** Math.round(Math.log2(Math.abs(value)));

/**
 * What finishes a filter's sums. Under premultiplied alpha they become means, of alpha too; where pixels may be unknown they stay
 * near that, since only their ratios matter. Gain and offset come after the division.
 */
export function finishOf(problem: FilterProblem, denominator = 1): Finish {
  if (problem.known) return { denominator: 1, gain: powerOfTwo(1 / (tapSum(problem) * denominator)), offset: 0 };
  if (comparesWithOwn(problem)) return { denominator, gain: 1, offset: 0 };
  if (problem.alpha === "premultiply") return { denominator, gain: 1 / tapSum(problem), offset: 0 };
  return { denominator, gain: problem.gain, offset: problem.offset };
}

/** One stage over all rows of the result. */
export function filterDraft(
  { y }: FilterProblem,
  profile: Profile,
  summary: string,
  steps: Step[],
  buffers: BufferSpec[],
  { error = { relative: 0, maxAbs: 0 }, leastGrain = 4 }: { error?: Draft["error"]; leastGrain?: number } = {},
): Draft {
  const extent = y.shape[0]!;
  const grid = { images: 1, extent, grain: grainFor(buffers, extent, profile, leastGrain) };
  return { summary, stages: [{ grid, steps }], buffers, error };
}

/** More taps than this in one f32 sum would gather more rounding than 16-bit results can bear. */
export const longestSum = 96;

/** A step of many taps in floating point as several, each of which adds its own sum to those before in `partial`. */
export function splitSums(step: Step, partial: string): Step[] {
  const { kernel, name, reads, writes } = step;
  if (kernel.family !== "taps" || kernel.arithmetic !== "f32" || kernel.taps.length <= longestSum) return [step];
  const count = Math.ceil(kernel.taps.length / longestSum);
  return Array.from({ length: count }, (_, index) => {
    const last = index === count - 1;
    const { mean, ...sum } = kernel;
    const taps = kernel.taps.slice(index * longestSum, (index + 1) * longestSum);
    return {
      name: `${name} (${index + 1} of ${count})`,
      kernel: { ...sum, taps, finish: last ? kernel.finish : undefined, ...(last && mean && { mean }) },
      reads: [reads[0]!, ...(index === 0 ? [] : [partial]), ...(last && mean ? [reads.at(-1)!] : [])],
      writes: last ? writes : partial,
    };
  });
}

/** What a sum is multiplied by, at most, to become a result: by the gain; alpha, a result too, by one over the taps' sum. */
export const largestScale = (problem: FilterProblem): number =>
  Math.max(Math.abs(problem.gain), filtersAlpha(problem) ? Math.abs(1 / tapSum(problem)) : 0);

const filtersAlpha = (problem: FilterProblem): boolean => problem.alpha === "premultiply" && !comparesWithOwn(problem);

/** By how much at most other taps than the filter's move a result, for each unit that they move a sum: of two where pixels have weights. */
export const errorScale = (problem: FilterProblem): number => (isWeighted(problem) ? 2 : 1) * largestScale(problem);

/** The largest error of one output, where the taps differ from the filter's by `difference`. */
export const worstError = (problem: FilterProblem, difference: readonly number[]): number =>
  errorScale(problem) * Math.max(...sumRange(problem, difference).map(Math.abs));

/** Row-major values of a sum of terms. */
export function valuesOf(terms: readonly Term[], kh: number, kw: number): number[] {
  const values = new Array<number>(kh * kw).fill(0);
  for (const { column, row } of terms) {
    for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) values[i * kw + j]! += column[i]! * row[j]!;
  }
  return values;
}

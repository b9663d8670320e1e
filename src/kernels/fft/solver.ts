// Proposes filters of many taps and of any rank as products of spectra, in tiles of the size that costs least.
import { linesOf } from "../../factor/passes.ts";
import { grainFor } from "../../plan/cost.ts";
import { comparesWithOwn } from "../../plan/taps.ts";
import type { BufferSpec, Draft, FftSpec, FilterProblem, Profile, Solver } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import {
  arithmeticFor,
  filterBuffers,
  finishOf,
  isExact,
  isInDoubles,
  onlyTapsInDoubles,
  pixelRange,
  valuesOf,
  worstError,
} from "../filter.ts";
import { largestSum, roundingError } from "../rounding.ts";
import { multiplicationsIn } from "./kernel.ts";
import { block, tilePitch } from "./layout.ts";

/** Powers of four. */
const sides = [64, 256, 1024];

/** A tile and a filter's spectrum, eight bytes for each element of either, should stay in a cache of the second level. */
const mostElements = 1 << 16;

/** Results of one row of tiles: what a thread does, and holds in memory, at once. */
const mostResults = 3 << 20;

/** A tile, and how many of its rows and of the elements of each are results. */
interface Tile {
  size: FftSpec["tile"];
  rows: number;
  results: number;
}

export const products: Solver<FilterProblem> = {
  name: "fft",
  kind: "filter",
  propose(problem, profile) {
    const { x, factors, known } = problem;
    if (x.dtype === "f32" || x.dtype === "f64") return { why: "a NaN would touch its neighbours' outputs" };
    if (problem.alpha === "premultiply" && !comparesWithOwn(problem))
      return { why: "rounding would colour what is transparent" };
    if (known) return { why: "rounding would know of what is unknown" };
    if (factors.terms.length === 0) return { why: "the filter is zero" };
    const tile = bestTile(problem);
    if (typeof tile === "string") return { why: tile };
    const found = [inFloats(problem, profile, tile), inIntegers(problem, profile, tile)];
    const drafts = found.filter((one) => typeof one !== "string");
    return drafts.length > 0 ? drafts : { why: found.join("; ") };
  },
};

/** In f32, or why not. */
function inFloats(problem: FilterProblem, profile: Profile, tile: Tile): Draft | string {
  const { window, factors, tolerance } = problem;
  const { terms, denominator } = factors;
  if (isInDoubles(problem)) return onlyTapsInDoubles;
  const compares = comparesWithOwn(problem);
  // What a transform rounds, of the largest that sums can be: many times what was measured.
  const rounding = 2 ** -23 * Math.log2(tile.size[0] * tile.size[1]);
  const integers = arithmeticFor(problem, denominator) !== "f32";
  if (integers && tolerance < rounding) return "in f32 sums of integers would not be exact, and no tolerance is given";
  const taps = valuesOf(terms, ...window.size).map((tap) => tap / denominator);
  const finishing = roundingError(problem, { largest: largestSum(problem, terms) / denominator, roundings: 0 });
  // Of colours that are compared, those of alpha come in as well.
  const maxAbs = (compares ? 2 : 1) * rounding * worstError(problem, taps) + finishing;
  const error = { relative: integers ? rounding : 0, maxAbs };
  const finish = finishOf(problem, denominator);
  return draftOf(problem, profile, tile, { terms, arithmetic: "f32", finish }, { error });
}

/** Integers in f64, where rounding leaves no doubt of which integer a sum is; or why not. */
function inIntegers(problem: FilterProblem, profile: Profile, tile: Tile): Draft | string {
  const { factors, window } = problem;
  const [kh, kw] = window.size;
  const denominator = factors.values ? 1 : factors.denominator;
  if (!isExact(problem, denominator)) return "sums are no integers of 53 bits";
  const terms = factors.values ? linesOf(factors.values, kh, kw) : factors.terms;
  const values = factors.values ?? valuesOf(terms, kh, kw);
  const [least, most] = pixelRange(problem);
  const middle = Math.ceil((least + most) / 2);
  const missed = missedAtMost(tile.size, values, middle - least);
  if (!(missed < 0.5)) return "rounding might take sums of such integers for others";
  const whole = { middle, missing: middle * values.reduce((sum, tap) => sum + tap, 0) };
  const spec = { terms, arithmetic: "f64", whole, finish: finishOf(problem, denominator) } as const;
  return draftOf(problem, profile, tile, spec, { variant: "exact", error: { relative: 0, maxAbs: 0 } });
}

/**
 * A bound of what products of spectra in f64 miss sums by, of pixels of at most `largest`, two tiles being one of complex numbers:
 * it is |x|₂ · |taps|₂ times what is rounded, relative, in the transforms there, of the taps, and back (Cauchy and Schwarz). In
 * units of 2^-53 a pass of radix 4 rounds by 2 in its two additions, √5 in a product of complex numbers (Brent, Percival and
 * Zimmermann, Error bounds on complex floating-point multiplication, 2007), 4 in its factors (measured: below 2).
 */
function missedAtMost([height, width]: FftSpec["tile"], taps: readonly number[], largest: number): number {
  const passes = Math.log2(height * width) / 2;
  const rounding = 2 ** -53 * 1.01 * (3 * passes * (2 + Math.sqrt(5) + 4) + Math.sqrt(5));
  return rounding * largest * Math.sqrt(2 * height * width) * Math.sqrt(taps.reduce((sum, tap) => sum + tap ** 2, 0));
}

function draftOf(
  problem: FilterProblem,
  profile: Profile,
  { size, rows, results }: Tile,
  spec: Pick<FftSpec, "terms" | "arithmetic" | "whole" | "finish">,
  said: Pick<Draft, "variant" | "error">,
): Draft {
  const { y, window } = problem;
  const [height, width, channels] = y.shape as [number, number, number];
  const { arithmetic } = spec;
  const { input, output } = filterBuffers(problem);
  // The last tile ends where results end; what it reads beyond the window is staged too, lest rounding depend on it.
  const staged = Math.max(input.width, width + Math.ceil((size[1] - results) / channels));
  const elements = (size[0] * tilePitch(size[1], arithmetic)) / bytesOf[arithmetic];
  const buffers: BufferSpec[] = [
    {
      ...input,
      ...{ width: staged, right: staged - width - window.pads[1], stride: rows },
      below: size[0] - 1 - window.pads[0],
    },
    {
      ...{ id: "tile", scope: "strip", dtype: arithmetic, width: elements, channels: 1 },
      ...{ stride: 0, above: 0, below: 0 },
    },
    { ...output, stride: rows, below: rows - 1 },
  ];
  const kernel: FftSpec = { family: "fft", tile: size, results, ...spec };
  const extent = Math.ceil(height / rows);
  const grid = { images: 1, extent, grain: grainFor(buffers, extent, profile, 1) };
  const steps = [{ name: "product of spectra", kernel, reads: ["x", "tile"], writes: "y" }];
  const summary = `spectra of tiles of ${size.join(" x ")}${arithmetic === "f64" ? " in f64" : ""}`;
  return { ...said, summary, stages: [{ grid, steps }], buffers };
}

/** The tile that makes least work of the result, or why there is none: the filter is too large, or the result too narrow. */
function bestTile({ y, window }: FilterProblem): Tile | string {
  const [height, width, channels] = y.shape as [number, number, number];
  const [kh, kw] = window.size;
  const holding = sides
    .flatMap((h) => sides.map((w): FftSpec["tile"] => [h, w]))
    .map((size): Tile => {
      const results = Math.floor((size[1] - (kw - 1) * channels) / block) * block;
      return { size, rows: size[0] - kh + 1, results };
    })
    .filter(({ size: [h, w], rows, results }) => rows > 0 && results > 0 && h * w <= mostElements);
  if (holding.length === 0) return `no tile holds a filter of ${kh} x ${kw}`;
  const fitting = holding.filter(({ rows, results }) => {
    return results <= width * channels && rows * width * channels <= mostResults;
  });
  if (fitting.length === 0) {
    const least = Math.ceil(Math.min(...holding.map(({ results }) => results)) / channels);
    return width < least
      ? `a tile's results are ${least} pixels wide, the picture only ${width}`
      : `a row of tiles would be more than ${mostResults} results`;
  }
  const work = ({ size, rows, results }: Tile): number => {
    const tiles = Math.ceil(height / rows) * Math.ceil((width * channels) / results / 2);
    return tiles * size[0] * size[1] * multiplicationsIn(size);
  };
  return fitting.sort((a, b) => work(a) - work(b))[0]!;
}

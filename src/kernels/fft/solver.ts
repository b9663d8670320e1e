// Proposes filters of many taps and of any rank as products of spectra, in tiles of the size that costs least.
import { grainFor } from "../../plan/cost.ts";
import { comparesWithOwn } from "../../plan/taps.ts";
import type { BufferSpec, FftSpec, FilterProblem, Solver } from "../../plan/types.ts";
import {
  arithmeticFor,
  filterBuffers,
  finishOf,
  isInDoubles,
  onlyTapsInDoubles,
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
    const { x, y, window, factors, tolerance, known } = problem;
    const { terms, denominator } = factors;
    const [height, width, channels] = y.shape as [number, number, number];
    if (isInDoubles(problem)) return { why: onlyTapsInDoubles };
    if (x.dtype === "f32") return { why: "a NaN would touch its neighbours' outputs" };
    const compares = comparesWithOwn(problem);
    if (problem.alpha === "premultiply" && !compares) return { why: "rounding would colour what is transparent" };
    if (known) return { why: "rounding would know of what is unknown" };
    if (terms.length === 0) return { why: "the filter is zero" };
    const tile = bestTile(problem);
    if (typeof tile === "string") return { why: tile };
    const { size, rows, results } = tile;
    // What a transform rounds, of the largest that sums can be: many times what was measured.
    const rounding = 2 ** -23 * Math.log2(size[0] * size[1]);
    const integers = arithmeticFor(problem, denominator) !== "f32";
    if (integers && tolerance < rounding) return { why: "sums of integers are exact, and no tolerance is given" };
    const taps = valuesOf(terms, ...window.size).map((tap) => tap / denominator);
    const finish = finishOf(problem, denominator);
    const finishing = roundingError(problem, { largest: largestSum(problem, terms) / denominator, roundings: 0 });
    // Of colours that are compared, those of alpha come in as well.
    const maxAbs = (compares ? 2 : 1) * rounding * worstError(problem, taps) + finishing;
    const error = { relative: integers ? rounding : 0, maxAbs };

    const { input, output } = filterBuffers(problem);
    // The last tile ends where results end; what it reads beyond the window is staged too, lest rounding depend on it.
    const staged = Math.max(input.width, width + Math.ceil((size[1] - results) / channels));
    const buffers: BufferSpec[] = [
      {
        ...input,
        ...{ width: staged, right: staged - width - window.pads[1], stride: rows },
        below: size[0] - 1 - window.pads[0],
      },
      {
        ...{ id: "tile", scope: "strip", dtype: "f32", width: (size[0] * tilePitch(size[1])) / 4, channels: 1 },
        ...{ stride: 0, above: 0, below: 0 },
      },
      { ...output, stride: rows, below: rows - 1 },
    ];
    const kernel: FftSpec = { family: "fft", tile: size, results, terms, arithmetic: "f32", finish };
    const extent = Math.ceil(height / rows);
    const grid = { images: 1, extent, grain: grainFor(buffers, extent, profile, 1) };
    const steps = [{ name: "product of spectra", kernel, reads: ["x", "tile"], writes: "y" }];
    const summary = `spectra of tiles of ${size.join(" x ")}`;
    return [{ summary, stages: [{ grid, steps }], buffers, error }];
  },
};

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

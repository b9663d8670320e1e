// Proposes large smooth filters of rank 1 (wide Gaussians) on a coarse grid, under a tolerance: decimate, filter, interpolate.
// The cost hardly depends on the filter's size.
import { grainFor } from "../../plan/cost.ts";
import type { BufferSpec, Draft, FilterProblem, Profile, Solver, Stage, Step, Term } from "../../plan/types.ts";
import { errorScale, filterBuffers, finishOf, isInDoubles, onlyTapsInDoubles, stripBuffer } from "../filter.ts";
import { largestPixel, largestSum, roundingError, roundingsOf } from "../rounding.ts";
import { type CoarseFit, coarseError, fitCoarse, triangle } from "./fit.ts";

/** Grids that are tried, coarsest first. */
const factors = [64, 32, 16, 8, 4];

export const coarse: Solver<FilterProblem> = {
  name: "coarse",
  kind: "filter",
  propose(problem, profile) {
    const { factors: found, tolerance, x, known } = problem;
    const [term, ...others] = found.terms;
    if (tolerance === 0) return { why: "it approximates, and no tolerance is given" };
    if (!term || others.length > 0) return { why: "it needs a filter of rank 1" };
    if (isInDoubles(problem)) return { why: onlyTapsInDoubles };
    if (known) return { why: "what it leaves of unknown pixels is not quite zero" };
    if (x.dtype === "f32") return { why: "a NaN would touch its neighbours' outputs" };
    const exact = { column: term.column.map((tap) => tap / found.denominator), row: term.row };
    if (![exact.column, exact.row].every((taps) => taps.length % 2 === 1 && taps.length >= 4 * factors.at(-1)!)) {
      return { why: "column or row is short or even" };
    }
    for (const factor of factors) {
      if (Math.min(exact.column.length, exact.row.length) < 4 * factor) continue;
      const [column, row] = [fitCoarse(exact.column, factor), fitCoarse(exact.row, factor)];
      const { relative, difference } = coarseError(column, row, exact);
      if (relative > tolerance) continue;
      const largest = largestSum(problem, [exact]);
      const roundings =
        2 * roundingsOf(2 * factor) + roundingsOf(column.taps.length) + roundingsOf(row.taps.length) + 4;
      const rounding = roundingError(problem, { largest, roundings });
      const error = { relative, maxAbs: errorScale(problem) * difference * largestPixel(problem) + rounding };
      return [draft(problem, profile, column, row, exact, error)];
    }
    return { why: "no coarse grid meets the tolerance" };
  },
};

function draft(
  problem: FilterProblem,
  profile: Profile,
  column: CoarseFit,
  row: CoarseFit,
  exact: Term,
  error: Draft["error"],
): Draft {
  const { factor } = column;
  const [height, width, channels] = problem.y.shape as [number, number, number];
  const [top, left] = problem.window.pads;
  // Where a filter's centre lies, from the pixel computed.
  const shift = { y: (exact.column.length - 1) / 2 - top, x: (exact.row.length - 1) / 2 - left };
  const cells = { y: Math.ceil(height / factor), x: Math.ceil(width / factor) };
  const small = { height: cells.y + 1, width: cells.x + 1 };
  const large = { height: small.height + 2 * column.radius, width: small.width + 2 * row.radius };
  const { input, output } = filterBuffers(problem);

  /** Pixels that a coarse row or column reaches beyond the picture, before it and after its last. */
  const before = (radius: number, by: number): number => radius * factor + factor - 1 - by;
  const after = (count: number, radius: number, by: number, size: number): number =>
    (count - 1 - radius) * factor + factor - 1 + by - (size - 1);
  const leftPad = before(row.radius, shift.x);
  const rightPad = after(large.width, row.radius, shift.x, width);
  const above = before(column.radius, shift.y);
  const buffers: BufferSpec[] = [
    {
      ...input,
      ...{ width: leftPad + width + rightPad, left: leftPad, right: rightPad },
      ...{ stride: factor, above, below: 2 * factor - 2 - above },
    },
    stripBuffer("thin", "f32", leftPad + width + rightPad, channels),
    picture("decimated", "output", "coarse", large, channels),
    { ...picture("decimated again", "input", "coarse", large, channels), below: 2 * column.radius },
    stripBuffer("column", "f32", large.width, channels),
    picture("filtered", "output", "fine", small, channels),
    { ...picture("filtered again", "input", "fine", small, channels), below: 1 },
    { ...stripBuffer("wide", "f32", cells.x * factor, channels), below: 1 },
    { ...output, stride: factor, below: factor - 1 },
  ];
  const average = triangle(factor);
  const stage = (extent: number, steps: Step[]): Stage => {
    const named = buffers.filter(({ id }) => steps.some(({ reads, writes }) => writes === id || reads.includes(id)));
    return { grid: { images: 1, extent, grain: grainFor(named, extent, profile, 1) }, steps };
  };
  const taps = (values: readonly number[], axis: "dy" | "dx", strides?: [number, number]): Step["kernel"] => ({
    family: "taps",
    taps: values.map((tap, k) => ({ dy: axis === "dy" ? k : 0, dx: axis === "dx" ? k : 0, tap })),
    arithmetic: "f32",
    ...(strides && { strides }),
  });
  const step = (name: string, kernel: Step["kernel"], reads: string, writes: string): Step => ({
    name,
    kernel,
    reads: [reads],
    writes,
  });
  const stages = [
    stage(large.height, [
      step("average columns", taps(average, "dy", [factor, 1]), "x", "thin"),
      step("average rows", taps(average, "dx", [1, factor]), "thin", "decimated"),
    ]),
    stage(small.height, [
      step("column pass", taps(column.taps, "dy"), "decimated again", "column"),
      step("row pass", taps(row.taps, "dx"), "column", "filtered"),
    ]),
    stage(cells.y, [
      step("interpolate rows", { family: "interpolate", axis: "row", factor }, "filtered again", "wide"),
      step(
        "interpolate columns",
        { family: "interpolate", axis: "column", factor, finish: finishOf(problem) },
        "wide",
        "y",
      ),
    ]),
  ];
  return { summary: `on every ${factor}th pixel (approximate)`, stages, buffers, error };
}

function picture(
  id: string,
  scope: "input" | "output",
  name: string,
  size: { height: number; width: number },
  channels: number,
): BufferSpec {
  return { id, scope, picture: name, dtype: "f32", ...size, channels, stride: 1, above: 0, below: 0 };
}

// Thin pictures. Kernels work through rows in blocks, and rows of a few pixels leave most of a block empty: the picture, the
// filter and all that lies on them are mirrored at the diagonal, and the plan is made of that problem.
import { rowBytes, stripRows } from "./cost.ts";
import type { Candidate, FilterProblem, Problem, Term } from "./types.ts";

/** Elements that kernels handle at once, and what a row costs besides; what it takes to turn a picture and its result, in nanoseconds. */
const block = 32;
const perRow = 60;
const turning = { call: 20_000, pixel: 1, channel: 3 };
/** Bytes that the rows of a strip may take: the rows of a turned picture are long. */
const mostBytes = 2 ** 26;

/** A filter's problem over a picture of which the rows are much shorter than the columns, and too short for kernels. */
export function isThin(problem: Problem): problem is FilterProblem {
  const [height, width, channels] = problem.x.shape as [number, number, number];
  return problem.kind === "filter" && width * channels < 2 * block && height >= 4 * width;
}

/** Whether a thin picture is better turned, by the cheapest candidates of both problems. */
export function isBetterTurned({ x, y }: FilterProblem, upright: Candidate | undefined, turned: Candidate): boolean {
  const [height, width, channels] = x.shape as [number, number, number];
  const bytes = turned.buffers.reduce(
    (sum, buffer) => sum + rowBytes(buffer) * stripRows(buffer, turned.stages[0]!.grid.grain),
    0,
  );
  if (bytes > mostBytes || !upright) return false;
  const blocks = Math.ceil((width * channels) / block) * block;
  const moved = width * height * (turning.pixel + channels * turning.channel) + turning.call;
  const wasted = (blocks / (width * channels)) * upright.cost.time + y.shape[0]! * perRow;
  return turned.cost.time + (width > 1 ? moved : 0) < wasted;
}

const swapped = <T>([a, b]: readonly [T, T]): [T, T] => [b, a];

/** The problem mirrored at the diagonal: x is y and y is x. */
export function turnedProblem(problem: FilterProblem): FilterProblem {
  const { x, y, window, factors, origin } = problem;
  const [top, left, bottom, right] = window.pads;
  const sides = ([height, width, channels]: readonly number[]): number[] => [width!, height!, channels!];
  const terms = (all: readonly Term[]): Term[] => all.map(({ column, row }) => ({ column: row, row: column }));
  return {
    ...problem,
    x: { ...x, shape: sides(x.shape) },
    y: { ...y, shape: sides(y.shape) },
    ...(origin && { origin: swapped(origin) }),
    window: {
      ...window,
      ...{ size: swapped(window.size), strides: swapped(window.strides), dilations: swapped(window.dilations) },
      pads: [left, top, right, bottom],
    },
    factors: {
      ...factors,
      ...(factors.values && { values: turnedValues(factors.values, window.size) }),
      terms: terms(factors.terms),
      approximations: factors.approximations.map((one) => ({ ...one, terms: terms(one.terms) })),
    },
  };
}

/** Row-major values of kh rows, column by column. */
const turnedValues = (values: readonly number[], [kh, kw]: readonly [number, number]): number[] =>
  values.map((_, index) => values[(index % kh) * kw + Math.floor(index / kh)]!);

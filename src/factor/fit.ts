// Fits a decomposition to a convolution by the error of its outputs: searches over the parameters of all its convolutions
// but the last, which is eliminated (eliminate.ts).
import { type DecompositionName, decompositions, type FitProblem, type Shape, type Tools } from "./decompositions.ts";
import { Elimination } from "./eliminate.ts";
import { type Matrix, transpose } from "./matrix.ts";
import { type Evaluation, type MinimizeOptions, minimize } from "./minimize.ts";

export interface Fit {
  decomposition: DecompositionName;
  rank: number;
  /** The weights of the decomposition's convolutions, in their order. */
  weights: { shape: Shape; data: Float32Array }[];
  /** The weight that they amount to, [patch, outChannels]. */
  weight: Matrix;
  /** What the outputs lose, tr(metric · Eᵀ · gram · E) for the error E of the weight, over the same of the whole target. */
  error: number;
}

/** The best fit that a search finds. Random only by `tools`. */
export function fitDecomposition(
  name: DecompositionName,
  problem: FitProblem,
  rank: number,
  tools: Tools,
  search: MinimizeOptions,
): Fit {
  const { blocks, features, gradient, start, shapes } = decompositions[name];
  const elimination = new Elimination(problem, blocks(problem), tools.multiply);
  const evaluate = (parameters: Float64Array): Evaluation => {
    const { value, byFeatures } = elimination.evaluate(features(problem, rank, parameters));
    return { value, gradient: gradient!(problem, rank, parameters, byFeatures) };
  };
  const first = start(problem, rank, tools);
  const parameters = gradient ? minimize(evaluate, first, search).x : first;
  const { last, weight, error } = elimination.solve(features(problem, rank, parameters));
  const { before, last: shape } = shapes(problem, rank);
  return { decomposition: name, rank, weights: [...split(parameters, before), lastWeight(last, shape)], weight, error };
}

function split(parameters: Float64Array, shapes: readonly Shape[]): Fit["weights"] {
  let at = 0;
  return shapes.map((shape) => {
    const size = shape.reduce((product, side) => product * side, 1);
    at += size;
    return { shape, data: Float32Array.from(parameters.subarray(at - size, at)) };
  });
}

/** From [features, outChannels]: where the last convolution has taps, the blocks of features are these. */
function lastWeight(last: Matrix, shape: Shape): Fit["weights"][number] {
  const [, channels, kh, kw] = shape;
  const taps = kh * kw;
  const { data } = transpose(last);
  const feature = (i: number): number => (i % taps) * channels + (Math.floor(i / taps) % channels);
  return {
    shape,
    data: new Float32Array(data.length).map((_, i) => data[i - (i % last.rows) + feature(i)]!),
  };
}

// Fits a form's convolutions to a layer by what its outputs lose. The last convolution is eliminated: for each choice of the
// others it is the solution of normal equations, so that the search goes over those alone (variable projection, Golub and
// Pereyra 1973).
import { type FitProblem, type FormName, forms, type Shape, type Tools } from "./forms.ts";
import { combine, inner, type Matrix, meanDiagonal, solvePositive, transpose, withDiagonal } from "./matrix.ts";
import { type Evaluation, type MinimizeOptions, minimize } from "./minimize.ts";

export interface Fit {
  form: FormName;
  rank: number;
  /** The weights of the form's convolutions, in their order. */
  weights: { shape: Shape; data: Float32Array }[];
  /** The weight that they amount to, [patch, outChannels]. */
  weight: Matrix;
  /** What the outputs lose, tr(metric · Eᵀ · gram · E) for the error E of the weight, over the same of the whole target. */
  error: number;
}

/** Damping of the last convolution: a share of the energy of each feature. Keeps features from cancelling each other. */
const damping = 1e-4;

/** The best fit that a search finds. Random only by `tools`. */
export function fitForm(name: FormName, problem: FitProblem, rank: number, tools: Tools, search: MinimizeOptions): Fit {
  const { features, gradient, start, shapes } = forms[name];
  const { multiply } = tools;
  const { gram, target, metric } = problem;
  const imageOfTarget = multiply(gram, target);
  const energy = inner(multiply(target, metric), imageOfTarget) || 1;
  const eliminated = (parameters: Float64Array) => {
    const f = features(problem, rank, parameters);
    const image = multiply(gram, f);
    const transposed = transpose(f);
    const square = multiply(transposed, image);
    const least = 1e-9 * meanDiagonal(square);
    const right = multiply(transposed, imageOfTarget);
    const last = solvePositive(
      withDiagonal(square, (entry) => damping * entry + least),
      right,
    );
    return { f, image, square, right, last, weighted: multiply(last, metric) };
  };
  const evaluate = (parameters: Float64Array): Evaluation => {
    const { image, right, last, weighted } = eliminated(parameters);
    const products = multiply(weighted, transpose(last));
    const pulled = multiply(
      image,
      withDiagonal(products, (entry) => damping * entry),
    );
    const byFeatures = combine(pulled, multiply(imageOfTarget, transpose(weighted)), (a, b) => (2 * (a - b)) / energy);
    return {
      value: (energy - inner(weighted, right)) / energy,
      gradient: gradient!(problem, rank, parameters, byFeatures),
    };
  };
  const first = start(problem, rank, tools);
  const parameters = gradient ? minimize(evaluate, first, search).x : first;
  const { f, last } = eliminated(parameters);
  const weight = multiply(f, last);
  const miss = combine(weight, target, (a, b) => a - b);
  const error = Math.max(0, inner(multiply(miss, metric), multiply(gram, miss)) / energy);
  const { before, last: lastShape } = shapes(problem, rank);
  return { form: name, rank, weights: [...split(parameters, before), lastWeights(last, lastShape)], weight, error };
}

function split(parameters: Float64Array, shapes: readonly Shape[]): Fit["weights"] {
  let at = 0;
  return shapes.map((shape) => {
    const size = shape.reduce((product, side) => product * side, 1);
    at += size;
    return { shape, data: Float32Array.from(parameters.subarray(at - size, at)) };
  });
}

const lastWeights = (last: Matrix, shape: Shape): Fit["weights"][number] => ({
  shape,
  data: Float32Array.from(transpose(last).data),
});

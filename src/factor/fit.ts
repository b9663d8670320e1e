// Fits a decomposition to a convolution by the error of its outputs. The last convolution is eliminated: for given
// features it is the solution of normal equations, so that a search is left over the parameters of the others (variable
// projection, Golub and Pereyra 1973).
import { solvePositive } from "./cholesky.ts";
import { type DecompositionName, decompositions, type FitProblem, type Shape, type Tools } from "./decompositions.ts";
import {
  columnsFrom,
  combine,
  diagonal,
  inner,
  type Matrix,
  type Multiply,
  matrix,
  meanDiagonal,
  rowsFrom,
  rowsOf,
  stack,
  transpose,
  withDiagonal,
} from "./matrix.ts";
import { type Evaluation, type MinimizeOptions, minimize } from "./minimize.ts";
import { dot } from "./svd.ts";

export interface Fit {
  decomposition: DecompositionName;
  rank: number;
  /** The weights of the decomposition's convolutions, in their order. */
  weights: { shape: Shape; data: Float32Array }[];
  /** The weight that they amount to, [patch, outChannels]. */
  weight: Matrix;
  /** What the outputs lose, tr(metric · Eᵀ · gram · E) for the error E of the weight, over the same of the whole target. */
  error: number;
  /** Where a search for a smaller rank can begin. */
  found: Found;
}

/** The parameters that a search has found, and what each feature of theirs adds to the outputs. */
export interface Found {
  parameters: Float64Array;
  worth: Float64Array;
}

/** The best fit that a search finds, from the features of a larger rank where `from` gives them. Random only by `tools`. */
export function fitDecomposition(
  name: DecompositionName,
  problem: FitProblem,
  rank: number,
  tools: Tools,
  search: MinimizeOptions,
  from?: Found,
): Fit {
  const { blocks, features, gradient, start, fewer, shapes } = decompositions[name];
  const elimination = new Elimination(problem, blocks(problem), tools.multiply);
  const evaluate = (parameters: Float64Array): Evaluation => {
    const { value, byFeatures } = elimination.evaluate(features(problem, rank, parameters));
    return { value, gradient: gradient!(problem, rank, parameters, byFeatures) };
  };
  const first = from && fewer ? fewer(problem, rank, from.parameters, from.worth) : start(problem, rank, tools);
  const parameters = gradient ? minimize(evaluate, first, search).x : first;
  const { last, weight, error, worth } = elimination.solve(features(problem, rank, parameters));
  const { before, last: shape } = shapes(problem, rank);
  const weights = [...split(parameters, before), lastWeight(last, shape)];
  return { decomposition: name, rank, weights, weight, error, found: { parameters, worth } };
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

/** Damping of the last convolution: a share of the energy of each feature. Keeps features from cancelling each other. */
const damping = 1e-4;

export class Elimination {
  private readonly order: readonly number[];
  /** Of each block its entries, first and count, in the order of the blocks. */
  private readonly ranges: readonly (readonly [first: number, count: number])[];
  private readonly multiply: Multiply;
  private readonly gram: Matrix;
  private readonly target: Matrix;
  private readonly metric: Matrix;
  /** gram · target, and its transpose block by block. */
  private readonly wanted: Matrix;
  private readonly wantedOf: readonly Matrix[];
  private readonly energy: number;

  /** `blocks`: of each block of features the entries of a patch. */
  constructor({ gram, target, metric }: FitProblem, blocks: readonly number[][], multiply: Multiply) {
    const order = blocks.flat();
    let first = 0;
    this.ranges = blocks.map(({ length }) => [(first += length) - length, length] as const);
    this.order = order;
    this.multiply = multiply;
    this.gram = matrix(gram.rows, gram.cols, (r, c) => gram.data[order[r]! * gram.cols + order[c]!]!);
    this.target = rowsOf(target, order);
    this.metric = metric;
    this.wanted = multiply(this.gram, this.target);
    const transposed = transpose(this.wanted);
    this.wantedOf = this.ranges.map(([from, count]) => columnsFrom(transposed, from, count));
    this.energy = inner(multiply(this.target, metric), this.wanted) || 1;
  }

  /** What is lost with these features, a share of all, damping included; and its derivative by the features of each block. */
  evaluate(features: readonly Matrix[]): { value: number; byFeatures: Matrix[] } {
    const { multiply, energy } = this;
    const { imageTransposed, right, last, weighted } = this.eliminate(features);
    const products = withDiagonal(multiply(weighted, transpose(last)), (entry) => damping * entry);
    let at = 0;
    const byFeatures = features.map(({ rows }, b) => {
      const [first, count] = this.ranges[b]!;
      at += rows;
      const own = multiply(rowsFrom(products, at - rows, rows), columnsFrom(imageTransposed, first, count));
      const wanted = multiply(rowsFrom(weighted, at - rows, rows), this.wantedOf[b]!);
      return combine(own, wanted, (a, b) => (2 * (a - b)) / energy);
    });
    return { value: (energy - inner(weighted, right)) / energy, byFeatures };
  }

  /**
   * The last convolution [features, outputs], what all amount to [patch, outputs], what that loses, a share of all, and what each
   * feature adds to the outputs.
   */
  solve(features: readonly Matrix[]): { last: Matrix; weight: Matrix; error: number; worth: Float64Array } {
    const { multiply } = this;
    const { last, weighted, square } = this.eliminate(features);
    const energies = diagonal(square);
    const worth = energies.map((energy, a) => {
      const [own, other] = [last, weighted].map((all) => rowsFrom(all, a, 1).data);
      return energy * dot(own!, other!, 0);
    });
    let at = 0;
    const weight = stack(
      features.map((own) => multiply(transpose(own), rowsFrom(last, (at += own.rows) - own.rows, own.rows))),
    );
    const miss = combine(weight, this.target, (a, b) => a - b);
    const error = Math.max(0, inner(multiply(miss, this.metric), multiply(this.gram, miss)) / this.energy);
    const back = this.order.map((_, entry) => entry);
    for (const [place, entry] of this.order.entries()) back[entry] = place;
    return { last, weight: rowsOf(weight, back), error, worth };
  }

  private eliminate(features: readonly Matrix[]) {
    const { multiply } = this;
    const times = (whole: Matrix): Matrix =>
      stack(features.map((own, b) => multiply(own, rowsFrom(whole, ...this.ranges[b]!))));
    const imageTransposed = times(this.gram);
    const square = times(transpose(imageTransposed));
    const right = times(this.wanted);
    const least = 1e-9 * meanDiagonal(square);
    const damped = withDiagonal(square, (entry) => damping * entry + least);
    const last = solvePositive(damped, right, multiply);
    return { imageTransposed, square, right, last, weighted: multiply(last, this.metric) };
  }
}

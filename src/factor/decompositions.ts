// Decompositions of a convolution into two or three smaller ones. The last of these is a linear fit; those before it map
// a patch of the input to features, by parameters. Features fall into blocks, each of some entries of the patch alone,
// which saves most of the work of a fit.
import { combine, type Matrix, type Multiply, matrix, rowsFrom, rowsOf, stack, transpose } from "./matrix.ts";
import { addScaled, dot } from "./svd.ts";

export interface Sizes {
  inChannels: number;
  outChannels: number;
  kh: number;
  kw: number;
}

/** What a fit approximates: the weight `target` [patch, outChannels], for inputs of second moments `gram` and the output metric `metric`. */
export interface FitProblem extends Sizes {
  /** [patch, patch], positive definite; an entry of the patch is (inChannel, ky, kx). */
  gram: Matrix;
  target: Matrix;
  /** [outChannels, outChannels], positive definite: what an error of the outputs costs. */
  metric: Matrix;
}

export interface Decomposition {
  /** Of each block of features the entries (inChannel, ky, kx) of the patch that it is made of; together all of them. */
  blocks(sizes: Sizes): number[][];
  /** Of each block [its features, its entries]. */
  features(sizes: Sizes, rank: number, parameters: Float64Array): Matrix[];
  /** The gradient by the parameters, from those by the features; absent where the parameters are not optimised. */
  gradient?(sizes: Sizes, rank: number, parameters: Float64Array, byFeatures: Matrix[]): Float64Array;
  start(problem: FitProblem, rank: number, tools: Tools): Float64Array;
  /** Of the parameters of a larger rank those of the features that are worth the most, where a search begins better there than at `start`. */
  fewer?(sizes: Sizes, rank: number, parameters: Float64Array, worth: Float64Array): Float64Array;
  /** Shapes of the convolutions before the last one, whose weights are the parameters in this order, and of the last. */
  shapes(sizes: Sizes, rank: number): { before: Shape[]; last: Shape };
  /** The largest useful rank: there the decomposition is exact, or as good as it can be. */
  mostRank(sizes: Sizes): number;
}

export interface Tools {
  multiply: Multiply;
  /** Standard normal numbers. */
  random: () => number;
}

/** [outChannels, inChannels / groups, kh, kw] */
export type Shape = readonly [number, number, number, number];

const patchOf = ({ inChannels, kh, kw }: Sizes): number => inChannels * kh * kw;

const blocksOf = (blocks: number, entries: number, entry: (block: number, i: number) => number): number[][] =>
  Array.from({ length: blocks }, (_, b) => Array.from({ length: entries }, (__, i) => entry(b, i)));
const oneBlock = (sizes: Sizes): number[][] => blocksOf(1, patchOf(sizes), (_, entry) => entry);

/** The derivative by features that are the same in each block. */
const total = (byFeatures: Matrix[]): Float64Array =>
  byFeatures.reduce((sum, one) => combine(sum, one, (a, b) => a + b)).data;

/** A mix to `rank` channels, a filter for each, and a mix of the results: the CP decomposition. */
const cp: Decomposition = {
  blocks: oneBlock,
  features({ inChannels, kh, kw }, rank, parameters) {
    const taps = kh * kw;
    const filters = parameters.subarray(rank * inChannels);
    const out = new Float64Array(rank * inChannels * taps);
    for (let k = 0, at = 0; k < rank; k++)
      for (let c = 0; c < inChannels; c++)
        for (let t = 0; t < taps; t++, at++) out[at] = parameters[k * inChannels + c]! * filters[k * taps + t]!;
    return [{ rows: rank, cols: inChannels * taps, data: out }];
  },
  gradient({ inChannels, kh, kw }, rank, parameters, [byFeatures]) {
    const taps = kh * kw;
    const out = new Float64Array(parameters.length);
    const filters = rank * inChannels;
    for (let k = 0, at = 0; k < rank; k++)
      for (let c = 0; c < inChannels; c++)
        for (let t = 0; t < taps; t++, at++) {
          const g = byFeatures!.data[at]!;
          out[k * inChannels + c]! += g * parameters[filters + k * taps + t]!;
          out[filters + k * taps + t]! += g * parameters[k * inChannels + c]!;
        }
    return out;
  },
  start: ({ inChannels, kh, kw }, rank, { random }) =>
    Float64Array.from({ length: rank * (inChannels + kh * kw) }, (_, i) =>
      i < rank * inChannels ? random() / Math.sqrt(inChannels) : random() / Math.sqrt(kh * kw),
    ),
  fewer({ inChannels, kh, kw }, rank, parameters, worth) {
    const taps = kh * kw;
    const kept = mostWorth(worth, rank);
    const mixes = rowsOf({ rows: worth.length, cols: inChannels, data: parameters }, kept);
    const filters = { rows: worth.length, cols: taps, data: parameters.subarray(worth.length * inChannels) };
    return Float64Array.from([...mixes.data, ...rowsOf(filters, kept).data]);
  },
  shapes: ({ inChannels, outChannels, kh, kw }, rank) => ({
    before: [
      [rank, inChannels, 1, 1],
      [rank, 1, kh, kw],
    ],
    last: [outChannels, rank, 1, 1],
  }),
  mostRank: ({ inChannels, outChannels, kh, kw }) =>
    Math.min(inChannels * outChannels, kh * kw * Math.min(inChannels, outChannels)),
};

/** `rank` filters for each input channel, and a mix: depthwise, pointwise. */
const depthwise: Decomposition = {
  blocks: (sizes) => blocksOf(sizes.inChannels, sizes.kh * sizes.kw, (c, t) => c * sizes.kh * sizes.kw + t),
  features: ({ inChannels, kh, kw }, rank, parameters) =>
    Array.from({ length: inChannels }, (_, c) =>
      rowsFrom({ rows: inChannels * rank, cols: kh * kw, data: parameters }, c * rank, rank),
    ),
  gradient: (_sizes, _rank, _parameters, byFeatures) => stack(byFeatures).data,
  start({ inChannels, kh, kw, gram, target, metric }, rank, { multiply, random }) {
    const taps = kh * kw;
    const weighted = multiply(target, metric);
    const filters = Array.from({ length: inChannels }, (_, c) => {
      const [left, right] = [weighted, target].map((whole) => rowsFrom(whole, c * taps, taps));
      const square = multiply(left!, transpose(right!));
      const own = matrix(taps, taps, (r, k) => gram.data[(c * taps + r) * gram.cols + c * taps + k]!);
      return dominant((x) => multiply(square, multiply(own, x)), taps, rank, random);
    });
    return stack(filters).data;
  },
  shapes: ({ inChannels, outChannels, kh, kw }, rank) => ({
    before: [[inChannels * rank, 1, kh, kw]],
    last: [outChannels, inChannels * rank, 1, 1],
  }),
  mostRank: ({ outChannels, kh, kw }) => Math.min(kh * kw, outChannels),
};

/** kh × 1 to `rank` channels, then 1 × kw. */
const spatial: Decomposition = {
  blocks: ({ inChannels, kh, kw }) => blocksOf(kw, inChannels * kh, (x, row) => row * kw + x),
  features: ({ inChannels, kh, kw }, rank, parameters) =>
    new Array<Matrix>(kw).fill({ rows: rank, cols: inChannels * kh, data: parameters }),
  gradient: (_sizes, _rank, _parameters, byFeatures) => total(byFeatures),
  start({ inChannels, kh, kw, gram, target, metric }, rank, { multiply, random }) {
    const rows = inChannels * kh;
    const square = bySide(rows, target, metric, multiply);
    const mean = matrix(rows, rows, (a, b) => meanOf(kw, (x) => gram.data[(a * kw + x) * gram.cols + b * kw + x]!));
    return dominant((x) => multiply(square, multiply(mean, x)), rows, rank, random).data;
  },
  shapes: ({ inChannels, outChannels, kh, kw }, rank) => ({
    before: [[rank, inChannels, kh, 1]],
    last: [outChannels, rank, 1, kw],
  }),
  mostRank: ({ inChannels, outChannels, kh, kw }) => Math.min(inChannels * kh, outChannels * kw),
};

/** kh × kw to `rank` channels, then a mix. The features follow from the target alone: there is no search. */
const bottleneck: Decomposition = {
  blocks: oneBlock,
  features: (sizes, rank, parameters) => [{ rows: rank, cols: patchOf(sizes), data: parameters }],
  start({ gram, target, metric }, rank, { multiply, random }) {
    const [weighted, transposed] = [multiply(target, metric), transpose(target)];
    const image = (x: Matrix): Matrix => multiply(weighted, multiply(transposed, multiply(gram, x)));
    return dominant(image, gram.rows, rank, random).data;
  },
  shapes: ({ inChannels, outChannels, kh, kw }, rank) => ({
    before: [[rank, inChannels, kh, kw]],
    last: [outChannels, rank, 1, 1],
  }),
  mostRank: ({ outChannels, ...sizes }) => Math.min(outChannels, patchOf({ outChannels, ...sizes })),
};

/** A mix to `rank` channels, then kh × kw. */
const narrow: Decomposition = {
  blocks: ({ inChannels, kh, kw }) => blocksOf(kh * kw, inChannels, (t, c) => c * kh * kw + t),
  features: ({ inChannels, kh, kw }, rank, parameters) =>
    new Array<Matrix>(kh * kw).fill({ rows: rank, cols: inChannels, data: parameters }),
  gradient: (_sizes, _rank, _parameters, byFeatures) => total(byFeatures),
  start({ inChannels, kh, kw, gram, target, metric }, rank, { multiply, random }) {
    const taps = kh * kw;
    const square = bySide(inChannels, target, metric, multiply);
    const mean = matrix(inChannels, inChannels, (a, b) =>
      meanOf(taps, (t) => gram.data[(a * taps + t) * gram.cols + b * taps + t]!),
    );
    return dominant((x) => multiply(square, multiply(mean, x)), inChannels, rank, random).data;
  },
  shapes: ({ inChannels, outChannels, kh, kw }, rank) => ({
    before: [[rank, inChannels, 1, 1]],
    last: [outChannels, rank, kh, kw],
  }),
  mostRank: ({ inChannels, outChannels, kh, kw }) => Math.min(inChannels, outChannels * kh * kw),
};

/** All decompositions by the name of their split; `narrow` is a bottleneck before the filters instead of after. */
export const decompositions = { cp, depthwise, spatial, bottleneck, narrow } as const satisfies Record<
  string,
  Decomposition
>;
export type DecompositionName = keyof typeof decompositions;

/** Of the target as a matrix of so many rows: its product with its transpose, weighed by the metric. */
function bySide(rows: number, target: Matrix, metric: Matrix, multiply: Multiply): Matrix {
  const shape = ({ data }: Matrix): Matrix => ({ rows, cols: data.length / rows, data });
  return multiply(shape(multiply(target, metric)), transpose(shape(target)));
}

/** So many places, those of the largest numbers, in their order. */
function mostWorth(worth: Float64Array, wanted: number): number[] {
  const all = [...worth.keys()].sort((a, b) => worth[b]! - worth[a]! || a - b);
  return all.slice(0, wanted).sort((a, b) => a - b);
}

function meanOf(count: number, value: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += value(i);
  return sum / count;
}

const turns = 30;

/**
 * Rows that span, nearly, the subspace that a linear map of columns enlarges most, by repeating it on random ones (subspace
 * iteration). Which rows span it makes no difference to a fit.
 */
function dominant(map: (x: Matrix) => Matrix, size: number, rank: number, random: () => number): Matrix {
  let rows = orthonormal(matrix(rank, size, random));
  for (let i = 0; i < turns; i++) rows = orthonormal(transpose(map(transpose(rows))));
  return rows;
}

/** Rows made orthonormal, one after the other; those that depend on others become 0. */
function orthonormal({ rows, cols, data }: Matrix): Matrix {
  const lines = Array.from({ length: rows }, (_, r) => data.slice(r * cols, (r + 1) * cols));
  for (const [r, line] of lines.entries()) {
    const before = Math.sqrt(dot(line, line, 0));
    for (const earlier of lines.slice(0, r)) addScaled(line, earlier, -dot(line, earlier, 0), 0);
    const size = Math.sqrt(dot(line, line, 0));
    for (let i = 0; i < cols; i++) line[i] = size > 1e-12 * before ? line[i]! / size : 0;
  }
  return stack(lines.map((line) => ({ rows: 1, cols, data: line })));
}

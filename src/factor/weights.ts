// Factors the 4-D weight of a layer along a split into the weights of the two or three layers that replace it.
import { checkInteger, checkLimit, checkNumber, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import type { F32Tensor, Tensor } from "../tensor.ts";
import { plural } from "../words.ts";
import { cpForm } from "./cp.ts";
import { singularValues } from "./spectrum.ts";
import { checkTruncateOptions, numericalRanks, type Svd, svd, type TruncateOptions, truncate } from "./svd.ts";

/** How a layer's weight is factored. */
export interface WeightOptions extends TruncateOptions {
  /** Which axes are rows and columns of the matrix: see {@link WeightFactors}. */
  split: keyof WeightFactors;
  /** The largest smaller side of a matrix that is decomposed or solved: 768 unless given. The time grows with its cube. */
  maxSide?: number;
}

interface Common<S> {
  /** As asked for. */
  split: S;
  /** Of the factors; of a depthwise split the depth multiplier, of the others the channels in the middle. */
  rank: number;
  /** ‖weight − product of the factors‖ / ‖weight‖ in the Frobenius norm, up to the rounding of the factors to f32. */
  error: number;
  /** Per output position: of the layer as it stands, and of those that replace it. */
  multiplications: {
    /** outChannels · inChannels · kh · kw */
    direct: number;
    /** Of all layers that replace it. */
    separable: number;
  };
}

/** The factors of a weight [outChannels, inChannels, kh, kw] by split, all in ONNX's order of axes. */
export interface WeightFactors {
  /** Per input channel: rows outChannels, columns kh · kw. The rank is the depth multiplier, the same for all. */
  depthwise: Common<"depthwise"> & {
    /** [inChannels · rank, 1, kh, kw], in groups of one input channel: filter m of channel c is c · rank + m. */
    depthwise: F32Tensor;
    /** [outChannels, inChannels · rank, 1, 1]. */
    pointwise: F32Tensor;
  };
  /** Rows outChannels · kw, columns inChannels · kh. */
  spatial: Common<"spatial"> & {
    /** [rank, inChannels, kh, 1], which comes first. */
    vertical: F32Tensor;
    /** [outChannels, rank, 1, kw]. */
    horizontal: F32Tensor;
  };
  /** Rows outChannels, columns inChannels · kh · kw. */
  bottleneck: Common<"bottleneck"> & {
    /** [rank, inChannels, kh, kw]. */
    first: F32Tensor;
    /** [outChannels, rank, 1, 1]. */
    second: F32Tensor;
  };
  /**
   * The whole tensor outChannels × inChannels × kh · kw, three factors. Its least rank and best fit cannot be computed:
   * these are the ones found, and the error is theirs.
   */
  cp: Common<"cp"> & {
    /** [rank, inChannels, 1, 1]. */
    first: F32Tensor;
    /** [rank, 1, kh, kw], in groups of one channel. */
    depthwise: F32Tensor;
    /** [outChannels, rank, 1, 1]. */
    last: F32Tensor;
  };
}

/** The splits that make a matrix of a weight, or one of each channel: their best approximations are known. */
export type MatrixSplit = Exclude<keyof WeightFactors, "cp">;

/** A checked weight of one group. */
interface Weight {
  outChannels: number;
  inChannels: number;
  kh: number;
  kw: number;
  data: ArrayLike<number>;
  /** The distance from 1 to the next number in the type of its elements. */
  epsilon: number;
}

/** Decomposes a matrix of weights, given by where its entries lie. */
type Decompose = (rows: number, cols: number, index: (row: number, col: number) => number) => Svd;

/** One split: its matrices, and its factors once they are decomposed and the rank is chosen. */
interface SplitRule<S extends MatrixSplit> {
  decompose(weight: Weight, decompose: Decompose): Svd[];
  factors(weight: Weight, matrices: Svd[], rank: number): Omit<WeightFactors[S], keyof Common<S>>;
  multiplications(weight: Weight, rank: number): number;
}

const rules: { [S in MatrixSplit]: SplitRule<S> } = {
  depthwise: {
    decompose: ({ outChannels, inChannels, kh, kw }, decompose) =>
      Array.from({ length: inChannels }, (_, c) =>
        decompose(outChannels, kh * kw, (o, tap) => (o * inChannels + c) * kh * kw + tap),
      ),
    factors: ({ outChannels, inChannels, kh, kw }, matrices, m) => ({
      depthwise: tensor([inChannels * m, 1, kh, kw], (channel, _, y, x) =>
        right(matrices[Math.floor(channel / m)]!, channel % m, y * kw + x),
      ),
      pointwise: tensor([outChannels, inChannels * m, 1, 1], (o, channel) =>
        left(matrices[Math.floor(channel / m)]!, channel % m, o),
      ),
    }),
    multiplications: ({ outChannels, inChannels, kh, kw }, m) => inChannels * m * (kh * kw + outChannels),
  },
  spatial: {
    decompose: ({ outChannels, inChannels, kh, kw }, decompose) => [
      decompose(outChannels * kw, inChannels * kh, (row, col) => {
        const [o, x, c, y] = [Math.floor(row / kw), row % kw, Math.floor(col / kh), col % kh];
        return ((o * inChannels + c) * kh + y) * kw + x;
      }),
    ],
    factors: ({ outChannels, inChannels, kh, kw }, [matrix], rank) => ({
      vertical: tensor([rank, inChannels, kh, 1], (k, c, y) => right(matrix!, k, c * kh + y)),
      horizontal: tensor([outChannels, rank, 1, kw], (o, k, _, x) => left(matrix!, k, o * kw + x)),
    }),
    multiplications: ({ outChannels, inChannels, kh, kw }, rank) => rank * (inChannels * kh + outChannels * kw),
  },
  bottleneck: {
    decompose: ({ outChannels, inChannels, kh, kw }, decompose) => {
      const cols = inChannels * kh * kw;
      return [decompose(outChannels, cols, (row, col) => row * cols + col)];
    },
    factors: ({ outChannels, inChannels, kh, kw }, [matrix], rank) => ({
      first: tensor([rank, inChannels, kh, kw], (k, c, y, x) => right(matrix!, k, (c * kh + y) * kw + x)),
      second: tensor([outChannels, rank, 1, 1], (o, k) => left(matrix!, k, o)),
    }),
    multiplications: ({ outChannels, inChannels, kh, kw }, rank) => rank * (inChannels * kh * kw + outChannels),
  },
};

/**
 * Factors a weight [outChannels, inChannels, kh, kw] along a split: see {@link WeightFactors} for the results. The
 * factors share each singular value evenly; the rank is at least 1, and without `rank` and `tolerance` it is the
 * numerical rank in the weight's own precision. f64 inside, f32 out.
 *
 * The CP decomposition takes a fit of seconds (64 × 64 channels) to minutes below the rank at which it is surely exact, kh · kw ·
 * min(inChannels, outChannels) at most, and ten such fits to find the rank for a tolerance.
 *
 * @throws InvalidArgumentError for a malformed weight or option; LimitError for a matrix whose sides both exceed
 * maxSide, or a fit of a higher rank.
 */
export function factorizeWeight<S extends keyof WeightFactors>(
  given: Tensor,
  options: WeightOptions & { split: S },
): WeightFactors[S] {
  const limits = checkTruncateOptions<WeightOptions>(options, ["split", "rank", "tolerance", "maxSide"]);
  const split = checkOneOf("split", options.split, [...Object.keys(rules), "cp"] as (keyof WeightFactors)[]);
  const weight = checkWeight(given);
  const maxSide = checkInteger("maxSide", options.maxSide ?? 768, { min: 1 });
  const decompose: Decompose = (rows, cols, index) => {
    checkLimit(`smaller side of the ${split} matrix`, Math.min(rows, cols), maxSide, "entries", "maxSide");
    const entries = new Float64Array(rows * cols);
    for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) entries[r * cols + c] = weight.data[index(r, c)]!;
    return svd(entries, rows, cols);
  };
  const checkFit = (rank: number) => checkLimit("rank of the cp fit", rank, maxSide, "terms", "maxSide");
  const factors =
    split === "cp" ? cpFactors(weight, decompose, limits, checkFit) : matrixFactors(split, weight, decompose, limits);
  return factors as WeightFactors[S];
}

function matrixFactors(
  split: MatrixSplit,
  weight: Weight,
  decompose: Decompose,
  limits: Required<TruncateOptions>,
): WeightFactors[MatrixSplit] {
  const rule: SplitRule<MatrixSplit> = rules[split];
  const matrices = rule.decompose(weight, decompose);
  const spectra = matrices.map(({ s }) => s);
  const { rank, error } = truncate(spectra, Math.max(1, ...numericalRanks(matrices, weight.epsilon)), limits);
  const multiplications = { direct: weight.data.length, separable: rule.multiplications(weight, rank) };
  const factors = rule.factors(weight, matrices, rank);
  return { split, rank, error, multiplications, ...factors } as WeightFactors[MatrixSplit];
}

function cpFactors(
  { outChannels, inChannels, kh, kw, data, epsilon }: Weight,
  decompose: Decompose,
  limits: Required<TruncateOptions>,
  checkFit: (rank: number) => void,
): WeightFactors["cp"] {
  const taps = kh * kw;
  // Of both channel axes the shorter has fewer slices, and so fewer terms that are surely exact.
  const swapped = outChannels < inChannels;
  const [long, short] = swapped ? [inChannels, outChannels] : [outChannels, inChannels];
  const index = (l: number, s: number, tap: number) => (swapped ? s * long + l : l * short + s) * taps + tap;
  const slices = Array.from({ length: short }, (_, s) => decompose(long, taps, (l, tap) => index(l, s, tap)));
  const rows = Array.from({ length: long }, (_, l) =>
    Float64Array.from({ length: short * taps }, (_, i) => data[index(l, Math.floor(i / taps), i % taps)]!),
  );
  const { terms, error } = cpForm(rows, slices, epsilon, limits, checkFit);
  const rank = Math.max(1, terms.length);
  const at = (k: number, axis: number, i: number) => (k < terms.length ? terms[k]![axis]![i]! : 0);
  const multiplications = { direct: data.length, separable: rank * (inChannels + taps + outChannels) };
  return {
    ...{ split: "cp", rank, error, multiplications },
    first: tensor([rank, inChannels, 1, 1], (k, c) => at(k, swapped ? 0 : 1, c)),
    depthwise: tensor([rank, 1, kh, kw], (k, _, y, x) => at(k, 2, y * kw + x)),
    last: tensor([outChannels, rank, 1, 1], (o, k) => at(k, swapped ? 1 : 0, o)),
  };
}

/** What a weight loses when two layers with a share of its multiplications take its place. */
export interface WeightEstimate extends Common<MatrixSplit> {
  /**
   * Of the split's matrix, descending; of one matrix a channel the roots of the sums of their squares, value by value. The
   * squares after the first r, over the sum of all, are the square of the error at rank r.
   */
  singularValues?: readonly number[];
}

/** Multiplications and additions that an estimate may take. */
const mostWork = 3e8;

/**
 * The rank and error of the split's factors whose multiplications are at most `share` of the weight's own; much cheaper
 * than the factors. Undefined where no rank is that small, or where the matrix is large: above about 700 entries a side.
 *
 * @throws InvalidArgumentError for a malformed weight or option.
 */
export function estimateWeight(
  given: Tensor,
  options: { split: MatrixSplit; share: number; spectrum?: boolean },
): WeightEstimate | undefined {
  const split = checkOneOf("split", options.split, Object.keys(rules) as MatrixSplit[]);
  const share = checkNumber("share", options.share, { min: 0, max: 1 });
  const weight = checkWeight(given);
  const { outChannels, inChannels, kh, kw } = weight;
  const direct = outChannels * inChannels * kh * kw;
  const most = Math.floor((share * direct) / rules[split].multiplications(weight, 1));
  let work = 0;
  const sizes: Decompose = (rows, cols) => {
    work += rows * cols * Math.min(rows, cols);
    return { u: [], s: [], v: [] };
  };
  rules[split].decompose(weight, sizes);
  if (most < 1 || work > mostWork) return undefined;
  const matrices = rules[split].decompose(weight, (rows, cols, index) => {
    return { u: [], s: singularValues(rows, cols, (row, col) => weight.data[index(row, col)]!), v: [] };
  });
  const spectra = matrices.map(({ s }) => s);
  const rank = Math.min(most, Math.max(...spectra.map((values) => values.length)));
  const { error } = truncate(spectra, rank, { rank, tolerance: 0 });
  return {
    ...{ split, rank, error },
    multiplications: { direct, separable: rules[split].multiplications(weight, rank) },
    ...(options.spectrum && { singularValues: together(spectra) }),
  };
}

/** The lists as one, that of all matrices side by side: the rank is the same for each. */
const together = ([first, ...others]: readonly (readonly number[])[]): number[] =>
  first!.map((value, i) => Math.hypot(value, ...others.map((values) => values[i]!)));

function checkWeight({ shape, data }: Tensor): Weight {
  if (!Array.isArray(shape) || shape.length !== 4) {
    throw new InvalidArgumentError({
      parameter: "weight.shape",
      expected: "[outChannels, inChannels, kh, kw]",
      received: describe(shape),
      hint: "a 2-D filter is given as rows of numbers or { kh, kw, values }",
    });
  }
  const [outChannels, inChannels, kh, kw] = shape.map((n, i) => checkInteger(`weight.shape[${i}]`, n, { min: 1 }));
  const count = outChannels! * inChannels! * kh! * kw!;
  if (!(data instanceof Float32Array || data instanceof Float64Array)) {
    const expected = "a Float32Array or Float64Array";
    throw new InvalidArgumentError({ parameter: "weight.data", expected, received: describe(data) });
  }
  if (data.length !== count) {
    throw new InvalidArgumentError({
      parameter: "weight.data",
      expected: plural(count, "element"),
      received: `${data.length}`,
    });
  }
  for (let i = 0; i < count; i++) checkNumber(`weight.data[${i}]`, data[i]);
  const epsilon = data instanceof Float32Array ? 2 ** -23 : Number.EPSILON;
  return { outChannels: outChannels!, inChannels: inChannels!, kh: kh!, kw: kw!, data, epsilon };
}

type Shape = readonly [number, number, number, number];

function tensor(shape: Shape, value: (a: number, b: number, c: number, d: number) => number): F32Tensor {
  const data = new Float32Array(shape.reduce((product, n) => product * n, 1));
  let at = 0;
  for (let a = 0; a < shape[0]; a++)
    for (let b = 0; b < shape[1]; b++)
      for (let c = 0; c < shape[2]; c++) for (let d = 0; d < shape[3]; d++) data[at++] = value(a, b, c, d);
  return { shape, data };
}

/** Entry i of √s[k] · u[k]; zero beyond the matrix's own rank. */
function left({ s, u }: Svd, k: number, i: number): number {
  return k < s.length ? Math.sqrt(s[k]!) * u[k]![i]! : 0;
}

/** Entry i of √s[k] · v[k]. */
function right({ s, v }: Svd, k: number, i: number): number {
  return k < s.length ? Math.sqrt(s[k]!) * v[k]![i]! : 0;
}

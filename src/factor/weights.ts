// The weights of layers, 4-D, factored along three splits into the weights of two layers that replace the one.
import { checkInteger, checkLimit, checkNumber, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { singularValues } from "./spectrum.ts";
import { type Svd, svd } from "./svd.ts";
import { checkTruncateOptions, type TruncateOptions, truncate } from "./truncate.ts";

export interface WeightOptions extends TruncateOptions {
  /** Which axes are rows and columns of the matrix: see {@link WeightFactors}. */
  split: keyof WeightFactors;
  /** The largest smaller side of a matrix that is decomposed: 768 unless given. The time grows with its cube. */
  maxSide?: number;
}

interface F32Tensor extends Tensor {
  readonly data: Float32Array;
}

interface Common<S> {
  split: S;
  rank: number;
  /** ‖weight − product of the factors‖ / ‖weight‖ in the Frobenius norm. */
  error: number;
  /** Per output position: of the layer as it stands, and of the two that replace it. */
  multiplications: { direct: number; separable: number };
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
}

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
interface SplitRule<S extends keyof WeightFactors> {
  decompose(weight: Weight, decompose: Decompose): Svd[];
  factors(weight: Weight, matrices: Svd[], rank: number): Omit<WeightFactors[S], keyof Common<S>>;
  multiplications(weight: Weight, rank: number): number;
}

const rules: { [S in keyof WeightFactors]: SplitRule<S> } = {
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
 * @throws InvalidArgumentError for a malformed weight or option; LimitError for a matrix whose sides both exceed
 * maxSide.
 */
export function factorizeWeight<S extends keyof WeightFactors>(
  given: Tensor,
  options: WeightOptions & { split: S },
): WeightFactors[S] {
  const limits = checkTruncateOptions<WeightOptions>(options, ["split", "rank", "tolerance", "maxSide"]);
  const split = checkOneOf("split", options.split, Object.keys(rules) as (keyof WeightFactors)[]) as S;
  const weight = checkWeight(given);
  const maxSide = checkInteger("maxSide", options.maxSide ?? 768, { min: 1 });
  const rule: SplitRule<S> = rules[split];
  const matrices = rule.decompose(weight, (rows, cols, index) => {
    checkLimit(`smaller side of the ${split} matrix`, Math.min(rows, cols), maxSide, "entries", "maxSide");
    const entries = new Float64Array(rows * cols);
    for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) entries[r * cols + c] = weight.data[index(r, c)]!;
    return svd(entries, rows, cols);
  });
  const { rank, error } = truncate(
    matrices.map(({ s }) => s),
    numericalRank(matrices, weight.epsilon),
    limits,
  );
  const { outChannels, inChannels, kh, kw } = weight;
  return {
    split,
    rank,
    error,
    multiplications: {
      direct: outChannels * inChannels * kh * kw,
      separable: rule.multiplications(weight, rank),
    },
    ...rule.factors(weight, matrices, rank),
  } as unknown as WeightFactors[S];
}

/** What a weight loses when two layers with a share of its multiplications take its place. */
export interface WeightEstimate extends Common<keyof WeightFactors> {}

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
  options: { split: keyof WeightFactors; share: number },
): WeightEstimate | undefined {
  const split = checkOneOf("split", options.split, Object.keys(rules) as (keyof WeightFactors)[]);
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
  return { split, rank, error, multiplications: { direct, separable: rules[split].multiplications(weight, rank) } };
}

/** The largest number of singular values above rounding that a matrix has; at least 1. */
function numericalRank(matrices: Svd[], epsilon: number): number {
  const largest = Math.max(...matrices.map(({ s }) => s[0] ?? 0));
  const counts = matrices.map(({ u, s, v }) => {
    const threshold = Math.max(u[0]?.length ?? 0, v[0]?.length ?? 0) * epsilon * largest;
    return s.filter((sigma) => sigma > threshold).length;
  });
  return Math.max(1, ...counts);
}

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
      expected: `${count} elements`,
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

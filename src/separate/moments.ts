// Second moments of a convolution's inputs and wanted outputs, summed in f64 over positions of calibration samples: all
// that a fit needs of the data. A row is a patch of the padded input, the wanted outputs, and 1.
import { solvePositive } from "../factor/cholesky.ts";
import type { FitProblem } from "../factor/decompositions.ts";
import { identity, type Matrix, matrix, meanDiagonal, multiplyPlainly, withDiagonal } from "../factor/matrix.ts";
import type { Value } from "../graph/types.ts";
import type { WindowAxes } from "../graph/window.ts";
import type { Gemm } from "./gemm.ts";
import { placesFor, type Target } from "./targets.ts";

/** Rows that are added in one go. */
const chunk = 512;
/** Ridge, as a share of the mean energy of an entry: directions that the data do not show cost a little, too. */
const ridge = 1e-3;

export class Moments {
  private readonly target: Target;
  private readonly gemm: Gemm;
  private readonly total: Matrix;
  private readonly rows: Matrix;
  private readonly share: number;
  private filled = 0;
  private seen = 0;

  /** Takes about this share of all places, which ones is the same every time. `outputs`: whether these are told. */
  constructor(target: Target, gemm: Gemm, share: number, outputs: boolean) {
    const size = patchSize(target) + (outputs ? target.outChannels : 0) + 1;
    this.target = target;
    this.gemm = gemm;
    this.share = share;
    this.total = matrix(size, size);
    this.rows = matrix(chunk, size);
  }

  /** Adds pictures: the convolution's input [n, in, h, w], and what its result should be [n, out, h, w]. */
  add(x: Value, y?: Value): void {
    const { outChannels } = this.target;
    const window = placesFor(this.target, x.shape);
    const [, height, width] = window;
    const places = height.output * width.output;
    const patch = patchSize(this.target);
    for (let n = 0; n < x.shape[0]!; n++) {
      for (let place = 0; place < places; place++) {
        if (!this.takes()) continue;
        const at = this.filled * this.rows.cols;
        readPatch(x, n, place, window, this.rows.data, at);
        for (let o = 0; y && o < outChannels; o++) {
          this.rows.data[at + patch + o] = y.data[(n * outChannels + o) * places + place] as number;
        }
        this.rows.data[at + this.rows.cols - 1] = 1;
        this.filled++;
        if (this.filled === chunk) this.flush();
      }
    }
  }

  private takes(): boolean {
    // Multiples of the golden ratio spread evenly over 0 to 1.
    this.seen++;
    return this.share >= 1 || (this.seen * 0.6180339887498949) % 1 < this.share;
  }

  private flush(): void {
    const { cols, data } = this.rows;
    this.gemm.addGram(this.total, { rows: this.filled, cols, data: data.subarray(0, this.filled * cols) });
    this.filled = 0;
  }

  /** The fit problem of these moments. */
  fitting(metric: Matrix): Fitting {
    this.flush();
    const { sizes, bias, transposed } = this.target;
    const [patch, size] = [patchSize(this.target), this.total.cols];
    const sum = (a: number, b: number): number => this.total.data[Math.max(a, b) * size + Math.min(a, b)]!;
    const count = Math.max(1, sum(size - 1, size - 1));
    // How a transposed convolution's places add up differs from output to output: no bias can make up for means
    const mean = (a: number): number => (transposed ? 0 : sum(size - 1, a) / count);
    const covariance = (a: number, b: number): number => sum(a, b) / count - mean(a) * mean(b);
    const gram = withRidge(matrix(patch, patch, covariance));
    const told = size > patch + 1;
    const target = told
      ? solvePositive(
          gram,
          matrix(patch, sizes.outChannels, (a, o) => covariance(a, patch + o)),
          this.gemm.multiply,
        )
      : weightMatrix(this.target);
    const inputs = matrix(1, patch, (_, a) => mean(a));
    const own = multiplyPlainly(inputs, target).data;
    const outputs = bias.map((value, o) => (told ? mean(patch + o) : own[o]! + value));
    return { ...sizes, gram, target, metric: fitMetric(this.target, metric), inputs, outputs };
  }
}

/** A fit and the means [1, patch] of inputs and of outputs, from which follows a bias. */
export interface Fitting extends FitProblem {
  inputs: Matrix;
  outputs: Float64Array;
}

/** The fit of a convolution of whose inputs nothing is known. */
export function blindFitting(target: Target): Fitting {
  const patch = patchSize(target);
  return {
    ...{ ...target.sizes, gram: identity(patch), target: weightMatrix(target) },
    ...{ metric: identity(target.sizes.outChannels), inputs: matrix(1, patch), outputs: target.bias },
  };
}

/** A metric of channels as one of what the fit's matrix gives. */
function fitMetric({ sizes, outChannels }: Target, metric: Matrix): Matrix {
  const taps = sizes.outChannels / outChannels;
  return matrix(sizes.outChannels, sizes.outChannels, (a, b) =>
    a % taps === b % taps ? metric.data[Math.floor(a / taps) * outChannels + Math.floor(b / taps)]! : 0,
  );
}

/** The bias with which a weight [patch, out] gives the right outputs on average. */
export function biasOf({ inputs, outputs }: Fitting, weight: Matrix): Float64Array {
  const own = multiplyPlainly(inputs, weight).data;
  return outputs.map((value, o) => value - own[o]!);
}

export const patchSize = ({ sizes: { inChannels, kh, kw } }: Target): number => inChannels * kh * kw;

/** A convolution's weight as the matrix of its fits, [patch, outputs]. */
export function weightMatrix(target: Target): Matrix {
  const patch = patchSize(target);
  const { outChannels } = target.sizes;
  return matrix(patch, outChannels, (a, o) => target.weight[target.transposed ? a * outChannels + o : o * patch + a]!);
}

function withRidge(gram: Matrix): Matrix {
  const least = ridge * meanDiagonal(gram) || 1;
  return withDiagonal(gram, () => least);
}

/** The patch of a place of the output, [in, kh, kw], with zeros where it hangs over the border. */
function readPatch(
  { shape, data }: Value,
  n: number,
  place: number,
  [, rows, cols]: WindowAxes,
  out: Float64Array,
  at: number,
): void {
  const [channels, height, width] = [shape[1]!, shape[2]!, shape[3]!];
  const top = Math.floor(place / cols.output) * rows.stride - rows.before;
  const left = (place % cols.output) * cols.stride - cols.before;
  let to = at;
  for (let c = 0; c < channels; c++) {
    const plane = (n * channels + c) * height * width;
    for (let ky = 0; ky < rows.size; ky++) {
      const y = top + ky * rows.dilation;
      for (let kx = 0; kx < cols.size; kx++) {
        const x = left + kx * cols.dilation;
        const inside = y >= 0 && y < height && x >= 0 && x < width;
        out[to++] = inside ? (data[plane + y * width + x] as number) : 0;
      }
    }
  }
}

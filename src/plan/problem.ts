// What to compute, as plain data: filters over pictures, layers over tensors.
import type { ImageDType } from "../tensor.ts";

/** What stands beyond the edges; README.md and docs/filters.md have other libraries' names of each. */
export type Border = "constant" | "edge" | "reflect" | "symmetric" | "wrap";

/** Shape and type of a value: [height, width, channels] for pictures, [batch, height, width, channels] for layers. */
export interface ValueSpec {
  /** Sides, channels last. */
  shape: number[];
  /** Element type. */
  dtype: ImageDType;
}

/** The window of an output: output (y, x) reads input rows y·stride − pads.top + ky·dilation, columns likewise. */
export interface Window {
  /** Rows and columns of the filter. */
  size: [kh: number, kw: number];
  /** From output to output, in input pixels. */
  strides: [y: number, x: number];
  /** From tap to tap, in input pixels. */
  dilations: [y: number, x: number];
  /** Pixels beyond each edge that windows reach. */
  pads: [top: number, left: number, bottom: number, right: number];
  /** What stands there. */
  border: Border;
  /** The value beyond the edge under `constant`. */
  borderValue: number;
}

/** One column ⊗ row product. */
export interface Term {
  /** Taps of the column pass, [kh]. */
  column: number[];
  /** Taps of the row pass, [kw]. */
  row: number[];
}

/** The weights of a filter and what factoring found in them. filter = Σ terms / denominator, before gain. */
export interface Factors {
  /** Row-major [kh · kw]; absent where the filter was given as a column and a row. */
  values?: number[];
  /** Terms at the exact rank. */
  terms: Term[];
  /** All taps are integers, and so are the values: integer arithmetic is exact. */
  integer: boolean;
  /** What the sum of the terms is divided by; 1 where the taps are real numbers. */
  denominator: number;
  /** Truncations that meet the problem's tolerance, if any: real taps, smallest rank first. */
  approximations: {
    /** Fewer than the exact rank. */
    terms: Term[];
    /** Relative, in the Frobenius norm. */
    error: number;
  }[];
}

/**
 * What a layer's outputs go through at the end. `clip` is [least, most], null where there is none (JSON has
 * no infinity); `leakyRelu` the slope below zero.
 */
export type Activation =
  | "none"
  | "relu"
  | "relu6"
  | "hardSwish"
  | "silu"
  | "sigmoid"
  | {
      /** The slope below zero. */
      leakyRelu: number;
    }
  | {
      /** [least, most]; null or an infinity where there is no bound. */
      clip: readonly [number | null, number | null];
    };

/** A filter over a picture: made by `engine.filterProblem`. */
export interface FilterProblem {
  /** The discriminator of problems. */
  kind: "filter";
  /** The picture, [height, width, channels]. */
  x: ValueSpec;
  /** The result, [height, width, channels]. */
  y: ValueSpec;
  /**
   * Of a region, and of another extent than "same": the pixel of the picture [y, x] that the result's first one lies on; below
   * zero beyond the picture. Absent: [0, 0], and the result has the picture's sides.
   */
  origin?: [y: number, x: number];
  /** The window of each output. */
  window: Window;
  /** The filter, before `gain`. */
  factors: Factors;
  /** The result is gain · sum + offset: the filter's own and the caller's together. */
  gain: number;
  /** In the units of the pixels. */
  offset: number;
  /** Largest relative Frobenius error of the effective taps that a plan may have. 0: exact plans only. */
  tolerance: number;
  /** What becomes of the last channel. */
  alpha: Alpha;
  /** Where some pixels may be unknown: results are means of the others, times gain · (sum of the taps), plus offset. */
  known?: Known;
}

/** Which pixels of a picture are known, and what a filter gives where none is. */
export interface Known {
  /** Runs come with a mask: the weight of each pixel. */
  mask: boolean;
  /** Pixels with a NaN are unknown. */
  nan: boolean;
  /** What stands beyond the edges under `constant` is known. */
  border: boolean;
  /** By channel, the result where nothing is known; null is NaN (JSON has none). */
  fill: (number | null)[];
}

/** What happens to a last channel that is alpha: filtered like the others, carried over, or weighting the others (and kept under taps of both signs). */
export type Alpha = "none" | "keep" | "premultiply";

interface LayerBase {
  /** The order of the caller's data and weights; shapes of problems are always [batch, height, width, channels]. */
  dataFormat: "NHWC" | "NCHW";
  /** The input. */
  x: ValueSpec;
  /** The result. */
  y: ValueSpec;
  /** The window of each output; there are zeros beyond the edges. */
  window: Window;
  /** What the results go through. */
  activation: Activation;
}

/** A convolution: weight [kh, kw, inChannels / groups, outChannels]. Pointwise where the window is 1 × 1. */
export interface ConvProblem extends LayerBase {
  /** The discriminator of problems. */
  kind: "conv";
  /** Inputs and outputs are split into so many groups. */
  groups: number;
  /** A value of the result's sides, "added", goes in before the activation. */
  residual?: boolean;
  /** Other layers read the result in place, so it may not be stored with padded sides. */
  shared?: boolean;
  /** Weights and values are integers whose sums are exact: nothing may be divided on the way. */
  exact?: true;
}

/** The adjoint of a convolution: weight [kh, kw, inChannels, outChannels / groups] scatters each input into the result. */
export interface TransposedProblem extends LayerBase {
  /** The discriminator of problems. */
  kind: "transposed";
  /** Inputs and outputs are split into so many groups; 1 where absent. */
  groups?: number;
}

/** Each channel with filters of its own: weight [kh, kw, inChannels, depthMultiplier], output c · depthMultiplier + m. */
export interface DepthwiseProblem extends LayerBase {
  /** The discriminator of problems. */
  kind: "depthwise";
  /** Filters, and so outputs, for each input channel. */
  depthMultiplier: number;
  /** Every filter is a column times a row; their taps are then the weights "column" and "row". */
  spatiallySeparable?: boolean;
}

/** A depthwise separable layer: depthwise [kh, kw, inChannels, depthMultiplier], then pointwise [in · multiplier, out]. */
export interface SeparableProblem extends LayerBase {
  /** The discriminator of problems. */
  kind: "separable";
  /** Depthwise filters for each input channel. */
  depthMultiplier: number;
  /** What goes between the steps. */
  middle: Activation;
  /** As of a convolution. */
  residual?: boolean;
}

/** Pointwise to `middleChannels`, depthwise, pointwise: an inverted residual (with `residual`, plus x), or the CP decomposition. */
export interface InvertedProblem extends LayerBase {
  /** The discriminator of problems. */
  kind: "inverted";
  /** Channels of the depthwise step. */
  middleChannels: number;
  /** What goes after the first step. */
  expand: Activation;
  /** What goes after the depthwise step. */
  middle: Activation;
  /** The input is added to the result, before the last activation. */
  residual: boolean;
  /** In a network: adds another value of the result's shape, as of a convolution; not with `residual`. */
  added?: boolean;
}

/** A layer over a tensor: made by `engine.layerProblem`. Plain data. */
export type LayerProblem = ConvProblem | TransposedProblem | DepthwiseProblem | SeparableProblem | InvertedProblem;

/** What is to be computed, without the data: for `engine.plan`. Plain data. */
export type Problem = FilterProblem | LayerProblem;

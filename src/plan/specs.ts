// What a step computes: for each family of kernels the data that says what. They survive JSON, as plans do.
import type { Activation, Term } from "./problem.ts";

/**
 * How sums are formed: in integers modulo 2^16 or 2^32, exact where the results fit whatever intermediate sums do; in
 * floating point, where 64 bits are for integers up to 2^53, exact as well; or in fixed point, where 16-bit taps and values
 * are multiplied in pairs and summed in 32 bits.
 */
export type Arithmetic = "i16" | "u16" | "i32" | "f32" | "f64" | "fixed";

/** What turns a sum into a result: gain · (sum / denominator) + offset, rounded half up and saturated. */
export interface Finish {
  denominator: number;
  gain: number;
  offset: number;
}

/** Sums that are means of pixels: one of these, in the last buffer read, and how far rounding may take a sum from its mean. */
export interface Mean {
  dy: number;
  dx: number;
  /** Relative, a multiple of 2^-23. */
  slack: number;
}

/**
 * out[i] = Σ tap · in[row + dy][i + dx · channels], plus the second buffer read where the step reads two. Of a mean it is the
 * value nearest to the pixel that `mean` names, of those that are within the slack of the sum.
 */
export interface TapsSpec {
  family: "taps";
  taps: { dy: number; dx: number; tap: number }[];
  arithmetic: Arithmetic;
  /** Steps of the input from result to result; 1 where absent. */
  strides?: [y: number, x: number];
  finish?: Finish;
  mean?: Mean;
}

/** Sums of `length` neighbours along one axis, at a cost that does not depend on the length. Exact integers only. */
export interface RunningSumSpec {
  family: "running-sum";
  axis: "column" | "row";
  length: number;
}

/** Between every two neighbours along an axis, `factor` results on a straight line, the first of them the neighbour. */
export interface InterpolateSpec {
  family: "interpolate";
  axis: "column" | "row";
  factor: number;
  finish?: Finish;
}

/** Σ column ⊗ row as a product of spectra, over tiles: each of a strip's rows becomes as many as the output's stride. */
export interface FftSpec {
  family: "fft";
  /** Rows, and elements of each: powers of four, at least 16. */
  tile: [rows: number, elements: number];
  /** Elements of each row of a tile that are results. */
  results: number;
  terms: Term[];
  arithmetic: "f32" | "f64";
  /** Of integers in f64: sums are rounded to the integers that they are. */
  whole?: {
    /** What pixels are less before they are transformed, so that their magnitudes are small. */
    middle: number;
    /** What that takes from every sum. */
    missing: number;
  };
  finish: Finish;
}

/** The window of a layer's kernel; rows outside the input are rows of zeros. */
export interface LayerWindow {
  size: [kh: number, kw: number];
  strides: [y: number, x: number];
  dilations: [y: number, x: number];
  pads: [top: number, left: number];
  /** Rows that are written for each row of the grid (1 where absent), and which is the first (0). */
  rowsOut?: number;
  rowStart?: number;
  /** Columns that are written for each column that the window stands at (1 where absent). */
  columnsOut?: number;
  /** Every `step`th pixel of a row is written, from `start` on, `count` of them: one phase of a transposed convolution. */
  phase?: { step: number; start: number; count: number };
  /** The kernel is given all rows of all images of what it reads and writes, and finds its own. */
  whole?: true;
}

export interface DepthwiseSpec extends LayerWindow {
  family: "depthwise";
  /** Channels of the layer, without padding. */
  channels: number;
  depthMultiplier: number;
  activation: Activation;
}

export interface ConvSpec extends LayerWindow {
  family: "conv";
  /** Channels of the layer, without padding. */
  inputs: number;
  outputs: number;
  /** The depth multiplier of the depthwise layer that the inputs come from: its members stand one after the other. */
  members: number;
  groups: number;
  activation: Activation;
  /** The third buffer read is added before the activation. */
  residual: boolean;
  /** The weights are a value that earlier steps pack: one for each image or for all of them, or one for each row of the grid. */
  packed?: "value" | "rows";
  /** The groups are those of Winograd's algorithm; the weights are those of the whole convolution, not yet transformed. */
  winograd?: { inputs: number; outputs: number };
}

/**
 * A convolution of 16-bit integers, summed in 32 bits: each sum times a factor of its output, in f32. Where `round` names bounds,
 * to the nearest integer within them, halves to the even one.
 */
export interface ConvIntegerSpec extends LayerWindow {
  family: "conv-integer";
  /** Channels of the layer, without padding. */
  inputs: number;
  outputs: number;
  round?: [least: number, most: number];
}

/** The same integers in another type: from f32, where they are whole numbers of 16 bits, to i16, or back. */
export interface RetypeSpec extends LayerWindow {
  family: "retype";
}

/** Four neighbours along both axes into 16 groups of channels, or 16 groups of products into 2 × 2 outputs. */
export interface WinogradSpec extends LayerWindow {
  family: "winograd";
  part: "input" | "output";
  activation: Activation;
  residual: boolean;
}

/** The largest value, or the mean, of windows; what lies outside the input does not count. */
export interface PoolSpec extends LayerWindow {
  family: "pool";
  op: "max" | "average";
  /** Sides of the input. */
  height: number;
  width: number;
  /** Of means: pixels outside count as zeros. */
  countOutside: boolean;
}

/** Where an element stands: of which image, in which row, of which pixel, which channel. */
export type Position = [image: number, row: number, pixel: number, channel: number];

/** One loop of a move: how often, and how far apart what is read and what is written stands. */
export interface MoveLoop {
  count: number;
  from: Position;
  to: Position;
}

/**
 * Values to other places: a part of a value, its axes in another order, or its elements in another shape. Rows of the grid are
 * the turns of the loops that go along images and rows of what is written; these come first.
 */
export interface MoveSpec extends LayerWindow {
  family: "move";
  /** Outermost first. */
  loops: MoveLoop[];
  /** Where the first element is read and written. */
  from: Position;
  to: Position;
  /** Channels of what is written, where those that are stored beyond them become zeros. */
  channels?: number;
}

/** Of each pixel: e^x over the sum of all channels' e^x, or its logarithm. */
export interface SoftmaxSpec extends LayerWindow {
  family: "softmax";
  /** Channels of the value, without padding. */
  channels: number;
  log: boolean;
}

/**
 * Sums, products and extremes: of each row its pixels, its channels of each pixel, or both, become one; or as many rows as the
 * window is high. A second buffer read, of the result's sides or 1, is subtracted from each element first.
 */
export interface ReduceSpec extends LayerWindow {
  family: "reduce";
  op: "sum" | "product" | "max" | "min";
  over: "pixels" | "channels" | "row" | "rows";
  /** What becomes of each element before. */
  map: "none" | "abs" | "square" | "exp";
  /** Of the input: channels without padding, and rows. */
  channels: number;
  height: number;
  /** The result is this many times what was found. */
  scale: number;
}

/** What a row or column of the result is made of: as many pixels, with their weights, for each. */
export interface ResizeAxis {
  /** Pixels of the input for each of the result, one list after the other. */
  from: number[];
  weights: number[];
}

/** Another size: each pixel is a sum of `taps[0]` × `taps[1]` weighted pixels of the input. */
export interface ResizeSpec extends LayerWindow {
  family: "resize";
  taps: [down: number, across: number];
  rows: ResizeAxis;
  columns: ResizeAxis;
}

/** How a value is read between its pixels, at coordinates from −1 to 1 along each axis. */
export interface Sampling {
  /** Of one pixel along each axis, two or four. */
  mode: "nearest" | "linear" | "cubic";
  /** What lies outside: zeros, the outermost pixels, or those inside as in a mirror. */
  padding: "zeros" | "border" | "reflection";
  /** −1 and 1 are the middles of the outermost pixels; else their outer edges. */
  corners: boolean;
}

/** Pixels of what is read first at the places that the second value has for each pixel of the result: along its row, then down. */
export interface SampleSpec extends LayerWindow, Sampling {
  family: "sample";
}

export const unaryFunctions = [
  ...(["neg", "abs", "sqrt", "floor", "ceil", "trunc", "round", "exp", "log", "tanh", "erf"] as const),
  "sigmoid",
  ...(["atan", "sin", "cos"] as const),
] as const;
export const binaryFunctions = ["add", "sub", "mul", "div", "min", "max", "pow", "mod"] as const;

/** A number for every element: an operand, a constant, or a function of nodes before. */
export type ExpressionNode =
  | readonly [name: "operand" | "constant", index: number]
  | readonly [name: (typeof unaryFunctions)[number], a: number]
  | readonly [name: (typeof binaryFunctions)[number], a: number, b: number]
  /** 1 or 0. */
  | readonly [name: "less" | "lessEqual" | "equal", a: number, b: number]
  /** b where a is not 0, else c. */
  | readonly [name: "where", a: number, b: number, c: number];

/** A function of up to three operands, for every element. */
export interface ExpressionSpec extends LayerWindow {
  family: "expression";
  /** In order; the last is the result. */
  nodes: readonly ExpressionNode[];
  constants: readonly number[];
  /** Of each operand: whether it has a number for each pixel of a row, and for each channel; else one stands for all. */
  operands: readonly { pixels: boolean; channels: boolean }[];
  /** Channels of the result, without padding. */
  channels: number;
}

/** A matrix product (GEMM) in f64 of two packed factors. Rows of the grid are panels of four rows of the result. */
export interface GemmSpec extends LayerWindow {
  family: "gemm";
  /** The inner dimension, panels of rows of the left factor, panels of columns of the right one. */
  inner: number;
  aPanels: number;
  bPanels: number;
  /** Columns of a panel. */
  columns: number;
  /** Only the lower triangle is wanted. */
  triangle: boolean;
}

/**
 * The thinning of Canny's edges: the gradient by Sobel's filters, and pixels of which it is greater than of both neighbours along
 * it. A row of results is two of bits, in
 * words of 32: elements above the high threshold, then those above the low one.
 */
export interface EdgesSpec {
  family: "edges";
  /** Integers of 16 bits where the derivatives fit those. */
  arithmetic: "i16" | "f32";
  /** |gx| + |gy|, or gx² + gy². */
  norm: "l1" | "l2";
  /** Bounds of the norm as it stands. */
  thresholds: [low: number, high: number];
  /** Rows of the picture, beyond which the gradient is zero. */
  height: number;
}

export type KernelSpec =
  | EdgesSpec
  | TapsSpec
  | RunningSumSpec
  | InterpolateSpec
  | FftSpec
  | DepthwiseSpec
  | ConvSpec
  | ConvIntegerSpec
  | RetypeSpec
  | WinogradSpec
  | PoolSpec
  | MoveSpec
  | SoftmaxSpec
  | ReduceSpec
  | ResizeSpec
  | SampleSpec
  | ExpressionSpec
  | GemmSpec;

// The messages between the page and its worker: calls by name, each answered by a result, an error, or progress.
import type { EngineInfo, Filter, FilterOptions, Plan } from "rank1";
import type { Inspection, LayerSplits, ModelPlan, Report } from "rank1/onnx";
import type { Display } from "../picture/display.ts";
import type { BorderName, LayerChoice } from "../state/hash.ts";

/** Pixels as the page holds them: RGBA, 8 bits. The bytes move from one side to the other, and are not copied. */
export interface Pixels {
  width: number;
  height: number;
  data: ArrayBuffer;
}

export type Against = "input" | { filter: Filter };

export interface FilterCall {
  filter: Filter;
  options: FilterOptions;
  /** How results of other types than bytes are shown. */
  display: Display;
  /** Against what the result is shown as a difference: the picture itself, or what another filter makes of it. */
  against?: Against;
  /** Colours of differences. */
  dark: boolean;
}

/** What is said of a result, which stands on the stage by then. */
export interface Filtered {
  plan: Plan;
  milliseconds: number;
  /** Of differences: the largest, in grey levels. */
  largest?: number;
}

/** One term of a filter, to be applied pass by pass. */
export interface StagesCall {
  term: { readonly column: readonly number[]; readonly row: readonly number[] };
  options: FilterOptions;
  /** Of a large picture only a piece around this pixel is shown. */
  around: readonly [x: number, y: number];
}

export interface LayerPlans {
  conv: Plan;
  separable: Plan;
  milliseconds: { conv: number; separable: number };
}

/** How values of a picture go into a network: (value − mean) / std, value from 0 to 1. */
export interface Scaling {
  mean: readonly number[];
  std: readonly number[];
}

export interface ModelRun {
  /** The network's input that takes the picture, and its shape. */
  input: string;
  shape: readonly number[];
  outputs: { name: string; shape: readonly number[]; data: Float32Array }[];
  milliseconds: { first: number; median: number; runs: number };
  plan: ModelPlan;
}

/** How a model is to be separated. */
export interface SeparateCall {
  /** What its inputs are like: pictures of the user, or some that are drawn for the bundled network. Without any, its weights alone count. */
  pictures?: { files: readonly File[]; pieces: boolean } | { drawn: number };
  scaling: Scaling;
  /** A reduction of the multiplications; without pictures a depth multiplier. */
  goal: { reduce: number } | { rank: number };
  /** Whether the result is evaluated on drawn pictures: the model is the bundled one. */
  evaluated: boolean;
}

export interface Separation {
  report: Report;
  /** The new ONNX file. */
  file: Uint8Array<ArrayBuffer>;
  /** Names of files that are no pictures. */
  skipped: string[];
  evaluation?: Evaluation;
}

/** What both models say of drawn pictures that nothing was fitted to. */
export interface Evaluation {
  pictures: number;
  /** How many were named right, and how many the same by both. */
  before: number;
  after: number;
  same: number;
  /** A few of them, those first that are no longer named as they were. */
  examples: { picture: Pixels; is: string; before: string; after: string }[];
}

/** Filters (kernels) of a layer, as they lie over its first input channel. */
export interface LayerKernels {
  kh: number;
  kw: number;
  kernels: number[][];
  /** Of all that there are. */
  count: number;
  channels: number;
}

export interface Calls {
  info: { args: undefined; answer: EngineInfo };
  /** Decodes a picture, holds it, and gives a copy back. */
  decode: { args: { from: Blob | ImageBitmap }; answer: Pixels & { opaque: boolean } };
  /** Takes the canvases that are painted on from now on: the pixels of large pictures never pass through the page. */
  stage: { args: Record<"original" | "result", OffscreenCanvas>; answer: undefined };
  /** Paints the picture that is held, with so many pixels of its border around it. */
  frame: { args: { border: BorderName; frame: number }; answer: undefined };
  filter: { args: FilterCall; answer: Filtered };
  /** Filters once more, to tell how long it takes when its code is compiled. */
  time: { args: FilterCall; answer: number };
  /** What the stage shows, as a PNG file. */
  save: { args: undefined; answer: Blob };
  /** A picture, what the column pass makes of it, and what the row pass makes of that. */
  stages: { args: StagesCall; answer: Pixels[] };
  /** Milliseconds of each plan, by the names of their solvers. */
  measure: { args: FilterCall; answer: Record<string, number> };
  layer: { args: LayerChoice; answer: LayerPlans };
  /** Without splits. `id` tells one model that was opened from the next; `anySize`: the file leaves sides of the input open. */
  open: { args: { bytes: ArrayBuffer }; answer: { id: number; inspection: Inspection; anySize: boolean } };
  /** The splits of the next layers of a model that is open, as many as a moment allows; none, once all are known. */
  splits: { args: { id: number }; answer: LayerSplits[] };
  /** Some kernels of a layer of the model that is open, by its place among those of the inspection. */
  kernels: { args: { layer: number }; answer: LayerKernels };
  /** Takes what separating has made of the model that is open, to be run beside it. */
  openSeparated: { args: { bytes: Uint8Array }; answer: undefined };
  /** Runs the model that is open, or what separating has made of it, on the picture that is held or the piece in its middle. */
  run: { args: { scaling: Scaling; piece: boolean; separated: boolean }; answer: ModelRun };
  separate: { args: SeparateCall; answer: Separation };
}

export type Kind = keyof Calls;
export type Request = { [K in Kind]: { id: number; kind: K; args: Calls[K]["args"] } }[Kind];
export type ToWorker = Request | { abort: number };
export type Reply =
  | { id: number; answer: unknown }
  | { id: number; error: string; aborted: boolean }
  | { id: number; progress: number; what?: string };

/** What a call of the worker may use. */
export interface Context {
  signal: AbortSignal;
  progress(done: number, what?: string): void;
}

// The seam between what is planned and what runs it. Everything above compiles plans through a Backend and runs Programs;
// nothing above knows memory, threads or generated code.
import type { LayerWeights } from "../kernels/kernel.ts";
import type { Alpha, Border, Profile } from "../plan/types.ts";
import type { ImageArray, ImageDType, TypedArray, ValueDType } from "../tensor.ts";
import type { Schedule } from "./margins.ts";
import type { Abortable } from "./slices.ts";

/** What became of a kernel in wide mode. */
export const verdictNames = ["wide", "narrow: results differ"] as const;
/** What became of a kernel in wide mode: it runs wide, or its results differed and its 128-bit twin runs. */
export type Verdict = (typeof verdictNames)[number];

/** Weights by the id of the constant that holds them. */
export type Weights = ReadonlyMap<string, LayerWeights>;

/** A plan as backends take it. */
export interface BackendPlan extends Schedule {
  /** Predicted nanoseconds on one thread: whether other threads are worth waking. */
  cost: { time: number };
}

export interface ProgramRunOptions {
  signal?: Abortable;
  /** Called now and then with the share that is done, from 0 to 1. */
  onProgress?: (done: number) => void;
  /** Called when a stage begins, and once more when the last has ended; such a run is on one thread. */
  onStage?: () => void;
}

/** The order of a tensor's axes: [images, height, width, channels] or [images, channels, height, width]. */
export type DataFormat = "NHWC" | "NCHW";

/** A tensor of the caller's, read or written in a run. */
export interface TensorBinding {
  kind: "tensor";
  data: Float32Array | Value;
  format: DataFormat;
  images: number;
  height: number;
  width: number;
  channels: number;
  /** Of a depth multiplier: channel c · members + m stands at m · (stored / members) + c. */
  members?: number;
}

/** A weight for each pixel: the largest integer, or 1, is the full one. */
export type MaskArray = Uint8Array | Uint16Array | Float32Array;

/** A picture with interleaved channels, and what stands beyond its edges. */
export interface SourceBinding {
  kind: "source";
  data: ImageArray | Value;
  dtype: ImageDType;
  height: number;
  width: number;
  channels: number;
  border: Border;
  borderValue: number;
  alpha: Alpha;
  /** Where alpha weights colours: what of it means opaque (1 where absent), and whether they are multiplied by it already. */
  full?: number;
  premultiplied?: boolean;
  /** The pixel that the result's first one lies on; below zero beyond the picture. Absent: its first. */
  origin?: { x: number; y: number };
  known?: KnownPixels;
}

/** How well each pixel of a picture is known: rows are staged with a weight as their last channel. */
export interface KnownPixels {
  /** A weight for each pixel, the greatest of its type means known; absent where all are, but for those with a NaN. */
  mask?: MaskArray;
  /** Pixels with a NaN are unknown. */
  nan: boolean;
  /** What stands beyond the edges under the constant border is known. */
  border: boolean;
  /** By channel, the result where nothing is known. */
  fill: readonly number[];
}

/** Where a filtered picture goes, and what becomes of its alpha. */
export interface TargetBinding {
  kind: "target";
  data: ImageArray | Value;
  dtype: ImageDType;
  /** Of the result. */
  height: number;
  width: number;
  /** Where its first pixel goes in an array of rows `pitch` pixels long. Absent: the array holds the result alone. */
  at?: { x: number; y: number; pitch: number };
  /** Under premultiplied alpha: applied to colours after they were divided by alpha. */
  gain: number;
  /** Under premultiplied alpha, of taps above and below 0: their sum. Colours are not divided then, and alpha is kept. */
  tapSum?: number;
  offset: number;
  alpha: Alpha;
  /** The picture that was filtered. */
  source: SourceBinding;
}

export type Binding = TensorBinding | SourceBinding | TargetBinding;
/** By the ids of the plan's buffers; one buffer may go to several arrays, each in an order of its own. */
export type Bindings = readonly (readonly [id: string, binding: Binding])[];

export interface CompileOptions {
  /** It shares weights that are packed alike, and the room for its values, with all others that share. */
  shares?: boolean;
  /** Ends it early. */
  signal?: Abortable;
}

/** A plan that is ready to run: kernels compiled, memory reserved, weights packed. */
export interface Program {
  /** Milliseconds that making it took, by phase: "layout", "code", "weights", "check". */
  readonly phases: Readonly<Record<string, number>>;
  /** Bytes of the backend's memory that it uses, and those of them that it shares with others (none where absent). */
  readonly bytes: number;
  readonly shared?: number;
  /** One run at a time on a backend. What it returns is {@link ended} where the run is over by then, as short ones are. */
  run(inputs: Bindings, outputs: Bindings, options?: ProgramRunOptions): Promise<void>;
  /**
   * Runs at once and blocks this thread: inputs are written, and results read, where they stand, by whoever is given their
   * rows. Only of values without margins and padding.
   */
  runSync?(inputs: Rooms, outputs: Rooms): void;
  /** True only where the elements `from` to `to` of a mask are from 0 to 1; between runs. Absent, or false: look at each. */
  areWeights?(mask: Float32Array, from: number, to: number): boolean;
  /**
   * Mirrors a picture at the diagonal, between runs: `sides` of `from`, whose pixels are elements of 1, 2 or 4 bytes. Absent, or
   * false: nothing is done.
   */
  turn?(from: TypedArray, to: TypedArray, sides: [height: number, width: number], bytes: number): boolean;
  /** Gives its memory back, once; later runs are refused. */
  dispose(): void;
}

/** Of runs that are over: one promise for all, since every frame of a video has one. */
export const ended: Promise<void> = Promise.resolve();

/** What fills or reads the rows of values, by id. */
export type Rooms = ReadonlyMap<string, (room: TypedArray) => void>;

/** A rectangle of a picture's pixels. */
export type Part = Record<"x" | "y" | "width" | "height", number>;

/** Data inside a backend: what lies there is neither copied in nor out when a program reads or writes it. */
export interface Value {
  readonly shape: readonly number[];
  readonly dtype: ValueDType;
  /** Replaces the elements by those of an array in row-major order: all, or those of a part of a picture. */
  write(data: TypedArray, part?: Part): Promise<void>;
  /** The elements in row-major order, in a fresh array or in `into`. */
  read(into?: TypedArray): Promise<TypedArray>;
  dispose(): void;
}

/** What an engine says of its GPU. */
export interface GraphicsInfo {
  /** The adapter, as it calls itself. */
  adapter: string;
  /** It computes on the processor. */
  software: boolean;
  /** Largest buffer, in bytes. */
  maxBufferBytes: number;
  /** Largest value that a kernel reads or writes, in bytes. */
  maxBindingBytes: number;
  /** Memory that the units of a workgroup share, in bytes. */
  sharedBytes: number;
  /** What ran on WebAssembly instead, and why; the first twenty kinds. */
  elsewhere: string[];
  /** How often the device was lost, and another taken. */
  losses: number;
}

export interface Backend {
  readonly name: "wasm" | "webgpu" | "reference";
  /** Of the GPU's: the adapter, and what does not run on it. */
  readonly graphics?: GraphicsInfo;
  /** What the cost model assumes of it. */
  readonly profile: Profile;
  /** Threads that work, the caller's included. */
  readonly threads: number;
  compile(plan: BackendPlan, weights: Weights, options?: CompileOptions): Promise<Program>;
  /** {@link compile} at once, where nothing has to be waited for. */
  compileSync?(plan: BackendPlan, weights: Weights): Program;
  alloc(spec: { shape: readonly number[]; dtype: ValueDType }): Value;
  /** Bytes that programs and values hold. */
  bytes(): number;
  dispose(): void;
}

/** A {@link Value}, not an array. */
export const isValue = (data: ArrayBufferView | Value): data is Value => !ArrayBuffer.isView(data);

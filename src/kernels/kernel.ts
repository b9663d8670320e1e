// What a kernel is: one family of strip operations with its specification (plain f64 loops) and its generated twin.
import type { BufferSpec, KernelSpec, Work } from "../plan/types.ts";
import type { TypedArray } from "../tensor.ts";
import type { ModuleBuilder } from "../wasm/assembler.ts";

/** The buffers that a step touches; kernels take their sizes from here. */
export interface StepBuffers {
  reads: BufferSpec[];
  write: BufferSpec;
}

/** The rows of a buffer on one strip. Row 0 is the first that the strip's first output row needs. */
export interface Rows {
  spec: BufferSpec;
  row(index: number): Exclude<TypedArray, BigInt64Array | BigUint64Array>;
}

/** What the generated code may use. */
export interface CodeMode {
  /** Fused multiply-add of relaxed SIMD. */
  relaxed: boolean;
  /** Pairs of 128-bit instructions will become 256-bit ones, in twice the register space. */
  wide: boolean;
}

/** Weights of one step, in the orders of TensorFlow. */
export interface LayerWeights {
  weight: ArrayLike<number>;
  bias?: ArrayLike<number>;
}

export interface Kernel<S extends KernelSpec = KernelSpec> {
  family: S["family"];
  /** The specification: computes `rows` output rows in f64. */
  reference(spec: S, reads: Rows[], write: Rows, rows: number, first: number): void;
  /** Names the generated code: equal names, equal code. */
  entry(spec: S, buffers: StepBuffers, mode: CodeMode): string;
  /** Generates a function (rows, params, ...tables of row pointers: reads, then write). */
  emit(module: ModuleBuilder, name: string, spec: S, buffers: StepBuffers, mode: CodeMode): void;
  /** What one output row costs. */
  work(spec: S, buffers: StepBuffers): Work;
  /** Elements that generated code loads for one output row; where absent, one for each multiplication and addition. */
  loads?(spec: S, buffers: StepBuffers, mode: CodeMode): number;
  /** The parameter block that the generated code reads: sizes and taps. */
  params(spec: S, buffers: StepBuffers): Uint8Array;
  /** Puts a layer's weights in the order that the kernel reads, for a given input, into zeros. */
  pack?(spec: S, input: BufferSpec, weights: LayerWeights, packed: Float32Array): void;
  /** Bytes of scratch that the code needs for so many rows: it gets their address before the table of results. */
  scratch?(spec: S, write: BufferSpec, rows: number): number;
  /** The code is told the first row of the output, after the tables that it reads (doubled: odd words are addresses). */
  positioned?: boolean;
  /** How many elements past its last a row, and rows past its last a strip, must allow to be read and written. */
  overrun: { elements: number; rows: number };
}

/** Pixels of a row between its borders. */
export const pixelsOf = ({ width, left = 0, right = 0 }: BufferSpec): number => width - left - right;

/** Elements of one row of results. */
export const rowElements = ({ width, channels }: BufferSpec): number => width * channels;

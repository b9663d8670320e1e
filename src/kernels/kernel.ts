// What a kernel is: one family of strip operations with its specification (plain f64 loops) and its generated twin.

import type { FunctionBuilder, Local, ModuleBuilder } from "../codegen/assembler.ts";
import type { BufferSpec, KernelSpec, Work } from "../plan/types.ts";
import type { Elements, TypedArray } from "../tensor.ts";

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

/** What every kernel is called with, in this order: one signature serves all, so that one driver calls all. */
export interface KernelArguments {
  /** Rows of the grid; with none the code does nothing, but is compiled. */
  rows: Local;
  /** Address of the parameter block. */
  params: Local;
  /** The first row of the output. */
  first: Local;
  /** Address of scratch, where the kernel asks for it. */
  scratch: Local;
  /** Tables of row pointers: of what is written, and of up to three buffers that are read. */
  target: Local;
  sources: readonly [Local, Local, Local];
}

export const kernelArity = 8;

/** Defines a kernel's function. */
export function defineKernel(
  module: ModuleBuilder,
  name: string,
  build: (f: FunctionBuilder, args: KernelArguments) => void,
): void {
  module.define(name, Array(kernelArity).fill("i32"), (f) => {
    const [rows, params, first, scratch, target, ...sources] = f.params as [Local, Local, Local, Local, Local];
    build(f, { rows, params, first, scratch, target, sources: sources as unknown as KernelArguments["sources"] });
  });
}

/** From the first unit of output channels on, before the end. */
export interface Units {
  first: number;
  end: number;
}

/** Weights of one step. */
export interface LayerWeights {
  weight: ArrayLike<number>;
  /** [kh, kw, inputs, outputs], as in TensorFlow, unless it says [outputs, inputs, kh, kw], as in ONNX files. */
  order?: "HWIO" | "OIHW";
  bias?: ArrayLike<number>;
  /** Of integer weights: what each output's sum is multiplied by, one for all or one for each; 1 where absent. */
  factors?: ArrayLike<number>;
  /** What they are made from, where that is not one array: of equal lists, they are equal. */
  from?: readonly (object | string)[];
}

/** What tells weights from others. */
export const sourcesOf = (weights: LayerWeights): readonly (object | string)[] =>
  weights.from ?? [weights.weight, weights.bias ?? "", weights.order ?? "", weights.factors ?? ""];

/** Weights that are made when they are first read: what was packed before from the same needs them no more. */
export function derived(from: readonly (object | string)[], make: () => LayerWeights): LayerWeights {
  let made: LayerWeights | undefined;
  const get = (): LayerWeights => (made ??= make());
  return {
    from,
    get weight() {
      return get().weight;
    },
    get order() {
      return get().order;
    },
    get bias() {
      return get().bias;
    },
    get factors() {
      return get().factors;
    },
  };
}

/** How far apart neighbouring taps, inputs and outputs of a weight stand. */
export function weightSteps({ order }: LayerWeights, taps: number, inputs: number, outputs: number) {
  if (order === "OIHW") return { tap: 1, input: taps, output: inputs * taps };
  return { tap: inputs * outputs, input: outputs, output: 1 };
}

export interface Kernel<S extends KernelSpec = KernelSpec> {
  family: S["family"];
  /** What a step of it does, in a few words of the field. */
  describe(spec: S): string;
  /** The specification: computes `rows` output rows in f64. */
  reference(spec: S, reads: Rows[], write: Rows, rows: number, first: number): void;
  /** Names the generated code: equal names, equal code. */
  entry(spec: S, buffers: StepBuffers, mode: CodeMode): string;
  /** Generates a function of {@link KernelArguments}, by {@link defineKernel}. */
  emit(module: ModuleBuilder, name: string, spec: S, buffers: StepBuffers, mode: CodeMode): void;
  /** What one output row costs. */
  work(spec: S, buffers: StepBuffers): Work;
  /** Elements that generated code loads for one output row; where absent, one for each multiplication and addition. */
  loads?(spec: S, buffers: StepBuffers, mode: CodeMode): number;
  /** The parameter block that the generated code reads: sizes and taps; for some units of output channels only. */
  params(spec: S, buffers: StepBuffers, units?: Units): Uint8Array;
  /** Units of output channels among which the work on one row can be split, and the bytes of weights of each. */
  units?(spec: S): number;
  unitBytes?(spec: S): number;
  /** Puts a layer's weights in the order that the kernel reads, for a given input, into zeros. */
  pack?(spec: S, input: BufferSpec, weights: LayerWeights, packed: Elements): void;
  /** Bytes of scratch that the code needs for so many rows. */
  scratch?(spec: S, write: BufferSpec, rows: number): number;
  /** How many elements past its last a row, and rows past its last a strip, must allow to be read and written. */
  overrun: { elements: number; rows: number };
}

/** Pixels of a row between its borders. */
export const pixelsOf = ({ width, left = 0, right = 0 }: BufferSpec): number => width - left - right;

/** Elements of one row of results. */
export const rowElements = ({ width, channels }: BufferSpec): number => width * channels;

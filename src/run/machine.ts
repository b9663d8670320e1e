// What a plan needs of a machine: memory, and kernels that run on strips of it. The reference machine and WebAssembly
// both give it, so one interpreter serves both.
import type { StepBuffers } from "../kernels/kernel.ts";
import type { BufferSpec, KernelSpec } from "../plan/types.ts";
import type { ViewDType } from "../tensor.ts";
import type { Block } from "../wasm/memory.ts";
import type { SweepOptions } from "./sweep.ts";

/** Where an operand's table of row pointers stands: at an offset from the strip's slot, the worker's scratch, or 0. */
export interface OperandAddress {
  base: "slot" | "scratch" | "absolute";
  offset: number;
}

/** A use of a kernel. */
export interface KernelUse {
  spec: KernelSpec;
  buffers: StepBuffers;
  /** Arguments after the rows: parameters, tables of what is read, scratch where it is needed, the table of results. */
  arity: number;
}

/** One kernel call of a strip, ready to be bound. */
export interface Call extends KernelUse {
  /** Address of the parameter block. */
  params: number;
  operands: OperandAddress[];
}

/** The strips of a run: who works on them besides the caller is the machine's affair. */
export interface Job {
  calls: Call[];
  /** Addresses of the slots. A slot begins with its state and its number of rows, as 32-bit integers. */
  slots: number[];
  /** Scratch of the caller first, then of each further thread. */
  scratch: number[];
}

/** A started job. */
export interface Run {
  /** Executes the calls on one filled slot, on this thread. */
  execute(slot: number): void;
  /** Tells other threads that a slot was filled. */
  wake(): void;
  /** Resolves when another thread has finished a slot since the count of finished slots was `seen`. */
  waitForOthers(seen: number): Promise<void>;
  finished(): number;
  /** Ends the job: no thread touches its memory after this resolves. */
  end(): Promise<void>;
}

export interface Machine {
  readonly name: "wasm" | "reference";
  /** Threads that run strips, the caller's included. */
  readonly threads: number;
  /** How many of them work gets that is predicted to take so long on one. */
  threadsFor(nanoseconds: number): number;
  /** The share of a plan's rows that its strips take: a slow machine takes few, so that events get their turn. */
  readonly grainShare: number;
  /** The type in which a buffer of a plan is held here: the reference keeps intermediates in f64. */
  dtypeOf(scope: BufferSpec["scope"], dtype: ViewDType): ViewDType;
  /** The memory as it is now; views of an earlier one may be stale. */
  buffer(): ArrayBufferLike;
  allocate(bytes: number): Block;
  release(block: Block): void;
  /** Makes the kernels of these calls ready to run. */
  prepare(calls: Call[]): Promise<PreparedCalls>;
  /** Makes the kernels of a sweep ready to run. */
  prepareSweep(sweep: Sweep): Promise<PreparedSweep>;
  bytes(): number;
  dispose(): void;
}

/**
 * A list of stages over values that lie whole in the machine's memory. What each strip of a stage calls stands there too, as
 * words: for each call the rows and then its arguments, of which odd ones are addresses (less one) in a thread's scratch.
 */
export interface Sweep {
  stages: SweepStage[];
  /** Address of two words a stage: strips begun, and strips done. */
  counters: number;
  /** Of the caller first, then of each further thread. */
  scratch: number[];
}

export interface SweepStage {
  /** Address of the words of the first strip, and how many a strip has. */
  script: number;
  words: number;
  strips: number;
  calls: KernelUse[];
}

export interface PreparedSweep {
  unverified: boolean;
  /** Tries unverified code on the first strip of each stage, on what the memory holds. */
  verify(): void;
  run(options: SweepOptions): Promise<void>;
}

export interface PreparedCalls {
  /** Some generated code is not yet known to be right: {@link verify} must run before {@link start}. */
  unverified: boolean;
  /** Tries the calls on a slot that holds test data. */
  verify(slot: number, scratch: number): void;
  start(job: Job): Promise<Run>;
}

/** States of a slot. */
export const slotState = { empty: 0, filled: 1, running: 2, done: 3 } as const;
/** Words of a slot's header. */
export const slotWords = { state: 0, rows: 1 } as const;
export const slotHeaderBytes = 64;

/** Where an operand's table stands for a slot and a thread's scratch. worker.js does the same. */
export function addressOf({ base, offset }: OperandAddress, slot: number, scratch: number): number {
  return offset + (base === "slot" ? slot : base === "scratch" ? scratch : 0);
}

/** A run without other threads. */
export const alone: Omit<Run, "execute"> = {
  wake: () => {},
  waitForOthers: async () => {},
  finished: () => 0,
  end: async () => {},
};

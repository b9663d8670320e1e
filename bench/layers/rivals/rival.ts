// What a library that computes layers must offer. Each works in a process of its own, on a number of threads of its own.
import type { LayerCase } from "../cases.ts";
import type { LayerData } from "../data.ts";

/** One case, prepared: weights are packed, and nothing is allocated in `run` that the library allows to be allocated before. */
export interface LayerJob {
  /** From an array of the caller to an array of the caller; returns the milliseconds that took. */
  run(): Promise<number>;
  /** What the last run made: [height, width, channels]. */
  result(): Float32Array;
  /** rank1's plans, the chosen one first, without the copies in and out. */
  programs?: { plan: string; run(): Promise<number> }[];
  dispose(): void | Promise<void>;
}

export interface LayerRival {
  version: string;
  prepare(problem: LayerCase, data: LayerData): Promise<LayerJob>;
}

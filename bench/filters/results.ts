// What the contest of filters measures.
import type { CaseResult, Measured, Results, Times } from "../results.ts";

/** How far a result was from the exact one at sampled points, and from rank1's everywhere but near the edges. */
export interface Check {
  /** The border that was computed. */
  border: string;
  samples: number;
  /** Largest difference from the exact value, in levels, and what was allowed. */
  worst: number;
  levels: number;
  fromRank1: { worst: number; mean: number };
}

export interface FilterCaseResult extends CaseResult<Check> {
  width: number;
  height: number;
  channels: number;
  output: string;
  border: string;
  tolerance: number;
}

/** First call of a new engine in a new process, beside a warm one: one megapixel of grey. */
export interface Cold {
  wide: boolean;
  /** The engine was given the verdicts on wide kernels that another process had reached. */
  cached?: boolean;
  threads: number;
  create: Times;
  first: Times;
  warm: Times;
  /** First call minus warm call. */
  extra: Times;
}

/** What one call leaves for the garbage collector, in bytes, on the video case. */
export interface Allocation {
  wide: boolean;
  calls: number;
  heap: number;
  buffers: number;
  collections: number;
}

export interface FilterMeasured extends Measured<FilterCaseResult> {
  cold: Cold[];
  allocations: Allocation[];
}

export type FilterResults = Results<FilterCaseResult> & FilterMeasured;

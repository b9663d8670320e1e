// What the contest of layers measures.
import type { CaseResult, Measured, Results } from "../results.ts";
import type { Group } from "./cases.ts";

/** How far a result was from the exact one at sampled pixels, and from rank1's everywhere. */
export interface LayerCheck {
  /** Pixels, all channels of each. */
  samples: number;
  /** Largest error in units of ε · Σ |terms|, and what was allowed. */
  worst: number;
  allowed: number;
  /** Largest difference from rank1's result, over the largest value. */
  fromRank1: number;
}

export interface LayerCaseResult extends CaseResult<LayerCheck> {
  group: Group;
  /** One is 2 FLOP. */
  multiplications: number;
}

export interface LayerMeasured extends Measured<LayerCaseResult> {
  /** Multiply-adds in registers on one thread, in GFLOP/s: with 128-bit code, and wide. */
  peaks: { narrow: number; wide: number };
}

export type LayerResults = Results<LayerCaseResult> & LayerMeasured;

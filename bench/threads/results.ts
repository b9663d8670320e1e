// What the contest of threads measures.
import type { Allocation } from "../filters/results.ts";
import type { FreshResult } from "../models/results.ts";
import type { CaseResult, Measured, Results, Times } from "../results.ts";

export interface ThreadCaseResult extends CaseResult {
  kind: "layer" | "model";
}

/** Calls during which a worker was ended at a random moment. */
export interface Deaths {
  threads: number;
  calls: number;
  /** Those whose worker had work in its hands, and the milliseconds from its end to the error. */
  rejected: number;
  delay: Times;
  worst: number;
}

export interface ThreadMeasured extends Measured<ThreadCaseResult> {
  /** Of rank1: with 256-bit code. */
  wide: boolean;
  fresh: FreshResult[];
  /** What a call leaves for the garbage collector. */
  garbage: (Allocation & { threads: number })[];
  deaths: Deaths[];
  /** A run of MNIST on one thread, and its kernels alone: milliseconds. */
  mnist?: { whole: number; kernels: number };
}

export type ThreadResults = Results<ThreadCaseResult> & ThreadMeasured;

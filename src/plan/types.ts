// The central types: what to compute (Problem), how (Plan: stages of steps over buffers), and who proposes it (Solver).
// Data only, and all of it survives JSON: a plan can be stored, drawn, compared and run later.
import type { ViewDType } from "../tensor.ts";
import type { Problem } from "./problem.ts";
import type { Arithmetic, KernelSpec } from "./specs.ts";

export type * from "./problem.ts";
export type * from "./specs.ts";

export type BufferId = string;

/**
 * Rows of `width` pixels of `channels` elements. For a strip of output rows [y0, y1) it holds rows
 * y0·stride − above … (y1 − 1)·stride + below; kernels reach them through a table of row pointers.
 */
export interface BufferSpec {
  id: BufferId;
  /**
   * input, output: the caller's data, staged strip by strip. strip: scratch of one worker. constant: weights.
   * arena: a whole value of a network, [images, height, width, channels], with `above` and `below` rows of zeros.
   */
  scope: "input" | "output" | "strip" | "constant" | "arena";
  dtype: ViewDType;
  width: number;
  channels: number;
  stride: number;
  above: number;
  below: number;
  /** Of input and output: an intermediate picture of `height` rows between stages, in place of the caller's data. */
  picture?: string;
  height?: number;
  images?: number;
  /** How many pixels of border (of zeros, in an arena) stand left and right of each row, within `width`. */
  left?: number;
  right?: number;
}

/** One kernel call on one strip. */
export interface Step {
  /** What the step is called in explanations: "column pass". */
  name: string;
  kernel: KernelSpec;
  reads: BufferId[];
  writes: BufferId;
}

/** A grid of strips of `grain` output rows, and the steps that run over each strip while it is in cache. */
export interface Stage {
  grid: { images: number; extent: number; grain: number };
  steps: Step[];
}

/** What a plan costs. */
export interface Cost {
  /** Multiply-accumulates (2 FLOP) over the whole problem. */
  multiplications: number;
  /** Additions that are no part of those. */
  additions: number;
  /** Bytes that move between the caller's memory and the kernels. */
  bytes: number;
  /** Predicted time on one thread, in nanoseconds, by the built-in profile. */
  time: number;
}

/** What a solver proposes; the planner adds the cost. */
export interface Draft {
  /** Which of a solver's several plans: appended to the solver's name. */
  variant?: string;
  /** What the plan does, in short: "column pass, row pass". */
  summary: string;
  /** What runs, one stage after the other. */
  stages: Stage[];
  /** What the stages read and write. */
  buffers: BufferSpec[];
  /** How far results of a filter may be from the exact ones; layers are summed in f32, and do not state what that rounds. */
  error: {
    /** Of the effective taps, in the Frobenius norm. 0: as the filter has them, but for rounding. */
    relative: number;
    /**
     * The largest error of one result, whatever the picture, before a result of an integer type is rounded; in the units of the
     * result, of f32 pictures for pixels of magnitude up to 1. 0: every result is exactly what the filter, computed without
     * error, gives in the type of the result.
     */
    maxAbs: number;
  };
}

/** What a solver proposes, with what it costs. */
export interface Candidate extends Draft {
  /** The solver that proposes it, by the name that `strategy` takes. */
  solver: string;
  /**
   * Of a picture with short rows and long columns: stages and buffers are those of the picture mirrored at the diagonal, of which
   * rows are columns. It is turned before they run, and the result back.
   */
  turned?: true;
  /** As predicted by the built-in profile. */
  cost: Cost;
}

export const planVersion = 2;

/**
 * How a problem is computed, and why so. Plain data: it survives JSON, so that it can be stored and run later, and `explain`
 * prints it.
 */
export interface Plan extends Candidate {
  /** Of the plan format: plans of another version are refused. */
  version: typeof planVersion;
  /** What it computes. */
  problem: Problem;
  /** Candidates that cost more, cheapest first, and solvers that do not apply, each with the reason. */
  rejected: {
    /** The name that `strategy` takes. */
    solver: string;
    /** What its plan would do, in short. */
    summary: string;
    /** Absent where it does not apply. */
    cost?: Cost;
    /** Why it was not chosen. */
    why: string;
  }[];
}

/** Proposes plans for one kind of problem; where it does not apply, the reason. */
export interface Solver<P extends Problem = Problem> {
  name: string;
  kind: P["kind"];
  propose(problem: P, profile: Profile): Draft[] | { why: string };
}

/** What a step does for one of its output rows. */
export interface Work {
  arithmetic: keyof Profile["multiplication"];
  multiplications: number;
  additions: number;
  /** Additions that depend on the one before: a serial chain. */
  serialAdditions: number;
}

/** How the planner learns the work of a step, so that it need not know the kernels. */
export type WorkOf = (step: Step, buffers: ReadonlyMap<BufferId, BufferSpec>) => Work;

/** What the cost model knows of a machine; times in nanoseconds on one thread. */
export interface Profile {
  name: string;
  /** One multiply-accumulate, by arithmetic, in a vector kernel. */
  multiplication: Record<Arithmetic | "matrix" | "depthwise" | "fft" | "fft64", number>;
  addition: number;
  /** Serial additions of a running sum along a row, which no vector helps. */
  serialAddition: number;
  /** Staging a byte of the caller's data, and moving one of a whole value in the backend's memory. */
  byte: number;
  arenaByte: number;
  /** Loading and storing one element of an intermediate buffer. */
  element: number;
  /** One step on one strip. */
  call: number;
  /** How many bytes of strip a worker should touch at once, to stay in its cache. */
  cache: number;
}

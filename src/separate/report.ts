// The report of a separation, as plain data.
import type { OperatorUse } from "../errors.ts";
import type { DecompositionName } from "../factor/decompositions.ts";
import type { LossFunction } from "./heads.ts";

/** A figure of the original and of the separated network. */
export interface Change {
  /** Of the original. */
  before: number;
  /** Of the separated network. */
  after: number;
}

/** Median milliseconds of a run before and after. */
export interface TimeChange extends Change {
  /** Inputs in one run. */
  pictures: number;
  /** Threads that worked on it. */
  threads: number;
}

/** The result for one convolution. */
export interface LayerReport {
  /** The node's name. */
  name: string;
  /** Sides of its weight. */
  weight: readonly number[];
  /** Its decomposition; undefined where it stays as it is. */
  decomposition?: DecompositionName;
  /** Of that decomposition: its depth multiplier, or the channels in its middle. */
  rank?: number;
  /** Multiply-accumulates (2 FLOP) of a run. */
  multiplications: Change;
  /** Numbers in the weights. */
  parameters: Change;
  /** What the outputs lose if this layer alone is changed, as far as its curve tells. */
  loss?: number;
}

/** What a separation did. Plain data: it survives JSON. */
export interface Report {
  /** Every convolution that could be separated, in order. */
  layers: LayerReport[];
  /** Nodes that nobody here computes: they and what depends on them stay as they are, and count in none of these figures. */
  missing: readonly OperatorUse[];
  /** Shapes of inputs that the model leaves open, where no calibration data said them: figures are for these. */
  assumed: Readonly<Record<string, readonly number[]>>;
  /** Of the whole network. */
  totals: {
    /** Multiply-accumulates (2 FLOP) of a run. */
    multiplications: Change;
    /** Numbers in the weights. */
    parameters: Change;
  };
  /** What was wanted. */
  goal: {
    /** The option that was given. */
    kind: "reduce" | "speedup" | "tolerance" | "rank";
    /** Its value. */
    value: number;
  };
  /** What was reached: of multiplications, of time, of loss. */
  reached: {
    /** Multiplications before over those after. */
    reduction: number;
    /** Time before over time after, measured on this machine on one thread. */
    speedup?: number;
    /** The same by the profile that was given. */
    planned?: {
      /** The profile's name. */
      for: string;
      /** Time before over time after. */
      speedup: number;
    };
    /** Median milliseconds of a run of one input on one thread, before and after. */
    milliseconds?: Change;
    /** The same of one input and, where the network takes several, of 16, on one thread and on all. */
    times?: TimeChange[];
    /** What all changes together cost the outputs, measured on the calibration data. */
    loss?: number;
    /** The same before and after tuning, where that has helped. */
    tuned?: Change;
    /** Whether the goal was. */
    met: boolean;
  };
  /** How losses are computed; "relative square error" where outputs differ in it. */
  lossFunction?: LossFunction;
  /** What each output loses, measured as `reached.loss` is, which is their mean. */
  outputs: {
    /** The output's name. */
    name: string;
    /** How its loss is computed. */
    lossFunction: LossFunction;
    /** By that. */
    loss: number;
    /** Of scores: by what the dense layer that gives them is divided, so that the network is no more sure than it should be. */
    temperature?: number;
  }[];
  /** What the curves say of other budgets: loss, if layers' losses add up, against the reduction. */
  curve: {
    /** Multiplications before over those after. */
    reduction: number;
    /** By the report's loss function. */
    loss: number;
  }[];
  /** How many inputs the fits were made for. */
  samples: number;
  /** Whether the loss was measured on inputs that nothing was fitted to; of fewer than ten all do both. */
  apart: boolean;
  /**
   * The largest difference between outputs of the fitted network and those of its file, loaded again, for one input: as a share of an output's
   * largest value.
   */
  difference: number;
  /** How long the separation took. */
  seconds: number;
}

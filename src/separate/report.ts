// What a separation did, as plain data.
import type { FormName } from "../factor/forms.ts";
import type { Measure } from "./damage.ts";

export interface Change {
  before: number;
  after: number;
}

export interface LayerReport {
  /** The node's name. */
  name: string;
  /** Sides of its weight. */
  weight: readonly number[];
  /** What it became; undefined where it stays as it is. */
  form?: FormName;
  rank?: number;
  multiplications: Change;
  parameters: Change;
  /** What the outputs lose if this layer alone is changed, as far as its curve tells. */
  damage?: number;
}

export interface Report {
  layers: LayerReport[];
  totals: { multiplications: Change; parameters: Change };
  /** What is wanted, and what was reached: of multiplications, of time, of damage. */
  goal: { kind: "reduce" | "speedup" | "tolerance" | "rank"; value: number };
  reached: {
    /** Multiplications before over those after. */
    reduction: number;
    /** Time before over time after, measured on this machine on one thread. */
    speedup?: number;
    /** The same by the profile that was given. */
    planned?: { for: string; speedup: number };
    /** Median milliseconds of a run, before and after. */
    milliseconds?: Change;
    /** What all changes together cost the outputs, measured on the calibration data. */
    damage?: number;
    /** The same before and after tuning, where that has helped. */
    tuned?: Change;
    met: boolean;
  };
  measure?: Measure;
  /** What the curves say of other budgets: damage, if layers' damages add up, against the reduction. */
  curve: { reduction: number; damage: number }[];
  /** How many inputs the fits were made for. */
  samples: number;
  seconds: number;
}

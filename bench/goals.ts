// What goals are made of, whatever they are about.
import type { Results } from "./results.ts";

export interface Reached {
  goal: string;
  /** With 128-bit code, and wide: the number that the goal is about. Undefined where the goal is about the other only. */
  narrow?: number;
  wide?: number;
  unit: string;
  /** The bound, and whether numbers must stay below it. */
  bound: number;
  below: boolean;
}

export type Variant = "rank1" | "rank1 wide";

export const met = (value: number, { bound, below }: Reached): boolean => (below ? value <= bound : value >= bound);

export const both = (measure: (variant: Variant) => number): Pick<Reached, "narrow" | "wide"> => ({
  narrow: measure("rank1"),
  wide: measure("rank1 wide"),
});

type Bound = Pick<Reached, "unit" | "bound" | "below">;
export const atLeast = (bound: number, unit = "×"): Bound => ({ unit, bound, below: false });
export const atMost = (bound: number, unit: string): Bound => ({ unit, bound, below: true });

/** Without the goals that the measurements for are missing. */
export const measured = (goals: readonly Reached[]): Reached[] =>
  goals.filter(({ narrow, wide, bound }) => [narrow ?? wide, wide ?? narrow, bound].every(Number.isFinite));

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** Infinity of an empty list would look like a triumph. */
export const least = (values: readonly number[]): number => (values.length > 0 ? Math.min(...values) : Number.NaN);

/** Median milliseconds; NaN where they were not measured. */
export function timeOf({ cases }: Pick<Results, "cases">, name: string, rival: string, threads = 1): number {
  const entry = cases
    .find((result) => result.name === name)
    ?.entries.find((entry) => entry.rival === rival && entry.threads === threads);
  return entry?.times?.median ?? Number.NaN;
}

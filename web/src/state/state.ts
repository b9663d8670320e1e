// State that the four views share: a few signals and what is computed from them. Every change goes through here.
import { batch, computed, type Signal, signal } from "@preact/signals";
import { type Filter, type FilterFactors, factorize } from "rank1";
import { lesson } from "../learn/state.ts";
import { type Choice, textOf, type Weights, weightsOf } from "./choice.ts";
import { initial, type Shared } from "./hash.ts";

type Signals = { [K in keyof Shared]: Signal<Shared[K]> };

const signals = {
  ...Object.fromEntries(Object.entries(initial).map(([key, value]) => [key, signal(value)])),
  lesson,
} as unknown as Signals;

export const { tab, filter, rank, border, flip, type, picture, pixel, layer } = signals;

/** All of it, as addresses hold it. */
export const shared = computed(
  (): Shared => Object.fromEntries(Object.entries(signals).map(([key, one]) => [key, one.value])) as unknown as Shared,
);

export function restore(state: Shared): void {
  batch(() => {
    for (const key of Object.keys(signals) as (keyof Shared)[]) (signals[key] as { value: unknown }).value = state[key];
  });
}

/** What a notice offers to do. */
export interface Action {
  text: string;
  run(): void;
}

interface Notice {
  text: string;
  id: number;
  /** It says what was done, and warns of nothing. */
  quiet: boolean;
  action?: Action;
}

/** A sentence for the user: what went wrong, what is slower than it could be, or what was understood. */
export const notice = signal<Notice | undefined>(undefined);

let notices = 0;
export function tell(text: string, { quiet = false, action }: { quiet?: boolean; action?: Action } = {}): void {
  notice.value = { text, id: ++notices, quiet, action };
}

/** An error in words for people: the library's own name parameters of functions. */
export function messageOf(error: unknown): string {
  const { parameter, expected, received } = error as Partial<Record<"parameter" | "expected" | "received", string>>;
  if (expected !== undefined && received !== undefined)
    return `${parameter?.split(".").at(-1) ?? "it"} should be ${expected}, and is ${received}`;
  return error instanceof Error ? error.message : String(error);
}

/** Takes a filter, unless it cannot be built: then the old one stays, and the reason is told. */
export function choose(choice: Choice, keepRank = false): void {
  try {
    weightsOf(choice);
  } catch (error) {
    tell(messageOf(error));
    return;
  }
  filter.value = choice;
  if (!keepRank) rank.value = undefined;
}

export const weights = computed((): Weights => weightsOf(filter.value));

/** The filter at its own rank, in integers where it has them. */
export const exact = computed((): FilterFactors => factorize(weights.value));

export const shownRank = computed(() => Math.min(rank.value ?? exact.value.exactRank, exact.value.exactRank));

/** The filter at the rank that is shown. */
export const factors = computed(
  (): FilterFactors =>
    shownRank.value === exact.value.exactRank ? exact.value : factorize(weights.value, { rank: shownRank.value }),
);

/** Terms as they are read and edited: what is kept of the filter is gain · Σ terms. */
export interface Parts {
  terms: readonly { column: readonly number[]; row: readonly number[] }[];
  gain: number;
}

/** The terms at the rank that is shown: integers where the filter has them, else in the units of the grid. */
export const parts = computed((): Parts => {
  const { exact, terms } = factors.value;
  const [gain, columnsOver] = exact ? [exact.gain, exact.denominator] : [gridGain(), gridGain()];
  const shown = (exact ?? { terms }).terms.map(({ column, row }) => ({
    column: column.map((tap) => tap / columnsOver),
    row,
  }));
  return { terms: shown, gain };
});

const gridGain = (): number => weights.value.gain || 1;

/** How much of the grid's numbers one unit of the parts is: factoring takes common divisors into the gain. */
export const unit = computed(() => parts.value.gain / gridGain());

/** What the terms that are kept sum to, in the units of the grid; rounding around zero is zero. */
export const kept = computed((): readonly number[] => {
  if (shownRank.value === exact.value.exactRank) return weights.value.values;
  return sumOf({ ...weights.value, terms: parts.value.terms }, unit.value);
});

export function sumOf({ kh, kw, terms }: { kh: number; kw: number; terms: Parts["terms"] }, scale: number): number[] {
  const sums = Array.from({ length: kh * kw }, (_, i) =>
    terms.reduce((sum, { column, row }) => sum + column[Math.floor(i / kw)]! * row[i % kw]!, 0),
  );
  const most = sums.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return sums.map((value) => (Math.abs(value) <= 1e-13 * most ? 0 : scale * value));
}

/** The filter that pictures are filtered with, in the form that says most: as chosen, or cut to the rank that is shown. */
export const applied = computed((): Filter => {
  const { terms, gain } = parts.value;
  if (shownRank.value === exact.value.exactRank) return chosen.value;
  return terms.length === 1 ? { ...terms[0]!, gain } : { ...weights.value, values: kept.value };
});

/** The filter as it was chosen. */
export const chosen = computed((): Filter => {
  const choice = filter.value;
  if (choice.kind === "named") return textOf(choice);
  const { kind: _, ...taps } = choice;
  return taps;
});

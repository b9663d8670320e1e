// Edits of a filter: the new filter after a cell, a tap or a side has changed.
import { computed, signal } from "@preact/signals";
import { type Choice, largestSide, resized } from "../state/choice.ts";
import { choose, exact, filter, parts, sumOf, tell, unit, weights } from "../state/state.ts";

/** Which term's taps stand along the grid. */
export const term = signal(0);

export interface Taps {
  column: readonly number[];
  row: readonly number[];
}

/** The taps along the grid: those that were typed, or those of a term. */
export const taps = computed((): Taps => {
  const choice = filter.value;
  if (choice.kind === "taps") return choice;
  const { kh, kw } = weights.value;
  const { terms } = parts.value;
  return terms[term.value] ?? terms[0] ?? { column: Array(kh).fill(0), row: Array(kw).fill(0) };
});

const values = (changed: Partial<Extract<Choice, { kind: "values" }>>): Choice => {
  const { kh, kw, values, gain } = weights.value;
  return { kind: "values", kh, kw, values, gain, ...changed };
};

const replaced = (list: readonly number[], index: number, value: number): number[] =>
  list.map((old, i) => (i === index ? value : old));

export function editCell(index: number, value: number): void {
  choose(values({ values: replaced(weights.value.values, index, value) }));
}

export function editTap(axis: keyof Taps, index: number, value: number): void {
  const changed = { ...taps.value, [axis]: replaced(taps.value[axis], index, value) };
  if (filter.value.kind === "taps" || exact.value.exactRank <= 1) {
    const gain = filter.value.kind === "taps" ? filter.value.gain : parts.value.gain;
    choose({ kind: "taps", column: changed.column, row: changed.row, gain });
    return;
  }
  const terms = parts.value.terms.map((one, i) => (i === term.value ? { ...one, ...changed } : one));
  choose(values({ values: sumOf({ ...weights.value, terms }, unit.value) }), true);
}

export function editSides(kh: number, kw: number): void {
  const fits = [kh, kw].every((side) => Number.isInteger(side) && side >= 1 && side <= largestSide);
  if (fits) choose({ kind: "values", ...resized(weights.value, kh, kw) });
}

export function editGain(gain: number): void {
  if (!Number.isFinite(gain) || gain === 0) return;
  choose(filter.value.kind === "taps" ? { ...filter.value, gain } : values({ gain }), true);
}

export function takeTable(rows: number[][]): void {
  const [kh, kw] = [rows.length, rows[0]!.length];
  if (kh > largestSide || kw > largestSide)
    tell(`The table has ${kh} × ${kw} numbers: at most ${largestSide} fit a side.`);
  else choose(values({ kh, kw, values: rows.flat() }));
}

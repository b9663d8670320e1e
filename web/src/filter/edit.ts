// Edits of a filter: the new filter after a cell, a tap or a side has changed.
import { computed, signal } from "@preact/signals";
import { type Choice, largestSide, resized } from "../state/choice.ts";
import { choose, exact, filter, messageOf, parts, sumOf, tell, unit, weights } from "../state/state.ts";
import { number } from "../text.ts";
import { type Pasted, readFilter } from "./paste.ts";

/** Which term's taps stand along the grid. */
export const term = signal(0);

export interface Taps {
  column: readonly number[];
  row: readonly number[];
}

/** The taps along the grid, in its units: those that were typed, or those of a term. */
export const taps = computed((): Taps => {
  const choice = filter.value;
  if (choice.kind === "taps") return choice;
  const { kh, kw } = weights.value;
  const { terms } = parts.value;
  const one = terms[term.value] ?? terms[0];
  if (!one) return { column: Array(kh).fill(0), row: Array(kw).fill(0) };
  if (unit.value === 1) return one;
  return { column: one.column, row: one.row.map((tap) => Number((unit.value * tap).toPrecision(15))) };
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
  setTaps({ ...taps.value, [axis]: replaced(taps.value[axis], index, value) });
}

function setTaps(changed: Taps): void {
  if (filter.value.kind === "taps" || exact.value.exactRank <= 1) {
    choose({ kind: "taps", column: changed.column, row: changed.row, gain: weights.value.gain });
    return;
  }
  // A tap that was not typed keeps all its digits
  const shown = taps.value.row;
  const rowOf = (one: Taps) =>
    one.row.map((tap, x) => (changed.row[x] === shown[x] ? tap : changed.row[x]! / unit.value));
  const terms = parts.value.terms.map((one, i) => (i === term.value ? { ...one, ...changed, row: rowOf(one) } : one));
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

/** Takes a filter that was pasted as text, and says what was understood, or what is wrong and where. */
export function takeText(text: string): void {
  try {
    take(readFilter(text));
  } catch (error) {
    tell(`What was pasted is no filter. ${messageOf(error)}`);
  }
}

function take({ rows, gain, format }: Pasted): void {
  const [kh, kw] = [rows.length, rows[0]!.length];
  if (kh > largestSide || kw > largestSide)
    throw new Error(`It has ${kh} × ${kw} numbers: at most ${largestSide} fit a side.`);
  const all = rows.flat();
  choose(values({ kh, kw, values: all, gain }));
  const factor = gain === 1 ? "" : `, times ${number(gain)}`;
  const side = Math.sqrt(all.length);
  const square = Math.min(kh, kw) === 1 && Number.isInteger(side) && side > 1;
  const action = {
    text: `Take it as ${side} × ${side}`,
    run: () => choose(values({ kh: side, kw: side, values: all, gain })),
  };
  tell(`Read as ${format}: ${kh} × ${kw}${factor}.`, { quiet: true, ...(square && { action }) });
}

/** Takes taps that were pasted for one axis; their number may change where one column times one row is all there is. */
export function takeTaps(axis: keyof Taps, text: string): void {
  try {
    const { rows, gain } = readFilter(text);
    if (Math.min(rows.length, rows[0]!.length) > 1)
      throw new Error(`Taps are one ${axis} of numbers: paste tables into the grid.`);
    const list = rows.flat().map((value) => value * gain);
    const old = taps.value;
    if (list.length > largestSide)
      throw new Error(`There are ${list.length} of them: at most ${largestSide} fit a side.`);
    if (exact.value.exactRank > 1 && list.length !== old[axis].length)
      throw new Error(`There are ${list.length} of them where the filter has ${old[axis].length}.`);
    setTaps({ ...old, [axis]: list });
  } catch (error) {
    tell(`What was pasted are no taps. ${messageOf(error)}`);
  }
}

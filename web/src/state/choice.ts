// The chosen filter: by name, as taps of a column and a row, or number by number; and its text in addresses.
import { type FilterInfo, namedFilters } from "rank1";
import { plural } from "../text.ts";

export const largestSide = 31;

export type Choice =
  | { kind: "named"; name: string; parameters: Readonly<Record<string, number>> }
  | { kind: "taps"; column: readonly number[]; row: readonly number[]; gain: number }
  | ({ kind: "values" } & Weights);

/** A filter as the grid shows it: row-major values, of which each counts `gain` times. */
export interface Weights {
  readonly kh: number;
  readonly kw: number;
  readonly values: readonly number[];
  readonly gain: number;
}

export const named = (name: string, parameters: Record<string, number> = {}): Choice => ({
  kind: "named",
  name,
  parameters,
});

export function infoOf(name: string): FilterInfo {
  const info = namedFilters.find((one) => one.name === name);
  if (!info) throw new Error(`there is no filter named ${name}`);
  return info;
}

/** @throws an error that names what is wrong with a parameter, or that a side is above 31. */
export function weightsOf(choice: Choice): Weights {
  if (choice.kind === "values") return { kh: choice.kh, kw: choice.kw, values: choice.values, gain: choice.gain };
  if (choice.kind === "taps") return outer(choice.column, choice.row, choice.gain);
  const built = infoOf(choice.name).build(choice.parameters, { maxSide: largestSide });
  if (isRows(built)) return { kh: built.length, kw: built[0]!.length, values: built.flat(), gain: 1 };
  if ("column" in built) return outer(built.column, built.row, built.gain ?? 1);
  return { ...built, gain: built.gain ?? 1 };
}

type Built = ReturnType<FilterInfo["build"]>;

const isRows = (built: Built): built is Extract<Built, readonly unknown[]> => Array.isArray(built);

function outer(column: readonly number[], row: readonly number[], gain: number): Weights {
  return { kh: column.length, kw: row.length, values: column.flatMap((c) => row.map((r) => c * r)), gain };
}

/** The same values with other sides, around the same middle: cut, or filled up with zeros. */
export function resized({ kh, kw, values, gain }: Weights, height: number, width: number): Weights {
  const [top, left] = [(height >> 1) - (kh >> 1), (width >> 1) - (kw >> 1)];
  const at = (y: number, x: number): number => (y >= 0 && y < kh && x >= 0 && x < kw ? values[y * kw + x]! : 0);
  return {
    kh: height,
    kw: width,
    values: Array.from({ length: height * width }, (_, i) => at(Math.floor(i / width) - top, (i % width) - left)),
    gain,
  };
}

// ── As text ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Longer lists of values are packed. */
const mostCharacters = 1000;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** "gaussian:sigma=2", "1,2,1*-1,0,1" (column * row), "2x2:1,0,0,-1", or packed; a gain follows an @. It stands for exactly this filter. */
export function textOf(choice: Choice): string {
  if (choice.kind === "named") {
    const parameters = Object.entries(choice.parameters).map(([name, value]) => `${name}=${value}`);
    return parameters.length > 0 ? `${choice.name}:${parameters.join(",")}` : choice.name;
  }
  const gain = choice.gain === 1 ? "" : `@${choice.gain}`;
  if (choice.kind === "taps") {
    return `${listOf(choice.column)}*${listOf(choice.row)}${gain}`;
  }
  const sides = `${choice.kh}x${choice.kw}`;
  const text = `${sides}:${listOf(choice.values)}${gain}`;
  return text.length <= mostCharacters ? text : `${sides}~${packed(choice.values)}${gain}`;
}

const listOf = (values: readonly number[]): string =>
  values.map((value) => (Object.is(value, -0) ? "-0" : String(value))).join(",");

/** Short enough for a title: "sobel-x", "own 5 × 5". */
export function nameOf(choice: Choice): string {
  if (choice.kind === "named") return choice.name;
  const { kh, kw } = weightsOf(choice);
  return `own ${kh} × ${kw}`;
}

/** @throws an error where the text stands for no filter. */
export function choiceOf(text: string): Choice {
  const [body, gainText, ...rest] = text.split("@");
  const gain = gainText === undefined ? 1 : finite(gainText);
  if (rest.length > 0) throw new Error("a filter has one gain");
  const choice = /^[a-z]/.test(body!) ? namedOf(body!) : literalOf(body!, gain);
  weightsOf(choice);
  return choice;
}

function namedOf(text: string): Choice {
  const [, name, rest] = /^([a-z0-9-]+)(?::(.+))?$/.exec(text) ?? [];
  if (name === undefined) throw new Error("the filter's name cannot be read");
  const known = new Set(infoOf(name).parameters.map((parameter) => parameter.name));
  const entries = (rest ?? "").split(",").filter(Boolean).map((part): [string, number] => {
    const [key, value = ""] = part.split("=");
    if (!known.has(key!)) throw new Error(`${name} has no parameter ${key}`);
    return [key!, finite(value)];
  }); // biome-ignore format: one step a line
  return named(name, Object.fromEntries(entries));
}

function literalOf(text: string, gain: number): Choice {
  const taps = text.split("*");
  if (taps.length === 2) {
    const [column, row] = taps.map((list) => list.split(",").map(finite)) as [number[], number[]];
    checkSide(column.length);
    checkSide(row.length);
    return { kind: "taps", column, row, gain };
  }
  const [, height, width, form, list] = /^(\d+)x(\d+)([:~])(.+)$/.exec(text) ?? [];
  const [kh, kw] = [checkSide(Number(height)), checkSide(Number(width))];
  const values = form === ":" ? list!.split(",").map(finite) : unpacked(list!, kh * kw);
  if (values.length !== kh * kw) throw new Error(`a filter of ${kh} x ${kw} has ${plural(kh * kw, "value")}`);
  return { kind: "values", kh, kw, values, gain };
}

function checkSide(side: number): number {
  if (Number.isInteger(side) && side >= 1 && side <= largestSide) return side;
  throw new Error(`a filter's sides go from 1 to ${largestSide}`);
}

function finite(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new Error(`${JSON.stringify(text)} is no number`);
  return value;
}

/** Letters of a number of 64 bits. */
const lettersEach = 11;

/**
 * Values bit by bit: how many differ, those, and for each value the place of its own among them. Filters are often
 * symmetric, so that few values differ; where most do, they stand there as they are.
 */
function packed(values: readonly number[]): string {
  const places = new Map<bigint, number>();
  for (const value of values) if (!places.has(bitsOf(value))) places.set(bitsOf(value), places.size);
  const each = lettersOfPlaces(places.size);
  if (lettersEach * places.size + each * values.length >= lettersEach * values.length)
    return `${values.length}~${values.map((value) => lettersOf(bitsOf(value), lettersEach)).join("")}`;
  const table = [...places.keys()].map((bits) => lettersOf(bits, lettersEach));
  const at = values.map((value) => lettersOf(BigInt(places.get(bitsOf(value))!), each));
  return `${places.size}~${table.join("")}${at.join("")}`;
}

function unpacked(text: string, length: number): number[] {
  const [countText, letters = ""] = text.split("~");
  const count = Number(countText);
  if (!(Number.isInteger(count) && count >= 1 && count <= length)) throw new Error("the filter's values are cut off");
  const each = count === length ? 0 : lettersOfPlaces(count);
  const tableEnd = lettersEach * count;
  if (letters.length !== tableEnd + each * length) throw new Error("the filter's values are cut off");
  const bits = (start: number, n: number): bigint => {
    let sum = 0n;
    for (const letter of letters.slice(start, start + n)) {
      const digit = alphabet.indexOf(letter);
      if (digit < 0) throw new Error("the filter's values hold a letter that is none of theirs");
      sum = sum * 64n + BigInt(digit);
    }
    return sum;
  };
  const table = Array.from({ length: count }, (_, i) => numberOf(bits(lettersEach * i, lettersEach)));
  if (each === 0) return table;
  return Array.from({ length }, (_, i) => table[Number(bits(tableEnd + each * i, each))] ?? numberOf(-1n));
}

const lettersOfPlaces = (count: number): number => (count <= 64 ? 1 : 2);

function lettersOf(bits: bigint, count: number): string {
  return Array.from({ length: count }, (_, i) => alphabet[Number((bits >> BigInt(6 * (count - 1 - i))) & 63n)]).join(
    "",
  );
}

const cell = new DataView(new ArrayBuffer(8));

function bitsOf(value: number): bigint {
  cell.setFloat64(0, value);
  return cell.getBigUint64(0);
}

function numberOf(bits: bigint): number {
  cell.setBigUint64(0, BigInt.asUintN(64, bits));
  const value = cell.getFloat64(0);
  if (!Number.isFinite(value)) throw new Error("the filter's values hold one that is no number");
  return value;
}

// The chosen filter: by name, as taps of a column and a row, or number by number; and its text in addresses.
import { type FilterInfo, namedFilters } from "rank1";

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

/** Longer lists of values are packed, so that an address stays below 2,000 characters. */
const mostCharacters = 1700;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** "gaussian:sigma=2", "1,2,1*-1,0,1" (column * row), "2x2:1,0,0,-1"; a gain follows an @. */
export function textOf(choice: Choice): string {
  if (choice.kind === "named") {
    const parameters = Object.entries(choice.parameters).map(([name, value]) => `${name}=${value}`);
    return parameters.length > 0 ? `${choice.name}:${parameters.join(",")}` : choice.name;
  }
  const gain = choice.gain === 1 ? "" : `@${choice.gain}`;
  if (choice.kind === "taps") {
    const text = `${choice.column.join(",")}*${choice.row.join(",")}${gain}`;
    return text.length <= mostCharacters ? text : textOf({ kind: "values", ...weightsOf(choice) });
  }
  const sides = `${choice.kh}x${choice.kw}`;
  const text = `${sides}:${choice.values.join(",")}${gain}`;
  return text.length <= mostCharacters ? text : `${sides}~${packed(choice.values)}${gain}`;
}

/** Whether the text stands for exactly this filter: many real numbers are rounded to fit. */
export const isExact = (choice: Choice): boolean => choice.kind === "named" || !textOf(choice).includes("~");

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
  if (values.length !== kh * kw) throw new Error(`a filter of ${kh} x ${kw} has ${kh * kw} values`);
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

/** Values as integers of as many bits as fit, 24 at most, and the size of one step: "11~0.001~…". */
function packed(values: readonly number[]): string {
  const bits = Math.min(24, Math.floor((6 * (mostCharacters - 40)) / values.length));
  const limit = 2 ** (bits - 1) - 1;
  const step = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / limit || 1;
  let [text, held, count] = ["", 0, 0];
  for (const value of values) {
    const whole = Math.round(value / step) + limit;
    for (let bit = bits - 1; bit >= 0; bit--) {
      held = 2 * held + (Math.floor(whole / 2 ** bit) % 2);
      if (++count === 6) [text, held, count] = [text + alphabet[held], 0, 0];
    }
  }
  if (count > 0) text += alphabet[held * 2 ** (6 - count)];
  return `${bits}~${step}~${text}`;
}

function unpacked(text: string, length: number): number[] {
  const [bitsText, stepText, letters] = text.split("~");
  const [bits, step] = [Number(bitsText), finite(stepText ?? "")];
  const needed = Math.ceil((bits * length) / 6);
  if (!(bits >= 2 && bits <= 24) || letters?.length !== needed) throw new Error("the filter's values are cut off");
  const digits = Array.from(letters, (letter) => alphabet.indexOf(letter));
  if (digits.includes(-1)) throw new Error("the filter's values hold a letter that is none of theirs");
  const bitAt = (at: number): number => Math.floor(digits[Math.floor(at / 6)]! / 2 ** (5 - (at % 6))) % 2;
  return Array.from({ length }, (_, i) => {
    let whole = 0;
    for (let bit = 0; bit < bits; bit++) whole = 2 * whole + bitAt(i * bits + bit);
    return step * (whole - (2 ** (bits - 1) - 1));
  });
}

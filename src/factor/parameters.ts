// The parameters of named filters: how each is checked, and how "gaussian:sigma=2x3" is read.
import { checkInteger, checkNumber, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";

/** One parameter: `check` takes what the caller gave and returns the value that the filter is built from. */
export interface Parameter<T> {
  readonly summary: string;
  /** The value where none is given; undefined where the parameter may be absent. */
  readonly initial: unknown;
  check(parameter: string, value: unknown): T;
}

export type ParameterSet = Readonly<Record<string, Parameter<unknown>>>;

/** A filter as lists and tables show it. */
export interface NamedInfo {
  /** As strings give it: "sobel-x". */
  name: string;
  /** What it does, in a line. */
  summary: string;
  /** What may stand behind the name, the first of them also as a lone value. */
  parameters: {
    /** As in "sigma=2". */
    name: string;
    /** What it means, and its unit. */
    summary: string;
    /** The value where none is given; undefined where none is needed. */
    initial: unknown;
  }[];
}

/** Parameters as lists and tables show them. */
export const listed = (parameters: ParameterSet): NamedInfo["parameters"] =>
  Object.entries(parameters).map(([name, { summary, initial }]) => ({ name, summary, initial }));

/** The values that a filter is built from. */
export type Values<P extends ParameterSet> = { [K in keyof P]: P[K] extends Parameter<infer T> ? T : never };

/** What a caller may give: a pair also as one number, and everything may be left out. */
export type Arguments<P extends ParameterSet> = {
  [K in keyof P]?: P[K] extends Parameter<infer T> ? (T extends readonly number[] ? T | number : T) : never;
};

type Range = Parameters<typeof checkNumber>[2];

export function number(summary: string, initial: number | undefined, range: Range = {}): Parameter<number> {
  return { summary, initial, check: (parameter, value) => checkNumber(parameter, value, range) };
}

export function integer(summary: string, initial: number | undefined, range: Range = {}): Parameter<number> {
  return { summary, initial, check: (parameter, value) => checkInteger(parameter, value, range) };
}

export const sigma = number("standard deviation, in pixels", 1, { min: 0, open: true });
export const truncate = number("the filter ends this many standard deviations from its centre", 4, { min: 0 });

/** An odd side: it has a middle. */
export function oddSide(summary: string, initial: number | undefined): Parameter<number> {
  const check = (parameter: string, value: unknown): number => {
    const side = checkInteger(parameter, value, { min: 1 });
    if (side % 2 === 1) return side;
    throw new InvalidArgumentError({ parameter, expected: "an odd integer", received: describe(value) });
  };
  return { summary, initial, check };
}

/** How the summaries of parameters end that may be pairs. */
const pairNote = "; one number or [y, x]";

/** One value for both axes, or [y, x]. */
export function pair(one: Parameter<number>): Parameter<readonly [number, number]> {
  const check = (parameter: string, value: unknown): [number, number] => {
    if (!Array.isArray(value)) return [one.check(parameter, value), one.check(parameter, value)];
    if (value.length === 2) return [one.check(`${parameter}[0]`, value[0]), one.check(`${parameter}[1]`, value[1])];
    throw new InvalidArgumentError({ parameter, expected: "one number or [y, x]", received: describe(value) });
  };
  return { summary: one.summary + pairNote, initial: one.initial, check };
}

/** One of some words. */
export function choice<T extends string>(summary: string, words: readonly T[], initial: T): Parameter<T> {
  return { summary, initial, check: (parameter, value) => checkOneOf(parameter, value, words) };
}

export function optional<T>(one: Parameter<T>): Parameter<T | undefined> {
  const check = (parameter: string, value: unknown) => (value === undefined ? undefined : one.check(parameter, value));
  return { summary: one.summary, initial: undefined, check };
}

/** Checks an object of arguments, or a lone value that stands for the first parameter, and fills in the defaults. */
export function checkArguments<P extends ParameterSet>(filter: string, parameters: P, given: unknown): Values<P> {
  const names = Object.keys(parameters);
  const named = asRecord(filter, names, given);
  for (const name of Object.keys(named)) {
    if (names.length === 0) throw takesNone(filter, name);
    checkOneOf(`parameter of ${filter}`, name, names);
  }
  return Object.fromEntries(
    names.map((name) => {
      const { initial, check } = parameters[name]!;
      return [name, check(`${filter} ${name}`, named[name] === undefined ? initial : named[name])];
    }),
  ) as Values<P>;
}

const takesNone = (filter: string, given: unknown): InvalidArgumentError =>
  new InvalidArgumentError({ parameter: filter, expected: "no parameters", received: describe(given) });

function asRecord(filter: string, names: string[], given: unknown): Record<string, unknown> {
  if (given === undefined) return {};
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return given as Record<string, unknown>;
  if (names.length > 0) return { [names[0]!]: given };
  throw takesNone(filter, given);
}

/** A name, and what stands behind its colon, if there is one: "box:5" is "box" and "5". */
export function splitName(text: string): { name: string; rest: string | undefined } {
  const colon = text.indexOf(":");
  if (colon < 0) return { name: text.trim(), rest: undefined };
  return { name: text.slice(0, colon).trim(), rest: text.slice(colon + 1).trim() };
}

interface Listed {
  name: string;
  summary: string;
  initial: unknown;
}

/** Reads "sigma=2,truncate=3", "sigma=2x3" (y, then x) or a lone "5" into what {@link checkArguments} takes. */
export function parseArguments(filter: string, parameters: readonly Listed[], text: string): unknown {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length === 1 && !text.includes("=")) return parseValue(text.trim());
  const entries = parts.map((part) => {
    const [name, value, ...rest] = part.split("=");
    if (name && value && rest.length === 0) return [name.trim(), parseValue(value.trim())];
    throw new InvalidArgumentError({
      parameter: filter,
      expected: formOf(filter, parameters),
      received: describe(text),
      hint: parts.length > 1 && parts.every(isNumber) ? severalNumbers(parameters, parts) : undefined,
    });
  });
  return Object.fromEntries(entries);
}

/** What several bare numbers may mean: a pair, or parameters whose names are missing. */
function severalNumbers(parameters: readonly Listed[], parts: readonly string[]): string | undefined {
  const isPair = parts.length === 2 && parameters[0]?.summary.endsWith(pairNote);
  if (isPair) return `y and x are written ${parts.join("x")}`;
  return parameters.length > 1 ? `each has its name: ${parameters.map(({ name }) => name).join(", ")}` : undefined;
}

const isNumber = (text: string): boolean => text !== "" && !Number.isNaN(Number(text));

/** How the filter's own parameters are written. */
function formOf(filter: string, parameters: readonly Listed[]): string {
  const given = parameters.map(({ name, initial }) => `${name}=${initial ?? "..."}`);
  if (given.length === 0) return "no parameters";
  return `parameters such as ${filter}:${given.slice(0, 2).join(",")}`;
}

/** A number, "2x3" as a pair; anything else stays text, and the check of its parameter names it. */
function parseValue(text: string): unknown {
  const numbers = text.split("x").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (numbers.some(Number.isNaN)) return text;
  return numbers.length === 1 ? numbers[0] : numbers;
}

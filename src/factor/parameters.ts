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

/** An odd side: it has a middle. */
export function oddSide(summary: string, initial: number | undefined): Parameter<number> {
  const check = (parameter: string, value: unknown): number => {
    const side = checkInteger(parameter, value, { min: 1 });
    if (side % 2 === 1) return side;
    throw new InvalidArgumentError({ parameter, expected: "an odd integer", received: describe(value) });
  };
  return { summary, initial, check };
}

/** One value for both axes, or [y, x]. */
export function pair(one: Parameter<number>): Parameter<readonly [number, number]> {
  const check = (parameter: string, value: unknown): [number, number] => {
    if (!Array.isArray(value)) return [one.check(parameter, value), one.check(parameter, value)];
    if (value.length === 2) return [one.check(`${parameter}[0]`, value[0]), one.check(`${parameter}[1]`, value[1])];
    throw new InvalidArgumentError({ parameter, expected: "one number or [y, x]", received: describe(value) });
  };
  return { summary: `${one.summary}; one number or [y, x]`, initial: one.initial, check };
}

export function optional<T>(one: Parameter<T>): Parameter<T | undefined> {
  const check = (parameter: string, value: unknown) => (value === undefined ? undefined : one.check(parameter, value));
  return { summary: one.summary, initial: undefined, check };
}

/** Checks an object of arguments, or a lone value that stands for the first parameter, and fills in the defaults. */
export function checkArguments(filter: string, parameters: ParameterSet, given: unknown): Record<string, unknown> {
  const names = Object.keys(parameters);
  const named = asRecord(filter, names, given);
  for (const name of Object.keys(named)) checkOneOf(`parameter of ${filter}`, name, names);
  return Object.fromEntries(
    names.map((name) => {
      const { initial, check } = parameters[name]!;
      return [name, check(`${filter} ${name}`, named[name] === undefined ? initial : named[name])];
    }),
  );
}

function asRecord(filter: string, names: string[], given: unknown): Record<string, unknown> {
  if (given === undefined) return {};
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return given as Record<string, unknown>;
  if (names.length > 0) return { [names[0]!]: given };
  throw new InvalidArgumentError({ parameter: filter, expected: "no parameters", received: describe(given) });
}

/** Reads "sigma=2,truncate=3", "sigma=2x3" (y, then x) or a lone "5" into what {@link checkArguments} takes. */
export function parseArguments(filter: string, text: string): unknown {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length === 1 && !text.includes("=")) return parseValue(text.trim());
  const entries = parts.map((part) => {
    const [name, value, ...rest] = part.split("=");
    if (name && value && rest.length === 0) return [name.trim(), parseValue(value.trim())];
    throw new InvalidArgumentError({
      parameter: filter,
      expected: "parameters such as sigma=2,truncate=3",
      received: describe(part),
    });
  });
  return Object.fromEntries(entries);
}

/** A number, "2x3" as a pair; anything else stays text, and the check of its parameter names it. */
function parseValue(text: string): unknown {
  const numbers = text.split("x").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (numbers.some(Number.isNaN)) return text;
  return numbers.length === 1 ? numbers[0] : numbers;
}

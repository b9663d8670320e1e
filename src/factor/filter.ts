// The forms in which a filter is given, and the one normal form that the rest works with.
import { checkInteger, checkLimit, checkNumber, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import { plural } from "../words.ts";
import { defaultMaxSide, parseFilterName } from "./filters.ts";
import { divisorOf } from "./integers.ts";

/**
 * A filter (kernel): its result is gain · Σ values · pixels + offset, the filter not being flipped (correlation).
 *
 * - a name: `"sobel-x"`, `"gaussian:sigma=2"`;
 * - rows of numbers: `[[1, 2, 1], [2, 4, 2], [1, 2, 1]]`;
 * - row-major `values` of kh rows and kw columns;
 * - `column` and `row`: value [i, j] is column[i] · row[j];
 * - what sharp's `convolve` takes, with its meaning: Σ / scale + offset, where scale is the sum of the kernel, at
 *   least 1, unless given.
 */
export type Filter =
  | string
  | readonly (readonly number[])[]
  | {
      /** Rows, from 1 to `limits.filterSide`. */
      readonly kh: number;
      /** Columns, from 1 to `limits.filterSide`. */
      readonly kw: number;
      /** Row-major, [kh · kw]. */
      readonly values: ArrayLike<number>;
      /** Times which the sum counts. Default 1. */
      readonly gain?: number;
      /** Added to every result, in the units of the pixels. Default 0. */
      readonly offset?: number;
    }
  | {
      /** Taps of the column pass, [kh]. */
      readonly column: ArrayLike<number>;
      /** Taps of the row pass, [kw]. */
      readonly row: ArrayLike<number>;
      /** Times which the sum counts. Default 1. */
      readonly gain?: number;
      /** Added to every result, in the units of the pixels. Default 0. */
      readonly offset?: number;
    }
  | {
      /** Columns, as sharp calls them. */
      readonly width: number;
      /** Rows, as sharp calls them. */
      readonly height: number;
      /** Row-major, [height · width]. */
      readonly kernel: ArrayLike<number>;
      /** Divides the sum: an integer of at least 1. Default the kernel's sum, at least 1. */
      readonly scale?: number;
      /** Added to every result: an integer. Default 0. */
      readonly offset?: number;
    };

/**
 * The normal form. Numbers that are integers times a common unit are divided by it and the gain multiplied by it:
 * [[2, 4]] is [[1, 2]] with gain 2, nine times 1/9 is nine ones with gain 1/9.
 */
export interface CheckedFilter {
  readonly kh: number;
  readonly kw: number;
  readonly gain: number;
  readonly offset: number;
  /** Where the filter was given as a column and a row. */
  readonly column?: number[];
  readonly row?: number[];
  /** Row-major [kh · kw]; absent where column and row are given. */
  readonly values?: number[];
  /** All values, or all taps of column and row, are integers of at most 2^53 in magnitude, without a common divisor. */
  readonly integer: boolean;
}

export interface CheckFilterOptions {
  /** The largest side: 2049 unless given. */
  maxSide?: number;
  /** What error messages call the filter. */
  parameter?: string;
}

/**
 * Checks any form of {@link Filter} and brings it to the normal form.
 *
 * @throws InvalidArgumentError for anything malformed; LimitError for a side above maxSide. Both before memory is taken.
 */
export function checkFilter(filter: unknown, options: CheckFilterOptions = {}): CheckedFilter {
  const { maxSide = defaultMaxSide, parameter = "filter" } = options;
  if (typeof filter === "string") return checkFilter(parseFilterName(filter, { maxSide, parameter }), options);
  const given = typeof filter === "object" && filter !== null ? (filter as Record<string, unknown>) : {};
  if (Array.isArray(filter)) return fromRows(filter, maxSide, parameter);
  if (given.column !== undefined || given.row !== undefined) return fromColumnRow(given, maxSide, parameter);
  if (given.kernel !== undefined) return fromSharp(given, maxSide, parameter);
  if (given.values !== undefined) return fromValues(given, maxSide, parameter);
  throw new InvalidArgumentError({
    parameter,
    expected: "a name, rows of numbers, { kh, kw, values }, { column, row } or { width, height, kernel }",
    received: describe(filter),
  });
}

/** Row-major values [kh · kw], before gain. */
export function denseValues(filter: CheckedFilter): number[] {
  const { column, row, values } = filter;
  return values ?? column!.flatMap((c) => row!.map((r) => c * r + 0));
}

/** The filter with both axes reversed: correlating with it is the mathematical convolution. */
export function flipFilter(filter: CheckedFilter): CheckedFilter {
  const { column, row, values } = filter;
  if (values) return { ...filter, values: values.toReversed() };
  return { ...filter, column: column!.toReversed(), row: row!.toReversed() };
}

function fromRows(rows: unknown[], maxSide: number, parameter: string): CheckedFilter {
  const first = rows[0];
  if (!isNumberList(first)) {
    const isList = typeof first === "string" || (typeof first === "object" && first !== null);
    const expected = isList ? "one filter" : "at least one row, each an array of numbers";
    const hint = isList
      ? "several are applied one after the other, each in a call; filterFile of rank1/node and rank1 filter take lists"
      : "one row is [[1, 2, 1]]";
    throw new InvalidArgumentError({
      parameter,
      expected,
      received: isList ? "a list of filters" : describe(rows),
      hint,
    });
  }
  const [kh, kw] = checkSides(parameter, rows.length, first.length, maxSide);
  const values = Array.from(rows).flatMap((row, y) => checkNumbers(`${parameter} row ${y}`, row, kw));
  return dense(parameter, kh, kw, values, 1, 0);
}

/** Keys that mean something: a misspelt one would otherwise do nothing, silently. */
function checkKeys(given: Record<string, unknown>, known: readonly string[], parameter: string): void {
  for (const key of Object.keys(given)) {
    if (key === "integer") continue; // of the normal form
    if (!known.includes(key) && (key === "scale" || key === "gain")) {
      const hint = key === "scale" ? "gain multiplies: 1 / scale is what divides by it" : "scale divides: 1 / gain";
      throw new InvalidArgumentError({
        parameter: `${parameter} key`,
        expected: known.join(", "),
        received: key,
        hint,
      });
    }
    checkOneOf(`${parameter} key`, key, known, { delta: "offset", bias: "offset" });
  }
}

function fromValues(given: Record<string, unknown>, maxSide: number, parameter: string): CheckedFilter {
  checkKeys(given, ["kh", "kw", "values", "gain", "offset"], parameter);
  const [kh, kw] = checkSides(parameter, given.kh, given.kw, maxSide, ["kh", "kw"]);
  const values = checkNumbers(`${parameter}.values`, given.values, kh * kw);
  return dense(parameter, kh, kw, values, ...gainAndOffset(given, parameter));
}

/** sharp replaces a scale below 1 by 1 and drops fractions of scale and offset silently: here those are errors. */
function fromSharp(given: Record<string, unknown>, maxSide: number, parameter: string): CheckedFilter {
  checkKeys(given, ["width", "height", "kernel", "scale", "offset"], parameter);
  const [kh, kw] = checkSides(parameter, given.height, given.width, maxSide, ["height", "width"]);
  const values = checkNumbers(`${parameter}.kernel`, given.kernel, kh * kw);
  const sum = values.reduce((a, b) => a + b, 0);
  const scale = checkInteger(`${parameter}.scale`, given.scale ?? 1, { min: 1 });
  const offset = checkInteger(`${parameter}.offset`, given.offset ?? 0);
  return dense(parameter, kh, kw, values, 1 / (given.scale === undefined ? Math.max(1, sum) : scale), offset);
}

function fromColumnRow(given: Record<string, unknown>, maxSide: number, parameter: string): CheckedFilter {
  const sides = [...(given.kh === lengthOf(given.column) ? ["kh"] : []), ...(given.kw === lengthOf(given.row) ? ["kw"] : [])]; // biome-ignore format: a line
  checkKeys(given, ["column", "row", "gain", "offset", ...sides], parameter);
  const [kh, kw] = checkSides(parameter, lengthOf(given.column), lengthOf(given.row), maxSide, ["column", "row"]);
  const [gain, offset] = gainAndOffset(given, parameter);
  const column = toIntegers(checkNumbers(`${parameter}.column`, given.column, kh));
  const row = toIntegers(checkNumbers(`${parameter}.row`, given.row, kw));
  return {
    kh,
    kw,
    gain: checkNumber(`${parameter} gain times the units of column and row`, gain * (column.unit * row.unit)),
    offset,
    column: column.numbers,
    row: row.numbers,
    integer: column.integer && row.integer,
  };
}

function dense(
  parameter: string,
  kh: number,
  kw: number,
  given: number[],
  gain: number,
  offset: number,
): CheckedFilter {
  const { numbers, unit, integer } = toIntegers(given);
  const product = checkNumber(`${parameter} gain times the unit of its values`, gain * unit);
  return { kh, kw, gain: product, offset, values: numbers, integer };
}

function gainAndOffset(given: Record<string, unknown>, parameter: string): [gain: number, offset: number] {
  return [checkNumber(`${parameter}.gain`, given.gain ?? 1), checkNumber(`${parameter}.offset`, given.offset ?? 0)];
}

function checkSides(
  parameter: string,
  kh: unknown,
  kw: unknown,
  maxSide: number,
  names = ["rows", "columns"],
): [kh: number, kw: number] {
  return [kh, kw].map((side, i) => {
    const checked = checkInteger(`${parameter} ${names[i]}`, side, { min: 1 });
    checkLimit(`${parameter} ${names[i]}`, checked, maxSide, "pixels", "createEngine({ limits })");
    return checked;
  }) as [number, number];
}

function isNumberList(value: unknown): value is ArrayLike<number> {
  if (Array.isArray(value)) return true;
  return (
    ArrayBuffer.isView(value) && "length" in value && !("getBigInt64" in value) && !/^Big/.test(value.constructor.name)
  );
}

function lengthOf(value: unknown): unknown {
  return isNumberList(value) ? value.length : value;
}

/** A copy of a list of finite numbers of the given length; −0 becomes 0. */
function checkNumbers(parameter: string, value: unknown, length: number): number[] {
  if (!isNumberList(value) || value.length !== length) {
    const received = isNumberList(value) ? `${value.length}` : describe(value);
    throw new InvalidArgumentError({ parameter, expected: plural(length, "number"), received });
  }
  return Array.from(value, (x, i) => (Number.isFinite(x) ? x + 0 : checkNumber(`${parameter}[${i}]`, x)));
}

// ── Integers times a unit ──────────────────────────────────────────────────────────────────────────────────────────

const largestInteger = 2 ** 15;
const relativeSlack = 1e-12;

/**
 * Writes numbers as unit · integers without a common divisor, if they are integers, or if all those are at most 2^15; else
 * unit is 1.
 */
function toIntegers(numbers: number[]): { numbers: number[]; unit: number; integer: boolean } {
  if (numbers.every(Number.isSafeInteger)) {
    const unit = divisorOf(numbers) || 1;
    return { numbers: numbers.map((x) => x / unit), unit, integer: true };
  }
  let [smallest, largest] = [Infinity, 0];
  for (const x of numbers) {
    const magnitude = Math.abs(x);
    if (magnitude > 0) smallest = Math.min(smallest, magnitude);
    largest = Math.max(largest, magnitude);
  }
  // The smallest number is `parts` units, where parts is the least common denominator of all numbers over it.
  let parts = 1;
  for (const x of numbers) {
    parts *= denominatorOf((Math.abs(x) / smallest) * parts);
    if (!(parts * (largest / smallest) <= largestInteger + 0.5)) return { numbers, unit: 1, integer: false };
  }
  const integers = numbers.map((x) => Math.round((x / smallest) * parts) + 0);
  const unit = largest / Math.round((largest / smallest) * parts);
  return { numbers: integers, unit, integer: true };
}

/** The denominator of the fraction that a number is, within the slack; Infinity where it exceeds 2^15. */
function denominatorOf(x: number): number {
  // Convergents of the continued fraction: q is the denominator of the last one, before that of the one before.
  let [rest, before, q] = [x, 0, 1];
  while (Math.abs(x * q - Math.round(x * q)) > relativeSlack * x * q) {
    rest = 1 / (rest - Math.floor(rest));
    [before, q] = [q, Math.floor(rest) * q + before];
    if (!(q <= largestInteger)) return Infinity;
  }
  return q;
}

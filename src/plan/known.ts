// Normalised convolution: filters of pictures of which some pixels are unknown. Each result is the mean of the pixels that are
// known, weighted by the taps: its options, checked, and the terms that such means can be computed by.
import { checkInteger, checkNumber, checkOneOf, describe, InvalidArgumentError, LimitError } from "../errors.ts";
import type { CheckedFilter } from "../factor/filter.ts";
import { type ImageDType, isFloat, rangeOf } from "../tensor.ts";
import { haveBothSigns } from "./taps.ts";
import type { Factors, Known, Term } from "./types.ts";

/** What becomes of pixels that are not a number: they spread, as sums have it, or count as unknown. */
export type NanPolicy = "propagate" | "ignore";

/** Options of a filter over a picture of which some pixels are unknown. */
export interface KnownOptions {
  /**
   * "ignore": pixels with a NaN in any channel are unknown, and each result is the mean of the known pixels, weighted by the
   * taps, which must be of one sign. Default "propagate". A `borderValue` of NaN then means unknown pixels beyond the edges.
   */
  nan?: NanPolicy;
  /**
   * The result where no pixel is known under the filter, or one for each channel; of a picture with a mask, or under
   * `nan: "ignore"`. Default NaN where results are floats, else 0.
   */
  fill?: number | readonly number[];
}

const nanNames: readonly NanPolicy[] = ["propagate", "ignore"];
const nanAliases: Readonly<Record<string, NanPolicy>> = { omit: "ignore", interpolate: "ignore", skip: "ignore" };

/** What the checks look at. */
interface Subject {
  masked: boolean;
  channels: number;
  /** Element types of the picture and of the result. */
  dtype: ImageDType;
  output: ImageDType;
  filter: CheckedFilter;
}

/**
 * What a filter's problem says of unknown pixels; undefined where none can be. `means`: results are means in either case.
 *
 * @throws InvalidArgumentError for a filter that makes no means, and for options that do not fit.
 */
export function checkKnown(
  { nan, fill, borderValue }: KnownOptions & { borderValue?: number },
  { masked, channels, dtype, output, filter }: Subject,
): { means: boolean; known: Known | undefined } {
  const ignores = checkOneOf("nan", nan ?? "propagate", nanNames, nanAliases) === "ignore";
  const means = masked || ignores;
  if (!means && fill !== undefined) {
    const [expected, received] = ['a mask or nan: "ignore", of which it is an option', "neither"];
    throw new InvalidArgumentError({ parameter: "fill", expected, received });
  }
  if (!means) return { means, known: undefined };
  checkTaps(filter);
  const filled = checkFill(fill, channels, output);
  const [unknownNan, border] = [ignores && isFloat(dtype), !(ignores && Number.isNaN(borderValue))];
  const known = { mask: masked, nan: unknownNan, border, fill: filled };
  return { means, known: masked || unknownNan || !border ? known : undefined };
}

/** Taps of a weighted mean have one sign, and are not all zero. */
function checkTaps({ values, column, row }: CheckedFilter): void {
  const lists = values ? [values] : [column!, row!];
  const mixed = haveBothSigns(lists);
  const zero = lists.some((taps) => taps.every((tap) => tap === 0));
  if (!mixed && !zero) return;
  throw new InvalidArgumentError({
    parameter: "filter",
    expected: 'taps of one sign with a mask or nan: "ignore"',
    received: mixed ? "taps above and below 0" : "taps that are all 0",
    hint: "each result is a mean of the known pixels, divided by the sum of their taps, which must not cancel",
  });
}

function checkFill(fill: unknown, channels: number, output: ImageDType): Known["fill"] {
  const whole = !isFloat(output);
  if (fill === undefined) return Array(channels).fill(whole ? 0 : null);
  const given: unknown[] = Array.isArray(fill) ? Array.from(fill) : Array(channels).fill(fill);
  if (given.length !== channels) {
    const expected = `a number, or ${channels}, one for each channel`;
    throw new InvalidArgumentError({ parameter: "fill", expected, received: describe(fill) });
  }
  const [min, max] = whole ? rangeOf[output] : [];
  return given.map((value) => {
    if (whole) return checkInteger("fill", value, { min, max });
    return Number.isNaN(value) ? null : checkNumber("fill", value);
  });
}

/** Whether all products of all terms have one sign: nothing cancels in their sums, so that zero means nothing is known. */
export function areOfOneSign(terms: readonly Term[]): boolean {
  const signs = (taps: readonly number[]): number[] => taps.map(Math.sign).filter((sign) => sign !== 0);
  const products = terms.flatMap(({ column, row }) => {
    const [down, along] = [new Set(signs(column)), new Set(signs(row))];
    return [...down].flatMap((c) => [...along].map((r) => c * r));
  });
  return new Set(products).size <= 1;
}

/** So many taps can be summed as they stand: those of a filter that is no column times a row. */
const mostTaps = 1 << 16;

/**
 * The factors of a filter of one sign: of a single term, taps that rounding has made of zeros are zeros again.
 *
 * @throws LimitError for a filter that cannot be summed without cancelling.
 */
export function withCleanTerms(factors: Factors, [kh, kw]: readonly [number, number]): Factors {
  const { values, terms } = factors;
  const [term, ...others] = terms;
  if (others.length > 0 && kh * kw > mostTaps) {
    const expected = `at most ${mostTaps} taps where pixels may be unknown, or a column times a row`;
    throw new LimitError({ parameter: "filter", expected, received: `${kh} x ${kw} of rank ${terms.length}` });
  }
  if (!values || !term || others.length > 0) return { ...factors, approximations: [] };
  const isZero = (at: (k: number) => number, count: number): boolean =>
    Array.from({ length: count }, (_, k) => values[at(k)]!).every((value) => value === 0);
  const column = term.column.map((tap, i) => (isZero((j) => i * kw + j, kw) ? 0 : tap));
  const row = term.row.map((tap, j) => (isZero((i) => i * kw + j, kh) ? 0 : tap));
  return { ...factors, terms: [{ column, row }], approximations: [] };
}

// Makes the problem of a filter from the options of a call: defaults, checks, and what factoring found.
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  describe,
  InvalidArgumentError,
} from "../errors.ts";
import { factorsWithin } from "../factor/factorize.ts";
import { type CheckedFilter, checkFilter, type Filter, flipFilter } from "../factor/filter.ts";
import { analyseForPasses } from "../factor/passes.ts";
import { finished, type Steps } from "../factor/steps.ts";
import { checkTruncateOptions } from "../factor/svd.ts";
import type { KnownAlpha } from "../tensor/image.ts";
import { type ImageDType, imageDTypes, isFloat, isWide, rangeOf } from "../tensor.ts";
import { plural } from "../words.ts";
import { checkExtent, type Extent, type Region } from "./extent.ts";
import { checkKnown, type KnownOptions, withCleanTerms } from "./known.ts";
import type { Alpha, Border, Factors, FilterProblem } from "./types.ts";

/** How a filter is laid over a picture. */
export interface FilterOptions extends KnownOptions {
  /** What stands beyond the edges. Default "reflect", which does not repeat the edge pixel. */
  border?: Border;
  /** The value of a "constant" border. Default 0. */
  borderValue?: number;
  /** The filter's own point [x, y] that lies on the pixel computed. Default [kw >> 1, kh >> 1]. */
  anchor?: readonly [x: number, y: number];
  /** The result is gain · sum + offset, on top of the filter's own. Default 1. */
  gain?: number;
  /** Added to every result, in the units of the pixels, after `gain`. Default 0. */
  offset?: number;
  /** Turns the filter by 180°: mathematical convolution. Default false: correlation. */
  flip?: boolean;
  /** Element type of the result. Default: the input's, or a signed one where the taps sum to zero. */
  output?: ImageDType;
  /** Largest relative Frobenius error of the effective taps that a cheaper plan may have. Default 0: exact. */
  tolerance?: number;
  /**
   * What becomes of an alpha channel, the last. Default: "none", or "premultiply" where the picture says that it has alpha:
   * colours count by their alpha, so that those of transparent pixels bleed nowhere; alpha is filtered, too. Under taps above and
   * below 0, which make no means, a neighbour counts by its difference from the pixel's own colour, times its alpha, and alpha is kept.
   */
  alpha?: Alpha;
  /**
   * Which results there are, as SciPy's modes: "same" (default), one for each pixel; "valid", those whose window lies inside
   * the picture, (width − kw + 1) · (height − kh + 1) of them; "full", those whose window touches it,
   * (width + kw − 1) · (height + kh − 1), with the border beyond.
   */
  extent?: Extent;
  /**
   * Filters a part, as if the whole were filtered: the border stands only beyond the picture itself. In pixels of the picture,
   * and inside its results: under "valid" where windows lie inside it, under "full" also beyond it (x or y below zero).
   */
  region?: Region;
}

export const filterOptionKeys = [
  ...(["border", "borderValue", "anchor", "gain", "offset", "flip", "output", "tolerance", "alpha"] as const),
  ...(["extent", "region"] as const),
  ...(["nan", "fill"] as const),
] satisfies (keyof FilterOptions)[];

/** A picture without its pixels: what planning needs of it. */
export interface PictureSpec extends Partial<KnownAlpha> {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** 1 to 1024. */
  channels: number;
  /** Element type. */
  dtype: ImageDType;
  /** It comes with a mask: the weights of its pixels. */
  masked?: boolean;
}

export const borders: readonly Border[] = ["constant", "edge", "reflect", "symmetric", "wrap"];
const borderAliases: Record<string, Border> = {
  mirror: "reflect",
  reflect101: "reflect",
  reflect_101: "reflect",
  nearest: "edge",
  replicate: "edge",
  extend: "edge",
  copy: "edge",
  clamp: "edge",
  zero: "constant",
  black: "constant",
  background: "constant",
  repeat: "wrap",
  periodic: "wrap",
  circular: "wrap",
};

/** The problem of filtering a picture; throws an InvalidArgumentError that names what is wrong. */
export const filterProblem = (
  picture: PictureSpec,
  filter: Filter,
  given?: FilterOptions,
  maxSide?: number,
): FilterProblem => finished(findProblem(picture, filter, given, maxSide));

/** {@link filterProblem} in parts: to factor a large filter takes seconds. */
export function* findProblem(
  picture: PictureSpec,
  filter: Filter,
  given?: FilterOptions,
  maxSide?: number,
): Steps<FilterProblem> {
  const options = checkOptions<FilterOptions>("options", given, filterOptionKeys);
  const flip = options.flip === undefined ? false : checkBoolean("flip", options.flip);
  const unflipped = checkFilter(filter, { maxSide });
  yield;
  const checked = flip ? flipFilter(unflipped) : unflipped;
  const tolerance =
    options.tolerance === undefined ? 0 : checkNumber("tolerance", options.tolerance, { min: 0, max: 1 });
  const border =
    options.border === undefined ? "reflect" : checkOneOf("border", options.border, borders, borderAliases);
  const ownGain = options.gain === undefined ? 1 : checkNumber("gain", options.gain);
  const ownOffset = options.offset === undefined ? 0 : checkNumber("offset", options.offset);
  const offset = ownGain * checked.offset + ownOffset;
  const [ax, ay] = checkAnchor(options.anchor, checked);
  const { width, height, channels, dtype, masked = false } = picture;
  const zeroSum = sumsToZero(checked);
  yield;
  const output =
    options.output === undefined
      ? defaultOutput(dtype, checked, ownGain * checked.gain, offset, zeroSum)
      : checkOneOf("output", options.output, imageDTypes);
  const { means, known } = checkKnown(options, { masked, channels, dtype, output, filter: checked });
  yield;
  const isZero = vectorsOf(checked).some((taps) => magnitude(taps) === 0);
  const alpha = checkAlpha(options.alpha, picture, isZero || (checked.kh * checked.kw === 1 && offset === 0));
  const factors = yield* factorsOf(checked, tolerance, !isFloat(dtype) && !known && alpha !== "premultiply");
  const window: FilterProblem["window"] = {
    size: [checked.kh, checked.kw],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [ay, ax, checked.kh - 1 - ay, checked.kw - 1 - ax],
    border,
    borderValue: known?.border === false ? 0 : checkBorderValue(options.borderValue, dtype),
  };
  const place = checkExtent({ shape: [height, width, channels], window }, options);
  const isPart = options.region !== undefined || (options.extent ?? "same") !== "same";
  return {
    kind: "filter",
    x: { shape: [height, width, channels], dtype },
    y: { shape: [place.height, place.width, channels], dtype: output },
    ...(isPart && { origin: [place.y, place.x] as [number, number] }),
    window,
    factors: known ? withCleanTerms(factors, [checked.kh, checked.kw]) : factors,
    // A mean is divided by the sum of its taps, whatever the filter's own gain is.
    gain: means ? ownGain / tapSumOf(checked) : ownGain * checked.gain,
    offset,
    tolerance,
    alpha,
    ...(known && { known }),
  };
}

function checkAnchor(anchor: unknown, { kh, kw }: CheckedFilter): readonly [number, number] {
  if (anchor === undefined) return [kw >> 1, kh >> 1];
  if (!Array.isArray(anchor) || anchor.length !== 2) {
    throw new InvalidArgumentError({ parameter: "anchor", expected: "[x, y]", received: describe(anchor) });
  }
  return [
    checkInteger("anchor x", anchor[0], { min: 0, max: kw - 1 }),
    checkInteger("anchor y", anchor[1], { min: 0, max: kh - 1 }),
  ];
}

function checkBorderValue(value: unknown, dtype: ImageDType): number {
  if (value === undefined) return 0;
  if (isFloat(dtype)) return checkNumber("borderValue", value);
  const [min, max] = rangeOf[dtype];
  return checkInteger("borderValue", value, { min, max });
}

function checkAlpha(alpha: unknown, { channels, hasAlpha = false }: PictureSpec, mixesNothing: boolean): Alpha {
  // One tap mixes no pixels, nor do zeros: what is transparent keeps its colours.
  const weighted = mixesNothing ? "keep" : "premultiply";
  if (alpha === undefined) return hasAlpha ? weighted : "none";
  const checked = checkOneOf("alpha", alpha, ["none", "keep", "premultiply"] as const);
  if (checked !== "none" && !hasAlpha && channels !== 2 && channels !== 4) {
    const [expected, received] = [`"none" for a picture of ${plural(channels, "channel")}`, describe(alpha)];
    throw new InvalidArgumentError({
      parameter: "alpha",
      expected,
      received,
      hint: "alpha is the last of 2 or 4 channels, or of a picture that says hasAlpha",
    });
  }
  return checked === "premultiply" ? weighted : checked;
}

/** All taps of a filter, as one list or as two whose products they are. */
const vectorsOf = ({ values, column, row }: CheckedFilter): number[][] => (values ? [values] : [column!, row!]);
const sum = (taps: readonly number[]): number => taps.reduce((total, tap) => total + tap, 0);
const magnitude = (taps: readonly number[]): number => taps.reduce((total, tap) => total + Math.abs(tap), 0);

const tapSumOf = (filter: CheckedFilter): number => vectorsOf(filter).reduce((total, taps) => total * sum(taps), 1);

/** A derivative: the taps cancel, up to rounding, or are all zero. */
const sumsToZero = (filter: CheckedFilter): boolean =>
  vectorsOf(filter).some((taps) => Math.abs(sum(taps)) <= 1e-9 * magnitude(taps));

function defaultOutput(
  dtype: ImageDType,
  filter: CheckedFilter,
  gain: number,
  offset: number,
  zeroSum: boolean,
): ImageDType {
  if (!zeroSum || offset !== 0 || isFloat(dtype)) return dtype;
  if (isWide(dtype)) return "f64";
  const largest = vectorsOf(filter).reduce(
    (product, taps) => product * magnitude(taps),
    Math.max(...rangeOf[dtype].map(Math.abs)),
  );
  if (largest === 0) return dtype;
  return filter.integer && Number.isInteger(gain) && largest * Math.abs(gain) <= rangeOf.i16[1] ? "i16" : "f32";
}

function* factorsOf(filter: CheckedFilter, tolerance: number, ofIntegers: boolean): Steps<Factors> {
  yield;
  const analysis = yield* analyseForPasses(filter, ofIntegers);
  if (!analysis.exact || tolerance > 0) yield* analysis.decompose();
  const { terms, denominator, rank } = factorsWithin(analysis, checkTruncateOptions({}));
  const approximations = [];
  if (tolerance > 0 && rank > 1) {
    const fewer = factorsWithin(analysis, checkTruncateOptions({ tolerance }));
    if (fewer.rank < rank) approximations.push({ terms: fewer.terms, error: fewer.error });
  }
  const { values, integer } = filter;
  return { values, terms, denominator: Math.max(1, denominator), integer, approximations };
}

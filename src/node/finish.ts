// Results of filters as pictures of the type that is written; faint ones with values below zero are scaled to be seen.
import type { Image, ImageDType, Plan } from "../index.ts";
import { hasBothSigns, tapSum } from "../plan/taps.ts";
import { fromFloats, fromLinear, type ShowMode, showSigned, toType, usualPeak } from "./convert.ts";
import { fullScale, typeOf } from "./encode.ts";
import type { Steps } from "./filter-steps.ts";
import type { Picture } from "./pictures.ts";

/** What is written of a result. */
export interface Target {
  type: ImageDType;
  /** How values below zero are shown; absent where they are written as they are. */
  show?: ShowMode;
  /** Faint results are scaled to the range. */
  fit?: boolean;
}

export interface Finish extends Target {
  linear?: boolean;
  floats: boolean;
}

/** A result on its way: `peak` is the usual greatest magnitude as a share of the range, of those that are scaled. */
export interface Result {
  peak?: number;
  /** The greatest value of its type. */
  full: number;
  finish(scale: number): Picture;
}

export const isLevels = (type: ImageDType): type is "u8" | "u16" => type === "u8" || type === "u16";

/** What a filter made of a picture. */
export function resultOf(image: Image, source: Picture, finish: Finish): Result {
  const full = fullScale(source);
  if (!finish.fit) {
    const done = finishedRows(image, source, finish);
    return { full, finish: () => done };
  }
  const share = peakShare(usualPeak(image, coloursOf(image, source)), source, finish);
  return { peak: share, full, finish: (times) => finishedRows(image, source, finish, { times }) };
}

const hasAlpha = (image: Omit<Image, "data">, source: Picture): boolean => source.alpha && image.channels % 2 === 0;

/** Channels of a result that are no alpha. */
export const coloursOf = (image: Omit<Image, "data">, source: Picture): number =>
  image.channels - Number(hasAlpha(image, source));

/** A usual peak as a share of the range. */
export function peakShare(peak: number, source: Picture, { linear }: Finish): number {
  const full = fullScale(source);
  return (peak * (linear ? full : 1)) / full;
}

/** A result, or rows of it, as they are written. `peak` is the usual one of the whole. */
export function finishedRows(
  image: Image,
  source: Picture,
  finish: Finish,
  { times = 1, peak }: { times?: number; peak?: number } = {},
): Picture {
  const alpha = hasAlpha(image, source);
  const { icc, metadata } = source;
  return { ...finished(image, { ...source, alpha }, finish, { times, peak }), alpha, icc, metadata };
}

/** Less than this share of the range is what rounding leaves of nothing. */
const nothing = 2 ** -16;

/** The results as pictures: faint ones at one scale for all, so that frames do not flicker. */
export function finishedResults(results: readonly Result[]): { pictures: Picture[]; notes: string[] } {
  const peaks = results.flatMap(({ peak }) => (peak === undefined ? [] : [peak]));
  const { scale, notes } = scaleOf(peaks, results[0]!.full);
  return { pictures: results.map((result) => result.finish(scale)), notes };
}

/** How many times as large results are shown, by their usual peaks as shares of the range, and what is said of it. */
export function scaleOf(peaks: readonly number[], full: number): { scale: number; notes: string[] } {
  const peak = Math.max(0, ...peaks);
  const isFaint = peak > nothing && peak < 0.5;
  const scale = isFaint ? 1 / peak : 1;
  const notes: string[] = [];
  if (isFaint) {
    const [reached, times] = [peak * full, scale].map((v) => Number(v.toPrecision(3)));
    notes.push(`values reach ${reached} of ${full}: they are shown ${times} times as large (--show abs, or a --gain, keeps a scale)`); // biome-ignore format: a line
  }
  return { scale, notes };
}

/** A result as a picture of the type that is written. */
function finished(
  image: Image,
  picture: Picture,
  { type, show, linear, floats }: Finish,
  { times, peak }: { times: number; peak: number | undefined },
): Image {
  const { alpha } = picture;
  if (show === undefined && typeOf(image) === type) return image;
  if (show === undefined && linear && isLevels(type)) return fromLinear(image, type, alpha);
  const full = fullScale(picture);
  const levels = linear ? scaled(image, full) : floats && alpha ? fromFloats(image, full) : image;
  if (!isLevels(type)) return toType(levels, type);
  // Levels are rounded to 32-bit floats, as what they are scaled by is.
  const shown = peak !== undefined && linear ? Math.fround(peak * full) : peak;
  return showSigned(levels, show ?? "clip", type, alpha, { times, peak: shown });
}

function scaled(image: Image, factor: number): Image {
  return { ...image, data: (image.data as Float32Array).map((v) => v * factor) };
}

/** A sentence on filters that make a picture much brighter or darker by the sum of their taps, and what keeps its brightness. */
export function sumNotes({ list }: Steps, plans: readonly Plan[][], { type, show }: Target): string[] {
  if (!isLevels(type) || show !== undefined || list.some(({ kind }) => kind !== "plain")) return [];
  const problems = plans.flatMap(([plan]) => (plan!.problem.kind === "filter" ? [plan!.problem] : []));
  // One tap is a gain, and an offset a look, that someone has chosen.
  if (problems.some(({ offset }) => offset !== 0) || problems.every(({ window }) => window.size.every((n) => n === 1)))
    return [];
  const sum = problems.reduce((product, problem) => product * problem.gain * tapSum(problem), 1);
  const isDark = Math.abs(sum) < 0.5 && !problems.some(hasBothSigns);
  if (sum === 0 || (sum >= 0 && sum <= 1.05 && !isDark)) return [];
  const [shown, gain] = [sum, 1 / sum].map((v) => Number(v.toPrecision(4)));
  const effect =
    sum < 0
      ? "results are below 0, and written as 0"
      : sum > 1
        ? `the picture becomes ${shown} times as bright, up to white`
        : `the picture becomes dark`;
  return [`the taps sum to ${shown}: ${effect} (--gain ${gain} keeps its brightness)`];
}

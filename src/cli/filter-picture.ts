// One picture through `rank1 filter`: read, filtered (in grey or linear light if asked), made a picture again, written; timed.
import type { Engine, FilterCallOptions, Image, PictureSpec, Plan } from "../index.ts";
import { fromFloats, fromLinear, type ShowMode, showSigned, toFloats, toGrey, toLinear } from "../node/convert.ts";
import { encodePicture, fullScale, type Picture, type PictureFormat, readPicture } from "../node/pictures.ts";
import { type FilterFlags, readSource, sourceName, withOption } from "./arguments.ts";
import { applySteps, planSteps, type Steps } from "./filter-steps.ts";
import { writeOutput } from "./output.ts";

export interface Job {
  input: string;
  output: string;
  format: PictureFormat;
}

export interface PictureFlags extends FilterFlags {
  grey?: boolean;
  quality?: number;
  show?: ShowMode;
  linear?: boolean;
  maxPixels?: number;
}

/** What `--json` tells of a picture. */
export interface Report {
  input: string;
  output: string;
  width: number;
  height: number;
  channels: number;
  type: "u8" | "u16";
  alpha: boolean;
  /** How the result was computed, filter by filter; two plans for the magnitude of two derivatives. */
  plans: {
    solver: string;
    summary: string;
    /** Per value of the result. */
    multiplications: number;
    /** Relative error of the taps. */
    error: number;
    predictedMilliseconds: number;
  }[];
  milliseconds: { read: number; filter: number; write: number };
}

type Control = Pick<FilterCallOptions, "signal" | "onProgress">;

export async function filterPicture(
  engine: Engine,
  steps: Steps,
  { input, output, format }: Job,
  flags: PictureFlags,
  control: Control,
): Promise<Report> {
  const { signal } = control;
  const times = [performance.now()];
  const picture = await pictureFor(input, steps, flags, signal);
  times.push(performance.now());
  const { result, plans } = await apply(engine, picture, steps, flags, control);
  times.push(performance.now());
  const bytes = await encodePicture(result, format, { quality: flags.quality });
  signal?.throwIfAborted();
  await writeOutput(output, bytes, signal);
  times.push(performance.now());
  const { width, height, channels, alpha } = result;
  const [read, filter, write] = times.slice(1).map((time, i) => time - times[i]!) as [number, number, number];
  return {
    ...{ input, output, width, height, channels, type: dtypeOf(result), alpha },
    plans: plans.map(({ solver, summary, cost, error }) => ({
      ...{ solver, summary, error: error.relative, predictedMilliseconds: cost.time / 1e6 },
      multiplications: cost.multiplications / (width * height * channels),
    })),
    milliseconds: { read, filter, write },
  };
}

/** The picture that the filters get: in grey where that is asked for, as it is of edges. */
export async function pictureFor(
  input: string,
  steps: Steps,
  flags: PictureFlags,
  signal: AbortSignal | undefined,
): Promise<Picture> {
  const picture = await read(input, flags.maxPixels, signal);
  return isGrey(steps, flags) ? toGrey(picture) : picture;
}

/** Edges are grey unless `--no-grey` says otherwise, all else with `--grey`. */
export const isGrey = ({ list }: Steps, { grey }: PictureFlags): boolean =>
  grey ?? list.some(({ kind }) => kind !== "plain");

async function read(input: string, maxPixels: number | undefined, signal: AbortSignal | undefined): Promise<Picture> {
  try {
    return await readPicture(await readSource(input, signal), { maxPixels, signal, name: sourceName(input) });
  } catch (error) {
    throw withOption(error as Error, "--max-pixels");
  }
}

const dtypeOf = ({ data }: Picture): "u8" | "u16" => (data instanceof Uint16Array ? "u16" : "u8");

/** The picture, as plans know it. */
export function specOf(picture: Picture): PictureSpec {
  const { width, height, channels, alpha: hasAlpha } = picture;
  return { width, height, channels, dtype: dtypeOf(picture), hasAlpha };
}

/** The picture filtered, as a picture of its own type (or of the one that `--type` names). */
async function apply(
  engine: Engine,
  picture: Picture,
  steps: Steps,
  flags: PictureFlags,
  control: Control,
): Promise<{ result: Picture; plans: Plan[] }> {
  const { alpha, icc } = picture;
  const plans = await planSteps(engine, steps, specOf(picture));
  const source = flags.linear ? toLinear(picture) : steps.floats ? toFloats(picture) : picture;
  const image = await applySteps(engine, steps, plans, source, alpha, control);
  return { result: { ...shownAs(image, picture, steps, flags), icc }, plans: plans.flat() };
}

/** A result as a picture. */
function shownAs(image: Image, picture: Picture, steps: Steps, { linear, show = "abs", type }: PictureFlags): Picture {
  const { alpha } = picture;
  const { data } = image;
  if (data instanceof Uint8Array || data instanceof Uint16Array) return { ...image, data, alpha };
  const target = type === "u8" || type === "u16" ? type : dtypeOf(picture);
  const signed = type === undefined ? steps.signed : type !== target;
  if (linear && !signed) return fromLinear(image, target, alpha);
  const full = fullScale(picture);
  const levels = linear ? scaled(image, full) : steps.floats && alpha ? fromFloats(image, full) : image;
  return showSigned(levels, signed ? show : "clip", target, alpha);
}

function scaled(image: Image, factor: number): Image {
  return { ...image, data: (image.data as Float32Array).map((v) => v * factor) };
}

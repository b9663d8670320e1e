// What is done with the pictures of one file: what they are made of and become, and what is said of it.
import { InvalidArgumentError } from "../errors.ts";
import type { Engine, Image, ImageDType, PictureSpec, Plan } from "../index.ts";
import type { RawSpec } from "./arrays.ts";
import { type ShowMode, toFloats, toGrey, toLinear } from "./convert.ts";
import { checkType, fullScale, typeOf, type WriteOptions } from "./encode.ts";
import { planSteps, type Scale, type StepOptions, type Steps } from "./filter-steps.ts";
import { isLevels, sumNotes, type Target } from "./finish.ts";
import { type FileFormat, formatNamed, isPictureFormat } from "./formats.ts";
import type { Picture, ReadOptions } from "./pictures.ts";

/** What the pictures of a file are made of and become, besides how filters are laid over them. */
export interface PictureOptions extends StepOptions, WriteOptions, Pick<ReadOptions, "page" | "maxPixels"> {
  /** Filters one grey channel. Default: of edges true, of all else false. */
  grey?: boolean;
  /** Filters in linear light, by the sRGB curve; values are from 0 to 1 then. Default false. */
  linear?: boolean;
  /** How values below zero become a picture: their magnitude ("abs", default), 0 ("clip"), or zero as mid-grey ("signed"). */
  show?: ShowMode;
  /**
   * Bytes of memory that a picture may take, about: a larger one is filtered some rows at a time, through files beside the output.
   * Default: a quarter of what is available.
   */
  memory?: number;
  /** The input is raw pixels of this form: row by row, channels interleaved, little-endian. */
  raw?: RawSpec;
}

/** What became of a file. */
export interface FileReport {
  /** As the call named it. */
  input: string;
  /** As the call named it. */
  output: string;
  /** Of the result (of several the first), in pixels. */
  width: number;
  /** Of the result, in pixels. */
  height: number;
  /** Of the result, alpha among them. */
  channels: number;
  /** The result's element type. */
  type: ImageDType;
  /** The result's last channel is alpha. */
  alpha: boolean;
  /** How many frames or pages there are. */
  pages: number;
  /** What was converted or left out, a sentence each. */
  notes: string[];
  /** How the first result was computed, filter by filter; two plans for the magnitude of two derivatives. */
  plans: {
    /** Its solver's name. */
    solver: string;
    /** What it does, in words. */
    summary: string;
    /** Per value of the result. */
    multiplications: number;
    /** Relative error of the taps. */
    error: number;
    /** What it was thought to take. */
    predictedMilliseconds: number;
  }[];
  /** What it took. */
  milliseconds: {
    /** To read and decode. */
    read: number;
    /** To filter. */
    filter: number;
    /** To encode and write. */
    write: number;
  };
}

/** What is done with one file. */
export interface Job {
  input: string;
  output: string;
  format: FileFormat;
}

/** What the filtering of a file can be told. */
export interface Control {
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
}

/** Edges are grey unless `grey` says otherwise, all else with it. */
export const isGrey = ({ list }: Steps, { grey }: PictureOptions): boolean =>
  grey ?? list.some(({ kind }) => kind !== "plain");

/** The picture that the filters get, as plans know it. */
export function specOf(picture: Picture): PictureSpec {
  const { width, height, channels, alpha: hasAlpha } = picture;
  return { width, height, channels, dtype: typeOf(picture), hasAlpha };
}

/** A picture as the filters get it, in grey where that is asked for, with its plans. */
export interface Planned {
  picture: Picture;
  plans: Plan[][];
}

/** Plans the pictures of a file; their pixels, or none, come along. Throws what does not fit them. */
export function planPictures(
  engine: Engine,
  steps: Steps,
  pages: readonly Picture[],
  options: PictureOptions,
): Planned[] {
  return pages.map((given) => {
    const picture = isGrey(steps, options) ? toGrey(given) : given;
    return { picture, plans: planSteps(engine, steps, specOf(picture)) };
  });
}

/** A file that has been looked at and planned. */
export interface Work {
  job: Job;
  steps: Steps;
  options: PictureOptions;
  pages: readonly Planned[];
}

/** No one has said how large results are to be. */
const isUnscaled = ({ show, gain, offset, type }: PictureOptions): boolean =>
  [show, gain, offset, type].every((said) => said === undefined);

/** What a result becomes: numbers where they are asked for or have been read, and the format holds them; else levels of a picture. */
export function targetOf({ steps, job, options }: Work, { picture, plans }: Planned): Target {
  const { type, show } = options;
  const { format, output } = job;
  const own = typeOf(picture);
  const last = plans.at(-1)!;
  const planned = last.length > 1 ? own : (last[0]!.problem.y.dtype as ImageDType);
  if (steps.list.at(-1)!.kind === "edges") return { type: "u8" };
  const computed = type ?? (steps.floats ? (steps.signed ? "f32" : own) : planned);
  if (isLevels(computed)) return { type: computed };
  const wanted = type !== undefined || !isLevels(own) || !isPictureFormat(format);
  if (show === undefined && wanted && formatNamed(format).types.includes(computed)) return { type: computed };
  if (isLevels(own)) return { type: own, show: show ?? "abs", fit: isUnscaled(options) };
  checkType(computed, format, output);
  throw new InvalidArgumentError({ parameter: "show", expected: "a picture of u8 or u16", received: own });
}

/** The numbers of a picture, or of rows of it, as the first filter takes them, and what is known of them. */
export function numbersOf(picture: Picture, { steps, options: { linear } }: Work): { image: Image; scale: Scale } {
  const image = linear ? toLinear(picture) : steps.floats ? toFloats(picture) : picture;
  return { image, scale: { knownAlpha: picture.alpha, full: linear ? 1 : fullScale(picture) } };
}

/** What is known when a file has been written. */
interface Written {
  /** The first of its pictures as it was written. */
  written: Picture;
  notes: readonly string[];
  milliseconds: FileReport["milliseconds"];
}

/** What is said of a file. */
export function reportOf({ job, pages }: Work, { written, notes, milliseconds }: Written): FileReport {
  const { width, height, channels, alpha } = written;
  return {
    ...{ input: job.input, output: job.output, width, height, channels, type: typeOf(written), alpha },
    ...{ pages: pages.length, notes: [...notes] },
    plans: pages[0]!.plans.flat().map(({ solver, summary, cost, error }) => ({
      ...{ solver, summary, error: error.relative, predictedMilliseconds: cost.time / 1e6 },
      multiplications: cost.multiplications / (width * height * channels),
    })),
    milliseconds,
  };
}

/** What is said of filters whose taps change a picture's brightness. */
export const brightnessNotes = ({ steps, options, pages }: Work, target: Target): string[] =>
  isUnscaled(options) ? sumNotes(steps, pages[0]!.plans, target) : [];

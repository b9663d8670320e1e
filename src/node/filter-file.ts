// A file's pictures, filtered into another file: read, filtered (in grey or linear light if asked), made pictures again,
// written; timed. The command line goes the same way, with one engine and one list of filters for all of its files.
import { checkBoolean, checkFunction, checkInteger, checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts"; // biome-ignore format: a line
import { createEngine, type Engine, type Filter, type Image, type ImageDType, type MaskLike, type PictureSpec, type Plan } from "../index.ts"; // biome-ignore format: a line
import { checkRaw, type RawSpec, readRaw } from "./arrays.ts";
import { type ShowMode, showModes, toFloats, toGrey, toLinear } from "./convert.ts";
import { checkCount, checkQuality, checkType, encodePictures, fullScale, typeOf, type WriteOptions } from "./encode.ts";
import { checkNewFile, makeFoldersFor, readBytes, writeAtomic } from "./files.ts";
import { applySteps, planSteps, readSteps, type StepOptions, type Steps } from "./filter-steps.ts";
import { finishedResults, isLevels, type Result, resultOf, sumNotes, type Target } from "./finish.ts";
import {
  checkFormat,
  type FileFormat,
  type FormatName,
  fileFormatOf,
  formatNamed,
  isPictureFormat,
} from "./formats.ts";
import { readMask } from "./mask.ts";
import { checkPage, type Picture, type PictureFile, type ReadOptions, readPictures } from "./pictures.ts";

/** What the pictures of a file are made of and become, besides how filters are laid over them. */
export interface PictureOptions extends StepOptions, WriteOptions, Pick<ReadOptions, "page" | "maxPixels"> {
  /** Filters one grey channel. Default: of edges true, of all else false. */
  grey?: boolean;
  /** Filters in linear light, by the sRGB curve; values are from 0 to 1 then. Default false. */
  linear?: boolean;
  /** How values below zero become a picture: their magnitude ("abs", default), 0 ("clip"), or zero as mid-grey ("signed"). */
  show?: ShowMode;
  /** The input is raw pixels of this form: row by row, channels interleaved, little-endian. */
  raw?: RawSpec;
}

/** Options of {@link filterFile}. */
export interface FilterFileOptions extends Omit<PictureOptions, "mask"> {
  /** How well each pixel of every picture is known: weights, or the name of a picture or a .npy array that holds them. */
  mask?: MaskLike | string;
  /** The output's format; "jpg" and "tif" mean "jpeg" and "tiff". Default: as its name ends. */
  format?: FormatName;
  /** Replaces an output that exists. Default false. */
  force?: boolean;
  /** Computes. Default: an engine of its own, disposed of in the end; for many files give one. */
  engine?: Engine;
  /** Stops the call; nothing is written then. */
  signal?: AbortSignal;
  /** Called with the share that is done, from 0 to 1. */
  onProgress?: (done: number) => void;
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
interface Control {
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
}

const optionKeys = [
  ...(["border", "borderValue", "anchor", "gain", "offset", "flip", "tolerance", "alpha", "type", "strategy"] as const),
  ...(["extent", "region"] as const),
  ...(["mask", "nan", "fill"] as const),
  ...(["grey", "linear", "show", "raw", "page", "maxPixels", "quality", "strip"] as const),
  ...(["format", "force", "engine", "signal", "onProgress"] as const),
] satisfies (keyof FilterFileOptions)[];

/**
 * Filters a file's pictures into another file: `await filterFile("photo.jpg", "edges.png", "sobel")`. Reads PNG, JPEG, WebP,
 * AVIF, TIFF, GIF, .npy and raw pixels, writes the format that the output's name asks for. Alpha, depth, colour profiles, EXIF,
 * XMP, the resolution, frames (with their times) and pages are kept as far as the output's format holds them; the report's
 * notes say what was not. `filter` may be a list of filters, applied in order; folders of the output are made.
 *
 * @throws InvalidArgumentError for anything malformed, an output that exists without `force` or is the input, and what the
 * output cannot hold; LimitError for more than `maxPixels` pixels. Nothing is written then.
 */
export async function filterFile(
  input: string,
  output: string,
  filter: Filter | readonly Filter[],
  options: FilterFileOptions = {},
): Promise<FileReport> {
  const { mask, ...plain } = checkOptions<FilterFileOptions>("options", options, optionKeys);
  const { signal, onProgress, force, engine: shared } = plain;
  for (const [parameter, path] of Object.entries({ input, output }))
    if (typeof path !== "string" || path === "")
      throw new InvalidArgumentError({ parameter, expected: "the name of a file", received: describe(path) });
  if (force !== undefined) checkBoolean("force", force);
  if (onProgress !== undefined) checkFunction("onProgress", onProgress);
  checkPictureOptions(plain);
  const weights = typeof mask === "string" ? await readMask(mask, () => readBytes(mask, signal), signal) : mask;
  const given: PictureOptions & FilterFileOptions = { ...plain, ...(mask !== undefined && { mask: weights }) };
  const format = given.format === undefined ? fileFormatOf(output) : checkFormat("format", given.format);
  const own = shared ? undefined : await createEngine(given.maxPixels ? { limits: { pixels: given.maxPixels } } : {}); // biome-ignore format: a line
  try {
    const engine = shared ?? own!;
    const steps = readSteps(engine, listOf(filter), given);
    await checkNewFile(output, {
      inputs: typeof mask === "string" ? [input, mask] : [input],
      force,
      hint: "force replaces it",
    });
    const job = { input, output, format };
    const source = await openPictures(input, () => readBytes(input, signal), given, signal);
    const work = { job, steps, options: given, source, pages: planPictures(engine, steps, source.pages, given) };
    return await runWork(engine, work, { signal, onProgress }, async (bytes) => {
      await makeFoldersFor(output);
      await writeAtomic(output, bytes, signal);
    });
  } finally {
    own?.dispose();
  }
}

/** One filter, or several in order: rows of numbers are one. */
function listOf(filter: Filter | readonly Filter[]): { text: string; filter: Filter }[] {
  const isRows = (value: unknown): boolean => Array.isArray(value) && !value.some((row) => typeof row !== "number");
  const several = Array.isArray(filter) && filter.length > 0 && !filter.every(isRows);
  const list = (several ? filter : [filter]) as Filter[];
  return list.map((one) => ({ text: typeof one === "string" ? one : JSON.stringify(one), filter: one }));
}

/** Checks options of pictures that no one else checks before work begins. */
export function checkPictureOptions({ page, quality, grey, linear, strip, show, raw }: PictureOptions): void {
  if (page !== undefined) checkInteger("page", page, { min: 1 });
  if (quality !== undefined) checkQuality(quality);
  for (const [name, value] of Object.entries({ grey, linear, strip }))
    if (value !== undefined) checkBoolean(name, value);
  if (show !== undefined) checkOneOf("show", show, showModes);
  if (raw !== undefined) checkRaw(raw);
}

/** A file that has been read. */
export interface Opened extends PictureFile {
  /** What that took. */
  milliseconds: number;
}

/** The pictures of a file. `name` is what messages call it, and `bytes` gives what it holds. */
export async function openPictures(
  name: string,
  bytes: () => Promise<Uint8Array>,
  { page, maxPixels = 2 ** 30, raw }: PictureOptions,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const start = performance.now();
  const file = await bytes();
  const opened = (found: PictureFile): Opened => ({ ...found, milliseconds: performance.now() - start });
  if (raw === undefined) return opened(await readPictures(file, { page, maxPixels, signal, name }));
  checkPage(name, page, 1);
  return opened(readRaw(file, raw, name, maxPixels));
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

/** Plans the pictures of a file. Throws what does not fit them. */
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

/** A file that has been read and planned. */
export interface Work {
  job: Job;
  steps: Steps;
  options: PictureOptions;
  source: Opened;
  pages: readonly Planned[];
}

/** No one has said how large results are to be. */
const isUnscaled = ({ show, gain, offset, type }: PictureOptions): boolean =>
  [show, gain, offset, type].every((said) => said === undefined);

/** What a result becomes: numbers where they are asked for or have been read, and the format holds them; else levels of a picture. */
function targetOf({ steps, job, options }: Work, { picture, plans }: Planned): Target {
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

/** Filters the pictures of a file one after another and writes them, once it is clear that the output can hold them. */
export async function runWork(
  engine: Engine,
  work: Work,
  { signal, onProgress }: Control,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<FileReport> {
  const { job, steps, options, source, pages } = work;
  const times = [performance.now()];
  const targets = pages.map((page) => targetOf(work, page));
  checkCount(pages.length, job.format, job.output);
  const made: Result[] = [];
  for (const [i, page] of pages.entries()) {
    const progress = (done: number): void => onProgress?.((i + done) / pages.length);
    const image = await filtered(engine, page, work, { signal, onProgress: progress });
    made.push(resultOf(image, page.picture, { ...targets[i]!, linear: options.linear, floats: steps.floats }));
  }
  const { pictures: results, notes: shown } = finishedResults(made);
  const sums = isUnscaled(options) ? sumNotes(steps, pages[0]!.plans, targets[0]!) : [];
  times.push(performance.now());
  const { animation } = source;
  const { bytes, notes, written } = await encodePictures(results, job.format, {
    ...options,
    animation,
    signal,
    name: job.output,
  });
  signal?.throwIfAborted();
  await write(bytes);
  times.push(performance.now());
  const [filter, writing] = times.slice(1).map((time, i) => time - times[i]!) as [number, number];
  const { width, height, channels, alpha } = written;
  return {
    ...{ input: job.input, output: job.output, width, height, channels, type: typeOf(written), alpha },
    ...{ pages: results.length, notes: [...source.notes, ...shown, ...sums, ...notes] },
    plans: pages[0]!.plans.flat().map(({ solver, summary, cost, error }) => ({
      ...{ solver, summary, error: error.relative, predictedMilliseconds: cost.time / 1e6 },
      multiplications: cost.multiplications / (width * height * channels),
    })),
    milliseconds: { read: source.milliseconds, filter, write: writing },
  };
}

/** The picture filtered. */
async function filtered(
  engine: Engine,
  { picture, plans }: Planned,
  { steps, options: { linear } }: Work,
  control: Control,
): Promise<Image> {
  const source = linear ? toLinear(picture) : steps.floats ? toFloats(picture) : picture;
  const scale = { knownAlpha: picture.alpha, full: linear ? 1 : fullScale(picture) };
  return applySteps(engine, steps, plans, source, scale, control);
}

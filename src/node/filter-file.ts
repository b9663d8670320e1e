// A file's pictures, filtered into another file: read, filtered (in grey or linear light if asked), made pictures again,
// written; timed. The command line goes the same way, with one engine and one list of filters for all of its files.
import { checkBoolean, checkFunction, checkInteger, checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts"; // biome-ignore format: a line
import { createEngine, type Engine, type Filter, type MaskLike } from "../index.ts";
import { checkRaw, readRaw } from "./arrays.ts";
import { showModes } from "./convert.ts";
import { checkCount, checkQuality, encodePictures } from "./encode.ts";
import { checkNewFile, createAtomic, makeFoldersFor, readBytes, writeAtomic } from "./files.ts";
import { applySteps, readSteps } from "./filter-steps.ts";
import { filterInStrips } from "./filter-strips.ts";
import { finishedResults, type Result, resultOf } from "./finish.ts";
import { checkFormat, type FormatName, fileFormatOf } from "./formats.ts";
import { anyPicture, checkMemory, findLarge } from "./large.ts";
import { readMask } from "./mask.ts";
import { checkPage, type PictureFile, readPictures } from "./pictures.ts";
import { brightnessNotes, type Control, type FileReport, numbersOf, type PictureOptions, planPictures, reportOf, targetOf, type Work } from "./work.ts"; // biome-ignore format: a line

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

const optionKeys = [
  ...(["border", "borderValue", "anchor", "gain", "offset", "flip", "tolerance", "alpha", "type", "strategy"] as const),
  ...(["extent", "region"] as const),
  ...(["mask", "nan", "fill"] as const),
  ...(["grey", "linear", "show", "raw", "page", "maxPixels", "memory", "quality", "strip"] as const),
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
  const own = shared ? undefined : await createEngine({ limits: anyPicture });
  try {
    const engine = shared ?? own!;
    const steps = readSteps(engine, listOf(filter), given);
    await checkNewFile(output, {
      inputs: typeof mask === "string" ? [input, mask] : [input],
      force,
      hint: "force replaces it",
    });
    const job = { input, output, format };
    const control = { signal, onProgress };
    const plan = { job, steps, options: given };
    const large = await findLarge(plan, input);
    if (large) {
      await makeFoldersFor(output);
      return await filterInStrips(engine, { ...plan, ...large }, control, (write) =>
        createAtomic(output, write, signal),
      );
    }
    const source = await openPictures(input, () => readBytes(input, signal), given, signal);
    const work = { job, steps, options: given, source, pages: planPictures(engine, steps, source.pages, given) };
    return await runWork(engine, work, control, async (bytes) => {
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
export function checkPictureOptions({ page, quality, grey, linear, strip, show, raw, memory }: PictureOptions): void {
  if (memory !== undefined) checkMemory(memory);
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

/** A file that has been read and planned. */
export interface OpenedWork extends Work {
  source: Opened;
}

/** Filters the pictures of a file one after another and writes them, once it is clear that the output can hold them. */
export async function runWork(
  engine: Engine,
  work: OpenedWork,
  { signal, onProgress }: Control,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<FileReport> {
  const { job, steps, options, source, pages } = work;
  const times = [performance.now()];
  const targets = pages.map((page) => targetOf(work, page));
  checkCount(pages.length, job.format, job.output);
  const made: Result[] = [];
  for (const [i, { picture, plans }] of pages.entries()) {
    const progress = (done: number): void => onProgress?.((i + done) / pages.length);
    const { image, scale } = numbersOf(picture, work);
    const result = await applySteps(engine, steps, plans, image, scale, { signal, onProgress: progress });
    made.push(resultOf(result, picture, { ...targets[i]!, linear: options.linear, floats: steps.floats }));
  }
  const { pictures: results, notes: shown } = finishedResults(made);
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
  const said = [...source.notes, ...shown, ...brightnessNotes(work, targets[0]!), ...notes];
  return reportOf(work, { written, notes: said, milliseconds: { read: source.milliseconds, filter, write: writing } });
}

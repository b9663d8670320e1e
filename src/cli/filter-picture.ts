// One file through `rank1 filter`: as filterFile does it, with the command line's streams, folders and words.
import type { Engine } from "../index.ts";
import { type Opened, openPictures, runWork } from "../node/filter-file.ts";
import type { Steps } from "../node/filter-steps.ts";
import { filterInStrips } from "../node/filter-strips.ts";
import { type FileFormat, fileFormatOf } from "../node/formats.ts";
import { findLarge, type Large, timesDecoded } from "../node/large.ts";
import type { Picture } from "../node/pictures.ts";
import { isAddress } from "../node/stores.ts";
import { type FileReport, type PictureOptions, type Planned, planPictures } from "../node/work.ts";
import { sourceName, usage, withOption } from "./arguments.ts";
import { type Control, type Job, readAdmitted } from "./task.ts";
import { quantity } from "./text.ts";

export type PictureFlags = PictureOptions;

/** Without a format: that of the input. */
export interface FileJob extends Job {
  output: string;
  format?: FileFormat;
}

/** Reads, filters and writes one file. */
export async function filterPicture(
  engine: Engine,
  steps: Steps,
  job: FileJob,
  flags: PictureFlags,
  control: Control,
): Promise<FileReport> {
  const large = await findLargeInput(steps, job, flags);
  if (large) return filterLarge(engine, steps, job, flags, control, large);
  const read = (): Promise<Uint8Array> => readAdmitted(control, job.input, timesDecoded(steps));
  const source = await openInput(job.input, flags, control.signal, read);
  const pages = await planInput(engine, steps, source.pages, flags);
  const format = job.format ?? source.format;
  const work = { job: { ...job, format }, steps, options: flags, source, pages };
  return runWork(engine, work, control, (bytes) => control.write(job.output, bytes));
}

/** An input that is larger than memory; those of stores and streams are held whole in any case. */
async function findLargeInput(steps: Steps, job: FileJob, flags: PictureFlags): Promise<Large | undefined> {
  if ([job.input, job.output].some((path) => path === "-" || isAddress(path))) return undefined;
  try {
    const format = job.format ?? fileFormatOf(job.output);
    return await findLarge({ job: { ...job, format }, steps, options: flags }, sourceName(job.input));
  } catch (error) {
    throw withOption(withOption(error as Error, "--max-pixels"), "--memory");
  }
}

/** Filters it strip by strip. */
async function filterLarge(
  engine: Engine,
  steps: Steps,
  job: FileJob,
  flags: PictureFlags,
  control: Control,
  large: Large,
): Promise<FileReport> {
  await control.admit?.(large.memory / 2);
  await control.look(job.input);
  const format = job.format ?? large.file.format;
  const onSpace = (bytes: number): void =>
    control.tell?.(`${job.input}: is filtered strip by strip, with ${quantity(bytes)}B in files beside ${job.output} meanwhile`); // biome-ignore format: a line
  const work = { job: { ...job, format }, steps, options: flags, ...large };
  await planInput(engine, steps, large.file.pages.map(({ picture }) => picture), flags); // biome-ignore format: a line
  return filterInStrips(engine, work, { ...control, onSpace }, (write) => control.create(job.output, write));
}

/** The pictures of an input; - is the standard input. */
export async function openInput(
  input: string,
  flags: PictureFlags,
  signal: AbortSignal,
  read: () => Promise<Uint8Array>,
): Promise<Opened> {
  try {
    return await openPictures(sourceName(input), read, flags, signal);
  } catch (error) {
    throw withOption(error as Error, "--max-pixels");
  }
}

/** The plans of pictures; whatever does not fit them is the command line's fault. */
export const planInput = (
  engine: Engine,
  steps: Steps,
  pages: readonly Picture[],
  flags: PictureFlags,
): Promise<Planned[]> => usage(() => planPictures(engine, steps, pages, flags), "--max-filter-side");

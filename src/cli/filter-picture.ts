// One file through `rank1 filter`: as filterFile does it, with the command line's streams, folders and words.
import type { Engine } from "../index.ts";
import {
  type FileReport,
  type Job,
  type Opened,
  openPictures,
  type PictureOptions,
  type Planned,
  planPictures,
  runWork,
} from "../node/filter-file.ts";
import type { Steps } from "../node/filter-steps.ts";
import type { FileFormat } from "../node/formats.ts";
import type { Picture } from "../node/pictures.ts";
import { readSource, sourceName, usage, withOption } from "./arguments.ts";
import { writeOutput } from "./output.ts";

export type PictureFlags = PictureOptions;

/** Without a format: that of the input. */
export type FileJob = Omit<Job, "format"> & { format?: FileFormat };

interface Control {
  signal: AbortSignal;
  onProgress: (done: number) => void;
}

/** Reads, filters and writes one file. */
export async function filterPicture(
  engine: Engine,
  steps: Steps,
  job: FileJob,
  flags: PictureFlags,
  control: Control,
): Promise<FileReport> {
  const source = await openInput(job.input, flags, control.signal);
  const pages = await planInput(engine, steps, source.pages, flags);
  const format = job.format ?? source.format;
  const work = { job: { ...job, format }, steps, options: flags, source, pages };
  return runWork(engine, work, control, (bytes) => writeOutput(job.output, bytes, control.signal));
}

/** The pictures of an input; - is the standard input. */
export async function openInput(input: string, flags: PictureFlags, signal: AbortSignal): Promise<Opened> {
  try {
    return await openPictures(sourceName(input), () => readSource(input, signal), flags, signal);
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

// One file through `rank1 filter`: as filterFile does it, with the command line's streams, folders and words.
import type { Engine } from "../index.ts";
import {
  type FileReport,
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
import { sourceName, usage, withOption } from "./arguments.ts";
import { type Control, type Job, readAdmitted } from "./task.ts";

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
  // Its picture, results of other types, and what encoders make of them.
  const read = (): Promise<Uint8Array> => readAdmitted(control, job.input, steps.floats ? 20 : 7);
  const source = await openInput(job.input, flags, control.signal, read);
  const pages = await planInput(engine, steps, source.pages, flags);
  const format = job.format ?? source.format;
  const work = { job: { ...job, format }, steps, options: flags, source, pages };
  return runWork(engine, work, control, (bytes) => control.write(job.output, bytes));
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

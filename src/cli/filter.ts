// rank1 filter: pictures in, filtered pictures out. The files are checked before any work; what becomes of one picture
// is in filter-picture.ts.
import { basename, extname, join } from "node:path";
import { type Command, Option } from "commander";
import type { Engine, Filter } from "../index.ts";
import { showModes } from "../node/convert.ts";
import { checkFolder, checkOutput, writeStdout } from "../node/files.ts";
import { formatOf, type PictureFormat, pictureFormats } from "../node/pictures.ts";
import { addFilterOptions, filtersOf, parseCount, parseFilter, planOf, UsageError, usage } from "./arguments.ts";
import { addEngineOptions, type EngineFlags, withEngine } from "./engine.ts";
import { filterPicture, isSigned, type Job, type PictureFlags, type Report } from "./filter-picture.ts";
import { milliseconds, progressBar, say } from "./text.ts";

interface Flags extends PictureFlags, EngineFlags {
  filter: string;
  outDir?: string;
  format?: PictureFormat;
  threads?: number;
  backend: "auto" | "wasm" | "reference";
  quiet?: boolean;
  json?: boolean;
}

const examples = `
Signed results: derivatives (sobel-x, laplacian-4, ...: taps that sum to zero) and --output i16 or f32 give negative
values. --show abs draws |v|, saturated; clip draws negative values as 0; signed draws zero as mid-grey and scales so
that nearly all values fit. For a scale of your own use --gain, --offset and --output u8 instead.
sobel, scharr, prewitt and roberts alone mean the magnitude of the gradient.

With --linear, values are from 0 to 1 (so is --offset), and --output chooses u8 or u16 for the file.
Colour profiles are kept, EXIF orientation is applied; JPEG has no alpha: pictures that have are laid on white.

Examples:
  rank1 filter photo.jpg edges.png --filter sobel
  rank1 filter photo.jpg soft.jpg --filter gaussian:sigma=4 --border edge
  rank1 filter photo.png relief.png --filter sobel-x --show signed
  rank1 filter *.tif --out-dir sharp --filter unsharp:amount=0.8,sigma=2
  rank1 filter - - --format png --filter '[[0,-1,0],[-1,5,-1],[0,-1,0]]' < in.png > out.png`;

export function addFilter(program: Command, signal: AbortSignal): void {
  const command = program
    .command("filter")
    .description("filter pictures (PNG, JPEG, WebP, TIFF, AVIF; 8 and 16 bits; grey, RGB, alpha)")
    .argument("<files...>", "inputs, then the output; - is the standard input or output")
    .requiredOption("--filter <filter>", "a name (see rank1 filters), [[...]], or a JSON file");
  addEngineOptions(addFilterOptions(command))
    .addOption(new Option("--show <mode>", "how signed results become pictures (default: abs)").choices(showModes))
    .option("--linear", "filter in linear light (by the sRGB curve)")
    .option("--out-dir <folder>", "write each result here under its input's name; all files are inputs")
    .addOption(new Option("--format <format>", "format of the output").choices(Object.keys(pictureFormats)))
    .option("--quality <1-100>", "of JPEG, WebP and AVIF; 100 is lossless for WebP and AVIF", parseCount)
    .option("--threads <count>", "threads that work (default: what the machine has)", parseCount)
    .addOption(new Option("--backend <name>", "what computes").choices(["auto", "wasm", "reference"]).default("auto"))
    .option("--max-pixels <count>", "largest picture, in pixels (default: 2^30)", parseCount)
    .option("--quiet", "print nothing but errors")
    .option("--json", "print timings and plans as JSON")
    .addHelpText("after", examples)
    .action((files: string[], flags: Flags) => filterPictures(files, flags, signal));
}

async function filterPictures(files: string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const { backend, threads, wide, maxPixels, maxFilterSide, outDir } = flags;
  const jobs = await usage(() => (outDir === undefined ? [jobOf(files, flags)] : jobsIn(outDir, files, flags)));
  const filter = await parseFilter(flags.filter);
  const limits = { ...(maxPixels && { pixels: maxPixels }), ...(maxFilterSide && { filterSide: maxFilterSide }) };
  await withEngine({ backend, threads, wide, limits }, async (engine) => {
    await checkFlags(engine, filter, flags);
    if (outDir !== undefined) await checkFolder(outDir, "--out-dir");
    const inputs = jobs.map(({ input }) => input).filter((input) => input !== "-");
    for (const { output } of jobs) if (output !== "-") await checkOutput(output, inputs);
    await runJobs(engine, filter, jobs, flags, signal);
  });
}

function jobOf(files: string[], { filter, format, json }: Flags): Job {
  const [input, output] = files;
  if (input === undefined || output === undefined || files.length > 2) {
    const received = files.length === 1 ? `only ${input}` : `${files.length} files`;
    throw new UsageError(`files: expected an input and an output, or inputs with --out-dir, got ${received}`);
  }
  if (input === "-" && filter === "-") throw new UsageError("--filter: expected a filter, got -, which is the picture");
  if (output !== "-") return { input, output, format: format ?? formatOf(output) };
  if (format === undefined) throw new UsageError("--format: expected one for an output to -, got none");
  if (json) throw new UsageError("--json: expected an output that is a file, got -");
  return { input, output, format };
}

function jobsIn(folder: string, inputs: string[], { format }: Flags): Job[] {
  const jobs = inputs.map((input): Job => {
    if (input === "-") throw new UsageError("files: expected files with --out-dir, got -");
    const name = basename(input);
    const renamed = format === undefined ? name : basename(name, extname(name)) + pictureFormats[format].extensions[0];
    return { input, output: join(folder, renamed), format: format ?? formatOf(name) };
  });
  const outputs = jobs.map(({ output }) => output);
  const twice = outputs.find((output, i) => outputs.indexOf(output) < i);
  if (twice !== undefined) throw new UsageError(`files: expected results of different names, got ${twice} twice`);
  return jobs;
}

/** What can be told before any picture is read, on a picture of one pixel. */
async function checkFlags(engine: Engine, filter: Filter, flags: Flags): Promise<void> {
  const pixel = { width: 1, height: 1, channels: 1, dtype: "u8" } as const;
  // Which border values and alpha modes are right depends on the picture
  const own = { ...flags, borderValue: undefined, alpha: undefined };
  const plans = await Promise.all(filtersOf(filter).map((part) => planOf(engine, pixel, part, own)));
  const { linear, output, show } = flags;
  const wide = output === "i16" || output === "f32";
  if (linear && wide) throw new UsageError(`--output: expected u8 or u16 with --linear, got ${output}`);
  if (show === undefined || wide || (plans.length === 1 && isSigned(plans[0]!))) return;
  const expected = "a filter with a signed result, such as sobel-x, or --output f32";
  throw new UsageError(`--show: expected ${expected}, got ${flags.filter}`);
}

/** All jobs, one after another; where there are several, one that fails does not stop the others. */
async function runJobs(engine: Engine, filter: Filter, jobs: Job[], flags: Flags, signal: AbortSignal): Promise<void> {
  const pictures: Report[] = [];
  const failures: { input: string; message: string }[] = [];
  for (const [i, job] of jobs.entries()) {
    const label = jobs.length > 1 ? `${job.input} (${i + 1} of ${jobs.length})` : job.input;
    const progress = progressBar(label, !flags.quiet);
    try {
      const report = await filterPicture(engine, filter, job, flags, { signal, onProgress: progress.update });
      pictures.push(report);
      progress.clear();
      if (!flags.quiet && !flags.json) process.stderr.write(`${summaryOf(report)}\n`);
    } catch (error) {
      progress.clear();
      signal.throwIfAborted();
      if (jobs.length === 1 || error instanceof UsageError) throw error;
      const { message } = error as Error;
      failures.push({ input: job.input, message });
      say(message);
    }
  }
  if (flags.json) {
    const report = { version: 1, filter: flags.filter, engine: engine.info(), pictures, failures };
    await writeStdout(`${JSON.stringify(report, undefined, 2)}\n`);
  }
  if (failures.length > 0) throw new Error(`${failures.length} of ${jobs.length} pictures failed`);
}

function summaryOf({ output, width, height, channels, type, plans, milliseconds: times }: Report): string {
  const spent = Object.entries(times).map(([what, ms]) => `${what} ${milliseconds(ms)}`);
  const solvers = [...new Set(plans.map(({ solver }) => solver))].join(", ");
  return `${output}  ${width} × ${height} × ${channels} ${type}  ${solvers}  ${spent.join(", ")}`;
}

// rank1 filter: pictures in, filtered pictures out. The files are checked before any work; what becomes of one file is in
// filter-picture.ts and node/filter-file.ts, how several filters follow one another in node/filter-steps.ts.
import { extname } from "node:path";
import { type Command, Option } from "commander";
import type { Engine, Image } from "../index.ts";
import { showModes } from "../node/convert.ts";
import { readSteps, type Steps } from "../node/filter-steps.ts";
import { checkFormat, type FileFormat, fileFormatOf, fileFormats, formatNamed, formatNames } from "../node/formats.ts";
import { anyPicture } from "../node/large.ts";
import { readMask } from "../node/mask.ts";
import { version } from "../node/package.ts";
import { below, hashOf } from "../node/stores.ts";
import type { FileReport } from "../node/work.ts";
import { plural } from "../words.ts";
import {
  addFilterOptions,
  checkOutputName,
  type FilterFlags,
  isFilterFile,
  parseBytes,
  parseCount,
  parseFilter,
  parseQuality,
  parseRaw,
  parseSize,
  readSource,
  sourceName,
  threadsOption,
  UsageError,
  usage,
} from "./arguments.ts";
import {
  addBatch,
  type BatchFlags,
  checkBatch,
  condition,
  isMany,
  jsonPrinter,
  optionsOf,
  type RunBatch,
  runBatch,
} from "./batch.ts";
import { checkFailuresFile, failuresOf } from "./failures.ts";
import { explainFilters } from "./filter-explain.ts";
import { type FileJob, filterPicture, type PictureFlags } from "./filter-picture.ts";
import { rare } from "./help.ts";
import { findInputs, type Input, listOf } from "./inputs.ts";
import { aboutEngine, addEngineOptions, type EngineFlags, withEngine } from "./open.ts";
import { addOutput, checkOutputs, checkStdin, checkTerminal, meansFolder, type OutputFlags } from "./output.ts";
import type { Perform } from "./task.ts";
import { milliseconds, say } from "./text.ts";

interface Flags
  extends Omit<PictureFlags, "mask">,
    Pick<FilterFlags, "maxFilterSide" | "mask">,
    EngineFlags,
    BatchFlags,
    OutputFlags {
  filter: string[];
  colour?: boolean;
  color?: boolean;
  explain?: boolean;
  size?: { width: number; height: number; channels: number };
  depth?: "8" | "16";
  format?: FileFormat;
  threads?: number;
  backend: "auto" | "wasm" | "reference";
  quiet?: boolean;
  json?: boolean;
}

/** With the mask's weights in place of its name. */
type Read = Omit<Flags, "mask"> & { mask?: Image };

/** Filters by what the command line calls them. */
type Named = Parameters<typeof readSteps>[1];

/** What other processes are told: plain data. */
interface Setup {
  filters: Named;
  flags: Read;
}

const examples = `
All files are inputs; results go where -o says: to one file, or under the inputs' names into a folder.
Many are shared among processes, one a core; --resume leaves out what is done, --shard takes a part (docs/batch.md).
Several filters are applied in their order; what is between them is neither rounded nor cut off.

Edges are grey (--colour keeps colours). sobel, scharr, prewitt and roberts alone mean the magnitude of the gradient;
other derivatives (sobel-x, laplacian-4, ...: taps that sum to zero) and --type i16 or f32 give negative values: --show
abs draws |v|, saturated; clip draws negative values as 0; signed draws zero as mid-grey and scales so that nearly all
values fit. Without --show, |v| is drawn, scaled up (and said to be) where it would fill less than half of the range.
For a scale of your own use --gain, --offset and --type u8 instead.

With --linear, values are from 0 to 1 (so is --offset), and --type chooses u8 or u16 for the file.
Colour profiles, EXIF, XMP and the resolution are kept (--strip leaves them out), as are frames of GIF and WebP with their
times, and pages of TIFF; EXIF orientation is applied, thumbnails go. What a format does not hold is said on a line. JPEG
has no alpha: pictures that have are laid on white.

Numbers instead of levels: .npy (arrays of [height, width] or [height, width, channels]), .tiff and .raw (pixels alone)
hold every type; derivatives go into .npy and .raw as they are, into .tiff with --type f32 or i16.

With --mask, each result is the mean of the pixels that are known, weighted by the filter and by the mask (white is known,
black is not): holes are filled in, and nothing bleeds from under them.

Examples:
  rank1 filter photo.jpg -o edges.png -f sobel
  rank1 filter photo.jpg -o lines.png -f canny:sigma=1.4,low=50,high=100
  rank1 filter photo.jpg -o soft.jpg -f gaussian:sigma=4 --border edge
  rank1 filter photo.png -o relief.png -f sobel-x --show signed
  rank1 filter scan.png -o whole.png -f gaussian:sigma=3 --mask known.png
  rank1 filter *.tif -o sharp/ -f gaussian:sigma=1 -f unsharp:amount=0.8,sigma=4
  rank1 filter moving.gif -o soft.webp -f gaussian:sigma=2
  rank1 filter scan.tiff -o page3.png -f sharpen --page 3
  rank1 filter field.npy -o gradient.npy -f sobel-x
  rank1 filter 'photos/**/*.jpg' -o soft/ -f gaussian:sigma=2 --resume
  rank1 filter s3://bucket/in/ -o s3://bucket/out/ -f sobel --shard 3/10
  rank1 filter - -o - -f '[[0,-1,0],[-1,5,-1],[0,-1,0]]' < in.png > out.png
  rank1 filter photo.jpg -f gaussian:sigma=8 --explain
  rank1 filter -f disk:9 --tolerance 0.05 --size 4000x3000x3 --explain`;

export function addFilter(program: Command, signal: AbortSignal, run: RunBatch = runBatch): void {
  const command = program
    .command("filter")
    .description("filter pictures (PNG, JPEG, WebP, TIFF, AVIF, GIF; grey, RGB, alpha) and arrays (.npy, raw)")
    .argument("[files...]", "pictures, quoted patterns, folders, s3:// addresses; - is the standard input")
    .option(
      "-f, --filter <filter>",
      "a name (see rank1 filters), [[...]], or a JSON file; repeatable, in order",
      addOne,
    );
  addOutput(
    command,
    "file or folder/",
    "where results go; - is the standard output, in the format of the input (or --format)",
  );
  addEngineOptions(addFilterOptions(addBatch(command)))
    .option("--grey", "filter one grey channel (default of edges)")
    .option("--no-grey", "filter each colour (default of all else)")
    .option("--colour", "the same as --no-grey")
    .addOption(rare("--color", "the same as --no-grey"))
    .addOption(new Option("--show <mode>", "how signed results become pictures (default: abs)").choices(showModes))
    .option("--page <number>", "of several frames or pages this one, from 1 (default: all)", parseCount)
    .option("--strip", "leave out EXIF, XMP, the resolution and the colour profile")
    .option("--raw <WxHxC:type>", "inputs are raw pixels, such as 640x480x3:u8 (little-endian)", parseRaw)
    .option("--explain", "do not run: show how it would be computed, what it costs, and what was rejected")
    .option("--size <WxHxC>", "with --explain: of a picture that is not there (default: 1920x1080x3)", parseSize)
    .addOption(rare("--depth <bits>", "with --size: of a channel (default: 8)").choices(["8", "16"]))
    .addOption(rare("--linear", "filter in linear light (by the sRGB curve)"))
    .addOption(rare("--format <format>", "format of results").choices([...formatNames]))
    .addOption(
      rare("--quality <1-100>", "of JPEG, WebP and AVIF; 100 is lossless for WebP and AVIF").argParser(parseQuality),
    )
    .addOption(threadsOption())
    .addOption(rare("--backend <name>", "what computes").choices(["auto", "wasm", "reference"]).default("auto"))
    .option(
      "--memory <size>",
      "what a picture may take, such as 500M; larger ones are filtered strip by strip (default: a quarter of what is free)",
      parseBytes,
    )
    .addOption(rare("--max-pixels <count>", "largest picture, in pixels (default: 2^30)").argParser(parseCount))
    .option("--quiet", "print nothing but errors")
    .option("--json", "print timings and plans as JSON")
    .addHelpText("after", examples)
    .action((files: string[], flags: Flags) => filterPictures(files, flags, signal, run));
}

const addOne = (text: string, list: readonly string[] = []): string[] => [...list, text];

/** The format by its own name. --colour is the other spelling of --no-grey. */
function withOwnNames({ colour, color, ...given }: Flags): Flags {
  const flags = given.format ? { ...given, format: checkFormat("--format", given.format) } : given;
  if (!colour && !color) return flags;
  if (flags.grey) throw new UsageError("--colour: expected either --grey or --colour, got both");
  return { ...flags, grey: false };
}

async function filterPictures(files: string[], said: Flags, signal: AbortSignal, run: RunBatch): Promise<void> {
  const given = withOwnNames(said);
  const { output, explain, threads } = given;
  checkOutputName(output);
  checkArguments(files, given);
  await checkBatch(given, explain);
  const inputs = await findInputs(files, given, endings, signal);
  const jobs = explain ? [] : await usage(() => jobsOf(inputs, given));
  const { mask: file } = given;
  const mask =
    file === undefined ? undefined : await readMask(sourceName(file), () => readSource(file, signal), signal);
  const flags: Read = { ...given, mask };
  const filters = await Promise.all(flags.filter.map(async (text) => ({ text, filter: await parseFilter(text) })));
  const here = { ...flags, threads: isMany(jobs.length, flags) ? 1 : threads };
  await withFilters({ filters, flags: here }, async (engine, steps) => {
    checkTypes(steps, jobs, given);
    if (explain) return explainFilters(engine, steps, inputs.map(({ path }) => path), flags, signal); // biome-ignore format: a line
    const read = [...jobs.map(({ input }) => input), ...(file === undefined ? [] : [file]), ...flags.filter.filter(isFilterFile)]; // biome-ignore format: a line
    const written = jobs.map((job) => job.output);
    await checkOutputs(written, { inputs: read, ...condition(jobs.length, flags) });
    const uses = { folder: output!, read: [...read, listOf(flags)], written };
    await checkFailuresFile(await failuresOf(flags), { ...uses, force: flags.force });
    await runJobs(engine, { steps, filters, inputs, jobs, flags, signal, run });
  });
}

/** Endings of files in folders that are taken for pictures or arrays. */
const endings = Object.values(fileFormats).flatMap(({ extensions }): readonly string[] => extensions);

/** Makes an engine, and checks the filters before any picture is read. */
async function withFilters(
  { filters, flags }: Setup,
  use: (engine: Engine, steps: Steps) => Promise<void>,
): Promise<void> {
  const { backend, threads, wide, maxFilterSide } = flags;
  const limits = { ...anyPicture, ...(maxFilterSide && { filterSide: maxFilterSide }) };
  await withEngine({ backend, threads, wide, limits }, async (engine) => {
    await use(engine, await usage(() => readSteps(engine, filters, flags), "--max-filter-side"));
  });
}

/** In one of several processes: calls `use` with what is done to one picture. */
export const openFilter = (
  setup: Setup,
  use: (perform: Perform<FileJob, FileReport>) => Promise<void>,
): Promise<void> =>
  withFilters(setup, (engine, steps) => use((job, control) => filterPicture(engine, steps, job, setup.flags, control)));

/** Checks the options before any file is read. */
function checkArguments(files: readonly string[], flags: Flags): void {
  const { filter, explain, size, depth, output, json, border, borderValue } = flags;
  const wrong = (name: string, expected: string, received: string): never => {
    throw new UsageError(`${name}: expected ${expected}, got ${received}`);
  };
  if (!filter) wrong("-f", "a filter, such as -f sobel (rank1 filters lists names)", "none");
  checkStdin([
    ...files.map((file) => ["an input", file] as const),
    ...filter.map((text) => ["--filter", text] as const),
    ["--mask", flags.mask],
    ["--list", flags.list],
  ]);
  const stray = (["anchor", "strategy", "mask", "nan", "fill"] as const).find(
    (name) => flags[name] !== undefined && filter.length > 1,
  );
  if (stray) wrong(`--${stray}`, "one filter, of which it is an option", `${filter.length}`);
  if (borderValue !== undefined && border !== "constant")
    wrong("--border-value", "--border constant, of which it is an option", border ? `--border ${border}` : "none");
  if (!explain && (size || depth)) wrong(size ? "--size" : "--depth", "--explain, of which it is an option", "none");
  if (size && (files.length > 0 || flags.list !== undefined)) wrong("--size", "either pictures or their size", "both");
  if (depth && !size) wrong("--depth", "--size, of which it is an option", "none");
  if (explain) return;
  if (files.length === 0 && flags.list === undefined)
    wrong("files", "pictures, or - for one on the standard input", "none");
  if (output === undefined) {
    const last = files.length > 1 ? ` (all files are inputs: rank1 filter ${files[0]} -o ${files.at(-1)})` : "";
    wrong("-o", `where results go, such as -o result.png or -o results/${last}`, "none");
  }
  if (output === "-" && json) wrong("--json", "results in files", "-o -");
  checkTerminal(output);
}

async function jobsOf(inputs: readonly Input[], { output, format }: Flags): Promise<FileJob[]> {
  if (await meansFolder(output!)) return inputs.map((input) => jobIn(output!, input, format));
  if (inputs.length > 1) {
    throw new UsageError(`-o: expected a folder for ${inputs.length} pictures, such as ${output}/, got ${output}`);
  }
  const own = format ?? (output === "-" ? undefined : formatFor(output!));
  return inputs.map(({ path: input, name }) => ({ input, name, output: output!, format: own }));
}

/** The format that a result's name asks for. */
function formatFor(name: string): FileFormat {
  try {
    return fileFormatOf(name);
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; --format png says it otherwise`, { cause: error });
  }
}

function jobIn(folder: string, { path: input, name }: Input, format: FileFormat | undefined): FileJob {
  if (input === "-") throw new UsageError("-o: expected a file for what the standard input holds, got a folder");
  const own = format === undefined ? name : name.slice(0, name.length - extname(name).length) + fileFormats[format].extensions[0]; // biome-ignore format: a line
  return { input, name, output: below(folder, own), format: format ?? formatFor(name) };
}

/** Options that need results of some kind. */
function checkTypes({ signed }: Steps, jobs: readonly FileJob[], { linear, type, show, filter }: Flags): void {
  const wide = type !== undefined && type !== "u8" && type !== "u16";
  const floats = type === "f32" && jobs.every(({ format }) => !format || formatNamed(format).types.includes("f32"));
  if (linear && wide && !floats) throw new UsageError(`--type: expected u8 or u16 with --linear, got ${type}`);
  if (show === undefined || wide || (type === undefined && signed)) return;
  const expected = "filters with a signed result, such as sobel-x, or --type f32";
  throw new UsageError(
    `--show: expected ${expected}, got ${type === undefined ? filter.join(", ") : `--type ${type}`}`,
  );
}

/** All that is to be done, with what the flags have become. */
interface Task extends Setup {
  steps: Steps;
  inputs: readonly Input[];
  jobs: readonly FileJob[];
  signal: AbortSignal;
  run: RunBatch;
}

const bytesIn = ({ data: { buffer, byteOffset, byteLength } }: Image): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength); // biome-ignore format: a line

async function runJobs(engine: Engine, { steps, filters, inputs, jobs, flags, signal, run }: Task): Promise<void> {
  const { json, quiet, mask, threads = 1, filter } = flags;
  const notes = new Map<string, number>();
  const printer = jsonPrinter(() => ({ version: 1, filters: filter, engine: aboutEngine(engine) }), "pictures");
  const options =
    JSON.stringify(filters.map((one) => one.filter)) + optionsOf({ ...flags, filter: undefined, mask: undefined });
  await run<FileJob, FileReport>({
    ...{ jobs, inputs, what: "pictures", flags, signal },
    recipe: async () => hashOf("filter", version, options, ...(mask ? [`${mask.width}`, bytesIn(mask)] : [])),
    setup: jobs.some(({ input }) => input === "-") ? undefined : { kind: "filter", flags: { filters, flags: { ...flags, threads } satisfies Read }, memory: 0 }, // biome-ignore format: a line
    perform: (job, control) => filterPicture(engine, steps, job, flags, control),
    async report(report, job, each) {
      if (json) return printer.add(report, each);
      for (const note of report.notes) notes.set(note, (notes.get(note) ?? 0) + 1);
      if (!each || quiet) return;
      process.stderr.write(`${summaryOf(report)}\n`);
      for (const note of report.notes) say(`${sourceName(job.input)}: ${note}`);
      notes.clear();
    },
    async finish(failures) {
      for (const [note, count] of quiet ? [] : notes) say(`${note} (${plural(count, "picture")})`);
      if (json) await printer.finish({ failures });
    },
  });
}

function summaryOf({ output, width, height, channels, type, pages, plans, milliseconds: times }: FileReport): string {
  const spent = Object.entries(times).map(([what, ms]) => `${what} ${milliseconds(ms)}`);
  const solvers = [...new Set(plans.map(({ solver }) => solver))].join(", ");
  const count = pages > 1 ? `${pages} of ` : "";
  return `${output}  ${count}${width} × ${height} × ${channels} ${type}  ${solvers}  ${spent.join(", ")}`;
}

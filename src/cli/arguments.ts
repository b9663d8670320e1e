// Parses the command line's arguments: filters, numbers, sizes. Holds the errors of wrong usage, and those that name the
// new spelling of an old option.
import { type Command, InvalidArgumentError as CommanderError, Option } from "commander";
import { type Extent, type Filter, LimitError, type NanPolicy, Rank1Error, type Region } from "../index.ts";
import type { RawSpec } from "../node/arrays.ts";
import { readStdin } from "../node/files.ts";
import type { StepOptions } from "../node/filter-steps.ts";
import { pictureTypes } from "../node/formats.ts";
import { bytesAt } from "../node/stores.ts";
import { rare } from "./help.ts";

/** The command line is wrong: exit code 2. Everything else that fails gives 1. */
export class UsageError extends Error {}

/** Of several inputs some failed, and the others are done: exit code 3. */
export class SomeInputsFailed extends Error {}

/** Throws if some or all of a command's `count` inputs have failed. */
export function checkFailures(failed: number, count: number, what: string): void {
  if (failed === 0) return;
  const message = `${failed} of ${count} ${what} failed`;
  throw failed < count ? new SomeInputsFailed(message) : new Error(message);
}

/** Runs a check of what the user wrote; what it throws is a usage error. `raise` is the option that raises a limit. */
export async function usage<T>(check: () => T | Promise<T>, raise?: string): Promise<T> {
  try {
    return await check();
  } catch (error) {
    throw error instanceof Rank1Error && !isOfTheSystem(error)
      ? new UsageError(withOption(error, raise).message, { cause: error })
      : error;
  }
}

/** Whether the system said it: a full disk is no wrong usage. */
const isOfTheSystem = ({ cause }: Error): boolean =>
  (cause as NodeJS.ErrnoException | undefined)?.syscall !== undefined;

/** An error whose hint names the option of the command line in place of the library's. */
export function withOption(error: Error, raise: string | undefined): Error {
  if (!(error instanceof LimitError)) return error;
  const message = error.message.replace(/; raise it with .*$/, raise ? `; raise it with ${raise}` : "");
  return new Error(message, { cause: error });
}

/** The bytes of a file, of an object in a store, or of the standard input where the name is `-`. */
export const readSource = (file: string, signal?: AbortSignal): Promise<Uint8Array> =>
  file === "-" ? readStdin(signal) : bytesAt(file, signal);

/** The name of a source in messages. */
export const sourceName = (file: string): string => (file === "-" ? "the standard input" : file);

/** Whether a filter is read from a file of that name. */
export const isFilterFile = (text: string): boolean => !isLiteral(text) && /\.json$/i.test(text);

/**
 * A filter as the command line gives it: a name with parameters, a literal such as `[[1, 2, 1]]`, a JSON file, or `-`
 * for JSON on the standard input. Only the form is checked here: names and numbers are by what takes the filter.
 */
export async function parseFilter(text: string): Promise<Filter> {
  if (isLiteral(text)) return parseJson(text, text);
  if (text !== "-" && !isFilterFile(text)) return text;
  return parseJson(new TextDecoder().decode(await readSource(text)), sourceName(text));
}

const isLiteral = (text: string): boolean => /^\s*[[{]/.test(text);

function parseJson(json: string, source: string): Filter {
  const fail = (why: string): never => {
    const shown = source.length > 60 ? `${source.slice(0, 57)}...` : source;
    throw new UsageError(
      `filter: expected JSON such as [[1, 2, 1]] or {"column": [...], "row": [...]}, got ${shown} (${why})`,
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return fail((error as Error).message);
  }
  return typeof value === "object" && value !== null ? (value as Filter) : fail("neither an array nor an object");
}

/** A finite number. */
export function parseNumber(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new CommanderError("Expected a number.");
}

/** An integer of at least 1; 1e9 and the like are fine. */
export function parseCount(text: string): number {
  const value = parseNumber(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new CommanderError("Expected an integer of at least 1.");
}

/** "500M", "2G", "1e9": bytes, at least a megabyte. */
export function parseBytes(text: string): number {
  const [, digits = "", unit = ""] = /^(.*?)([kMGT]?)i?B?$/i.exec(text.trim()) ?? [];
  const value = Number(digits) * 1000 ** " kmgt".indexOf(unit.toLowerCase() || " ");
  if (digits !== "" && value >= 2 ** 20) return Math.round(value);
  throw new CommanderError("Expected bytes such as 500M or 2G, at least 2M.");
}

/** The numbers between separators; none where one of them is malformed, so that the message says the whole form. */
function partsOf(text: string, separator: string, parse: (part: string) => number): number[] {
  try {
    return text.split(separator).map(parse);
  } catch {
    return [];
  }
}

/** "2,1": x, then y. */
function parsePoint(text: string): [number, number] {
  const parts = partsOf(text, ",", parseNumber);
  if (parts.length === 2) return parts as [number, number];
  throw new CommanderError("Expected x,y such as 1,1.");
}

/** "10,20,300,200": x, y, width and height. */
function parseRegion(text: string): Region {
  const [x, y, width, height, ...more] = partsOf(text, ",", parseNumber);
  if (height !== undefined && more.length === 0) return { x: x!, y: y!, width: width!, height };
  throw new CommanderError("Expected x,y,width,height such as 10,20,300,200.");
}

/** "1920x1080" */
export function parseSides(text: string): { width: number; height: number } {
  const [width, height, ...rest] = partsOf(text, "x", parseCount);
  if (width && height && rest.length === 0) return { width, height };
  throw new CommanderError("Expected WIDTHxHEIGHT.");
}

/** "1920x1080" or "1920x1080x3". */
export function parseSize(text: string): { width: number; height: number; channels: number } {
  const [width, height, channels = 3, ...rest] = partsOf(text, "x", parseCount);
  if (width && height && channels <= 4 && rest.length === 0) return { width, height, channels };
  throw new CommanderError("Expected WIDTHxHEIGHT or WIDTHxHEIGHTxCHANNELS with 1 to 4 channels.");
}

/** "640x480x3:u8": raw pixels; of one channel and of bytes, where nothing else is said. */
export function parseRaw(text: string): RawSpec {
  const [sides = "", dtype = "u8", ...more] = text.split(":");
  const [width, height, channels = 1, ...others] = partsOf(sides, "x", parseCount);
  const type = pictureTypes.find((one) => one === dtype);
  if (width && height && type && others.length + more.length === 0) return { width, height, channels, dtype: type };
  throw new CommanderError(`Expected WIDTHxHEIGHTxCHANNELS:TYPE, the type one of ${pictureTypes.join(", ")}.`);
}

/** An integer from 1 to 100. */
export function parseQuality(text: string): number {
  const value = parseNumber(text);
  if (Number.isInteger(value) && value >= 1 && value <= 100) return value;
  throw new CommanderError("Expected an integer from 1 to 100.");
}

/** The options that say how a filter is applied. */
export interface FilterFlags extends Omit<StepOptions, "mask"> {
  /** A picture's name. */
  mask?: string;
  maxFilterSide?: number;
}

const nanPolicies: readonly NanPolicy[] = ["propagate", "ignore"];

/** Adds those options to a command. */
export function addFilterOptions(command: Command): Command {
  return command
    .option("--border <name>", "beyond the edges: reflect (default), symmetric, edge, wrap or constant")
    .addOption(
      new Option("--type <type>", "element type of the result (default: the picture's; of derivatives a signed one)")
        .choices(pictureTypes), // biome-ignore format: a line
    )
    .option("--tolerance <number>", "largest relative error of the taps, for cheaper plans (default: 0)", parseNumber)
    .addOption(
      rare("--region <x,y,w,h>", "give this part, filtered as if the whole were (default: all)").argParser(parseRegion),
    )
    .addOption(
      rare("--extent <name>", "pixels that get a result: same (default), valid (windows inside), full").choices([
        "same",
        "valid",
        "full",
      ] satisfies Extent[]),
    )
    .addOption(rare("--border-value <number>", "the value of a constant border (default: 0)").argParser(parseNumber))
    .addOption(
      rare("--anchor <x,y>", "the filter's own point that lies on the pixel (default: its middle)").argParser(
        parsePoint,
      ),
    )
    .addOption(rare("--gain <number>", "the result is gain · sum + offset (default: 1)").argParser(parseNumber))
    .addOption(rare("--offset <number>", "(default: 0)").argParser(parseNumber))
    .addOption(rare("--flip", "turn the filter by 180°: mathematical convolution instead of correlation"))
    .addOption(
      rare("--alpha <mode>", "what becomes of an alpha channel (default: premultiply)").choices([
        "premultiply",
        "keep",
        "none",
      ]),
    )
    .option("--mask <file>", "how well each pixel is known, a picture (black to white) or .npy array (0 to 1)")
    .addOption(
      rare("--nan <policy>", "of float pictures: NaN spread (default), or count as unknown").choices(nanPolicies),
    )
    .addOption(
      rare("--fill <number>", "the result where nothing is known (default: 0, of float pictures NaN)").argParser(
        parseNumber,
      ),
    )
    .addOption(rare("--strategy <solver>", "take this solver's plan instead of the cheapest (see --explain)"))
    .addOption(rare("--max-filter-side <pixels>", "largest side of a filter (default: 2049)").argParser(parseCount));
}

/** "--threads", of commands that compute. */
export const threadsOption = (): Option =>
  rare("--threads <count>", "threads that work (default: what the machine has)").argParser(parseCount);

/** By command: options that are gone, and what says the same now. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  filter: { "--out-dir": "-o FOLDER/" },
  run: { "--image": "files after the model: rank1 run MODEL PICTURE", "--profile": "--timings" },
  bench: { "--profile": "--save-profile", "--calibrate": "--learn" },
  demo: { "--out-dir": "-o FOLDER/" },
  layer: { "--depth-multiplier": "--multiplier", "--layer": "its first argument: rank1 layer 12x12x3" },
};

/** Throws for a command line that an earlier version took. */
export function checkRenamed(args: readonly string[]): void {
  const [command, ...rest] = args;
  if (command === "explain") throw new UsageError(`explain: is an option now: ${withoutExplain(rest)}`);
  const known = renamed[command ?? ""] ?? {};
  for (const arg of rest) {
    if (arg === "--") return;
    const [option] = arg.split("=", 1) as [string];
    if (Object.hasOwn(known, option)) throw new UsageError(`${option}: is spelt ${known[option]} now`);
  }
}

/** The command that replaces a former `rank1 explain`. */
function withoutExplain(args: readonly string[]): string {
  if (args.some((arg) => arg.split("=")[0] === "--layer")) return "rank1 layer 12x12x3 --kernel 5x5 --out 256";
  const [first] = args.filter((arg) => !arg.startsWith("-"));
  if (first?.toLowerCase().endsWith(".onnx")) return `rank1 run ${first} --explain`;
  return `rank1 filter -f ${first ?? "FILTER"} --explain`;
}

/** `--output` once was the result's element type. */
export function checkOutputName(output: string | undefined): void {
  if (output === undefined || !(pictureTypes as readonly string[]).includes(output)) return;
  throw new UsageError(`--output: expected where the result goes, got ${output}; an element type is --type ${output}`);
}

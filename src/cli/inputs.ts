// The inputs of commands that take many: names, patterns, folders and lists, in folders or in stores; and which part of them is
// this process's own (--shard).
import { glob } from "node:fs/promises";
import { extname, isAbsolute, join, matchesGlob, relative, resolve, sep } from "node:path";
import { type Command, InvalidArgumentError as CommanderError, Option } from "commander";
import type { Entry } from "../node/store.ts";
import { below, folderOf, hashOf, isAddress, leadsToFile, storeOf } from "../node/stores.ts";
import { plural } from "../words.ts";
import { readSource, UsageError } from "./arguments.ts";
import { isFolderName } from "./output.ts";
import { parseShard, type Shard } from "./shard.ts";
import { say } from "./text.ts";

/** Flags that say which inputs there are. */
export interface InputsFlags {
  list?: string;
  root?: string;
  shard?: Shard;
  output?: string;
  quiet?: boolean;
}

/** An input, by where it lies and by what it is called below the folder of all. */
export interface Input extends Entry {
  name: string;
}

/** Adds those options. */
export function addInputs(command: Command): Command {
  return command
    .option("--list <file>", "read names of inputs from there, one a line; {shard} in its name is the number of the part")
    .addOption(new Option("--root <folder>", "what results' names leave out of their inputs' (default: the folder of all)").hideHelp()) // biome-ignore format: a line
    .option("--shard <k/n>", "take one of n parts, from 1; auto/n: by the variables of a cluster's job", parse);
}

function parse(text: string): Shard {
  try {
    return parseShard(text, process.env);
  } catch (error) {
    throw error instanceof UsageError ? error : new CommanderError((error as Error).message);
  }
}

const wild = /[*?[\]{}]/;

/** Where the names of what a pattern finds begin. */
function baseOf(pattern: string): string {
  const folder = folderOf(pattern);
  return wild.test(folder) ? baseOf(folder) : folder;
}

/** What one argument stands for. */
interface Source {
  /** The folder in which its files lie, at least. */
  base: string;
  files: Entry[] | AsyncIterable<Entry>;
}

/**
 * The inputs that arguments and a list stand for, in their order and those of a pattern or folder by name; each of them once, and
 * of a shard its own alone. `endings` are those of files in folders; how many others there are is said on a line.
 *
 * @throws UsageError for patterns and folders without files, and names that lead out of the root.
 */
export async function findInputs(
  args: readonly string[],
  flags: InputsFlags,
  endings: readonly string[],
  signal: AbortSignal,
): Promise<Input[]> {
  const sources: Source[] = [];
  const { list: lists, root: given, shard, output } = flags;
  const list = listOf(flags);
  // A list of its own is the part that it takes.
  const part = list === lists ? shard : undefined;
  const others: string[] = [];
  const leaveOut = (path: string): void => {
    if (output === undefined || !isBelow(output, path)) others.push(extname(path).toLowerCase());
  };
  for (const arg of args) sources.push(await sourceOf(arg, { endings, leaveOut, signal }));
  if (list !== undefined) sources.push(await listed(list, list !== lists, signal));
  const root = given ?? commonFolder(sources.map(({ base }) => base));
  const all: Input[] = [];
  const seen = new Set<string>();
  for (const { files } of sources) {
    // What was named twice is refused later; what two patterns find is one input.
    const isNamed = Array.isArray(files);
    const own: Input[] = [];
    for await (const entry of files) {
      const name = entry.path === "-" ? "-" : nameBelow(root, entry.path);
      if (part && partOf(name, part.count) !== part.index) continue;
      if (!isNamed && (seen.has(entry.path) || (output !== undefined && isBelow(output, entry.path)))) continue;
      own.push({ ...entry, name });
    }
    if (!isNamed) own.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const input of own) {
      all.push(input);
      seen.add(input.path);
    }
  }
  if (others.length > 0 && !flags.quiet) say(leftOut(others));
  return all;
}

/** Says how many files of folders are no inputs, by endings, the most frequent first. */
function leftOut(endings: readonly string[]): string {
  const counts = Object.entries(Object.groupBy(endings, (ending) => ending || "none"))
    .map(([ending, { length } = []]) => [length, ending] as const)
    .sort(([a], [b]) => b - a);
  const named = counts.slice(0, 5).map(([count, ending]) => `${count} ${ending}`).join(", "); // biome-ignore format: a line
  return `${plural(endings.length, "file")} of folders left out for other endings: ${named}${counts.length > 5 ? ", …" : ""}`;
}

/** The list of this part. */
export const listOf = ({ list, shard }: InputsFlags): string | undefined => list && withShard("--list", list, shard);

/** A name with the number of the part for {shard}. */
export const withShard = (option: string, name: string, shard: Shard | undefined): string =>
  name.replaceAll("{shard}", () => {
    if (shard) return `${shard.index}`;
    throw new UsageError(`${option}: expected --shard, whose number stands for {shard}, got none`);
  });

/** The part, from 1, that a name belongs to, whatever other names there are. */
export const partOf = (name: string, count: number): number =>
  1 + (Number.parseInt(hashOf(name.replaceAll("\\", "/")).slice(0, 12), 16) % count);

/** What folders are searched for, and what is told of the rest. */
interface Search {
  endings: readonly string[];
  leaveOut(path: string): void;
  signal: AbortSignal;
}

async function sourceOf(arg: string, { endings, leaveOut, signal }: Search): Promise<Source> {
  if (/\.(txt|lst)$/i.test(arg))
    throw new UsageError(`${arg}: expected an input, got a list by its name; --list ${arg} reads it`);
  if (arg === "-") return { base: ".", files: [{ path: arg }] };
  const store = await storeOf(arg);
  if (await isFolderName(arg)) {
    const hasEnding = ({ path }: Entry): boolean => {
      const fits = endings.some((ending) => path.toLowerCase().endsWith(ending));
      if (!fits && !path.endsWith("/")) leaveOut(path);
      return fits;
    };
    return { base: arg, files: some(arg, only(store.list(arg, signal), hasEnding), `files in it that end in ${endings.join(", ")}`) }; // biome-ignore format: a line
  }
  // Names without endings are folders, most likely.
  const isFolderLike = !isAddress(arg) && !wild.test(arg) && extname(arg) === "";
  if (isFolderLike && !(await store.stat(arg)))
    throw new UsageError(`${arg}: expected a file or folder, got a name that does not exist`);
  if (!wild.test(arg) || (!isAddress(arg) && (await store.stat(arg))))
    return { base: folderOf(arg), files: [{ path: arg }] };
  const base = baseOf(arg);
  const pattern = inAnyCase(arg);
  const matches = isAddress(arg) ? only(store.list(`${base}/`, signal), ({ path }) => matchesGlob(path, pattern)) : globbed(pattern, base, signal); // biome-ignore format: a line
  return { base, files: some(arg, matches, "a pattern that fits some files") };
}

/** A pattern whose endings, as in folders, fit in small letters and capitals: cameras write IMG_1.JPG. */
const inAnyCase = (pattern: string): string =>
  pattern.replace(/\.(\{[\w,]+\}|\w+)(?=[,}]|$)/g, (ending) =>
    ending.replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`),
  );

async function* only(entries: AsyncIterable<Entry>, fits: (entry: Entry) => boolean): AsyncGenerator<Entry> {
  for await (const entry of entries) if (fits(entry)) yield entry;
}

/** Files alone, and none whose name, or a folder's on the way, begins with a dot. */
async function* globbed(pattern: string, base: string, signal: AbortSignal): AsyncGenerator<Entry> {
  for await (const entry of glob(pattern, { withFileTypes: true })) {
    signal.throwIfAborted();
    const path = join(entry.parentPath, entry.name);
    const hidden = relative(base, path).split(sep).some((part) => part.startsWith(".")); // biome-ignore format: a line
    if (hidden || entry.isDirectory() || (entry.isSymbolicLink() && !(await leadsToFile(path)))) continue;
    yield { path: isAbsolute(pattern) ? path : relative("", path) };
  }
}

/** The same, which must be some. */
async function* some(arg: string, entries: AsyncIterable<Entry>, expected: string): AsyncGenerator<Entry> {
  let none = true;
  for await (const entry of entries) {
    none = false;
    yield entry;
  }
  if (none) throw new UsageError(`${arg}: expected ${expected}, got none`);
}

/** Names of a list. Where results lie must not depend on what else a list holds, as each shard may have its own. */
async function listed(list: string, isPart: boolean, signal: AbortSignal): Promise<Source> {
  const text = new TextDecoder().decode(await readSource(list, signal));
  const names = text.split(/\r?\n/).filter((name) => name.trim() !== "");
  const [first] = names;
  if (first === undefined && isPart) return { base: ".", files: [] };
  if (first === undefined) throw new UsageError(`--list: expected names of files, got none in ${list}`);
  const base = isAddress(first) ? first.split("/", 3).join("/") : isAbsolute(first) ? resolve("/") : ".";
  return { base, files: names.map((path) => ({ path })) };
}

/** The folder in which all of some folders lie. */
function commonFolder(folders: readonly string[]): string {
  const addresses = folders.filter(isAddress);
  if (addresses.length > 0 && addresses.length < folders.length)
    throw new UsageError(
      "inputs: expected all of them in one place, got files and addresses; --root says what is left out",
    );
  const parts = folders.map((folder) =>
    isAddress(folder) ? folder.replace(/\/+$/, "").split("/") : resolve(folder).split(sep),
  );
  const [first = ["."], ...others] = parts;
  const length = first.findIndex((part, i) => others.some((other) => other[i] !== part));
  const common = length < 0 ? first.slice(0, Math.min(...parts.map((part) => part.length))) : first.slice(0, length);
  return addresses.length > 0 ? common.join("/") : common.join(sep) || resolve("/");
}

function isBelow(folder: string, path: string): boolean {
  if (isAddress(folder) || isAddress(path)) return path.startsWith(`${folder.replace(/\/+$/, "")}/`);
  const way = relative(folder, path);
  return way !== "" && !isAbsolute(way) && way.split(sep)[0] !== "..";
}

/** The name of a path below a root. Keys of a store may have any form: none leads out of a folder of results. */
function nameBelow(root: string, path: string): string {
  const name = isAddress(root) ? path.slice(below(root, "").length) : relative(root, path);
  if (isAddress(root) === isAddress(path) && isBelow(root, path) && !name.split(/[/\\]/).includes("..")) return name;
  throw new UsageError(
    `${path}: expected an input below ${root || "/"}, got one elsewhere; --root names another folder`,
  );
}

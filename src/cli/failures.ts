// The file of --failures: it is checked before any work that it can be written, that it is none of the files that a command reads
// or writes, and that what is there already is such a list; no other file is removed.
import { constants, createReadStream, fstatSync } from "node:fs";
import { access, open, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { createInterface } from "node:readline/promises";
import { atOnce, checkNewFile, identitiesOf, isFolder } from "../node/files.ts";
import { below, bytesAt, isAddress, storeOf } from "../node/stores.ts";
import { wisdomFile } from "../node/wisdom.ts";
import { UsageError } from "./arguments.ts";
import { withShard } from "./inputs.ts";
import type { Shard } from "./shard.ts";

/** A failed input. */
export interface Failure {
  input: string;
  message: string;
}

export const failureLine = ({ input, message }: Failure): string => JSON.stringify({ input, message });

/** What a command reads and writes; "-" and addresses may be among them. */
export interface Uses {
  /** The folder of results. */
  folder: string;
  read: readonly (string | undefined)[];
  /** Where some files are read. */
  readFolder?: string;
  written: readonly string[];
  /** Whether a name below the folder of results may be that of a result, where not all are known. */
  isResult?: (name: string) => boolean;
  force?: boolean;
}

const wrong = (expected: string, received: string): never => {
  throw new UsageError(`--failures: expected ${expected}, got ${received}`);
};

/**
 * Where a command's list of failures goes; {shard} is the number of its part.
 *
 * @throws UsageError for several parts and one name: each would remove the others' list.
 */
export async function failuresOf({
  failures,
  shard,
}: {
  failures?: string;
  shard?: Shard;
}): Promise<string | undefined> {
  if (failures === undefined) return undefined;
  const name = withShard("--failures", failures, shard);
  const parts = shard?.count ?? 1;
  const isDevice = (await stat(name).catch(() => undefined))?.isFile() === false;
  if (parts > 1 && name === failures && !isDevice)
    wrong(`a name of its own for each of ${parts} parts, such as failures-{shard}.jsonl`, failures);
  return name;
}

const endsInSlash = (path: string): boolean => path.endsWith("/") || path.endsWith(sep);

/** Checks that a list can be written there, as far as that shows before. */
export async function checkFailuresPlace(file: string): Promise<void> {
  if (file === "-" || file === "") wrong("a file, such as failures.jsonl", file === "-" ? "-" : "none");
  if (endsInSlash(file)) wrong("the name of a file", `the folder ${file}`);
  if (isAddress(file)) return;
  try {
    await checkNewFile(file, { force: true });
  } catch (error) {
    throw new UsageError(`--failures ${(error as Error).message}`, { cause: error });
  }
  const place = await placeOf(file);
  const found = await stat(place).catch(() => undefined);
  if (found && !found.isFile()) return;
  let folder = dirname(place);
  while (!(await isFolder(folder))) folder = dirname(folder);
  for (const path of found ? [place, folder] : [folder])
    await access(path, constants.W_OK).catch(() => wrong("a file that can be written", `${file} without permission`));
}

/**
 * Checks that a list may be written there, and may take the place of what is there; writes nothing.
 *
 * @throws UsageError for a file that is read or written otherwise, whether there is --force or not, and without it for one that is
 * no list of failures.
 */
export async function checkFailuresFile(file: string | undefined, uses: Uses): Promise<void> {
  if (file === undefined) return;
  const journals = below(uses.folder, ".rank1/journal-");
  const read = uses.read.filter((path) => path !== undefined && path !== "-" && path !== "") as string[];
  const written = [...uses.written, `${journals}1-of-1.jsonl`, wisdomFile()].filter((path) => path !== "-");
  if (isAddress(file)) {
    if (read.includes(file)) taken(file, "read");
    const isResult = file.startsWith(below(uses.folder, "")) && uses.isResult?.(file);
    if (written.includes(file) || file.startsWith(journals) || isResult) taken(file, "written");
  } else await checkPaths(file, { ...uses, read, written });
  const rest = await otherContent(file);
  if (!rest) return;
  const place = isAddress(file) ? file : await placeOf(file);
  if (uses.readFolder !== undefined && isBelow(await placeOf(uses.readFolder), place)) taken(file, "read");
  if (!uses.force) wrong("a new file, or a list of failures", `${file}, which is another file; --force replaces it`);
}

const taken = (file: string, how: string): never => wrong("a file of its own", `${file}, which is ${how} otherwise`);

async function checkPaths(file: string, { folder, isResult, ...uses }: Uses): Promise<void> {
  const mine = await placeOf(file);
  const folders = new Map<string, Promise<string>>();
  const placeIn = (path: string): Promise<string> => {
    const parent = dirname(path);
    if (!folders.has(parent)) folders.set(parent, placeOf(parent));
    return folders.get(parent)!;
  };
  const found = await stat(mine).catch(() => undefined);
  const streams = found?.isFile() ? [1, 2].map((stream) => fstatSync(stream)) : [];
  if (streams.some(({ dev, ino }) => dev === found!.dev && ino === found!.ino)) taken(file, "written");
  for (const how of ["read", "written"] as const) {
    const paths = (uses[how] as string[]).filter((path) => !isAddress(path));
    await atOnce(paths, async (path) => {
      const place = join(await placeIn(path), basename(path));
      if (place === mine || isBelow(place, mine) || (how === "written" && isBelow(mine, place))) taken(file, how);
    });
    if (found && (await identitiesOf(paths)).has(`${found.dev}:${found.ino}`)) taken(file, how);
  }
  if (isAddress(folder)) return;
  const results = await placeOf(folder);
  if (!isBelow(results, mine)) return;
  const name = mine.slice(results.length + 1);
  if (isResult?.(name) || name.startsWith(join(".rank1", "journal-"))) taken(file, "written");
}

const isBelow = (folder: string, path: string): boolean => path.startsWith(endsInSlash(folder) ? folder : folder + sep);

/** Where a path leads, through all links, whether anything is there or not. */
export async function placeOf(path: string): Promise<string> {
  if (isAddress(path)) return path;
  try {
    return await realpath(path);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (dirname(path) === path) return path;
    if (code === "ELOOP") return join(await placeOf(dirname(path)), basename(path));
  }
  const folder = await placeOf(dirname(path));
  const next = await readlink(path).catch(() => undefined);
  return next === undefined ? join(folder, basename(path)) : placeOf(resolve(folder, next));
}

/** Whether something is there that is no list of failures. Devices and pipes hold nothing. */
export async function otherContent(file: string): Promise<boolean> {
  if (isAddress(file)) {
    if (!(await (await storeOf(file)).stat(file))) return false;
    return !(await areFailures(new TextDecoder().decode(await bytesAt(file)).split("\n")));
  }
  if (!(await stat(file).catch(() => undefined))?.isFile()) return false;
  const handle = await open(file);
  try {
    const start = await handle.read(Buffer.alloc(10), 0, 10, 0);
    if (start.bytesRead === 0) return false;
    if (start.buffer.toString("latin1") !== '{"input":"') return true;
  } finally {
    await handle.close();
  }
  return !(await areFailures(createInterface({ input: createReadStream(file) })));
}

/** The last line may be cut off where a process has ended. */
async function areFailures(lines: Iterable<string> | AsyncIterable<string>): Promise<boolean> {
  let count = 0;
  let cut: string | undefined;
  for await (const line of lines) {
    if (cut !== undefined) return false;
    if (isFailure(line)) count++;
    else if (line !== "") cut = line;
  }
  const start = '{"input":"';
  return cut === undefined || (count > 0 && !cut.endsWith("}") && cut.slice(0, start.length) === start.slice(0, cut.length)); // biome-ignore format: a line
}

function isFailure(line: string): boolean {
  try {
    const { input, message } = JSON.parse(line);
    return typeof input === "string" && typeof message === "string" && failureLine({ input, message }) === line;
  } catch {
    return false;
  }
}

// File input and output. Checks come before work begins, writes go to a temporary name beside the target that is then
// renamed, and `-` stands for the standard streams. Settings are JSON objects with a version.
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, readlink, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import { buffer } from "node:stream/consumers";
import { checkOneOf, describe, InvalidArgumentError, Rank1Error } from "../errors.ts";

/** What the names of this process's temporary files have in common, and no other process's. */
export const ownTag: string = randomUUID().slice(0, 8);

/** Temporary files that exist now: whatever ends the process by `process.exit` takes them along. */
const temporaries = new Set<string>();

function removeTemporaries(): void {
  for (const path of temporaries) rmSync(path, { force: true });
}

/** Bytes of a file's name that the name of its temporary file holds: systems take 255, of which other parts need some. */
const bytesOfOwn = 100;

/** A name beside a file for one that goes when the process exits, unless it is forgotten before. */
export function temporaryBeside(path: string, ending = ""): string {
  // What is such a name itself is of the same file.
  const own = basename(path).replace(/^\.(.+)\.[0-9a-f]{8}-[0-9a-f]{8}\.tmp$/, "$1");
  const name = `.${beginning(own)}.${ownTag}-${randomUUID().slice(0, 8)}.tmp${ending}`;
  if (temporaries.size === 0) process.once("exit", removeTemporaries);
  const temporary = join(dirname(path), name);
  temporaries.add(temporary);
  return temporary;
}

/** As many characters as fit: a character may be several bytes. */
function beginning(name: string): string {
  let [kept, bytes] = ["", 0];
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > bytesOfOwn) break;
    kept += character;
  }
  return kept;
}

export function forgetTemporary(temporary: string): void {
  temporaries.delete(temporary);
  if (temporaries.size === 0) process.off("exit", removeTemporaries);
}

/** What the system's error codes mean to a reader; anything else is passed on in its own words. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "a name that does not exist",
  EISDIR: "a folder",
  ENOTDIR: "a path through something that is not a folder",
  EACCES: "one without permission",
  EPERM: "one without permission",
  EROFS: "one on a read-only disk",
  ENOSPC: "a full disk",
  ELOOP: "a circle of links",
  ENAMETOOLONG: "a name that is too long",
};

function fileError(path: string, expected: string, cause: unknown): InvalidArgumentError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new InvalidArgumentError({ parameter: path, expected, received: reasons[code ?? ""] ?? message, cause });
}

async function statIfExists(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError(path, "a usable path", error);
  }
}

/** The bytes of a file. Throws {@link InvalidArgumentError} that names it when it cannot be read. */
export async function readBytes(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return await readFile(path, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw fileError(path, "a readable file", error);
  }
}

/** Files by what the system knows them by, whatever their names. */
export type Identities = ReadonlyMap<string, string>;

const identityOf = ({ dev, ino }: { dev: number; ino: number }): string => `${dev}:${ino}`;

/** What files are known by; those that cannot be reached are left out: to read them fails. */
export async function identitiesOf(paths: readonly string[]): Promise<Identities> {
  const found = new Map<string, string>();
  await atOnce(paths, async (path) => {
    const status = await stat(path).catch(() => undefined);
    if (status) found.set(identityOf(status), path);
  });
  return found;
}

/** Calls `work` for each value, for some at once. */
export async function atOnce<T>(values: readonly T[], work: (value: T) => Promise<void>, most = 32): Promise<void> {
  const rest = values.values();
  const one = async (): Promise<void> => {
    for (const value of rest) await work(value);
  };
  await Promise.all(Array.from({ length: Math.min(most, values.length) }, one));
}

/**
 * Checks that a file may be written at `path`: its folder exists, it is not itself a folder, and it is none of `inputs`
 * (also not through a symbolic or hard link). Throws {@link InvalidArgumentError}; writes nothing.
 */
export async function checkOutput(path: string, inputs: readonly string[] | Identities = []): Promise<void> {
  await checkFolder(dirname(path), path);
  const target = await statIfExists(path);
  if (target?.isDirectory())
    throw new InvalidArgumentError({ parameter: path, expected: "the name of a file", received: "a folder" });
  if (!target) return;
  const known = Array.isArray(inputs) ? await identitiesOf(inputs) : (inputs as Identities);
  const input = known.get(identityOf(target));
  if (input === undefined) return;
  const [expected, received] = ["an output that is not one of the inputs", `the same file as ${input}`];
  throw new InvalidArgumentError({ parameter: path, expected, received });
}

/** Conditions on a file that is to be written. */
export interface NewFileOptions {
  /** Files that are read: none of them is written, by whatever name. */
  inputs?: readonly string[] | Identities;
  /** Files that exist may be replaced. */
  force?: boolean;
  /** What the message about one that exists ends with. */
  hint?: string;
}

/**
 * Checks that a file may be written at `path`, whose folders may be missing: they can be made, it is not a folder, none of
 * the inputs, and does not exist, unless `force` is given or it is a device or pipe. Writes nothing.
 */
export async function checkNewFile(path: string, options: NewFileOptions = {}): Promise<void> {
  const { inputs = [], force = false, hint } = options;
  const [ancestor] = await folderChain(dirname(path));
  if (ancestor !== dirname(path)) return checkFolder(ancestor!, path);
  await checkOutput(path, inputs);
  if (force || !(await statIfExists(path))?.isFile()) return;
  throw new InvalidArgumentError({ parameter: path, expected: "a name that is free", received: "a file", hint });
}

/** Whether nothing is at a path, or a file as there are files on disks. */
export const isPlainOrFree = async (path: string): Promise<boolean> => (await statIfExists(path))?.isFile() ?? true;

/** Makes the folders that lead to a file. */
export async function makeFoldersFor(path: string): Promise<void> {
  // Level by level: a recursive mkdir never ends where the system does not tell what is wrong, as in /proc.
  const [, ...missing] = await folderChain(dirname(path));
  for (const folder of missing) {
    try {
      await mkdir(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw fileError(folder, "a folder that can be made", error);
    }
  }
}

/** The nearest folder that exists, and those below it that lead to `folder` and do not. */
async function folderChain(folder: string): Promise<string[]> {
  const chain = [folder];
  while (!(await statIfExists(chain[0]!))) {
    const parent = dirname(chain[0]!);
    if (parent === chain[0]) break;
    chain.unshift(parent);
  }
  return chain;
}

/** Whether a path is that of a folder that exists. */
export async function isFolder(path: string): Promise<boolean> {
  return (await statIfExists(path))?.isDirectory() ?? false;
}

/** Checks that `folder` exists and is one. `parameter` is the name that the message begins with. */
export async function checkFolder(folder: string, parameter: string = folder): Promise<void> {
  const found = await statIfExists(folder);
  if (found?.isDirectory()) return;
  const received = found ? `${folder}, which is not a folder` : `${folder}, which does not exist`;
  throw new InvalidArgumentError({ parameter, expected: "an existing folder", received });
}

/**
 * Writes a whole file or nothing: to a temporary name in the same folder, then renamed over the target. A link keeps
 * pointing where it did, an existing file keeps its mode, and a device or pipe is written to directly. On failure, on
 * abort and when the process exits the temporary file is removed.
 */
export const writeAtomic = (path: string, data: string | Uint8Array, signal?: AbortSignal): Promise<void> =>
  createAtomic(path, (to, flag) => writeFile(to, data, { signal, flag }), signal);

/** {@link writeAtomic} of what `write` puts into the file whose name it gets. */
export async function createAtomic(
  path: string,
  write: (to: string, flag?: "wx") => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  await checkOutput(path);
  const existing = await statIfExists(path);
  const target = existing ? await realpath(path) : await endOfLink(path);
  const temporary = temporaryBeside(target);
  try {
    if (existing && !existing.isFile()) return await write(target);
    await write(temporary, "wx");
    if (existing) await chmod(temporary, existing.mode);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    signal?.throwIfAborted();
    if (error instanceof Rank1Error && !isOfFullDisk(error)) throw error;
    throw fileError(path, "a file that can be written", error instanceof Rank1Error ? error.cause : error);
  } finally {
    forgetTemporary(temporary);
  }
}

/** Whether libvips says that a disk is full. */
export const isFull = (error: unknown): boolean => /no space left|quota/i.test(String((error as Error)?.message));

const isOfFullDisk = ({ cause }: Error): boolean => (cause as NodeJS.ErrnoException | undefined)?.code === "ENOSPC";

/** That a disk is full, as other errors on files are told. */
export const fullDisk = (path: string, cause: unknown): InvalidArgumentError =>
  fileError(path, "a file that can be written", Object.assign(new Error("", { cause }), { code: "ENOSPC" }));

/** Older than this no temporary file is still being written. */
const hour = 3_600_000;

/** Removes temporary files of {@link writeAtomic} that processes have left in a folder: of the one with this tag, or old ones. */
export async function removeLeft(folder: string, tag?: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const [, whose] = /^\..+\.([0-9a-f]{8})-[0-9a-f]{8}\.tmp(?:\.v|\.png)?$/.exec(name) ?? [];
    if (whose === undefined || (tag !== undefined && whose !== tag)) continue;
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile() && (tag !== undefined || Date.now() - found.mtimeMs > hour))
      await rm(join(folder, name), { force: true });
  }
}

/** Where a link leads to that nothing is at yet; any other path itself. */
async function endOfLink(path: string): Promise<string> {
  const next = await readlink(path).catch(() => undefined);
  if (next === undefined) return path;
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return endOfLink(resolve(folder, next));
}

/** All bytes of the standard input. */
export async function readStdin(signal?: AbortSignal): Promise<Uint8Array> {
  if (signal) addAbortSignal(signal, process.stdin);
  return await buffer(process.stdin);
}

/** Writes to the standard output and waits until the reader has taken it. A reader that has gone is not an error. */
export function writeStdout(data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const ignore = (): void => {}; // the callback below sees the error first; the event must only not be unhandled
    process.stdout.once("error", ignore);
    const done = (error?: Error | null): void => {
      if (!error) process.stdout.off("error", ignore);
      if (error && (error as NodeJS.ErrnoException).code !== "EPIPE") reject(error);
      else resolve();
    };
    // Into a file it is written at once: a full disk throws.
    try {
      process.stdout.write(data, done);
    } catch (error) {
      done(error as Error);
    }
  });
}

/** What such a file holds, without its version; `read` gets its bytes. Throws {@link InvalidArgumentError} that names what is wrong. */
export async function readSettings(path: string, read = readBytes): Promise<Record<string, unknown>> {
  const { version, ...settings } = parse(path, await read(path));
  checkOneOf(`${path} version`, String(version), ["1"]);
  return settings;
}

export async function writeSettings(path: string, settings: object, signal?: AbortSignal): Promise<void> {
  await writeAtomic(path, settingsText(settings), signal);
}

export const settingsText = (settings: object): string =>
  `${JSON.stringify({ version: 1, ...settings }, undefined, 2)}\n`;

function parse(path: string, bytes: Uint8Array): Record<string, unknown> {
  const expected = "an object in JSON";
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new InvalidArgumentError({ parameter: path, expected, received: describe(value) });
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) throw cause;
    throw new InvalidArgumentError({ parameter: path, expected, received: (cause as Error).message, cause });
  }
}

// What is done of many inputs, a line in JSON each, beside the results: --resume reads it. A line is written when its outputs are
// whole and in place; whatever ends the process in between costs that one input's work, which gives the same bytes again.
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { makeFoldersFor, removeLeft } from "../node/files.ts";
import { type Stamp, StopsAll } from "../node/store.ts";
import { below, bytesAt, folderOf, hashOf, hashOfFile, isAddress, storeOf } from "../node/stores.ts";
import { type Failure, failureLine, otherContent, placeOf } from "./failures.ts";
import type { Input } from "./inputs.ts";
import type { Shard } from "./shard.ts";

/** What was read and written for an input. */
export interface Trace {
  input?: Stamp & { hash: string };
  /** Bytes by name below the folder of results. */
  outputs: Record<string, number>;
}

interface Done extends Trace {
  name: string;
  recipe: string;
}

export interface Journal {
  /** What is known of an input: "done", "changed" (its results are those of another input or recipe), or nothing. */
  state(input: Input): Promise<"done" | "changed" | undefined>;
  add(name: string, trace: Trace): Promise<void>;
  fail(failure: Failure): Promise<void>;
  /** Where failures are listed. */
  failures: string;
  close(): Promise<void>;
}

interface Options {
  /** Of the results. */
  folder: string;
  shard: Shard;
  recipe: string;
  /** In place of the usual one. */
  failures?: string;
  /** Those of which results are known, where that is asked. */
  inputs?: readonly Input[];
  signal: AbortSignal;
}

/** Opens the journal of a folder of results, and reads what `inputs` are known from it. */
export async function openJournal(options: Options): Promise<Journal> {
  const { folder, shard, recipe, inputs } = options;
  const suffix = `${shard.index}-of-${shard.count}`;
  const state = await readJournal(options);
  const clean = cleaner(folder);
  const failures = options.failures ?? at(folder, `failures-${suffix}.jsonl`);
  const done = await openDone(folder, recipe, suffix);
  const failed = await replaced(failures);
  return {
    failures,
    async state(input) {
      const found = await state(input);
      if (inputs && found !== "done") await clean(input.name);
      return found;
    },
    add: done.add,
    fail: (failure) => failed.write(failureLine(failure)),
    async close() {
      await done.close();
      await failed.close();
    },
  };
}

const at = (folder: string, name: string): string => below(folder, `.rank1/${name}`);

/** What the journal of a folder of results says of `inputs`; nothing is written. */
export async function readJournal({ folder, shard, recipe, inputs, signal }: Options): Promise<Journal["state"]> {
  const known = inputs ? await readKnown(at(folder, ""), shard, inputs, signal) : new Map<string, string>();
  return async (input) => {
    const line = known.get(input.name);
    known.delete(input.name);
    const record = line === undefined ? undefined : parse(line);
    return record && (await isCurrent(record, recipe, input, folder, signal)) ? "done" : record && "changed";
  };
}

/** Takes what is done with a recipe. `suffix` tells apart what parts, or processes, write at once: "3-of-10", "1-of-1-0123abcd". */
export async function openDone(
  folder: string,
  recipe: string,
  suffix: string,
): Promise<Pick<Journal, "add" | "close">> {
  const path = at(folder, `journal-${suffix}`);
  const lines = isAddress(folder) ? segments(path) : await appended(`${path}.jsonl`);
  return {
    add: (name, trace) => lines.write(JSON.stringify({ name, recipe, ...trace } satisfies Done)),
    close: lines.close,
  };
}

/** Removes, before the first result of each folder, temporary files that nobody writes any more. */
export function cleaner(folder: string): (name: string) => Promise<void> {
  const cleaned = new Set<string>();
  return async (name) => {
    const place = folderOf(below(folder, name));
    if (isAddress(folder) || cleaned.has(place)) return;
    cleaned.add(place);
    await removeLeft(place);
  };
}

/** Whether an input's results are there, and are those of this recipe on what it is now. */
async function isCurrent(
  { input: was, recipe, outputs }: Done,
  wanted: string,
  { path, stamp }: Input,
  folder: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (recipe !== wanted || !was) return false;
  const store = await storeOf(path);
  const is = stamp ?? (await store.stat(path, signal));
  if (is?.size !== was.size) return false;
  if (is.version !== was.version && (await hashAt(path, signal)) !== was.hash) return false;
  if (isAddress(folder)) return true; // a store holds objects whole and for good
  for (const [name, bytes] of Object.entries(outputs)) {
    if ((await (await storeOf(folder)).stat(below(folder, name)))?.size !== bytes) return false;
  }
  return true;
}

const hashAt = async (path: string, signal: AbortSignal): Promise<string> =>
  isAddress(path) ? hashOf(await bytesAt(path, signal)) : hashOfFile(path, signal);

/** The last line of each of these inputs. Where parts were cut otherwise before, those of all parts. */
async function readKnown(folder: string, { index, count }: Shard, inputs: readonly Input[], signal: AbortSignal) {
  const own = new Set(inputs.map(({ name }) => name));
  const known = new Map<string, string>();
  const store = await storeOf(folder);
  const files: string[] = [];
  if (isAddress(folder) || (await isThere(folder))) {
    for await (const { path } of store.list(folder, signal)) {
      const [, k, n] = /[/\\]journal-(\d+)-of-(\d+)(?:-[\w-]+)?\.jsonl$/.exec(path) ?? [];
      if (n !== undefined && (Number(n) !== count || Number(k) === index)) files.push(path);
    }
  }
  for (const path of files.sort()) {
    for await (const line of linesOf(path, signal)) {
      const name = parse(line)?.name;
      if (name !== undefined && own.has(name)) known.set(name, line);
    }
  }
  return known;
}

const isThere = (folder: string): Promise<boolean> =>
  open(folder).then(
    (handle) => handle.close().then(() => true),
    () => false,
  );

async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<string> {
  if (isAddress(path)) yield* new TextDecoder().decode(await bytesAt(path, signal)).split("\n");
  else yield* createInterface({ input: createReadStream(path, { signal }), crlfDelay: Number.POSITIVE_INFINITY });
}

/** A line that was cut off when a process ended is none. */
function parse(line: string): Done | undefined {
  try {
    const { name, recipe, input, outputs } = JSON.parse(line);
    return typeof name === "string" && typeof outputs === "object" ? { name, recipe, input, outputs } : undefined;
  } catch {
    return undefined;
  }
}

/** Takes lines. */
interface Sink {
  write(line: string): Promise<void>;
  close(): Promise<void>;
}

const full = (path: string) => (cause: Error) => {
  throw new StopsAll(`${path}: expected a file that can be written, got ${cause.message}`, { cause });
};

/** Lines at the end of a file. */
async function appended(path: string): Promise<Sink> {
  const file = await makeFoldersFor(path).then(() => open(path, "a+")).catch(full(path)); // biome-ignore format: a line
  // A line that a process has left unfinished ends here.
  const { size } = await file.stat();
  const last = size > 0 ? (await file.read(Buffer.alloc(1), 0, 1, size - 1)).buffer[0] : 10;
  if (last !== 10) await file.appendFile("\n").catch(full(path));
  return inOrder(file, path);
}

function inOrder(file: FileHandle, path: string): Sink {
  let before: Promise<unknown> = Promise.resolve();
  return {
    write(line) {
      const written = before.then(() => file.appendFile(`${line}\n`)).catch(full(path));
      before = written.catch(() => {});
      return written;
    },
    async close() {
      await before;
      await file.close();
    },
  };
}

/** Lines of this run alone: the file is made with the first. An older list goes at once, another file only for a line. */
async function replaced(file: string): Promise<Sink> {
  if (isAddress(file)) return whole(file);
  const found = await stat(file).catch(() => undefined);
  // Devices and pipes stay, and so do links.
  const isDevice = found !== undefined && !found.isFile();
  const path = isDevice ? file : await placeOf(file);
  const remove = async (): Promise<void> => {
    if (!isDevice) await rm(path, { force: true }).catch(full(path));
  };
  if (!(await otherContent(path))) await remove();
  let sink: Promise<Sink> | undefined;
  return {
    write: async (line) => (await (sink ??= remove().then(() => appended(path)))).write(line),
    close: async () => (await sink)?.close(),
  };
}

/** Time between objects of lines, in milliseconds. */
const pause = 10_000;
const mostLines = 1000;

/** Calls `put` with lines that have come, every ten seconds or thousand lines, and at the end. */
function gathered(put: (lines: string[]) => Promise<void>): Sink {
  let lines: string[] = [];
  let putting: Promise<void> = Promise.resolve();
  let failed: Error | undefined;
  const flush = (): Promise<void> => {
    putting = putting.then(async () => {
      const some = lines;
      lines = [];
      if (some.length > 0) await put(some);
    });
    putting.catch((error: Error) => {
      failed = error;
    });
    return putting;
  };
  const timer = setInterval(flush, pause);
  timer.unref();
  return {
    async write(line) {
      if (failed) throw failed;
      lines.push(line);
      if (lines.length >= mostLines) await flush();
    },
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}

/** An object for every some lines: objects cannot be appended to. */
function segments(prefix: string): Sink {
  const start = `${new Date().toISOString().replace(/\D/g, "")}-${randomUUID().slice(0, 8)}`;
  let next = 0;
  return gathered(async (lines) => {
    const path = `${prefix}-${start}-${String(next++).padStart(6, "0")}.jsonl`;
    await (await storeOf(path)).write(path, `${lines.join("\n")}\n`);
  });
}

/** One object, written again with more lines. */
function whole(path: string): Sink {
  const all: string[] = [];
  return gathered(async (lines) => {
    all.push(...lines);
    await (await storeOf(path)).write(path, `${all.join("\n")}\n`);
  });
}

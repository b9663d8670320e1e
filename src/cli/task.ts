// One input's way through a command, wherever it runs: in this process or in one of several. What reads and writes is given, so
// that it is known what was read and written.
import { stat } from "node:fs/promises";
import { InvalidArgumentError } from "../errors.ts";
import { StopsAll } from "../node/store.ts";
import { bytesAt, createFile, hashOf, hashOfFile, storeOf } from "../node/stores.ts";
import { readSource, UsageError } from "./arguments.ts";
import type { Trace } from "./journal.ts";
import { replaced, writeOutput } from "./output.ts";

/** One input among others: plain data, which goes to other processes. */
export interface Job {
  /** Its path or address. */
  input: string;
  /** What it is called among its results: its path below the folder of all inputs. */
  name: string;
  /** Another file where a result goes is no obstacle. */
  replaces?: boolean;
}

/** What a job may do. */
export interface Control {
  signal: AbortSignal;
  onProgress?: (done: number) => void;
  read(path: string): Promise<Uint8Array>;
  write(path: string, data: Uint8Array): Promise<void>;
  /** Notes a file that is read otherwise. */
  look(path: string): Promise<void>;
  /** Writes a file that is made by `write`, under the name that it gets. Addresses and streams are none. */
  create(path: string, write: (to: string) => Promise<void>): Promise<void>;
  /** Says something while it works. */
  tell?(message: string): void;
  /** Waits until so many bytes of memory may be taken. */
  admit?(bytes: number): Promise<void>;
}

export type Perform<J extends Job, R> = (job: J, control: Control) => Promise<R>;

/** Why there is no result. */
export interface Refusal {
  message: string;
  /** Of this input alone, of the command line, or of all that follow. */
  of: "input" | "usage" | "all";
  stack?: string;
}

/** The error itself is there where it is this process's own. */
export type Outcome<R> = { result: R; trace: Trace } | { refusal: Refusal; error?: Error };

type Given = Pick<Control, "signal" | "onProgress" | "admit" | "tell">;

/** Performs a job, and says what came of it and what was read and written. `folder` is where results lie. */
export async function attempt<J extends Job, R>(
  perform: Perform<J, R>,
  job: J,
  given: Given,
  folder = "",
): Promise<Outcome<R>> {
  const trace: Trace = { outputs: {} };
  const { signal } = given;
  const control: Control = {
    ...given,
    async read(path) {
      if (path !== job.input || path === "-") return readSource(path, signal);
      const { bytes, stamp } = await (await storeOf(path)).read(path, signal);
      trace.input = { ...stamp, hash: hashOf(bytes) };
      return bytes;
    },
    async write(path, data) {
      if (job.replaces === false && (await isThere(path, data, signal))) return note(path, data.byteLength);
      await writeOutput(path, data, signal);
      note(path, data.byteLength);
    },
    async look(path) {
      // Only a journal asks for it.
      if (folder === "") return;
      const stamp = await (await storeOf(path)).stat(path, signal);
      if (stamp) trace.input = { ...stamp, hash: await hashOfFile(path, signal) };
    },
    async create(path, write) {
      await createFile(path, async (to) => {
        await write(to);
        const there = job.replaces === false && (await stat(path).catch(() => undefined));
        if (there && (await hashOfFile(to, signal)) !== (await hashOfFile(path, signal))) throw isTaken(path);
      }, signal); // biome-ignore format: a call
      note(path, (await stat(path)).size);
    },
  };
  const note = (path: string, bytes: number): void => {
    trace.outputs[path.slice(folder.length).replace(/^[/\\]+/, "")] = bytes;
  };
  try {
    return { result: await perform(job, control), trace };
  } catch (error) {
    signal.throwIfAborted();
    return { refusal: refusalOf(error as Error), error: error as Error };
  }
}

/** Reads a file, once there is memory for `times` what its pictures take when they are decoded. */
export async function readAdmitted({ read, admit }: Control, path: string, times: number): Promise<Uint8Array> {
  const bytes = await read(path);
  if (!admit) return bytes;
  const { bytesWhenDecoded } = await import("../node/pictures.ts");
  await admit(bytes.byteLength + times * (await bytesWhenDecoded(bytes)));
  return bytes;
}

export function refusalOf(error: Error): Refusal {
  const of = error instanceof StopsAll ? "all" : error instanceof UsageError ? "usage" : "input";
  return { message: error.message, of, stack: error.stack };
}

export function errorOf({ message, of, stack }: Refusal): Error {
  const error = of === "all" ? new StopsAll(message) : of === "usage" ? new UsageError(message) : new Error(message);
  return Object.assign(error, { stack });
}

/** Whether the same bytes are there already; a process that was killed has written them. Throws for others. */
async function isThere(path: string, data: Uint8Array, signal: AbortSignal): Promise<boolean> {
  const store = await storeOf(path);
  const found = await store.stat(path, signal);
  if (!found) return false;
  if (found.size === data.byteLength && Buffer.compare(await bytesAt(path, signal), data) === 0) return true;
  throw isTaken(path);
}

const isTaken = (parameter: string): InvalidArgumentError =>
  new InvalidArgumentError({ parameter, expected: "a name that is free", received: "another file", hint: replaced });

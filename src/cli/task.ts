// One input's way through a command, wherever it runs: in this process or in one of several. What reads and writes is given, so
// that it is known what was read and written.
import { InvalidArgumentError } from "../errors.ts";
import { StopsAll } from "../node/store.ts";
import { bytesAt, hashOf, storeOf } from "../node/stores.ts";
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

type Given = Pick<Control, "signal" | "onProgress" | "admit">;

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
      if (job.replaces === false && (await isThere(path, data, signal))) return note(path, data);
      await writeOutput(path, data, signal);
      note(path, data);
    },
  };
  const note = (path: string, data: Uint8Array): void => {
    trace.outputs[path.slice(folder.length).replace(/^[/\\]+/, "")] = data.byteLength;
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
  throw new InvalidArgumentError({
    parameter: path,
    expected: "a name that is free",
    received: "another file",
    hint: replaced,
  });
}

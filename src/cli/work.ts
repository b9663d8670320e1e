// A command's work on many inputs as plain data, for queues of jobs: planned in one process, and done in others, on other machines,
// at other times. What all jobs of a command have in common lies in a file beside the journal, where whoever writes results reads it.
import { randomUUID } from "node:crypto";
import { isAbsolute, join, relative, resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { describe, InvalidArgumentError } from "../errors.ts";
import { atOnce } from "../node/files.ts";
import { version } from "../node/package.ts";
import { setPatience } from "../node/patience.ts";
import { below, bytesAt, hashOf, isAddress, storeOf } from "../node/stores.ts";
import { checkRenamed, UsageError } from "./arguments.ts";
import { type Batch, type BatchFlags, pending, type RunBatch } from "./batch.ts";
import { openCrew, usualCrew } from "./crew.ts";
import { addFilter } from "./filter.ts";
import { asksForAll, configureHelp } from "./help.ts";
import type { Input } from "./inputs.ts";
import { cleaner, openDone, readJournal } from "./journal.ts";
import { meansFolder } from "./output.ts";
import { addRun } from "./run.ts";
import { errorOf, type Job } from "./task.ts";
import { say } from "./text.ts";

/** What is to be done with one input: plain data, which JSON keeps. */
export interface BatchJob {
  /**
   * A hash of the recipe, the input, and where its results go: 32 hexadecimal digits. Of the input it is by its name, and by its size and time
   * (or version in a store), so that one that has changed is another job.
   */
  readonly id: string;
  /** The path or address of the input. */
  readonly input: string;
}

/** Some inputs' work, of which nothing is done yet. */
export interface BatchPlan {
  /** "filter" or "run". */
  readonly command: string;
  /** The folder of results, or its address in a store. */
  readonly folder: string;
  /** One for each input that is not done. */
  readonly jobs: readonly BatchJob[];
  /** How many inputs `--resume` has left out because they are done. */
  readonly done: number;
  /**
   * Writes what the jobs have in common into `.rank1/` of the folder of results, and gives its path or address, which
   * {@link openBatch} takes.
   *
   * @throws Error where it cannot be written.
   */
  save(): Promise<string>;
}

/** Processes that do the jobs of a plan. */
export interface BatchWorkers {
  /** So many jobs are taken at once: two for each process, one of which is decoded or encoded while the other is computed. */
  readonly room: number;
  /**
   * Does a job. When it is done its results have their names, and the journal has its line. A job that is done again gives the same bytes.
   *
   * @returns Why this input has failed, and would fail again; nothing where it is done.
   * @throws {@link BatchStopped} where no other job would fare better, `signal.reason` after an abort. The job is not done then, and not failed.
   */
  run(job: BatchJob): Promise<string | undefined>;
  /** Ends the processes. */
  close(): Promise<void>;
}

/** Options of {@link openBatch}. */
export interface BatchOptions {
  /** How many processes, each with one thread that computes (default: as many as cores and memory are for). */
  readonly processes?: number;
  /** Ends the processes at once. What they write then is whole or not there. */
  readonly signal?: AbortSignal;
}

/** The work cannot go on here: the disk is full, the store does not answer, what a plan has saved cannot be read. */
export class BatchStopped extends Error {
  /** "BatchStopped". */
  override name = "BatchStopped";
}

/** The command line of a plan is wrong. */
export class BatchUsageError extends Error {
  /** "BatchUsageError". */
  override name = "BatchUsageError";
}

/** Options of {@link planBatch}. */
export interface PlanOptions {
  /** Ends the checks. */
  readonly signal?: AbortSignal;
}

/** A job as it is. */
type Planned = BatchJob & Job;

/** What is saved of a plan. */
interface Saved {
  version: 1;
  /** The version that made it, whose results its recipe stands for. */
  rank1: string;
  recipe: string;
  kind: "filter" | "run";
  folder: string;
  /** In milliseconds. */
  patience: number;
  /** What a process takes besides its pictures, in bytes. */
  memory: number;
  flags: object;
}

/** Options that say how the command itself goes about it. */
const foreign = ["workers", "failures", "explain", "timings", "json", "quiet"] as const;

/**
 * What a command line of `rank1 filter` or `rank1 run` would do, with all of its checks: of filters, models, names of results. Nothing is
 * done. `--resume` leaves out what is done, `--shard` takes a part. Paths are by the current folder; in the plan they are whole.
 *
 * @param args The words after `rank1`: `["filter", "photos/", "-o", "soft/", "-f", "gaussian:sigma=2"]`.
 * @throws {@link BatchUsageError} where they are wrong; what else the command would throw.
 */
export async function planBatch(args: readonly string[], options: PlanOptions = {}): Promise<BatchPlan> {
  const { signal = new AbortController().signal } = options;
  const [command = "none"] = args;
  let plan: BatchPlan | undefined;
  const program = new Command("rank1").exitOverride();
  const run: RunBatch = async (batch) => {
    plan = await planOf(command, batch, signal);
  };
  for (const add of [addFilter, addRun]) add(program, signal, run);
  configureHelp(program, asksForAll(args));
  for (const one of [program, ...program.commands]) one.configureOutput({ outputError: () => {} });
  program.hook("preAction", (_, action) => checkFlags(action.opts()));
  try {
    if (command !== "filter" && command !== "run")
      throw new UsageError(`command: expected filter or run, got ${command}`);
    checkRenamed(args);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof CommanderError && error.exitCode !== 0);
    throw isUsage ? new BatchUsageError(error.message.replace(/^error: /, ""), { cause: error }) : error;
  }
  return plan!;
}

async function checkFlags(flags: BatchFlags & Record<string, unknown>): Promise<void> {
  const stray = foreign.find((name) => flags[name] !== undefined);
  if (stray) throw new UsageError(`--${stray}: expected an option of the work, got one of the command that does it`);
  const { output } = flags;
  if (output !== undefined && (await meansFolder(output))) return;
  throw new UsageError(`-o: expected a folder of results, such as -o results/, got ${output ?? "none"}`);
}

const whole = (path: string): string => (isAddress(path) ? path : resolve(path));

async function planOf<J extends Job, R>(command: string, batch: Batch<J, R>, signal: AbortSignal): Promise<BatchPlan> {
  const { inputs, flags, setup } = batch;
  const { output, shard = { index: 1, count: 1 }, patience = usualPatience / 1000, resume, force = false } = flags;
  if (!setup) throw new UsageError("inputs: expected files or addresses, got what this process alone can read");
  const folder = whole(output!);
  const recipe = await batch.recipe();
  const state = await readJournal({ folder, shard, recipe, inputs: resume ? inputs : undefined, signal });
  const left: [J, Input][] = [];
  let next = 0;
  for await (const [job, known] of pending(batch, { state })) {
    const input = inputs[next++]!;
    if (known !== "done") left.push([job, input]);
  }
  const jobs: Planned[] = [];
  await atOnce([...left.entries()], async ([i, [job, { path, name, stamp }]]) => {
    const { size, version } = stamp ?? (await (await storeOf(path)).stat(path, signal)) ?? {};
    const input = whole(path);
    const id = hashOf(JSON.stringify([recipe, folder, name, input, size, version]));
    const place = "output" in job ? { output: whole(String(job.output)) } : {};
    jobs[i] = { replaces: force, ...job, ...place, input, id };
  });
  const { kind, memory } = setup;
  const common = { kind, recipe, folder, memory, patience: 1000 * patience, flags: located(setup.flags) };
  const text = JSON.stringify({ version: 1, rank1: version, ...common } satisfies Saved, packed);
  return {
    ...{ command, folder, jobs, done: inputs.length - jobs.length },
    async save() {
      const path = below(folder, `.rank1/work-${hashOf(text)}.json`);
      await (await storeOf(path)).write(path, text, signal);
      return path;
    },
  };
}

/** What a command tells its processes, with whole paths. */
function located(told: { file?: string; target?: { path: string }; flags?: { externalData?: string } }): object {
  const { file, target, flags } = told;
  const data = flags?.externalData;
  return {
    ...told,
    ...(file !== undefined && { file: whole(file) }),
    ...(target && { target: { ...target, path: whole(target.path) } }),
    flags: { ...flags, ...(data !== undefined && { externalData: whole(data) }) },
  };
}

/** Arrays of masks in JSON. */
const arrays = { Uint8Array, Uint16Array, Float32Array };
const isArrayName = (name: unknown): name is keyof typeof arrays => Object.hasOwn(arrays, String(name));

function packed(_: string, value: unknown): unknown {
  if (!ArrayBuffer.isView(value)) return value;
  const { buffer, byteOffset, byteLength } = value;
  return { array: value.constructor.name, base64: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
}

function unpacked(_: string, value: unknown): unknown {
  const { array, base64 } = (value ?? {}) as { array?: unknown; base64?: unknown };
  if (!isArrayName(array) || typeof base64 !== "string") return value;
  return new arrays[array](Uint8Array.from(Buffer.from(base64, "base64")).buffer);
}

/** How long a store is waited for until the plan says it, in milliseconds. */
const usualPatience = 300_000;

/**
 * Starts processes for the jobs of a plan, where it has been saved: on this machine or on another that reads and writes the same folders or
 * stores by the same names.
 *
 * @param path What {@link BatchPlan.save} has given.
 * @throws {@link BatchStopped} where it cannot be read, or another version of rank1 has made it.
 */
export async function openBatch(path: string, options: BatchOptions = {}): Promise<BatchWorkers> {
  const { signal = new AbortController().signal, processes } = options;
  setPatience({ milliseconds: usualPatience, tell: say });
  const saved = await stopping(signal, () => readSaved(path, signal));
  const { recipe, folder, patience, memory } = saved;
  setPatience({ milliseconds: patience, tell: say });
  const done = await stopping(signal, () => openDone(folder, recipe, `1-of-1-${randomUUID().slice(0, 8)}`));
  const crew = openCrew<Job, unknown>(saved, processes ?? usualCrew(Number.POSITIVE_INFINITY, memory), signal);
  const clean = cleaner(folder);
  return {
    room: crew.room,
    run: (given) =>
      stopping(signal, async () => {
        const stray = strayIn(given, saved);
        if (stray !== undefined) return stray;
        const job = given as Planned;
        await clean(job.name);
        const outcome = await crew.run(job);
        if ("result" in outcome) await done.add(job.name, outcome.trace);
        else if (outcome.refusal.of === "all") throw errorOf(outcome.refusal);
        else return outcome.refusal.message;
        return undefined;
      }),
    async close() {
      await crew.close();
      await done.close();
    },
  };
}

/** Jobs come from servers: why one is none of this plan, and would read or write elsewhere. */
function strayIn(given: unknown, { kind, folder }: Saved): string | undefined {
  const job = (given ?? {}) as Partial<Record<keyof Planned | "output", unknown>>;
  const { input, name, output } = job;
  const stray = (["id", "input", "name"] as const).find((key) => typeof job[key] !== "string" || job[key] === "");
  const wrong = (key: string, expected: string): string =>
    new InvalidArgumentError({ parameter: `${typeof input === "string" ? input : "job"}: ${key}`, expected, received: describe(job[key as "id"]) }).message; // biome-ignore format: a line
  if (stray) return wrong(stray, "text, as in the jobs of planBatch");
  if (!isWithin(folder, isAddress(folder) ? below(folder, String(name)) : join(folder, String(name))))
    return wrong("name", `one below ${folder}`);
  if (kind === "filter" || output !== undefined)
    if (typeof output !== "string" || !isWithin(folder, output)) return wrong("output", `a file in ${folder}`);
  return undefined;
}

/** Whether a path leads into a folder, both of them whole. */
function isWithin(folder: string, path: string): boolean {
  if (isAddress(folder)) return path.startsWith(`${folder.replace(/\/+$/, "")}/`) && !path.split("/").includes("..");
  const way = relative(folder, path);
  return !isAddress(path) && isAbsolute(path) && way !== "" && !isAbsolute(way) && !/^\.\.(?:[\\/]|$)/.test(way);
}

/** What is thrown there, but by an abort, concerns all jobs. */
async function stopping<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw new BatchStopped((error as Error).message, { cause: error });
  }
}

/** A plan that is not where it was. */
function lost(error: Error, signal: AbortSignal): never {
  signal.throwIfAborted();
  const isGone = (error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  throw isGone ? new Error(`${error.message}; planning the same work again writes it, and this machine has to find folders by the same names`, { cause: error }) : error; // biome-ignore format: a line
}

async function readSaved(path: string, signal: AbortSignal): Promise<Saved> {
  const text = new TextDecoder().decode(await bytesAt(path, signal).catch((error) => lost(error, signal)));
  const wrong = (expected: string, received: string, hint?: string): never => {
    throw new InvalidArgumentError({ parameter: path, expected, received, hint });
  };
  let saved: Saved;
  try {
    saved = JSON.parse(text, unpacked);
  } catch (error) {
    return wrong("what a plan has saved", (error as Error).message);
  }
  const types = { rank1: "string", recipe: "string", kind: "string", folder: "string", patience: "number", memory: "number", flags: "object" }; // biome-ignore format: a line
  const isWhole = saved?.version === 1 && (saved.kind === "filter" || saved.kind === "run" || saved.rank1 !== version);
  if (
    !isWhole ||
    Object.entries(types).some(
      ([key, type]) => typeof saved[key as keyof Saved] !== type || saved[key as keyof Saved] === null,
    )
  )
    // biome-ignore format: a line
    return wrong("what a plan has saved", "other text");
  if (saved.rank1 === version) return saved;
  const hint = "results may differ: run that version here, or plan again";
  return wrong(`the plan of rank1 ${version}`, `one of ${saved.rank1}`, hint);
}

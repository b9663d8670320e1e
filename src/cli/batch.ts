// Many inputs through one command: one after another, or in several processes; with a journal of what is done, which --resume
// reads, and a list of what failed. What is done with one input is the command's.
import { type Command, Option } from "commander";
import { writeStdout } from "../node/files.ts";
import { setPatience } from "../node/patience.ts";
import { checkFailures, parseCount, parseNumber, SomeInputsFailed, UsageError } from "./arguments.ts";
import { type Crew, openCrew, usualCrew } from "./crew.ts";
import { checkFailuresPlace, type Failure, failuresOf } from "./failures.ts";
import { addInputs, type Input, type InputsFlags } from "./inputs.ts";
import { type Journal, openJournal } from "./journal.ts";
import type { Setup } from "./messages.ts";
import { meter } from "./meter.ts";
import { type Condition, meansFolder, replaced } from "./output.ts";
import { clusterOf } from "./shard.ts";
import { attempt, errorOf, type Job, type Outcome, type Perform } from "./task.ts";
import { progressBar, say } from "./text.ts";

export interface BatchFlags extends InputsFlags {
  resume?: boolean;
  workers?: number;
  failures?: string;
  patience?: number;
  quiet?: boolean;
  force?: boolean;
}

/** Adds the options of commands that take many inputs. */
export function addBatch(command: Command): Command {
  return addInputs(command)
    .option("--resume", "leave out what is done already, by the journal in the folder of results")
    .addOption(
      new Option("--workers <count>", "processes that share the work (default: from 16 inputs on as many as cores)")
        .argParser(parseCount), // biome-ignore format: a line
    )
    .addOption(new Option("--failures <file>", "list what failed there; {shard} in its name is the number of the part (default: in .rank1/ in the folder of results)").hideHelp()) // biome-ignore format: a line
    .addOption(new Option("--patience <seconds>", "wait so long for a store that does not answer (default: 300 for many inputs)").argParser(parsePatience).hideHelp()); // biome-ignore format: a line
}

function parsePatience(text: string): number {
  const value = parseNumber(text);
  if (value >= 0) return value;
  throw new UsageError(`--patience: expected seconds, 0 or more, got ${text}`);
}

/** From so many inputs on they are shared among processes, and a journal is kept. */
const many = 16;

/** What is to be done with some inputs. */
export interface Batch<J extends Job, R> {
  jobs: readonly J[];
  /** The same, as they were found. */
  inputs: readonly Input[];
  /** "pictures" */
  what: string;
  flags: BatchFlags;
  /** A hash of all that results depend on besides their input. */
  recipe: () => Promise<string>;
  /** What other processes are told, and what each takes in bytes besides its pictures; absent where the work is to be done here. */
  setup?: { kind: Setup["kind"]; flags: object; memory: number };
  signal: AbortSignal;
  /** Does it here. */
  perform: Perform<J, R>;
  /** Says what a result is, in the order of the inputs; `each` where there are few enough to speak of each. */
  report: (result: R, job: J, each: boolean) => Promise<void> | void;
  /** Says what comes after all of them. */
  finish: (failures: readonly Failure[]) => Promise<void> | void;
}

/** Whether inputs are taken as many: see {@link runBatch}. */
export const isMany = (count: number, { shard, resume, workers, failures }: BatchFlags): boolean =>
  count >= many || shard !== undefined || workers !== undefined || resume === true || failures !== undefined;

/** What is to be so before results are written: with --resume some of them exist. */
export function condition(count: number, flags: BatchFlags & { force?: boolean }): Condition {
  const hint = isMany(count, flags) ? `--resume leaves out what is done, ${replaced}` : replaced;
  return { force: flags.force || flags.resume, hint };
}

/** Checks the options before any file is read. */
export async function checkBatch(flags: BatchFlags, explain?: boolean): Promise<void> {
  const { resume, output } = flags;
  const failures = await failuresOf(flags);
  const option = resume ? "--resume" : failures !== undefined ? "--failures" : undefined;
  if (failures !== undefined) await checkFailuresPlace(failures);
  if (option === undefined || (output !== undefined && (await meansFolder(output)))) return;
  const received = explain ? "--explain" : output === undefined ? "none" : `-o ${output}`;
  throw new UsageError(`${option}: expected a folder of results, such as -o results/, got ${received}`);
}

/** What becomes of a batch: {@link runBatch} does it. */
export type RunBatch = <J extends Job, R>(batch: Batch<J, R>) => Promise<void>;

/** Does a command's work on each of its inputs; one that fails does not stop the others, where there are several. */
export async function runBatch<J extends Job, R>(batch: Batch<J, R>): Promise<void> {
  const { jobs, flags } = batch;
  if (!isMany(jobs.length, flags)) return runFew(batch);
  const { shard, output, patience = 300, workers } = flags;
  const cluster = shard ? undefined : clusterOf(process.env);
  if (cluster)
    say(`${cluster.index} is set: every process of this job does all of the work, unless there is --shard auto`);
  setPatience({ milliseconds: 1000 * patience, tell: say });
  const place = output !== undefined && (await meansFolder(output)) ? output : undefined;
  const journal = place === undefined ? undefined : await openJournalOf(batch, place);
  const { setup, signal } = batch;
  const crew: Crew<J, R> = setup
    ? openCrew(
        { ...setup, folder: place, patience: 1000 * patience },
        workers ?? usualCrew(jobs.length, setup.memory),
        signal,
      )
    : { room: 1, run: (job) => attempt(batch.perform, job, { signal }, place), close: async () => {} };
  try {
    await runMany(batch, crew, journal);
  } finally {
    await crew.close();
    await journal?.close();
  }
}

async function openJournalOf<J extends Job, R>({ flags, recipe, inputs, signal }: Batch<J, R>, folder: string) {
  const { shard = { index: 1, count: 1 }, resume } = flags;
  const failures = await failuresOf(flags);
  return openJournal({ folder, shard, failures, recipe: await recipe(), inputs: resume ? inputs : undefined, signal });
}

/** One after another, in this process, with all its threads. */
async function runFew<J extends Job, R>({ jobs, flags, what, signal, ...batch }: Batch<J, R>): Promise<void> {
  const failures: Failure[] = [];
  setPatience({ milliseconds: 1000 * (flags.patience ?? 0), tell: say });
  for (const [i, job] of jobs.entries()) {
    const label = jobs.length > 1 ? `${job.input} (${i + 1} of ${jobs.length})` : job.input;
    const progress = progressBar(label, !flags.quiet);
    const tell = (message: string): void => void (flags.quiet || say(message));
    const outcome = await attempt(batch.perform, job, { signal, onProgress: progress.update, tell }).finally(
      progress.clear,
    );
    if ("result" in outcome) await batch.report(outcome.result, job, true);
    else if (outcome.refusal.of !== "input" || jobs.length === 1) throw outcome.error ?? errorOf(outcome.refusal);
    else failures.push(failed(job, outcome.refusal.message));
  }
  await batch.finish(failures);
  checkFailures(failures.length, jobs.length, what);
}

function failed({ input }: Job, message: string): Failure {
  say(message);
  return { input, message };
}

/** So many results may wait for one before them. */
const mostWaiting = 1000;

/** All that are not done yet, as many at once as a crew takes. */
async function runMany<J extends Job, R>(batch: Batch<J, R>, crew: Crew<J, R>, journal: Journal | undefined) {
  const { jobs, flags, signal, what } = batch;
  const failures: Failure[] = [];
  const bar = meter(jobs.length, what, flags.quiet === true);
  const outcomes = new Map<number, readonly [J, Outcome<R>]>();
  const running = new Set<Promise<void>>();
  let stopped: Error | undefined;
  let reported = 0;
  let changed = 0;
  const one = async (i: number, job: J): Promise<void> => {
    const outcome = await crew.run(job);
    if ("result" in outcome) await journal?.add(job.name, outcome.trace);
    else if (outcome.refusal.of === "all") throw errorOf(outcome.refusal);
    outcomes.set(i, [job, outcome]);
    bar.count("result" in outcome ? "done" : "failed");
  };
  const speak = async (): Promise<void> => {
    for (let next = outcomes.get(reported); next; next = outcomes.get(reported)) {
      outcomes.delete(reported++);
      const [job, outcome] = next;
      if ("result" in outcome) await bar.aside(() => batch.report(outcome.result, job, false));
      else {
        const failure = { input: job.input, message: outcome.refusal.message };
        failures.push(failure);
        await bar.aside(() => say(failure.message));
        await journal?.fail(failure);
      }
    }
  };
  let next = 0;
  try {
    for await (const [job, state] of pending(batch, journal)) {
      if (state === "done") bar.count("before");
      if (state === "done") continue;
      if (state === "changed") changed++;
      const work = one(next++, job).catch((error: Error) => {
        stopped ??= error;
      });
      running.add(work);
      void work.then(() => running.delete(work));
      while (!stopped && (running.size >= crew.room || next - reported > mostWaiting)) {
        await Promise.race(running);
        await speak();
      }
      if (stopped) break;
    }
    await Promise.all(running);
    await speak();
  } finally {
    bar.end();
  }
  await batch.finish(failures);
  if (signal.aborted && journal && !flags.quiet) say("--resume goes on with what is left");
  signal.throwIfAborted();
  if (changed > 0 && !flags.quiet)
    say(`${changed} of these were done again: their inputs, results or the options have changed`);
  if (stopped) throw withHint(stopped, jobs.length - bar.counts.done - bar.counts.before - bar.counts.failed, journal);
  if (failures.length > 0) {
    const where = journal ? `: ${journal.failures} lists them, --resume tries them again` : "";
    throw new SomeInputsFailed(`${failures.length} of ${jobs.length} ${what} failed${where}`);
  }
}

function withHint(error: Error, left: number, journal: Journal | undefined): Error {
  const hint = journal ? `; ${left} are left, and --resume goes on with them` : "";
  return new Error(error.message + hint, { cause: error });
}

/** Jobs, with what the journal says of them; what it says of those that follow is looked up meanwhile. */
export async function* pending<J extends Job, R>(
  { jobs, inputs, flags }: Batch<J, R>,
  journal: Pick<Journal, "state"> | undefined,
): AsyncGenerator<readonly [J, "done" | "changed" | undefined]> {
  if (!journal || !flags.resume) {
    for (const job of jobs) yield [job, undefined];
    return;
  }
  const ahead: Promise<readonly [J, "done" | "changed" | undefined]>[] = [];
  const look = async (job: J, input: Input) => {
    const state = await journal.state(input);
    return [{ ...job, replaces: flags.force === true || state !== undefined }, state] as const;
  };
  for (const [i, job] of jobs.entries()) {
    const state = look(job, inputs[i]!);
    state.catch(() => {}); // is seen when it is awaited
    ahead.push(state);
    if (ahead.length >= 32) yield await ahead.shift()!;
  }
  for (const state of ahead) yield await state;
}

/** A list in JSON of what comes, printed as it comes: lists may be longer than memory. `head` is what stands before it. */
export function jsonPrinter(head: () => object, name: string) {
  let begun = false;
  const waiting: unknown[] = [];
  const flush = async (): Promise<void> => {
    for (const value of waiting.splice(0)) {
      const before = begun ? ",\n" : opening();
      begun = true;
      await writeStdout(before + JSON.stringify(value, undefined, 2));
    }
  };
  const opening = (): string => `${JSON.stringify(head(), undefined, 2).slice(0, -2)},\n  "${name}": [\n`;
  return {
    /** `later`: with all others. */
    async add(value: unknown, later: boolean): Promise<void> {
      waiting.push(value);
      if (!later) await flush();
    },
    async finish(rest: object): Promise<void> {
      await flush();
      await writeStdout(`${begun ? "" : opening()}],\n${JSON.stringify(rest, undefined, 2).slice(2)}\n`);
    },
  };
}

/** Those options of a command that results depend on, as text, in an order of their own. */
export function optionsOf(flags: object): string {
  const places = ["output", "force", "threads", "wide", "quiet", "json", "shard", "resume", "workers", "list", "root"];
  const rest = [
    "failures",
    "patience",
    "explain",
    "timings",
    "top",
    "labels",
    "save",
    "maxPixels",
    "maxFilterSide",
    "memory",
  ];
  const kept = Object.entries(flags).filter(([name]) => !places.includes(name) && !rest.includes(name));
  return JSON.stringify(Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))));
}

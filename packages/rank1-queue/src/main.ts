#!/usr/bin/env node
// rank1-queue: many pictures through rank1 by a queue of jobs. Exit codes are those of rank1: 0 done, 1 could not start or go on, 2 wrong
// usage, 3 some jobs failed.
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { BatchUsageError } from "rank1/batch";
import { type Jobs, type Place, placeOf, UsageError, usualServer, withQueue } from "./server.ts";
import { failedJobs, retry, statusOf } from "./status.ts";
import { submit } from "./submit.ts";
import { type WorkOptions, work } from "./work.ts";

interface Flags extends WorkOptions {
  server: string;
  queue: string;
  json?: boolean;
  failures?: boolean;
}

const { version }: { version: string } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const say = (text: string): void =>
  void process.stderr.write(`rank1-queue: ${text.trim().replace(/\s*\n\s*/g, " ")}\n`);
const print = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

/** The first signal stops, the second halts. */
const [stop, halt] = [new AbortController(), new AbortController()];
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => (stop.signal.aborted ? halt : stop).abort());

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected an integer of at least 1.");
}

function parseSeconds(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value > 0 && value <= 86_400) return value;
  throw new InvalidArgumentError("Expected seconds, above 0 and up to 86400.");
}

/** Adds the options that say where the queue is, and what a command does with it. */
function onQueue(
  command: Command,
  act: (queue: Jobs, place: Place, words: string[], flags: Flags) => Promise<void>,
): Command {
  return command
    .addOption(new Option("--server <address>", "Redis or PostgreSQL").env("RANK1_QUEUE_SERVER").default(usualServer))
    .addOption(new Option("--queue <name>", "the name of the queue").env("RANK1_QUEUE").default("rank1"))
    .action((...given: unknown[]) => {
      const [words = []] = command.registeredArguments.length > 0 ? (given as [string[]]) : [];
      const flags: Flags = command.opts();
      const place = placeOf(flags.server, flags.queue);
      return withQueue(place, (queue) => act(queue, place, words, flags));
    });
}

function createProgram(): Command {
  const program = new Command("rank1-queue")
    .description("Many pictures through rank1 by a queue of jobs, on Redis or PostgreSQL.")
    .version(version)
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({ outputError: (text) => say(text.replace(/^error: /, "")) });
  onQueue(program.command("submit"), async (queue, { name }, args) => {
    const { added, waiting, failed, done } = await submit(queue, args, stop.signal);
    const parts = [
      `${added} jobs put into the queue ${name}`,
      waiting > 0 && `${waiting} are there already`,
      failed > 0 && `${failed} have failed before (rank1-queue retry tries them again)`,
      done > 0 && `${done} were done before`,
    ];
    say(parts.filter(Boolean).join(", "));
  })
    .description("put a job for each input into the queue")
    .argument("<rank1...>", "filter or run, with inputs and options as rank1 takes them")
    .passThroughOptions();
  onQueue(program.command("work"), async (queue, place, _, flags) => {
    say(`works on the queue ${place.name} at ${place.shown}`);
    if ((await work(place, queue, flags, { stop: stop.signal, halt, say })) > 0 && flags.untilEmpty)
      process.exitCode = 3;
  })
    .description("do jobs, until SIGTERM or Ctrl-C: what has begun ends or is given back")
    .option("--processes <count>", "processes that compute (default: as many as cores and memory are for)", parseCount)
    .option("--until-empty", "end when no job is left")
    .option("--grace <seconds>", "give back what is not done so long after a signal", parseSeconds, 20)
    .option("--lock <seconds>", "a worker that is silent for so long is taken for dead", parseSeconds, 30);
  onQueue(program.command("status"), async (queue, { name, shown }, _, { json, failures }) => {
    if (failures) {
      for await (const job of failedJobs(queue)) print(job);
      return;
    }
    const status = await statusOf(queue);
    if (json) return print({ queue: name, ...status });
    const { waiting, working, done, failed, rate } = status;
    const speed = rate > 0 ? ` (${rate.toFixed(1)} a minute, ${Math.ceil((waiting + working) / rate)} min left)` : "";
    const what = `${waiting} waiting, ${working} worked on, ${done} done${speed}, ${failed} failed`;
    process.stdout.write(`${name} at ${shown}: ${what}\n`);
  })
    .description("how many jobs wait, are worked on, are done, have failed")
    .option("--failures", "what has failed, and why, a line in JSON each")
    .option("--json", "the numbers as JSON");
  onQueue(program.command("retry"), async (queue, { name }, ids) => {
    say(`${await retry(queue, ids)} jobs put back into the queue ${name}`);
  })
    .description("try failed jobs again")
    .argument("[jobs...]", "their hashes (default: all that have failed)");
  return program;
}

/** The exit code; what commander throws, also that of rank1, it has said. */
function codeOf(error: Error & { code?: string; exitCode?: number }): number {
  if (error.code?.startsWith("commander.")) return error.exitCode === 0 ? 0 : 2;
  const interrupted = stop.signal.aborted && error.name === "AbortError";
  say(interrupted ? "interrupted" : error.message);
  if (error instanceof UsageError || error instanceof BatchUsageError) return 2;
  return interrupted ? 130 : 1;
}

await createProgram()
  .parseAsync()
  .catch((error) => {
    process.exitCode = codeOf(error);
  });
// Connections to a server that does not answer would keep it.
process.exit();

#!/usr/bin/env node
// The command line: one file a command, errors as one line, exit codes 0 (done), 1 (failed), 2 (wrong usage), 130
// (interrupted).
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { UsageError } from "./arguments.ts";
import { addExplain } from "./explain.ts";
import { addFactor } from "./factor.ts";
import { addFilter } from "./filter.ts";
import { addFilters } from "./filters.ts";
import { say } from "./text.ts";

const { version, description } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // A second signal, or a library that does not let go, ends the process; temporary files go with it
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
    setTimeout(() => process.exit(130), 1000).unref();
  });
}
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0); // the reader has gone, as in `rank1 filters | head -1`
  throw error;
});

function createProgram(): Command {
  const program = new Command("rank1")
    .description(description)
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text) => say(text.replace(/^error: /, "")) })
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed (a file, the machine), 2 wrong usage, 130 interrupted.\nRANK1_DEBUG=1 adds the stack to errors; NO_COLOR=1 turns colours off.",
    );
  addFactor(program);
  addFilters(program);
  addFilter(program, interruption.signal);
  addExplain(program);
  return program;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.code === "commander.helpDisplayed" || error.code === "commander.version") return 0;
    return 2; // commander has said why
  }
  if (interruption.signal.aborted) {
    say("interrupted");
    return 130;
  }
  say(error instanceof Error ? error.message : String(error));
  if (process.env.RANK1_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof UsageError ? 2 : 1;
}

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

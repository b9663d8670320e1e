// The commands as one program, and the exit code of a run of it: 0 done, 1 failed, 2 wrong usage, 3 some inputs failed, 130
// interrupted.
import { Command, CommanderError } from "commander";
import { description, version } from "../node/package.ts";
import { checkRenamed, SomeInputsFailed, UsageError } from "./arguments.ts";
import { addBench } from "./bench.ts";
import { addCompile } from "./compile.ts";
import { addDemo } from "./demo.ts";
import { addFactor } from "./factor.ts";
import { addFilter } from "./filter.ts";
import { addFilters } from "./filters.ts";
import { asksForAll, configureHelp } from "./help.ts";
import { addInspect } from "./inspect.ts";
import { addLayer } from "./layer.ts";
import { addRun } from "./run.ts";
import { addSeparate } from "./separate.ts";
import { say } from "./text.ts";

const ending = `
rank1 <command> --help shows a command's options and examples, with --all also options that few need.
Results go where -o says: files that exist are replaced only with --force, folders are made, - is the standard output.

Exit codes: 0 done, 1 failed (a file, the machine), 2 wrong usage, 3 some of several inputs failed, 130 interrupted.
RANK1_DEBUG=1 adds the stack to errors; NO_COLOR=1 turns colours off.`;

/** All commands; `all` makes help show options that few need. */
export function createProgram(signal: AbortSignal, all = false): Command {
  const program = new Command("rank1")
    .description(description)
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text) => say(text.replace(/^error: /, "")) })
    .addHelpText("after", ending);
  addFactor(program);
  addFilters(program);
  addFilter(program, signal);
  addLayer(program);
  addInspect(program);
  addRun(program, signal);
  addSeparate(program, signal);
  addCompile(program, signal);
  addBench(program, signal);
  addDemo(program, signal);
  configureHelp(program, all);
  return program;
}

/** Runs one command line (without the program's name); errors become one line on the standard error. */
export async function runProgram(args: readonly string[], signal: AbortSignal): Promise<number> {
  try {
    checkRenamed(args);
    await createProgram(signal, asksForAll(args)).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has said why
    if (signal.aborted) say("interrupted");
    else say(error instanceof Error ? error.message : String(error));
    if (process.env.RANK1_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return signal.aborted ? 130 : codeOf(error);
  }
}

const codeOf = (error: unknown): number =>
  error instanceof UsageError ? 2 : error instanceof SomeInputsFailed ? 3 : 1;

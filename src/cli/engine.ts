// The engine of one command: 256-bit code where the machine has it, and what it learns about that kept for the next.
import type { Command } from "commander";
import { createEngine, type Engine, type EngineOptions, type Verdict } from "../index.ts";
import { readVerdicts, writeVerdicts } from "../node/wisdom.ts";
import { usage } from "./arguments.ts";
import { rare } from "./help.ts";

export interface EngineFlags {
  wide: boolean;
}

/** Adds the options that every command with an engine has. */
export function addEngineOptions(command: Command): Command {
  return command.addOption(rare("--no-wide", "use no 256-bit vectors (V8's experimental pass)"));
}

/** All that an engine may say of a kernel; files may hold anything. */
const verdicts = Object.keys({ wide: 1, "narrow: results differ": 1 } satisfies Record<Verdict, 1>) as Verdict[];

/** Runs a command with an engine, and disposes of it whatever happens. */
export async function withEngine<T>(options: EngineOptions, use: (engine: Engine) => Promise<T>): Promise<T> {
  const known = options.wide ? await readVerdicts(verdicts) : {};
  const engine = await usage(() => createEngine({ ...options, verdicts: known }));
  try {
    return await use(engine);
  } finally {
    const { verdicts } = engine.info().wide;
    engine.dispose();
    if (Object.keys(verdicts).some((kernel) => !(kernel in known))) await writeVerdicts(verdicts);
  }
}

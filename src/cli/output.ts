// Output options that commands share: -o and other options that name a file to write. "-" is the standard output, folders
// are made, and a file that exists is replaced only with --force.
import { sep } from "node:path";
import { type Command, Option } from "commander";
import { checkNewFile, isFolder, makeFoldersFor, writeAtomic, writeStdout } from "../node/files.ts";
import { UsageError } from "./arguments.ts";

export interface OutputFlags {
  output?: string;
  force?: boolean;
}

/** Adds `-o`. `place` is what it takes, such as "file or folder/". */
export function addOutput(command: Command, place: string, description: string): Command {
  return addForce(command.option(`-o, --output <${place}>`, description));
}

/** Adds `--force`. */
export function addForce(command: Command): Command {
  return command.addOption(new Option("--force", "replace files that exist (never one that is read)"));
}

/** Whether `-o` means a folder: it ends in a slash, or is one. */
export async function meansFolder(path: string): Promise<boolean> {
  return path !== "-" && (endsInSlash(path) || (await isFolder(path)));
}

const endsInSlash = (path: string): boolean => path.endsWith("/") || path.endsWith(sep);

/** A terminal shows no pictures, arrays or models. */
export function checkTerminal(output: string | undefined): void {
  if (output === "-" && process.stdout.isTTY)
    throw new UsageError("-o: expected a file, or - that leads to a file or another program, got - at a terminal");
}

/** Checks, before any work, that all files can be written, and that no two of them are one. */
export async function checkOutputs(
  paths: readonly (string | undefined)[],
  { inputs = [], force }: { inputs?: readonly string[]; force?: boolean },
): Promise<void> {
  const files = paths.filter((path) => path !== undefined);
  const twice = files.find((path, i) => files.indexOf(path) < i);
  if (twice === "-") throw new UsageError("-: expected one result for the standard output, got several");
  if (twice !== undefined) throw new UsageError(`-o: expected results of different names, got ${twice} twice`);
  const read = inputs.filter((input) => input !== "-");
  for (const path of files) {
    if (endsInSlash(path)) throw new UsageError(`${path}: expected the name of a file, got a folder`);
    if (path !== "-") await checkNewFile(path, { inputs: read, force, hint: "--force replaces it" });
  }
}

/** Writes a whole file, or to the standard output. */
export async function writeOutput(path: string, data: string | Uint8Array, signal?: AbortSignal): Promise<void> {
  if (path === "-") return writeStdout(data);
  await makeFoldersFor(path);
  await writeAtomic(path, data, signal);
}

/** The standard input holds one thing. `readers` are arguments, with what they are called. */
export function checkStdin(readers: readonly (readonly [name: string, value: string | undefined])[]): void {
  const [first, second] = readers.filter(([, value]) => value === "-");
  if (first && second) {
    throw new UsageError(`${second[0]}: expected a file, got -, which is what ${first[0]} reads`);
  }
}

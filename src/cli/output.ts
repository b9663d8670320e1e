// Output options that commands share: -o and other options that name a file to write. "-" is the standard output, folders
// are made, and a file that exists is replaced only with --force.
import { sep } from "node:path";
import { type Command, Option } from "commander";
import { InvalidArgumentError } from "../errors.ts";
import { atOnce, checkNewFile, type Identities, identitiesOf, isFolder, writeStdout } from "../node/files.ts";
import { isAddress, storeOf } from "../node/stores.ts";
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
  return path !== "-" && (endsInSlash(path) || (!isAddress(path) && (await isFolder(path))));
}

/** Whether an input means the files below it: a folder, or an address that ends in a slash. */
export const isFolderName = async (path: string): Promise<boolean> =>
  isAddress(path) ? endsInSlash(path) : isFolder(path);

const endsInSlash = (path: string): boolean => path.endsWith("/") || path.endsWith(sep);

/** A terminal shows no pictures, arrays or models. */
export function checkTerminal(output: string | undefined): void {
  if (output === "-" && process.stdout.isTTY)
    throw new UsageError("-o: expected a file, or - that leads to a file or another program, got - at a terminal");
}

/** On files that are to be written. */
export interface Condition {
  /** Files that are read: none of them is written. */
  inputs?: readonly string[];
  /** Files that exist may be replaced. */
  force?: boolean;
  /** What the message on one that exists ends with. */
  hint?: string;
}

/** Checks, before any work, that all files can be written, and that no two of them are one. */
export async function checkOutputs(
  paths: readonly (string | undefined)[],
  { inputs = [], force, hint = replaced }: Condition,
): Promise<void> {
  const files = paths.filter((path) => path !== undefined);
  const seen = new Set<string>();
  const twice = files.find((path) => seen.size === seen.add(path).size);
  if (twice === "-") throw new UsageError("-: expected one result for the standard output, got several");
  if (twice !== undefined) throw new UsageError(`-o: expected results of different names, got ${twice} twice`);
  const read = inputs.filter((input) => input !== "-" && !isAddress(input));
  let identities: Promise<Identities> | undefined;
  const errors: Error[] = [];
  await atOnce([...files.entries()], async ([i, path]) => {
    if (path === "-" || errors.some(() => true)) return;
    try {
      if (endsInSlash(path)) throw new UsageError(`${path}: expected the name of a file, got a folder`);
      identities ??= identitiesOf(read);
      if (isAddress(path)) await checkAddress(path, inputs, force, hint);
      else await checkNewFile(path, { inputs: await identities, force, hint });
    } catch (error) {
      errors[i] = error as Error;
    }
  });
  for (const error of errors) if (error) throw error;
}

/** What messages on files that exist end with. */
export const replaced = "--force replaces it";

async function checkAddress(
  path: string,
  inputs: readonly string[],
  force: boolean | undefined,
  hint: string,
): Promise<void> {
  const wrong = (expected: string, received: string, more?: string): never => {
    throw new InvalidArgumentError({ parameter: path, expected, received, hint: more });
  };
  if (inputs.includes(path)) wrong("an output that is not one of the inputs", `the same file as ${path}`);
  if (!force && (await (await storeOf(path)).stat(path))) wrong("a name that is free", "a file", hint);
}

/** Writes a whole file, or to the standard output. */
export async function writeOutput(path: string, data: string | Uint8Array, signal?: AbortSignal): Promise<void> {
  if (path === "-") return writeStdout(data);
  await (await storeOf(path)).write(path, data, signal);
}

/** The standard input holds one thing. `readers` are arguments, with what they are called. */
export function checkStdin(readers: readonly (readonly [name: string, value: string | undefined])[]): void {
  const [first, second] = readers.filter(([, value]) => value === "-");
  if (first && second) {
    throw new UsageError(`${second[0]}: expected a file, got -, which is what ${first[0]} reads`);
  }
}

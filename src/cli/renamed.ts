// Spellings of earlier versions: each is an error that names the new one.
import { UsageError } from "./arguments.ts";

/** By command: options that are gone, and what says the same now. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  filter: { "--out-dir": "-o FOLDER/" },
  run: { "--image": "files after the model: rank1 run MODEL PICTURE", "--profile": "--timings" },
  bench: { "--profile": "--save-profile", "--calibrate": "--learn" },
  demo: { "--out-dir": "-o FOLDER/" },
  layer: { "--depth-multiplier": "--multiplier", "--layer": "its first argument: rank1 layer 12x12x3" },
};

/** Throws for a command line that an earlier version took. */
export function checkRenamed(args: readonly string[]): void {
  const [command, ...rest] = args;
  if (command === "explain") throw new UsageError(`explain: is an option now: ${withoutExplain(rest)}`);
  const known = renamed[command ?? ""] ?? {};
  for (const arg of rest) {
    if (arg === "--") return;
    const [option] = arg.split("=", 1) as [string];
    if (Object.hasOwn(known, option)) throw new UsageError(`${option}: is spelt ${known[option]} now`);
  }
}

/** How that which `rank1 explain` was asked is asked now. */
function withoutExplain(args: readonly string[]): string {
  if (args.some((arg) => arg.split("=")[0] === "--layer")) return "rank1 layer 12x12x3 --kernel 5x5 --out 256";
  const [first] = args.filter((arg) => !arg.startsWith("-"));
  if (first?.toLowerCase().endsWith(".onnx")) return `rank1 run ${first} --explain`;
  return `rank1 filter -f ${first ?? "FILTER"} --explain`;
}

const elementTypes = ["u8", "u16", "i16", "f32"];

/** `--output` once was the result's element type. */
export function checkOutputName(output: string | undefined): void {
  if (output === undefined || !elementTypes.includes(output)) return;
  throw new UsageError(`--output: expected where the result goes, got ${output}; an element type is --type ${output}`);
}

// Opens what commands work with: an engine, with 256-bit code where the machine has it and verdicts kept for the next
// command; and a model, with errors that name its file.
import { basename } from "node:path";
import { type Command, InvalidArgumentError as CommanderError } from "commander";
import { createEngine, type Engine, type EngineOptions, Rank1Error, type Verdict } from "../index.ts";
import { externalFolder } from "../node/model-files.ts";
import { readVerdicts, writeVerdicts } from "../node/wisdom.ts";
import type { Model, ValueInfo } from "../onnx/index.ts";
import { parseCount, readSource, sourceName, UsageError, usage } from "./arguments.ts";
import { rare } from "./help.ts";

/** Shapes of inputs by name. */
export type Shapes = Record<string, number[]>;

export interface ModelFlags {
  shape?: Shapes;
  externalData?: string;
}

/** Adds the options that every command on a model has. */
export function addModelOptions(command: Command, shapes: string): Command {
  return command
    .option("--shape <input=sides>", `${shapes}, such as input=1x3x224x224; repeatable`, addShape)
    .addOption(rare("--external-data <folder>", "where weights lie that are not in the file"));
}

function addShape(text: string, shapes: Shapes = {}): Shapes {
  const [, name, sides] = text.match(/^(.+)=(\d+(?:x\d+)*)$/) ?? [];
  if (!name || !sides) throw new CommanderError("Expected NAME=SIDES such as input=1x3x224x224.");
  return { ...shapes, [name]: sides.split("x").map(parseCount) };
}

/** Loads a model and works with it. `shapes` stand in place of those that the file declares. */
export async function withModel<T>(
  file: string,
  { externalData }: ModelFlags,
  use: (model: Model) => T | Promise<T>,
  options: { engine?: Engine; shapes?: Shapes } = {},
): Promise<T> {
  const bytes = await readSource(file);
  const files = externalData === undefined ? undefined : externalFolder(externalData);
  return named(file, async () => {
    const { loadModel } = await import("../onnx/index.ts"); // other commands start without it
    const model = await loadModel(bytes, { externalData: files, ...options });
    try {
      return await use(model);
    } catch (error) {
      throw withShapes(error, model);
    } finally {
      model.dispose();
    }
  });
}

/** The name of a model in results: its file's name. */
export const nameOf = (file: string): string => (file === "-" ? "model" : basename(file));

/** Inputs of which sides after the first are open: no file and no option says them. */
export const openInputs = (inputs: readonly ValueInfo[]): ValueInfo[] =>
  inputs.filter(({ shape }) => !shape?.every((side, axis) => axis === 0 || typeof side === "number"));

/** "--shape detection=1x?x?": the option with what is left to fill in. */
export function shapeOption({ name, shape }: ValueInfo): string {
  const sides = shape?.map((side, axis) => (typeof side === "number" ? side : axis === 0 ? 1 : "?"));
  return `--shape ${name}=${sides?.join("x") ?? "SIDES"}`;
}

/** Shapes are the user's to give: an error of theirs, which a command may have taken up, names the option. */
function withShapes(error: unknown, { inputs }: Model): unknown {
  const first = error instanceof UsageError ? error.cause : error;
  if (!(first instanceof Rank1Error) || !first.parameter.startsWith("shape of input")) return error;
  const options = openInputs(inputs).map(shapeOption).join(" ") || "--shape NAME=1x3x224x224";
  return new UsageError(
    `${first.message}; give it with ${options}${options.includes("?") ? " (a number for each ?)" : ""}`,
    { cause: error },
  );
}

/** Errors say which file they are about, and which option helps. */
async function named<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Rank1Error)) throw error;
    const cause = error;
    const hint = / in externalData$/.test(error.expected) ? "; name their folder with --external-data" : "";
    throw new Error(`${sourceName(file)}: ${error.message}${hint}`, { cause });
  }
}

export interface EngineFlags {
  wide: boolean;
}

/** Adds the options that every command with an engine has. */
export function addEngineOptions(command: Command): Command {
  return command.addOption(rare("--no-wide", "use no 256-bit vectors (V8's experimental pass)"));
}

/** The known verdicts on kernels; other values in the file are ignored. */
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

/** What reports say of an engine. The verdicts on each kernel are a list as long as an answer is short. */
export function aboutEngine(engine: Engine) {
  const { wide, ...about } = engine.info();
  const { verdicts: _, ...said } = wide;
  return { ...about, wide: said };
}

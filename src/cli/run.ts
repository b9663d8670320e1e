// rank1 run: a model on pictures, or on arrays from .npy files. How they become inputs is in run-input.ts, what is said of
// results in run-answer.ts, where they go in run-files.ts.
import { type Command, Option } from "commander";
import { checkOneOf, InvalidArgumentError, LimitError, UnsupportedOpError } from "../errors.ts";
import type { Engine } from "../index.ts";
import { writeStdout } from "../node/files.ts";
import { sidecarOf } from "../node/model-files.ts";
import { isNpy } from "../node/npy.ts";
import { version } from "../node/package.ts";
import { below, hashOf, storeOf } from "../node/stores.ts";
import type { Model, ValueInfo } from "../onnx/index.ts";
import { parseCount, readSource, sourceName, threadsOption, UsageError, usage } from "./arguments.ts";
import {
  addBatch,
  type BatchFlags,
  checkBatch,
  condition,
  isMany,
  jsonPrinter,
  optionsOf,
  type RunBatch,
  runBatch,
} from "./batch.ts";
import { checkFailuresFile, failuresOf, type Uses } from "./failures.ts";
import { rare } from "./help.ts";
import { findInputs, type Input, listOf } from "./inputs.ts";
import { inspectionText } from "./inspect.ts";
import {
  aboutEngine,
  addEngineOptions,
  addModelOptions,
  type EngineFlags,
  type ModelFlags,
  nameOf,
  openInputs,
  withEngine,
  withModel,
} from "./open.ts";
import { addOutput, type OutputFlags } from "./output.ts";
import { type Answer, type AnswerOptions, answerOf, answerText, type Kind, kinds } from "./run-answer.ts";
import { explainRun, timeTasks, timingsText } from "./run-explain.ts";
import { checkTarget, type Target, targetOf, writeResult } from "./run-files.ts";
import {
  addInputOptions,
  checkInputFlags,
  type Feed,
  feedOf,
  type InputFlags,
  parseRange,
  type Settings,
  settingsOf,
} from "./run-input.ts";
import { type Made, madeText } from "./run-made.ts";
import { checkTile, parseTile, runByTiles, type Tile, type Tiled, withTileName } from "./run-tiles.ts";
import { type Control, type Job, type Perform, readAdmitted } from "./task.ts";
import { milliseconds } from "./text.ts";

interface Flags extends ModelFlags, EngineFlags, InputFlags, BatchFlags, OutputFlags {
  as?: Kind;
  outputs?: string[];
  outputRange?: [number, number];
  top: number;
  tile?: Tile;
  threads?: number;
  explain?: boolean;
  timings?: boolean;
  quiet?: boolean;
  json?: boolean;
}

const examples = `
A picture becomes red, green, blue (or grey) from 0 to 1, or in --range, less --mean, divided by --std, in the size, order of
axes and type that the model declares. --save remembers that and --labels in model.onnx.json beside the model; later options
go before it.

What a result is, is guessed, and the guess said: a row of scores ranks classes (shown as they are, and by their softmax unless
they are probabilities already), 1, 3 or 4 channels of pixels are a picture, all else is values; places, boxes and features in
a row are values. --as says it instead; --as mask is the best class of each pixel, a PNG of numbers with a palette, or .npy.
With -o FOLDER/ pictures are written as PNG, all else as .npy; a single result may have a file of its own. Up to 16 values are
printed.

Examples:
  rank1 run model.onnx photo.jpg --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --labels classes.txt --save
  rank1 run model.onnx *.jpg --top 1
  rank1 run model.onnx photos/ -o scores/ --resume
  rank1 run upscale.onnx small.png -o large.png
  rank1 run upscale.onnx photo.jpg --tile 256 -o large.png
  rank1 run segment.onnx photo.jpg --as mask --labels classes.txt -o mask.png
  rank1 run detector.onnx photo.jpg --letterbox --bgr --range 0..255 --outputs boxes,scores -o results/
  rank1 run model.onnx --input x=x.npy --input mask=mask.png -o results/
  rank1 run model.onnx photo.jpg --shape input=1x3x480x640 --timings
  rank1 run model.onnx --explain`;

export function addRun(program: Command, signal: AbortSignal, runAll: RunBatch = runBatch): void {
  const command = program
    .command("run")
    .description("run an ONNX model on pictures, or on arrays from .npy files")
    .argument("<model>", "an ONNX file, or - for one on the standard input")
    .argument(
      "[inputs...]",
      "pictures or .npy files, each a run of its own; quoted patterns, folders, s3:// addresses; - is the standard input",
    );
  addOutput(addBatch(addInputOptions(command)), "folder/ or file", "write results there; - is the standard output")
    .addOption(new Option("--as <kind>", "what results are (default: guessed, and said)").choices(kinds))
    .option("--outputs <names>", "results that are wanted, such as boxes,scores: only what they need is computed", parseNames)
    .addOption(rare("--output-range <low..high>", "what is black and white in a picture (default: guessed)").argParser(parseRange)) // biome-ignore format: a line
    .option(
      "--tile <pixels>",
      "pictures of any size: run the model on overlapping tiles (auto: of the size that it declares, or 256)",
      parseTile,
    )
    .option("--top <count>", "how many classes are shown", parseCount, 5);
  addEngineOptions(addModelOptions(command, "the shape of an input in place of the model's"))
    .addOption(threadsOption())
    .option("--explain", "do not run: show what is computed where, and how")
    .option("--timings", "time each stage on one thread: medians of several runs after the first")
    .option("--quiet", "print nothing but errors")
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action((file: string, inputs: string[], flags: Flags) => run(file, inputs, flags, signal, runAll));
}

/** "boxes,scores" */
const parseNames = (text: string): string[] => text.split(",").map((name) => name.trim());

interface Result {
  input: string;
  milliseconds: number;
  /** Of these: what went into compiling for this shape. */
  compiling?: number;
  /** On how many tiles the model ran. */
  tiles?: number;
  /** What pictures became. */
  pictures: Made[];
  outputs: Answer[];
}

async function run(file: string, files: string[], flags: Flags, signal: AbortSignal, runAll: RunBatch): Promise<void> {
  checkInputFlags(file, files, flags);
  checkPrinting(flags);
  checkTile(flags.tile, { ...flags });
  await checkBatch(flags, flags.explain);
  const { output, as, json, explain, input, outputs } = flags;
  const target = output === undefined || explain ? undefined : await targetOf(output, as);
  const inputs = input ? [] : await findInputs(files, flags, await endings(), signal);
  const jobs = input ? [{ input: "", name: "" }] : inputs.map(({ path, name }) => ({ input: path, name }));
  const read = [file, ...inputs.map(({ path }) => path), ...(input?.values() ?? [])];
  await checkFailuresFile(explain ? undefined : await failuresOf(flags), usesOf(file, read, jobs, flags));
  const { settings, beside } = await settingsOf(file, flags);
  const threads = isMany(jobs.length, flags) && !flags.timings ? 1 : flags.threads;
  await withRun({ file, settings, target, flags: { ...flags, threads } }, async (engine, model, perform) => {
    const chosen = await usage(() => chosenOutputs(model, outputs));
    const [missing, ...others] = outputs ? [] : model.missing;
    if (missing) throw new UnsupportedOpError([missing, ...others]);
    const feed = input || inputs[0] ? feedOf(model, settings, inputs[0]?.path, flags) : undefined;
    if (explain) {
      const values = await feed?.({ signal });
      if (!values && !json && openInputs(model.choosing(outputs).inputs).length > 0) {
        const { inspectModel } = await import("../onnx/index.ts");
        const found = inspectModel(model, { partial: true, splits: false });
        return writeStdout(`${inspectionText(nameOf(file), found, { wanted: "what is computed where" })}\n`);
      }
      return writeStdout(`${await explainRun(model, nameOf(file), { inputs: values, outputs }, json)}\n`);
    }
    if (target) await checkTarget(target, chosen, jobs, { inputs: read, ...condition(jobs.length, flags) });
    await runJobs(engine, model, { file, settings, target, flags, inputs, jobs, signal, beside, perform, runAll });
  });
}

/** What a run reads and writes, as far as that is known before the model is. */
function usesOf(file: string, read: readonly string[], jobs: readonly Job[], flags: Flags): Uses {
  const { output = "", labels, externalData: readFolder, force } = flags;
  const others = [labels, listOf(flags), ...(file === "-" ? [] : [sidecarOf(file)])];
  const written = jobs.map(({ name }) => below(output, `${name}.npy`));
  return { folder: output, read: [...read, ...others], readFolder, written, isResult: (name) => /\.(npy|png)(?![^/\\])/i.test(name), force }; // biome-ignore format: a line
}

/** Endings of files in folders that are taken for inputs. */
async function endings(): Promise<readonly string[]> {
  const { pictureFormats } = await import("../node/formats.ts");
  return [...Object.values(pictureFormats).flatMap(({ extensions }): readonly string[] => extensions), ".npy"];
}

/** What is needed to run a model on a file: plain data, which other processes are told. */
interface Setup {
  file: string;
  settings: Settings["settings"];
  target?: Target;
  flags: Flags;
}

type Use = (engine: Engine, model: Model, perform: Perform<Job, Result>) => Promise<void>;

/** Makes an engine and loads the model. */
function withRun({ file, settings, target, flags }: Setup, use: Use): Promise<void> {
  const { threads, wide, top, outputRange: range } = flags;
  return withEngine({ threads, wide }, (engine) =>
    withModel(
      file,
      flags,
      async (model) => {
        const { pictureAxes: axesOf } = await import("../onnx/index.ts");
        const as = target?.as ?? flags.as;
        const options = { as, top, labels: settings.labels, range, only: model.outputs.length === 1, axesOf };
        await use(engine, model, (job, control) => {
          const feed = feedOf(model, settings, job.input === "" ? undefined : job.input, flags);
          const { outputs, tile } = flags;
          return runJob(model, job, { feed, target, options, outputs, tile, settings, control });
        });
      },
      { engine, shapes: flags.shape },
    ),
  );
}

/** In one of several processes: calls `use` with what is done to one file. */
export const openRun = (setup: Setup, use: (perform: Perform<Job, Result>) => Promise<void>): Promise<void> =>
  withRun(setup, (_engine, _model, perform) => use(perform));

/** The outputs with these names, all of them unless some are given. */
function chosenOutputs({ outputs }: Model, names: readonly string[] | undefined): readonly ValueInfo[] {
  const known = outputs.map(({ name }) => name);
  for (const name of names ?? []) checkOneOf("--outputs", name, known);
  return names ? outputs.filter(({ name }) => names.includes(name)) : outputs;
}

function checkPrinting({ output, explain, timings, json }: Flags): void {
  if (explain && timings) throw new UsageError("--timings: expected a run, got --explain");
  if (output !== "-") return;
  const stray = json ? "--json" : timings ? "--timings" : undefined;
  if (stray) throw new UsageError(`${stray}: expected results in files, got -o -`);
}

/** All that is to be done, with what the flags have become. */
interface Task extends Setup {
  inputs: readonly Input[];
  jobs: readonly Job[];
  signal: AbortSignal;
  /** Settings that stand beside the model, and are used. */
  beside?: Settings["beside"];
  perform: Perform<Job, Result>;
  runAll: RunBatch;
}

async function runJobs(engine: Engine, model: Model, task: Task): Promise<void> {
  const { file, settings, target, flags, inputs, jobs, signal, beside, perform, runAll } = task;
  const { json, quiet, threads = 1 } = flags;
  const print = (text: string): Promise<void> | boolean =>
    target?.path === "-" ? process.stderr.write(text) : writeStdout(text);
  const name = nameOf(file);
  const printer = jsonPrinter(() => ({ version: 1, model: name, engine: aboutEngine(engine), settings: beside }), "results"); // biome-ignore format: a line
  let timed: Job | undefined;
  const isHere = flags.timings || file === "-" || jobs.some(({ input }) => input === "-" || input === "");
  const setup = { file, settings, target, flags: { ...flags, threads } } satisfies Setup;
  await runAll<Job, Result>({
    ...{ jobs, inputs, what: "inputs", flags, signal, perform },
    recipe: () => recipeOf(setup),
    setup: isHere ? undefined : { kind: "run", flags: setup, memory: 3 * ((await sizeOf(file)) ?? 0) },
    async report(result, job, each) {
      timed ??= job;
      if (json) await printer.add(result, each);
      else if (!quiet && (each || !target)) await print(`${resultText(result, beside)}\n`);
    },
    async finish(failures) {
      const feed = timed && feedOf(model, settings, timed.input === "" ? undefined : timed.input, flags);
      const timings = flags.timings && feed && !signal.aborted ? await timeTasks(model, await feed({ signal }), flags.outputs, signal) : undefined; // biome-ignore format: a line
      if (json) await printer.finish({ failures, timings });
      else if (timings) await writeStdout(`\n${timingsText(timings)}\n`);
    },
  });
}

const sizeOf = async (file: string): Promise<number | undefined> => (await (await storeOf(file)).stat(file))?.size;

/** A hash of the model and of all that its results depend on besides their input. A model that came through a pipe is new each time. */
async function recipeOf({ file, settings: { labels: _, ...settings }, target, flags }: Setup): Promise<string> {
  const { externalData, ...rest } = flags;
  const parts: (string | Uint8Array)[] = [
    "run",
    version,
    optionsOf({ ...rest, ...settings, as: target?.as ?? flags.as }),
  ];
  parts.push(file === "-" ? `${performance.timeOrigin}` : await readSource(file));
  for await (const { path } of externalData === undefined ? [] : (await storeOf(externalData)).list(externalData))
    parts.push(path.slice(externalData!.length), await hashOfFile(path));
  return hashOf(...parts);
}

const hashOfFile = async (path: string): Promise<string> => hashOf(await readSource(path));

/** How one input is run. */
interface Running {
  feed: Feed;
  target?: Target;
  options: AnswerOptions;
  outputs?: string[];
  tile?: Tile;
  settings: Settings["settings"];
  control: Control;
}

async function runJob(model: Model, job: Job, { feed, target, options, outputs, tile, settings, control }: Running): Promise<Result> {
  const { signal, onProgress } = control;
  const read = (path: string): Promise<Uint8Array> => readAdmitted(control, path, 3);
  try {
    const before = (await model.info()).programs.length;
    const pictures: Made[] = [];
    let [start, found, tiles]: [number, Tiled["answers"], number | undefined] = [performance.now(), [], undefined];
    const bytes = tile !== undefined && job.input !== "" ? await read(job.input) : undefined;
    if (bytes && !isNpy(bytes, job.input)) {
      const file = { name: sourceName(job.input), bytes };
      const tiled = await runByTiles({ model, file, settings, tile: tile!, outputs, options, signal, onProgress });
      pictures.push(tiled.made);
      [found, tiles] = [tiled.answers, tiled.tiles];
    } else {
      const values = await feed({ signal, read: bytes ? async () => bytes : read, tell: (made) => pictures.push(made) });
      start = performance.now();
      const { runTiled } = await import("../onnx/index.ts");
      const hooks = { signal, onProgress, outputs };
      const results = tile === undefined ? await model.run(values, hooks) : await runTiled(model, values, { ...hooks, ...(tile !== "auto" && { tile }) });
      found = Object.entries(results).map(([name, result]) => ({ answer: answerOf(name, result, options), result }));
    }
    const spent = performance.now() - start;
    const { programs } = await model.info();
    const compiling = programs.length > before ? Object.values(programs.at(-1)!.milliseconds).reduce((a, b) => a + b, 0) : undefined;
    for (const { answer, result } of target ? found : []) await writeResult(target!, job, answer, result, control.write);
    return { input: job.input, milliseconds: spent, compiling, tiles, pictures, outputs: found.map(({ answer }) => answer) };
  } catch (error) {
    throw withSizeHint(withTileName(error), model);
  }
} // biome-ignore format: lines

/** An error of sizes that names the option which sets them. */
function withSizeHint(error: unknown, { inputs }: Model): unknown {
  if (error instanceof LimitError && error.parameter.startsWith("node ")) {
    const { parameter, expected, received } = error;
    return new LimitError({
      parameter,
      expected,
      received,
      hint: "--tile 256 runs pictures piece by piece",
      cause: error,
    });
  }
  if (!(error instanceof InvalidArgumentError)) return error;
  const isOpen = inputs.some(({ shape }) => shape?.slice(1).some((side) => typeof side !== "number"));
  const ofInput = error.parameter.startsWith("input ") && error.received.startsWith("[");
  const ofNode = error.parameter.startsWith("node ") && isOpen;
  if (!ofInput && !ofNode) return error;
  const hint = ofInput
    ? "--size WxH is the size of pictures, --shape NAME=SIDES another shape than the model declares"
    : "the model leaves sides open, but may want others, such as multiples of 32: --size WxH";
  const { parameter, expected, received } = error;
  return new InvalidArgumentError({ parameter, expected, received, hint, cause: error });
}

/** The model gets fewer pixels than the picture has. */
const isShrunk = ({ picture, size }: Made): boolean => size.width * size.height < picture.width * picture.height;

function resultText(
  { input, milliseconds: spent, compiling, tiles, pictures, outputs }: Result,
  beside: Settings["beside"],
): string {
  const compiled = compiling === undefined ? "" : ` (${milliseconds(compiling)} of them to compile, once)`;
  const title = [...(input ? [input] : []), milliseconds(spent) + compiled].join("  ");
  const used = beside?.names.filter((name) => pictures.length > 0 || name === "labels") ?? [];
  return [
    title,
    ...pictures.map(
      (made) =>
        `  ${madeText(made, pictures.length > 1)}${tiles === undefined ? "" : `, in ${tiles} tile${tiles > 1 ? "s" : ""}`}`,
    ),
    ...(tiles === undefined && outputs.some(({ as }) => as === "picture") && pictures.some(isShrunk) ? ["  --tile auto runs the model on all pixels, tile by tile"] : []), // biome-ignore format: a line
    ...(used.length > 0 ? [`  ${used.join(", ")} by ${beside!.file}`] : []),
    ...outputs.map(answerText),
  ].join("\n");
}

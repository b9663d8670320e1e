// rank1 run: a model on pictures, or on arrays from .npy files. How they become inputs is in run-input.ts, what is said of
// results in run-answer.ts, where they go in run-files.ts.
import { type Command, Option } from "commander";
import { checkOneOf, InvalidArgumentError, UnsupportedOpError } from "../errors.ts";
import type { Engine } from "../index.ts";
import { writeStdout } from "../node/files.ts";
import type { Model, ValueInfo } from "../onnx/index.ts";
import { checkFailures, parseCount, threadsOption, UsageError, usage } from "./arguments.ts";
import { rare } from "./help.ts";
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
  type InputFlags,
  type Job,
  jobsOf,
  parseRange,
  type Settings,
  settingsOf,
} from "./run-input.ts";
import { type Made, madeText } from "./run-made.ts";
import { milliseconds, progressBar, say } from "./text.ts";

interface Flags extends ModelFlags, EngineFlags, InputFlags, OutputFlags {
  as?: Kind;
  outputs?: string[];
  outputRange?: [number, number];
  top: number;
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
  rank1 run upscale.onnx small.png -o large.png
  rank1 run segment.onnx photo.jpg --as mask --labels classes.txt -o mask.png
  rank1 run detector.onnx photo.jpg --letterbox --bgr --range 0..255 --outputs boxes,scores -o results/
  rank1 run model.onnx --input x=x.npy --input mask=mask.png -o results/
  rank1 run model.onnx photo.jpg --shape input=1x3x480x640 --timings
  rank1 run model.onnx --explain`;

export function addRun(program: Command, signal: AbortSignal): void {
  const command = program
    .command("run")
    .description("run an ONNX model on pictures, or on arrays from .npy files")
    .argument("<model>", "an ONNX file, or - for one on the standard input")
    .argument("[inputs...]", "pictures or .npy files, each a run of its own; - is the standard input");
  addOutput(addInputOptions(command), "folder/ or file", "write results there; - is the standard output")
    .addOption(new Option("--as <kind>", "what results are (default: guessed, and said)").choices(kinds))
    .option("--outputs <names>", "results that are wanted, such as boxes,scores: only what they need is computed", parseNames)
    .addOption(rare("--output-range <low..high>", "what is black and white in a picture (default: guessed)").argParser(parseRange)) // biome-ignore format: a line
    .option("--top <count>", "how many classes are shown", parseCount, 5);
  addEngineOptions(addModelOptions(command, "the shape of an input in place of the model's"))
    .addOption(threadsOption())
    .option("--explain", "do not run: show what is computed where, and how")
    .option("--timings", "time each stage on one thread: medians of several runs after the first")
    .option("--quiet", "print nothing but errors")
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action((file: string, inputs: string[], flags: Flags) => run(file, inputs, flags, signal));
}

/** "boxes,scores" */
const parseNames = (text: string): string[] => text.split(",").map((name) => name.trim());

interface Result {
  input: string;
  milliseconds: number;
  /** Of these: what went into compiling for this shape. */
  compiling?: number;
  /** What pictures became. */
  pictures: Made[];
  outputs: Answer[];
}

async function run(file: string, inputs: string[], flags: Flags, signal: AbortSignal): Promise<void> {
  checkInputFlags(file, inputs, flags);
  checkPrinting(flags);
  const { output, as, threads, wide, json, explain } = flags;
  const target = output === undefined || explain ? undefined : await targetOf(output, as);
  const { settings, beside } = await settingsOf(file, flags);
  await withEngine({ threads, wide }, (engine) =>
    withModel(
      file,
      flags,
      async (model) => {
        const jobs = jobsOf(model, settings, inputs, flags);
        const outputs = flags.outputs;
        const chosen = await usage(() => chosenOutputs(model, outputs));
        const [missing, ...others] = outputs ? [] : model.missing;
        if (missing) throw new UnsupportedOpError([missing, ...others]);
        if (explain) {
          const values = await jobs[0]?.inputs(signal);
          if (!values && !json && openInputs(model.choosing(outputs).inputs).length > 0) {
            const { inspectModel } = await import("../onnx/index.ts");
            const found = inspectModel(model, { partial: true, splits: false });
            return writeStdout(`${inspectionText(nameOf(file), found, { wanted: "what is computed where" })}\n`);
          }
          return writeStdout(`${await explainRun(model, nameOf(file), { inputs: values, outputs }, json)}\n`);
        }
        const read = [file, ...inputs, ...(flags.input?.values() ?? [])];
        if (target) await checkTarget(target, chosen, jobs, { inputs: read, force: flags.force });
        const { pictureAxes: axesOf } = await import("../onnx/index.ts");
        const only = model.outputs.length === 1;
        const options = { as: target?.as ?? as, top: flags.top, labels: settings.labels, range: flags.outputRange, only, axesOf }; // biome-ignore format: a line
        await runJobs(engine, model, nameOf(file), jobs, { target, options, flags, signal, beside });
      },
      { engine, shapes: flags.shape },
    ),
  );
}

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

interface Control {
  target?: Target;
  options: AnswerOptions;
  flags: Flags;
  signal: AbortSignal;
  /** Settings that stand beside the model, and are used. */
  beside?: Settings["beside"];
}

/** All jobs, one after another; where there are several, one that fails does not stop the others. */
async function runJobs(engine: Engine, model: Model, name: string, jobs: readonly Job[], control: Control) {
  const { target, flags, signal, beside } = control;
  const { json, quiet } = flags;
  const print = (text: string): Promise<void> | boolean =>
    target?.path === "-" ? process.stderr.write(text) : writeStdout(text);
  const results: Result[] = [];
  const failures: { input: string; message: string }[] = [];
  for (const [i, job] of jobs.entries()) {
    const label = jobs.length > 1 ? `${job.name} (${i + 1} of ${jobs.length})` : job.name;
    try {
      const result = await runJob(model, job, label, control);
      results.push(result);
      if (!json && !quiet) await print(`${resultText(result, beside)}\n`);
    } catch (error) {
      signal.throwIfAborted();
      if (jobs.length === 1 || error instanceof UsageError) throw error;
      const { message } = error as Error;
      failures.push({ input: job.name, message });
      say(message);
    }
  }
  const timed = jobs.find(({ name }) => results.some(({ input }) => input === name));
  const timings =
    flags.timings && timed ? await timeTasks(model, await timed.inputs(signal), flags.outputs, signal) : undefined;
  if (json) {
    const report = {
      version: 1,
      model: name,
      engine: aboutEngine(engine),
      settings: beside,
      results,
      failures,
      timings,
    };
    await writeStdout(`${JSON.stringify(report, undefined, 2)}\n`);
  } else if (timings) await writeStdout(`\n${timingsText(timings)}\n`);
  checkFailures(failures.length, jobs.length, "inputs");
}

async function runJob(
  model: Model,
  { name, inputs }: Job,
  label: string,
  { target, options, flags, signal }: Control,
): Promise<Result> {
  const progress = progressBar(label, !flags.quiet);
  try {
    const pictures: Made[] = [];
    const values = await inputs(signal, (made) => pictures.push(made));
    const before = (await model.info()).programs.length;
    const start = performance.now();
    const found = await model.run(values, { signal, onProgress: progress.update, outputs: flags.outputs });
    const spent = performance.now() - start;
    progress.clear();
    const { programs } = await model.info();
    const compiling = programs.length > before ? Object.values(programs.at(-1)!.milliseconds).reduce((a, b) => a + b, 0) : undefined; // biome-ignore format: a line
    const outputs = Object.entries(found).map(([name, tensor]) => answerOf(name, tensor, options));
    for (const answer of target ? outputs : []) {
      await writeResult(target!, name, answer, found[answer.name]!, signal);
    }
    return { input: name, milliseconds: spent, compiling, pictures, outputs };
  } catch (error) {
    throw withSizeHint(error, model);
  } finally {
    progress.clear();
  }
}

/** An error of sizes that names the option which sets them. */
function withSizeHint(error: unknown, { inputs }: Model): unknown {
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

function resultText(
  { input, milliseconds: spent, compiling, pictures, outputs }: Result,
  beside: Settings["beside"],
): string {
  const compiled = compiling === undefined ? "" : ` (${milliseconds(compiling)} of them to compile, once)`;
  const title = [...(input ? [input] : []), milliseconds(spent) + compiled].join("  ");
  const used = beside?.names.filter((name) => pictures.length > 0 || name === "labels") ?? [];
  return [
    title,
    ...pictures.map((made) => `  ${madeText(made, pictures.length > 1)}`),
    ...(used.length > 0 ? [`  ${used.join(", ")} by ${beside!.file}`] : []),
    ...outputs.map(answerText),
  ].join("\n");
}

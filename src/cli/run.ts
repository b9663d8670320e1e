// rank1 run: a model on pictures, or on arrays from .npy files. How they become inputs is in run-input.ts, what is said of
// results in run-answer.ts.
import { basename, join } from "node:path";
import type { Command } from "commander";
import type { Engine } from "../index.ts";
import { checkFolder, writeAtomic, writeStdout } from "../node/files.ts";
import { writeNpy } from "../node/npy.ts";
import type { Model } from "../onnx/index.ts";
import { parseCount, UsageError } from "./arguments.ts";
import { addEngineOptions, type EngineFlags, withEngine } from "./engine.ts";
import { addModelOptions, type ModelFlags, withModel } from "./model.ts";
import { type Answer, answerOf, answerText } from "./run-answer.ts";
import { addInputOptions, checkInputFlags, type InputFlags, type Job, jobsOf, settingsOf } from "./run-input.ts";
import { profileModel, profileText } from "./run-profile.ts";
import { milliseconds, progressBar } from "./text.ts";

interface Flags extends ModelFlags, EngineFlags, InputFlags {
  output?: string;
  top: number;
  threads?: number;
  profile?: boolean;
  quiet?: boolean;
  json?: boolean;
}

const examples = `
A picture becomes red, green, blue (or grey) from 0 to 1, less --mean, divided by --std, in the size that the model wants.
--save remembers --size, --mean, --std and --labels in model.onnx.json beside the model; later options go before it.
Results that rank classes are shown so: as they are, and by their softmax unless they are probabilities already.

Examples:
  rank1 run model.onnx --image photo.jpg --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --labels classes.txt --save
  rank1 run model.onnx --image *.jpg --top 1
  rank1 run model.onnx --input x=x.npy --input mask=mask.npy --output results
  rank1 run model.onnx --image photo.jpg --shape input=1x3x480x640 --profile`;

export function addRun(program: Command, signal: AbortSignal): void {
  const command = program
    .command("run")
    .description("run an ONNX model on pictures, or on arrays from .npy files")
    .argument("<model>", "an ONNX file, or - for one on the standard input");
  addInputOptions(command)
    .option("--output <folder>", "write results there as .npy files")
    .option("--top <count>", "how many classes are shown", parseCount, 5);
  addEngineOptions(addModelOptions(command, "the shape of an input in place of the model's"))
    .option("--threads <count>", "threads that work (default: what the machine has)", parseCount)
    .option("--profile", "time each stage on one thread: medians of several runs after the first")
    .option("--quiet", "print nothing but errors")
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action((file: string, flags: Flags) => run(file, flags, signal));
}

interface Result {
  input: string;
  milliseconds: number;
  outputs: Answer[];
}

async function run(file: string, flags: Flags, signal: AbortSignal): Promise<void> {
  checkInputFlags(file, flags);
  const { output, threads, wide, json, quiet } = flags;
  if (output !== undefined) await checkFolder(output, "--output");
  const settings = await settingsOf(file, flags);
  await withEngine({ threads, wide }, (engine) =>
    withModel(
      file,
      flags,
      async (model) => {
        const results: Result[] = [];
        const jobs = jobsOf(model, settings, flags);
        if (output !== undefined) checkFileNames(model, jobs);
        for (const [i, job] of jobs.entries()) {
          const label = jobs.length > 1 ? `${job.name} (${i + 1} of ${jobs.length})` : job.name;
          const result = await runJob(model, job, label, settings.labels, flags, signal);
          results.push(result);
          if (!json && !quiet) await writeStdout(`${resultText(result)}\n`);
        }
        const profile = flags.profile ? await profileModel(model, await jobs[0]!.inputs(signal), signal) : undefined;
        if (json) await writeStdout(`${asJson(file, engine, results, profile)}\n`);
        else if (profile) await writeStdout(`\n${profileText(profile)}\n`);
      },
      { engine, shapes: flags.shape },
    ),
  );
}

async function runJob(
  model: Model,
  { name, inputs }: Job,
  label: string,
  labels: readonly string[] | undefined,
  { quiet, output, top }: Flags,
  signal: AbortSignal,
): Promise<Result> {
  const progress = progressBar(label, !quiet);
  try {
    const values = await inputs(signal);
    const start = performance.now();
    const found = await model.run(values, { signal, onProgress: progress.update });
    const spent = performance.now() - start;
    progress.clear();
    const outputs = Object.entries(found).map(([name, tensor]) => answerOf(name, tensor, top, labels));
    for (const answer of output === undefined ? [] : outputs) {
      answer.file = join(output!, fileName(name, answer.name));
      await writeAtomic(answer.file, writeNpy(found[answer.name]!), signal);
    }
    return { input: name, milliseconds: spent, outputs };
  } finally {
    progress.clear();
  }
}

/** The file for a result of a picture (or of arrays, without a name): nothing in a model's names may lead elsewhere. */
function fileName(picture: string, output: string): string {
  const parts = [...(picture ? [basename(picture)] : []), output.replace(/[^\w.-]+/g, "_").replace(/^\.+/, "_")];
  return `${parts.join(".")}.npy`;
}

/** Results that would be written to one file. */
function checkFileNames({ graph: { outputs } }: Model, jobs: readonly Job[]): void {
  const files = jobs.flatMap((job) => outputs.map(({ name }) => fileName(job.name, name)));
  const twice = files.find((file, i) => files.indexOf(file) < i);
  if (twice !== undefined) throw new UsageError(`--output: expected results of different names, got ${twice} twice`);
}

function resultText({ input, milliseconds: spent, outputs }: Result): string {
  const title = [...(input ? [input] : []), milliseconds(spent)].join("  ");
  return [title, ...outputs.map(answerText)].join("\n");
}

function asJson(file: string, engine: Engine, results: Result[], profile: unknown): string {
  const model = file === "-" ? "model" : basename(file);
  return JSON.stringify({ version: 1, model, engine: engine.info(), results, profile }, undefined, 2);
}

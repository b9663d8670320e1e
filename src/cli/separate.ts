// rank1 separate: a trained model comes back with separable convolutions. Folders of inputs are in calibration.ts, what a
// model is right about in evaluation.ts, the page in separate-page.ts.
import { readFile, rm } from "node:fs/promises";
import { isAbsolute, relative, resolve } from "node:path";
import { type Command, Option } from "commander";
import { makeFoldersFor, readSettings, writeAtomic, writeStdout } from "../node/files.ts";
import { type Sidecar, sidecarOf, writeSidecar } from "../node/model-files.ts";
import type { LossChoice, MachineProfile, Model, Report, SeparateOptions, SeparateStore } from "../onnx/index.ts";
import { plural } from "../words.ts";
import { parseCount, parseNumber, readSource, sourceName, threadsOption, UsageError, usage } from "./arguments.ts";
import { InputFolder } from "./calibration.ts";
import { type Evaluation, evaluate, evaluationText } from "./evaluation.ts";
import { rare } from "./help.ts";
import { missingNames } from "./inspect-page.ts";
import {
  addEngineOptions,
  addModelOptions,
  type EngineFlags,
  type ModelFlags,
  nameOf,
  withEngine,
  withModel,
} from "./open.ts";
import { addForce, checkOutputs, checkStdin, checkTerminal, replaced, writeOutput } from "./output.ts";
import { addPictureOptions, type PictureFlags, settingsOf } from "./run-input.ts";
import { decompositionText, lossLines, separatePage, speedText, timeRows, unchangedText } from "./separate-page.ts";
import { count, number, progressBar, quantity, say, shortName, styled, table } from "./text.ts";

interface Flags extends ModelFlags, EngineFlags, PictureFlags {
  output: string;
  force?: boolean;
  calibrate?: string;
  crops?: number;
  reduce?: number;
  speedup?: number;
  profile?: string;
  tolerance?: number;
  loss?: LossChoice;
  rank?: number;
  tune?: boolean;
  layers?: string;
  eval?: string;
  report?: string;
  seed?: number;
  threads?: number;
  resume?: boolean;
  quiet?: boolean;
  json?: boolean;
}

const goals = ["speedup", "reduce", "tolerance", "rank"] as const;
/** The goal where none is given. */
const usualSpeedup = 1.3;

const examples = `
One of --speedup, --reduce, --tolerance and --rank says how far to go; without, it is --speedup 1.3. With a folder of a few hundred typical
pictures (or .npy arrays; subfolders count) the outputs of the model are what is preserved; without, only its weights are.
No labels are needed: --eval alone reads them, from the names of its subfolders, in alphabetical order.
Settings of pictures are those of "rank1 run", also those that it remembers beside the model.

Examples:
  rank1 separate model.onnx -o fast.onnx --calibrate photos/
  rank1 separate model.onnx -o small.onnx --calibrate photos/ --reduce 2.5 --report report.html
  rank1 separate model.onnx -o small.onnx --calibrate photos/ --reduce 4 --tune
  rank1 separate model.onnx -o fast.onnx --calibrate photos/ --speedup 1.6
  rank1 separate model.onnx -o fast.onnx --calibrate photos/ --speedup 1.6 --profile phone.json
  rank1 separate model.onnx -o same.onnx --tolerance 0
  rank1 separate upscale.onnx -o small.onnx --calibrate photos/ --crops 4 --reduce 3`;

export function addSeparate(program: Command, signal: AbortSignal): void {
  const command = program
    .command("separate")
    .description("rewrite a model's convolutions as separable ones")
    .argument("<model>", "an ONNX file, or - for one on the standard input")
    .requiredOption("-o, --output <file>", "the ONNX file to write; - is the standard output");
  addForce(command)
    .option("--calibrate <folder>", "pictures or .npy arrays that are typical of what the model sees")
    .option(
      "--speedup <factor>",
      "divide the time of a run by this, as measured here on one thread (default: 1.3)",
      parseNumber,
    )
    .option("--reduce <factor>", "divide the multiplications by this", parseNumber)
    .option(
      "--profile <file>",
      'of another machine that --speedup is for, as "rank1 bench --save-profile" wrote it there',
    )
    .option("--tolerance <loss>", "bound what the outputs lose; 0: only what is exact", parseNumber)
    .addOption(
      new Option(
        "--loss <kind>",
        "what outputs lose: divergence of classes (kl) or square error (mse); auto looks at the network",
      ).choices(["auto", "kl", "mse"]),
    )
    .option("--rank <count>", "depthwise separable layers of this depth multiplier", parseCount)
    .option("--tune", "then tune the new layers towards the original's outputs: takes longer, loses less")
    .addOption(rare("--layers <pattern>", "only layers of such names; * stands for anything"))
    .addOption(
      rare("--crops <count>", "take so many pieces of larger pictures instead of resizing them").argParser(parseCount),
    )
    .option("--eval <folder>", "labelled pictures, one subfolder a class: prints accuracy before and after")
    .option("--report <file>", "write a page about what was done")
    .option("--resume", "go on from where one was stopped: from <output>.part")
    .addOption(rare("--seed <number>", "of all that is random (default: 0)").argParser(parseNumber));
  addEngineOptions(addModelOptions(addPictureOptions(command), "the shape of an input in place of the model's"))
    .addOption(threadsOption())
    .option("--quiet", "print nothing but errors")
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action((file: string, flags: Flags) => separate(file, flags, signal));
}

async function separate(file: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const { threads, wide } = flags;
  checkFlags(file, flags);
  const { settings } = await settingsOf(file, flags);
  await checkFiles(file, settings, flags);
  const profile = flags.profile === undefined ? undefined : await readProfile(flags.profile);
  await withEngine({ threads, wide }, (engine) =>
    withModel(
      file,
      flags,
      async (model) => {
        const open = (folder: string, option: string, crops?: number) =>
          InputFolder.open(model, folder, option, { settings, crops, signal });
        const calibration =
          flags.calibrate === undefined ? undefined : await open(flags.calibrate, "--calibrate", flags.crops);
        const labelled = flags.eval === undefined ? undefined : await open(flags.eval, "--eval");
        const store =
          flags.output === "-" ? undefined : partOf(flags.output, flags.resume === true, flags.force === true);
        const found = await run(model, { ...flags, calibration, profile, store, signal }).catch(async (error) => {
          if (!signal.aborted) await store?.remove();
          else if (store) say(`stopped: --resume goes on from ${partName(flags.output)}`);
          throw error;
        });
        try {
          const evaluation = labelled && (await evaluate(model, found.model, labelled, flags.eval!));
          await writeFiles(nameOf(file), { ...found, evaluation, settings }, flags, signal);
          await store?.remove();
          for (const [name, why] of [...(calibration?.skipped ?? []), ...(labelled?.skipped ?? [])])
            say(`left out: ${name}: ${why}`);
          await print(nameOf(file), found.report, evaluation, flags);
        } finally {
          found.model.dispose();
        }
      },
      { engine, shapes: flags.shape },
    ),
  );
}

/** Checks the options before any file is read. */
function checkFlags(file: string, flags: Flags): void {
  const given = goals.filter((goal) => flags[goal] !== undefined).map((goal) => `--${goal}`);
  if (given.length > 1) {
    throw new UsageError(`${given[0]}: expected one of --${goals.join(", --")}, got ${given.join(" and ")}`);
  }
  if (flags.crops !== undefined && flags.calibrate === undefined) {
    throw new UsageError("--crops: expected pictures by --calibrate, of which it is an option, got none");
  }
  checkStdin([["the model", file], ["--profile", flags.profile]]); // biome-ignore format: a line
  checkTerminal(flags.output);
  if (flags.resume && flags.output === "-") throw new UsageError("--resume: expected a file as -o, got -");
  const printed = flags.output === "-" ? "-o" : "--report";
  if (flags.json && (flags.output === "-" || flags.report === "-")) {
    throw new UsageError(`${printed}: expected a file beside --json, got -`);
  }
}

/** The files that are written, the settings beside the model among them, and what is kept on the way. */
async function checkFiles(file: string, settings: Sidecar, flags: Flags): Promise<void> {
  const { output, report, force, resume, profile } = flags;
  const sidecar = hasSettings(settings) && output !== "-" ? sidecarOf(output) : undefined;
  const inputs = [file, ...(profile === undefined ? [] : [profile])];
  await checkOutputs([output, report, sidecar], { inputs, force });
  for (const path of [output, report, sidecar]) {
    if (path !== undefined && path !== "-") checkNotBelow(path, flags);
  }
  if (output === "-") return;
  const part = partName(output);
  if (report !== undefined && resolve(report) === resolve(part))
    throw new UsageError(`--report: expected another name than that of what is kept on the way, got ${report}`);
  // What a run that was stopped has found took long to find.
  const hint = "--resume goes on from it, --force begins anew";
  if (!resume) await checkOutputs([part], { inputs, force, hint });
}

/** Files of a folder that is read are not written, nor are others beside them. */
function checkNotBelow(path: string, { calibrate, eval: labelled }: Flags): void {
  for (const [option, folder] of [
    ["--calibrate", calibrate],
    ["--eval", labelled],
  ] as const) {
    if (folder === undefined) continue;
    const from = relative(resolve(folder), resolve(path));
    if (from === "" || from.startsWith("..") || isAbsolute(from)) continue;
    throw new UsageError(`${path}: expected a file outside of the folder of ${option}, which is read, got one in it`);
  }
}

/** What is found on the way stands beside the output; how its text begins. */
const begin = '{"version":';
const partName = (output: string): string => `${output}.part`;

const hasSettings = (settings: Sidecar): boolean => Object.values(settings).some((value) => value !== undefined);

const readProfile = async (file: string): Promise<MachineProfile> =>
  (await readSettings(sourceName(file), () => readSource(file))) as unknown as MachineProfile;

/** What is found on the way, in a file beside the output; where one was stopped, that is read again by --resume alone. */
function partOf(output: string, resumed: boolean, forced: boolean): SeparateStore & { remove(): Promise<void> } {
  const path = partName(output);
  let [isWritten, isAnothers] = [false, false];
  let known: string | undefined;
  return {
    async read() {
      if (!resumed) return undefined;
      try {
        const text = await readFile(path, "utf8");
        known = runOf(text);
        isAnothers = known === undefined && !text.startsWith(begin) && !forced;
        if (isAnothers)
          throw new UsageError(`${path}: expected what a run that was stopped has kept, got another file; ${replaced}`);
        if (known === undefined) say(`--resume: ${path} is cut off, so this begins anew`);
        return text;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
        say(`--resume: there is no ${path}, so this begins anew`);
        return undefined;
      }
    },
    async write(text) {
      if (known !== undefined && known !== runOf(text)) {
        isAnothers = true;
        const expected = "what was found for this model, these inputs and options of this kind";
        throw new UsageError(
          `--resume: ${path}: expected ${expected}, got another's; without --resume, --force begins anew`,
        );
      }
      if (!isWritten) await makeFoldersFor(path);
      isWritten = true;
      await writeAtomic(path, text);
    },
    remove: () => ((isWritten || resumed) && !isAnothers ? rm(path, { force: true }) : Promise.resolve()),
  };
}

/** For what a text holds what was found; undefined where it is none of that. */
function runOf(text: string): string | undefined {
  try {
    return String((JSON.parse(text) as { of?: string }).of ?? "") || undefined;
  } catch {
    return undefined;
  }
}

interface Separated {
  model: Model;
  report: Report;
  evaluation?: Evaluation;
  settings: Sidecar;
}

async function writeFiles(
  name: string,
  { model, report, evaluation, settings }: Separated,
  { output, report: page }: Flags,
  signal: AbortSignal,
): Promise<void> {
  const { saveModel } = await import("../onnx/index.ts");
  const bytes = saveModel(model);
  await writeOutput(output, bytes, signal);
  if (output !== "-") await checkWritten(output, bytes);
  if (hasSettings(settings) && output !== "-") await writeSidecar(output, settings);
  if (page !== undefined) await writeOutput(page, separatePage(name, report, evaluation), signal);
}

/** What was compared with the network before is what lies in the file. */
async function checkWritten(output: string, bytes: Uint8Array): Promise<void> {
  if (Buffer.compare(await readSource(output), bytes) === 0) return;
  throw new Error(`${output}: expected the ${bytes.length} bytes that were written, got others: is the disk full?`);
}

/** The table, as text or JSON; where the standard output holds a file, it goes to the standard error. */
async function print(name: string, report: Report, evaluation: Evaluation | undefined, flags: Flags): Promise<void> {
  const { output, json, quiet } = flags;
  if (json) return writeStdout(`${JSON.stringify({ version: 1, ...report, evaluation }, undefined, 2)}\n`);
  if (quiet) return;
  const text = `${reportText(name, output, report, evaluation)}\n`;
  if (output === "-" || flags.report === "-") process.stderr.write(text);
  else await writeStdout(text);
}

async function run(
  model: Model,
  { quiet, ...given }: Pick<Flags, "quiet"> & SeparateOptions,
): Promise<{ model: Model; report: Report }> {
  const { separateModel } = await import("../onnx/index.ts");
  const start = performance.now();
  let [progress, said] = [progressBar("", false), ""];
  const onProgress = (done: number, what: string): void => {
    const left =
      done > 0.05 ? `, about ${Math.ceil(((performance.now() - start) / 1000) * (1 / done - 1))} s left` : "";
    if (what + left !== said) progress = progressBar(what + left, !quiet);
    said = what + left;
    progress.update(done);
  };
  const { calibration, loss, reduce, profile, tolerance, rank, tune, layers, seed, store, signal } = given;
  const speedup = goals.some((goal) => given[goal] !== undefined) ? given.speedup : usualSpeedup;
  const goal = { reduce, speedup, profile, tolerance, rank };
  const options = { calibration, loss, ...goal, tune, layers, seed, store, onProgress, signal };
  try {
    return await usage(() => separateModel(model, options));
  } finally {
    progress.clear();
  }
}

const right = ["multiplications", "after", "÷", "loss alone"];
const timeColumns = ["before", "after", "so it is"];

function reportText(name: string, output: string, report: Report, evaluation: Evaluation | undefined): string {
  const { layers, totals, reached, goal, samples, seconds, missing, difference, assumed, outputs } = report;
  const rows = layers.map(({ name: layer, weight, decomposition, rank, multiplications: { before, after }, loss }) => [
    ...[shortName(layer), weight.join(" × "), decomposition ? decompositionText(decomposition, rank!) : "as it is"],
    ...[quantity(before), decomposition ? quantity(after) : "", decomposition ? number(before / after, 3) : ""],
    loss === undefined ? "" : number(loss, 2),
  ]);
  const { multiplications, parameters } = totals;
  const { times, planned, tuned } = reached;
  const missed = `the goal of --${goal.kind} ${goal.value} was missed: this is the nearest found`;
  return [
    `${styled("bold", name)} → ${output}${samples ? `, fitted to ${plural(samples, "input", count)}` : ", by its weights alone"}, in ${number(seconds, 3)} s`,
    "",
    table(["layer", "weight", "becomes", ...right], rows, right),
    "",
    `multiplications  ${quantity(multiplications.before)} → ${quantity(multiplications.after)} (${number(reached.reduction, 3)} × fewer)`,
    `parameters       ${quantity(parameters.before)} → ${quantity(parameters.after)}`,
    ...(planned ? [`on ${planned.for}  ${speedText(planned.speedup)}, as planned`] : []),
    ...lossLines(report).map(([what, text]) => `${what.padEnd(16)} ${text}`),
    ...outputs.flatMap(({ temperature }) =>
      temperature === undefined
        ? []
        : [`scores           divided by ${number(temperature, 3)}: no more sure than they should be`],
    ),
    ...(tuned ? [`before tuning    ${number(tuned.before, 3)}`] : []),
    `checked          the file, loaded again, gives the same outputs (within ${number(difference, 1)} of the largest)`,
    ...(evaluation ? [evaluationText(evaluation)] : []),
    ...[unchangedText(report)].filter((text) => text !== undefined),
    ...(missing.length > 0 ? ["", ...leftText(missing)] : []),
    ...(times ? ["", table(["a run of", "before", "after", "so it is"], timeRows(times), timeColumns)] : []),
    ...Object.entries(assumed).map(
      ([input, sides]) =>
        `figures are for ${input} of ${sides.join("x")}, which the model leaves open: --shape says others`,
    ),
    ...(reached.met ? [] : ["", missed]),
  ].join("\n");
}

const leftText = (missing: Report["missing"]): string[] => [
  `${missingNames(missing)}: not computed by rank1, so that these nodes and what depends on`,
  "them stay as they are. Figures are of the part before them; another runtime runs the whole file.",
];

// rank1 bench: times this machine's kernels against its peaks and against the predictions.
import { availableParallelism, cpus } from "node:os";
import { type Command, Option } from "commander";
import type { EngineInfo } from "../index.ts";
import { settingsText, writeStdout } from "../node/files.ts";
import { wisdomFile, writeVerdicts } from "../node/wisdom.ts";
import { plural } from "../words.ts";
import { parseCount, parseSides, UsageError } from "./arguments.ts";
import {
  type Control,
  calibrate,
  type KernelReport,
  type Measurements,
  measureAll,
  type ProblemReport,
} from "./bench-measure.ts";
import { rare } from "./help.ts";
import { addEngineOptions, type EngineFlags, withEngine } from "./open.ts";
import { addForce, checkOutputs, writeOutput } from "./output.ts";
import { number, progressBar, styled, table } from "./text.ts";

interface Flags extends EngineFlags {
  size: { width: number; height: number };
  threads: number;
  why?: boolean;
  learn?: boolean;
  saveProfile?: string;
  force?: boolean;
  json?: boolean;
}

const notes = `
Each line in bold is a whole call, copies in and out included; below it stand its kernels, each alone on one strip that
stays in the cache, on one thread. Times are the least of many runs.

of peak: of the three that bind (arithmetic in registers, loads from the second-level cache, memory), the one that needs
  most, at the peak that small generated loops reach on this machine: what it needs over the time taken.
measured / predicted: only how the predictions for several plans compare decides; a factor that all have in common
  does not matter.
--why: for one value of the result. 1 multiplication is 1 multiply-accumulate (2 FLOP).

--learn tries the 256-bit kernels that filters commonly need against their 128-bit twins and keeps the verdicts in
wisdom.json in the user's cache folder (RANK1_CACHE names another), for this version of rank1, runtime and processor.
Every command does so for the kernels that it runs; known ones make its start quicker. Results never change.

--save-profile writes what the layers of networks take on this machine, for "rank1 separate --speedup --profile" on another one.

Examples:
  rank1 bench
  rank1 bench --why --no-wide
  rank1 bench --size 4000x3000 --threads 2
  rank1 bench --json | jq '.problems[] | [.filter, .milliseconds]'
  rank1 bench --learn
  rank1 bench --save-profile laptop.json`;

export function addBench(program: Command, signal: AbortSignal): void {
  const command = program
    .command("bench")
    .description("time this machine's kernels against its peaks and against the predictions")
    .addOption(
      new Option("--size <WxH>", "size of the pictures")
        .argParser(parseSides)
        .default({ width: 1920, height: 1080 }, "1920x1080"),
    )
    .option("--why", "show multiplications, additions and loads per value, and the kernels' names")
    .addOption(
      new Option(
        "--save-profile <file>",
        "write what layers of networks take here, for rank1 separate; - prints it",
      ).conflicts(["size", "threads", "why", "learn"]),
    )
    .addOption(
      rare("--learn", "learn what there is to learn about this machine, and keep it").conflicts([
        "size",
        "threads",
        "why",
      ]),
    )
    .addOption(rare("--threads <count>", "threads that work on whole calls").argParser(parseCount).default(1));
  addEngineOptions(addForce(command))
    .option("--json", "print JSON")
    .addHelpText("after", notes)
    .action((flags: Flags) => bench(flags, signal));
}

async function bench(flags: Flags, signal: AbortSignal): Promise<void> {
  if (flags.learn) return keepVerdicts(flags, signal);
  if (flags.saveProfile !== undefined) return keepProfile(flags.saveProfile, flags, signal);
  const report = await withEngine({ backend: "wasm", threads: flags.threads, wide: flags.wide }, async (engine) => {
    const measured = await withProgress("measuring", signal, (control) => measureAll(engine, flags.size, control));
    return { version: 1, processor: processor(), node: process.version, engine: engine.info(), ...measured };
  });
  await writeStdout(`${flags.json ? JSON.stringify(report, undefined, 2) : textOf(report, flags.why === true)}\n`);
}

async function keepVerdicts({ wide, json }: Flags, signal: AbortSignal): Promise<void> {
  if (!wide) throw new UsageError("--learn: expected an engine with 256-bit vectors, got --no-wide");
  if (!(await writeVerdicts({}))) {
    throw new Error(`${wisdomFile()}: expected a file that can be written (RANK1_CACHE names another folder)`);
  }
  const learnt = await withEngine({ backend: "wasm", threads: 1, wide }, async (engine) => {
    if (engine.info().wide.enabled) await withProgress("calibrating", signal, (control) => calibrate(engine, control));
    return engine.info().wide;
  });
  if (json) return writeStdout(`${JSON.stringify({ version: 1, file: wisdomFile(), ...learnt }, undefined, 2)}\n`);
  const narrow = Object.entries(learnt.verdicts).filter(([, verdict]) => verdict !== "wide");
  const count = Object.keys(learnt.verdicts).length;
  const text = learnt.enabled
    ? `${plural(count, "kernel")}, ${narrow.length} of which ${narrow.length === 1 ? "stays" : "stay"} narrow; kept in ${wisdomFile()}`
    : `nothing to learn: no 256-bit vectors here (${learnt.reason})`;
  await writeStdout(`${[text, ...narrow.map(([kernel, verdict]) => `  ${kernel}: ${verdict}`)].join("\n")}\n`);
}

async function keepProfile(file: string, { wide, force, json }: Flags, signal: AbortSignal): Promise<void> {
  if (json && file === "-") throw new UsageError("--save-profile: expected a file beside --json, got -");
  await checkOutputs([file], { force });
  const { measureProfile } = await import("../onnx/index.ts");
  const profile = await withEngine({ backend: "wasm", threads: 1, wide }, (engine) => {
    const bits = engine.info().wide.enabled ? 256 : 128;
    const name = `${processor().model}, Node ${process.version}, ${bits} bits`;
    return withProgress("measuring", signal, (control) => measureProfile(engine, { name, ...control }));
  });
  await writeOutput(file, settingsText(profile), signal);
  if (file === "-") return;
  const figures = Object.entries(profile).flatMap(([rate, figure]) => (rate === "name" ? [] : [`${rate} ${figure}`]));
  await writeStdout(
    json
      ? `${JSON.stringify({ version: 1, file, ...profile }, undefined, 2)}\n`
      : `${file}: nanoseconds: ${figures.join(", ")}\n`,
  );
}

const processor = () => ({ model: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism() });

async function withProgress<T>(label: string, signal: AbortSignal, work: (control: Control) => Promise<T>): Promise<T> {
  const progress = progressBar(label, true);
  try {
    return await work({ signal, onProgress: progress.update });
  } finally {
    progress.clear();
  }
}

type Report = Measurements & { engine: EngineInfo; processor: { model: string; cores: number }; node: string };

function textOf(report: Report, why: boolean): string {
  const { processor, node, engine, peaks, width, height, problems } = report;
  const code = engine.wide.enabled ? "256-bit code" : `128-bit code (${engine.wide.reason})`;
  const { f32, i16, i32, fixed } = peaks.multiplications;
  const right = ["ms", "predicted", "measured / predicted", "of peak", "multiplications", "additions", "loads"];
  const header = ["", ...right.slice(0, 4), "binds", ...(why ? [...right.slice(4), "kernel"] : [])];
  const rows = problems.flatMap((problem) => [
    [styled("bold", titleOf(problem)), ...cells(problem), ...(why ? ["", "", "", problem.solver] : [])],
    ...problem.kernels.map((kernel) => [`  ${kernel.step}`, ...cells(kernel), ...(why ? workOf(kernel) : [])]),
  ]);
  const ratios = problems.map(ratioOf).sort((a, b) => a - b);
  const common = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  return [
    `${processor.model}, ${plural(processor.cores, "core")}, Node ${node}, ${code}, ${plural(engine.threads, "thread")}; ${width} x ${height} u8`,
    `At most, on one thread: ${number(f32, 3)} (f32), ${number(i32, 3)} (i32), ${number(i16, 3)} (i16), ${number(fixed, 3)} (fixed) multiplications and ` +
      `${number(peaks.additions, 3)} additions a nanosecond; ${number(peaks.cache, 3)} GB/s from the cache, ` +
      `${number(peaks.memory, 3)} GB/s in memory.`,
    "",
    table(header, rows, right),
    "",
    `Whole calls take ${number(common, 2)} times as long as predicted (geometric mean; from ${number(ratios[0]!, 2)} to ${number(ratios.at(-1)!, 2)}): ` +
      "predictions are for the built-in profile's machine.",
  ].join("\n");
}

function titleOf({ filter, tolerance, channels }: ProblemReport): string {
  return `${filter}${tolerance > 0 ? ` --tolerance ${tolerance}` : ""}, ${channels === 1 ? "grey" : "RGBA"}`;
}

type Measured = Pick<ProblemReport, "milliseconds" | "predictedMilliseconds" | "share" | "bound">;

const ratioOf = ({ milliseconds, predictedMilliseconds }: Measured): number => milliseconds / predictedMilliseconds;

function cells(measured: Measured): string[] {
  const { milliseconds, predictedMilliseconds, share, bound } = measured;
  const ratio = ratioOf(measured).toFixed(2);
  return [number(milliseconds, 3), number(predictedMilliseconds, 3), ratio, `${(100 * share).toFixed(0)} %`, bound];
}

function workOf({ multiplications, additions, loads, kernel }: KernelReport): string[] {
  return [...[multiplications, additions, loads].map((count) => number(count, 3)), kernel];
}

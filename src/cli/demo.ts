// rank1 demo: a tour of filters of low and high rank and of a layer, printed as it goes, with pictures and a page.
import { cpus } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { examples } from "../../demo/examples.ts";
import { type Inputs, inputFiles, readInputs, renderInputs, type Shot } from "../../demo/inputs.ts";
import { layerExample, layerLines } from "../../demo/layer.ts";
import { type ModelExample, modelFiles, modelLines, separateExample } from "../../demo/model.ts";
import { type Chapter, demoPage, type EmbeddedShot } from "../../demo/page.ts";
import { type Trial, tryOut } from "../../demo/tour.ts";
import type { Engine, EngineInfo } from "../index.ts";
import { encodePicture } from "../node/encode.ts";
import { writeStdout } from "../node/files.ts";
import { plural } from "../words.ts";
import { readSource, sourceName, UsageError } from "./arguments.ts";
import { addEngineOptions, type EngineFlags, withEngine } from "./open.ts";
import { addForce, checkOutputs, writeOutput } from "./output.ts";
import { milliseconds, progressBar, styled } from "./text.ts";

interface Flags extends EngineFlags {
  image?: string;
  output: string;
  force?: boolean;
  model?: boolean;
  json?: boolean;
  quiet?: boolean;
}

const pageFile = "index.html";

export function addDemo(program: Command, signal: AbortSignal): void {
  const command = program
    .command("demo")
    .description("take a tour of filters and a layer: factors, plans, times and pictures, as text and as a page")
    .option("--image <file>", "your own picture in place of the rendered ones (made 768 pixels a side at most)")
    .option("--model", "also separate a bundled network: about a minute")
    .option("-o, --output <folder/>", "where the pictures and index.html go", "rank1-demo/");
  addEngineOptions(addForce(command))
    .option("--quiet", "print nothing but errors")
    .option("--json", "print the tour as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  rank1 demo\n  rank1 demo --model --force\n  rank1 demo --image photo.jpg -o photo-demo/",
    )
    .action((flags: Flags) => demo(flags, signal));
}

async function demo(flags: Flags, signal: AbortSignal): Promise<void> {
  await checkTargets(flags);
  await withEngine({ wide: flags.wide }, (engine) => tour(engine, flags, signal));
}

async function tour(engine: Engine, { image, output, model, json, quiet }: Flags, signal: AbortSignal): Promise<void> {
  const print = async (lines: string[]): Promise<void> => {
    if (!quiet && !json) await writeStdout(`${lines.join("\n")}\n`);
  };
  const progress = progressBar("filtering", !quiet);
  try {
    const given =
      image === undefined
        ? undefined
        : await readInputs({ name: sourceName(image), bytes: await readSource(image, signal) }, signal);
    await print(introduction(engine.info(), image));
    const inputs = given ?? (await renderInputs(signal));
    const befores = await saveInputs(inputs, output, signal);
    const chapters: Chapter[] = [];
    for (const [i, example] of examples.entries()) {
      progress.update(i / examples.length);
      const findings = await tryOut(engine, example, inputs, signal);
      const after = await Promise.all(findings.after.map((shot) => save(shot, output, signal)));
      const chapter: Chapter = { ...findings, before: befores.get(findings.before)!, after };
      chapters.push(chapter);
      progress.clear();
      await print(lines(chapter));
    }
    await print(layerLines());
    const separated = model
      ? await separateExample(engine, output, progressBar("separating", !quiet), signal)
      : undefined;
    await print(
      separated ? modelLines(separated) : ["", "rank1 demo --model --force also separates a bundled network."],
    );
    const page = join(output, pageFile);
    await writeOutput(page, demoPage(chapters, machineOf(engine.info()), image), signal);
    await print(["", `Open ${styled("bold", page)} in a browser to see it all.`]);
    if (json && !quiet) await writeStdout(`${asJson(page, engine.info(), chapters, separated)}\n`);
  } finally {
    progress.clear();
  }
}

/** Checks all that can be checked before work begins. */
async function checkTargets({ output: folder, image, model, force }: Flags): Promise<void> {
  if (folder === "-") throw new UsageError("-o: expected a folder, got -");
  const inputs = image === undefined ? [inputFiles.scene, inputFiles.chart] : [inputFiles.given];
  const files = [...inputs, ...examples.flatMap(({ views }) => views.map(({ file }) => file)), pageFile];
  if (model) files.push(modelFiles.before, modelFiles.after);
  const paths = files.map((file) => join(folder, file));
  await checkOutputs(paths, { inputs: image === undefined ? [] : [image], force });
}

async function saveInputs(inputs: Inputs, folder: string, signal: AbortSignal): Promise<Map<Shot, EmbeddedShot>> {
  const saved = [...new Set([inputs.scene, inputs.chart])].map(async (shot) => {
    return [shot, await save(shot, folder, signal)] as const;
  });
  return new Map(await Promise.all(saved));
}

async function save({ picture, ...view }: Shot, folder: string, signal: AbortSignal): Promise<EmbeddedShot> {
  const { width, height } = picture;
  const png = await encodePicture(picture, "png");
  const webp = await encodePicture(picture, "webp", { quality: 82 });
  await writeOutput(join(folder, view.file), png, signal);
  return { ...view, width, height, webp };
}

const machineOf = ({ backend, threads }: EngineInfo) => ({
  ...{ backend, threads },
  processor: cpus()[0]?.model ?? process.arch,
  node: process.version,
});

function introduction({ backend, threads }: EngineInfo, image: string | undefined): string[] {
  const on = image === undefined ? "a painted scene and a test chart" : image;
  return [
    `A filter of rank r is a sum of r columns ⊗ rows: k · k multiplications become r · 2k.`,
    `${plural(examples.length, "filter")} on ${on}; ${backend}, ${plural(threads, "thread")}, times of warm runs:`,
  ];
}

/** An example in two lines and a blank one before. */
function lines({ example, exact, factors, chosen, rejected, after }: Chapter): string[] {
  const { direct, separable } = factors.multiplications;
  const rank = factors.rank < exact.rank ? `${factors.rank} of ${plural(exact.rank, "term")}` : `rank ${exact.rank}`;
  const { tolerance } = example.options;
  const name = tolerance ? `${example.filter} --tolerance ${tolerance}` : example.filter;
  const others = rejected.length > 0 ? ` (${rejected.slice(0, 2).map(timed).join(", ")})` : "";
  return [
    "",
    `${styled("bold", name)}  ${exact.kh} × ${exact.kw}, ${rank}: ${direct} → ${separable} multiplications a value`,
    `  ${styled("cyan", timed(chosen))}${others} → ${after.map(({ file }) => file).join(", ")}`,
  ];
}

const timed = ({ plan: { solver, error }, milliseconds: ms }: Trial): string =>
  `${solver}${error.relative > 0 ? ", approximate," : ""} ${ms === undefined ? "not timed" : milliseconds(ms)}`;

function asJson(
  page: string,
  engine: EngineInfo,
  chapters: readonly Chapter[],
  model: ModelExample | undefined,
): string {
  const trial = ({ plan, milliseconds: ms }: Trial) => {
    const values = plan.problem.y.shape.reduce((product, side) => product * side, 1);
    const { solver, summary, cost, error } = plan;
    return {
      ...{ solver, summary, multiplications: cost.multiplications / values, error: error.relative },
      milliseconds: ms ?? null,
    };
  };
  const filters = chapters.map(({ example, exact, factors, chosen, rejected, before, after }) => ({
    ...{ filter: example.filter, options: example.options, kh: exact.kh, kw: exact.kw, exactRank: exact.rank },
    ...{ rank: factors.rank, error: factors.error, multiplications: factors.multiplications },
    ...{ plan: trial(chosen), rejected: rejected.map(trial) },
    ...{ before: before.file, after: after.map(({ file }) => file) },
  }));
  return JSON.stringify({ version: 1, page, engine, filters, layer: layerExample, model }, undefined, 2);
}

// rank1 inspect: the layers of a model, what they cost, and how well they could be separated; as a table or as a page.
import { type Command, InvalidArgumentError as CommanderError } from "commander";
import { writeStdout } from "../node/files.ts";
import type { Forecast, Inspection, Layer, Model } from "../onnx/index.ts";
import { plural } from "../words.ts";
import { parseNumber, UsageError } from "./arguments.ts";
import { rare } from "./help.ts";
import { kindText, missingNames, modelPage, percent, sides } from "./inspect-page.ts";
import { addModelOptions, type ModelFlags, nameOf, type Shapes, shapeOption, withModel } from "./open.ts";
import { addForce, checkOutputs, writeOutput } from "./output.ts";
import { bar, harmless, number, quantity, shortName, styled, table } from "./text.ts";

interface Flags extends ModelFlags {
  share: number;
  all?: boolean;
  html?: string;
  force?: boolean;
  json?: boolean;
}

export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .description("list the layers of an ONNX model: shapes, parameters, multiplications, and what splitting them loses")
    .argument("<model>", "an ONNX file, or - for one on the standard input");
  command
    .option("--all", "list layers without multiplications, too")
    .option("--html <file>", "write a page with the table in place of printing it; - prints the page");
  addModelOptions(addForce(command), "sides that the model leaves open")
    .addOption(
      rare("--share <number>", "the share of its multiplications for which a layer's splits are estimated")
        .argParser(parseShare)
        .default(0.5),
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  rank1 inspect model.onnx\n  rank1 inspect model.onnx --html model.html\n  rank1 inspect model.onnx --shape input=1x3x480x640",
    )
    .action(inspect);
}

function parseShare(text: string): number {
  const share = parseNumber(text);
  if (share > 0 && share <= 1) return share;
  throw new CommanderError("Expected a number above 0 and of at most 1.");
}

async function inspect(file: string, { shape, share, all, html, force, json, ...flags }: Flags): Promise<void> {
  if (html === "-" && json) throw new UsageError("--html: expected a file beside --json, got -");
  await checkOutputs([html], { inputs: [file], force });
  const { inspectModel } = await import("../onnx/index.ts"); // other commands start without it
  const [found, forecast] = await withModel(file, flags, async (model) => {
    const found = inspectModel(model, { shapes: shape, share, partial: true });
    return [found, found.open.length > 0 || html === "-" ? undefined : await forecastOf(model, shape)] as const;
  });
  const name = nameOf(file);
  if (html !== undefined) await writeOutput(html, modelPage(name, found, share));
  if (json)
    await writeStdout(`${JSON.stringify({ version: 1, model: name, share, ...found, forecast }, undefined, 2)}\n`);
  else if (html === undefined)
    await writeStdout(`${inspectionText(name, found, { share, all })}\n${forecastText(forecast)}`);
}

/** What separating would give; undefined of a model that cannot be run. */
async function forecastOf(model: Model, shapes: Shapes | undefined): Promise<Forecast | undefined> {
  const { forecastSeparation, Rank1Error } = await import("../onnx/index.ts");
  return forecastSeparation(model, { shapes }).catch((error: unknown) => {
    if (error instanceof Rank1Error) return undefined;
    throw error;
  });
}

/** A speedup that is worth a word. */
const leastGain = 1.02;

/** "÷2 would give about 1.2 × here; 77 % of the multiplications are in depthwise or pointwise layers already." */
function forecastText(forecast: Forecast | undefined): string {
  if (!forecast) return "";
  const { reduction, speedup, measured, thin, layers } = forecast;
  const already =
    thin > 0.005
      ? `${number(100 * thin, 2)} % of the multiplications are in depthwise or pointwise layers already`
      : "";
  const cut = `÷${number(reduction, 2)}`;
  const gain = `${cut} would give about ${number(speedup, 2)} × here${measured ? "" : ", as planned"}`;
  const none = layers > 0 ? `${cut} would save no time here` : "separating would save no time here";
  const [first, ...others] = [layers > 0 && speedup >= leastGain ? gain : none, already].filter(Boolean);
  return `\n${[first, ...others].join("; ")}\n`;
}

const right = ["parameters", "multiplications"];

interface TextOptions {
  share?: number;
  /** Layers without multiplications are listed, too. */
  all?: boolean;
  /** What shapes of open inputs are wanted for. */
  wanted?: string;
}

/** The table. Where inputs are open it lists what has parameters, and says which option gives the rest. */
export function inspectionText(
  name: string,
  { producer, opset, inputs, outputs, layers, totals, missing, open }: Inspection,
  { share = 0.5, all = false, wanted = "figures" }: TextOptions = {},
): string {
  const isOpen = open.length > 0;
  const listed = layers.filter((one) => all || one.multiplications > 0 || (isOpen && one.parameters > 0));
  const values = [
    ...inputs.map((info) => ["input", info] as const),
    ...outputs.map((info) => ["output", info] as const),
  ];
  const largest = Math.max(...layers.map((layer) => layer.multiplications));
  const loss = `loss at ${number(share, 3)}`;
  const rows = listed.map((layer) => row(layer, totals.multiplications, largest));
  const others = layers.length - listed.length;
  const unknown = layers.filter((layer) => layer.outputs.length === 0).length;
  const figures = isOpen ? "" : `, ${plural(totals.multiplications, "multiplication", quantity)}`;
  const hint = `for ${wanted}: ${inputs
    .filter((info) => open.includes(info.name))
    .map(shapeOption)
    .join(" ")}`;
  return [
    `${styled("bold", name)}  operator set ${opset}${producer ? `, made by ${harmless(producer)}` : ""}`,
    ...values.map(([kind, { name, dtype, shape }]) => {
      return `  ${kind.padEnd(6)}  ${harmless(name)}  ${dtype ?? ""} ${harmless(sides(shape))}`;
    }),
    ...(missing.length > 0 ? [`  ${styled("red", "not computed by rank1:")} ${missingNames(missing)}; the rest is shown, and can be separated`] : []),
    ...(unknown > 0 && !isOpen ? [`  of ${plural(unknown, "layer")} the file does not tell the shapes: ${unknown === 1 ? "it counts" : "they count"} no multiplications`] : []),
    "",
    `${plural(layers.length, "layer")}, ${plural(totals.parameters, "parameter", quantity)}${figures}`,
    "1 multiplication = 1 multiply-accumulate = 2 FLOP",
    "",
    table(["layer", "kind", "result", ...right, "share", loss], rows, right),
    ...(others > 0 ? [`and ${plural(others, "layer")} without ${isOpen ? "parameters" : "multiplications"}, listed by --all`] : []),
    "",
    `${loss}: relative error of the weights when the layer becomes two with ${number(100 * share, 3)} % of its`,
    "multiplications or less, along the best split: depthwise, spatial or bottleneck.",
    ...(isOpen ? ["", harmless(hint)] : []),
  ].join("\n"); // biome-ignore format: a page
}

function row(layer: Layer, total: number, largest: number): string[] {
  const { name, outputs, parameters, multiplications, splits } = layer;
  const share = total > 0 ? multiplications / total : 0;
  return [
    shortName(name),
    harmless(kindText(layer)),
    outputs.map(sides).join(", "),
    quantity(parameters),
    outputs.length === 0 ? "?" : quantity(multiplications),
    multiplications > 0 ? `${percent(share)} ${styled("cyan", bar(multiplications / largest, 20))}` : "",
    splits[0] ? `${percent(splits[0].error)} ${splits[0].split}` : "",
  ]; // biome-ignore format: a row
}

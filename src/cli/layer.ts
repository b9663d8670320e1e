// rank1 layer: what a layer costs as it stands and as a depthwise and a pointwise stage, drawn as boxes; or how both would be
// computed.
import { type Command, InvalidArgumentError as CommanderError } from "commander";
import { explain, type LayerCost, type LayerSpec, layerCost, type Pads, type Plan, type StageCost } from "../index.ts";
import { writeStdout } from "../node/files.ts";
import { noun, plural } from "../words.ts";
import { parseCount, UsageError, usage } from "./arguments.ts";
import { rare } from "./help.ts";
import { addEngineOptions, type EngineFlags, withEngine } from "./open.ts";
import { count, number, padStart, styled, table } from "./text.ts";

type Sides = [height: number, width: number, channels: number];

interface Flags extends EngineFlags {
  kernel?: [number, number];
  out?: number;
  multiplier: number;
  rank?: number;
  strides?: [number, number];
  dilations?: [number, number];
  pads?: Pads;
  explain?: boolean;
  json?: boolean;
}

const examples = `
Examples:
  rank1 layer 12x12x3 --kernel 5x5 --out 256
  rank1 layer 12x12x3 --kernel 5x5 --out 256 --multiplier 2
  rank1 layer 112x112x32 --kernel 3x3 --out 64 --pads same --explain`;

export function addLayer(program: Command): void {
  const command = program
    .command("layer")
    .description("show what a layer of a network costs, whole and as a depthwise and a pointwise stage")
    .argument("<HxWxC>", "its input: height, width and number of channels", parseInput)
    .option("--kernel <KxK>", "height and width of its filters (kernels)", parsePair)
    .option("--out <channels>", "its output channels", parseCount)
    .option("--multiplier <n>", "depthwise filters for each input channel", parseCount, 1)
    .option("--strides <YxX>", "(default: 1)", parsePair)
    .option("--pads <pads>", "valid, same, or top,left,bottom,right (default: valid)", parsePads)
    .addOption(rare("--dilations <YxX>", "(default: 1)").argParser(parsePair))
    .addOption(
      rare("--rank <channels>", "also its other splits, with this many channels in the middle").argParser(parseCount),
    )
    .option("--explain", "do not compare: show how both would be computed, what that costs and what was rejected");
  addEngineOptions(command).option("--json", "print JSON").addHelpText("after", examples).action(layer);
}

async function layer(input: Sides, flags: Flags): Promise<void> {
  const { kernel, out, strides, dilations, pads, multiplier, rank } = flags;
  if (!kernel) throw new UsageError("--kernel: expected the size of the layer's filters, such as 3x3, got none");
  if (!out) throw new UsageError("--out: expected the layer's output channels, got none");
  const base = { input, size: kernel, outputs: out, strides, dilations, pads, depthMultiplier: multiplier, rank };
  const text = flags.explain ? await explained(base, flags) : await compared(base, flags.json);
  await writeStdout(`${text}\n`);
}

/** "5" or "5x3": y, then x. */
function parsePair(text: string): [number, number] {
  const [y, x = y, ...rest] = text.split("x").map(parseCount);
  if (y && x && rest.length === 0) return [y, x];
  throw new CommanderError("Expected one number or YxX.");
}

function parseInput(text: string): Sides {
  const sides = text.split("x").map(parseCount);
  if (sides.length === 3) return sides as Sides;
  throw new CommanderError("Expected HEIGHTxWIDTHxCHANNELS.");
}

function parsePads(text: string): Pads {
  if (text === "valid" || text === "same") return text;
  const numbers = text.split(",").map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (numbers.length === 4 && !numbers.some(Number.isNaN)) return numbers as [number, number, number, number];
  throw new CommanderError("Expected valid, same or four numbers: top,left,bottom,right.");
}

/** What all forms share; strides and dilations as the options give them. */
type Layer = Omit<LayerSpec, "form" | "strides" | "dilations"> & Pick<Flags, "strides" | "dilations">;

interface Form {
  form: LayerSpec["form"];
  /** As the table calls it. */
  title: string;
  cost: LayerCost;
}

/** The plans of the layer as it stands, and as two stages. */
async function explained(base: Layer, { wide, json }: Flags): Promise<string> {
  const { input, size = [1, 1], outputs = 0, strides, dilations, pads, depthMultiplier = 1 } = base;
  const channels = input[2];
  const x = [1, ...input];
  const options = { ...(strides && { strides }), ...(dilations && { dilations }), ...(pads && { pads }) };
  const depthwise = [...size, channels, depthMultiplier];
  const pointwise = [1, 1, channels * depthMultiplier, outputs];
  const plans = await withEngine({ wide }, async (engine) =>
    usage((): Plan[] => [
      engine.plan(engine.layerProblem("conv2d", { x, weight: [...size, channels, outputs] }, options)),
      engine.plan(engine.layerProblem("separableConv2d", { x, depthwise, pointwise }, options)),
    ]),
  );
  if (json) return JSON.stringify({ version: 1, layer: base, plans }, undefined, 2);
  return plans.map(explain).join("\n\n");
}

/** What each form costs: text, or JSON. */
async function compared(base: Layer, json: boolean | undefined): Promise<string> {
  const { rank } = base;
  const costOf = (form: LayerSpec["form"], title: string): Form => ({
    form,
    title,
    cost: layerCost({ ...base, form }),
  });
  const forms = await usage(() => [
    costOf("conv", "as it stands"),
    costOf("separable", "depthwise, pointwise"),
    ...(rank === undefined ? [] : splits.map(([form, title]) => costOf(form, `${title}, rank ${rank}`))),
  ]);
  if (!json) return asText(base, forms);
  const list = forms.map(({ form, cost }) => ({ form, ...cost }));
  return JSON.stringify({ version: 1, layer: base, forms: list }, undefined, 2);
}

const splits = [
  ["spatial", "column, row"],
  ["bottleneck", "bottleneck, pointwise"],
  ["cp", "pointwise, depthwise, pointwise"],
] as const;

const columns = ["multiplications", "of direct", "parameters", "kB moved", "kB if fused"];

const shapeText = (shape: readonly number[]): string => shape.join(" × ");

function asText(base: Layer, forms: readonly Form[]): string {
  const [direct, separable] = forms as [Form, Form];
  const { depthMultiplier, strides = [1, 1], dilations = [1, 1], pads = "valid" } = base;
  const window = [
    ...(Math.max(...strides) > 1 ? [`strides ${shapeText(strides)}`] : []),
    ...(Math.max(...dilations) > 1 ? [`dilations ${shapeText(dilations)}`] : []),
    ...(pads !== "valid" ? [`pads ${pads}`] : []),
    ...(depthMultiplier! > 1 ? [`depth multiplier ${depthMultiplier}`] : []),
  ];
  const facts = [`${shapeText(base.size!)} filters, ${plural(base.outputs!, "output")}`, ...window].join(", ");
  return [
    `${styled("bold", "layer")}  ${facts}`,
    ...forms.slice(0, 2).flatMap(({ title, cost }) => ["", styled("bold", title), ...boxes(cost), ...sums(cost)]),
    "",
    table(
      ["", ...columns],
      forms.map(({ title, cost }) => row(title, cost, direct.cost)),
      columns,
    ),
    "",
    verdict(direct.cost, separable.cost),
    "1 multiplication = 1 multiply-accumulate = 2 FLOP; biases are not counted; bytes are those of f32.",
  ].join("\n");
}

/** Shapes in boxes, and between them the stages with their multiplications. */
function boxes({ stages }: LayerCost): string[] {
  const lines = ["", "", ""];
  const add = (texts: [string, string, string]): void => {
    for (const [i, text] of texts.entries()) lines[i] += text;
  };
  const box = (shape: readonly number[]): void => {
    const text = ` ${shapeText(shape)} `;
    add([`┌${"─".repeat(text.length)}┐`, `│${text}│`, `└${"─".repeat(text.length)}┘`]);
  };
  box(stages[0]!.input);
  for (const { name, size, output, multiplications } of stages) {
    const [above, below] = [`${name} ${shapeText(size)}`, `× ${count(multiplications)}`];
    const width = Math.max(above.length, below.length);
    const centred = (text: string): string => padStart(text, (width + text.length) >> 1).padEnd(width);
    add([`  ${centred(above)}  `, ` ${"─".repeat(width + 1)}→ `, `  ${centred(below)}  `]);
    box(output);
  }
  return lines;
}

/** How the multiplications of each stage come about. */
function sums({ stages }: LayerCost): string[] {
  const widest = Math.max(...stages.map(({ name }) => name.length));
  return stages.map(({ name, input, size, groups, output, parameters, multiplications }: StageCost) => {
    const each = [...size, input[2] / groups].filter((n) => n > 1);
    const outputs = output.reduce((product, side) => product * side, 1);
    const sum = `${output.join(" · ")} ${noun(outputs, "output")} × ${each.join(" · ") || 1} each = ${count(multiplications)}`;
    return `${name.padEnd(widest)}  ${sum}; ${plural(parameters, "parameter", count)}`;
  });
}

function row(title: string, cost: LayerCost, direct: LayerCost): string[] {
  const share = number((100 * cost.multiplications) / direct.multiplications, 3);
  const bytes = [cost.bytes, cost.fusedBytes].map((b) => number(b / 1000, 3));
  return [title, count(cost.multiplications), `${share} %`, count(cost.parameters), ...bytes];
}

function verdict(direct: LayerCost, { stages, multiplications }: LayerCost): string {
  const ratio = direct.multiplications / multiplications;
  const sum = `${stages.map((stage) => count(stage.multiplications)).join(" + ")} = ${count(multiplications)}`;
  const times = ratio >= 1 ? `${number(ratio, 3)} × fewer` : `${number(1 / ratio, 3)} × more`;
  return `${count(direct.multiplications)} against ${sum} multiplications: ${times} in two stages.`;
}

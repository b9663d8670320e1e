// rank1 explain --layer: what a layer costs as it stands and as a depthwise and a pointwise stage, drawn as boxes.
import { type Command, InvalidArgumentError as CommanderError } from "commander";
import { type LayerCost, type LayerSpec, layerCost, type Pads, type StageCost } from "../index.ts";
import { parseCount, UsageError, usage } from "./arguments.ts";
import { count, number, padStart, styled, table } from "./text.ts";

export interface LayerFlags {
  layer?: [number, number, number];
  kernel?: [number, number];
  out?: number;
  depthMultiplier?: number;
  rank?: number;
  strides?: [number, number];
  dilations?: [number, number];
  pads?: Pads;
}

const names = ["layer", "kernel", "out", "depthMultiplier", "rank", "strides", "dilations", "pads"] as const;

export function addLayerOptions(command: Command): Command {
  return command
    .option("--layer <HxWxC>", "explain a layer on an input of this height, width and number of channels", parseInput)
    .option("--kernel <KxK>", "of a layer: height and width of its filters (kernels)", parsePair)
    .option("--out <channels>", "of a layer: its output channels", parseCount)
    .option("--depth-multiplier <n>", "of a layer: depthwise filters for each input channel (default: 1)", parseCount)
    .option("--rank <channels>", "of a layer: also its other splits, with this many channels in the middle", parseCount)
    .option("--strides <YxX>", "of a layer (default: 1)", parsePair)
    .option("--dilations <YxX>", "of a layer (default: 1)", parsePair)
    .option("--pads <pads>", "of a layer: valid, same, or top,left,bottom,right (default: valid)", parsePads);
}

/** "5" or "5x3": y, then x. */
function parsePair(text: string): [number, number] {
  const [y, x = y, ...rest] = text.split("x").map(parseCount);
  if (y && x && rest.length === 0) return [y, x];
  throw new CommanderError("Expected one number or YxX.");
}

function parseInput(text: string): [number, number, number] {
  const sides = text.split("x").map(parseCount);
  if (sides.length === 3) return sides as [number, number, number];
  throw new CommanderError("Expected HEIGHTxWIDTHxCHANNELS.");
}

function parsePads(text: string): Pads {
  if (text === "valid" || text === "same") return text;
  const numbers = text.split(",").map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (numbers.length === 4 && !numbers.some(Number.isNaN)) return numbers as [number, number, number, number];
  throw new CommanderError("Expected valid, same or four numbers: top,left,bottom,right.");
}

/** Whether a layer is meant and not a filter; a mix of both is wrong usage. */
export function isLayer(filter: string | undefined, command: Command): boolean {
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
  const ofLayers = (name: string): boolean => (names as readonly string[]).includes(name);
  const flags = command.opts<LayerFlags>();
  const wrong = (what: string, expected: string, received: string): never => {
    throw new UsageError(`${what}: expected ${expected}, got ${received}`);
  };
  if (flags.layer === undefined) {
    const stray = given.find((option) => ofLayers(option.attributeName()));
    if (stray) wrong(stray.long!, "--layer with it", "none");
    if (filter === undefined) wrong("filter", "a filter, or --layer with --kernel and --out", "neither");
    return false;
  }
  if (filter !== undefined) wrong("filter", "either a filter or --layer", "both");
  const stray = given.find((option) => !ofLayers(option.attributeName()) && option.attributeName() !== "json");
  if (stray) wrong(stray.long!, "a filter, of which it is an option", "--layer");
  if (flags.kernel === undefined) wrong("--kernel", "the size of the layer's filters, such as 3x3", "none");
  if (flags.out === undefined) wrong("--out", "the layer's output channels", "none");
  return true;
}

/** What all forms share; strides and dilations as the options give them. */
type Layer = Omit<LayerSpec, "form" | "strides" | "dilations"> & Pick<LayerFlags, "strides" | "dilations">;

interface Form {
  form: LayerSpec["form"];
  /** As the table calls it. */
  title: string;
  cost: LayerCost;
}

/** The whole answer: text, or JSON. */
export async function explainLayer(flags: LayerFlags & { json?: boolean }): Promise<string> {
  const { layer, kernel, out, strides, dilations, pads, depthMultiplier = 1, rank } = flags;
  const base = { input: layer!, size: kernel!, outputs: out!, strides, dilations, pads, depthMultiplier, rank };
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
  if (!flags.json) return asText(base, forms);
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
  const facts = [`${shapeText(base.size!)} filters, ${base.outputs} outputs`, ...window].join(", ");
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
    const sum = `${output.join(" · ")} outputs × ${each.join(" · ") || 1} each = ${count(multiplications)}`;
    return `${name.padEnd(widest)}  ${sum}; ${count(parameters)} parameters`;
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

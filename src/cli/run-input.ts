// Inputs of rank1 run: pictures in the size, range and layout that the model wants, or arrays from .npy files; and the
// picture settings that are remembered beside the model.
import { type Command, InvalidArgumentError as CommanderError } from "commander";
import type { Image, Tensor } from "../index.ts";
import { readSidecar, type Sidecar, writeSidecar } from "../node/model-files.ts";
import { isNpy, readNpy } from "../node/npy.ts";
import type { Model } from "../onnx/index.ts";
import { parseNumber, parseSides, readSource, sourceName, UsageError, usage } from "./arguments.ts";
import { checkStdin } from "./output.ts";

export interface InputFlags extends Omit<Sidecar, "labels"> {
  input?: Map<string, string>;
  /** A file. */
  labels?: string;
  save?: boolean;
}

/** What goes into one run. The name is a file's; arrays by name have none. */
export interface Job {
  name: string;
  inputs(signal: AbortSignal): Promise<Record<string, Tensor>>;
}

export function addInputOptions(command: Command): Command {
  return addPictureOptions(command)
    .option("--labels <file>", "names of classes: one a line, or a list in JSON")
    .option("--save", "remember size, mean, std and labels beside the model")
    .option("--input <name=file>", "an input by its name, from a .npy file; repeatable", addInput);
}

/** How pictures become a model's input. */
export function addPictureOptions(command: Command): Command {
  return command
    .option("--size <WxH>", "of pictures: resize to this (default: what the model declares)", parseSides)
    .option("--mean <numbers>", "of pictures: one number, or one a channel, of 0 to 1 (default: 0)", parseNumbers)
    .option("--std <numbers>", "of pictures: what is divided by after that (default: 1)", parseNumbers);
}

/** "0.5" or "0.485,0.456,0.406". */
function parseNumbers(text: string): number | number[] {
  const numbers = text.split(",").map(parseNumber);
  return numbers.length === 1 ? numbers[0]! : numbers;
}

function addInput(text: string, inputs: Map<string, string> = new Map()): Map<string, string> {
  const [, name, file] = text.match(/^(.+?)=(.+)$/) ?? [];
  if (!name || !file) throw new CommanderError("Expected NAME=FILE such as x=x.npy.");
  if (inputs.has(name)) throw new CommanderError(`Expected each input once, got ${name} twice.`);
  return new Map([...inputs, [name, file]]);
}

/** Checks the options before any file is read. */
export function checkInputFlags(
  model: string,
  files: readonly string[],
  { input, size, mean, std, labels, save, explain }: InputFlags & { explain?: boolean },
): void {
  const wrong = (option: string, expected: string, received: string): never => {
    throw new UsageError(`${option}: expected ${expected}, got ${received}`);
  };
  const named = [...(input ?? [])].map(([name, file]) => [`--input ${name}`, file] as const);
  checkStdin([
    ["the model", model],
    ...files.map((file) => ["an input", file] as const),
    ...named,
    ["--labels", labels],
  ]);
  if (files.length === 0 && !input && !explain) wrong("inputs", "pictures or .npy files after the model", "none");
  if (files.length > 0 && input) wrong("--input", "either files after the model or inputs by name", "both");
  const stray = Object.entries({ size, mean, std }).find(([, value]) => value !== undefined);
  if (input && stray) wrong(`--${stray[0]}`, "pictures, of which it is an option", "--input");
  if (save && model === "-") wrong("--save", "a model in a file", "-");
}

/** The settings of the command line, and of those that are not given there what stands beside the model. */
export async function settingsOf(model: string, { labels, save, ...flags }: InputFlags): Promise<Sidecar> {
  const kept = model === "-" ? {} : await readSidecar(model);
  const { size = kept.size, mean = kept.mean, std = kept.std } = flags;
  const settings = { size, mean, std, labels: labels === undefined ? kept.labels : await readLabels(labels) };
  if (save) await writeSidecar(model, settings);
  return settings;
}

async function readLabels(file: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readSource(file));
  if (!/^\s*\[/.test(text)) return text.trimEnd().split(/\r?\n/);
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((label) => typeof label === "string")) return list;
  } catch {
    // Said below.
  }
  throw new UsageError(`--labels: expected one name a line, or a list of texts in JSON, got ${file}`);
}

export function jobsOf(model: Model, settings: Sidecar, files: readonly string[], { input }: InputFlags): Job[] {
  if (input) return [{ name: "", inputs: () => arrays(model, input) }];
  return files.map((name) => ({ name, inputs: (signal) => oneInput(model, name, settings, signal) }));
}

/** A picture or a .npy file as a model's only input. */
async function oneInput(
  model: Model,
  file: string,
  settings: Sidecar,
  signal: AbortSignal,
): Promise<Record<string, Tensor>> {
  const bytes = await readSource(file, signal);
  if (isNpy(bytes, file)) return arrayInput(model, bytes, sourceName(file));
  const [input] = await pictureInputs(model, { name: sourceName(file), bytes }, settings, signal);
  return input!;
}

/** An array as a model's only input. */
export function arrayInput({ graph }: Model, bytes: Uint8Array, name: string): Record<string, Tensor> {
  const [first, ...others] = graph.inputs;
  if (!first || others.length > 0) {
    const names = graph.inputs.map((input) => input.name).join(" and ");
    throw new UsageError(`${name}: expected inputs by name, --input NAME=FILE, for a model with ${names || "none"}`);
  }
  return { [first.name]: readNpy(bytes, name) };
}

async function arrays({ graph }: Model, files: ReadonlyMap<string, string>): Promise<Record<string, Tensor>> {
  const names = graph.inputs.map(({ name }) => name);
  const missing = names.find((name) => !files.has(name));
  const unknown = [...files.keys()].find((name) => !names.includes(name));
  if (missing !== undefined) throw new UsageError(`--input: expected one named ${missing}, got none`);
  if (unknown !== undefined) throw new UsageError(`--input: expected ${names.join(" or ")}, got ${unknown}`);
  const read = async ([name, file]: [string, string]) =>
    [name, readNpy(await readSource(file), sourceName(file))] as const;
  return Object.fromEntries(await Promise.all([...files].map(read)));
}

/** Takes pieces of a picture in place of the whole; `wanted` is the size that the model gets. */
export type Pieces = <P extends Image>(picture: P, wanted: { width: number; height: number }) => Image[];

/** Half floats are computed in 32 bits, and given so. */
const isFloat32 = (dtype: string): boolean => ["f32", "f16", "bf16"].includes(dtype);

/** Pieces of a picture, each as a model's only input, in the layout, channels and size that it declares. */
export async function pictureInputs(
  { graph }: Model,
  { name: file, bytes }: { name: string; bytes: Uint8Array },
  { size, mean, std }: Sidecar,
  signal: AbortSignal,
  pieces: Pieces = (picture) => [picture],
): Promise<Record<string, Tensor>[]> {
  const [first, ...others] = graph.inputs;
  const { name, dtype = "f32", shape = [1, 3, undefined, undefined] } = first ?? { name: "" };
  const colours = (axis: number): boolean => shape[axis] === 1 || shape[axis] === 3;
  const layout = colours(1) || !colours(3) ? "NCHW" : "NHWC";
  if (!first || others.length > 0 || shape.length !== 4 || !isFloat32(dtype)) {
    const expected = "a model with one input, of f32 in four axes; arrays go in by --input";
    const found = graph.inputs.map((input) => `${input.name} ${input.dtype} [${input.shape?.join(", ")}]`);
    throw new UsageError(`${file}: expected ${expected}, got ${found.join(", ") || "no input"}`);
  }
  const { readPicture } = await import("../node/pictures.ts");
  const { imageToTensor } = await import("../onnx/index.ts");
  const picture = await readPicture(bytes, { name: file, signal });
  const [channels, height, width] = layout === "NCHW" ? shape.slice(1) : [shape[3], shape[1], shape[2]];
  const known = (side: unknown, own: number): number => (typeof side === "number" ? side : own);
  const wanted = size ?? { width: known(width, picture.width), height: known(height, picture.height) };
  const options = { size: wanted, channels: channels === 1 ? 1 : 3, mean, std, layout } as const;
  return usage(() => pieces(picture, wanted).map((piece) => ({ [name]: imageToTensor(piece, options) })));
}

// Inputs of rank1 run: pictures in the size, range and layout that the model wants, or arrays from .npy files; and the
// picture settings that are remembered beside the model.
import { type Command, InvalidArgumentError as CommanderError } from "commander";
import type { Image, Tensor } from "../index.ts";
import { fits, readSidecar, type Sidecar, writeSidecar } from "../node/model-files.ts";
import { isNpy, readNpy } from "../node/npy.ts";
import type { Model, ValueInfo } from "../onnx/index.ts";
import { parseNumber, parseSides, readSource, sourceName, UsageError, usage } from "./arguments.ts";
import { rare } from "./help.ts";
import { checkStdin } from "./output.ts";

/** Flags that say what pictures become. */
export interface PictureFlags extends Omit<Sidecar, "labels" | "order"> {
  letterbox?: boolean;
  bgr?: boolean;
}

export interface InputFlags extends PictureFlags {
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
    .option("--save", "remember what pictures become, and labels, beside the model")
    .option("--input <name=file>", "an input by its name, from a .npy file or a picture; repeatable", addInput);
}

/** How pictures become a model's input. */
export function addPictureOptions(command: Command): Command {
  return command
    .option("--size <WxH>", "of pictures: resize to this (default: what the model declares)", parseSides)
    .option("--letterbox", "of pictures: keep the proportions, in a grey frame (--fit contain --background 114)")
    .option("--range <low..high>", "of pictures: what black and white become, such as 0..255 or -1..1", parseRange)
    .option("--mean <numbers>", "of pictures: one number, or one a channel, in that range (default: 0)", parseNumbers)
    .option("--std <numbers>", "of pictures: what is divided by after that (default: 1)", parseNumbers)
    .option("--bgr", "of pictures: blue first, as networks of OpenCV want it")
    .addOption(rare("--fit <how>", "of pictures with other proportions (default: fill)").choices(fits))
    .addOption(rare("--background <level>", "of the frame of --fit contain, 0 to 255 (default: 0)").argParser(parseNumber)); // biome-ignore format: a line
}

/** "0..255" */
export function parseRange(text: string): [number, number] {
  const ends = text.split("..").map(parseNumber);
  if (ends.length === 2 && ends[0]! < ends[1]!) return ends as [number, number];
  throw new CommanderError("Expected LOW..HIGH such as 0..255 or -1..1.");
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
  { input, labels, save, explain, ...flags }: InputFlags & { explain?: boolean },
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
  const settings = pictureSettings(flags);
  const stray = Object.entries(settings).find(([, value]) => value !== undefined);
  const isPicture = (file: string): boolean => !/\.npy$/i.test(file);
  if (input && stray && ![...input.values()].some(isPicture)) {
    wrong(`--${stray[0] === "order" ? "bgr" : stray[0]}`, "pictures, of which it is an option", "arrays by --input");
  }
  if (save && model === "-") wrong("--save", "a model in a file", "-");
  if (save && !stray && labels === undefined)
    wrong("--save", "something to remember, such as --mean or --labels", "none");
}

/** What flags say of pictures, in the words of the sidecar. */
function pictureSettings(flags: PictureFlags): Omit<Sidecar, "labels"> {
  const { size, letterbox, range, mean, std, bgr, fit, background } = flags;
  if (letterbox && fit !== undefined) throw new UsageError(`--letterbox: is --fit contain, got --fit ${fit}`);
  const frame = letterbox ? { fit: "contain" as const, background: background ?? 114 } : { fit, background };
  return { size, ...frame, range, order: bgr ? "BGR" : undefined, mean, std };
}

/** The settings of the command line, and of those that are not given there what stands beside the model. */
export async function settingsOf(model: string, { labels, save, ...flags }: InputFlags): Promise<Sidecar> {
  const kept = model === "-" ? {} : await readSidecar(model);
  const given = { ...pictureSettings(flags), labels: labels === undefined ? undefined : await readLabels(labels) };
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const settings: Sidecar = { ...kept, ...said };
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
  if (input) return [{ name: "", inputs: (signal) => namedInputs(model, input, settings, signal) }];
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

async function namedInputs(
  model: Model,
  files: ReadonlyMap<string, string>,
  settings: Sidecar,
  signal: AbortSignal,
): Promise<Record<string, Tensor>> {
  const names = model.inputs.map(({ name }) => name);
  const missing = names.find((name) => !files.has(name));
  const unknown = [...files.keys()].find((name) => !names.includes(name));
  if (missing !== undefined) throw new UsageError(`--input: expected one named ${missing}, got none`);
  if (unknown !== undefined) throw new UsageError(`--input: expected ${names.join(" or ")}, got ${unknown}`);
  const read = async ({ name }: ValueInfo) => {
    const file = files.get(name)!;
    const bytes = await readSource(file, signal);
    if (isNpy(bytes, file)) return { [name]: readNpy(bytes, sourceName(file)) };
    const [input] = await pictureInputs(model, { name: sourceName(file), bytes, input: name }, settings, signal);
    return input!;
  };
  return Object.assign({}, ...(await Promise.all(model.inputs.map(read))));
}

/** Takes pieces of a picture in place of the whole; `wanted` is the size that the model gets. */
export type Pieces = <P extends Image>(picture: P, wanted: { width: number; height: number }) => Image[];

interface PictureFile {
  /** In messages. */
  name: string;
  bytes: Uint8Array;
  /** The name of the input, where the model has several. */
  input?: string;
}

/** Pieces of a picture, each as an input of a model, in the layout, channels, type and size that it declares. */
export async function pictureInputs(
  { inputs }: Model,
  { name: file, bytes, input: wantedName }: PictureFile,
  { size, background, labels: _, ...settings }: Sidecar,
  signal: AbortSignal,
  pieces: Pieces = (picture) => [picture],
): Promise<Record<string, Tensor>[]> {
  const input = wantedName === undefined ? inputs[0] : inputs.find(({ name }) => name === wantedName);
  if (!input || (wantedName === undefined && inputs.length > 1)) {
    const names = inputs.map(({ name }) => name).join(" and ") || "none";
    throw new UsageError(
      `${file}: expected a model with one input, or --input NAME=FILE for each, got inputs ${names}`,
    );
  }
  const { readPicture } = await import("../node/pictures.ts");
  const { imageToTensor, pictureInput } = await import("../onnx/index.ts");
  const declared = await usage(() => pictureInput(input)).catch((error: Error) => {
    throw new UsageError(`${file}: ${error.message}; arrays go in by .npy files`);
  });
  const picture = await readPicture(bytes, { name: file, signal });
  const { width = picture.width, height = picture.height } = size ?? declared;
  const wanted = { width, height };
  const options = { ...settings, input, size: wanted, background: (background ?? 0) / 255 };
  return withFlagNames(() => pieces(picture, wanted).map((piece) => ({ [input.name]: imageToTensor(piece, options) })));
}

/** Errors of options in the words of the command line. */
const withFlagNames = <T>(make: () => T): Promise<T> =>
  usage(make).catch((error: Error) => {
    const message = error.message.replace(/^(mean|std|range|order|fit):/, (_, name: string) => (name === "order" ? "--bgr:" : `--${name}:`)); // biome-ignore format: a line
    throw new UsageError(message.replace("give that range, too: [0, 255]", "give --range 0..255, too"), {
      cause: error,
    });
  });

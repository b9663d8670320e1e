// Inputs of rank1 run: pictures in the size, range and layout that the model wants, or arrays from .npy files; and the
// picture settings that are remembered beside the model.
import { basename } from "node:path";
import { type Command, InvalidArgumentError as CommanderError } from "commander";
import { checkOneOf } from "../errors.ts";
import type { Image, Tensor } from "../index.ts";
import { fits, readSidecar, type Sidecar, sidecarOf, writeSidecar } from "../node/model-files.ts";
import { isNpy, readNpy } from "../node/npy.ts";
import type { Model } from "../onnx/index.ts";
import { parseNumber, parseSides, readSource, sourceName, UsageError, usage } from "./arguments.ts";
import { rare } from "./help.ts";
import { checkStdin } from "./output.ts";
import { type Made, madeOf } from "./run-made.ts";

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

/** What goes into one run of a model: a file, or arrays by name, for which there is no file. */
export type Feed = (options: {
  signal: AbortSignal;
  read?: Read;
  tell?: (made: Made) => void;
}) => Promise<Record<string, Tensor>>;

/** Gives the bytes of a file. */
type Read = (file: string) => Promise<Uint8Array>;

/** Settings of pictures, and which of them are those beside the model. */
export interface Settings {
  settings: Sidecar;
  beside?: { file: string; names: string[] };
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
    .addOption(rare("--background <level>", "of the frame of --fit contain, 0 to 255 (default: 0)").argParser(parseLevel)) // biome-ignore format: a line
    .addOption(rare("--align <x,y>", "where a contained or cut picture lies, 0,0 (left, top) to 1,1 (default: 0.5,0.5)").argParser(parseAlign)); // biome-ignore format: a line
}

/** A grey of 8 bits. Shares of white are meant where a number is between 0 and 1. */
function parseLevel(text: string): number {
  const level = parseNumber(text);
  if (level === 0 || (level >= 1 && level <= 255)) return level;
  const hint = level > 0 && level < 1 ? ` ${Math.round(255 * level)} is ${text} of white.` : "";
  throw new CommanderError(`Expected a level from 0 (black) to 255 (white).${hint}`);
}

/** "0,0" */
function parseAlign(text: string): [number, number] {
  const shares = text.split(",").map(parseNumber);
  if (shares.length === 2 && shares.every((share) => share >= 0 && share <= 1)) return shares as [number, number];
  throw new CommanderError("Expected X,Y from 0 to 1, such as 0,0.");
}

/** "0..255" */
export function parseRange(text: string): [number, number] {
  const parts = text.split("..");
  const ends = parts.length === 2 ? parts.map(parseNumber) : [];
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
  { input, labels, save, explain, list, ...flags }: InputFlags & { explain?: boolean; list?: string },
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
    ["--list", list],
  ]);
  const some = files.length > 0 || list !== undefined;
  if (!some && !input && !explain) wrong("inputs", "pictures or .npy files after the model", "none");
  if (some && input) wrong("--input", "either files after the model or inputs by name", "both");
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
  const { size, letterbox, range, mean, std, bgr, fit, background, align } = flags;
  if (letterbox && fit !== undefined) throw new UsageError(`--letterbox: is --fit contain, got --fit ${fit}`);
  const frame = letterbox ? { fit: "contain" as const, background: background ?? 114 } : { fit, background };
  return { size, ...frame, align, range, order: bgr ? "BGR" : undefined, mean, std };
}

/** The settings of the command line, and of those that are not given there what stands beside the model. */
export async function settingsOf(model: string, { labels, save, ...flags }: InputFlags): Promise<Settings> {
  const kept = model === "-" ? {} : await readSidecar(model);
  const given = { ...pictureSettings(flags), labels: labels === undefined ? undefined : await readLabels(labels) };
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const settings: Sidecar = { ...kept, ...said };
  checkFrame(flags, settings);
  if ([flags.std].flat().includes(0)) throw new UsageError("--std: expected numbers other than 0, got 0");
  if (save) await writeSidecar(model, settings);
  const names = Object.keys(kept).filter((name) => !(name in said));
  return { settings, beside: names.length > 0 ? { file: basename(sidecarOf(model)), names } : undefined };
}

/** Options of a frame or a cut say nothing of pictures that fill their place. */
function checkFrame({ background, align }: PictureFlags, { fit = "fill" }: Sidecar): void {
  if (background !== undefined && fit !== "contain")
    throw new UsageError(`--background: expected a frame, by --letterbox or --fit contain, got --fit ${fit}`);
  if (align !== undefined && fit === "fill")
    throw new UsageError("--align: expected --letterbox, or --fit contain or cover, got --fit fill");
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

/** Reads a file as the input of a model; without a file, arrays by name. */
export function feedOf(
  model: Model,
  settings: Sidecar,
  file: string | undefined,
  { input, outputs }: InputFlags & { outputs?: string[] },
): Feed {
  return ({ signal, tell, read = (name) => readSource(name, signal) }) => {
    const reading = { settings, signal, tell, read };
    if (file === undefined) return namedInputs(model, input!, { ...reading, outputs });
    return oneInput(model.choosing(outputs), file, reading);
  };
}

/** How files are read as inputs. */
interface Reading {
  settings: Sidecar;
  signal: AbortSignal;
  read: Read;
  /** Gets what each picture became. */
  tell?: (made: Made) => void;
}

/** A model, or what of its network some outputs need. */
type Takes = Pick<Model, "inputs">;

/** A picture or a .npy file as a model's only input. */
async function oneInput(model: Takes, file: string, reading: Reading): Promise<Record<string, Tensor>> {
  const bytes = await reading.read(file);
  if (isNpy(bytes, file)) return arrayInput(model, bytes, sourceName(file));
  const [input] = await pictureInputs(model, { name: sourceName(file), bytes }, reading);
  return input!;
}

/** An array as a model's only input. */
export function arrayInput({ inputs }: Takes, bytes: Uint8Array, name: string): Record<string, Tensor> {
  const [first, ...others] = inputs;
  if (!first || others.length > 0) {
    const names = inputs.map((input) => input.name).join(" and ");
    throw new UsageError(`${name}: expected inputs by name, --input NAME=FILE, for a model with ${names || "none"}`);
  }
  return { [first.name]: readNpy(bytes, name) };
}

async function namedInputs(
  model: Model,
  files: ReadonlyMap<string, string>,
  { outputs, ...reading }: Reading & { outputs?: string[] },
): Promise<Record<string, Tensor>> {
  const names = model.inputs.map(({ name }) => name);
  await usage(() => [...files.keys()].map((name) => checkOneOf("--input", name, names)));
  const missing = model.choosing(outputs).inputs.filter(({ name }) => !files.has(name));
  if (missing.length > 0) {
    const wanted = missing.map(({ name }) => name).join(" and ");
    throw new UsageError(`--input: expected ${missing.length > 1 ? "some" : "one"} named ${wanted}, got none`);
  }
  const read = async ([name, file]: [string, string]) => {
    const bytes = await reading.read(file);
    if (isNpy(bytes, file)) return { [name]: readNpy(bytes, sourceName(file)) };
    const [input] = await pictureInputs(model, { name: sourceName(file), bytes, input: name }, reading);
    return input!;
  };
  return Object.assign({}, ...(await Promise.all([...files].map(read))));
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
  { inputs }: Takes,
  { name: file, bytes, input: wantedName }: PictureFile,
  { settings: { size, background, labels: _, ...settings }, signal, tell }: Omit<Reading, "read">,
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
  const fixed = size ?? declared;
  const options = { ...settings, input, background: (background ?? 0) / 255 };
  return withFlagNames(() =>
    pieces(picture, wanted).map((piece) => {
      // Where the model leaves sides open, a piece is as large as it is.
      const own = { width: fixed.width ?? piece.width, height: fixed.height ?? piece.height };
      const tensor = imageToTensor(piece, { ...options, size: own });
      tell?.(madeOf(input.name, piece, { tensor, declared, wanted, settings }));
      return { [input.name]: tensor };
    }),
  );
}

/** Errors of options in the words of the command line. */
const withFlagNames = <T>(make: () => T): Promise<T> =>
  usage(make).catch((error: Error) => {
    const message = error.message.replace(/^(mean|std|range|order|fit|align):/, (_, name: string) => (name === "order" ? "--bgr:" : `--${name}:`)); // biome-ignore format: a line
    throw new UsageError(message.replace("give that range, too: [0, 255]", "give --range 0..255, too"), {
      cause: error,
    });
  });

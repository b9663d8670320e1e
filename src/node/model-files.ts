// Files that lie beside a model. The sidecar (model.onnx.json) says what the model does not: how pictures become its
// input, and the names of its classes. External weights are read from one folder that the user names; paths in the model
// are never trusted.
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { checkNumber, checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { checkFolder, readSettings, writeSettings } from "./files.ts";

export const fits = ["fill", "contain", "cover"] as const;
const orders = ["RGB", "BGR"] as const;

export interface Sidecar {
  /** Width and height to which pictures are resized. */
  size?: { width: number; height: number };
  /** How pictures of other proportions become so: as `imageToTensor` says. */
  fit?: (typeof fits)[number];
  /** Of the frame of those that are contained, from 0 to 255. */
  background?: number;
  /** Where those that are contained or cut lie across and down, from 0 (left, top) to 1: the middle unless given. */
  align?: readonly [number, number];
  /** What black and white become: 0 and 1 unless given. */
  range?: readonly [number, number];
  /** Order of colours: RGB unless given. */
  order?: (typeof orders)[number];
  /** Taken from values in that range, and what they are then divided by: one number, or one a channel. */
  mean?: number | number[];
  std?: number | number[];
  /** Names of classes, in the order of the model's results. */
  labels?: string[];
}

export const sidecarOf = (model: string): string => `${model}.json`;

/** The file beside a model, or nothing where there is none. Throws {@link InvalidArgumentError} that names what is wrong. */
export async function readSidecar(model: string): Promise<Sidecar> {
  const path = sidecarOf(model);
  let sidecar: Record<string, unknown>;
  try {
    sidecar = await readSettings(path);
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return {};
    throw error;
  }
  return checkSidecar(path, sidecar);
}

/** Writes the file beside a model. */
export async function writeSidecar(model: string, sidecar: Sidecar): Promise<void> {
  await writeSettings(sidecarOf(model), sidecar);
}

function checkSidecar(path: string, value: unknown): Sidecar {
  const known = ["size", "fit", "background", "align", "range", "order", "mean", "std", "labels"] as const;
  const sidecar = checkOptions<Sidecar>(path, value, known);
  const { size, fit, background, align, range, order, mean, std, labels } = sidecar;
  if (fit !== undefined) checkOneOf(`${path} fit`, fit, fits);
  if (order !== undefined) checkOneOf(`${path} order`, order, orders);
  if (background !== undefined) checkNumber(`${path} background`, background, { min: 0, max: 255 });
  checkPair(`${path} range`, range, "[0, 255]");
  for (const share of checkPair(`${path} align`, align, "[0, 0]"))
    checkNumber(`${path} align`, share, { min: 0, max: 1 });
  if (size !== undefined) {
    const { width, height } = checkOptions<{ width: number; height: number }>(`${path} size`, size, [
      "width",
      "height",
    ]);
    for (const side of [width, height]) checkNumber(`${path} size`, side, { min: 1 });
  }
  for (const [name, numbers] of Object.entries({ mean, std }))
    for (const one of [numbers ?? 0].flat()) checkNumber(`${path} ${name}`, one);
  if (labels !== undefined && !(Array.isArray(labels) && labels.every((label) => typeof label === "string"))) {
    const received = describe(labels);
    throw new InvalidArgumentError({ parameter: `${path} labels`, expected: "a list of texts", received });
  }
  return sidecar;
}

function checkPair(parameter: string, value: unknown, example: string): readonly number[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length === 2 && value.every(Number.isFinite)) return value;
  throw new InvalidArgumentError({ parameter, expected: `two numbers such as ${example}`, received: describe(value) });
}

/**
 * Reads files of `folder` by the names that a model gives them: names of plain files inside it, not through `..`, not
 * absolute, and neither symbolic nor hard links.
 */
export function externalFolder(folder: string): (location: string) => Promise<Uint8Array> {
  return async (location) => {
    await checkFolder(folder);
    const parts = location.split("/");
    if (parts.some((part) => !/^[^\\:\0]+$/.test(part) || part === "." || part === "..")) {
      throw refused(location, "the name of a file inside a folder", "another path");
    }
    const path = join(await realpath(folder), ...parts);
    try {
      return await readPlain(path, location);
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw error;
      throw refused(location, `a readable file in ${folder}`, (error as Error).message, error);
    }
  };
}

/** Windows knows neither: a link is found by its real path, and nothing waits for a pipe's writer. */
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** Opened first and checked after, so that what is checked is what is read. */
async function readPlain(path: string, location: string): Promise<Uint8Array> {
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = await file.stat();
    const plain = stats.isFile() && stats.nlink === 1 && (await realpath(path)) === path;
    if (!plain) throw refused(location, "a plain file", "a link or no file");
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function refused(location: string, expected: string, received: string, cause?: unknown): InvalidArgumentError {
  return new InvalidArgumentError({ parameter: `external data ${describe(location)}`, expected, received, cause });
}

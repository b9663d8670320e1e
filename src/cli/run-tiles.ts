// rank1 run --tile: a model on pictures of any size, piece by piece. A result that is a picture never lies in memory as numbers; others do.
import { InvalidArgumentError as CommanderError } from "commander";
import { InvalidArgumentError } from "../errors.ts";
import type { Image, Tensor } from "../index.ts";
import type { Sidecar } from "../node/model-files.ts";
import type { Model, PartOfOutput } from "../onnx/index.ts";
import { parseCount, UsageError } from "./arguments.ts";
import { type Answer, type AnswerOptions, answerOf, kindOf, pictureAnswer, rangeFor } from "./run-answer.ts";
import { type Made, madeOf } from "./run-made.ts";

/** Sides of tiles in pixels, or those that the model says. */
export type Tile = number | "auto";

/** "256" or "auto" */
export function parseTile(text: string): Tile {
  if (text === "auto") return text;
  try {
    return parseCount(text);
  } catch {
    throw new CommanderError("Expected a number of pixels, such as 256, or auto.");
  }
}

/** Pictures keep their size where tiles are asked for. */
export function checkTile(tile: Tile | undefined, flags: Readonly<Record<string, unknown>>): void {
  if (tile === undefined) return;
  const names = ["size", "letterbox", "fit", "background", "align", "explain", "timings"];
  const stray = names.find((name) => flags[name] !== undefined);
  if (!stray) return;
  const expected = stray === "explain" || stray === "timings" ? "a run" : "pictures that keep their size";
  throw new UsageError(`--tile: expected ${expected}, got --${stray}`);
}

/** Errors of tiles in the words of the command line. */
export function withTileName(error: unknown): unknown {
  if (!(error instanceof InvalidArgumentError) || error.parameter !== "tile") return error;
  const { expected, received } = error;
  return new InvalidArgumentError({ parameter: "--tile", expected, received, cause: error });
}

interface Request {
  model: Model;
  file: { name: string; bytes: Uint8Array };
  settings: Sidecar;
  tile: Tile;
  outputs?: readonly string[];
  options: AnswerOptions;
  signal: AbortSignal;
  onProgress?: (done: number) => void;
}

/** What came of a picture. */
export interface Tiled {
  made: Made;
  /** How many tiles there were. */
  tiles: number;
  answers: { answer: Answer; result: Tensor | Image }[];
}

/** One output, as far as tiles have given it. */
interface Growing {
  /** Undefined of all but pictures. */
  image?: Image & { data: Uint8Array };
  /** Black and white of the picture. */
  range?: readonly [number, number];
  tensor?: Tensor;
  shape: readonly number[];
  part: Tensor;
  least: number;
  most: number;
  sum: number;
  count: number;
}

export async function runByTiles({ model, file, settings, tile, outputs, options, signal, onProgress }: Request): Promise<Tiled> {
  const { readPicture } = await import("../node/pictures.ts");
  const { imageTiles, pictureInput } = await import("../onnx/index.ts");
  const picture = await readPicture(file.bytes, { name: file.name, signal });
  const { range, mean, std, order } = settings;
  const scale = Object.fromEntries(Object.entries({ range, mean, std, order }).filter(([, value]) => value !== undefined));
  const ranges = new Map<string, readonly [number, number]>();
  for (;;) {
    const found = new Map<string, Growing>();
    let tiles = 0;
    const side = tile === "auto" ? undefined : tile;
    for await (const parts of imageTiles(model, picture, { ...scale, tile: side, outputs, signal, onProgress })) {
      tiles++;
      for (const [name, part] of Object.entries(parts)) found.set(name, await grown(name, part, found.get(name), ranges, options));
    }
    // What black and white are shows when all values are there; where the first tile has shown others, all run again.
    const wrong = [...found].flatMap(([name, { image, range, least, most, part }]) => {
      const right = image && rangeFor(part, least, most, options);
      return right && right.join() !== range!.join() ? [[name, right] as const] : [];
    });
    for (const [name, right] of wrong) ranges.set(name, right);
    if (wrong.length > 0) continue;
    const input = model.choosing(outputs).inputs[0]!;
    const { width, height } = picture;
    const place = { left: 0, top: 0, width, height };
    const making = { tensor: { shape: [], data: new Float32Array(), place }, declared: pictureInput(input), wanted: { width, height }, settings };
    return { made: madeOf(input.name, picture, making), tiles, answers: [...found].map(([name, one]) => answered(name, one, options)) };
  }
} // biome-ignore format: lines

/** An output with a part more. */
async function grown(name: string, part: PartOfOutput, before: Growing | undefined, ranges: ReadonlyMap<string, readonly [number, number]>, options: AnswerOptions): Promise<Growing> {
  const { placePart, tensorToImage } = await import("../onnx/index.ts");
  const { tensor, shape, axes, top, left } = part;
  const seen = { least: Infinity, most: -Infinity, sum: 0, count: 0 };
  for (const element of tensor.data) {
    const value = Number(element);
    if (Number.isNaN(value)) continue;
    seen.least = Math.min(seen.least, value);
    seen.most = Math.max(seen.most, value);
    seen.sum += value;
    seen.count++;
  }
  const all: Growing = before ? { ...before } : { shape, part: tensor, least: Infinity, most: -Infinity, sum: 0, count: 0 };
  all.least = Math.min(all.least, seen.least);
  all.most = Math.max(all.most, seen.most);
  all.sum += seen.sum;
  all.count += seen.count;
  if (kindOf(name, { ...tensor, shape }, options) !== "picture") return { ...all, tensor: placePart(part, before?.tensor) };
  const [height, width] = [shape[axes[0]]!, shape[axes[1]]!];
  all.range ??= ranges.get(name) ?? rangeFor(tensor, all.least, all.most, options);
  if (tensor.shape.includes(0)) return all;
  const pixels = tensorToImage(tensor, { range: all.range, layout: axes[1] === shape.length - 1 ? "NCHW" : "NHWC" });
  const { channels } = pixels;
  all.image ??= { width, height, channels, data: new Uint8Array(width * height * channels) };
  const run = pixels.width * channels;
  for (let y = 0; y < pixels.height; y++)
    all.image.data.set(pixels.data.subarray(y * run, (y + 1) * run), ((top + y) * width + left) * channels);
  return all;
} // biome-ignore format: lines

function answered(name: string, { image, range, tensor, shape, part, least, most, sum, count }: Growing, options: AnswerOptions): Tiled["answers"][0] {
  if (!image) return { answer: answerOf(name, tensor!, options), result: tensor! };
  const known = { range: range!, least, most, mean: sum / count };
  return { answer: { ...pictureAnswer(name, { ...part, shape }, options), ...(count > 0 && known) }, result: image };
} // biome-ignore format: lines

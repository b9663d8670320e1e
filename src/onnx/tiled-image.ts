// Tiles of a picture: cut out, laid into frames where a network wants more than the picture has, and put together again.
import type { CallHooks } from "../engine/calls.ts";
import { describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { planAxis, type TileAxis, type TilePart } from "../graph/tiles/plan.ts";
import type { Field } from "../graph/tiles/seen.ts";
import { type Growth, growthOf, opened, type Pair, type PictureNetwork, specsFor } from "../graph/tiles/trace.ts";
import type { Value } from "../graph/types.ts";
import { toValue } from "../graph/values.ts";
import { type CheckedImage, checkImage, type ImageLike } from "../tensor/image.ts";
import { newArray, type Tensor } from "../tensor.ts";
import { type ImageTensorOptions, imageToTensor, pictureInput, type ValueScale } from "./image.ts";
import type { Model } from "./model.ts";
import { type ByteImage, tensorToImage } from "./picture-out.ts";
import type { PartOfOutput } from "./tile-parts.ts";
import { fieldOf, outputFieldsOf, type PictureModel, tilesOf } from "./tiling.ts";

interface Request {
  model: Model;
  outputs: readonly string[] | undefined;
  image: ImageLike;
  scale: ImageTensorOptions;
  /** Rows and columns of a tile; those that the model declares where they are not given. */
  most: Pair | undefined;
  defaultSide: number;
  hooks: CallHooks;
}

const mostPixels = 2 ** 30;

/** The picture with its edges repeated. */
interface Frame {
  size: Pair;
  /** Rows above and columns before the picture. */
  before: Pair;
}

export async function* tilesOfImage(request: Request): AsyncGenerator<Record<string, PartOfOutput>> {
  const { model, outputs, hooks, most, defaultSide } = request;
  const image = checkImage("image", request.image, { side: mostPixels, pixels: mostPixels });
  const graph = model.choosing(outputs);
  const [input, ...others] = graph.inputs;
  if (!input || others.length > 0) {
    const received = graph.inputs.map(({ name }) => describe(name)).join(", ") || "none";
    const hint = "runTiled takes tensors for each";
    throw new InvalidArgumentError({ parameter: "model", expected: "a model with one input", received, hint });
  }
  const declared = pictureInput(input);
  const options = { ...request.scale, input };
  const tensorOf = (picture: CheckedImage): Value => {
    const { width, height } = picture;
    return toValue(imageToTensor(picture, { ...options, size: { width, height } }))!;
  };
  const { dtype, shape } = tensorOf(cut(image, 0, 0, [1, 1]));
  const field: Field = (options.layout ?? declared.layout) === "NCHW" ? [shape.length - 2, shape.length - 1] : [shape.length - 3, shape.length - 2]; // biome-ignore format: a line
  const network: PictureNetwork = {
    ...{ graph, operators: model.operators },
    ...{ specs: new Map([[input.name, { dtype, shape }]]), fields: new Map([[input.name, field]]) },
  };
  const of: PictureModel = { model, graph, network };
  const size: Pair = [image.height, image.width];
  const fixed = [declared.height, declared.width].map((side) => (most ? undefined : side));
  const sides = (most ?? fixed.map((side) => side ?? defaultSide)) as Pair;
  const fits = size.every((side, d) => side <= sides[d]! && fixed[d] === undefined);
  let plan: Planned;
  try {
    plan = planned(of, size, sides, fixed);
  } catch (error) {
    if (!fits || !(error instanceof UnsupportedError)) throw error;
    yield await whole(of, input.name, tensorOf(image), hooks);
    return;
  }
  const { tiling, before } = plan;
  const tile = [tiling.rows.tile, tiling.columns.tile] as const;
  const read = (top: number, left: number): Map<string, Value> =>
    new Map([[input.name, tensorOf(cut(image, top - before[0], left - before[1], tile))]]);
  yield* tilesOf(of, tiling, read, hooks);
}

/** A picture that is no larger than a tile, on a network that mixes its places. */
async function whole({ model, graph }: PictureModel, name: string, value: Value, hooks: CallHooks) {
  const results = await model.compute(graph, new Map([[name, value]]), hooks);
  const parts = Object.entries(results).map(([name, tensor]): [string, PartOfOutput] => {
    const { shape } = tensor;
    return [name, { tensor, shape, axes: fieldOf(shape) ?? [0, 0], top: 0, left: 0, done: 1 }];
  });
  return Object.fromEntries(parts);
}

/** A part of a picture; outside, its edge goes on. */
function cut({ data, dtype, width, height, channels, ...known }: CheckedImage, top: number, left: number, [rows, columns]: Pair): CheckedImage {
  const part = newArray(dtype, rows * columns * channels);
  const clamp = (at: number, length: number): number => Math.min(length - 1, Math.max(0, at));
  const [first, end] = [Math.max(0, left), Math.min(width, left + columns)];
  for (let y = 0; y < rows; y++) {
    const row = clamp(top + y, height) * width;
    const to = y * columns;
    if (first < end)
      part.set(data.subarray((row + first) * channels, (row + end) * channels), (to + first - left) * channels);
    for (let x = 0; x < columns; x++) {
      const at = left + x;
      if (at >= first && at < end) x = end - left;
      if (x >= columns) break;
      const from = (row + clamp(left + x, width)) * channels;
      for (let c = 0; c < channels; c++) part[(to + x) * channels + c] = data[from + c]!;
    }
  }
  return { ...known, dtype, width: columns, height: rows, channels, data: part };
} // biome-ignore format: lines

interface Planned extends Frame {
  tiling: {
    rows: TileAxis;
    columns: TileAxis;
    inputs: ReadonlyMap<string, Field>;
    outputs: ReadonlyMap<string, Field>;
  };
}

/** Sides of which some networks want multiples. */
const multiples = [1, 2, 4, 8, 16, 32, 64, 128];

/** Tiles whose outputs show all of the picture. */
function planned(of: PictureModel, size: Pair, most: Pair, fixed: readonly (number | undefined)[]): Planned {
  const { growth, network, multiple, base } = growthFor(of.network, size, fixed);
  const fields = outputFieldsOf(of, growth.fields);
  const outputs = [...fields.keys()];
  const lost = ([0, 1] as const).map((d) => lostAlong(network, growth, outputs, base, d));
  const frame = ([0, 1] as const).map((d) => {
    const [before, after] = [Math.max(...lost[d]!.map((one) => one.before)), Math.max(...lost[d]!.map((one) => one.after))]; // biome-ignore format: a line
    const [wanted, period, tile] = [size[d] + before + after, growth.period[d], fixed[d]];
    const side = tile === undefined ? Math.ceil(wanted / multiple) * multiple : tile + Math.max(0, Math.ceil((wanted - tile) / period)) * period; // biome-ignore format: a line
    return { side, before };
  });
  const framed = frame.map(({ side }) => side) as unknown as Pair;
  const request = { network, growth, size: framed, outputs };
  const [rows, columns] = ([0, 1] as const).map((d) => {
    const axis = planAxis(request, d, most[d], fixed[d]);
    const { before } = frame[d]!;
    if (before === 0 && framed[d] === size[d]) return axis;
    const windows = outputs.map((name, i) => {
      const { places, pixels } = growth.rates.get(name)![d];
      const start = Math.round(((before - lost[d]![i]!.begin) * places) / pixels);
      const count = Math.ceil((size[d] * places) / pixels - 1e-6);
      return [name, { start, count: Math.min(count, axis.results[name]! - start) }] as const;
    });
    return cropped(axis, new Map(windows));
  }) as [TileAxis, TileAxis];
  return { tiling: { rows, columns, inputs: network.fields, outputs: fields }, size: framed, before: [frame[0]!.before, frame[1]!.before] }; // biome-ignore format: a line
}

/** From the picture's size on, or the next one that the network takes; from sizes that are fixed. */
function growthFor(network: PictureNetwork, size: Pair, fixed: readonly (number | undefined)[]) {
  let refusal: unknown;
  for (const multiple of multiples) {
    const base = size.map((side, d) => fixed[d] ?? Math.ceil(side / multiple) * multiple) as unknown as Pair;
    try {
      return { growth: growthOf(network, base), network, multiple, base };
    } catch (error) {
      refusal ??= error;
      if (!(error instanceof InvalidArgumentError)) break;
    }
  }
  const [height, width] = fixed;
  if (height === undefined || width === undefined) throw refusal;
  try {
    const any = opened(network, [height, width]);
    return { growth: growthOf(any, [height, width]), network: any, multiple: 1, base: [height, width] as const };
  } catch {
    throw refusal;
  }
}

/** Pixels of the picture that each output leaves out at its ends, and where its first place begins. */
function lostAlong(network: PictureNetwork, growth: Growth, outputs: readonly string[], base: Pair, d: 0 | 1) {
  const period = growth.period[d];
  const even = base.with(d, Math.ceil(base[d] / period) * period) as unknown as Pair;
  const shapes = [even, base].map((size) => {
    try {
      return { specs: specsFor(network, size), side: size[d] };
    } catch (error) {
      if (size === even && error instanceof InvalidArgumentError) return undefined;
      throw error;
    }
  });
  const { specs, side } = (shapes[0] ?? shapes[1])!;
  return outputs.map((name) => {
    const { places, pixels } = growth.rates.get(name)![d];
    const all = side - (specs.get(name)!.shape[growth.fields.get(name)![d]]! * pixels) / places;
    const begin = all > 0 ? Math.min(all, Math.max(0, growth.begins.get(name)![d])) : 0;
    return { begin, before: Math.ceil(begin - 1e-6), after: Math.max(0, Math.ceil(all - begin - 1e-6)) };
  });
}

/** Tiles of a part of what they give. */
function cropped(axis: TileAxis, windows: ReadonlyMap<string, { start: number; count: number }>): TileAxis {
  const within = (name: string, { from, to, count }: TilePart): TilePart => {
    const { start, count: most } = windows.get(name)!;
    const [first, end] = [Math.max(to, start), Math.min(to + count, start + most)];
    return { from: from + first - to, to: first - start, count: Math.max(0, end - first) };
  };
  const spans = axis.spans.map(({ start, parts }) => ({
    start,
    parts: Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, within(name, part)])),
  }));
  const results = Object.fromEntries([...windows].map(([name, { count }]) => [name, count]));
  return { ...axis, results, spans: spans.filter(({ parts }) => Object.values(parts).some(({ count }) => count > 0)) };
}

/** One picture of the parts of one output. */
export async function imageFromTiles(tiles: AsyncIterable<Record<string, PartOfOutput>>, scale: ValueScale = {}): Promise<ByteImage> {
  let found: ByteImage | undefined;
  for await (const parts of tiles) {
    const [part] = Object.values(parts) as [PartOfOutput];
    const { shape, axes, top, left } = part;
    const image = imageOfPart(part, scale);
    if (!image) continue;
    const [height, width] = [shape[axes[0]]!, shape[axes[1]]!];
    found ??= { width, height, channels: image.channels, data: new Uint8Array(width * height * image.channels) };
    placeImage(image, found, top, left);
  }
  return found!;
} // biome-ignore format: lines

/** The pixels of a part; undefined of one without any. */
export function imageOfPart({ tensor, axes }: Pick<PartOfOutput, "tensor" | "axes">, scale: ValueScale): ByteImage | undefined {
  if (tensor.shape.includes(0)) return undefined;
  return tensorToImage(tensor as Tensor, { ...scale, layout: axes[1] === tensor.shape.length - 1 ? "NCHW" : "NHWC" });
} // biome-ignore format: lines

export function placeImage(part: ByteImage, whole: ByteImage, top: number, left: number): void {
  const run = part.width * part.channels;
  for (let y = 0; y < part.height; y++)
    whole.data.set(part.data.subarray(y * run, (y + 1) * run), ((top + y) * whole.width + left) * whole.channels);
}

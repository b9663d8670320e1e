// Runs a model of pictures by overlapping tiles: what its network makes of the whole picture, in the memory of a tile.
import type { CallHooks } from "../engine/calls.ts";
import { checkRunOptions } from "../engine/calls.ts";
import { checkInteger, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import type { ImageLike } from "../tensor/image.ts";
import type { Tensor } from "../tensor.ts";
import { inputValues, type ModelInput } from "./choice.ts";
import type { ImageTensorOptions, ValueScale } from "./image.ts";
import { Model } from "./model.ts";
import type { ByteImage } from "./picture-out.ts";
import type { PartOfOutput } from "./tile-parts.ts";

/** How a model runs by tiles. */
export interface TiledOptions extends CallHooks {
  /** Sides of a tile, at most, in pixels: 256 unless given. The larger, the less is computed twice, and the more memory is used. */
  tile?:
    | number
    | {
        /** In pixels. */
        width: number;
        /** In pixels. */
        height: number;
      };
  /** Names of the outputs that are wanted; all unless given. */
  outputs?: readonly string[];
}

/** How a model runs on a picture by tiles. */
export interface TiledImageOptions
  extends TiledOptions,
    Pick<ImageTensorOptions, "range" | "mean" | "std" | "order" | "channels" | "layout" | "dtype"> {
  /**
   * Sides of a tile, at most, in pixels. Unless given those that the model declares, else 256. A model that declares others runs on
   * these, where its network can.
   */
  tile?: TiledOptions["tile"];
}

const keys = ["tile", "outputs", "signal", "onProgress"] as const;

/** Height and width, at most. */
function checkTile(tile: TiledOptions["tile"]): readonly [number, number] | undefined {
  if (tile === undefined) return undefined;
  const side = (name: string, value: unknown): number => checkInteger(name, value, { min: 1, max: 1 << 15 });
  if (typeof tile !== "object" || tile === null) return [side("tile", tile), side("tile", tile)];
  return [side("tile.height", tile.height), side("tile.width", tile.width)];
}

function checkModel(model: unknown): void {
  if (model instanceof Model) return;
  throw new InvalidArgumentError({ parameter: "model", expected: "a model of loadModel", received: describe(model) });
}

const defaultSide = 256;

/**
 * What `model.run` computes, tile by tile: of networks each of whose results depends on places near it alone, such as upscalers, denoisers and
 * most segmentation. How far they see follows from the network; tiles overlap by that much, so that no seam is there. Results differ from
 * those of the whole run by rounding at most (1e-5 of the largest value), as other sizes may be computed in another order. What fits into a tile runs whole.
 *
 * @param inputs as `model.run` takes them. Those that show the picture have one size; others go into every tile.
 * @throws UnsupportedError for a network that mixes all places (its node is named: a global pool, a norm over the picture,
 * attention), InvalidArgumentError for tiles that are smaller than what one place depends on.
 */
export async function runTiled(
  model: Model,
  inputs: Readonly<Record<string, ModelInput>>,
  options?: TiledOptions,
): Promise<Record<string, Tensor>> {
  checkModel(model);
  const { tile, outputs, ...hooks } = checkOptions<TiledOptions>("options", options, keys);
  checkRunOptions(hooks);
  const most = checkTile(tile) ?? [defaultSide, defaultSide];
  const graph = model.choosing(outputs);
  const values = await inputValues(model.graph, inputs, graph.inputs);
  const { wholeFromTiles } = await import("./tiled-tensors.ts");
  return wholeFromTiles({ model, graph, values, most, hooks });
}

const imageKeys = [...keys, "range", "mean", "std", "order", "channels", "layout", "dtype"] as const;

/**
 * Runs a model with one input on a picture of any size, and gives what each tile adds to the outputs: no more than the picture and a
 * tile is held. The outputs show the whole picture: where a network leaves out pixels at borders, or wants other sizes,
 * edges are repeated as far. Alpha is left out.
 *
 * @throws as {@link runTiled}.
 */
export async function* imageTiles(
  model: Model,
  image: ImageLike,
  options?: TiledImageOptions,
): AsyncGenerator<Record<string, PartOfOutput>> {
  checkModel(model);
  const { tile, outputs, signal, onProgress, ...scale } = checkOptions<TiledImageOptions>(
    "options",
    options,
    imageKeys,
  );
  checkRunOptions({ signal, onProgress });
  const { tilesOfImage } = await import("./tiled-image.ts");
  yield* tilesOfImage({
    model,
    outputs,
    image,
    scale,
    most: checkTile(tile),
    defaultSide,
    hooks: { signal, onProgress },
  });
}

/** How a model makes a picture of a picture. */
export interface RunImageOptions extends Omit<TiledImageOptions, "outputs"> {
  /** The name of the output that is the picture; may be left out where there is only one. */
  output?: string;
  /** How the output's values become pixels. Default: 0 is black, 1 is white. */
  result?: ValueScale;
}

/**
 * A picture of a picture, by a model that upscales, denoises, colours or paints it: of 8 bits a channel, of any size, by tiles, as
 * {@link imageTiles} says.
 *
 * @throws as {@link runTiled}; InvalidArgumentError for an output that is no picture.
 */
export async function runImage(model: Model, image: ImageLike, options?: RunImageOptions): Promise<ByteImage> {
  checkModel(model);
  const known = [...imageKeys.filter((key) => key !== "outputs"), "output", "result"] as const;
  const { output, result, ...rest } = checkOptions<RunImageOptions>("options", options, known);
  if (result !== undefined) checkOptions<ValueScale>("result", result, ["range", "mean", "std", "order"]);
  const names = model.outputs.map(({ name }) => name);
  if (output === undefined && names.length > 1) {
    const expected = `one of ${names.map(describe).join(", ")}`;
    throw new InvalidArgumentError({ parameter: "output", expected, received: "none" });
  }
  const { imageFromTiles } = await import("./tiled-image.ts");
  return imageFromTiles(imageTiles(model, image, { ...rest, outputs: [output ?? names[0]!] }), result);
}

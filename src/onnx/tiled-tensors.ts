// Whole outputs from tiles of tensors.
import type { CallHooks } from "../engine/calls.ts";
import type { Graph, Value } from "../graph/types.ts";
import type { Tensor } from "../tensor.ts";
import type { Model } from "./model.ts";
import { copyBox, like, placed, placePart } from "./tile-parts.ts";
import { pictureModel, tilesOf, tilingOf } from "./tiling.ts";

interface Request {
  model: Model;
  graph: Graph;
  values: ReadonlyMap<string, Value>;
  /** Rows and columns of a tile. */
  most: readonly [number, number];
  hooks: CallHooks;
}

export async function wholeFromTiles({ model, graph, values, most, hooks }: Request): Promise<Record<string, Tensor>> {
  const specs = new Map([...values].map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
  const of = pictureModel(model, graph, specs);
  if (of.size[0] <= most[0] && of.size[1] <= most[1]) return model.compute(graph, values, hooks);
  const tiling = tilingOf(of, of.size, most);
  const sides = [tiling.rows.tile, tiling.columns.tile] as const;
  const cut = (name: string, value: Value, top: number, left: number): Value => {
    const field = tiling.inputs.get(name);
    if (!field) return value;
    const shape = value.shape.with(field[0], sides[0]).with(field[1], sides[1]);
    const tile = like(value, shape);
    copyBox(value, tile, shape, placed(value, field, top, left), shape.map(() => 0)); // biome-ignore format: a line
    return tile;
  };
  const read = (top: number, left: number): Map<string, Value> =>
    new Map([...values].map(([name, value]) => [name, cut(name, value, top, left)]));
  const results: Record<string, Tensor> = {};
  for await (const parts of tilesOf(of, tiling, read, hooks)) {
    for (const [name, part] of Object.entries(parts)) results[name] = placePart(part, results[name]);
  }
  return results;
}

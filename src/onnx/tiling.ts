// A model's tiles for pictures of one size, and what is put together from them: the part of a run by tiles that loads when one is asked for.
import { describe, InvalidArgumentError } from "../errors.ts";
import { planAxis, type TileAxis } from "../graph/tiles/plan.ts";
import type { Field } from "../graph/tiles/seen.ts";
import { growthOf, type Pair, type PictureNetwork } from "../graph/tiles/trace.ts";
import type { Graph, Spec, Value } from "../graph/types.ts";
import type { Model } from "./model.ts";
import { copyBox, like, type PartOfOutput, placed } from "./tile-parts.ts";

/** Tiles of a picture. */
export interface Tiling {
  rows: TileAxis;
  columns: TileAxis;
  /** Where rows and columns lie in the inputs that show the picture, and in the outputs. */
  inputs: ReadonlyMap<string, Field>;
  outputs: ReadonlyMap<string, Field>;
}

/** A model of pictures: which part of its network runs, and how its inputs look. */
export interface PictureModel {
  model: Model;
  graph: Graph;
  network: PictureNetwork;
}

/** Of an input by its sides: the first axis of those that may be channels is theirs, as for pictures that become tensors. */
export function fieldOf(shape: readonly number[]): Field | undefined {
  const rank = shape.length;
  if (rank < 2 || rank > 4) return undefined;
  const isColours = (side: number | undefined): boolean => side === 1 || side === 3;
  const isLast = rank > 2 && !isColours(shape[rank - 3]) && isColours(shape[rank - 1]);
  return isLast ? [rank - 3, rank - 2] : [rank - 2, rank - 1];
}

/** The network for inputs of which some show a picture. */
export function pictureModel(model: Model, graph: Graph, specs: ReadonlyMap<string, Spec>): PictureModel & { size: Pair } {
  let size: Pair | undefined;
  const fields = new Map<string, Field>();
  for (const [name, { shape }] of specs) {
    const field = fieldOf(shape);
    if (!field) continue;
    const own: Pair = [shape[field[0]]!, shape[field[1]]!];
    size ??= own;
    if (own.join() === size.join()) fields.set(name, field);
  }
  if (!size) throw noPicture("inputs", graph.inputs);
  return { model, graph, network: { graph, operators: model.operators, specs, fields }, size };
} // biome-ignore format: lines

const noPicture = (parameter: string, received: Graph["inputs"]): InvalidArgumentError =>
  new InvalidArgumentError({
    parameter,
    expected: "one that shows a picture: [1, channels, height, width] or [1, height, width, channels]",
    received: received.map(({ name, shape = [] }) => `${describe(name)} [${shape.map((side) => side ?? "?").join(", ")}]`).join(", "),
  }); // biome-ignore format: lines

/** Refuses outputs that are the same for all places: tiles would not know what theirs are. */
export function outputFieldsOf({ graph }: PictureModel, fields: ReadonlyMap<string, Field>): Map<string, Field> {
  const shown = graph.outputs.filter(({ name }) => fields.has(name));
  const other = graph.outputs.filter(({ name }) => !fields.has(name));
  if (other.length > 0) throw noPicture(other.map(({ name }) => `output ${describe(name)}`).join(" and "), other);
  return new Map(shown.map(({ name }) => [name, fields.get(name)!]));
}

/** Tiles of at most so many rows and columns, for a picture of this size. */
export function tilingOf(of: PictureModel, size: Pair, most: Pair): Tiling {
  const { network } = of;
  const growth = growthOf(network, size);
  const outputs = outputFieldsOf(of, growth.fields);
  const request = { network, growth, size, outputs: [...outputs.keys()] };
  const [rows, columns] = ([0, 1] as const).map((d) => planAxis(request, d, most[d])) as [TileAxis, TileAxis];
  return { rows, columns, inputs: network.fields, outputs };
}

/** Runs all tiles, row by row; `read` gives the inputs of one. */
export async function* tilesOf(
  { model, graph }: PictureModel,
  { rows, columns, outputs }: Tiling,
  read: (top: number, left: number) => Map<string, Value>,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (done: number) => void },
): AsyncGenerator<Record<string, PartOfOutput>> {
  const count = rows.spans.length * columns.spans.length;
  let index = 0;
  for (const down of rows.spans) {
    for (const across of columns.spans) {
      signal?.throwIfAborted();
      const done = index++;
      const progress = onProgress && ((share: number): void => onProgress((done + share) / count));
      const results = await model.compute(graph, read(down.start, across.start), { signal, onProgress: progress });
      const parts = [...outputs].map(([name, field]): [string, PartOfOutput] => {
        const [y, x] = [down.parts[name]!, across.parts[name]!];
        const tensor = results[name]!;
        const sides = tensor.shape.with(field[0], y.count).with(field[1], x.count);
        const part = like(tensor, sides);
        copyBox(tensor, part, sides, placed(tensor, field, y.from, x.from), sides.map(() => 0));
        const shape = tensor.shape.with(field[0], rows.results[name]!).with(field[1], columns.results[name]!);
        return [name, { tensor: part, shape, axes: field, top: y.to, left: x.to, done: index / count }];
      });
      yield Object.fromEntries(parts);
    }
  }
} // biome-ignore format: lines

// Follows a picture through a network of given shapes: where its rows and columns lie in each value, how each node sees them, and how
// sizes grow with the picture's.
import { InvalidArgumentError, UnsupportedError } from "../../errors.ts";
import { inferShapes } from "../infer.ts";
import type { Graph, GraphNode, Operators, Spec } from "../types.ts";
import { type Field, noTiles, type Seen, type Sight } from "./seen.ts";
import { sightsOf } from "./sights.ts";

/** Rows and columns, in this order. */
export type Pair = readonly [rows: number, columns: number];

/** A network of pictures: some inputs show one, all of the same size. */
export interface PictureNetwork {
  graph: Graph;
  operators: Operators;
  /** Of all inputs, for any picture; those that show it in place of their rows and columns. */
  specs: ReadonlyMap<string, Spec>;
  /** Of the inputs that show the picture. */
  fields: ReadonlyMap<string, Field>;
  /** Constants that write down shapes for one size of pictures. */
  written?: readonly WrittenShape[];
}

/** A shape of which rows and columns are those of one size. */
interface WrittenShape {
  name: string;
  shape: readonly number[];
  field: Field;
  /** The size that it is for. */
  size: Pair;
}

/** How a node's results see its inputs. */
export interface Step {
  seen: Seen;
  sights: readonly (Sight | undefined)[];
}

/** A network of one size. */
export interface Trace {
  specs: ReadonlyMap<string, Spec>;
  fields: ReadonlyMap<string, Field>;
  /** In the order of nodes; those that say nothing of places are missing. */
  steps: ReadonlyMap<GraphNode, Step>;
}

/** Types and shapes of all values for a picture of this size. */
export function specsFor({ graph, operators, specs, fields, written }: PictureNetwork, size: Pair): Map<string, Spec> {
  const inputs = new Map(
    [...specs].map(([name, { dtype, shape }]) => {
      const field = fields.get(name);
      const sides = field ? shape.with(field[0], size[0]).with(field[1], size[1]) : shape;
      return [name, { dtype, shape: sides }];
    }),
  );
  return inferShapes(written ? { ...graph, constants: withShapes(graph, written, size) } : graph, operators, inputs);
}

/** The constants with written shapes for this size. */
function withShapes({ constants }: Graph, written: readonly WrittenShape[], size: Pair): Graph["constants"] {
  const all = new Map(constants);
  for (const { name, shape, field, size: own } of written) {
    const sides = shape.map((side, axis) => {
      const d = field.indexOf(axis);
      return BigInt(d < 0 ? side : Math.round((side * size[d]!) / own[d]!));
    });
    all.set(name, { shape: [sides.length], data: BigInt64Array.from(sides) });
  }
  return all;
}

/** A network for one size of pictures as one for all: what its Reshape nodes write down grows with the picture. */
export function opened(network: PictureNetwork, size: Pair): PictureNetwork {
  const { specs, steps } = traced(network, size);
  const written: WrittenShape[] = [];
  const nodes = network.graph.nodes.map((node) => {
    const field = node.op === "Reshape" ? steps.get(node)?.sights[0]?.field : undefined;
    if (!field || !specs.get(node.inputs[1]!)?.data) return node;
    const name = `${node.outputs[0]}, its shape`;
    written.push({ name, shape: specs.get(node.outputs[0]!)!.shape, field, size });
    return { ...node, inputs: [node.inputs[0]!, name] };
  });
  return { ...network, graph: { ...network.graph, nodes }, written };
}

/** @throws UnsupportedError for a node that sees more than places near each other. */
export function traced(network: PictureNetwork, size: Pair): Trace {
  const { graph, operators } = network;
  const specs = specsFor(network, size);
  const fields = new Map(network.fields);
  const steps: Trace["steps"] = new Map();
  const closed = new Set<string>();
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((name) => specs.get(name) ?? { dtype: "f32" as const, shape: [] });
    const isTold = node.outputs.every((name) => name === "" || specs.get(name)?.data !== undefined);
    const own = node.inputs.map((name) => (specs.get(name)?.data ? undefined : fields.get(name)));
    const inputs = node.inputs.map((name) => specs.get(name));
    const seen: Seen = { node, operators, inputs, fields: own, outputs };
    if (isTold) continue;
    if (node.inputs.some((name) => closed.has(name))) noTiles(seen, "places in the whole picture as numbers");
    if (own.every((field) => !field)) continue;
    const sights = sightsOf(seen);
    for (const [i, name] of node.outputs.entries()) {
      if (sights[i]) fields.set(name, sights[i].field);
      else if (name !== "") closed.add(name);
    }
    (steps as Map<GraphNode, Step>).set(node, { seen, sights });
  }
  return { specs, fields, steps };
}

/** Pixels by which two pictures differ whose sizes tell how values grow: so many halvings, thirds, fifths and sevenths are whole. */
const apart = 2 ** 8 * 3 ** 3 * 5 * 7;
/** Tiles of networks with larger strides in all would have to be as large. */
const longestPeriod = 1024;

/** So many places of a value to so many of the picture. */
export interface Rate {
  places: number;
  pixels: number;
}

/** How the values of a network grow with the picture. */
export interface Growth {
  /** Of each value that shows the picture, along rows and columns. */
  rates: ReadonlyMap<string, readonly [Rate, Rate]>;
  /** Tiles begin at multiples of so many pixels. */
  period: Pair;
  /** Where the picture's axes lie in each value that shows it. */
  fields: ReadonlyMap<string, Field>;
  /** Of each such value: where the edge of its first place lies in the picture, in pixels. */
  begins: ReadonlyMap<string, Pair>;
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** The same for a larger picture, which the network may not take. */
function tracedLarge(network: PictureNetwork, size: Pair): Trace {
  try {
    return traced(network, [size[0] + apart, size[1] + apart]);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    const { parameter, expected, received } = error;
    const hint = "tiles need a network that takes pictures of other sizes";
    throw new UnsupportedError({ parameter, expected, received, hint, cause: error });
  }
}

/** How a network's values grow from a picture of this size on. */
export function growthOf(network: PictureNetwork, size: Pair): Growth {
  const small = specsFor(network, size);
  const large = tracedLarge(network, size);
  const rates = new Map<string, readonly [Rate, Rate]>();
  const period: [number, number] = [1, 1];
  const rateOf = (name: string, axis: number, seen?: Seen): Rate => {
    const places = large.specs.get(name)!.shape[axis]! - (small.get(name)?.shape[axis] ?? 0);
    if (seen && places <= 0) noTiles(seen, "a result of the same size for every picture");
    const common = divisor(places, apart);
    return { places: places / common, pixels: apart / common };
  };
  const add = (name: string, [rows, columns]: Field, seen?: Seen): void => {
    const both = [rateOf(name, rows, seen), rateOf(name, columns, seen)] as const;
    rates.set(name, both);
    for (const [d, { pixels }] of both.entries()) period[d] = (period[d]! * pixels) / divisor(period[d]!, pixels);
    if (seen && Math.max(...period) > longestPeriod) noTiles(seen, "strides that no tile has room for");
  };
  for (const [name, field] of network.fields) add(name, field);
  for (const { seen, sights } of large.steps.values())
    for (const [i, sight] of sights.entries()) if (sight) add(seen.node.outputs[i]!, sight.field, seen);
  const larger = size.map((side, d) => side + period[d]! * Math.ceil(256 / period[d]!)) as unknown as Pair;
  return { rates, period, fields: large.fields, begins: beginsOf(traced(network, larger), rates) };
}

/** Where the edges of first places lie: by the middles of what places in the midst of the picture see. */
function beginsOf({ specs, fields, steps }: Trace, rates: Growth["rates"]): Map<string, Pair> {
  const middles = new Map<string, Pair>([...fields.keys()].map((name) => [name, [0, 0]]));
  for (const { seen, sights } of steps.values()) {
    for (const [i, sight] of sights.entries()) {
      if (!sight) continue;
      const name = seen.node.outputs[i]!;
      const { input, along } = sight.reads[0]!;
      const from = seen.node.inputs[input]!;
      const middle = ([0, 1] as const).map((d) => {
        const [rate, own] = [rates.get(name)![d], rates.get(from)![d]];
        const first = specs.get(name)!.shape[sight.field[d]]! >> 1;
        const count = (rate.places * own.pixels) / divisor(rate.places * own.pixels, rate.pixels * own.places);
        let [sum, told] = [0, 0];
        for (let place = first; place < first + count; place++) {
          const taps = along[d]?.(place) ?? [[place, 0]];
          if (taps.length === 0) continue;
          const mean = taps.reduce((total, [at]) => total + at, 0) / taps.length;
          sum += (mean * own.pixels) / own.places - (place * rate.pixels) / rate.places;
          told++;
        }
        return middles.get(from)![d] + sum / Math.max(1, told);
      });
      middles.set(name, middle as unknown as Pair);
    }
  }
  const edge = (at: number, { places, pixels }: Rate): number => at + 0.5 - pixels / places / 2;
  return new Map(
    [...middles].map(([name, middle]) => [
      name,
      middle.map((at, d) => edge(at, rates.get(name)![d]!)) as unknown as Pair,
    ]),
  );
}

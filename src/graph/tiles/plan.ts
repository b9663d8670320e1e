// Plans tiles: which parts of a picture a network is run on so that its results, put together, are those of the whole picture. Which
// places of a tile's result are those of the whole one is not estimated: both are followed through the network, and what each place sees compared.
import { InvalidArgumentError, UnsupportedError } from "../../errors.ts";
import type { GraphNode } from "../types.ts";
import { noTiles, type Reader } from "./seen.ts";
import { type Growth, type Pair, type PictureNetwork, type Rate, type Step, specsFor, type Trace, traced } from "./trace.ts"; // biome-ignore format: a line

/** Part of one output's rows or columns that a tile gives. */
export interface TilePart {
  /** The first place in the tile's result. */
  from: number;
  /** The first place in the whole result. */
  to: number;
  /** How many there are. */
  count: number;
}

/** Tiles that begin in the same row, or in the same column. */
export interface TileSpan {
  /** First row or column of the picture. */
  start: number;
  /** Of each output, by its name. */
  parts: Readonly<Record<string, TilePart>>;
}

/** Along rows, or along columns. */
export interface TileAxis {
  /** Of the picture, in pixels. */
  size: number;
  /** Of a tile, in pixels. */
  tile: number;
  spans: readonly TileSpan[];
  /** Of each whole output. */
  results: Readonly<Record<string, number>>;
}

export interface TileRequest {
  network: PictureNetwork;
  growth: Growth;
  /** Of the picture. */
  size: Pair;
  /** Outputs that are put together. */
  outputs: readonly string[];
}

/** Tiles of at most so many rows or columns; as large as `exactly` says, where that is given. */
export function planAxis(request: TileRequest, d: 0 | 1, most: number, exactly?: number): TileAxis {
  const { size, growth } = request;
  const [whole, period] = [size[d], growth.period[d]];
  if (whole <= (exactly ?? most)) return single(request, d);
  // Sums of layers are formed in pairs of places: then tiles form them in the same.
  const grid = exactly === undefined && most >= 8 * period ? 2 * period : period;
  const tile = exactly ?? most - ((((most - whole) % grid) + grid) % grid);
  const found = tile > 0 && (whole - tile) % period === 0 ? axisOf(request, d, tile, period) : undefined;
  return found ?? refused(request, d, most, grid);
}

/** One tile that is the whole picture. */
function single({ network, growth, size, outputs }: TileRequest, d: 0 | 1): TileAxis {
  const specs = specsFor(network, size);
  const results = resultsOf(specs, growth, outputs, d);
  const parts = Object.fromEntries(outputs.map((name) => [name, { from: 0, to: 0, count: results[name]! }]));
  return { size: size[d], tile: size[d], spans: [{ start: 0, parts }], results };
}

/** How many rows or columns outputs have. */
const resultsOf = (specs: Trace["specs"], { fields }: Growth, outputs: readonly string[], d: 0 | 1) =>
  Object.fromEntries(outputs.map((name) => [name, specs.get(name)!.shape[fields.get(name)![d]]!]));

/** This size along one axis; along the other one that has room for all that a node may ask for. */
function sized({ size, growth }: TileRequest, d: 0 | 1, own: number): Pair {
  const [far, period] = [size[1 - d]!, growth.period[1 - d]!];
  const enough = far < 64 ? far + period * Math.ceil(64 / period) : far;
  return d === 0 ? [own, enough] : [enough, own];
}

/** Places of a tile's result that count: from, and up to. */
type Range = readonly [from: number, end: number];

function axisOf(request: TileRequest, d: 0 | 1, tile: number, period: number): TileAxis | undefined {
  const { network, growth, size, outputs } = request;
  const whole = size[d];
  const traces = bothTraced(network, sized(request, d, whole), sized(request, d, tile));
  if (!traces) return undefined;
  const last = whole - tile;
  const rangesAt = (start: number): Map<string, Range> | undefined => {
    const right = rightPlaces(network.fields.keys(), { whole: traces[0], tile: traces[1], growth, start, d });
    const found = outputs.map((name) => [name, longest(right.get(name)!)] as const);
    return found.some(([, range]) => range[1] <= range[0]) ? undefined : new Map(found);
  };
  const middle = middleOf(last, period);
  const [first, end] = [rangesAt(0), rangesAt(last)];
  const inner = middle > 0 && middle < last ? rangesAt(middle) : end;
  if (!first || !end || !inner) return undefined;
  const rangeOf = (start: number) => (start === 0 ? first : start === last ? end : inner);
  const starts = startsOf({ last, period, outputs, rangeOf, rateOf: (name) => growth.rates.get(name)![d] });
  if (!starts) return undefined;
  const results = resultsOf(traces[0].specs, growth, outputs, d);
  const done = new Map(outputs.map((name) => [name, 0]));
  const spans = starts.map((start): TileSpan => {
    const parts = outputs.map((name): [string, TilePart] => {
      const offset = scaled(start, growth.rates.get(name)![d]);
      const [to, stop] = [done.get(name)!, offset + rangeOf(start).get(name)![1]];
      done.set(name, stop);
      return [name, { from: to - offset, to, count: stop - to }];
    });
    return { start, parts: Object.fromEntries(parts) };
  });
  if (outputs.some((name) => first.get(name)![0] !== 0 || done.get(name) !== results[name])) return undefined;
  return { size: whole, tile, spans, results };
}

/** Undefined where a node wants more than so small a tile has. */
function bothTraced(network: PictureNetwork, whole: Pair, tile: Pair): readonly [Trace, Trace] | undefined {
  try {
    return [traced(network, whole), traced(network, tile)];
  } catch (error) {
    if (error instanceof InvalidArgumentError || error instanceof UnsupportedError) return undefined;
    throw error;
  }
}

const scaled = (pixels: number, { places, pixels: per }: Rate): number => (pixels * places) / per;

interface Starts {
  last: number;
  period: number;
  outputs: readonly string[];
  rangeOf(start: number): ReadonlyMap<string, Range>;
  rateOf(name: string): Rate;
}

/** Where tiles begin: each as far on as no place is left out; undefined where they are too small to get on. */
function startsOf({ last, period, outputs, rangeOf, rateOf }: Starts): number[] | undefined {
  const starts = [0];
  for (let start = 0; start < last; starts.push(start)) {
    const begun = start;
    const done = (name: string): number => scaled(begun, rateOf(name)) + rangeOf(begun).get(name)![1];
    const joins = (next: number): boolean =>
      outputs.every((name) => scaled(next, rateOf(name)) + rangeOf(next).get(name)![0] <= done(name));
    if (joins(last)) start = last;
    else {
      const far = outputs.map((name) => {
        const { places, pixels } = rateOf(name);
        return ((done(name) - rangeOf(period).get(name)![0]) * pixels) / places;
      });
      start = Math.min(last - period, Math.floor(Math.min(...far) / period) * period);
      if (start <= begun || !joins(start)) return undefined;
    }
  }
  return starts;
}

/** The longest run of places that are right. */
function longest(right: Uint8Array): Range {
  let [best, from]: [Range, number] = [[0, 0], 0];
  for (let at = 0; at <= right.length; at++) {
    if (right[at]) continue;
    if (at - from > best[1] - best[0]) best = [from, at];
    from = at + 1;
  }
  return best;
}

interface Comparison {
  whole: Trace;
  tile: Trace;
  growth: Growth;
  /** The tile's first row or column. */
  start: number;
  d: 0 | 1;
}

/** Weights that differ by less are the same: places are computed in floats. */
const weightError = 1e-6;

/** Which places of each value of a tile are what they are in the whole picture. */
function rightPlaces(inputs: Iterable<string>, comparison: Comparison): Map<string, Uint8Array> {
  const { whole, tile, d } = comparison;
  const lengthOf = (name: string): number => tile.specs.get(name)!.shape[tile.fields.get(name)![d]]!;
  const right = new Map([...inputs].map((name) => [name, new Uint8Array(lengthOf(name)).fill(1)]));
  for (const [node, step] of tile.steps) {
    const other = whole.steps.get(node);
    for (const [i, sight] of step.sights.entries()) {
      if (!sight) continue;
      const pair = pairOf(node, i, { ...comparison, step, other });
      const found = new Uint8Array(lengthOf(node.outputs[i]!));
      for (let place = 0; place < found.length; place++) {
        const isRight = pair.reads.every(({ name, agree }) => agree(place, right.get(name)!));
        found[place] = isRight && place + pair.offset < pair.length ? 1 : 0;
      }
      right.set(node.outputs[i]!, found);
    }
  }
  return right;
}

/** A result in the tile and in the whole picture. */
interface Pairing {
  /** Places from a place in the tile to the same in the whole result, and how many that has. */
  offset: number;
  length: number;
  /** Whether a place sees the same of an input in both, of which these places are right. */
  reads: { name: string; agree(place: number, right?: Uint8Array): boolean }[];
}

function pairOf(
  node: GraphNode,
  i: number,
  { step, other, whole, growth, start, d }: Comparison & { step: Step; other: Step | undefined },
): Pairing {
  const [sight, large] = [step.sights[i]!, other?.sights[i]];
  if (!large || large.signature !== sight.signature || large.field.join() !== sight.field.join())
    noTiles(step.seen, "places that are arranged by the size of the picture");
  const name = node.outputs[i]!;
  const offset = scaled(start, growth.rates.get(name)![d]);
  const reads = sight.reads.map(({ input, along }, k) => {
    const from = node.inputs[input]!;
    const shift = scaled(start, growth.rates.get(from)![d]);
    const agree = agreement(along[d], large.reads[k]!.along[d], offset, shift);
    return { name: from, agree };
  });
  return { offset, length: whole.specs.get(name)!.shape[large.field[d]]!, reads };
}

const stays: Reader = (place) => [[place, 0]];

function agreement(own: Reader | undefined, other: Reader | undefined, offset: number, shift: number) {
  if (!own && !other)
    return (place: number, right?: Uint8Array): boolean => offset === shift && (!right || right[place] === 1);
  return (place: number, right?: Uint8Array): boolean => {
    const [taps, others] = [(own ?? stays)(place), (other ?? stays)(place + offset)];
    return (
      taps.length === others.length &&
      taps.every(([at, part], k) => {
        const [there, same] = others[k]!;
        return at + shift === there && Math.abs(part - same) <= weightError && (!right || right[at] === 1);
      })
    );
  };
}

/** Sides of tiles that are tried to say which would do. */
const largest = 4096;

/** Why tiles of this size do not do: they are too small, or some node sees where in the picture a place is. */
function refused(request: TileRequest, d: 0 | 1, most: number, grid: number): never {
  const alike = (side: number): number => side + ((((request.size[d] - side) % grid) + grid) % grid);
  const larger = (tile: number): TileRequest => ({
    ...request,
    size: request.size.with(d, alike(Math.max(request.size[d], 3 * tile))) as unknown as Pair,
  });
  for (let tile = Math.max(2 * most, 64); tile <= largest; tile *= 2) {
    if (!axisOf(larger(tile), d, alike(tile), request.growth.period[d])) continue;
    const expected = `at least ${alike(tile)} pixels ${d === 0 ? "down" : "across"}, as far as the network sees`;
    throw new InvalidArgumentError({ parameter: "tile", expected, received: `${most}` });
  }
  blame(larger(largest), d, alike(largest));
  const expected = `a network whose places depend on fewer than ${largest} pixels around them`;
  throw new InvalidArgumentError({ parameter: "tile", expected, received: `${most}`, hint: "run the picture whole" });
}

/** Names the first node of which places in the midst of a tile, or at the ends of the picture, see other places than in the whole picture. */
function blame(request: TileRequest, d: 0 | 1, side: number): void {
  const { network, growth, size } = request;
  const whole = traced(network, sized(request, d, size[d]));
  const tile = traced(network, sized(request, d, side));
  const last = size[d] - side;
  const differs = (node: GraphNode, i: number, step: Step, start: number, from: number, end: number): boolean => {
    const { reads, offset } = pairOf(node, i, { step, other: whole.steps.get(node), whole, tile, growth, start, d });
    for (let place = Math.floor(from); place < end; place++)
      if (!Number.isInteger(offset) || !reads.every(({ agree }) => agree(place))) return true;
    return false;
  };
  for (const [node, step] of tile.steps) {
    for (const [i, sight] of step.sights.entries()) {
      if (!sight) continue;
      const length = tile.specs.get(node.outputs[i]!)!.shape[sight.field[d]]!;
      const isApart =
        differs(node, i, step, middleOf(last, growth.period[d]), length / 4, (3 * length) / 4) ||
        differs(node, i, step, 0, 0, 1) ||
        differs(node, i, step, last, length - 1, length);
      if (isApart) noTiles(step.seen, "places that depend on the size of the picture");
    }
  }
}

/** Where a tile begins that has others at both of its ends, not in the very middle, where a picture that is turned over looks like itself. */
const middleOf = (last: number, period: number): number => Math.floor((3 * last) / 7 / period) * period;

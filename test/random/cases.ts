// Random cases of filters, each the same for a seed and a number: what is filtered, how, and how it is called.
import { checkFilter, denseValues } from "../../src/factor/filter.ts";
import type { Filter, FilterCallOptions, Image, ImageDType, MaskLike } from "../../src/index.ts";
import { extents, type Region } from "../../src/plan/extent.ts";
import { imageDTypes, isFloat } from "../../src/tensor.ts";
import { type Border, random } from "../oracle.ts";
import { type Draws, drawsOf } from "./draws.ts";
import { randomFilter, randomSmooth } from "./filters.ts";
import { maskOf, pictureOf } from "./pictures.ts";

/** A filter as one multiplies by it: `gain · Σ taps · pixels + offset`. */
export interface Taps {
  rows: number[][];
  gain: number;
  offset: number;
  integer: boolean;
}

/** The forms in which a picture is handed over, a plan is run, and a result is taken. */
export const inputs = ["array", "value", "inner view", "shared memory", "sharp", "ImageData"] as const;
export const calls = ["filter", "run", "stored plan", "chosen"] as const;
export const outs = ["none", "array", "image", "value", "shared memory", "whole", "whole value", "in place"] as const;
export const engineNames = [
  ...["reference", "1 thread", "2 threads", "3 threads", "wide", "wide, 2 threads", "deterministic", "1 MiB"],
] as const;
export type EngineName = (typeof engineNames)[number];

export interface Case {
  seed: number;
  index: number;
  image: Image & { dtype: ImageDType };
  filter: Filter;
  taps: Taps;
  options: Omit<FilterCallOptions, "mask" | "out" | "strategy" | "fill"> & { fill?: number | number[] };
  mask: MaskLike | undefined;
  /** The pixels that results lie on. */
  place: Region;
  engine: EngineName;
  input: (typeof inputs)[number];
  call: (typeof calls)[number];
  out: (typeof outs)[number];
  /** What the case has, to be counted. */
  features: string[];
}

const borders: readonly Border[] = ["reflect", "edge", "symmetric", "wrap", "constant"];

/** The case of a seed and a number; undefined where there is nothing to filter. */
export function randomCase(seed: number, index: number): Case {
  const draws = drawsOf(random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)));
  const { pick, chance } = draws;
  const engine = chance(0.04) ? "reference" : pick(engineNames.slice(1));
  // What is computed on a coarse grid: large smooth filters of integers, with a tolerance.
  const isCoarse = chance(0.03);
  const dtype = pick(isCoarse ? imageDTypes.slice(0, 4) : imageDTypes);
  const channels = chance(0.05) ? draws.integer(5, 9) : pick([1, 1, 2, 3, 3, 4]);
  const { width, height } = sides(draws);
  const { filter, kind: filterKind } = isCoarse
    ? randomSmooth(draws)
    : randomFilter(draws, { slow: engine === "reference" });
  const taps = tapsOf(filter);
  const oneSign = isOfOneSign(taps);
  const alpha =
    channels === 2 || channels === 4 ? pick(["none", "keep", "premultiply", "premultiply"] as const) : "none";
  const known = oneSign && !isCoarse && chance(0.25);
  const nan = known && isFloat(dtype) && chance(0.6) ? "ignore" : undefined;
  const hasMask = known && (nan === undefined || chance(0.5));
  const { image, kind } = pictureOf(draws, { width, height, channels, dtype, nan: nan !== undefined, alpha });
  const options: Case["options"] = { ...layOf(draws, taps, dtype), alpha, ...(nan && { nan }) };
  if (isCoarse) options.tolerance = pick([0.03, 0.1, 0.3]);
  if (chance(0.5)) options.output = pick(imageDTypes);
  if (known && chance(0.5)) options.fill = fillOf(draws, options.output ?? dtype, channels);
  if (nan && options.border === "constant" && chance(0.3)) options.borderValue = Number.NaN;
  const place = placeOf(draws, { width, height }, taps, options);
  const isData = channels === 4 && dtype === "u8" && chance(0.3);
  if (isData) delete options.alpha;
  const one: Case = {
    ...{ seed, index, image, filter, taps, options, engine },
    mask: hasMask ? maskOf(draws, image) : undefined,
    place,
    input: isData ? "ImageData" : pick(inputs.slice(0, -1)),
    call: isData ? "filter" : pick(calls),
    out: pick(options.region && isInside(place, image) ? outs : outs.slice(0, 5)),
    features: [filterKind, kind],
  };
  one.features.push(...featuresOf(one));
  return one;
}

/** Mostly a few dozen pixels; single ones, single rows and columns, and long thin ones among them. */
function sides({ pick, integer }: Draws): { width: number; height: number } {
  const [short, long] = [integer(1, 3), integer(1, 300)];
  return pick([
    { width: 1, height: 1 },
    { width: short, height: long },
    { width: long, height: short },
    { width: integer(1, 12), height: integer(1, 12) },
    { width: integer(1, 60), height: integer(1, 60) },
    { width: integer(1, 60), height: integer(1, 60) },
    { width: integer(40, 90), height: integer(1, 60) },
  ]);
}

const mostProducts = 4e6;

/** The pixels that results lie on: of an extent and a region of it, which are put among the options. */
function placeOf(
  { chance, pick, integer }: Draws,
  { width, height }: { width: number; height: number },
  { rows }: Taps,
  options: Case["options"],
): Region {
  const [kh, kw] = [rows.length, rows[0]!.length];
  const [ax, ay] = options.anchor ?? [kw >> 1, kh >> 1];
  const all = {
    same: { x: 0, y: 0, width, height },
    // A flip turns the anchor as well: [ax, ay] is a point of the filter as it is laid.
    valid: { x: ax, y: ay, width: width - kw + 1, height: height - kh + 1 },
    full: { x: ax - kw + 1, y: ay - kh + 1, width: width + kw - 1, height: height + kh - 1 },
  };
  const extent = chance(0.4) ? pick(extents) : "same";
  const fits = all[extent].width > 0 && all[extent].height > 0;
  if (fits && (extent !== "same" || chance(0.1))) options.extent = extent;
  const whole = all[fits ? extent : "same"];
  // So many results that plain loops take no longer than a moment.
  const most = Math.max(1, Math.floor(mostProducts / (kh * kw)));
  if (!chance(0.3) && whole.width * whole.height <= most) return whole;
  const [x, y] = [integer(0, whole.width - 1), integer(0, whole.height - 1)];
  const w = integer(1, Math.min(most, whole.width - x));
  const h = integer(1, Math.min(Math.floor(most / w), whole.height - y));
  options.region = { x: whole.x + x, y: whole.y + y, width: w, height: h };
  return options.region;
}

const isInside = ({ x, y, width, height }: Region, picture: { width: number; height: number }): boolean =>
  x >= 0 && y >= 0 && x + width <= picture.width && y + height <= picture.height;

/** How a filter is laid over a picture. */
function layOf({ pick, chance, integer, next }: Draws, { rows }: Taps, dtype: ImageDType): Case["options"] {
  const border = pick(borders);
  const [kh, kw] = [rows.length, rows[0]!.length];
  const values = { u8: [0, 1, 255], i8: [-128, 3], u16: [65535, 7], i16: [-32768, 5], u32: [9, 2 ** 32 - 1], i32: [-9], f32: [0, 0.5, -3], f64: [1 / 3] }; // biome-ignore format: a table
  const options: Case["options"] = { border };
  if (border === "constant" && chance(0.7)) options.borderValue = pick<number>(values[dtype]);
  if (chance(0.4)) options.anchor = [integer(0, kw - 1), integer(0, kh - 1)];
  if (chance(0.3)) options.flip = true;
  if (chance(0.4)) options.gain = pick([1, -1, 2, 0.5, 1 / 256, 0.1, 1 / 3, 4 * next() - 2, 0]);
  if (chance(0.4)) options.offset = pick([0, 1, -7, 128, 0.5, 100 * next() - 50]);
  const isSmooth = rows.length * rows[0]!.length > 1000;
  if (chance(isSmooth ? 0.7 : 0.15)) options.tolerance = pick([0.001, 0.02, 0.1, 0.3]);
  return options;
}

function fillOf({ pick, integer, next }: Draws, output: ImageDType, channels: number): number | number[] {
  const one = (): number => (isFloat(output) ? next() * 10 : integer(0, 127));
  return pick([one(), Array.from({ length: channels }, one)]);
}

/** The numbers that a filter multiplies by, apart from its gain and offset. */
function tapsOf(filter: Filter): Taps {
  const checked = checkFilter(filter);
  const values = denseValues(checked);
  const { kh, kw, gain, offset, integer } = checked;
  return { rows: Array.from({ length: kh }, (_, i) => values.slice(i * kw, (i + 1) * kw)), gain, offset, integer };
}

const isOfOneSign = ({ rows }: Taps): boolean => {
  const signs = new Set(rows.flat().map(Math.sign));
  return signs.has(1) !== signs.has(-1);
};

function featuresOf(one: Case): string[] {
  const { image, taps, options, mask, engine, input, call, out } = one;
  const { width, height, channels, dtype } = image;
  const { border, alpha, output, fill, borderValue = 0 } = options;
  const features: Record<string, boolean> = {
    single: width * height === 1,
    thin: Math.min(width, height) <= 3 && width * height > 9,
    "filter larger than the picture": taps.rows.length > height && taps.rows[0]!.length > width,
    "border value": border === "constant" && borderValue !== 0,
    anchor: options.anchor !== undefined,
    flip: options.flip === true,
    region: options.region !== undefined,
    gain: options.gain !== undefined,
    offset: options.offset !== undefined,
    tolerance: options.tolerance !== undefined,
    mask: mask !== undefined,
    "nan ignored": options.nan === "ignore",
    "unknown beyond": Number.isNaN(borderValue),
    fill: fill !== undefined,
    "another type": output !== undefined && output !== dtype,
    "many channels": channels > 4,
  };
  const some = Object.keys(features).filter((name) => features[name]);
  const named = {
    extent: options.extent ?? "same",
    type: dtype,
    to: output ?? "default",
    channels,
    border,
    alpha: alpha ?? "known",
    engine,
    input,
    call,
    out,
  };
  return [...some, ...Object.entries(named).map(([name, value]) => `${name}: ${value}`)];
}

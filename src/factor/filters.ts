// The named filters, as data: one entry of the table gives the function of `filters`, the name on the command line,
// its place in the lists and its line in docs/filters.md.
import { checkLimit, checkOneOf, describe, InvalidArgumentError, suggestion } from "../errors.ts";
import { composedNames, notLinear, unsharpParameters } from "./composed.ts";
import { type FilterFunctions, type FilterLimits, gradientPair, isGradientName, type NamedFilter } from "./filter-functions.ts"; // biome-ignore format: a line
import {
  type Arguments,
  checkArguments,
  integer,
  listed,
  type NamedInfo,
  number,
  oddSide,
  optional,
  type ParameterSet,
  pair,
  parseArguments,
  sigma,
  splitName,
  truncate,
  type Values,
} from "./parameters.ts";
import { derivative, gaussian, grid, motionGrid, outer, pascalRow, pixelInDisk, secondDerivative } from "./shapes.ts";

/** The largest side of a filter unless the caller raises it. */
export const defaultMaxSide = 2049;

interface Entry<V extends readonly (string | number)[], P extends ParameterSet> {
  summary: string;
  /** Names of the versions: "sobel" with "x" and "y" is sobel-x and sobel-y. */
  variants: V;
  parameters: P;
  /** The rank of every version at the default parameters. */
  rank: number;
  /** `side` checks a side against the limit and returns it: to be called before anything is allocated. */
  build(values: Values<P>, variant: V[number], side: (side: number) => number): NamedFilter;
}

/** Keeps the types of an entry. */
function entry<P extends ParameterSet, const V extends readonly (string | number)[] = []>(
  e: Omit<Entry<V, P>, "variants"> & { variants?: V },
): Entry<V, P> {
  return { ...e, variants: e.variants ?? ([] as unknown as V) };
}

const axes = ["x", "y"] as const;

/** Derivative along one axis, smoothing along the other; positive where the picture gets brighter to the right, down. */
function alongAxis(axis: "x" | "y", smoothing: number[], derivative: number[]): NamedFilter {
  return axis === "x" ? { column: smoothing, row: derivative } : { column: derivative, row: smoothing };
}

/** SciPy's rule: the side of a Gaussian that ends at truncate · sigma. */
function sideOf(sigma: number, truncate: number): number {
  return 2 * Math.floor(truncate * sigma + 0.5) + 1;
}

const table = {
  identity: entry({
    summary: "Changes nothing",
    parameters: {},
    rank: 1,
    build: () => [[1]],
  }),
  box: entry({
    summary: "Mean of a rectangle",
    parameters: { size: pair(integer("side, in pixels", 3, { min: 1 })) },
    rank: 1,
    build: ({ size: [h, w] }, _, side) => ({
      column: Array(side(h)).fill(1),
      row: Array(side(w)).fill(1),
      gain: 1 / (h * w),
    }),
  }),
  gaussian: entry({
    summary: "Gaussian blur",
    parameters: {
      sigma: pair(sigma),
      truncate,
      size: optional(pair(oddSide("odd side in pixels, in place of truncate", undefined))),
    },
    rank: 1,
    build: ({ sigma: [sy, sx], truncate, size = [sideOf(sy, truncate), sideOf(sx, truncate)] }, _, side) => ({
      column: gaussian(sy, side(size[0])),
      row: gaussian(sx, side(size[1])),
    }),
  }),
  binomial: entry({
    summary: "Binomial blur: integers, close to a Gaussian of variance (size - 1) / 4",
    parameters: { size: pair(integer("side, in pixels", 3, { min: 1, max: 31 })) },
    rank: 1,
    build: ({ size: [h, w] }) => ({ column: pascalRow(h), row: pascalRow(w), gain: 2 ** (2 - h - w) }),
  }),
  disk: entry({
    summary: "Mean of a disk; pixels on the edge count by the area covered",
    parameters: { radius: number("radius, in pixels", 5, { min: 0, open: true }) },
    rank: 5,
    build: ({ radius }, _, side) => {
      const reach = Math.max(0, Math.ceil(radius - 0.5));
      const n = side(2 * reach + 1);
      return unitSum(grid(n, n, (y, x) => pixelInDisk(x, y, radius)));
    },
  }),
  motion: entry({
    summary: "Mean along a line, as of a moving camera",
    parameters: {
      length: number("length of the line, in pixels", 9, { min: 1 }),
      angle: number("degrees from the x axis towards the y axis, which points down", 45),
    },
    rank: 7,
    build: ({ length, angle }, _, side) => {
      side(2 * Math.ceil((length - 1) / 2) + 1);
      return unitSum(motionGrid(length, angle));
    },
  }),
  sobel: entry({
    summary: "First derivative, smoothed by [1, 2, 1]",
    variants: axes,
    parameters: {},
    rank: 1,
    build: (_, axis) => alongAxis(axis, [1, 2, 1], [-1, 0, 1]),
  }),
  scharr: entry({
    summary: "First derivative, smoothed by [3, 10, 3]: more even over directions",
    variants: axes,
    parameters: {},
    rank: 1,
    build: (_, axis) => alongAxis(axis, [3, 10, 3], [-1, 0, 1]),
  }),
  prewitt: entry({
    summary: "First derivative, smoothed by [1, 1, 1]",
    variants: axes,
    parameters: {},
    rank: 1,
    build: (_, axis) => alongAxis(axis, [1, 1, 1], [-1, 0, 1]),
  }),
  roberts: entry({
    summary: "Difference along a diagonal: x falls to the right, y rises",
    variants: axes,
    parameters: {},
    rank: 2,
    build: (_, axis) => (axis === "x" ? [[1, 0], [0, -1]] : [[0, 1], [-1, 0]]), // biome-ignore format: a matrix
  }),
  "derivative-of-gaussian": entry({
    summary: "First derivative of a Gaussian blur, as in SciPy",
    variants: axes,
    parameters: { sigma, truncate },
    rank: 1,
    build: ({ sigma, truncate }, axis, side) => {
      const n = side(sideOf(sigma, truncate));
      return alongAxis(axis, gaussian(sigma, n), derivative(sigma, n));
    },
  }),
  laplacian: entry({
    summary: "Sum of second derivatives over 4 or 8 neighbours",
    variants: [4, 8],
    parameters: {},
    rank: 2,
    build: (_, neighbours) =>
      neighbours === 4 ? [[0, 1, 0], [1, -4, 1], [0, 1, 0]] : [[1, 1, 1], [1, -8, 1], [1, 1, 1]], // biome-ignore format: a matrix
  }),
  "laplacian-of-gaussian": entry({
    summary: "Laplacian of a Gaussian blur, its sum corrected to zero",
    parameters: { sigma, truncate },
    rank: 2,
    build: ({ sigma, truncate }, _, side) => {
      const n = side(sideOf(sigma, truncate));
      const [g, second] = [gaussian(sigma, n), secondDerivative(sigma, n)];
      return outer(n, n, (y, x) => second[y]! * g[x]! + g[y]! * second[x]!);
    },
  }),
  "difference-of-gaussians": entry({
    summary: "A Gaussian blur minus a wider one",
    parameters: {
      sigma,
      ratio: number("standard deviation of the wider one over that of the narrower", 1.6, { min: 1, open: true }),
      truncate,
    },
    rank: 2,
    build: ({ sigma, ratio, truncate }, _, side) => {
      const n = side(sideOf(ratio * sigma, truncate));
      const [narrow, wide] = [gaussian(sigma, n), gaussian(ratio * sigma, n)];
      return outer(n, n, (y, x) => narrow[y]! * narrow[x]! - wide[y]! * wide[x]!);
    },
  }),
  sharpen: entry({
    summary: "The picture minus its Laplacian over 4 neighbours",
    parameters: {},
    rank: 2,
    build: () => [[0, -1, 0], [-1, 5, -1], [0, -1, 0]], // biome-ignore format: a matrix
  }),
  unsharp: entry({
    summary: "The picture plus its difference from a Gaussian blur",
    parameters: unsharpParameters,
    rank: 2,
    build: ({ amount, sigma, truncate, threshold }, _, side) => {
      if (threshold > 0) throw notLinear("unsharp threshold", "0 of a linear filter", threshold);
      const n = side(sideOf(sigma, truncate));
      const g = gaussian(sigma, n);
      const middle = (n - 1) / 2;
      const centre = (y: number, x: number) => (y === middle && x === middle ? 1 + amount : 0);
      return outer(n, n, (y, x) => centre(y, x) - amount * (g[y]! * g[x]!));
    },
  }),
  emboss: entry({
    summary: "Relief lit from the upper left",
    parameters: {},
    rank: 3,
    build: () => [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], // biome-ignore format: a matrix
  }),
  gabor: entry({
    summary: "A wave under a Gaussian, as OpenCV's getGaborKernel",
    parameters: {
      sigma: number("standard deviation, in pixels", 3, { min: 0, open: true }),
      wavelength: number("wavelength, in pixels", 6, { min: 0, open: true }),
      angle: number("direction of the wave: degrees from the x axis towards the y axis, which points down", 45),
      aspect: number("width of the Gaussian along the wave over its width across it", 1, { min: 0, open: true }),
      phase: number("phase of the wave, in degrees", 0),
      size: optional(pair(oddSide("odd side in pixels, in place of 3 standard deviations", undefined))),
    },
    rank: 2,
    build: ({ sigma, wavelength, angle, aspect, phase, size }, _, side) => {
      const [c, s] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
      const across = sigma / aspect;
      const reach = (a: number, b: number) =>
        Math.round(Math.max(Math.abs(3 * sigma * a), Math.abs(3 * across * b), 1));
      const [h, w] = size ?? [2 * reach(s, c) + 1, 2 * reach(c, s) + 1];
      return grid(side(h), side(w), (y, x) => {
        const [u, v] = [-(x * c + y * s), x * s - y * c];
        const envelope = Math.exp(-((u / sigma) ** 2 + (v / across) ** 2) / 2);
        return envelope * Math.cos((2 * Math.PI * u) / wavelength + (phase * Math.PI) / 180);
      });
    },
  }),
};

function unitSum(filter: { kh: number; kw: number; values: number[] }): NamedFilter {
  return { ...filter, gain: 1 / filter.values.reduce((sum, value) => sum + value, 0) };
}

// ── From the table: functions, names, the parser ───────────────────────────────────────────────────────────────────

type Table = typeof table;
type Camel<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S;
type Given<P extends ParameterSet> = keyof P extends never
  ? Record<string, never>
  : number | readonly [number, number] | Arguments<P>;
type FilterFunction<E> =
  E extends Entry<infer V, infer P>
    ? V extends readonly []
      ? (parameters?: Given<P>, limits?: FilterLimits) => NamedFilter
      : (variant: V[number], parameters?: Given<P>, limits?: FilterLimits) => NamedFilter
    : never;

/** What the table makes of itself: FilterFunctions says the same for readers. */
type Functions = { readonly [K in keyof Table as Camel<K & string>]: FilterFunction<Table[K]> };

function build(
  key: string,
  variant: string | number | undefined,
  given: unknown,
  limits: FilterLimits = {},
): NamedFilter {
  const e = (table as unknown as Record<string, Entry<readonly (string | number)[], ParameterSet>>)[key]!;
  if (e.variants.length > 0) checkOneOf(`version of ${key}`, `${variant}`, e.variants.map(String));
  const chosen = e.variants.find((v) => `${v}` === `${variant}`)!;
  const side = (n: number): number => {
    checkLimit(`side of ${key}`, n, limits.maxSide ?? defaultMaxSide, "pixels", "createEngine({ limits })");
    return n;
  };
  return e.build(checkArguments(key, e.parameters, given), chosen, side);
}

/** One named linear filter as lists and tables show it. */
export interface FilterInfo extends NamedInfo {
  /** The rank at the default parameters. */
  rank: number;
  /** Builds it from a record of parameters, or from a lone value for the first one. */
  build(given?: unknown, limits?: FilterLimits): NamedFilter;
}

/** All named filters, one for each name of the command line. */
export const namedFilters: readonly FilterInfo[] = Object.entries(table).flatMap(([key, e]) => {
  const parameters = listed(e.parameters as ParameterSet);
  const variants: readonly (string | number | undefined)[] = e.variants.length > 0 ? e.variants : [undefined];
  return variants.map((variant) => ({
    name: variant === undefined ? key : `${key}-${variant}`,
    summary: e.summary,
    parameters,
    rank: e.rank,
    build: (given: unknown, limits?: FilterLimits) => build(key, variant, given, limits),
  }));
});

/**
 * The named filters as functions: `filters.sobel("x")`, `filters.gaussian({ sigma: 2 })`, `filters.box(3)`. Each takes
 * its version where it has several, then an object of parameters or a lone value for the first one, then
 * `{ maxSide }`. `filters.names` lists the names that strings may use.
 *
 * @throws InvalidArgumentError, or LimitError where a side exceeds maxSide: before anything is allocated.
 */
export const filters: FilterFunctions = {
  ...(Object.fromEntries(
    Object.entries(table).map(([key, e]) => [
      key.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
      e.variants.length > 0
        ? (variant: string | number, given?: unknown, limits?: FilterLimits) => build(key, variant, given, limits)
        : (given?: unknown, limits?: FilterLimits) => build(key, undefined, given, limits),
    ]),
  ) as Functions),
  names: namedFilters.map(({ name }) => name),
};

/** Names that other programs and habits use. */
const filterAliases = {
  blur: "gaussian",
  gauss: "gaussian",
  "gaussian-blur": "gaussian",
  sharp: "sharpen",
  smooth: "gaussian",
  lowpass: "gaussian",
  mean: "box",
  average: "box",
  laplace: "laplacian-4",
  laplacian: "laplacian-4",
  log: "laplacian-of-gaussian",
  dog: "difference-of-gaussians",
  usm: "unsharp",
  "unsharp-mask": "unsharp",
  edge: "sobel",
  edges: "sobel",
  "edge-detect": "sobel",
  gradient: "sobel",
  "derivative-of-gaussian": "derivative-of-gaussian-x",
} as const;

/**
 * Builds the filter that a text names: "sobel-x", "box:5", "gaussian:sigma=2,truncate=3", "gaussian:sigma=2x3" ([y, x]).
 *
 * @throws InvalidArgumentError with a suggestion for a misspelt name; LimitError.
 */
export function parseFilterName(
  text: string,
  { parameter = "filter", ...limits }: FilterLimits & { parameter?: string } = {},
) {
  const { name, rest } = splitName(text);
  const found = namedFilters.find((info) => info.name === name);
  if (!found) throw unknown(parameter, name, rest);
  if (rest === "") {
    throw new InvalidArgumentError({ parameter, expected: `parameters after "${name}:"`, received: describe(text) });
  }
  return found.build(rest === undefined ? undefined : parseArguments(name, found.parameters, rest), limits);
}

function unknown(parameter: string, name: string, rest: string | undefined): InvalidArgumentError {
  if (name === "canny") return notLinear(parameter, "a linear filter", name);
  const variant = filters.names.find((one) => one === `${name}-${rest}`.toLowerCase());
  const meant = variant ? `did you mean "${variant}"?` : undefined;
  if (isGradientName(name) && rest !== undefined) {
    const hint = meant ?? `its derivatives are ${gradientPair(name).join(" and ")}`;
    return new InvalidArgumentError({ parameter: name, expected: "no parameters", received: describe(rest), hint });
  }
  const half = isGradientName(name) ? `here its name is "${gradientPair(name)[0]}"` : undefined;
  const hint =
    meant ?? half ?? notWeights(name) ?? suggestion(name, [...filters.names, ...composedNames], filterAliases) ?? lists;
  return new InvalidArgumentError({ parameter, expected: "a known name", received: describe(name), hint });
}

const lists = "rank1 filters lists all names, as does filters.names";

/** Filters that people ask for and that are no sums of weighted pixels. */
const notWeights = (name: string): string | undefined =>
  /^(median|bilateral|min(imum)?|max(imum)?|erode|dilate|erosion|dilation|open(ing)?|close|closing)$/i.test(name)
    ? "filters here are sums of weighted pixels, which it is not"
    : undefined;

// Filters that follow one another on pictures of files: how each is planned and applied, and what the last one gives. Several,
// and those in linear light, work on 32-bit floats, so that nothing between them is rounded or cut off.
import { InvalidArgumentError } from "../errors.ts";
import {
  composedFilter,
  type Engine,
  type Filter,
  type FilterCallOptions,
  type FilterOptions,
  type Image,
  type ImageDType,
  type MaskLike,
  type PictureSpec,
  type Plan,
} from "../index.ts";
import { flattenOnWhite } from "./encode.ts";

/** How filters are laid over the pictures of files: the options of an engine's `filter`, but for its `output`, here `type`. */
export interface StepOptions extends Omit<FilterOptions, "output"> {
  /** How well each pixel of every picture is known, as of an engine's `filter`: of one filter, not of several. */
  mask?: MaskLike;
  /** Element type of the result. Default: the picture's, of derivatives a signed one. */
  type?: ImageDType;
  /** Takes one solver's plan instead of the cheapest, by its name in `explain`. */
  strategy?: string;
}

export interface FilterStep {
  /** What messages and reports call it. */
  text: string;
  filter: Filter;
  /** Of derivatives: values below zero, where the taps sum to zero, or the magnitude of two such results; or 0 and 255 in u8. */
  kind: "plain" | "signed" | "magnitude" | "edges";
}

export interface Steps {
  list: readonly FilterStep[];
  flags: StepOptions;
  /** Everything is computed on 32-bit floats. */
  floats: boolean;
  /** The last result has values below zero, unless `type` or an offset says otherwise. */
  signed: boolean;
}

/** The linear filters that a name stands for: two derivatives for "sobel" and its like, else mostly the filter itself. */
const partsOf = (filter: Filter): readonly Filter[] => composedFilter(filter)?.parts ?? [filter];

/** Checks the filters on a picture of one pixel, before any picture is read. */
export function readSteps(
  engine: Engine,
  given: readonly Pick<FilterStep, "text" | "filter">[],
  flags: StepOptions & { linear?: boolean; grey?: boolean },
): Steps {
  const wrong = (parameter: string, expected: string, received: string): never => {
    throw new InvalidArgumentError({ parameter, expected, received });
  };
  const stray = (["anchor", "extent", "strategy", "mask", "nan", "fill"] as const).find(
    (name) => flags[name] !== undefined && given.length > 1,
  );
  if (stray) wrong(stray, "one filter, of which it is an option", `${given.length}`);
  if (flags.borderValue !== undefined && flags.border !== "constant")
    wrong("borderValue", 'border "constant", of which it is the value', `border "${flags.border ?? "reflect"}"`);
  const list = given.map(({ text, filter: named }): FilterStep => {
    const filter = ofColours(named, flags);
    const [plan] = plansOf(engine, { text, filter, kind: "plain" }, pixel, {});
    const signed = plan!.problem.y.dtype !== pixel.dtype;
    const composed = composedFilter(filter)?.kind;
    const kind = composed === "unsharp" ? "plain" : (composed ?? (signed ? "signed" : "plain"));
    return { text, filter, kind };
  });
  checkComposed(list, flags, wrong);
  const kinds = list.map(({ kind }) => kind);
  // An offset is for results that are to fit the picture's own type.
  const before = kinds.findLastIndex((kind) => kind === "magnitude" || kind === "edges");
  const signed = kinds.lastIndexOf("signed") > before && !flags.offset;
  // Which border values, fills, alpha modes and parts are right depends on the picture
  const fill = flags.fill === undefined ? undefined : 0;
  const any = { borderValue: undefined, alpha: undefined, extent: undefined, region: undefined };
  const floats = flags.linear === true || list.length > 1;
  // So does which solvers apply, but not their names
  const [plan] = planSteps(
    engine,
    { list, flags: { ...flags, ...any, fill, strategy: undefined }, signed, floats },
    pixel,
  )[0]!;
  const solvers = [plan!, ...plan!.rejected].map(({ solver }) => solver.split(" ")[0]!);
  const strategy = solvers.includes(`${flags.strategy}`.split(" ")[0]!) ? undefined : flags.strategy;
  const own = { ...flags, ...any, fill, strategy };
  planSteps(engine, { list, flags: own, signed, floats }, pixel);
  return { list, flags, signed, floats };
}

/** Options that filters of several linear ones do not have. */
function checkComposed(
  list: readonly FilterStep[],
  flags: StepOptions,
  wrong: (parameter: string, expected: string, received: string) => never,
): void {
  for (const [i, { text, filter, kind }] of list.entries()) {
    if (!composedFilter(filter) || kind === "magnitude") continue;
    const isLast = i === list.length - 1;
    const own = ["anchor", "strategy", "mask", "nan", "fill"] as const;
    const edges = ["flip", "extent", ...(isLast ? (["gain", "offset"] as const) : [])] as const;
    const stray = [...own, ...(kind === "edges" ? edges : [])].find((name) => flags[name] !== undefined);
    if (stray) wrong(stray, "a linear filter, of which it is an option", text);
    if (kind === "edges" && isLast && (flags.type ?? "u8") !== "u8") wrong("type", "u8, of edges", `${flags.type}`);
  }
}

/** Edges of each colour where the picture keeps them. */
function ofColours(filter: Filter, { grey }: { grey?: boolean }): Filter {
  const composed = composedFilter(filter);
  return composed?.kind === "edges" && grey === false ? nameOf({ ...composed.values, colour: "each" }) : filter;
}

/** Edges whose default thresholds are in the units of a file. */
function scaledBy(filter: Filter, full: number): Filter {
  const composed = composedFilter(filter);
  if (composed?.kind !== "edges") return filter;
  const { low, high = low === undefined ? (100 / 255) * full : undefined } = composed.values;
  return nameOf({ ...composed.values, high });
}

/** The name of Canny's edges by its parameters. */
const nameOf = (values: object): string =>
  `canny:${Object.entries(values).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`)}`; // biome-ignore format: a line

const pixel: PictureSpec = { width: 1, height: 1, channels: 1, dtype: "u8" };

/** The options of one filter among the others. */
function optionsOf({ list, flags, floats }: Steps, step: FilterStep, knownAlpha = false): FilterOptions {
  const { border, borderValue, anchor, gain, offset, flip, tolerance, type, alpha, nan, fill } = flags;
  const { extent, region } = flags;
  // A region is filtered as if the whole were: by all filters but the last it is.
  const last = step === list.at(-1) && { gain, offset, extent, region };
  // An --alpha for a whole folder means the pictures that have alpha
  const known = knownAlpha && { alpha };
  const output = step.kind === "edges" ? undefined : floats ? "f32" : type;
  const all = { border, borderValue, anchor, flip, tolerance, output, nan, fill, ...known, ...last } as FilterOptions;
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** A filter's plan, or both plans of a magnitude. */
function plansOf(
  engine: Engine,
  { filter }: FilterStep,
  picture: PictureSpec,
  options: FilterOptions,
  strategy?: string,
) {
  return partsOf(filter).map((part) => engine.plan(engine.filterProblem(picture, part, options), { strategy }));
}

/** The plans of every filter in turn. Throws what does not fit the picture. */
export function planSteps(engine: Engine, steps: Steps, picture: PictureSpec): Plan[][] {
  const { list, flags, floats } = steps;
  const masked = flags.mask !== undefined;
  let spec: PictureSpec = { ...picture, masked, ...(floats && { dtype: "f32" }) };
  // Levels have no NaN.
  const filled = (masked || flags.nan === "ignore") && picture.dtype !== "f32" && { fill: flags.fill ?? 0 };
  return list.map((step) => {
    const options = { ...optionsOf(steps, step, spec.hasAlpha), ...filled };
    const plans = plansOf(engine, step, spec, options, flags.strategy);
    if (step.kind === "edges") spec = { ...spec, channels: channelsOf(step, spec), dtype: "u8", hasAlpha: false };
    return plans;
  });
}

/** Channels of edges: those that are no alpha, or one. */
function channelsOf({ filter }: FilterStep, { channels, hasAlpha = false }: PictureSpec): number {
  const composed = composedFilter(filter);
  if (composed?.kind !== "edges" || composed.values.colour === "grey") return 1;
  return hasAlpha ? channels - 1 : channels;
}

/** What is known of the file that a picture is of. */
export interface Scale {
  /** The picture has alpha. */
  knownAlpha: boolean;
  /** The greatest value that its file has. */
  full: number;
}

type Control = Pick<FilterCallOptions, "signal" | "onProgress">;

/** Applies every filter in turn. `plans` are those of {@link planSteps} for such a picture. */
export async function applySteps(
  engine: Engine,
  steps: Steps,
  plans: readonly Plan[][],
  picture: Image,
  scale: Scale,
  { signal, onProgress }: Control,
): Promise<Image> {
  const { list } = steps;
  let image = picture;
  for (const i of list.keys()) {
    const progress = (done: number): void => onProgress?.((i + done) / list.length);
    image = await applyStep(engine, steps, { index: i, plan: plans[i]![0]!, image, scale }, { signal, onProgress: progress }); // biome-ignore format: a line
  }
  return image;
}

/** One filter among the others, and what it is applied to. */
export interface StepCall {
  index: number;
  /** Its plan, or the first of a magnitude's. */
  plan: Plan;
  image: Image;
  scale: Scale;
  /** Of a picture that is filtered in parts: which part of `image` is wanted, its mask, and the whole's solver. */
  part?: Pick<FilterCallOptions, "region" | "mask" | "strategy">;
}

/** Applies one filter. */
export async function applyStep(
  engine: Engine,
  steps: Steps,
  { index, plan, image: given, scale: { knownAlpha, full }, part }: StepCall,
  control: Control,
): Promise<Image> {
  const { list, flags, floats } = steps;
  const step = list[index]!;
  const { alpha, known } = plan.problem as Plan["problem"] & { kind: "filter" };
  // Floats of a file are white at its greatest value, not at 1.
  const laid = floats && step.kind === "edges" && alpha !== "none";
  const filled = known && { mask: flags.mask, fill: known.fill.map((value) => value ?? Number.NaN) };
  const options = {
    ...optionsOf(steps, step, knownAlpha && alpha !== "none"),
    ...filled,
    alpha: laid ? ("none" as const) : alpha,
    strategy: flags.strategy,
    ...part,
  };
  const image = laid ? flattenOnWhite({ ...given, alpha: true }, full) : given;
  return engine.filter(image, scaledBy(step.filter, full), { ...options, ...control });
}

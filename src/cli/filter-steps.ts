// The filters of one command, in order: how each is planned and applied, and what the last one gives. Several, and those in
// linear light, work on 32-bit floats, so that nothing between them is rounded or cut off.
import { nearest } from "../errors.ts";
import {
  composedFilter,
  composedFilters,
  type Engine,
  type Filter,
  type FilterCallOptions,
  type FilterOptions,
  filters,
  gradientNames,
  type Image,
  type PictureSpec,
  type Plan,
} from "../index.ts";
import { type FilterFlags, filtersOf, parseFilter, UsageError, usage } from "./arguments.ts";

export interface FilterStep {
  /** As the command line has it. */
  text: string;
  filter: Filter;
  /** Of derivatives: values below zero, where the taps sum to zero, or the magnitude of two such results; or 0 and 255 in u8. */
  kind: "plain" | "signed" | "magnitude" | "edges";
}

export interface Steps {
  list: readonly FilterStep[];
  flags: FilterFlags;
  /** Everything is computed on 32-bit floats. */
  floats: boolean;
  /** The last result has values below zero, unless `--type` or an offset says otherwise. */
  signed: boolean;
}

/** A misspelt name of a gradient: the named filters, among which it would be looked for, are its halves. */
function checkGradientName(filter: Filter): void {
  if (typeof filter !== "string" || /[-:]/.test(filter) || composedFilter(filter) || filters.names.includes(filter))
    return;
  const near = nearest(filter, [...gradientNames, ...composedFilters.map(({ name }) => name)]);
  if (near) throw new UsageError(`filter: expected a known name, got "${filter}"; did you mean "${near}"?`);
}

/** Reads the filters, and checks them on a picture of one pixel before any picture is read. */
export async function readSteps(
  engine: Engine,
  texts: readonly string[],
  flags: FilterFlags & { linear?: boolean; grey?: boolean },
): Promise<Steps> {
  const stray = (["anchor", "strategy"] as const).find((name) => flags[name] !== undefined && texts.length > 1);
  if (stray) throw new UsageError(`--${stray}: expected one filter, of which it is an option, got ${texts.length}`);
  const list = await Promise.all(
    texts.map(async (text): Promise<FilterStep> => {
      const filter = await usage(async () => ofColours(await parseFilter(text), flags));
      checkGradientName(filter);
      const [plan] = await usage(
        () => plansOf(engine, { text, filter, kind: "plain" }, pixel, {}),
        "--max-filter-side",
      );
      const signed = plan!.problem.y.dtype !== pixel.dtype;
      const composed = composedFilter(filter)?.kind;
      const kind = composed === "unsharp" ? "plain" : (composed ?? (signed ? "signed" : "plain"));
      return { text, filter, kind };
    }),
  );
  const kinds = list.map(({ kind }) => kind);
  // An offset is for results that are to fit the picture's own type.
  const signed =
    kinds.lastIndexOf("signed") > kinds.findLastIndex((kind) => kind === "magnitude" || kind === "edges") &&
    !flags.offset;
  // Which border values and alpha modes are right depends on the picture
  const own = { ...flags, borderValue: undefined, alpha: undefined };
  const floats = flags.linear === true || list.length > 1;
  const steps = { list, flags: own, signed, floats };
  await planSteps(engine, steps, pixel);
  const image = { ...pixel, data: new Uint8Array(1) };
  const { strategy } = flags;
  for (const step of list.filter(({ filter }) => composedFilter(filter)))
    await usage(() => engine.filter(image, step.filter, { ...optionsOf(steps, step), strategy }));
  return { list, flags, signed, floats };
}

/** Edges of each colour where the picture keeps them. */
function ofColours(filter: Filter, { grey }: { grey?: boolean }): Filter {
  const composed = composedFilter(filter);
  return composed?.kind === "edges" && grey === false ? nameOf({ ...composed.values, colour: "each" }) : filter;
}

/** The name of Canny's edges by its parameters. */
const nameOf = (values: object): string =>
  `canny:${Object.entries(values).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`)}`; // biome-ignore format: a line

const pixel: PictureSpec = { width: 1, height: 1, channels: 1, dtype: "u8" };

/** The options of one filter among the others. */
function optionsOf({ list, flags, floats }: Steps, step: FilterStep, knownAlpha = false): FilterOptions {
  const { border, borderValue, anchor, gain, offset, flip, tolerance, type, alpha } = flags;
  const last = step === list.at(-1) && { gain, offset };
  // An --alpha for a whole folder means the pictures that have alpha
  const known = knownAlpha && { alpha };
  const output = step.kind === "edges" ? type : floats ? "f32" : type;
  const all = { border, borderValue, anchor, flip, tolerance, output, ...known, ...last } as FilterOptions;
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
  return filtersOf(filter).map((part) => engine.plan(engine.filterProblem(picture, part, options), { strategy }));
}

/** The plans of every filter in turn; whatever does not fit the picture is the command line's fault. */
export function planSteps(engine: Engine, steps: Steps, picture: PictureSpec): Promise<Plan[][]> {
  const { list, flags, floats } = steps;
  let spec: PictureSpec = floats ? { ...picture, dtype: "f32" } : picture;
  return usage(() => {
    const plans: Plan[][] = [];
    for (const step of list) {
      // The type of edges is no part's.
      const options = optionsOf(steps, step, spec.knownAlpha);
      plans.push(plansOf(engine, step, spec, step.kind === "edges" ? { ...options, output: undefined } : options, flags.strategy)); // biome-ignore format: a line
      if (step.kind === "edges") spec = { ...spec, channels: channelsOf(step, spec), dtype: "u8", knownAlpha: false };
    }
    return plans;
  }, "--max-filter-side");
}

/** Channels of edges: those that are no alpha, or one. */
function channelsOf({ filter }: FilterStep, { channels, knownAlpha }: PictureSpec): number {
  const composed = composedFilter(filter);
  if (composed?.kind !== "edges" || composed.values.colour === "grey") return 1;
  return knownAlpha ? channels - 1 : channels;
}

/**
 * Applies every filter in turn. `plans` are those of {@link planSteps} for such a picture; `full` is the greatest value that its
 * file has.
 */
export async function applySteps(
  engine: Engine,
  steps: Steps,
  plans: readonly Plan[][],
  picture: Image,
  { knownAlpha, full }: { knownAlpha: boolean; full: number },
  { signal, onProgress }: Pick<FilterCallOptions, "signal" | "onProgress">,
): Promise<Image> {
  const { list, flags } = steps;
  let image = picture;
  for (const [i, step] of list.entries()) {
    const { alpha } = plans[i]![0]!.problem as Plan["problem"] & { kind: "filter" };
    const options = { ...optionsOf(steps, step, knownAlpha && alpha !== "none"), alpha, strategy: flags.strategy };
    const progress = (done: number): void => onProgress?.((i + done) / list.length);
    image = await engine.filter(image, scaledBy(step.filter, full), { ...options, signal, onProgress: progress });
  }
  return image;
}

/** Edges whose default threshold is in the units of the file. */
function scaledBy(filter: Filter, full: number): Filter {
  const composed = composedFilter(filter);
  if (composed?.kind !== "edges") return filter;
  const { low, high = low === undefined ? (100 / 255) * full : undefined } = composed.values;
  return nameOf({ ...composed.values, high });
}

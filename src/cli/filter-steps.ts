// The filters of one command, in order: how each is planned and applied, and what the last one gives. Several, and those in
// linear light, work on 32-bit floats, so that nothing between them is rounded or cut off.
import { nearest } from "../errors.ts";
import {
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
import { type FilterFlags, parseFilter, UsageError, usage } from "./arguments.ts";

export interface FilterStep {
  /** As the command line has it. */
  text: string;
  filter: Filter;
  /** Of derivatives: values below zero, where the taps sum to zero, or the magnitude of two such results. */
  kind: "plain" | "signed" | "magnitude";
}

export interface Steps {
  list: readonly FilterStep[];
  flags: FilterFlags;
  /** Everything is computed on 32-bit floats. */
  floats: boolean;
  /** The last result has values below zero, unless `--type` or an offset says otherwise. */
  signed: boolean;
}

const isPair = (filter: Filter): boolean => (gradientNames as readonly unknown[]).includes(filter);

/** The filters that a name stands for: two derivatives for "sobel" and its like, else the filter itself. */
const partsOf = (filter: Filter): Filter[] => (isPair(filter) ? [`${filter}-x`, `${filter}-y`] : [filter]);

/** A misspelt name of a gradient: the named filters, among which it would be looked for, are its halves. */
function checkGradientName(filter: Filter): void {
  if (typeof filter !== "string" || /[-:]/.test(filter) || isPair(filter) || filters.names.includes(filter)) return;
  const near = nearest(filter, gradientNames);
  if (near) throw new UsageError(`filter: expected a known name, got "${filter}"; did you mean "${near}"?`);
}

/** Reads the filters, and checks them on a picture of one pixel before any picture is read. */
export async function readSteps(
  engine: Engine,
  texts: readonly string[],
  flags: FilterFlags & { linear?: boolean },
): Promise<Steps> {
  const stray = (["anchor", "strategy"] as const).find((name) => flags[name] !== undefined && texts.length > 1);
  if (stray) throw new UsageError(`--${stray}: expected one filter, of which it is an option, got ${texts.length}`);
  const list = await Promise.all(
    texts.map(async (text): Promise<FilterStep> => {
      const filter = await parseFilter(text);
      checkGradientName(filter);
      const [plan] = await usage(
        () => plansOf(engine, { text, filter, kind: "plain" }, pixel, {}),
        "--max-filter-side",
      );
      const signed = plan!.problem.y.dtype !== pixel.dtype;
      return { text, filter, kind: isPair(filter) ? "magnitude" : signed ? "signed" : "plain" };
    }),
  );
  const kinds = list.map(({ kind }) => kind);
  // An offset is for results that are to fit the picture's own type.
  const signed = kinds.lastIndexOf("signed") > kinds.lastIndexOf("magnitude") && !flags.offset;
  // Which border values and alpha modes are right depends on the picture
  const own = { ...flags, borderValue: undefined, alpha: undefined };
  const floats = flags.linear === true || list.length > 1;
  await planSteps(engine, { list, flags: own, signed, floats }, pixel);
  return { list, flags, signed, floats };
}

const pixel: PictureSpec = { width: 1, height: 1, channels: 1, dtype: "u8" };

/** The options of one filter among the others. */
function optionsOf({ list, flags, floats }: Steps, step: FilterStep, knownAlpha = false): FilterOptions {
  const { border, borderValue, anchor, gain, offset, flip, tolerance, type, alpha } = flags;
  const last = step === list.at(-1) && { gain, offset };
  // An --alpha for a whole folder means the pictures that have alpha
  const known = knownAlpha && { alpha };
  const output = floats ? "f32" : type;
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
  return partsOf(filter).map((part) => engine.plan(engine.filterProblem(picture, part, options), { strategy }));
}

/** The plans of every filter in turn; whatever does not fit the picture is the command line's fault. */
export function planSteps(engine: Engine, steps: Steps, picture: PictureSpec): Promise<Plan[][]> {
  const { list, flags, floats } = steps;
  const spec: PictureSpec = floats ? { ...picture, dtype: "f32" } : picture;
  return usage(
    () => list.map((step) => plansOf(engine, step, spec, optionsOf(steps, step, spec.hasAlpha), flags.strategy)),
    "--max-filter-side",
  );
}

/** Applies every filter in turn. `plans` are those of {@link planSteps} for such a picture. */
export async function applySteps(
  engine: Engine,
  steps: Steps,
  plans: readonly Plan[][],
  picture: Image,
  knownAlpha: boolean,
  { signal, onProgress }: Pick<FilterCallOptions, "signal" | "onProgress">,
): Promise<Image> {
  const { list, flags } = steps;
  let image = picture;
  for (const [i, step] of list.entries()) {
    const { alpha } = plans[i]![0]!.problem as Plan["problem"] & { kind: "filter" };
    const options = { ...optionsOf(steps, step, knownAlpha), alpha, strategy: flags.strategy };
    const progress = (done: number): void => onProgress?.((i + done) / list.length);
    image = await engine.filter(image, step.filter, { ...options, signal, onProgress: progress });
  }
  return image;
}

// Compiles a filter for pictures of one size and type.
import { leastAlpha, opaque } from "../backend/alpha.ts";
import { codeOf, type ProgramImage } from "../backend/wasm/code.ts";
import { createEngine } from "../engine/engine.ts";
import { checkOptions, UnsupportedError } from "../errors.ts";
import { composedFilter } from "../factor/composed.ts";
import type { Filter } from "../factor/filter.ts";
import { type FilterOptions, filterOptionKeys, type PictureSpec } from "../plan/filter-problem.ts";
import { comparesWithOwn, tapSum } from "../plan/taps.ts";
import type { FilterProblem } from "../plan/types.ts";
import { type ImageDType, isFloat, rangeOf } from "../tensor.ts";
import { DataWriter } from "./data.ts";
import { type CompiledFiles, checkName, filesOf } from "./files.ts";
import type { FilterRecipe } from "./recipe.ts";

/** How a filter is compiled. */
export interface CompileFilterOptions extends Omit<FilterOptions, "nan" | "fill" | "extent" | "region"> {
  /** What files are called. Default "filter". */
  name?: string;
}

const unsupported = (parameter: string, expected: string, received: string): UnsupportedError =>
  new UnsupportedError({ parameter, expected, received });

/**
 * A filter as files: code, and a module that runs it on pictures of one size and type, without a planner or generator.
 *
 * @param picture Width and height in pixels, channels, element type; `hasAlpha` where the last channel is alpha.
 * @throws InvalidArgumentError for what is no filter; UnsupportedError for filters made of several (canny, sobel, unsharp with a
 * threshold), and for pictures of a few columns that are filtered turned.
 */
export async function compileFilter(
  filter: Filter,
  picture: PictureSpec,
  options?: CompileFilterOptions,
): Promise<CompiledFiles> {
  const keys = [
    ...filterOptionKeys.filter((key) => !["nan", "fill", "extent", "region"].includes(key)),
    "name",
  ] as const;
  const { name = "filter", ...given } = checkOptions<CompileFilterOptions>("options", options, keys as ["name"]);
  checkName(name);
  const composed = composedFilter(filter);
  if (composed) throw unsupported("filter", "a linear filter, which is one program", String(filter));
  const engine = await createEngine({ backend: "wasm", threads: 1 });
  try {
    const problem = engine.filterProblem(picture, filter, given);
    const problems = problem.alpha === "premultiply" ? [problem, engine.filterProblem(picture, filter, { ...given, alpha: "keep" })] : [problem]; // biome-ignore format: a line
    const plans = problems.map((one) => engine.plan(one));
    if (plans.some(({ turned }) => turned))
      throw unsupported("picture", "rows of at least 64 elements, or columns that are not much longer", `${picture.width} x ${picture.height}`); // biome-ignore format: a line
    const { module, programs } = codeOf(plans, { relaxed: true });
    const data = new DataWriter("f32");
    const filters = programs.map((program, i) => recipeOf(program, problems[i]!, picture, data));
    const about = typeof filter === "string" ? filter : "a filter of taps";
    return filesOf({
      name,
      about,
      modules: [module, codeOf(plans, { relaxed: false }).module],
      recipe: { filters },
      words: data.finish(),
    });
  } finally {
    engine.dispose();
  }
}

function recipeOf(image: ProgramImage, problem: FilterProblem, picture: PictureSpec, data: DataWriter): FilterRecipe {
  const { x, y, window, alpha, gain, offset } = problem;
  const [height, width, channels] = x.shape as [number, number, number];
  const [input, output] = [x.dtype as ImageDType, y.dtype as ImageDType];
  const [from, to] = [image.places.get("x")!, image.places.get("y")!];
  const compares = comparesWithOwn(problem);
  const sum = tapSum(problem);
  return {
    ...data.program(image, new Map(), 0),
    ...{
      width,
      height,
      channels,
      input,
      output,
      border: window.border,
      borderValue: window.borderValue,
      alpha,
      offset,
    },
    ...(!isFloat(output) && { range: rangeOf[output] }),
    gain: compares ? gain : gain * sum,
    ...(compares && { tapSum: sum }),
    ...(!isFloat(input) && { opaque: opaque(input) }),
    leastAlpha: leastAlpha(picture.dtype, 1),
    x: {
      ...{ data: from.data, pitch: from.pitch, rows: from.real, above: from.spec.above, left: from.spec.left ?? 0 },
      ...{ width: from.spec.width, dtype: from.spec.dtype as ImageDType, pairs: image.base + image.layout.pairs },
    },
    y: { data: to.data, pitch: to.pitch, dtype: to.spec.dtype as ImageDType },
  };
}

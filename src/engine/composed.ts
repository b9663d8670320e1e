// Filters of several linear ones: which of them loads what.
import type { ComposedFilter } from "../factor/composed.ts";
import type { Filter } from "../factor/filter.ts";
import type { FilterProblem } from "../plan/types.ts";
import type { Image } from "../tensor.ts";
import type { Picture } from "./masks.ts";
import { type FilterParts, sourceOf } from "./parts.ts";
import type { FilterCallOptions } from "./types.ts";
import type { EngineValue } from "./values.ts";

export async function filterComposed(
  engine: FilterParts,
  x: Picture,
  problem: FilterProblem,
  filter: ComposedFilter,
  options: FilterCallOptions,
): Promise<Image | EngineValue> {
  const { canny, magnitudeOf, unsharp } = await import("./rare.ts");
  if (filter.kind === "magnitude") {
    const one = (filter: Filter, options: FilterCallOptions) => engine.filter(sourceOf(x), filter, options);
    return magnitudeOf(one, x, problem, filter.parts as [string, string], options);
  }
  if (filter.kind === "edges") return canny(engine, x, problem, filter.values, options);
  return unsharp(engine, x, problem, filter, options);
}

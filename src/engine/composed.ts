// Filters of several linear ones: which of them loads what.
import type { ComposedFilter } from "../factor/composed.ts";
import type { Filter } from "../factor/filter.ts";
import type { Image } from "../tensor.ts";
import { magnitudeOf } from "./gradient.ts";
import { type FilterParts, sourceOf } from "./parts.ts";
import type { Picture } from "./pictures.ts";
import type { FilterCallOptions } from "./types.ts";
import type { EngineValue } from "./values.ts";

export async function filterComposed(
  engine: FilterParts,
  x: Picture,
  filter: ComposedFilter,
  options: FilterCallOptions,
): Promise<Image | EngineValue> {
  if (filter.kind === "magnitude") {
    const one = (filter: Filter, options: FilterCallOptions) => engine.filter(sourceOf(x), filter, options);
    return magnitudeOf(one, x, filter.parts as [string, string], options);
  }
  const { canny, unsharp } = await import("./rare.ts");
  if (filter.kind === "edges") return canny(engine, x, filter.values, options);
  return unsharp(engine, x, filter, options);
}

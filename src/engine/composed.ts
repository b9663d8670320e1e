// Filters of several linear ones: what they need of an engine, and which of them loads what.
import type { BackendPlan, Program } from "../backend/backend.ts";
import type { Abortable } from "../backend/slices.ts";
import type { ComposedFilter } from "../factor/composed.ts";
import type { Filter } from "../factor/filter.ts";
import type { Profile } from "../plan/types.ts";
import type { CheckedImage, Image, ImageLike } from "../tensor.ts";
import { magnitudeOf } from "./gradient.ts";
import type { Picture } from "./pictures.ts";
import type { FilterCallOptions } from "./types.ts";
import { EngineValue } from "./values.ts";

/** What composed filters need of an engine. */
export interface FilterParts {
  readonly profile: Profile;
  /** A linear filter. */
  filter(image: ImageLike | EngineValue, filter: Filter, options: FilterCallOptions): Promise<Image>;
  /** The program of a plan, in turn with other calls. */
  run(
    plan: BackendPlan,
    given: FilterCallOptions["signal"],
    work: (program: Program, signal: Abortable) => Promise<void>,
  ): Promise<void>;
}

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

/** The picture as linear filters take it again. */
export const sourceOf = (x: Picture): ImageLike | EngineValue =>
  x.data instanceof EngineValue ? x.data : (x as CheckedImage);

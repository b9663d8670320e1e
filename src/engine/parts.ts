// What filters of several linear ones need of an engine.
import type { BackendPlan, Program } from "../backend/backend.ts";
import type { Abortable } from "../backend/slices.ts";
import type { Filter } from "../factor/filter.ts";
import type { Profile } from "../plan/types.ts";
import type { CheckedImage, ImageLike } from "../tensor/image.ts";
import type { Image } from "../tensor.ts";
import type { Picture } from "./masks.ts";
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

/** The picture as linear filters take it again. */
export const sourceOf = (x: Picture): ImageLike | EngineValue =>
  x.data instanceof EngineValue ? x.data : (x as CheckedImage);

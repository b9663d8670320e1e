// A case as a call of rank1: the filter, the options, and what takes the result.
import type { Filter, filters as namedFilters } from "../../src/index.ts";
import type { Case } from "./cases.ts";
import type { Picture, Pixels } from "./picture.ts";

/** `filters`: rank1's named ones. */
export function filterOf({ work }: Case, filters: typeof namedFilters): Filter {
  if (work.kind === "gaussian") return filters.gaussian({ sigma: work.sigma, size: work.size });
  if (work.kind === "sobel-x") return filters.sobel("x");
  if (work.kind === "box") return filters.box(work.size);
  return work.rows;
}

export function outputFor(problem: Case, picture: Picture): Pixels {
  return new (problem.output === "u8" ? Uint8Array : Int16Array)(picture.data.length);
}

/** The options of a call; `out` beside them. */
export function optionsOf({ border, tolerance, output }: Case) {
  return { border, tolerance, output, alpha: "none" } as const;
}

// Which results of a filter there are, and where they lie on the picture: all of an extent, or a region of it.
import { checkInteger, checkOneOf, checkOptions, InvalidArgumentError } from "../errors.ts";
import type { FilterProblem, Window } from "./types.ts";

/** A rectangle of pixels. */
export interface Region {
  /** Of the first column: 0 is the picture's first. */
  x: number;
  /** Of the first row: 0 is the picture's first. */
  y: number;
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
}

/**
 * Which results there are. "same": one for each pixel. "valid": those whose window lies inside the picture. "full": those
 * whose window touches it.
 */
export type Extent = "same" | "valid" | "full";

export const extents: readonly Extent[] = ["same", "valid", "full"];

/** What the options of a call say of it. */
export interface ExtentOptions {
  extent?: Extent;
  region?: Region;
}

/** A picture's height, width and channels, and the window that goes over it. */
interface Sides {
  shape: readonly number[];
  window: Pick<Window, "size" | "pads">;
}

/** Where a problem's result lies, in pixels of its picture. */
export function placeOf({ y, origin }: Pick<FilterProblem, "y" | "origin">): Region {
  return { x: origin ? origin[1] : 0, y: origin ? origin[0] : 0, width: y.shape[1]!, height: y.shape[0]! };
}

/** The pixels that the results of an extent lie on, and of these those of a region. */
export function checkExtent({ shape, window }: Sides, { extent: given, region }: ExtentOptions): Region {
  const extent = given === undefined ? "same" : checkOneOf("extent", given, extents);
  const all = allOf(shape, window, extent);
  if (all.width < 1 || all.height < 1) {
    const [kh, kw] = window.size;
    const expected = `a filter of at most the picture's ${shape[1]} x ${shape[0]} (width x height) for "valid"`;
    throw new InvalidArgumentError({ parameter: "extent", expected, received: `one of ${kw} x ${kh}` });
  }
  return region === undefined ? all : checkRegion(region, all, extent);
}

function allOf(shape: readonly number[], { size, pads }: Sides["window"], extent: Extent): Region {
  const [height, width] = shape as [number, number];
  if (extent === "same") return { x: 0, y: 0, width, height };
  const [kh, kw] = size;
  const [top, left, bottom, right] = pads;
  if (extent === "valid") return { x: left, y: top, width: width - kw + 1, height: height - kh + 1 };
  // A side of pads that are not below zero, or zero itself would be its negative.
  return { x: 0 - right, y: 0 - bottom, width: width + kw - 1, height: height + kh - 1 };
}

function checkRegion(given: unknown, all: Region, extent: Extent): Region {
  const { x, y, width, height } = checkOptions<Region>("region", given, ["x", "y", "width", "height"]);
  const region = {
    x: checkInteger("region.x", x, { min: all.x, max: all.x + all.width - 1 }),
    y: checkInteger("region.y", y, { min: all.y, max: all.y + all.height - 1 }),
    width: checkInteger("region.width", width, { min: 1 }),
    height: checkInteger("region.height", height, { min: 1 }),
  };
  if (region.x + region.width <= all.x + all.width && region.y + region.height <= all.y + all.height) return region;
  const where = extent === "same" ? "the picture" : `the results of extent "${extent}"`;
  const expected = `one inside ${where}, ${textOf(all)}`;
  throw new InvalidArgumentError({ parameter: "region", expected, received: textOf(region) });
}

const textOf = ({ x, y, width, height }: Region): string => `${width} x ${height} at x ${x}, y ${y}`;

/** The problem with its result at another place of the same sides. */
export function movedTo(problem: FilterProblem, options: ExtentOptions): FilterProblem {
  const { origin } = problem;
  if (origin === undefined) return problem;
  const { x, y } = checkExtent({ shape: problem.x.shape, window: problem.window }, options);
  return origin[0] === y && origin[1] === x ? problem : { ...problem, origin: [y, x] };
}

/** Whether a place lies inside a picture. */
export const isInside = ({ x, y, width, height }: Region, picture: { width: number; height: number }): boolean =>
  x >= 0 && y >= 0 && x + width <= picture.width && y + height <= picture.height;

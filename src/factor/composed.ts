// Filters that are no single sum of products: the magnitude of two derivatives, Canny's edges, sharpening above a threshold.
// They are known by their names; engines make them of linear filters.
import { describe, InvalidArgumentError } from "../errors.ts";
import { gradientNames, gradientPair, isGradientName } from "./filter-functions.ts";
import {
  checkArguments,
  choice,
  listed,
  type NamedInfo,
  number,
  optional,
  type ParameterSet,
  parseArguments,
  sigma,
  splitName,
  truncate,
} from "./parameters.ts";

export const unsharpParameters = {
  amount: number("how much of the difference is added", 1),
  sigma,
  truncate,
  threshold: number("a difference below it is not added, in the units of the pixels", 0, { min: 0 }),
};

const gradientSize = "gradient as Sobel's filters give it, in the units of the pixels";

const cannyParameters = {
  sigma: number("standard deviation of the blur before, in pixels; 0: none", 1.4, { min: 0 }),
  low: optional(number(`${gradientSize}, above which what touches an edge is one; default half of high`, undefined, { min: 0 })), // biome-ignore format: a line
  high: optional(number(`${gradientSize}, above which there is an edge; default 100 of 255`, undefined, { min: 0 })),
  norm: choice("size of the gradient: l1 is |gx| + |gy|, l2 is √(gx² + gy²)", ["l1", "l2"], "l1"),
  colour: choice("grey: edges of the grey picture, each: of each channel", ["grey", "each"], "grey"),
};

/** How Canny's edges are found. */
export interface CannyValues {
  /** Of the blur before, in pixels; 0: none. */
  sigma: number;
  /** Of the gradient as Sobel's filters give it, in the units of the pixels: above it, what touches an edge is one. */
  low: number | undefined;
  /** Above it there is an edge. */
  high: number | undefined;
  /** The size of the gradient: |gx| + |gy|, or √(gx² + gy²). */
  norm: "l1" | "l2";
  /** Edges of the grey picture, or of each channel. */
  colour: "grey" | "each";
}

/** How a picture is sharpened. */
export interface UnsharpValues {
  /** How much of the difference is added. */
  amount: number;
  /** Standard deviation of the blur, in pixels. */
  sigma: number;
  /** The blur ends this many standard deviations from its centre. */
  truncate: number;
  /** A difference below it is not added, in the units of the pixels. */
  threshold: number;
}

/** A filter that an engine makes of linear ones. */
export type ComposedFilter = {
  /** The linear filters, by name, in their order. */
  parts: readonly string[];
} & (
  | {
      /** The magnitude of two derivatives. */
      kind: "magnitude";
      /** None. */
      values?: undefined;
    }
  | {
      /** Canny's edges. */
      kind: "edges";
      /** The parameters, where one is given or has a default. */
      values: CannyValues;
    }
  | {
      /** Sharpening above a threshold. */
      kind: "unsharp";
      /** The parameters. */
      values: UnsharpValues;
    }
);

/** Filters that `engine.filter` and the command line take by name, besides the linear ones and the pairs of derivatives. */
export const composedFilters: readonly NamedInfo[] = [
  {
    name: "canny",
    summary: "Canny's edges, one pixel wide: 255 on edges, 0 elsewhere",
    parameters: listed(cannyParameters),
  },
];

export const composedNames: readonly string[] = [...composedFilters.map(({ name }) => name), ...gradientNames];

/** What a name stands for that is no linear filter; undefined for all that is, and for what is no name. */
export function composedFilter(filter: unknown): ComposedFilter | undefined {
  if (typeof filter !== "string") return undefined;
  if (isGradientName(filter)) return { kind: "magnitude", parts: gradientPair(filter) };
  const { name, rest } = splitName(filter);
  if (name === "canny") {
    const values = read(name, cannyParameters, rest);
    const { low, high } = values;
    if (low !== undefined && high !== undefined && low > high)
      throw new InvalidArgumentError({ parameter: "canny low", expected: `at most high, ${high}`, received: `${low}` });
    const blur = values.sigma > 0 ? [`gaussian:sigma=${values.sigma}`] : [];
    return { kind: "edges", values, parts: [...blur, "sobel-x", "sobel-y"] };
  }
  if (name !== "unsharp" || !rest?.includes("threshold")) return undefined;
  const values = read(name, unsharpParameters, rest);
  if (values.threshold === 0) return undefined;
  return { kind: "unsharp", values, parts: [`gaussian:sigma=${values.sigma},truncate=${values.truncate}`] };
}

function read<P extends ParameterSet>(name: string, parameters: P, rest: string | undefined) {
  const given = rest === undefined ? undefined : parseArguments(name, listed(parameters), rest);
  return checkArguments(name, parameters, given);
}

/** What only engines make, where a linear filter is needed. */
export function notLinear(parameter: string, expected: string, received: unknown): InvalidArgumentError {
  const hint = "engine.filter and rank1 filter take it by its name";
  return new InvalidArgumentError({ parameter, expected, received: describe(received), hint });
}

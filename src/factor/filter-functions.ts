// The named filters as functions, written out so that editors show what each is and takes; the table in filters.ts builds
// them. Also the names of gradient pairs: "sobel" stands for sobel-x and sobel-y.

/** The forms in which named filters are returned; each is accepted wherever a filter is. */
export type NamedFilter =
  | readonly (readonly number[])[]
  | {
      /** Rows. */
      kh: number;
      /** Columns. */
      kw: number;
      /** Row-major, [kh · kw]. */
      values: number[];
      /** Times which the values count. Default 1. */
      gain?: number;
    }
  | {
      /** `[kh]`: value `[i, j]` of the filter is `column[i] · row[j]`. */
      column: number[];
      /** [kw] */
      row: number[];
      /** Times which the products count. Default 1. */
      gain?: number;
    };

/** A bound on the size of a named filter. */
export interface FilterLimits {
  /** The largest side in pixels, above which a LimitError is thrown. Default 2049. */
  maxSide?: number;
}

/** One number for both axes, or [y, x]. */
export type BothAxes = number | readonly [y: number, x: number];

/** Parameters of a filter with one standard deviation. */
export interface SigmaParameters {
  /** Standard deviation, in pixels; above 0. Default 1. */
  sigma?: number;
  /** The filter ends this many standard deviations from its centre. Default 4, as in SciPy. */
  truncate?: number;
}

/** A filter without parameters. */
export type PlainFilter = (parameters?: Record<string, never>, limits?: FilterLimits) => NamedFilter;

/** A derivative along an axis: "x" finds vertical edges, "y" horizontal ones. */
export type AxisFilter = (axis: "x" | "y", parameters?: Record<string, never>, limits?: FilterLimits) => NamedFilter;

/**
 * The named filters as functions: `filters.sobel("x")`, `filters.gaussian({ sigma: 2 })`, `filters.box(3)`. Each takes
 * its version where it has several, then an object of parameters or a lone value for the first one, then
 * `{ maxSide }`. All return plain data, to be given wherever a filter is taken, and correlate as they stand (the filter
 * is not flipped). docs/filters.md has a table of them.
 *
 * All throw InvalidArgumentError for a wrong parameter, and LimitError where a side exceeds maxSide.
 */
export interface FilterFunctions {
  /** The names that strings may use wherever a filter is taken: "sobel-x", "gaussian:sigma=2". */
  readonly names: readonly string[];
  /** Changes nothing: [[1]]. */
  readonly identity: PlainFilter;
  /** Mean of a rectangle. Rank 1. */
  readonly box: (
    parameters?:
      | BothAxes
      | {
          /** Sides, in pixels. Default 3. */
          size?: BothAxes;
        },
    limits?: FilterLimits,
  ) => NamedFilter;
  /** Gaussian blur with taps that sum to 1, as SciPy's `gaussian_filter`. Rank 1. */
  readonly gaussian: (
    parameters?:
      | BothAxes
      | {
          /** Standard deviation, in pixels; above 0. Default 1. */
          sigma?: BothAxes;
          /** The filter ends this many standard deviations from its centre. Default 4, as in SciPy. */
          truncate?: number;
          /** Odd sides in pixels, in place of `truncate`. */
          size?: BothAxes;
        },
    limits?: FilterLimits,
  ) => NamedFilter;
  /** Binomial blur: integers over a power of two, close to a Gaussian of variance (size − 1) / 4. Rank 1. */
  readonly binomial: (
    parameters?:
      | BothAxes
      | {
          /** Sides, in pixels, up to 31. Default 3. */
          size?: BothAxes;
        },
    limits?: FilterLimits,
  ) => NamedFilter;
  /** Mean of a disk, as of a lens out of focus; pixels on the edge count by the area covered. */
  readonly disk: (
    parameters?:
      | number
      | {
          /** In pixels; above 0. Default 5. */
          radius?: number;
        },
    limits?: FilterLimits,
  ) => NamedFilter;
  /** Mean along a line, as of a moving camera. */
  readonly motion: (
    parameters?:
      | number
      | {
          /** Of the line, in pixels. Default 9. */
          length?: number;
          /** Degrees from the x axis towards the y axis, which points down. Default 45. */
          angle?: number;
        },
    limits?: FilterLimits,
  ) => NamedFilter;
  /** First derivative, smoothed by [1, 2, 1]. Rank 1. */
  readonly sobel: AxisFilter;
  /** First derivative, smoothed by [3, 10, 3]: more even over directions than Sobel's. Rank 1. */
  readonly scharr: AxisFilter;
  /** First derivative, smoothed by [1, 1, 1]. Rank 1. */
  readonly prewitt: AxisFilter;
  /** 2 × 2 differences along the diagonals: "x" falls to the right, "y" rises. Rank 2. */
  readonly roberts: AxisFilter;
  /** First derivative of a Gaussian blur, as in SciPy. Rank 1. */
  readonly derivativeOfGaussian: (
    axis: "x" | "y",
    parameters?: number | SigmaParameters,
    limits?: FilterLimits,
  ) => NamedFilter;
  /** Sum of the second derivatives, 3 × 3, over 4 or 8 neighbours. Rank 2. */
  readonly laplacian: (neighbours: 4 | 8, parameters?: Record<string, never>, limits?: FilterLimits) => NamedFilter;
  /** Laplacian of a Gaussian blur, its sum corrected to zero. Rank 2. */
  readonly laplacianOfGaussian: (parameters?: number | SigmaParameters, limits?: FilterLimits) => NamedFilter;
  /** A Gaussian blur minus a wider one. Rank 2. */
  readonly differenceOfGaussians: (
    parameters?:
      | number
      | (SigmaParameters & {
          /** Standard deviation of the wider one over that of the narrower; above 1. Default 1.6. */
          ratio?: number;
        }),
    limits?: FilterLimits,
  ) => NamedFilter;
  /** The picture minus its Laplacian over 4 neighbours, 3 × 3. Rank 2. */
  readonly sharpen: PlainFilter;
  /**
   * The picture plus its difference from a Gaussian blur. Rank 2. A `threshold`, below which a difference is not added, is
   * for names alone, as in `engine.filter(image, "unsharp:amount=0.8,threshold=3")`: no linear filter has one.
   */
  readonly unsharp: (
    parameters?:
      | number
      | (SigmaParameters & {
          /** How much of the difference is added. Default 1. */
          amount?: number;
          /** 0. */
          threshold?: number;
        }),
    limits?: FilterLimits,
  ) => NamedFilter;
  /** Relief lit from the upper left, 3 × 3. Rank 3. */
  readonly emboss: PlainFilter;
  /** A wave under a Gaussian, as OpenCV's `getGaborKernel`. */
  readonly gabor: (
    parameters?:
      | number
      | {
          /** Standard deviation, in pixels; above 0. Default 3. */
          sigma?: number;
          /** In pixels; above 0. Default 6. */
          wavelength?: number;
          /** Direction of the wave: degrees from the x axis towards the y axis, which points down. Default 45. */
          angle?: number;
          /** Width of the Gaussian along the wave over its width across it; above 0. Default 1. */
          aspect?: number;
          /** Phase of the wave, in degrees. Default 0. */
          phase?: number;
          /** Odd sides in pixels, in place of 3 standard deviations. */
          size?: BothAxes;
        },
    limits?: FilterLimits,
  ) => NamedFilter;
}

/** The pairs of derivatives that `engine.gradient` knows, and that `engine.filter` takes for their magnitude. */
export const gradientNames = ["sobel", "scharr", "prewitt", "roberts"] as const;
/** One of {@link gradientNames}: "sobel" stands for sobel-x and sobel-y. */
export type GradientName = (typeof gradientNames)[number];

export const isGradientName = (filter: unknown): filter is GradientName =>
  (gradientNames as readonly unknown[]).includes(filter);

/** The names of the two filters. */
export const gradientPair = (name: GradientName): [x: string, y: string] => [`${name}-x`, `${name}-y`];

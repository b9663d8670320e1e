// Pairs of derivative filters whose magnitude people call edge detection: "sobel" stands for sobel-x and sobel-y.

/** The pairs of derivatives that `engine.gradient` knows, and that `engine.filter` takes for their magnitude. */
export const gradientNames = ["sobel", "scharr", "prewitt", "roberts"] as const;
/** One of {@link gradientNames}: "sobel" stands for sobel-x and sobel-y. */
export type GradientName = (typeof gradientNames)[number];

export const isGradientName = (filter: unknown): filter is GradientName =>
  (gradientNames as readonly unknown[]).includes(filter);

/** The names of the two filters. */
export const gradientPair = (name: GradientName): [x: string, y: string] => [`${name}-x`, `${name}-y`];

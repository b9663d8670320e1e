// What is run on one thread and on several: layers that take 0.3 ms and more on one, small maps and large ones, and models.
import { depthwiseAlone, type LayerCase, cases as layers } from "../layers/cases.ts";
import { type ModelCase, cases as models } from "../models/cases.ts";

const chosen = [
  "pointwise-112-32-64",
  "pointwise-56-128-128",
  "pointwise-7-1024-1024",
  "depthwise9-14-960",
  "separable-112-32-64",
  "separable-28-256-256",
  "separable-7-1024-1024",
  "inverted-56-24-144",
  "inverted-7-160-960",
  "regular3-56-64",
  "regular3-7-512",
];

/** The last is larger than those of networks: 3×3 windows on theirs take less than 0.3 ms. */
export const layerCases: readonly LayerCase[] = [
  ...layers.filter(({ name }) => chosen.includes(name)),
  depthwiseAlone(112, 128, 3, 1),
];

const named = (...names: readonly string[]): readonly ModelCase[] => models.filter(({ name }) => names.includes(name));

export const modelCases = named("ultraface-slim", "ultraface-rfb", "resnet20", "waifu2x");

/** Those whose first result in a new process is timed. */
export const freshCases = named("ultraface-slim", "resnet20");

export const mnist = named("mnist")[0]!;

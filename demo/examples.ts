// The examples of the tour: which filter on which input, what is worth knowing about it, and how its pictures are made.
import type { Engine, FilterCallOptions, FilterOptions } from "../src/index.ts";
import { showSigned } from "../src/node/convert.ts";
import type { Picture } from "../src/node/pictures.ts";
import type { Inputs, View } from "./inputs.ts";

export interface Example {
  id: string;
  title: string;
  /** By its name, as the command line takes it. */
  filter: string;
  options: FilterOptions;
  input: keyof Inputs;
  story: string;
  /** Arguments of rank1 that go further; IN stands for the input's file. */
  commands: readonly string[];
  views: readonly View[];
  /** The pictures of the views, in their order. */
  run(engine: Engine, picture: Picture, signal: AbortSignal): Promise<{ pictures: Picture[]; note?: string }>;
}

const sobel: Example = {
  id: "sobel",
  title: "Sobel: one column times one row",
  filter: "sobel-x",
  options: {},
  input: "scene",
  story:
    "Sobel finds edges: the difference between right and left, [−1 0 1], smoothed downwards by [1 2 1]. That is a row " +
    "pass and a column pass, and the nine numbers need never be written down. Zeros cost nothing on " +
    "either side: six multiplications as it stands, five in passes. One this small has next to nothing to gain.",
  commands: ["factor sobel-x", "filter IN -o edges.png -f sobel"],
  views: [
    { file: "sobel-x.png", caption: "sobel-x: mid-grey is zero", alt: "Upright edges, light and dark on mid-grey" },
    { file: "sobel-y.png", caption: "sobel-y: the same, turned", alt: "Level edges, light and dark on mid-grey" },
    { file: "sobel.png", caption: "sobel: √(x² + y²)", alt: "Edges of all directions, bright on black" },
  ],
  async run(engine, picture, signal) {
    const { gx, gy, magnitude } = await engine.gradient(picture, { filter: "sobel", signal });
    const show = (image: typeof gx, mode: "signed" | "abs") => like(picture, showSigned(image, mode, "u8", false));
    return { pictures: [show(gx, "signed"), show(gy, "signed"), show(magnitude, "abs")] };
  },
};

const gaussian: Example = {
  id: "gaussian-2",
  title: "Gaussian blur, σ = 2",
  filter: "gaussian:sigma=2",
  options: {},
  input: "chart",
  story:
    "The Gaussian is the one blur that is round and a column times a row. What is finer than the blur turns to one " +
    "even tone, whatever its direction; what is coarser stays.",
  commands: ["factor gaussian:sigma=2", "filter IN -o soft.png -f gaussian:sigma=2"],
  views: [{ file: "gaussian-2.png", caption: "after", alt: "The same, softened: the finest detail is gone" }],
  run: (engine, picture, signal) => plain(engine, picture, gaussian, signal),
};

const wideGaussian: Example = {
  id: "gaussian-8",
  title: "Gaussian blur, σ = 8",
  filter: "gaussian:sigma=8",
  options: {},
  input: "scene",
  story:
    "Four times the σ is sixteen times as many numbers, but a column and a row only four times as long. The wider the " +
    "filter, the more the split saves.",
  commands: ["filter -f gaussian:sigma=8 --size 4000x3000x3 --explain", "filter IN -o softer.png -f gaussian:sigma=20"],
  views: [{ file: "gaussian-8.png", caption: "after", alt: "The same, strongly blurred: shapes without outlines" }],
  run: (engine, picture, signal) => plain(engine, picture, wideGaussian, signal),
};

const laplacian: Example = {
  id: "laplacian-8",
  title: "Laplacian: two terms",
  filter: "laplacian-8",
  options: {},
  input: "chart",
  story:
    "Nine in the middle taken from a box of ones: no column times row gives that, but two do, exactly and in whole " +
    "numbers. They take four passes of three, twelve multiplications where the filter has nine numbers. To know the " +
    "rank is also to know when not to split.",
  commands: ["factor laplacian-8 --rank 1", "filter IN -o relief.png -f laplacian-8 --show signed"],
  views: [
    {
      file: "laplacian-8.png",
      caption: "after: its magnitude",
      alt: "Thin bright outlines on black around all shapes",
    },
  ],
  async run(engine, picture, signal) {
    const result = await engine.filter(picture, laplacian.filter, { signal });
    return { pictures: [like(picture, showSigned(result, "abs", "u8", false))] };
  },
};

const gabor: Example = {
  id: "gabor",
  title: "Gabor at 30°: two terms at any angle",
  filter: "gabor:sigma=4,wavelength=8,angle=30",
  options: { output: "f32" },
  input: "chart",
  story:
    "A wave under a round Gaussian answers to stripes of one direction and one width. Upright, it is one column times " +
    "one row. Tilted it is not, but cos(a + b) = cos a cos b − sin a sin b: two terms, and no more at any angle.",
  commands: [
    "factor gabor:sigma=4,wavelength=8,angle=30 --svg gabor.svg",
    "filter IN -o stripes.png -f gabor:sigma=4,wavelength=8,angle=120 --type f32 --show signed",
  ],
  views: [
    {
      file: "gabor.png",
      caption: "after: mid-grey is zero",
      alt: "Mid-grey but for stripes of one direction and width",
    },
  ],
  async run(engine, picture, signal) {
    const result = await engine.filter(picture, gabor.filter, { ...gabor.options, signal });
    return { pictures: [like(picture, showSigned(result, "signed", "u8", false))] };
  },
};

const motion: Example = {
  id: "motion",
  title: "Motion blur at 30°: full rank",
  filter: "motion:angle=30,length=27",
  options: {},
  input: "scene",
  story:
    "A slanted line is the other extreme: no row is a mix of the others, so the rank is as high as the filter, and " +
    "passes would cost more than they save. But most of its numbers are zero, and those cost nothing.",
  commands: ["factor motion:angle=30,length=27", "filter -f motion:angle=0,length=27 --explain"],
  views: [
    { file: "motion.png", caption: "after", alt: "The same, smeared along a slanted line as if the camera moved" },
  ],
  run: (engine, picture, signal) => plain(engine, picture, motion, signal),
};

const disk: Example = {
  id: "disk",
  title: "Out of focus: close enough for less",
  filter: "disk:12",
  options: { tolerance: 0.2 },
  input: "chart",
  story:
    "A lens out of focus blurs by a disk. Its round edge takes many terms, but the first few are most of it, and the " +
    "singular values say beforehand how much of the filter is lost without the others. Nothing is approximated " +
    "unless a tolerance allows it; then the planner drops terms where that is cheaper. What goes is fine ripple, and " +
    "so the pictures differ by far less than the filters.",
  commands: [
    "factor disk:12 --tolerance 0.2",
    "filter IN -f disk:12 --tolerance 0.05 --explain",
    "filter IN -o blurred.png -f disk:12 --tolerance 0.2",
  ],
  views: [
    { file: "disk.png", caption: "exact", alt: "The same, out of focus" },
    {
      file: "disk-tolerance.png",
      caption: "with the tolerance",
      alt: "The same, out of focus; no difference to be seen",
    },
    {
      file: "disk-difference.png",
      caption: "difference, amplified",
      alt: "Faint ripples on black, where the picture has strong contrasts",
    },
  ],
  async run(engine, picture, signal) {
    const exact = await engine.filter(picture, disk.filter, { signal });
    const close = await engine.filter(picture, disk.filter, { ...disk.options, signal });
    const { data, largest, mean, factor } = amplifiedDifference(exact.data as Uint8Array, close.data as Uint8Array);
    const note =
      `The two differ by ${largest} of 255 at most, by ${mean.toFixed(2)} on average; ` +
      `the last picture shows the difference times ${factor}.`;
    return { pictures: [exact, close, { data }].map((image) => like(picture, image)), note };
  },
};

export const examples: readonly Example[] = [sobel, gaussian, wideGaussian, laplacian, gabor, motion, disk];

async function plain(engine: Engine, picture: Picture, { filter, options }: Example, signal: AbortSignal) {
  const call: FilterCallOptions = { ...options, signal };
  return { pictures: [like(picture, await engine.filter(picture, filter, call))] };
}

/** A result of 8 bits as a picture of the input's kind. */
function like({ width, height, channels, alpha, icc }: Picture, { data }: { data: unknown }): Picture {
  return { width, height, channels, data: data as Uint8Array, alpha, icc };
}

/** |a − b|, times the largest power of two with which nothing saturates. */
function amplifiedDifference(a: Uint8Array, b: Uint8Array) {
  const difference = a.map((v, i) => Math.abs(v - b[i]!));
  const largest = difference.reduce((max, v) => Math.max(max, v), 0);
  const mean = difference.reduce((sum, v) => sum + v, 0) / difference.length;
  const factor = 2 ** Math.floor(Math.log2(255 / Math.max(1, largest)));
  return { data: difference.map((v) => v * factor), largest, mean, factor };
}

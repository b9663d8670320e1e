// Canny's edges: grey, a blur, the thinned gradient by generated code, and then, of the weak edges, those that strong ones
// lead to.
import type { BackendPlan, SourceBinding, TargetBinding } from "../backend/backend.ts";
import { inSlices } from "../backend/slices.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { CannyValues } from "../factor/composed.ts";
import { wordsFor } from "../kernels/edges/layout.ts";
import { pictureKernels } from "../kernels/pictures.ts";
import { addKernels, workOf } from "../kernels/table.ts";
import { costOf, grainFor } from "../plan/cost.ts";
import { placeOf } from "../plan/extent.ts";
import type { BufferSpec, EdgesSpec, FilterProblem, Profile } from "../plan/types.ts";
import type { ImageLike } from "../tensor/image.ts";
import { arrayIn, type Image, type ImageArray, type ImageDType, isFloat, isWide, rangeOf } from "../tensor.ts";
import { plainView } from "./calls.ts";
import { draw, follow } from "./follow.ts";
import { flatten } from "./grey.ts";
import type { Picture } from "./masks.ts";
import { type FilterParts, sourceOf } from "./parts.ts";
import { fullOf } from "./pictures.ts";
import { aloneIn, checkOut, putWhole, resultOf } from "./targets.ts";
import type { FilterCallOptions } from "./types.ts";
import { EngineValue } from "./values.ts";

/** A blurred picture of bytes keeps five bits after the point: four times as many, and Sobel's sums still fit 16. */
const parts = 32;

/** Options of filters that mean nothing here. */
const strays = ["gain", "offset", "flip", "anchor", "strategy", "mask", "nan", "fill"] as const;

/** @throws InvalidArgumentError for options that edges do not have. */
export async function canny(
  engine: FilterParts,
  x: Picture,
  problem: FilterProblem,
  values: CannyValues,
  options: FilterCallOptions,
): Promise<Image | EngineValue> {
  checkStrays(options);
  const { border, borderValue, tolerance, out, signal, onProgress } = options;
  const alpha = options.alpha === undefined ? x.hasAlpha === true : options.alpha !== "none";
  const colours = alpha || (x.channels % 2 === 0 && values.colour === "grey") ? x.channels - 1 : x.channels;
  const channels = values.colour === "each" ? colours : 1;
  if (channels !== colours && colours !== 3) {
    const [expected, received] = ["1 or 3 channels that are no alpha, or edges of each colour", `${colours}`];
    throw new InvalidArgumentError({ parameter: "image.channels", expected, received });
  }
  const { width, height } = x;
  const shown = isImageData(x) && alpha && !holds(out, problem, channels);
  const target = checkOut(out, shown ? x : { ...x, channels, hasAlpha: false, premultiplied: false }, problem, "u8");
  addKernels(pictureKernels);

  const plain = channels === x.channels ? sourceOf(x) : await withoutAlpha(x, channels, alpha, signal);
  const fine = x.dtype === "u8" ? parts : 1;
  const blurred = values.sigma > 0;
  const image = blurred
    ? await engine.filter(plain, `gaussian:sigma=${values.sigma}`, {
        ...{ border, borderValue, tolerance, signal, alpha: "none" },
        ...{ gain: fine, output: x.dtype === "u8" ? "i16" : "f32" },
        onProgress: onProgress && ((done) => onProgress(done * 0.5)),
      })
    : plain;
  const scale = blurred ? fine : 1;
  const given = image instanceof EngineValue ? image.inner : plainView((image as Image).data);
  const dtype: ImageDType = !blurred ? x.dtype : x.dtype === "u8" ? "i16" : "f32";
  const source: SourceBinding = {
    ...{ kind: "source", width, height, channels, dtype, alpha: "none", data: given },
    ...{ border: border ?? "edge", borderValue: (borderValue ?? 0) * scale },
  };
  const words = wordsFor(width * channels);
  const bits = new Int32Array(2 * words * height);
  const y: TargetBinding = {
    kind: "target",
    data: new Uint8Array(bits.buffer),
    dtype: "u8",
    ...{ width: 8 * words, height, gain: 1, offset: 0, alpha: "none" },
    source: { ...source, width: 8 * words, channels: 1 },
  };
  const kernel: EdgesSpec = {
    ...{ family: "edges", norm: values.norm, height, thresholds: thresholdsOf(values, x.dtype, scale) },
    arithmetic: x.dtype === "u8" ? "i16" : "f32",
  };
  const start = blurred ? 0.5 : 0;
  await engine.run(planOf(source, kernel, engine.profile), signal, (program, signal) =>
    program.run([["x", source]], [["y", y]], { signal, onProgress: onProgress && ((done) => onProgress(start + done * (0.9 - start))) }),
  ); // biome-ignore format: a call
  const edges = { bits, words, elements: width * channels, step: channels };
  await follow(edges, signal);
  const place = placeOf(problem);
  const data = shown ? new Uint8Array(place.width * place.height * channels) : (aloneIn(target) as Uint8Array);
  // What touches an edge may be far away: those of a region are of the whole picture.
  const isWhole = problem.origin === undefined;
  const all = isWhole ? data : new Uint8Array(width * height * channels);
  if (isWhole && out !== undefined) all.fill(0);
  await draw(edges, all, signal);
  if (!isWhole) {
    const { x: left, y: top, width: w, height: h } = place;
    for (let row = 0; row < h; row++) {
      const from = ((top + row) * width + left) * channels;
      data.set(all.subarray(from, from + w * channels), row * w * channels);
    }
  }
  onProgress?.(1);
  await putWhole(target, shown ? await opaqueOf(data, channels, aloneIn(target), signal) : data);
  return resultOf(target);
}

/** A browser's ImageData, or what is like one. */
const isImageData = ({ data, channels }: Picture): boolean => channels === 4 && data instanceof Uint8ClampedArray;

/** Whether `out` is for edges alone, of so many channels. */
function holds(out: unknown, problem: FilterProblem, channels: number): boolean {
  const { width, height } = placeOf(problem);
  if (out instanceof EngineValue) return out.shape[2] === channels;
  return (arrayIn(out) as ArrayLike<number> | undefined)?.length === width * height * channels;
}

/** Edges of one channel or of three as pixels that can be shown: in all colours, opaque. */
async function opaqueOf(
  edges: Uint8Array,
  channels: number,
  pixels: ImageArray,
  signal: FilterCallOptions["signal"],
): Promise<ImageArray> {
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  await inSlices(edges.length / channels, signal, (start, end) => {
    for (let at = start; at < end; at++) {
      pixels[4 * at] = edges[at * channels]!;
      pixels[4 * at + 1] = edges[at * channels + green]!;
      pixels[4 * at + 2] = edges[at * channels + blue]!;
      pixels[4 * at + 3] = 255;
    }
    return true;
  });
  return pixels;
}

function checkStrays(options: FilterCallOptions): void {
  const wrong = (parameter: string, expected: string, received: unknown): InvalidArgumentError =>
    new InvalidArgumentError({ parameter, expected, received: String(received) });
  for (const name of strays)
    if (options[name] !== undefined) throw wrong(name, "a linear filter, of which it is an option", "canny");
  if (options.extent !== undefined && options.extent !== "same")
    throw wrong("extent", '"same", of edges', options.extent);
  if (options.output !== undefined && options.output !== "u8") throw wrong("output", "u8, of edges", options.output);
}

/** Both thresholds as norms of a picture whose values are `scale` times the caller's. */
function thresholdsOf({ low, high, norm }: CannyValues, dtype: ImageDType, scale: number): [number, number] {
  const full = isFloat(dtype) ? 1 : rangeOf[dtype][1];
  const most = high ?? (low === undefined ? (100 / 255) * full : 2 * low);
  const bounds = [low ?? most / 2, most].map((bound) => bound * scale);
  return (norm === "l1" ? bounds : bounds.map((bound) => bound ** 2)) as [number, number];
}

/** The type in which edges are found: integers of 16 bits and f32 are enough for them. */
const stagedIn = (dtype: ImageDType): ImageDType => (dtype === "i8" ? "i16" : isWide(dtype) ? "f32" : dtype);

function planOf({ width, height, channels, dtype }: SourceBinding, kernel: EdgesSpec, profile: Profile): BackendPlan {
  const rows = { channels, stride: 1 };
  const buffers: BufferSpec[] = [
    {
      id: "x",
      scope: "input",
      dtype: stagedIn(dtype),
      width: width + 2,
      left: 1,
      right: 1,
      above: 2,
      below: 2,
      ...rows,
    },
    {
      id: "y",
      scope: "output",
      dtype: "u8",
      width: 8 * wordsFor(width * channels),
      channels: 1,
      stride: 1,
      above: 0,
      below: 0,
    },
  ];
  const step = { name: "thin edges", kernel, reads: ["x"], writes: "y" };
  const grid = { images: 1, extent: height, grain: grainFor(buffers, height, profile, 16) };
  const stages = [{ grid, steps: [step] }];
  return { stages, buffers, cost: costOf({ stages, buffers }, profile, workOf) };
}

/** The picture on white where it has alpha, in grey where one channel is wanted of several. */
async function withoutAlpha(
  x: Picture,
  channels: number,
  alpha: boolean,
  signal: FilterCallOptions["signal"],
): Promise<ImageLike> {
  const data = x.data instanceof EngineValue ? ((await x.data.read()) as Image["data"]) : x.data;
  const { width, height, premultiplied = false } = x;
  const laid = alpha && { full: await fullOf(x, signal) };
  return flatten({ width, height, channels: x.channels, data, premultiplied }, channels, laid, signal);
}

// Gradients: two derivatives of a picture by an engine's filters, then magnitude and angle in slices on the caller's thread.
import { inSlices } from "../backend/slices.ts";
import { checkOneOf, checkOptions, InvalidArgumentError } from "../errors.ts";
import type { Filter } from "../factor/filter.ts";
import type { FilterProblem } from "../plan/types.ts";
import { checkThere, type Image, type ImageArray, imageDTypes, isWide, rounding } from "../tensor.ts";
import { checkApart } from "./calls.ts";
import type { Picture } from "./masks.ts";
import { aloneIn, checkOut, putWhole, resultOf } from "./targets.ts";
import type { FilterCallOptions, Gradient, GradientOptions } from "./types.ts";
import { describeValue, EngineValue } from "./values.ts";

/** The engine's filter on the picture in question. */
export type FilterCall = (filter: Filter, options: FilterCallOptions) => Promise<Image>;
type Pair = readonly [Filter, Filter];

/** Both derivatives, their magnitude and their angle: atan2(gy, gx), 0 where the picture grows brighter to the right; an alpha channel is carried over. */
export async function gradientOf(
  filter: FilterCall,
  x: Picture,
  problem: FilterProblem,
  pair: Pair,
  options: FilterCallOptions,
  out: GradientOptions["out"],
): Promise<Gradient> {
  const given = checkOptions<NonNullable<GradientOptions["out"]>>("out", out, ["gx", "gy", "magnitude", "angle"]);
  for (const [name, one] of Object.entries(given)) {
    if (!(one instanceof EngineValue)) continue;
    throw new InvalidArgumentError({ parameter: `out.${name}`, expected: "an array", received: describeValue(one) });
  }
  const { dtype } = problem.y;
  const real = isWide(dtype) ? "f64" : "f32";
  const names = ["gx", "gy", "magnitude", "angle"] as const;
  const targets = names.map((name, i) => checkOut(given[name], x, problem, i < 2 ? dtype : real));
  for (const [i, { data }] of targets.entries())
    for (let j = 0; j < i; j++)
      checkApart(data as ImageArray, targets[j]!.data as ImageArray, `out.${names[j]}`, `out.${names[i]}`);
  // What goes to its place in a larger picture is computed apart: here elements stand at equal places.
  const [toX, toY, magnitude, angle] = targets.map(aloneIn);
  const [gx, gy] = (await derivatives(filter, pair, options, [toX, toY])).map(({ data }) => data);
  const alpha = isAlphaKept(x, options);
  const { channels } = x;
  await eachElement([gx!, gy!, magnitude!, angle!], options.signal, (i) => {
    const isAlpha = alpha && i % channels === channels - 1;
    magnitude![i] = isAlpha ? gx![i]! : Math.sqrt(gx![i]! * gx![i]! + gy![i]! * gy![i]!);
    angle![i] = isAlpha ? gx![i]! : Math.atan2(gy![i]!, gx![i]!);
  });
  const results = [toX!, toY!, magnitude!, angle!];
  for (const [i, target] of targets.entries()) await putWhole(target, results[i]!);
  const [imageX, imageY, ...others] = targets.map((target) => resultOf(target) as Image);
  return { gx: imageX!, gy: imageY!, magnitude: others[0]!, angle: others[1]! };
}

/** gain · √(gx² + gy²) + offset, rounded and saturated; an alpha channel (the last) is taken from gx as it is. */
export async function magnitudeOf(
  filter: FilterCall,
  x: Picture,
  problem: FilterProblem,
  pair: Pair,
  options: FilterCallOptions,
): Promise<Image | EngineValue> {
  const { out, output, gain = 1, offset = 0, ...rest } = options;
  const { channels } = x;
  const dtype = output === undefined ? x.dtype : checkOneOf("output", output, imageDTypes);
  const target = checkOut(out, x, problem, dtype);
  const data = aloneIn(target);
  const alpha = isAlphaKept(x, rest);
  const mode = rest.alpha ?? (alpha ? "premultiply" : "none");
  const [gx, gy] = (await derivatives(filter, pair, { ...rest, alpha: mode })).map((d) => d.data);
  const put = rounding(dtype);
  await eachElement([data, gx!, gy!], rest.signal, (i) => {
    const isAlpha = alpha && i % channels === channels - 1;
    data[i] = put(isAlpha ? gx![i]! : gain * Math.sqrt(gx![i]! * gx![i]! + gy![i]! * gy![i]!) + offset);
  });
  await putWhole(target, data);
  return resultOf(target);
}

async function derivatives(
  filter: FilterCall,
  pair: Pair,
  options: FilterCallOptions,
  outs: readonly FilterCallOptions["out"][] = [],
): Promise<[Image, Image]> {
  const half = (index: 0 | 1): Promise<Image> =>
    filter(pair[index], {
      ...options,
      out: outs[index],
      onProgress: options.onProgress && ((done) => options.onProgress!((index + done) / 2)),
    });
  return [await half(0), await half(1)];
}

/** Whether the last channel is carried over. */
const isAlphaKept = (x: Picture, { alpha }: FilterCallOptions): boolean =>
  alpha !== undefined ? alpha !== "none" : (x.hasAlpha ?? false);

/** Goes through arrays of equal lengths, which the caller may take away meanwhile. */
function eachElement(
  arrays: readonly ImageArray[],
  signal: FilterCallOptions["signal"],
  put: (i: number) => void,
): Promise<boolean> {
  const count = Math.max(...arrays.map(({ length }) => length));
  return inSlices(count, signal, (from, to) => {
    for (const array of arrays) checkThere("out", array, to);
    for (let i = from; i < to; i++) put(i);
    return true;
  });
}

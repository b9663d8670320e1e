// Sharpening above a threshold: what differs from a blur by less stays as it is.
import { inSlices } from "../backend/slices.ts";
import { checkOneOf, InvalidArgumentError } from "../errors.ts";
import type { ComposedFilter } from "../factor/composed.ts";
import { borderIndex } from "../plan/border.ts";
import { placeOf } from "../plan/extent.ts";
import type { FilterProblem } from "../plan/types.ts";
import { checkThere, type Image, imageDTypes, rounding } from "../tensor.ts";
import type { Picture } from "./masks.ts";
import { type FilterParts, sourceOf } from "./parts.ts";
import { aloneIn, checkOut, putWhole, resultOf } from "./targets.ts";
import type { FilterCallOptions } from "./types.ts";
import { EngineValue } from "./values.ts";

/** gain · (x + amount · d) + offset where d = x − blur is not below the threshold in size, else gain · x + offset; alpha is kept. */
export async function unsharp(
  engine: FilterParts,
  x: Picture,
  problem: FilterProblem,
  { values, parts }: ComposedFilter & { kind: "unsharp" },
  options: FilterCallOptions,
): Promise<Image | EngineValue> {
  const { out, output, gain = 1, offset = 0, ...rest } = options;
  for (const name of ["anchor", "strategy", "mask", "nan", "fill"] as const) {
    if (rest[name] === undefined) continue;
    const expected = "a linear filter, of which it is an option";
    throw new InvalidArgumentError({ parameter: name, expected, received: "unsharp with a threshold" });
  }
  const { channels } = x;
  const dtype = output === undefined ? x.dtype : checkOneOf("output", output, imageDTypes);
  const target = checkOut(out, x, problem, dtype);
  const alpha = rest.alpha !== undefined ? rest.alpha !== "none" : x.hasAlpha === true;
  const given = x.data instanceof EngineValue ? ((await x.data.read()) as Image["data"]) : x.data;
  const blur = await engine.filter(sourceOf(x), parts[0]!, { ...rest, output: "f32" });
  const data = aloneIn(target);
  const pixelAt = pixelsOf(problem);
  const { amount, threshold } = values;
  const put = rounding(dtype);
  await inSlices(data.length, rest.signal, (from, to) => {
    checkThere("data", given, x.width * x.height * channels);
    checkThere("out", data, to);
    for (let i = from; i < to; i++) {
      const isAlpha = alpha && i % channels === channels - 1;
      const own = problem.origin ? (given[pixelAt(i, channels)] ?? problem.window.borderValue) : given[i]!;
      const difference = own - blur.data[i]!;
      const value = isAlpha || Math.abs(difference) < threshold ? own : own + amount * difference;
      data[i] = put(isAlpha ? value : value * gain + offset);
    }
    return true;
  });
  await putWhole(target, data);
  return resultOf(target);
}

/** Which of the picture's elements an element of the result lies on, or which stands for it beyond the edges; −1: the constant. */
function pixelsOf(problem: FilterProblem): (i: number, channels: number) => number {
  const [height, width] = problem.x.shape as [number, number];
  const { border } = problem.window;
  const { x, y, width: w } = placeOf(problem);
  return (i, channels) => {
    const pixel = Math.floor(i / channels);
    const row = borderIndex(y + Math.floor(pixel / w), height, border);
    const column = borderIndex(x + (pixel % w), width, border);
    return row < 0 || column < 0 ? -1 : (row * width + column) * channels + (i % channels);
  };
}

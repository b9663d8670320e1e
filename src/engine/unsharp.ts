// Sharpening above a threshold: what differs from a blur by less stays as it is.
import { inSlices } from "../backend/slices.ts";
import { checkOneOf, InvalidArgumentError } from "../errors.ts";
import type { ComposedFilter } from "../factor/composed.ts";
import { finishValue } from "../kernels/taps/reference.ts";
import { type Image, imageDTypes, newArray } from "../tensor.ts";
import { checkOut } from "./calls.ts";
import { type FilterParts, sourceOf } from "./parts.ts";
import type { Picture } from "./pictures.ts";
import type { FilterCallOptions } from "./types.ts";
import { EngineValue } from "./values.ts";

const plain = { denominator: 1, gain: 1, offset: 0 };

/** gain · (x + amount · d) + offset where d = x − blur is not below the threshold in size, else gain · x + offset; alpha is kept. */
export async function unsharp(
  engine: FilterParts,
  x: Picture,
  { values, parts }: ComposedFilter & { kind: "unsharp" },
  options: FilterCallOptions,
): Promise<Image | EngineValue> {
  const { out, output, gain = 1, offset = 0, ...rest } = options;
  for (const name of ["anchor", "strategy", "mask", "nan", "fill"] as const) {
    if (rest[name] === undefined) continue;
    const expected = "a linear filter, of which it is an option";
    throw new InvalidArgumentError({ parameter: name, expected, received: "unsharp with a threshold" });
  }
  const { width, height, channels } = x;
  const dtype = output === undefined ? x.dtype : checkOneOf("output", output, imageDTypes);
  const target = checkOut(out, x, dtype);
  const alpha = rest.alpha !== undefined ? rest.alpha !== "none" : x.knownAlpha === true;
  const given = x.data instanceof EngineValue ? ((await x.data.read()) as Image["data"]) : x.data;
  const blur = await engine.filter(sourceOf(x), parts[0]!, { ...rest, output: "f32" });
  const data = target instanceof EngineValue ? newArray(dtype, given.length) : target;
  const { amount, threshold } = values;
  const finish = { denominator: 1, gain, offset };
  await inSlices(data.length, rest.signal, (from, to) => {
    for (let i = from; i < to; i++) {
      const isAlpha = alpha && i % channels === channels - 1;
      const difference = given[i]! - blur.data[i]!;
      const value = isAlpha || Math.abs(difference) < threshold ? given[i]! : given[i]! + amount * difference;
      data[i] = finishValue(value, isAlpha ? plain : finish, dtype);
    }
    return true;
  });
  if (!(target instanceof EngineValue)) return { width, height, channels, data };
  await target.write(data);
  return target;
}

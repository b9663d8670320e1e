// Where results go: an array or value of the result's own sides, or its place in one of the whole picture's.
import { describe, InvalidArgumentError } from "../errors.ts";
import { isInside, placeOf, type Region } from "../plan/extent.ts";
import type { FilterProblem } from "../plan/types.ts";
import {
  arrayIn,
  checkSidesIn,
  checkThere,
  type Image,
  type ImageArray,
  type ImageDType,
  imageDTypeOf,
  newArray,
} from "../tensor.ts";
import { checkApart } from "./calls.ts";
import type { Picture } from "./masks.ts";
import { describeValue, EngineValue } from "./values.ts";

/** What takes a result. */
export interface Target {
  data: ImageArray | EngineValue;
  /** Sides of what `data` holds. */
  width: number;
  height: number;
  channels: number;
  /** What the result says of its alpha. */
  says: Pick<Image, "hasAlpha" | "premultiplied">;
  /** Where in it the result goes. */
  part: Region;
  /** The result is computed in an array of its own and then put there: where the picture is, or a larger value. */
  apart: boolean;
}

const nothing = {};

/** Checks `out`, or makes the array that is returned. */
export function checkOut(
  out: unknown,
  x: Picture,
  problem: Pick<FilterProblem, "y" | "origin">,
  dtype: ImageDType,
): Target {
  const isWhole = !problem.origin && ArrayBuffer.isView(out) && imageDTypeOf(out) === dtype;
  return (isWhole && wholeTarget(out as ImageArray, x, problem.y.shape)) || anyTarget(out, x, problem, dtype);
}

/** An array that holds a result without a region; the same as any target, without what is made to find it. */
function wholeTarget(data: ImageArray, x: Picture, shape: readonly number[]): Target | undefined {
  const { channels, mask } = x;
  const height = shape[0]!;
  const width = shape[1]!;
  if (data.length !== width * height * channels) return undefined;
  if (mask && !(mask instanceof EngineValue)) checkApart(data, mask, "the mask");
  if (!(x.data instanceof EngineValue)) checkApart(data, x.data, "the image");
  return { data, width, height, channels, says: saidOf(x), part: { x: 0, y: 0, width, height }, apart: false };
}

const saidOf = ({ hasAlpha, premultiplied }: Picture): Target["says"] =>
  hasAlpha ? { hasAlpha: true, ...(premultiplied && { premultiplied: true }) } : nothing;

function anyTarget(out: unknown, x: Picture, problem: Pick<FilterProblem, "y" | "origin">, dtype: ImageDType): Target {
  const { channels } = x;
  const place = placeOf(problem);
  const says = saidOf(x);
  const alone = {
    width: place.width,
    height: place.height,
    channels,
    says,
    part: { x: 0, y: 0, width: place.width, height: place.height },
    apart: false,
  };
  // An ImageData's bytes become those of an ImageData.
  const isClamped = dtype === "u8" && x.data instanceof Uint8ClampedArray;
  const fresh = (length: number) => (isClamped ? new Uint8ClampedArray(length) : newArray(dtype, length));
  if (out === undefined) return { ...alone, data: fresh(lengthOf(alone)) };
  const { width, height } = x;
  const whole =
    problem.origin && isInside(place, x) ? { width, height, channels, says, part: place, apart: false } : undefined;
  if (out instanceof EngineValue) return valueTarget(out, x, dtype, alone, whole);
  const array = arrayIn(out) as ImageArray;
  const isSame = (sides: Sides | undefined): sides is Sides =>
    sides !== undefined && imageDTypeOf(array) === dtype && array.length === lengthOf(sides);
  const found = isSame(alone) ? alone : isSame(whole) ? whole : undefined;
  if (!found) {
    checkSidesIn("out", out, sidesOf(alone));
    throw refused(out, dtype, alone, whole);
  }
  checkSidesIn("out", out, sidesOf(found));
  if (x.mask && !(x.mask instanceof EngineValue)) checkApart(array, x.mask, "the mask");
  if (x.data instanceof EngineValue) return { ...found, data: array };
  if (whole && lengthOf(found) === lengthOf(whole) && isPlace(array, x.data))
    return { ...whole, data: array, apart: true };
  return { ...found, data: checkApart(array, x.data, "the image") };
}

type Sides = Omit<Target, "data">;

function valueTarget(out: EngineValue, x: Picture, dtype: ImageDType, alone: Sides, whole: Sides | undefined): Target {
  const isSame = (sides: Sides | undefined): sides is Sides =>
    sides !== undefined && out.dtype === dtype && out.shape.join() === sidesOf(sides).join();
  const found = isSame(alone) ? alone : isSame(whole) ? whole : undefined;
  if (!found) throw refused(out, dtype, alone, whole);
  if (out !== x.mask && isSame(whole) && (found === whole || out === x.data))
    return { ...whole, data: out, apart: true };
  if (out !== x.data && out !== x.mask) return { ...found, data: out };
  const [expected, received] = [`another value than the ${out === x.data ? "image" : "mask"}`, "the same"];
  throw new InvalidArgumentError({ parameter: "out", expected, received });
}

const lengthOf = ({ width, height, channels }: Sides): number => width * height * channels;
const sidesOf = ({ width, height, channels }: Sides): number[] => [height, width, channels];

/** Whether two arrays are the same elements of memory. */
const isPlace = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;

function refused(out: unknown, dtype: ImageDType, alone: Sides, whole: Sides | undefined): InvalidArgumentError {
  const larger = whole && lengthOf(whole) !== lengthOf(alone) ? `, or ${lengthOf(whole)} of the whole picture` : "";
  return new InvalidArgumentError({
    parameter: "out",
    expected: `${dtype} elements, ${lengthOf(alone)} of them${larger}`,
    received: out instanceof EngineValue ? describeValue(out) : describe(arrayIn(out)),
  });
}

/** What a call resolves to. */
export const resultOf = ({ data, width, height, channels, says }: Target): Image | EngineValue =>
  data instanceof EngineValue ? data : { width, height, channels, data, ...says };

/** Puts a result that was computed apart where it belongs; `write` is how values take a part. */
export async function putApart(
  { data, width, channels, part }: Target,
  result: ImageArray,
  write: (value: EngineValue, data: ImageArray, part: Region) => Promise<void>,
): Promise<void> {
  if (data instanceof EngineValue) return write(data, result, part);
  const row = part.width * channels;
  checkThere("out", data, width * (part.y + part.height - 1) * channels + (part.x + part.width) * channels);
  for (let y = 0; y < part.height; y++)
    data.set(result.subarray(y * row, (y + 1) * row), ((part.y + y) * width + part.x) * channels);
}

/** The array that takes a result alone: the target's where it holds nothing else. */
export function aloneIn({ data, part, width, height, channels, apart }: Target): ImageArray {
  const { width: w, height: h } = part;
  if (!apart && !(data instanceof EngineValue) && w === width && h === height) return data;
  const dtype = data instanceof EngineValue ? (data.dtype as ImageDType) : imageDTypeOf(data)!;
  return newArray(dtype, w * h * channels);
}

/** Puts a result to its place, unless it stands there. */
export async function putWhole(target: Target, result: ImageArray): Promise<void> {
  if (result !== target.data) await putApart(target, result, (value, data, part) => value.writePart(data, part));
}

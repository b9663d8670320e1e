// Masks: how well each pixel of a picture is known, as a filter's weights. The forms in which they may be given, and their checks.
import type { MaskArray, Program } from "../backend/backend.ts";
import { type Abortable, inSlices } from "../backend/slices.ts";
import { describe, InvalidArgumentError } from "../errors.ts";
import type { CheckedImage } from "../tensor/image.ts";
import { arrayHint, arrayIn, checkSidesIn, type Image, type ImageArray, type Tensor } from "../tensor.ts";
import { type PictureValue, plainView } from "./calls.ts";
import { describeValue, EngineValue } from "./values.ts";

/** A picture as filters take it: the caller's, or a value of three sides in the engine; and its mask. */
export type Picture = (CheckedImage | PictureValue) & {
  readonly masked?: boolean;
  readonly mask?: MaskArray | EngineValue;
};

/** A weight for each pixel: a typed array, or an Image of one channel or a Tensor [height, width] that holds one. */
export type MaskLike = Uint8Array | Uint8ClampedArray | Uint16Array | Float32Array | Image | Tensor;

const expected = "a Float32Array of weights from 0 to 1, a Uint8Array or Uint16Array";

/** The weights of a picture's pixels, as an array or a value in the engine. */
export function checkMask(mask: unknown, picture: { width: number; height: number }): MaskArray | EngineValue {
  const { width, height } = picture;
  const refuse = (parameter: string, expected: string, received: string, hint?: string): never => {
    throw new InvalidArgumentError({ parameter, expected, received, hint });
  };
  const sides = `${width} x ${height} = ${width * height} weights, one for each pixel`;
  if (mask instanceof EngineValue) {
    const { shape, dtype } = mask;
    const fits = /^\d+,\d+(,1)?$/.test(shape.join()) && shape[0] === height && shape[1] === width;
    if (fits && ["u8", "u16", "f32"].includes(dtype)) return mask;
    return refuse("mask", `a value of [${height}, ${width}] in u8, u16 or f32`, describeValue(mask));
  }
  const { dtype, info } = (typeof mask === "object" && mask !== null ? mask : {}) as Record<string, unknown>;
  if (!ArrayBuffer.isView(mask) && dtype !== undefined && !["u8", "bool", "u16", "f32"].includes(dtype as string))
    refuse("mask.dtype", "u8, bool, u16 or f32", describe(dtype));
  checkSides(typeof info === "object" && info !== null ? { ...info, data: undefined } : mask, height, width);
  const data = arrayIn(mask);
  const known = data instanceof Uint8Array || data instanceof Uint8ClampedArray || data instanceof Uint16Array;
  if (!known && !(data instanceof Float32Array))
    return refuse("mask", expected, describe(data), arrayHint(data, "Float32Array"));
  if (data.length !== width * height) refuse("mask", sides, `${data.length}`);
  return plainView(data as ImageArray) as MaskArray;
}

/** One channel: [height, width], or [height, width, 1]. */
function checkSides(mask: unknown, height: number, width: number): void {
  const { shape, dims } = (typeof mask === "object" && mask !== null ? mask : {}) as Record<string, unknown>;
  const sides = shape ?? dims;
  const trailing = Array.isArray(sides) && sides.length > 2 && sides.at(-1) === 1 && sides.at(-2) === width;
  checkSidesIn("mask", mask, trailing || sides === undefined ? [height, width, 1] : [height, width]);
}

/**
 * A picture's weights: those of a value are read. They are looked at before the program runs, lest `out` be written in vain.
 *
 * @throws InvalidArgumentError for floats that are not from 0 to 1; the signal's reason where it fires.
 */
export async function weightsOf(
  { mask: given }: { mask?: MaskArray | EngineValue },
  program: Pick<Program, "areWeights">,
  signal: Abortable | undefined,
): Promise<MaskArray | undefined> {
  const mask = given instanceof EngineValue ? ((await given.inner.read()) as MaskArray) : given;
  if (!(mask instanceof Float32Array)) return mask;
  let wrong = -1;
  await inSlices(mask.length, signal, (from, to) => {
    if (program.areWeights?.(mask, from, to)) return true;
    for (let i = from; i < to && wrong < 0; i++) if (!(mask[i]! >= 0 && mask[i]! <= 1)) wrong = i;
    return wrong < 0;
  });
  if (wrong < 0) return mask;
  const received = `${mask[wrong]} at ${wrong}`;
  throw new InvalidArgumentError({ parameter: "mask", expected: "weights from 0 to 1", received });
}

// From two derivatives to magnitude and angle, in slices on the caller's thread.
import { finishValue } from "../kernels/taps/reference.ts";
import type { Finish } from "../plan/types.ts";
import type { ImageArray, ImageDType } from "../tensor.ts";
import { inSlices } from "../backend/slices.ts";

function eachElement(count: number, signal: AbortSignal | undefined, put: (i: number) => void): Promise<boolean> {
  return inSlices(count, signal, (from, to) => {
    for (let i = from; i < to; i++) put(i);
    return true;
  });
}

/** gain · √(gx² + gy²) + offset, rounded and saturated; an alpha channel (the last) is taken from gx as it is. */
export async function magnitudeOf(
  { gx, gy, channels, alpha }: { gx: ImageArray; gy: ImageArray; channels: number; alpha: boolean },
  finish: Finish,
  dtype: ImageDType,
  out: ImageArray,
  signal?: AbortSignal,
): Promise<void> {
  const keep: Finish = { denominator: 1, gain: 1, offset: 0 };
  await eachElement(out.length, signal, (i) => {
    const isAlpha = alpha && i % channels === channels - 1;
    const value = isAlpha ? gx[i]! : Math.sqrt(gx[i]! * gx[i]! + gy[i]! * gy[i]!);
    out[i] = finishValue(value, isAlpha ? keep : finish, dtype);
  });
}

/** atan2(gy, gx) in radians, from −π to π: 0 where the picture grows brighter to the right. */
export async function angleOf(gx: ImageArray, gy: ImageArray, out: Float32Array, signal?: AbortSignal): Promise<void> {
  await eachElement(out.length, signal, (i) => {
    out[i] = Math.atan2(gy[i]!, gx[i]!);
  });
}

// Pictures without alpha, and in grey: what edges are found in.
import { inSlices } from "../backend/slices.ts";
import { greyOf, type Image, imageDTypeOf, isFloat, newArray } from "../tensor.ts";
import type { FilterCallOptions } from "./types.ts";

/**
 * The picture in one channel, or in its colours: without its last channel where that is alpha, and then laid on white by it.
 * (`full` means opaque). Integers are rounded.
 */
export async function flatten(
  { width, height, channels, data, premultiplied }: Image,
  wanted: number,
  alpha: false | { full: number },
  signal: FilterCallOptions["signal"],
): Promise<Image> {
  const dtype = imageDTypeOf(data)!;
  const out = newArray(dtype, width * height * wanted);
  const full = alpha ? alpha.full : 1;
  const rounds = !isFloat(dtype);
  const grey = wanted === 1 && channels > 2;
  await inSlices(width * height, signal, (from, to) => {
    for (let pixel = from, at = from * channels, into = from * wanted; pixel < to; pixel++, at += channels) {
      for (let c = 0; c < wanted; c++) {
        const value = grey ? greyOf(data, at) : data[at + c]!;
        const weight = alpha ? data[at + channels - 1]! / full : 1;
        const laid =
          weight === 1 ? value : premultiplied ? value + full * (1 - weight) : full + weight * (value - full);
        out[into++] = rounds ? Math.round(laid) : laid;
      }
    }
    return true;
  });
  return { width, height, channels: wanted, data: out };
}

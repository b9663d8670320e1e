// Whether alpha matters: where no pixel is translucent, it can be ignored and kept.
import { opaque } from "../backend/alpha.ts";
import { type Abortable, inSlices } from "../backend/slices.ts";
import type { CheckedImage } from "../tensor.ts";

/** True where no pixel is translucent. */
export function isOpaque({ data, dtype, channels, width, height }: CheckedImage, signal: Abortable): Promise<boolean> {
  const full = opaque(dtype);
  return inSlices(width * height, signal, (from, to) => {
    for (let pixel = from; pixel < to; pixel++) if (data[(pixel + 1) * channels - 1] !== full) return false;
    return true;
  });
}

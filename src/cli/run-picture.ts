// A model's result as a picture: which axes are which, and what its numbers mean.
import type { Tensor } from "../index.ts";
import type { Picture } from "../node/pictures.ts";

interface Layout {
  width: number;
  height: number;
  channels: number;
  /** Elements from one pixel to the next, and from one channel to the next. */
  pixelStep: number;
  channelStep: number;
}

/** Fewer pixels a side are a table of numbers. */
const leastSide = 8;

/** How a result is a picture, channels first or last; nothing where it is none. */
export function pictureLayout({ shape }: Tensor): Layout | undefined {
  const sides = shape.slice(shape.length === 4 && shape[0] === 1 ? 1 : 0);
  if (sides.length !== 3) return undefined;
  const [first, middle, last] = sides as [number, number, number];
  const fits = (channels: number, height: number, width: number): boolean =>
    [1, 3, 4].includes(channels) && Math.min(height, width) >= leastSide;
  if (fits(first, middle, last)) {
    return { channels: first, height: middle, width: last, pixelStep: 1, channelStep: middle * last };
  }
  if (!fits(last, first, middle)) return undefined;
  return { channels: last, height: first, width: middle, pixelStep: last, channelStep: 1 };
}

/** The largest value of pictures of 0 to 1 that overshoot; others are of 0 to 255. */
const overshoot = 8;

/** An 8-bit picture of a result for which {@link pictureLayout} has found how: rounded and saturated. */
export function pictureOf(tensor: Tensor, { width, height, channels, pixelStep, channelStep }: Layout): Picture {
  const values = Array.from(tensor.data as Iterable<number | bigint>, Number);
  const most = values.reduce((a, b) => Math.max(a, b || 0), 0);
  const scale = most > overshoot ? 1 : 255;
  const data = new Uint8Array(width * height * channels);
  for (let pixel = 0, to = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < channels; c++, to++) {
      const value = Math.round(scale * values[pixel * pixelStep + c * channelStep]!);
      data[to] = value > 0 ? Math.min(value, 255) : 0; // NaN becomes 0
    }
  }
  return { width, height, channels, data, alpha: channels === 4 };
}

// The picture that is filtered: slopes, waves, hard edges and noise, the same on every machine.
import { generator } from "../random.ts";

export type Pixels = Uint8Array | Int16Array;

export interface Picture {
  width: number;
  height: number;
  channels: number;
  data: Uint8Array;
}

export function makePicture(width: number, height: number, channels: number): Picture {
  const data = new Uint8Array(width * height * channels);
  const random = generator(1);
  const noise = Uint8Array.from({ length: 65_521 }, () => 48 * random());
  const waves = Float64Array.from({ length: width }, (_, x) => Math.sin(x / 29));
  let at = 0;
  for (let y = 0; y < height; y++) {
    const wave = 36 * Math.cos(y / 41);
    for (let x = 0; x < width; x++) {
      const block = ((x >> 6) + (y >> 5)) % 3 === 0 ? 70 : 0;
      const value = 52 + wave * waves[x]! + block + (48 * x) / width;
      for (let c = 0; c < channels; c++, at++) data[at] = value + noise[at % noise.length]! * (1 - 0.3 * c);
    }
  }
  return { width, height, channels, data };
}

/** The first rows of a picture: a view of its memory. */
export function topOf(picture: Picture, rows: number): Picture {
  const { width, channels, data } = picture;
  return { width, height: rows, channels, data: data.subarray(0, width * rows * channels) };
}

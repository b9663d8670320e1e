// Weights of pixels from files.
import { InvalidArgumentError } from "../errors.ts";
import type { Image } from "../index.ts";
import { plural } from "../words.ts";
import { toGrey } from "./convert.ts";
import { readPicture } from "./pictures.ts";

/** The grey of a picture, or an array of [height, width], as weights. `name` is what messages call it. */
export async function readMask(
  name: string,
  bytes: () => Promise<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Image> {
  const { width, height, data, channels } = toGrey(await readPicture(await bytes(), { name, signal }));
  const isWeights = data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Float32Array;
  if (channels === 1) return { width, height, channels, data: isWeights ? data : Float32Array.from(data) };
  const expected = `a picture without alpha or an array of [height, width], zero where nothing is known`;
  throw new InvalidArgumentError({
    parameter: "mask",
    expected,
    received: `${plural(channels, "channel")} in ${name}`,
  });
}

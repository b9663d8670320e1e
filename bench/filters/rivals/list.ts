// Everyone who takes part. A rival that is not installed or cannot start is left out, with a line that says so.
import { imageJs } from "./image-js.ts";
import { jimp } from "./jimp.ts";
import { native } from "./native.ts";
import { opencvJs } from "./opencv-js.ts";
import { rank1 } from "./rank1.ts";
import type { Rival } from "./rival.ts";
import { sharpRival } from "./sharp.ts";
import { wasmVips } from "./wasm-vips.ts";

export async function startRivals(say: (line: string) => void): Promise<Rival[]> {
  const rivals = [await rank1({ wide: false })];
  const rank1Wide = (): Promise<Rival> => rank1({ wide: true });
  const starts = { rank1Wide, native, sharpRival, wasmVips, opencvJs, imageJs, jimp };
  for (const [name, start] of Object.entries(starts)) {
    try {
      rivals.push(...[await start()].flat());
    } catch (error) {
      say(`${name} does not take part: ${error instanceof Error ? error.message : error}`);
    }
  }
  return rivals;
}

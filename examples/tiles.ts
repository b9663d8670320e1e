// Doubles a photograph with waifu2x: what upscale.ts and compare.ts share. The network takes pictures of one size, and leaves out
// their edges; rank1 finds out by how much, and runs it on overlapping tiles.
import { type Model, runImage } from "rank1/onnx";
import sharp from "sharp";

export interface Picture {
  width: number;
  height: number;
  channels: number;
  /** Red, green and blue of each pixel. */
  data: Uint8Array;
}

export async function readPhoto(path: string): Promise<Picture> {
  const raw = sharp(path).removeAlpha().toColourspace("srgb").raw();
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels, data };
}

export async function writePicture({ width, height, data }: Picture, path: string): Promise<void> {
  await sharp(data, { raw: { width, height, channels: 3 } }).toFile(path);
}

export const double = (network: Model, picture: Picture): Promise<Picture> => runImage(network, picture);

// Doubles a photograph with waifu2x, tile by tile: what upscale.ts and compare.ts share.
import type { Model } from "rank1/onnx";
import sharp from "sharp";

export interface Picture {
  width: number;
  height: number;
  /** Red, green and blue of each pixel. */
  data: Uint8Array;
}

const edge = 7; // pixels at each side of a tile that the network sees but does not double

export async function readPhoto(path: string): Promise<Picture> {
  const raw = sharp(path).removeAlpha().toColourspace("srgb").raw();
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

export async function writePicture({ width, height, data }: Picture, path: string): Promise<void> {
  await sharp(data, { raw: { width, height, channels: 3 } }).toFile(path);
}

export async function double(network: Model, { width, height, data }: Picture): Promise<Picture> {
  const input = network.graph.inputs[0]!;
  const side = input.shape![2] as number; // of a tile, its edge included
  const inner = side - 2 * edge;
  const doubled = new Uint8Array(4 * width * height * 3);
  const clamp = (i: number, length: number): number => Math.min(length - 1, Math.max(0, i));
  for (let top = 0; top < height; top += inner) {
    for (let left = 0; left < width; left += inner) {
      // Beyond the photograph its edge goes on.
      const tile = new Float32Array(3 * side * side);
      for (let c = 0, to = 0; c < 3; c++)
        for (let y = 0; y < side; y++)
          for (let x = 0; x < side; x++) {
            const from = clamp(top + y - edge, height) * width + clamp(left + x - edge, width);
            tile[to++] = data[from * 3 + c]! / 255;
          }
      const [result] = Object.values(await network.run({ [input.name]: { shape: [1, 3, side, side], data: tile } }));
      const rows = Math.min(2 * inner, 2 * (height - top));
      const columns = Math.min(2 * inner, 2 * (width - left));
      for (let c = 0; c < 3; c++)
        for (let y = 0; y < rows; y++)
          for (let x = 0; x < columns; x++) {
            const value = Number(result!.data[(c * 2 * inner + y) * 2 * inner + x]);
            const to = (2 * top + y) * 2 * width + 2 * left + x;
            doubled[to * 3 + c] = Math.round(255 * Math.min(1, Math.max(0, value)));
          }
    }
  }
  return { width: 2 * width, height: 2 * height, data: doubled };
}

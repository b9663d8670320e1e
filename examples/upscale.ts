// Doubles a photograph with waifu2x, tile by tile: `node examples/upscale.ts waifu2x-scale2.onnx photo.jpg doubled.png`
import sharp from "sharp";
import { createEngine } from "../src/index.ts";
import { loadModel } from "../src/onnx/index.ts";

const [model, photo, output] = process.argv.slice(2) as [string, string, string];
const engine = await createEngine({ wide: true });
const network = await loadModel(model, { engine });
const input = network.graph.inputs[0]!;
const side = input.shape![2] as number; // of a tile, its edge included
const edge = 7; // pixels at each side of a tile that the network sees but does not double
const inner = side - 2 * edge;

const { data, info } = await sharp(photo)
  .removeAlpha()
  .toColourspace("srgb")
  .raw()
  .toBuffer({ resolveWithObject: true });
const { width, height } = info;
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
network.dispose();
engine.dispose();
await sharp(doubled, { raw: { width: 2 * width, height: 2 * height, channels: 3 } }).toFile(output);
console.log(`${width} x ${height} -> ${2 * width} x ${2 * height}`);

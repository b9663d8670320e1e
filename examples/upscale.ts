// Doubles a photograph with waifu2x, tile by tile: `node examples/upscale.ts waifu2x-scale2.onnx photo.jpg doubled.png`
import { createEngine } from "rank1";
import { loadModel } from "rank1/onnx";
import { double, readPhoto, writePicture } from "./tiles.ts";

const [model, photo, output] = process.argv.slice(2) as [string, string, string];
if (!output) {
  console.error("usage: node examples/upscale.ts waifu2x-scale2.onnx photo.jpg doubled.png");
  process.exit(2);
}
const engine = await createEngine({ wide: true });
const network = await loadModel(model, { engine });
const [before, start] = [await readPhoto(photo), performance.now()];
const after = await double(network, before);
const seconds = (performance.now() - start) / 1000;
network.dispose();
engine.dispose();
await writePicture(after, output);
console.log(`${before.width} x ${before.height} -> ${after.width} x ${after.height} in ${seconds.toFixed(2)} s`);

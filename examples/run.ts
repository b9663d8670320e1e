// Runs any model that takes one picture: prints its results, the best classes where one ranks them, and writes those that are
// pictures. `node examples/run.ts model.onnx photo.jpg results/`; the model may be an address, too.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { imageToTensor, loadModel, tensorToImage } from "rank1/onnx";
import sharp from "sharp";

const [source, photo, folder = "results"] = process.argv.slice(2) as [string, string, string?];
if (!photo) {
  console.error("usage: node examples/run.ts model.onnx photo.jpg results/");
  process.exit(2);
}
const model = await loadModel(source); // a path or an address; or bytes, a Response, a File
const [input] = model.inputs;
if (!input || model.inputs.length > 1) throw new Error(`one input is expected, got ${model.inputs.length}`);

// Size, order of axes and type are those that the model declares; mean, std and range are what it was trained with.
const picture = await sharp(photo)
  .rotate()
  .removeAlpha()
  .toColourspace("srgb")
  .raw()
  .toBuffer({ resolveWithObject: true });
const results = await model.run({ [input.name]: imageToTensor(picture, { input }) });
model.dispose();

for (const [name, tensor] of Object.entries(results)) {
  console.log(`${name} [${tensor.shape.join(", ")}]`);
  const sides = tensor.shape.filter((side) => side > 1);
  if (sides.length === 1) {
    const scores = Array.from(tensor.data as Iterable<number | bigint>, Number);
    const best = scores.map((score, index) => ({ score, index })).sort((a, b) => b.score - a.score);
    for (const { score, index } of best.slice(0, 3)) console.log(`  ${index}: ${score.toFixed(3)}`);
  } else if (tensor.shape.length === 4 && [1, 3].includes(tensor.shape[1]!)) {
    const { data, width, height, channels } = tensorToImage(tensor); // of values from 0 to 1; `range` says others
    const file = join(folder, `${name.replace(/\W/g, "_")}.png`);
    await mkdir(folder, { recursive: true });
    await sharp(data, { raw: { width, height, channels: channels as 1 | 3 } }).toFile(file);
    console.log(`  -> ${file}`);
  }
}

// Doubles a photograph with waifu2x as it is and as `rank1 separate` made it, and writes both pictures and their difference:
// `node examples/compare.ts waifu2x-scale2.onnx separated.onnx photo.png`. Of a photograph whose true double is known, give
// that as the fourth: what both lose against it is printed.
import { createEngine } from "rank1";
import { loadModel } from "rank1/onnx";
import { double, type Picture, readPhoto, writePicture } from "./tiles.ts";

const [original, separated, photo, truth] = process.argv.slice(2) as [string, string, string, string?];
if (!photo) {
  console.error("usage: node examples/compare.ts waifu2x-scale2.onnx separated.onnx photo.png");
  process.exit(2);
}
const engine = await createEngine({ wide: true });
const before = await readPhoto(photo);
const name = (kind: string): string => photo.replace(/\.\w+$/, `-${kind}.png`);

async function doubled(model: string, kind: string): Promise<Picture> {
  const network = await loadModel(model, { engine });
  await double(network, { ...before, width: 1, height: 1, data: before.data.subarray(0, 3) }); // compiles
  const start = performance.now();
  const picture = await double(network, before);
  console.log(`${kind}: ${((performance.now() - start) / 1000).toFixed(2)} s`);
  network.dispose();
  await writePicture(picture, name(kind));
  return picture;
}

/** Decibels of the peak signal over the noise. */
function psnr({ data: a }: Picture, { data: b }: Picture): string {
  const squares = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
  return `${(10 * Math.log10((255 ** 2 * a.length) / squares)).toFixed(2)} dB`;
}

const pictures = [await doubled(original, "original"), await doubled(separated, "separated")] as const;
engine.dispose();
const [one, other] = pictures;
const difference = other.data.map((value, i) => Math.min(255, Math.max(0, 128 + 8 * (value - one.data[i]!))));
await writePicture({ ...one, data: difference }, name("difference"));
console.log(`they agree to ${psnr(one, other)}; the difference is shown 8 times as large`);
if (truth) {
  const whole = await readPhoto(truth);
  const lost = pictures.map((picture) => psnr(whole, picture));
  console.log(`against the truth: ${lost.join(" and ")}`);
}

// Finds the faces of a photograph with UltraFace and draws them: `node examples/faces.ts ultraface-rfb-320.onnx group.jpg faces.png`
import { createEngine } from "rank1";
import { imageToTensor, loadModel } from "rank1/onnx";
import sharp from "sharp";

interface Box {
  score: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const [model, photo, output] = process.argv.slice(2) as [string, string, string];
if (!output) {
  console.error("usage: node examples/faces.ts ultraface-rfb-320.onnx group.jpg faces.png");
  process.exit(2);
}
const { data, info } = await sharp(photo)
  .rotate()
  .removeAlpha()
  .toColourspace("srgb")
  .raw()
  .toBuffer({ resolveWithObject: true });
const picture = { data, width: info.width, height: info.height, channels: 3 };

const engine = await createEngine({ wide: true });
const network = await loadModel(model, { engine });
const [height, width] = network.graph.inputs[0]!.shape!.slice(2) as [number, number];
const input = imageToTensor(picture, { size: { width, height }, mean: 127 / 255, std: 128 / 255 });
const { scores, boxes } = await network.run({ input });
network.dispose();
engine.dispose();

/** Each box stands beside one of these: squares of some sides at every cell of four grids. */
const priors = [
  { step: 8, sides: [10, 16, 24] },
  { step: 16, sides: [32, 48] },
  { step: 32, sides: [64, 96] },
  { step: 64, sides: [128, 192, 256] },
].flatMap(({ step, sides }) =>
  Array.from({ length: Math.ceil(height / step) * Math.ceil(width / step) }, (_, cell) => {
    const columns = Math.ceil(width / step);
    return sides.map((side) => ({
      x: ((cell % columns) + 0.5) * step,
      y: (Math.floor(cell / columns) + 0.5) * step,
      side,
    }));
  }).flat(),
);

const found = priors.map(({ x, y, side }, i): Box => {
  const [dx, dy, dw, dh] = Array.from(boxes!.data.subarray(4 * i, 4 * i + 4), Number) as [
    number,
    number,
    number,
    number,
  ];
  const [middleX, middleY] = [x + 0.1 * dx * side, y + 0.1 * dy * side];
  const [w, h] = [side * Math.exp(0.2 * dw), side * Math.exp(0.2 * dh)];
  return {
    score: Number(scores!.data[2 * i + 1]),
    left: (middleX - w / 2) / width,
    right: (middleX + w / 2) / width,
    top: (middleY - h / 2) / height,
    bottom: (middleY + h / 2) / height,
  };
});

/** How much two boxes have in common, as a share of what both cover. */
function overlap(a: Box, b: Box): number {
  const area = ({ left, right, top, bottom }: Box): number => (right - left) * (bottom - top);
  const shared =
    Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
    Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  return shared / (area(a) + area(b) - shared);
}

// Of boxes that overlap, the one of the highest score stands for all.
const faces: Box[] = [];
for (const box of found.filter(({ score }) => score > 0.7).toSorted((a, b) => b.score - a.score))
  if (faces.every((face) => overlap(face, box) < 0.3)) faces.push(box);

const stroke = Math.max(2, Math.round(picture.width / 300));
const rectangles = faces.map(({ left, top, right, bottom }) => {
  const [x, y, w, h] = [
    left * picture.width,
    top * picture.height,
    (right - left) * picture.width,
    (bottom - top) * picture.height,
  ];
  return `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="none" stroke="#ff5a1f" stroke-width="${stroke}"/>`;
});
const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="${picture.width}" height="${picture.height}">${rectangles.join("")}</svg>`;
await sharp(data, { raw: { ...picture, channels: 3 } })
  .composite([{ input: Buffer.from(drawing) }])
  .toFile(output);
console.log(`${faces.length} faces`);

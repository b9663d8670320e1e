// @ts-nocheck Its imports are written by the command below.
// A Worker that finds faces in a PNG of 320 x 240 pixels that is posted to it, with UltraFace:
//   npx rank1 compile ultraface-slim-320.onnx --name ultraface -o .
//   npx wrangler dev faces-worker.js
import { decode } from "fast-png";
import { load } from "./ultraface.worker.js";

const [width, height] = [320, 240];
let find;

export default {
  async fetch(request) {
    if (request.method !== "POST") return new Response("post a PNG of 320 x 240 pixels\n", { status: 405 });
    let picture;
    try {
      picture = decode(await request.arrayBuffer());
    } catch {
      return new Response("that is no PNG\n", { status: 400 });
    }
    if (picture.width !== width || picture.height !== height || picture.depth !== 8 || picture.channels < 3)
      return new Response(`expected colours of 8 bits and ${width} x ${height} pixels\n`, { status: 400 });
    find ??= await load();
    const { scores, boxes } = find({ input: planesOf(picture) });
    return Response.json(facesIn(scores.data, boxes.data));
  },
};

/** Red, green and blue as planes, about from -1 to 1. */
function planesOf({ data, channels }) {
  const input = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < width * height; i++) input[c * width * height + i] = (data[i * channels + c] - 127) / 128;
  return input;
}

/** Each box stands beside one of these: squares of some sides at every cell of four grids. */
const priors = [
  [8, 10, 16, 24],
  [16, 32, 48],
  [32, 64, 96],
  [64, 128, 192, 256],
].flatMap(([step, ...sides]) => {
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  return Array.from({ length: columns * rows }, (_, cell) =>
    sides.map((side) => ({ x: ((cell % columns) + 0.5) * step, y: (Math.floor(cell / columns) + 0.5) * step, side })),
  ).flat();
});

function facesIn(scores, boxes) {
  const found = priors.map(({ x, y, side }, i) => {
    const [dx, dy, dw, dh] = boxes.subarray(4 * i, 4 * i + 4);
    const [w, h] = [side * Math.exp(0.2 * dw), side * Math.exp(0.2 * dh)];
    return {
      score: scores[2 * i + 1],
      left: x + 0.1 * dx * side - w / 2,
      top: y + 0.1 * dy * side - h / 2,
      width: w,
      height: h,
    };
  });
  const kept = [];
  for (const one of found.filter(({ score }) => score > 0.7).sort((a, b) => b.score - a.score))
    if (!kept.some((other) => overlap(one, other) > 0.3)) kept.push(one);
  return kept;
}

/** What two boxes share, of what they cover together. */
function overlap(a, b) {
  const shared = (start, size) =>
    Math.max(0, Math.min(a[start] + a[size], b[start] + b[size]) - Math.max(a[start], b[start]));
  const both = shared("left", "width") * shared("top", "height");
  return both / (a.width * a.height + b.width * b.height - both);
}

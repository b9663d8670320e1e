// Evaluates the original and the separated model on drawn pictures that nothing was fitted to: how many shapes each names
// right.
import type { Image } from "rank1";
import type { Model } from "rank1/onnx";
import { drawShape } from "../../../demo/drawing/shapes/draw.ts";
import { shapeNames } from "../../../demo/drawing/shapes/outlines.ts";
import type { Inputs } from "./calibration.ts";
import { inputsOf, yieldToEventLoop } from "./models.ts";
import type { Evaluation, Pixels, Scaling } from "./protocol.ts";

const [evaluated, shown] = [300, 8];
/** Pictures between two turns of the event loop. */
const atOnce = 20;

export async function evaluate(
  before: Model,
  after: Model,
  scaling: Scaling,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<Evaluation> {
  const tally = { before: 0, after: 0, same: 0 };
  const changed: Evaluation["examples"] = [];
  const kept: Evaluation["examples"] = [];
  for (let i = 0; i < evaluated; i++) {
    const is = shapeNames[i % shapeNames.length]!;
    const picture = drawShape(is, Math.floor(i / shapeNames.length));
    const inputs = inputsOf(picture, scaling);
    const example = {
      ...{ picture: pixelsOf(picture), is },
      ...{ before: await nameBy(before, inputs, signal), after: await nameBy(after, inputs, signal) },
    };
    const same = example.before === example.after;
    tally.before += Number(example.before === is);
    tally.after += Number(example.after === is);
    tally.same += Number(same);
    (same ? kept : changed).push(example);
    if (i % atOnce !== 0) continue;
    progress(i / evaluated);
    await yieldToEventLoop(signal);
  }
  return { pictures: evaluated, ...tally, examples: [...changed, ...kept].slice(0, shown) };
}

async function nameBy(model: Model, inputs: Inputs, signal: AbortSignal): Promise<string> {
  const [scores] = Object.values(await model.run(inputs, { signal }));
  const list = Array.from(scores!.data as Float32Array);
  return shapeNames[list.indexOf(Math.max(...list))]!;
}

/** As the page shows it. */
function pixelsOf({ width, height, data }: Image): Pixels {
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) rgba.set((data as Uint8Array).subarray(3 * i, 3 * i + 3), 4 * i);
  return { width, height, data: rgba.buffer };
}

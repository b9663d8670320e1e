// The worker's part for separating the model that is open: pictures become inputs, and the new model is kept to be run.
import type { Image, Tensor } from "rank1";
import { type Model, saveModel, separateModel } from "rank1/onnx";
import { current, inputsOf, pictureInput } from "./models.ts";
import type { Context, Scaling, SeparateCall, Separation } from "./protocol.ts";

type Inputs = Record<string, Tensor>;

/** Pictures that are drawn: those fitted to, and those that judge, of another series. */
const [fitted, judged] = [160, 300];
/** Pieces of a larger picture. */
const piecesEach = 4;

const shapes = () => import("../../../src/drawing/shapes/draw.ts");

export async function separate(
  { pictures, pieces, scaling, goal }: SeparateCall,
  { signal, progress }: Context,
): Promise<Separation> {
  const opened = current();
  const skipped: string[] = [];
  progress(0, "reading the pictures");
  const calibration =
    pictures === "drawn"
      ? (await shapes()).drawShapes(fitted, 3).map(({ picture }) => inputsOf(picture, scaling))
      : await inputsFrom(pictures, pieces, scaling, skipped, signal);
  if (pictures.length > 0 && calibration.length === 0) throw new Error("none of the files is a picture");
  const { model, report } = await separateModel(opened.model, {
    ...goal,
    calibration: calibration.length > 0 ? calibration : undefined,
    signal,
    onProgress: progress,
  });
  opened.separated?.dispose();
  opened.separated = model;
  const right = pictures === "drawn" ? await rightOf(opened.model, model, scaling, signal) : undefined;
  return { report, file: new Uint8Array(saveModel(model)), skipped, right };
}

async function inputsFrom(
  files: readonly File[],
  pieces: boolean,
  scaling: Scaling,
  skipped: string[],
  signal: AbortSignal,
): Promise<Inputs[]> {
  const size = pictureInput(current().shapes);
  const all: Inputs[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    const bitmap = await createImageBitmap(file).catch(() => undefined);
    if (!bitmap) skipped.push(file.name);
    else
      for (const picture of pieces ? piecesOf(bitmap, size) : [pixelsOf(bitmap)]) all.push(inputsOf(picture, scaling));
    bitmap?.close();
  }
  return all;
}

/** Pieces of the wanted size, spread evenly; smaller pictures stay whole. */
function piecesOf(bitmap: ImageBitmap, { width, height }: { width: number; height: number }): Image[] {
  const [right, down] = [bitmap.width - width, bitmap.height - height];
  if (right < 0 || down < 0) return [pixelsOf(bitmap)];
  // Multiples of the plastic number's powers spread evenly over the square (Roberts 2018).
  const at = (i: number, step: number, most: number): number => Math.floor((((i + 1) * step) % 1) * (most + 1));
  return Array.from({ length: piecesEach }, (_, i) =>
    pixelsOf(bitmap, at(i, 0.7548776662466927, right), at(i, 0.5698402909980532, down), width, height),
  );
}

function pixelsOf(bitmap: ImageBitmap, left = 0, top = 0, width = bitmap.width, height = bitmap.height): Image {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, -left, -top);
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, channels: 4, data: new Uint8Array(data.buffer) };
}

async function rightOf(
  before: Model,
  after: Model,
  scaling: Scaling,
  signal: AbortSignal,
): Promise<Separation["right"]> {
  const right = { before: 0, after: 0, of: judged };
  for (const { label, picture } of (await shapes()).drawShapes(judged, 2)) {
    const inputs = inputsOf(picture, scaling);
    for (const [name, model] of [
      ["before", before],
      ["after", after],
    ] as const) {
      const [scores] = Object.values(await model.run(inputs, { signal }));
      const list = Array.from(scores!.data as Float32Array);
      if (list.indexOf(Math.max(...list)) === label) right[name]++;
    }
  }
  return right;
}

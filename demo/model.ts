// The demo's model: the bundled network that tells shapes apart, before and after its convolutions become separable.
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { count, milliseconds, number, type Progress, quantity, styled } from "../src/cli/text.ts";
import type { Engine, Image, Tensor } from "../src/index.ts";
import { writeAtomic } from "../src/node/files.ts";
import { exampleModel } from "../src/node/package.ts";
import type { Model, Report } from "../src/onnx/index.ts";
import { drawShapes } from "./drawing/shapes/draw.ts";

/** Pictures that the fits are made for, those that evaluate them, and by how much multiplications are divided. */
const [calibrated, evaluated, reduction] = [120, 500, 2.5];

/** Files that the demo writes. */
export const modelFiles = { before: "shapes.onnx", after: "shapes-separated.onnx" };

export interface ModelExample {
  report: Report;
  pictures: number;
  /** Shares of right answers. */
  before: number;
  after: number;
}

/** Separates the bundled network, evaluates it on pictures that it has not seen, and writes both models. */
export async function separateExample(
  engine: Engine,
  folder: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<ModelExample> {
  const { imageToTensor, loadModel, saveModel, separateModel } = await import("../src/onnx/index.ts");
  const inputOf = (picture: Image): { input: Tensor } => ({ input: imageToTensor(picture) });
  const model = await loadModel(new Uint8Array(await readFile(exampleModel)), { engine });
  const calibration = drawShapes(calibrated, 3).map(({ picture }) => inputOf(picture));
  const { model: separated, report } = await separateModel(model, {
    calibration,
    reduce: reduction,
    onProgress: progress.update,
    signal,
  });
  progress.clear();
  const pictures = drawShapes(evaluated);
  const right = async (one: Model): Promise<number> => {
    let sum = 0;
    for (const { label, picture } of pictures) {
      const scores = Array.from((await one.run(inputOf(picture), { signal })).logits!.data, Number);
      sum += Number(scores.indexOf(Math.max(...scores)) === label);
    }
    return sum / pictures.length;
  };
  const [before, after] = [await right(model), await right(separated)];
  await copyFile(exampleModel, join(folder, modelFiles.before));
  await writeAtomic(join(folder, modelFiles.after), saveModel(separated), signal);
  model.dispose();
  separated.dispose();
  return { report, pictures: pictures.length, before, after };
}

export function modelLines({ report, pictures, before, after }: ModelExample): string[] {
  const { multiplications } = report.totals;
  const { milliseconds: times, speedup } = report.reached;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return [
    "",
    `${styled("bold", "a network of regular 3 × 3 convolutions")}  ten shapes, separated without labels or training`,
    `  ${quantity(multiplications.before)} → ${quantity(multiplications.after)} multiplications a picture; right about ${percent(before)} → ${percent(after)} of ${count(pictures)}`,
    `  ${styled("cyan", `${milliseconds(times!.before)} → ${milliseconds(times!.after)}`)} on one thread, ${number(speedup!, 3)} × → ${modelFiles.before}, ${modelFiles.after}`,
  ];
}

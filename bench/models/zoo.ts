// Models that other people published, as they are: their inputs by ONNX Runtime's account, sides that they leave open filled in.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DType } from "../../src/tensor.ts";
import { dataFolder, type ModelCase, type ModelInput } from "./cases.ts";

export const zooFolder = join(dataFolder, "zoo");

/** Names of the files, none where the folder is missing. */
export const zooFiles: readonly string[] = existsSync(zooFolder)
  ? readdirSync(zooFolder).filter((name) => name.endsWith(".onnx"))
  : [];

/** What a published model is called in results. */
export const zooName = (file: string): string => file.replace(/\.onnx$/, "");

/** Sides that a model leaves open, but for the batch. */
const openSide = 320;

/** Shapes of inputs that are no pictures, by file and name. */
const shapes: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  "nms-yolov8.onnx": { detection: [1, 84, 8400] },
  "mask-yolov8-seg.onnx": { detection: [36], mask: [1, 32, 160, 160], overlay: [640, 640, 4] },
};

const dtypes: Readonly<Record<string, DType>> = { float32: "f32", float16: "f16", uint8: "u8" };

/** A published model as a case; rejects where ONNX Runtime refuses the file. */
export async function zooCase(file: string): Promise<ModelCase> {
  const { InferenceSession } = await import("onnxruntime-node");
  const session = await InferenceSession.create(join(zooFolder, file), { logSeverityLevel: 4 });
  const inputs = session.inputMetadata.map((input): ModelInput => {
    if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
    const declared = input.shape.map((side, axis) => (typeof side === "number" ? side : axis === 0 ? 1 : openSide));
    return { name: input.name, dtype: dtypes[input.type]!, shape: shapes[file]?.[input.name] ?? declared };
  });
  await session.release();
  const name = zooName(file);
  const text = readFileSync(join(zooFolder, file), "latin1");
  const kind = file.startsWith("light_") ? "light" : /DequantizeLinear|ConvInteger|QLinearConv/.test(text) ? "quantised" : "other";
  // Where scales are the ranges of values, the last bit of one value may move all others by a step: builds of ONNX Runtime differ
  // among themselves by two in a hundred.
  const byRange = text.includes("DynamicQuantizeLinear");
  const allowed = byRange ? 5e-2 : inputs.some(({ dtype }) => dtype === "f16") ? 2e-2 : 1e-3;
  return { name, title: name, file: join("zoo", file), inputs, allowed, kind };
}

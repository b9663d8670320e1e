// The models that are raced, and what they run on: seeded noise in 0..1, and for those that post-process, boxes and scores.
import { join, resolve } from "node:path";
import type { DType, TypedArray } from "../../src/tensor.ts";
import { generator } from "../random.ts";
import { mostDifference } from "./judge.ts";

export interface ModelInput {
  name: string;
  dtype: DType;
  shape: readonly number[];
}

/** An input with its elements; f16 as numbers of 32 bits. */
export interface Feed extends ModelInput {
  data: TypedArray;
}

export interface ModelCase {
  name: string;
  title: string;
  /** Below the folder of the data. */
  file: string;
  inputs: readonly ModelInput[];
  /** How far results may be from the judge's, of the largest value. */
  allowed: number;
  /** Of published models: whether the weights are ONNX's own stand-ins, whether it computes with integers of 8 bits, or neither. */
  kind?: ZooKind;
}

export type ZooKind = "light" | "quantised" | "other";

export const dataFolder = resolve(import.meta.dirname, "..", "..", process.env.RANK1_DATA ?? "../shared/data");

export const pathOf = ({ file }: ModelCase): string => join(dataFolder, file);

const model = (name: string, title: string, file: string, shape: readonly number[]): ModelCase => ({
  ...{ name, title, file: join("models", file), inputs: [{ name: "input", dtype: "f32", shape }] },
  allowed: mostDifference,
});

export const cases: readonly ModelCase[] = [
  model("mnist", "MNIST", "mnist.onnx", [1, 1, 28, 28]),
  model("resnet20", "ResNet-20", "resnet20-cifar10.onnx", [1, 3, 32, 32]),
  model("resnet20-16", "ResNet-20, 16 pictures at once", "resnet20-cifar10.onnx", [16, 3, 32, 32]),
  model("ultraface-slim", "UltraFace slim", "ultraface-slim-320.onnx", [1, 3, 240, 320]),
  model("ultraface-rfb", "UltraFace RFB", "ultraface-rfb-320.onnx", [1, 3, 240, 320]),
  model("waifu2x", "waifu2x, a tile of 156×156", "waifu2x-scale2.onnx", [1, 3, 156, 156]),
];

/** All inputs of a case with their elements, equal everywhere. */
export function feedsOf({ file, inputs }: ModelCase): Feed[] {
  const random = generator(1);
  return inputs.map((input) => {
    const size = input.shape.reduce((product, side) => product * side, 1);
    const floats = (meanings[file]?.[input.name] ?? noise)(size, random);
    return { ...input, data: input.dtype === "u8" ? Uint8Array.from(floats, (value) => 255 * value) : floats };
  });
}

type Maker = (size: number, random: () => number) => Float32Array<ArrayBuffer>;
const noise: Maker = (size, random) => new Float32Array(size).map(random);
const numbers =
  (...values: number[]): Maker =>
  () =>
    Float32Array.from(values);

/** Boxes of a detector for 640 × 640 pixels, one a column: centre, size, and then scores of which few are above a half. */
const detections: Maker = (size, random) => {
  const rows = 84;
  const count = size / rows;
  return Float32Array.from({ length: size }, (_, i) => {
    const row = Math.floor(i / count);
    if (row < 2) return 640 * random();
    return row < 4 ? 20 + 100 * random() : random() ** 40;
  });
};

/** Inputs that mean something, by file and name. */
const meanings: Readonly<Record<string, Readonly<Record<string, Maker>>>> = {
  // The most boxes of a class, the least overlap that counts as one, the least score.
  "zoo/nms-yolov8.onnx": { detection: detections, config: numbers(100, 0.45, 0.25) },
  // A box, and what its mask is a mixture of; the longest side, the box again, and the colour of what it holds.
  "zoo/mask-yolov8-seg.onnx": {
    detection: (size, random) => Float32Array.from({ length: size }, (_, i) => [100, 120, 300, 240][i] ?? 2 * random() - 1),
    config: numbers(640, 100, 120, 300, 240, 255, 128, 0, 120),
  },
};

// The models that are raced, and what they run on: seeded noise in 0..1.
import { join, resolve } from "node:path";
import { generator } from "../random.ts";

export interface ModelCase {
  name: string;
  title: string;
  file: string;
  /** Of its only input: NCHW. */
  shape: readonly [number, number, number, number];
}

const folder = resolve(import.meta.dirname, "..", "..", process.env.RANK1_DATA ?? "../shared/data", "models");

export const pathOf = ({ file }: ModelCase): string => join(folder, file);

export const cases: readonly ModelCase[] = [
  { name: "mnist", title: "MNIST", file: "mnist.onnx", shape: [1, 1, 28, 28] },
  { name: "resnet20", title: "ResNet-20", file: "resnet20-cifar10.onnx", shape: [1, 3, 32, 32] },
  {
    name: "resnet20-16",
    title: "ResNet-20, 16 pictures at once",
    file: "resnet20-cifar10.onnx",
    shape: [16, 3, 32, 32],
  },
  { name: "ultraface-slim", title: "UltraFace slim", file: "ultraface-slim-320.onnx", shape: [1, 3, 240, 320] },
  { name: "ultraface-rfb", title: "UltraFace RFB", file: "ultraface-rfb-320.onnx", shape: [1, 3, 240, 320] },
  { name: "waifu2x", title: "waifu2x, a tile of 156×156", file: "waifu2x-scale2.onnx", shape: [1, 3, 156, 156] },
];

export function inputOf({ shape }: ModelCase): Float32Array<ArrayBuffer> {
  const random = generator(1);
  return new Float32Array(shape.reduce((size, side) => size * side, 1)).map(random);
}

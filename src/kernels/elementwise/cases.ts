// Test shapes of the elementwise family.
import type { ElementwiseSpec } from "../../plan/types.ts";
import { activations, count, type KernelCase, layerCase } from "../case.ts";
import { paddedChannels } from "../conv/layout.ts";
import { arena, pointwiseWindow, sidesOf, weights } from "../layer.ts";

type Shape = Partial<ElementwiseSpec> & {
  channels: number;
  sides?: [height: number, width: number];
  images?: number;
  /** Where the second operand comes from: a whole value, one pixel of each image, or constants of channels. */
  second?: "value" | "pixel" | "constant";
};

function elementwise(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { sides: [height, width] = [5, 6], images = 1, second = "value", ...rest } = shape;
  const kernel: ElementwiseSpec = {
    ...{ family: "elementwise", ...pointwiseWindow, op: "copy", offset: 0, activation: "none" },
    ...{ broadcast: second !== "value", ...rest },
  };
  const { op, channels, strides, offset } = kernel;
  const y = [images, Math.ceil(height / strides[0]), Math.ceil(width / strides[1]), channels + offset];
  const other = {
    value: arena("second", sidesOf([...y.slice(0, 3), channels])),
    pixel: arena("second", sidesOf([images, 1, 1, channels])),
    constant: weights("second", paddedChannels(channels)),
  }[second];
  return layerCase(
    name,
    kernel,
    { x: [images, height, width, channels], y, others: op === "copy" ? [] : [other] },
    {
      ...(second === "constant" && { weights: { second: { weight: channels, bias: 0 } } }),
      tensors: { second: { channels } },
      ...more,
    },
  );
}

const pairs = ["add", "sub", "mul", "prelu"] as const;

export const cases: readonly KernelCase[] = [
  ...pairs.flatMap((op) =>
    (["value", "pixel", "constant"] as const).map((second) =>
      elementwise(`${op} a ${second}`, { op, second, channels: 10, images: second === "pixel" ? 1 : 2 }),
    ),
  ),
  // A vector is four channels; pixels hold four or a multiple of eight.
  ...count(1, 17).map((channels) => elementwise(`add, ${channels} channels`, { op: "add", channels })),
  ...count(1, 5).map((width) => elementwise(`copy, width ${width}`, { sides: [3, width], channels: 4 })),
  ...activations.map((activation) => elementwise(JSON.stringify(activation), { channels: 7, activation })),
  ...activations.map((activation) =>
    elementwise(`mul, ${JSON.stringify(activation)}`, { op: "mul", channels: 8, activation }),
  ),
  ...[2, 3].map((step) => elementwise(`every ${step}th`, { channels: 6, strides: [step, step], sides: [7, 8] })),
  elementwise("every row, every other column", { channels: 6, strides: [1, 2] }),
  ...[4, 8].map((offset) => elementwise(`beside ${offset} channels`, { channels: 9, offset })),
  elementwise("benchmark", { op: "add", sides: [56, 56], channels: 64, activation: "relu" }, { benchmark: true }),
];

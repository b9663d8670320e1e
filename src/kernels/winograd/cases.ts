// Test shapes of the winograd family: each is a whole 3 x 3 convolution, sums before the products and after them.
import type { Activation, WinogradSpec } from "../../plan/types.ts";
import { activations, count, type KernelCase } from "../case.ts";
import { paddedChannels } from "../conv/layout.ts";
import { arena, convSpec, convWeight, stripOf } from "../layer.ts";

interface Shape {
  /** Tiles of 2 x 2 outputs. */
  tiles: [rows: number, columns: number];
  inputs: number;
  outputs: number;
  pads?: [top: number, left: number];
  activation?: Activation;
  residual?: boolean;
  images?: number;
}

function winograd(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const {
    tiles: [rows, columns],
    inputs,
    outputs,
    pads = [1, 1],
    activation = "none",
    residual = false,
  } = shape;
  const images = shape.images ?? 1;
  const [from, to] = [paddedChannels(inputs), paddedChannels(outputs)];
  const between = (id: string, channels: number) =>
    stripOf(id, { images, height: rows, width: columns, channels: 16 * channels });
  // What lies beyond the pads below and right of the input is read, too.
  const x = { images, height: 2 * rows + 1 - pads[0], width: 2 * columns + 1 - pads[1], channels: from };
  const y = { images, height: 2 * rows, width: 2 * columns, channels: to };
  const base = { family: "winograd", dilations: [1, 1] } as const;
  const before: WinogradSpec = {
    ...{ ...base, dilations: [1, 1], part: "input", size: [4, 4], strides: [2, 2], pads },
    ...{ activation: "none", residual: false },
  };
  const after: WinogradSpec = {
    ...{ ...base, dilations: [1, 1], part: "output", size: [1, 1], strides: [1, 1], pads: [0, 0] },
    ...{ activation, residual, rowsOut: 2, columnsOut: 2 },
  };
  const products = convSpec({
    ...{ inputs: 16 * from, outputs: 16 * to, groups: 16, activation: "none", winograd: { inputs, outputs } },
  });
  return {
    name,
    grid: { images, extent: rows },
    steps: [
      { name: "transform", kernel: before, reads: ["x"], writes: "tiles" },
      { name: "products", kernel: products, reads: ["tiles", "weight"], writes: "products" },
      { name: "back", kernel: after, reads: ["products", ...(residual ? ["added"] : [])], writes: "y" },
    ],
    buffers: [
      ...[arena("x", x), between("tiles", from), convWeight("weight", products), between("products", to)],
      ...[...(residual ? [arena("added", y)] : []), arena("y", y)],
    ],
    weights: { weight: { weight: 9 * inputs * outputs, bias: outputs } },
    tensors: { x: { channels: inputs }, y: { channels: outputs }, added: { channels: outputs } },
    ...more,
  };
}

export const cases: readonly KernelCase[] = [
  ...count(1, 6).map((width) => winograd(`${width} tiles`, { tiles: [2, width], inputs: 8, outputs: 8 })),
  ...count(5, 20).map((channels) =>
    winograd(`${channels} channels`, { tiles: [3, 2], inputs: channels, outputs: 29 - channels }),
  ),
  winograd("without pads", { tiles: [3, 3], inputs: 8, outputs: 24, pads: [0, 0], images: 2 }),
  winograd("pads of two kinds", { tiles: [4, 1], inputs: 12, outputs: 16, pads: [0, 1] }),
  ...activations.map((activation) =>
    winograd(JSON.stringify(activation), { tiles: [2, 2], inputs: 9, outputs: 13, activation }),
  ),
  ...activations.map((activation) =>
    winograd(`${JSON.stringify(activation)} of a sum`, {
      ...{ tiles: [3, 2], inputs: 16, outputs: 16, activation, residual: true, images: 2 },
    }),
  ),
  winograd("benchmark", { tiles: [14, 14], inputs: 128, outputs: 128, activation: "relu" }, { benchmark: true }),
];

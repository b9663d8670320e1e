// The shapes of layers that tests take: one list of those that have broken someone's code, and one generator of random ones.
import fc from "fast-check";
import { hardWindows } from "../../src/kernels/case.ts";
import { type Layer, outSide } from "../layer-oracle.ts";

/** What a layer of any kind is made of; each kind takes what it has. */
export interface Shape extends Layer {
  outputs: number;
  /** Of conv2d; divides inputs and outputs. */
  groups: number;
  /** Of depthwise filters. */
  multiplier: number;
  /** Channels between the steps of an inverted residual. */
  middle: number;
  seed: number;
}

const plain = {
  ...{ images: 1, height: 9, width: 8, inputs: 4, outputs: 6, groups: 1, multiplier: 1, middle: 5, seed: 1 },
};

const windowed = hardWindows.map(([name, window, sides]): [string, Shape] => {
  const { pads, after = pads, ...where } = window;
  const [height, width] = sides ?? [plain.height, plain.width];
  return [name, { ...plain, ...where, height, width, pads: [...pads, ...after] }];
});
const padded: Shape = windowed.find(([name]) => name === "3 x 3")![1];

/** Every hard window, and channels of all numbers. */
export const hardShapes: readonly [name: string, shape: Shape][] = [
  ...windowed,
  ["1 x 5 on one row", { ...padded, height: 1, width: 13, size: [1, 5], strides: [1, 2], pads: [0, 1, 0, 2] }],
  ["many channels", { ...padded, inputs: 35, outputs: 19, middle: 21, images: 2 }],
  ["one channel", { ...padded, inputs: 1, outputs: 1, middle: 1 }],
  ["depth multiplier 3", { ...padded, multiplier: 3 }],
];

/** Shapes that are convolutions in groups. */
export const groupedShapes: readonly [name: string, shape: Shape][] = [
  ["2 groups", { ...padded, groups: 2, pads: [1, 0, 1, 2] }],
  ["a group for each input", { ...padded, groups: 4, outputs: 8, strides: [2, 2] }],
];

/** As many groups, each of so many inputs and outputs as there were. */
export const grouped = (shape: Shape): Shape => ({
  ...{ ...shape, inputs: shape.inputs * shape.groups, outputs: shape.outputs * shape.groups },
});

type Sides = Pick<Shape, "images" | "height" | "width" | "inputs" | "outputs" | "groups" | "multiplier" | "middle">;

const upTo = (max: number) => fc.integer({ min: 1, max });
const sizes = fc.oneof(
  fc.tuple(upTo(5), upTo(5)),
  fc.constantFrom<[number, number]>([1, 1], [3, 3], [5, 5], [6, 2], [2, 10]),
);

/** Shapes with sides up to some, whether or not a window fits. */
export const anyShapes = (most: Partial<Sides> = {}): fc.Arbitrary<Shape> => {
  const { images = 2, height = 10, width = 10, inputs = 4, outputs = 6 } = most;
  const { groups = 3, multiplier = 3, middle = 6 } = most;
  return fc.record({
    ...{ images: upTo(images), height: upTo(height), width: upTo(width), inputs: upTo(inputs), outputs: upTo(outputs) },
    ...{ groups: upTo(groups), multiplier: upTo(multiplier), middle: upTo(middle), seed: fc.nat(1e9) },
    ...{ size: sizes, strides: fc.tuple(upTo(3), upTo(3)), dilations: fc.tuple(upTo(3), upTo(3)) },
    pads: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)),
  });
};

/** Shapes whose window fits. */
export const randomShapes = (most?: Partial<Sides>): fc.Arbitrary<Shape> =>
  anyShapes(most).filter((shape) => outSide(shape, 0) > 0 && outSide(shape, 1) > 0);

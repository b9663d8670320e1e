// What the test shapes of a family are made of. Each family's folder has them in `cases.ts`: tests and the benchmark find
// them by the families' names, and nothing that a user loads reaches them.
import type { Activation, Border, BufferSpec, KernelSpec, LayerWindow, Stage, Step } from "../plan/types.ts";
import type { ViewDType } from "../tensor.ts";
import { arena, pointwiseWindow, type Sides, sidesOf } from "./layer.ts";

/** One stage: a step of the family, with those before and after it that make whole values of strips. */
export interface KernelCase {
  name: string;
  grid: Pick<Stage["grid"], "images" | "extent">;
  steps: Step[];
  buffers: BufferSpec[];
  /** How many weights and biases each constant is packed from. */
  weights?: Record<string, { weight: number; bias: number; factors?: number }>;
  /** Tensors and weights are integers of at most this magnitude, in floats. */
  integers?: number;
  /** Of tensors, by id: channels of the layer, where more are stored; members of a depth multiplier. */
  tensors?: Record<string, { channels: number; members?: number }>;
  /** Of a picture that is read: its rows, how it goes on beyond them, and between which values it lies. */
  picture?: { height: number; border: Border; range?: readonly [number, number] };
  /** Rows that are written, where they are not those of the grid. */
  rows?: number;
  /** Which elements of the result are wanted; all where absent. */
  counts?: (element: number) => boolean;
  /** The shape that the benchmark takes. */
  benchmark?: true;
}

/** `count` numbers from `first` on. */
export const count = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

/** Every activation once. */
export const activations: readonly Activation[] = [
  ...(["none", "relu", "relu6", "hardSwish", "silu", "sigmoid"] as const),
  ...[{ leakyRelu: 0.1 }, { clip: [-0.5, 1] as [number, number] }, { clip: [null, 0.25] as [null, number] }],
];

const borders: readonly Border[] = ["reflect", "constant", "wrap", "edge", "symmetric"];

interface PictureShape {
  width: number;
  height: number;
  channels: number;
  dtype: ViewDType;
  /** Pixels beyond each side that the steps read. */
  pads?: readonly [top: number, left: number, bottom: number, right: number];
  range?: readonly [number, number];
}

/** A picture that is read; its border is another one with every width. */
export function pictureOf({ width, height, channels, dtype, pads = [0, 0, 0, 0], range }: PictureShape): {
  input: BufferSpec;
  picture: NonNullable<KernelCase["picture"]>;
} {
  const [above, left, below, right] = pads;
  return {
    input: {
      ...{ id: "x", scope: "input", dtype, width: left + width + right, channels },
      ...{ stride: 1, above, below, left, right },
    },
    picture: { height, border: borders[width % borders.length]!, ...(range && { range }) },
  };
}

/** Rows that one step leaves to the next, or a picture that is written. */
export const rowsOf = (
  id: string,
  scope: "strip" | "output",
  dtype: ViewDType,
  width: number,
  channels: number,
): BufferSpec => ({
  ...{ id, scope, dtype, width, channels, stride: 1, above: 0, below: 0 },
});

/** A layer's window on an input: where it stands, and beyond which sides. */
export interface Window extends LayerWindow {
  pads: [top: number, left: number];
  /** Rows and columns below and right of the input. */
  after?: [bottom: number, right: number];
}

/** Sides of what a window gives. */
export function sidesAfter({ images, height, width }: Omit<Sides, "channels">, window: Window) {
  const side = (axis: 0 | 1, length: number): number => {
    const room = length + window.pads[axis] + (window.after?.[axis] ?? window.pads[axis]);
    return Math.floor((room - (window.size[axis] - 1) * window.dilations[axis] - 1) / window.strides[axis]) + 1;
  };
  return { images, height: side(0, height), width: side(1, width) };
}

/** Windows that have broken someone's code. */
export const hardWindows: readonly [name: string, window: Window, sides?: [height: number, width: number]][] = (
  [
    ["1 x 1", {}],
    ["1 x 1, stride 2", { strides: [2, 2] }],
    ["3 x 3", { size: [3, 3], pads: [1, 1] }],
    ["3 x 3 without pads", { size: [3, 3] }],
    ["3 x 3, stride 2", { size: [3, 3], strides: [2, 2], pads: [0, 0], after: [1, 1] }],
    ["3 x 3, strides 1 and 3", { size: [3, 3], strides: [1, 3], pads: [1, 1] }],
    ["5 x 5", { size: [5, 5], pads: [2, 2] }],
    ["7 x 7, stride 2", { size: [7, 7], strides: [2, 2], pads: [3, 3] }],
    ["1 x 5, stride 2", { size: [1, 5], strides: [2, 2], pads: [0, 2] }],
    ["5 x 1", { size: [5, 1], pads: [2, 0] }],
    ["5 x 5, stride 2", { size: [5, 5], strides: [2, 2], pads: [2, 2] }],
    ["7 x 7", { size: [7, 7], pads: [3, 3] }],
    ["1 x 12", { size: [1, 12], pads: [0, 5], after: [0, 6] }],
    ["2 x 3, dilation 2", { size: [2, 3], dilations: [2, 2], pads: [1, 2] }],
    ["2 x 10", { size: [2, 10], pads: [0, 4], after: [1, 5] }],
    ["2 x 4, pads of four kinds", { size: [2, 4], pads: [0, 1], after: [2, 3] }],
    ["strides beyond the window", { size: [2, 2], strides: [3, 4] }],
    ["dilations 2 and 3", { size: [3, 2], dilations: [2, 3], pads: [2, 1], after: [2, 2] }],
    ["strides and dilations at once", { size: [3, 3], strides: [2, 1], dilations: [1, 2], pads: [1, 2] }],
    ["a window larger than the input", { size: [5, 7], pads: [2, 3] }, [2, 3]],
    ["one pixel", { size: [3, 3], pads: [1, 1] }, [1, 1]],
    ["outputs that see only zeros", { pads: [1, 1], after: [2, 2] }, [2, 2]],
  ] as [string, Partial<Window>, [number, number]?][]
).map(([name, window, sides]) => [name, { ...pointwiseWindow, ...window } as Window, sides]);

/** A case of one step that reads whole values and writes one. */
export function layerCase(
  name: string,
  kernel: KernelSpec,
  shapes: { x: readonly number[]; y: readonly number[]; stored?: number; others?: BufferSpec[] },
  more: Partial<KernelCase> = {},
): KernelCase {
  const { x, y, stored, others = [] } = shapes;
  const to = { ...sidesOf(y), ...(stored && { channels: stored }) };
  return {
    name,
    grid: { images: y[0]!, extent: y[1]! },
    steps: [{ name: kernel.family, kernel, reads: ["x", ...others.map(({ id }) => id)], writes: "y" }],
    buffers: [arena("x", sidesOf(x)), ...others, arena("y", to)],
    ...more,
    tensors: { x: { channels: x[3]! }, y: { channels: y[3]! }, ...more.tensors },
  };
}

// Test shapes of the conv-integer family: integers come in f32, and are made such of 16 bits first.
import type { ConvIntegerSpec, Step } from "../../plan/types.ts";
import { count, hardWindows, type KernelCase, layerCase, sidesAfter, type Window } from "../case.ts";
import { arena, pointwiseWindow, type Sides, sidesOf, stripOf, weights } from "../layer.ts";
import { integerWeights } from "./layout.ts";

interface Shape {
  sides?: [height: number, width: number];
  inputs: number;
  outputs: number;
  images?: number;
  window?: Window;
  round?: [number, number];
  /** The result in 16 bits, and then in f32 again. */
  narrow?: boolean;
}

function integers(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { sides: [height, width] = [5, 7], inputs, outputs, images = 1, round, narrow = false } = shape;
  const { after: _, ...window } = shape.window ?? { ...pointwiseWindow };
  const to = sidesAfter({ images, height, width }, shape.window ?? (pointwiseWindow as Window));
  const kernel: ConvIntegerSpec = { family: "conv-integer", ...window, inputs, outputs, ...(round && { round }) };
  const [x, y] = [
    [images, height, width, inputs],
    [images, to.height, to.width, outputs],
  ];
  const weight = { ...weights("w", integerWeights(kernel)), dtype: "i32" as const };
  const retype = { family: "retype", ...pointwiseWindow } as const;
  const strip = (id: string, of: Sides) => ({ ...stripOf(id, of), dtype: "i16" as const });
  const steps: Step[] = [
    { name: "to integers", kernel: retype, reads: ["x"], writes: "integers" },
    { name: "convolution", kernel, reads: ["integers", "w"], writes: narrow ? "narrow" : "y" },
    ...(narrow ? [{ name: "back", kernel: retype, reads: ["narrow"], writes: "y" }] : []),
  ];
  const taps = window.size[0] * window.size[1];
  return {
    ...layerCase(name, kernel, { x, y }, { integers: 255, ...more }),
    steps,
    buffers: [
      ...[arena("x", sidesOf(x)), strip("integers", sidesOf(x)), weight],
      ...(narrow ? [strip("narrow", sidesOf(y))] : []),
      arena("y", sidesOf(y)),
    ],
    weights: { w: { weight: taps * inputs * outputs, bias: outputs, ...(round && { factors: outputs }) } },
  };
}

const round: [number, number] = [-139, 116];

export const cases: readonly KernelCase[] = [
  ...hardWindows.flatMap(([name, window, sides]) => [
    integers(name, { sides, inputs: 8, outputs: 8, window }),
    integers(`${name}, 3 channels, rounded`, { sides, inputs: 3, outputs: 5, window, round, narrow: true }),
  ]),
  ...count(1, 34).map((outputs) => integers(`to ${outputs} channels`, { inputs: 12, outputs, images: 2 })),
  ...count(1, 34).map((outputs) => integers(`to ${outputs}, rounded`, { inputs: 5, outputs, round, narrow: true })),
  ...count(1, 20).map((inputs) => integers(`from ${inputs} channels`, { inputs, outputs: 24, round })),
  ...count(1, 13).map((width) => integers(`width ${width}`, { sides: [3, width], inputs: 16, outputs: 20, round })),
  integers(
    "benchmark",
    { sides: [28, 28], inputs: 128, outputs: 128, window: { ...pointwiseWindow, size: [3, 3], pads: [1, 1] } },
    { benchmark: true },
  ),
];

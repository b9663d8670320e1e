// Test shapes of the depthwise family.
import type { DepthwiseSpec } from "../../plan/types.ts";
import { activations, count, hardWindows, type KernelCase, layerCase, sidesAfter, type Window } from "../case.ts";
import { paddedChannels } from "../conv/layout.ts";
import { depthwiseWeight } from "../layer.ts";

interface Shape {
  sides?: [height: number, width: number];
  channels: number;
  multiplier?: number;
  window: Window;
  activation?: DepthwiseSpec["activation"];
  images?: number;
}

function depthwise(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { sides: [height, width] = [7, 9], channels, multiplier = 1, activation = "none", images = 1, window } = shape;
  const { after: _, ...where } = window;
  const kernel: DepthwiseSpec = {
    ...{ family: "depthwise", ...where, channels, depthMultiplier: multiplier, activation },
  };
  const to = sidesAfter({ images, height, width }, window);
  const outputs = channels * multiplier;
  return layerCase(
    name,
    kernel,
    {
      x: [images, height, width, channels],
      y: [images, to.height, to.width, outputs],
      stored: paddedChannels(channels) * multiplier,
      others: [depthwiseWeight("weight", kernel)],
    },
    {
      weights: { weight: { weight: window.size[0] * window.size[1] * outputs, bias: outputs } },
      ...(multiplier > 1 && {
        tensors: { x: { channels }, y: { channels: outputs, members: multiplier } },
      }),
      ...more,
    },
  );
}

/** Every second pixel of every third row, as phases of a transposed layer write them; other steps write the rest. */
function phases(height: number, width: number, channels: number): KernelCase {
  const made = depthwise("", { sides: [height, width], channels, window: three });
  const y = { ...made.buffers[2]!, height: height * 3, width: width * 2 };
  const all = count(0, 3).flatMap((row) =>
    count(0, 2).map((start) => {
      const where = { size: [2, 3] as [number, number], pads: [1, 1] as [number, number] };
      const phase = { step: 2, start, count: width };
      const kernel: DepthwiseSpec = {
        ...{ family: "depthwise", ...three, ...where, channels, depthMultiplier: 1, activation: "relu" },
        ...{ rowsOut: 3, rowStart: row, phase },
      };
      return { kernel, id: `weight ${row} ${start}` };
    }),
  );
  return {
    ...made,
    name: `phases of ${height} x ${width} x ${channels}`,
    steps: all.map(({ kernel, id }) => ({ name: "phase", kernel, reads: ["x", id], writes: "y" })),
    buffers: [made.buffers[0]!, ...all.map(({ kernel, id }) => depthwiseWeight(id, kernel)), y],
    weights: Object.fromEntries(all.map(({ id }) => [id, { weight: 6 * channels, bias: channels }])),
  };
}

const three: Window = { size: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1] };

export const cases: readonly KernelCase[] = [
  ...hardWindows.map(([name, window, sides]) => depthwise(name, { sides, channels: 12, window })),
  ...hardWindows.map(([name, window, sides]) => depthwise(`${name}, 3 channels`, { sides, channels: 3, window })),
  // A tile is four pixels.
  ...count(1, 9).map((width) => depthwise(`width ${width}`, { sides: [3, width], channels: 8, window: three })),
  ...count(1, 9).map((width) =>
    depthwise(`width ${width} and stride 2`, {
      sides: [4, 2 * width],
      ...{ channels: 8, window: { ...three, strides: [2, 2], after: [0, 0] } },
    }),
  ),
  ...count(1, 17).map((channels) => depthwise(`${channels} channels`, { channels, images: 2, window: three })),
  ...count(2, 3).map((multiplier) =>
    depthwise(`depth multiplier ${multiplier}`, { channels: 5, multiplier, window: three }),
  ),
  ...activations.map((activation) =>
    depthwise(JSON.stringify(activation), { channels: 16, window: three, activation }),
  ),
  ...[phases(3, 4, 12), phases(1, 5, 3), phases(4, 1, 8)],
  ...[6, 9, 12].map((taps) =>
    depthwise(`${taps} x ${taps}`, { channels: 8, window: { ...three, size: [taps, taps], pads: [taps - 1, 4] } }),
  ),
  depthwise("benchmark", { sides: [56, 56], channels: 128, window: three, activation: "relu6" }, { benchmark: true }),
];

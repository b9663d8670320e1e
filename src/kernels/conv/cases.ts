// Test shapes of the conv family.
import type { ConvSpec } from "../../plan/types.ts";
import { activations, count, hardWindows, type KernelCase, layerCase, sidesAfter, type Window } from "../case.ts";
import { arena, convSpec, convWeight, outputChannels, sidesOf } from "../layer.ts";
import { paddedChannels } from "./layout.ts";

type Shape = Partial<Omit<ConvSpec, keyof Window>> & {
  inputs: number;
  outputs: number;
  sides?: [height: number, width: number];
  window?: Partial<Window>;
  images?: number;
};

function conv(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { sides: [height, width] = [6, 7], window = {}, images = 1, ...rest } = shape;
  const { after, ...where } = window;
  const kernel = convSpec({ activation: "none", ...where, ...rest });
  const { inputs, outputs, groups, members, residual } = kernel;
  const to = sidesAfter({ images, height, width }, { ...kernel, after });
  const y = [images, to.height, to.width, outputs];
  const others = [convWeight("weight", kernel), ...(residual ? [arena("added", sidesOf(y))] : [])];
  const made = layerCase(name, kernel, {
    x: [images, height, width, inputs],
    y,
    stored: outputChannels(kernel),
    others,
  });
  const x = made.buffers[0]!;
  // Members of a depth multiplier stand one after the other, each padded: with anything, since it is weighted by zeros.
  if (members > 1) x.channels = members * paddedChannels(inputs / members);
  return {
    ...made,
    weights: { weight: { weight: (kernel.size[0] * kernel.size[1] * inputs * outputs) / groups, bias: outputs } },
    tensors: {
      x: { channels: members > 1 ? x.channels : inputs },
      y: { channels: outputs },
      added: { channels: outputs },
    },
    ...more,
  };
}

/** Weights that other steps have packed: here any numbers, so that inputs must fill whole vectors. */
function packed(
  name: string,
  kind: "value" | "rows",
  [images, rows]: readonly [number, number],
  shape: Shape,
): KernelCase {
  const made = conv(name, { ...shape, sides: [4, 7], images: 3, packed: kind });
  const weight = made.buffers[1]!;
  const sides = { images, height: rows, width: 1, channels: weight.width };
  return { ...made, buffers: [made.buffers[0]!, arena("weight", sides), ...made.buffers.slice(2)], weights: {} };
}

/** Every second pixel of every second row, as one phase of a transposed convolution writes them; other steps write the rest. */
function phases(height: number, width: number, strides: [number, number], outputs: number): KernelCase {
  const made = conv("", { sides: [height, width], inputs: 5, outputs });
  const y = { ...made.buffers[2]!, height: height * strides[0], width: width * strides[1] };
  const phase = ([row, column]: readonly [number, number]) => {
    const kernel = convSpec({
      ...{ inputs: 5, outputs, activation: "relu", size: [2, 1], pads: [1, 0], rowsOut: strides[0], rowStart: row },
      phase: { step: strides[1], start: column, count: width },
    });
    return { kernel, id: `weight ${row} ${column}` };
  };
  const all = count(0, strides[0]).flatMap((row) => count(0, strides[1]).map((column) => phase([row, column])));
  return {
    ...made,
    name: `phases of ${height} x ${width} to ${outputs} by ${strides.join(" x ")}`,
    steps: all.map(({ kernel, id }) => ({ name: "phase", kernel, reads: ["x", id], writes: "y" })),
    buffers: [made.buffers[0]!, ...all.map(({ kernel, id }) => convWeight(id, kernel)), y],
    weights: Object.fromEntries(all.map(({ id }) => [id, { weight: 2 * 5 * outputs, bias: outputs }])),
  };
}

const three: Partial<Window> = { size: [3, 3], pads: [1, 1] };

export const cases: readonly KernelCase[] = [
  ...hardWindows.map(([name, window, sides]) => conv(name, { sides, inputs: 5, outputs: 11, window })),
  ...hardWindows.map(([name, window, sides]) => conv(`${name}, 1 channel`, { sides, inputs: 1, outputs: 1, window })),
  // A tile is at most eight pixels, a panel 16 outputs.
  ...count(1, 12).map((width) => conv(`width ${width}`, { sides: [1, width], inputs: 4, outputs: 8 })),
  // Tiles within a row and across rows: of eight pixels, of fewer; of windows of one row and of several.
  ...count(1, 20).flatMap((width, i) => [
    conv(`3 rows of ${width}, to 8`, { sides: [3, width], inputs: 6, outputs: 8, residual: i % 2 === 1, images: 2 }),
    conv(`3 rows of ${width}, to 24`, { sides: [3, width], inputs: 6, outputs: 24, window: i % 2 === 1 ? three : {} }),
  ]),
  ...count(1, 35).map((outputs) => conv(`to ${outputs}`, { sides: [2, 5], inputs: 9, outputs, images: 2 })),
  ...count(1, 17).map((inputs) => conv(`from ${inputs}`, { sides: [3, 5], inputs, outputs: 20, window: three })),
  // Stretches without their padding: of single pixels in blocks of four and what is left over, along both axes.
  ...count(5, 24).map((inputs, i) =>
    conv(`point from ${inputs}`, { sides: [3, 5], inputs, outputs: 20, residual: i % 2 === 0 }),
  ),
  ...count(5, 17).map((inputs) =>
    conv(`column from ${inputs}`, { inputs, outputs: 8, window: { size: [3, 1], pads: [1, 0] } }),
  ),
  ...count(5, 17).map((inputs) =>
    conv(`row from ${inputs}`, { inputs, outputs: 8, window: { size: [1, 3], pads: [0, 1] } }),
  ),
  ...[2, 3, 4].map((groups) =>
    conv(`${groups} groups`, {
      inputs: 3 * groups,
      outputs: 5 * groups,
      groups,
      window: { ...three, strides: [2, 1] },
    }),
  ),
  ...[4, 8].map((each) => conv(`groups of ${each}`, { inputs: 4 * each, outputs: 4 * each, groups: 4, window: three })),
  conv("groups of whole vectors", { inputs: 16, outputs: 32, groups: 2, window: { ...three, dilations: [2, 2] } }),
  conv("groups of whole panels", { inputs: 16, outputs: 128, groups: 8, window: { ...three, dilations: [2, 2] } }),
  conv("a group for each input", { inputs: 4, outputs: 8, groups: 4, window: three }),
  ...[2, 3].map((members) => conv(`members of a multiplier ${members}`, { inputs: 5 * members, outputs: 18, members })),
  ...activations.map((activation) => conv(JSON.stringify(activation), { inputs: 8, outputs: 36, activation })),
  ...activations.map((activation) =>
    conv(`${JSON.stringify(activation)} of a sum`, { inputs: 8, outputs: 26, activation, residual: true, images: 2 }),
  ),
  // Lanes are inputs where there are up to four outputs and enough inputs; pixels of up to four inputs lose their padding.
  ...hardWindows.map(([name, window, sides]) => conv(`${name}, to 3`, { sides, inputs: 21, outputs: 3, window })),
  ...hardWindows.map(([name, window, sides]) => conv(`${name}, from 3`, { sides, inputs: 3, outputs: 9, window })),
  ...[8, 16].map((inputs) =>
    conv(`dilated, to 3 from ${inputs}`, { inputs, outputs: 3, window: { ...three, pads: [2, 2], dilations: [1, 2] } }),
  ),
  ...count(1, 4).flatMap((outputs) =>
    activations.map((activation, i) => {
      const more = { residual: i % 2 === 1, images: 1 + (i % 2) };
      return conv(`to ${outputs}, ${JSON.stringify(activation)}`, { inputs: 40, outputs, activation, ...more });
    }),
  ),
  ...count(1, 12).map((width) => conv(`to 2, width ${width}`, { sides: [1, width], inputs: 32, outputs: 2 })),
  ...[24, 48, 56].map((inputs) => conv(`to 1 from ${inputs}`, { inputs, outputs: 1, window: three })),
  ...[2, 3].map((members) =>
    conv(`to 4, members ${members}`, { inputs: 8 * members, outputs: 4, members, window: three }),
  ),
  // Weights that are a value: one for each image, for all, for each row.
  ...[1, 3].map((stacks) =>
    packed(`packed weights of ${stacks} images`, "value", [stacks, 1], { inputs: 16, outputs: 21 }),
  ),
  ...[1, 3].map((stacks) => packed(`packed rows of ${stacks} images`, "rows", [stacks, 4], { inputs: 8, outputs: 35 })),
  packed("packed groups", "value", [1, 1], { inputs: 9, outputs: 12, groups: 3, window: three }),
  packed("packed, to 2", "value", [1, 1], { inputs: 40, outputs: 2 }),
  ...[phases(3, 4, [2, 2], 7), phases(1, 5, [1, 3], 20), phases(4, 1, [3, 2], 4)],
  conv("benchmark", { sides: [28, 28], inputs: 128, outputs: 128, activation: "relu" }, { benchmark: true }),
];

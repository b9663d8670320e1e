// An independent specification of layers for tests: convolutions in NHWC by their definition, in f64.
import type { Activation } from "../src/plan/types.ts";

export interface Layer {
  images: number;
  height: number;
  width: number;
  inputs: number;
  size: [number, number];
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
}

/** Output rows (axis 0) or columns (axis 1). */
export function outSide({ height, width, size, strides, dilations, pads }: Layer, axis: 0 | 1): number {
  const room = [height, width][axis]! + pads[axis] + pads[axis + 2]! - (size[axis] - 1) * dilations[axis] - 1;
  return Math.floor(room / strides[axis]) + 1;
}

export function act(activation: Activation, value: number): number {
  if (typeof activation === "object")
    return "clip" in activation
      ? Math.min(activation.clip[1] ?? Infinity, Math.max(activation.clip[0] ?? -Infinity, value))
      : value < 0
        ? activation.leakyRelu * value
        : value;
  const sigmoid = 1 / (1 + Math.exp(-value));
  const six = Math.min(6, Math.max(0, value + 3)) / 6;
  return {
    none: value,
    relu: Math.max(0, value),
    relu6: Math.min(6, Math.max(0, value)),
    sigmoid,
    silu: value * sigmoid,
    hardSwish: value * six,
  }[activation];
}

type Numbers = ArrayLike<number>;

/** weight [kh, kw, inputs / groups, outputs] */
export function conv(
  layer: Layer,
  x: Numbers,
  weight: Numbers,
  bias: Numbers | undefined,
  options: { outputs: number; groups?: number; activation?: Activation; added?: Numbers },
): Float64Array {
  const { images, height, width, inputs, size, strides, dilations, pads } = layer;
  const { outputs, groups = 1, activation = "none", added } = options;
  const [rows, columns, each] = [outSide(layer, 0), outSide(layer, 1), inputs / groups];
  const out = new Float64Array(images * rows * columns * outputs);
  let at = 0;
  for (let n = 0; n < images; n++)
    for (let y = 0; y < rows; y++)
      for (let xx = 0; xx < columns; xx++)
        for (let o = 0; o < outputs; o++, at++) {
          const group = Math.floor(o / (outputs / groups));
          let sum = (bias?.[o] ?? 0) + (added?.[at] ?? 0);
          for (let i = 0; i < size[0]; i++)
            for (let j = 0; j < size[1]; j++) {
              const row = y * strides[0] + i * dilations[0] - pads[0];
              const column = xx * strides[1] + j * dilations[1] - pads[1];
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              for (let c = 0; c < each; c++)
                sum +=
                  weight[((i * size[1] + j) * each + c) * outputs + o]! *
                  x[((n * height + row) * width + column) * inputs + group * each + c]!;
            }
          out[at] = act(activation, sum);
        }
  return out;
}

/** weight [kh, kw, inputs, multiplier]: output channel c · multiplier + m. */
export function depthwise(
  layer: Layer,
  x: Numbers,
  weight: Numbers,
  bias: Numbers | undefined,
  { multiplier = 1, activation = "none" }: { multiplier?: number; activation?: Activation } = {},
): Float64Array {
  const outputs = layer.inputs * multiplier;
  return conv(layer, x, weight, bias, { outputs, groups: layer.inputs, activation });
}

/** The layer that mixes what `layer` gives, pixel by pixel. */
export const pointwiseAfter = (layer: Layer, inputs: number): Layer => ({
  ...{ images: layer.images, height: outSide(layer, 0), width: outSide(layer, 1), inputs },
  ...{ size: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
});

/** The largest error in units of 1 + |wanted|. */
export const worstError = (got: Numbers, wanted: Float64Array): number =>
  wanted.reduce((most, v, i) => Math.max(most, Math.abs(v - got[i]!) / (1 + Math.abs(v)) || 0), 0);

// The numbers of a case, the same in every process: input and weights in TensorFlow's orders, and in ONNX's.
import { generator } from "../random.ts";
import { type LayerCase, type Link, linksOf, termsOf } from "./cases.ts";

export interface Weights {
  /** [kh, kw, inputs, outputs]; depthwise: [kh, kw, channels, 1]. */
  weight: Float32Array;
  bias: Float32Array<ArrayBuffer>;
}

export interface LayerData {
  /** [height, width, channels] */
  x: Float32Array;
  links: (Link & Weights)[];
}

export function makeData(problem: LayerCase): LayerData {
  const random = generator(1);
  /** Uniform about zero with the given deviation. */
  const numbers = (length: number, deviation: number): Float32Array<ArrayBuffer> =>
    new Float32Array(length).map(() => (2 * random() - 1) * Math.sqrt(3) * deviation);
  const { height, width, channels } = problem;
  // Results of deviation 2 or so: activations cut on both sides.
  const links = linksOf(problem).map((link) => {
    const count = link.size * link.size * link.inputs * (link.kind === "depthwise" ? 1 : link.outputs);
    return { ...link, weight: numbers(count, 2 / Math.sqrt(termsOf(link))), bias: numbers(link.outputs, 0.5) };
  });
  return { x: numbers(height * width * channels, 1), links };
}

/** [pixels, channels] as [channels, pixels]: pictures from NHWC to NCHW. With the counts exchanged, the way back. */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const moved = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) moved[column * rows + row] = data[row * columns + column]!;
  return moved;
}

/** A weight in ONNX's order: [outputs, inputs, kh, kw]; depthwise: [channels, 1, kh, kw]. */
export function onnxWeight({ kind, size, inputs, outputs, weight }: Link & Weights): Float32Array<ArrayBuffer> {
  const perTap = kind === "depthwise" ? inputs : inputs * outputs;
  const byTap = transposed(weight, size * size, perTap);
  if (kind === "depthwise") return byTap;
  // [inputs, outputs, taps] as [outputs, inputs, taps].
  const taps = size * size;
  const moved = new Float32Array(byTap.length);
  for (let c = 0; c < inputs; c++)
    for (let o = 0; o < outputs; o++)
      moved.set(byTap.subarray((c * outputs + o) * taps, (c * outputs + o + 1) * taps), (o * inputs + c) * taps);
  return moved;
}

// Gradients of convolution weights and biases: sums over positions of inputs times gradients of the outputs. A matrix
// product where there is one group, sums of rows for depthwise convolutions.
import { matrix } from "../factor/matrix.ts";
import { numberOf } from "../graph/nodes.ts";
import type { GraphNode, Value } from "../graph/types.ts";
import { type WindowAxes, windowOf } from "../graph/window.ts";
import type { Gemm } from "./gemm.ts";

/** Numbers of patches that are gathered for one product. */
const mostGathered = 2 ** 22;

/**
 * Adds the gradient of the weight [out, in / groups, kh, kw] to `total`, for an input [n, in, h, w] and the gradient of the result
 * [n, out, h, w]. The convolution has one group, or one for each input channel.
 */
export function addWeightGradient(
  total: Float64Array,
  node: GraphNode,
  size: readonly number[],
  x: Value,
  gradient: Value,
  gemm: Gemm,
): void {
  const window = windowOf(node, x.shape, size);
  if (numberOf(node, "group", 1) > 1) addDepthwise(total, window, x, gradient);
  else if (isPointwise(window)) addPointwise(total, x, gradient, gemm);
  else addProducts(total, window, x, gradient, gemm);
}

/** Adds the sums over places of a gradient [n, out, h, w] to those of the channels. */
export function addBiasGradient(total: Float64Array, { shape, data }: Value): void {
  const [images = 1, channels = 1, height = 1, width = 1] = shape;
  const places = height * width;
  for (let plane = 0; plane < images * channels; plane++) {
    let sum = 0;
    for (let i = plane * places; i < (plane + 1) * places; i++) sum += data[i] as number;
    total[plane % channels]! += sum;
  }
}

const isPointwise = ([, ...sides]: WindowAxes): boolean =>
  sides.every(({ size, stride, before, input, output }) => size * stride === 1 && before === 0 && input === output);

/** Of each picture the product of the gradients' planes and the input's. */
function addPointwise(total: Float64Array, x: Value, gradient: Value, gemm: Gemm): void {
  const [images, places] = [x.shape[0]!, x.shape[2]! * x.shape[3]!];
  const plane = (value: Value, n: number): Float32Array =>
    numbers(value).subarray(n * value.shape[1]! * places, (n + 1) * value.shape[1]! * places);
  for (let n = 0; n < images; n++) gemm.addTimesTransposed(total, plane(gradient, n), plane(x, n), places);
}

/** Rows of outputs of all pictures are gathered, entry of a patch by entry, and multiplied by their gradients. */
function addProducts(total: Float64Array, window: WindowAxes, x: Value, gradient: Value, gemm: Gemm): void {
  const [, rows, cols] = window;
  const [images, outputs] = [gradient.shape[0]!, gradient.shape[1]!];
  const inputs = x.shape[1]!;
  const patch = inputs * rows.size * cols.size;
  const all = images * rows.output;
  const step = Math.max(1, Math.floor(mostGathered / (patch * cols.output)));
  for (let from = 0; from < all; from += step) {
    const count = Math.min(step, all - from);
    const [patches, wanted] = [matrix(patch, count * cols.output), matrix(outputs, count * cols.output)];
    for (let i = 0; i < count; i++) {
      const [n, y] = [Math.floor((from + i) / rows.output), (from + i) % rows.output];
      for (let o = 0; o < outputs; o++) {
        const at = ((n * outputs + o) * rows.output + y) * cols.output;
        wanted.data.set(numbers(gradient).subarray(at, at + cols.output), (o * count + i) * cols.output);
      }
      for (let entry = 0; entry < patch; entry++) {
        const [c, ky, kx] = [
          Math.floor(entry / (rows.size * cols.size)),
          Math.floor(entry / cols.size) % rows.size,
          entry % cols.size,
        ];
        gather(x, n * inputs + c, rowAt(rows, y, ky), cols, kx, patches.data, (entry * count + i) * cols.output);
      }
    }
    const sum = gemm.timesTransposed(wanted, patches);
    for (let i = 0; i < sum.data.length; i++) total[i]! += sum.data[i]!;
  }
}

const numbers = ({ data }: Value): Float32Array => data as Float32Array;

/** The row of the input that a tap reads for a row of the output. */
const rowAt = ({ stride, before, dilation }: WindowAxes[1], y: number, ky: number): number =>
  y * stride - before + ky * dilation;

/** What one tap reads of a row of a plane for all columns of the output: zeros beyond the input. */
function gather(
  x: Value,
  plane: number,
  row: number,
  { output, stride, before, dilation, input }: WindowAxes[2],
  kx: number,
  to: Float64Array,
  at: number,
): void {
  const height = x.shape[2]!;
  if (row < 0 || row >= height) return; // it is zero already
  const from = (plane * height + row) * input;
  const data = numbers(x);
  for (let i = 0, place = kx * dilation - before; i < output; i++, place += stride)
    if (place >= 0 && place < input) to[at + i] = data[from + place]!;
}

function addDepthwise(total: Float64Array, [, rows, cols]: WindowAxes, x: Value, gradient: Value): void {
  const [images, outputs] = [gradient.shape[0]!, gradient.shape[1]!];
  const [inputs, height, width] = [x.shape[1]!, x.shape[2]!, x.shape[3]!];
  const [from, to] = [numbers(x), numbers(gradient)];
  for (let plane = 0; plane < images * outputs; plane++) {
    const [n, o] = [Math.floor(plane / outputs), plane % outputs];
    const source = (n * inputs + Math.floor((o * inputs) / outputs)) * height;
    for (let y = 0; y < rows.output; y++) {
      const own = (plane * rows.output + y) * cols.output;
      for (let ky = 0; ky < rows.size; ky++) {
        const row = rowAt(rows, y, ky);
        if (row < 0 || row >= height) continue;
        for (let kx = 0; kx < cols.size; kx++) {
          const first = kx * cols.dilation - cols.before;
          const begin = Math.max(0, Math.ceil(-first / cols.stride));
          const end = Math.min(cols.output, Math.floor((width - 1 - first) / cols.stride) + 1);
          const at = (source + row) * width + first;
          let sum = 0;
          for (let i = begin; i < end; i++) sum += to[own + i]! * from[at + i * cols.stride]!;
          total[(o * rows.size + ky) * cols.size + kx]! += sum;
        }
      }
    }
  }
}

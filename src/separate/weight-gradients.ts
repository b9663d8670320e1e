// Gradients of convolution weights and biases: sums over positions of inputs times gradients of the outputs. A matrix
// product for each group, sums of rows for depthwise convolutions.
import { matrix } from "../factor/matrix.ts";
import { numberOf } from "../graph/nodes.ts";
import type { GraphNode, Value } from "../graph/types.ts";
import { type WindowAxes, windowOf } from "../graph/window.ts";
import type { Gemm } from "./gemm.ts";
import { channelsOf } from "./groups.ts";

/** Numbers of patches that are gathered for one product. */
const mostGathered = 2 ** 22;

/**
 * Adds the gradient of the weight [out, in / groups, kh, kw] to `total`, for an input [n, in, h, w] and the gradient of the result
 * [n, out, h, w].
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
  const groups = numberOf(node, "group", 1);
  if (groups > 1 && groups === x.shape[1]) {
    addDepthwise(total, window, x, gradient);
    return;
  }
  const add = isPointwise(window) ? addPointwise : addProducts;
  const each = total.length / groups;
  for (let i = 0; i < groups; i++) {
    const [own, wanted] = [channelsOf(x, i, groups), channelsOf(gradient, i, groups)];
    add(total.subarray(i * each, (i + 1) * each), window, own, wanted, gemm);
  }
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

/** The product of the gradients' planes and the input's, of all pictures. */
function addPointwise(total: Float64Array, _window: WindowAxes, x: Value, gradient: Value, gemm: Gemm): void {
  const [images, places] = [x.shape[0]!, x.shape[2]! * x.shape[3]!];
  gemm.addTimesTransposed(total, numbers(gradient), numbers(x), images, places);
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

/** Each plane of the input is padded once, so that no tap leaves it. */
function addDepthwise(total: Float64Array, [, rows, cols]: WindowAxes, x: Value, gradient: Value): void {
  const [images, outputs] = [gradient.shape[0]!, gradient.shape[1]!];
  const [inputs, taps, wanted] = [x.shape[1]!, rows.size * cols.size, numbers(gradient)];
  const places = rows.output * cols.output;
  const padded = new Float64Array(spanOf(rows) * spanOf(cols));
  for (let plane = 0; plane < images * outputs; plane++) {
    const [n, o] = [Math.floor(plane / outputs), plane % outputs];
    pad(x, n * inputs + Math.floor((o * inputs) / outputs), rows, cols, padded);
    const own = wanted.subarray(plane * places, (plane + 1) * places);
    for (let ky = 0; ky < rows.size; ky++)
      for (let kx = 0; kx < cols.size; kx += 3)
        addTaps(total, o * taps + ky * cols.size, ky, kx, own, padded, rows, cols);
  }
}

/** Adds the sums of up to three taps of a row, from `kx` on; `at` is that of the first in the row. */
function addTaps(
  total: Float64Array,
  at: number,
  ky: number,
  kx: number,
  wanted: Float32Array,
  padded: Float64Array,
  { output: height, stride, dilation }: WindowAxes[1],
  cols: WindowAxes[2],
): void {
  const width = spanOf(cols);
  const [second, third] = [1, 2].map((tap) => (kx + tap < cols.size ? tap * cols.dilation : 0)) as [number, number];
  let [a, b, c] = [0, 0, 0];
  for (let y = 0, from = 0; y < height; y++) {
    let place = (y * stride + ky * dilation) * width + kx * cols.dilation;
    for (const end = from + cols.output; from < end; from++, place += cols.stride) {
      const own = wanted[from]!;
      a += own * padded[place]!;
      b += own * padded[place + second]!;
      c += own * padded[place + third]!;
    }
  }
  total[at + kx]! += a;
  if (second > 0) total[at + kx + 1]! += b;
  if (third > 0) total[at + kx + 2]! += c;
}

/** From the first to the last place that is read along an axis. */
const spanOf = ({ output, stride, size, dilation }: WindowAxes[1]): number =>
  (output - 1) * stride + (size - 1) * dilation + 1;

function pad(x: Value, plane: number, rows: WindowAxes[1], cols: WindowAxes[2], to: Float64Array): void {
  const width = spanOf(cols);
  const [from, until] = [Math.max(0, cols.before), Math.min(width, cols.before + cols.input)];
  for (let at = 0, y = -rows.before; at < to.length; at += width, y++) {
    if (y < 0 || y >= rows.input) continue;
    const row = (plane * rows.input + y) * cols.input;
    to.set(numbers(x).subarray(row + from - cols.before, row + until - cols.before), at + from);
  }
}

// The windows of convolutions and pools: pads, strides and dilations of each axis, and which inputs each tap reads.
// Always three axes; missing leading ones have length 1.
import { listOf, refuse, textOf, unsupported } from "./nodes.ts";
import type { GraphNode } from "./types.ts";

/** Output o reads the inputs o · stride − before + k · dilation for k from 0 up to size. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  /** Pads before and after the input. */
  readonly before: number;
  readonly after: number;
}

export type WindowAxes = readonly [depth: Axis, height: Axis, width: Axis];

const one: Axis = { input: 1, output: 1, size: 1, stride: 1, dilation: 1, before: 0, after: 0 };

export const elementsIn = (window: WindowAxes, what: "input" | "output" | "size"): number =>
  window.reduce((product, axis) => product * axis[what], 1);

/** From the first to the last input under the window. */
const extent = ({ size, dilation }: Axis): number => (size - 1) * dilation + 1;

type AutoPad = "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER";

/** What the attributes say of each axis; `complete` adds what follows from it. */
function windowFrom(
  node: GraphNode,
  sides: readonly number[],
  sizes: readonly number[],
  complete: (axis: Axis, index: number, auto: AutoPad) => Axis,
): WindowAxes {
  const rank = sides.length;
  if (rank < 1 || rank > 3) unsupported(node, "one to three axes after the channels", `${rank}`);
  const list = (name: string, fill: number, given = listOf(node, name), count = rank): readonly number[] => {
    const values = given ?? Array<number>(count).fill(fill);
    const fits = values.length === count && values.every((v) => Number.isInteger(v) && v >= fill);
    return fits ? values : refuse(node, `${count} integers of at least ${fill} as ${name}`, values);
  };
  const [inputs, size, pads] = [
    list("input", 1, sides),
    list("kernel_shape", 1, sizes),
    list("pads", 0, undefined, 2 * rank),
  ];
  const [strides, dilations] = [list("strides", 1), list("dilations", 1)];
  const auto = textOf(node, "auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]);
  const axes = inputs.map((input, i): Axis => {
    const [before, after] = auto === "NOTSET" ? [pads[i]!, pads[i + rank]!] : [0, 0];
    const axis = { input, output: 0, size: size[i]!, stride: strides[i]!, dilation: dilations[i]!, before, after };
    return complete(axis, i, auto);
  });
  return [one, one, ...axes].slice(-3) as unknown as WindowAxes;
}

/** Pads of which the larger half stands before the input if `lower`, else after it. */
function padded(axis: Axis, total: number, lower: boolean): Axis {
  const [small, large] = [Math.floor(Math.max(0, total) / 2), Math.ceil(Math.max(0, total) / 2)];
  return { ...axis, before: lower ? large : small, after: lower ? small : large };
}

/** The window of a convolution or pool; with `ceil` a last window may begin within the input and end outside. */
export function windowOf(node: GraphNode, shape: readonly number[], size: readonly number[], ceil = false): WindowAxes {
  return windowFrom(node, shape.slice(2), size, (axis, _, auto) => {
    const { input, stride, before, after } = axis;
    if (auto.startsWith("SAME")) {
      const output = Math.ceil(input / stride);
      return padded({ ...axis, output }, (output - 1) * stride + extent(axis) - input, auto === "SAME_LOWER");
    }
    const rest = (input + before + after - extent(axis)) / stride;
    const last = ceil ? Math.ceil(rest) : Math.floor(rest);
    if (last < 0) refuse(node, `an input that holds a window of [${size}]`, shape);
    return { ...axis, output: ceil && last * stride >= input + before ? last : last + 1 };
  });
}

/** The window of the convolution whose adjoint the node is: its input is the node's result. */
export function transposedWindow(node: GraphNode, shape: readonly number[], size: readonly number[]): WindowAxes {
  const extra = listOf(node, "output_padding");
  const given = listOf(node, "output_shape")?.slice(2 - shape.length);
  return windowFrom(node, shape.slice(2), size, (axis, i, auto) => {
    const { input: output, stride, before, after } = axis;
    const full = (output - 1) * stride + extent(axis) + (extra?.[i] ?? 0);
    const same = auto.startsWith("SAME") ? output * stride : undefined;
    const input = given?.[i] ?? same ?? full - before - after;
    if (!(Number.isInteger(input) && input > 0)) refuse(node, "a result with sides of at least 1", input);
    const turned = { ...axis, input, output };
    return given || same ? padded(turned, full - input, auto !== "SAME_UPPER") : turned;
  });
}

/**
 * For each tap (row-major in the window) the runs of neighbouring outputs that read the input through it, as triples in one
 * list: first output, first input, count. Inputs of a run lie a stride along the width apart. Neighbouring runs are joined.
 */
export function runsOf([depth, height, width]: WindowAxes): number[][] {
  const taps: number[][] = [];
  for (let kz = 0; kz < depth.size; kz++) {
    for (let ky = 0; ky < height.size; ky++) {
      for (let kx = 0; kx < width.size; kx++) {
        const [z, y, x] = [reach(depth, kz), reach(height, ky), reach(width, kx)];
        const runs: number[] = [];
        for (let oz = z.first; oz < z.end && x.first < x.end; oz++) {
          for (let oy = y.first; oy < y.end; oy++) {
            const to = (oz * height.output + oy) * width.output + x.first;
            const from = (oz * depth.stride + z.start) * height.input + oy * height.stride + y.start;
            append(runs, to, from * width.input + x.first * width.stride + x.start, x.end - x.first, width.stride);
          }
        }
        taps.push(runs);
      }
    }
  }
  return taps;
}

/** The outputs that read the input through tap `k`; output o reads input o · stride + start. */
function reach(
  { input, output, stride, dilation, before }: Axis,
  k: number,
): { start: number; first: number; end: number } {
  const start = k * dilation - before;
  const end = Math.min(output, Math.floor((input - 1 - start) / stride) + 1);
  return { start, first: Math.max(0, Math.ceil(-start / stride)), end };
}

function append(runs: number[], to: number, from: number, count: number, stride: number): void {
  const last = runs.length - 3;
  const length = runs[last + 2] ?? 0;
  if (last >= 0 && runs[last]! + length === to && runs[last + 1]! + length * stride === from)
    runs[last + 2] = length + count;
  else runs.push(to, from, count);
}

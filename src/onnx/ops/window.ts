// Where the outputs of convolutions and pools look. One and two axes are treated as three, the first ones of length 1.
import { listOf, refuse, textOf, unsupported } from "../../graph/nodes.ts";
import type { GraphNode } from "../../graph/types.ts";
import { sizeOf } from "../../graph/values.ts";

/** Depth, height, width. */
export type Triple = readonly [number, number, number];

export interface Window {
  size: Triple;
  strides: Triple;
  dilations: Triple;
  /** Pads before and after the input. */
  before: Triple;
  after: Triple;
  input: Triple;
  output: Triple;
}

/** A list with one entry an axis as three, missing axes filled in front. */
function triple(
  node: GraphNode,
  what: string,
  list: readonly number[],
  axes: number,
  least: number,
  fill: number,
): Triple {
  if (list.length !== axes || !list.every((v) => Number.isInteger(v) && v >= least)) {
    refuse(node, `${axes} integers of at least ${least} as ${what}`, list);
  }
  return [fill, fill, fill, ...list].slice(-3) as unknown as Triple;
}

const extent = (w: Omit<Window, "output">, axis: number): number => (w.size[axis]! - 1) * w.dilations[axis]! + 1;

const eachAxis = (f: (axis: number) => number): Triple => [f(0), f(1), f(2)];

function checkAxes(node: GraphNode, shape: readonly number[]): number {
  const axes = shape.length - 2;
  if (axes < 1) refuse(node, "a batch of channels with at least one axis more", shape);
  return axes <= 3 ? axes : unsupported(node, "at most three axes after the channels", `${axes}`);
}

/** What attributes say, with pads as they stand there; `same` where they follow from the size of the result. */
function basics(node: GraphNode, shape: readonly number[], size: readonly number[]) {
  const axes = checkAxes(node, shape);
  const ones = shape.slice(2).map(() => 1);
  const pads = listOf(node, "pads") ?? [...ones, ...ones].map(() => 0);
  const auto = textOf(node, "auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]);
  const pad = (list: readonly number[]): Triple =>
    auto === "VALID" ? [0, 0, 0] : triple(node, "one half of pads", list, axes, 0, 0);
  return {
    axes,
    auto,
    size: triple(node, "kernel_shape", size, axes, 1, 1),
    strides: triple(node, "strides", listOf(node, "strides") ?? ones, axes, 1, 1),
    dilations: triple(node, "dilations", listOf(node, "dilations") ?? ones, axes, 1, 1),
    before: pad(pads.slice(0, axes)),
    after: pad(pads.slice(axes)),
    input: triple(node, "sides of the input", shape.slice(2), axes, 1, 1),
  };
}

/** Pads of which the larger half stands before the input if `lower`, else after it. */
function halves(total: Triple, lower: boolean): [before: Triple, after: Triple] {
  const small = eachAxis((axis) => Math.floor(total[axis]! / 2));
  const large = eachAxis((axis) => total[axis]! - small[axis]!);
  return lower ? [large, small] : [small, large];
}

/** The window of a convolution or pool over [batch, channels, ...] with `ceil`: a last window may begin within the input. */
export function windowOf(node: GraphNode, shape: readonly number[], size: readonly number[], ceil = false): Window {
  const { axes: _, auto, ...w } = basics(node, shape, size);
  if (auto.startsWith("SAME")) {
    const output = eachAxis((axis) => Math.ceil(w.input[axis]! / w.strides[axis]!));
    const total = eachAxis((axis) =>
      Math.max(0, (output[axis]! - 1) * w.strides[axis]! + extent(w, axis) - w.input[axis]!),
    );
    const [before, after] = halves(total, auto === "SAME_LOWER");
    return { ...w, before, after, output };
  }
  const output = eachAxis((axis) => {
    const [stride, start] = [w.strides[axis]!, w.before[axis]!];
    const rest = (w.input[axis]! + start + w.after[axis]! - extent(w, axis)) / stride;
    const last = ceil ? Math.ceil(rest) : Math.floor(rest);
    return 1 + (ceil && last * stride >= w.input[axis]! + start ? last - 1 : last);
  });
  if (output.some((side) => side < 1)) refuse(node, `an input that holds a window of [${size}]`, shape);
  return { ...w, output };
}

/** The window of the convolution whose adjoint the node is: its output is the node's input. */
export function transposedWindow(node: GraphNode, shape: readonly number[], size: readonly number[]): Window {
  const { axes, auto, input: output, ...w } = basics(node, shape, size);
  const zeros = shape.slice(2).map(() => 0);
  const extra = triple(node, "output_padding", listOf(node, "output_padding") ?? zeros, axes, 0, 0);
  const given = listOf(node, "output_shape");
  const full = eachAxis(
    (axis) => (output[axis]! - 1) * w.strides[axis]! + extent({ ...w, input: output }, axis) + extra[axis]!,
  );
  const same = auto.startsWith("SAME");
  if (!given && !same) {
    const input = eachAxis((axis) => full[axis]! - w.before[axis]! - w.after[axis]!);
    if (input.some((side) => side < 1)) refuse(node, "pads that leave something", [w.before, w.after].join(" and "));
    return { ...w, input, output };
  }
  const input = given
    ? triple(node, "output_shape", given.slice(-axes), axes, 1, 1)
    : eachAxis((axis) => output[axis]! * w.strides[axis]!);
  const total = eachAxis((axis) => Math.max(0, full[axis]! - input[axis]!));
  const [before, after] = halves(total, auto !== "SAME_UPPER");
  return { ...w, before, after, input, output };
}

/**
 * For each tap (row-major in the window) the runs of neighbouring outputs that read the input through it, as triples in one
 * list: first output, first input, count. Inputs of a run lie a stride along the width apart. Neighbouring runs are joined.
 */
export function runsOf({ size, strides, dilations, before, input, output }: Window): number[][] {
  const taps = Array.from({ length: sizeOf(size) }, (_, tap) => [
    Math.floor(tap / (size[1] * size[2])),
    Math.floor(tap / size[2]) % size[1],
    tap % size[2],
  ]);
  return taps.map((tap) => {
    const start = eachAxis((axis) => tap[axis]! * dilations[axis]! - before[axis]!);
    const first = eachAxis((axis) => Math.max(0, Math.ceil(-start[axis]! / strides[axis]!)));
    const end = eachAxis((axis) =>
      Math.min(output[axis]!, Math.floor((input[axis]! - 1 - start[axis]!) / strides[axis]!) + 1),
    );
    const runs: number[] = [];
    const count = end[2] - first[2];
    for (let z = first[0]; count > 0 && z < end[0]; z++) {
      for (let y = first[1]; y < end[1]; y++) {
        const to = (z * output[1] + y) * output[2] + first[2];
        const from = ((z * strides[0] + start[0]) * input[1] + y * strides[1] + start[1]) * input[2];
        append(runs, to, from + first[2] * strides[2] + start[2], count, strides[2]);
      }
    }
    return runs;
  });
}

function append(runs: number[], to: number, from: number, count: number, stride: number): void {
  const last = runs.length - 3;
  const length = runs[last + 2] ?? 0;
  if (last >= 0 && runs[last]! + length === to && runs[last + 1]! + length * stride === from)
    runs[last + 2] = length + count;
  else runs.push(to, from, count);
}

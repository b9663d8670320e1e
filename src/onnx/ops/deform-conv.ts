// DeformConv: a convolution that reads each tap of each place a little aside, by offsets between elements.
import { countOf, floats, listOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { numbersOf, write } from "../../graph/values.ts";
import { elementsIn, type WindowAxes, windowOf } from "../../graph/window.ts";
import { plural } from "../../words.ts";
import { piecesOf } from "./gemm.ts";

interface Deformed {
  window: WindowAxes;
  groups: number;
  offsetGroups: number;
  shape: number[];
}

function deformedOf(node: GraphNode, inputs: readonly (Spec | undefined)[]): Deformed {
  const x = required(node, inputs, 0, floats);
  const [weight, offset] = [1, 2].map((i) => required(node, inputs, i, [x.dtype]).shape) as [number[], number[]];
  const [groups, offsetGroups] = [countOf(node, "group", 1), countOf(node, "offset_group", 1)];
  const [batch = 0, channels = 0] = x.shape;
  const [outChannels = 0, each = 0, ...size] = weight;
  if (x.shape.length !== 4 || weight.length !== 4)
    refuse(node, "an input and a weight of four axes", [x.shape, weight]);
  const declared = listOf(node, "kernel_shape") ?? size;
  const fits = each * groups === channels && outChannels % groups === 0 && channels % offsetGroups === 0;
  if (!fits || `${declared}` !== `${size}`)
    refuse(node, `a weight for [${x.shape}] in ${plural(groups, "group")}`, weight);
  const window = windowOf(node, x.shape, size);
  const sides = window.slice(1).map(({ output }) => output);
  const taps = elementsIn(window, "size");
  const checks = [
    [offset, [batch, offsetGroups * taps * 2, ...sides]],
    [inputs[3]?.shape, [outChannels]],
    [inputs[4]?.shape, [batch, offsetGroups * taps, ...sides]],
  ] as const;
  for (const [given, wanted] of checks)
    if (given && `${given}` !== `${wanted}`) refuse(node, `an input [${wanted}]`, given);
  return { window, groups, offsetGroups, shape: [batch, outChannels, ...sides] };
}

/** Between four elements of a plane; 0 outside. */
function between(plane: Float64Array, height: number, width: number, y: number, x: number): number {
  if (!(y > -1 && x > -1 && y < height && x < width)) return 0;
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [down, right] = [y - top, x - left];
  const at = (row: number, column: number): number =>
    row >= 0 && column >= 0 && row < height && column < width ? plane[row * width + column]! : 0;
  const above = (1 - right) * at(top, left) + right * at(top, left + 1);
  const below = (1 - right) * at(top + 1, left) + right * at(top + 1, left + 1);
  return (1 - down) * above + down * below;
}

export const deformConv: Operator = {
  name: "DeformConv",
  infer: (node, inputs) => [{ dtype: required(node, inputs, 0).dtype, shape: deformedOf(node, inputs).shape }],
  *run(node, inputs, [y]) {
    const { window, groups, offsetGroups, shape } = deformedOf(node, inputs);
    const [x, weight, offsets, bias, mask] = inputs.map((input) => input && numbersOf(input));
    const [, vertical, horizontal] = window;
    const channels = inputs[0]!.shape[1]!;
    const [taps, places, plane] = (["size", "output", "input"] as const).map((side) => elementsIn(window, side)) as [
      number,
      number,
      number,
    ];
    const [batch = 0, outChannels = 0] = shape;
    const perGroup = channels / groups;
    /** What each tap reads of a channel at a place. */
    const read = new Float64Array(channels * taps);
    const sums = new Float64Array(outChannels * places);
    const part = piecesOf(taps * (16 * channels + outChannels * perGroup));
    for (let n = 0; n < batch; n++) {
      for (let p = 0; p < places; p++) {
        if (p % part === 0) yield;
        const [row, column] = [Math.floor(p / horizontal.output), p % horizontal.output];
        for (let c = 0; c < channels; c++) {
          const own = x!.subarray((n * channels + c) * plane, (n * channels + c + 1) * plane);
          const group = n * offsetGroups + Math.floor((c * offsetGroups) / channels);
          for (let k = 0; k < taps; k++) {
            const [ky, kx] = [Math.floor(k / horizontal.size), k % horizontal.size];
            const at = (group * taps + k) * 2 * places + p;
            const top = row * vertical.stride - vertical.before + ky * vertical.dilation + offsets![at]!;
            const left =
              column * horizontal.stride - horizontal.before + kx * horizontal.dilation + offsets![at + places]!;
            const share = mask ? mask[(group * taps + k) * places + p]! : 1;
            read[c * taps + k] = share * between(own, vertical.input, horizontal.input, top, left);
          }
        }
        for (let o = 0; o < outChannels; o++) {
          const first = Math.floor((o * groups) / outChannels) * perGroup * taps;
          let sum = bias ? bias[o]! : 0;
          for (let i = 0; i < perGroup * taps; i++) sum += weight![o * perGroup * taps + i]! * read[first + i]!;
          sums[o * places + p] = sum;
        }
      }
      write(y!, sums, n * sums.length);
    }
  },
};

// The loops of all convolutions and transposed convolutions: one plane of one output channel after the other, summed in
// f64.
import type { Steps } from "../../engine/turns.ts";
import { countOf, listOf, refuse } from "../../graph/nodes.ts";
import type { GraphNode, Spec } from "../../graph/types.ts";
import { elementsIn, runsOf, transposedWindow, type WindowAxes, windowOf } from "../../graph/window.ts";
import { plural } from "../../words.ts";
import { piecesOf } from "./gemm.ts";

export interface Convolution {
  window: WindowAxes;
  batch: number;
  groups: number;
  inChannels: number;
  outChannels: number;
  /** The weight is [in, out / groups, ...], and inputs are scattered to the outputs instead of gathered from the inputs. */
  transposed: boolean;
  /** Shape of the result. */
  shape: number[];
}

export function convolutionOf(node: GraphNode, x: Spec, weight: Spec, bias?: Spec, transposed = false): Convolution {
  const [batch = 0, inChannels = 0] = x.shape;
  const [first = 0, second = 0, ...size] = weight.shape;
  const groups = countOf(node, "group", 1);
  const outChannels = transposed ? second * groups : first;
  const declared = listOf(node, "kernel_shape") ?? size;
  if (weight.shape.length !== x.shape.length || `${declared}` !== `${size}`) {
    refuse(node, `a weight for [${x.shape}] with a window of [${declared}]`, weight.shape);
  }
  const fits =
    inChannels % groups === 0 && outChannels % groups === 0 && inChannels === (transposed ? first : second * groups);
  if (!fits) refuse(node, `a weight for ${plural(inChannels, "channel")} in ${plural(groups, "group")}`, weight.shape);
  if (bias && `${bias.shape}` !== `${outChannels}`)
    refuse(node, `a bias of ${plural(outChannels, "number")}`, bias.shape);
  const window = (transposed ? transposedWindow : windowOf)(node, x.shape, size);
  const sides = window.map(({ input, output }) => (transposed ? input : output)).slice(5 - x.shape.length);
  return { window, batch, groups, inChannels, outChannels, transposed, shape: [batch, outChannels, ...sides] };
}

/** Hands over the sums of one plane at a time: valid during the call, `at` is the place of the plane in the result. */
export function* convolve(
  { window, batch, groups, inChannels, outChannels, transposed }: Convolution,
  x: Float64Array,
  weight: Float64Array,
  done: (sums: Float64Array, channel: number, at: number) => void,
): Steps {
  const runs = runsOf(window);
  const stride = window[2].stride;
  const [inputs, outputs] = [elementsIn(window, "input"), elementsIn(window, "output")];
  const [plane, outPlane] = transposed ? [outputs, inputs] : [inputs, outputs];
  const [perIn, perOut] = [inChannels / groups, outChannels / groups];
  const sums = new Float64Array(outPlane);
  const part = piecesOf(Math.min(plane, outPlane));
  let taps = 0;
  for (let n = 0; n < batch; n++) {
    for (let channel = 0; channel < outChannels; channel++) {
      sums.fill(0);
      const group = Math.floor(channel / perOut);
      for (let c = 0; c < perIn; c++) {
        const from = (n * inChannels + group * perIn + c) * plane;
        const row = transposed ? (group * perIn + c) * perOut + (channel % perOut) : channel * perIn + c;
        for (let tap = 0; tap < runs.length; tap++) {
          const factor = weight[row * runs.length + tap]!;
          if (transposed) scatter(sums, x, from, factor, runs[tap]!, stride);
          else gather(sums, x, from, factor, runs[tap]!, stride);
          if (++taps % part === 0) yield;
        }
      }
      done(sums, channel, (n * outChannels + channel) * outPlane);
    }
  }
}

function gather(
  sums: Float64Array,
  x: Float64Array,
  from: number,
  factor: number,
  runs: number[],
  stride: number,
): void {
  for (let r = 0; r < runs.length; r += 3) {
    const [to, start, count] = [runs[r]!, from + runs[r + 1]!, runs[r + 2]!];
    for (let i = 0; i < count; i++) sums[to + i]! += factor * x[start + i * stride]!;
  }
}

function scatter(
  sums: Float64Array,
  x: Float64Array,
  from: number,
  factor: number,
  runs: number[],
  stride: number,
): void {
  for (let r = 0; r < runs.length; r += 3) {
    const [start, to, count] = [from + runs[r]!, runs[r + 1]!, runs[r + 2]!];
    for (let i = 0; i < count; i++) sums[to + i * stride]! += factor * x[start + i]!;
  }
}

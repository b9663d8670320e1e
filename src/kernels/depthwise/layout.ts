// How the depthwise family holds its parameters and weights: blocks of 8 channels (4 where no more are stored), of each
// the bias and then the taps in the order of rows.
import type { DepthwiseSpec } from "../../plan/types.ts";
import type { Elements } from "../../tensor.ts";
import { type LayerWeights, pixelsOf, type StepBuffers, weightSteps } from "../kernel.ts";
import { wordsOf } from "../words.ts";

export const depthwiseWords = wordsOf(
  ...(["width", "inStep", "inOffset", "rowStep", "kh", "tableStep", "column"] as const),
  ...(["outStep", "outOffset", "targetStep", "channels", "members"] as const),
);

export interface DepthwiseShape {
  /** Channels of a block. */
  side: number;
  /** Elements of all packed weights. */
  weights: number;
  /** Where the weight of (output channel as stored, tap) stands; tap -1 is the bias. */
  index(channel: number, tap: number): number;
}

export function depthwiseShape({ size, depthMultiplier }: DepthwiseSpec, stored: number): DepthwiseShape {
  const side = Math.min(8, stored);
  const block = (size[0] * size[1] + 1) * side;
  return {
    side,
    weights: ((stored * depthMultiplier) / side) * block,
    index: (channel, tap) => Math.floor(channel / side) * block + (tap + 1) * side + (channel % side),
  };
}

export function depthwiseParams(spec: DepthwiseSpec, { reads, write }: StepBuffers): Uint8Array {
  const { channels, left = 0 } = reads[0]!;
  const pixel = channels * 4;
  return depthwiseWords.pack({
    ...{ width: spec.phase?.count ?? pixelsOf(write), targetStep: (spec.rowsOut ?? 1) * 4 },
    ...{ inStep: spec.strides[1] * pixel, inOffset: (left - spec.pads[1]) * pixel, column: pixel },
    ...{ rowStep: spec.strides[0] * 4, kh: spec.size[0], tableStep: spec.dilations[0] * 4 },
    outStep: (spec.phase?.step ?? 1) * write.channels * 4,
    outOffset: ((write.left ?? 0) + (spec.phase?.start ?? 0)) * write.channels * 4,
    ...{ channels: pixel, members: spec.depthMultiplier },
  });
}

/** Packs a weight of one input and channels · multiplier outputs, and a bias of these, for `stored` channels. */
export function packDepthwise(spec: DepthwiseSpec, stored: number, given: LayerWeights, packed: Elements): void {
  const { index } = depthwiseShape(spec, stored);
  const { depthMultiplier, size, channels } = spec;
  const { weight, bias } = given;
  const taps = size[0] * size[1];
  const { tap: tapStep, output } = weightSteps(given, taps, 1, channels * depthMultiplier);
  for (let c = 0; c < channels; c++) {
    for (let m = 0; m < depthMultiplier; m++) {
      const o = c * depthMultiplier + m;
      packed[index(m * stored + c, -1)] = bias?.[o] ?? 0;
      for (let tap = 0; tap < taps; tap++) packed[index(m * stored + c, tap)] = weight[tap * tapStep + o * output]!;
    }
  }
}

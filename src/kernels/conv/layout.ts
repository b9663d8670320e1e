// How the conv family holds what it reads besides pixels: the parameter block, and weights in panels of outputs.
import type { BufferSpec, ConvSpec } from "../../plan/types.ts";
import type { Elements } from "../../tensor.ts";
import { activationNumbers } from "../activation.ts";
import { type LayerWeights, pixelsOf, type StepBuffers, type Units, weightSteps } from "../kernel.ts";
import { withNumbers, wordsOf } from "../words.ts";

/** Outputs of a whole panel; what is left over stands in a panel of 8 or 4. */
export const panelOutputs = 16;

/** Stored channels: padded with zeros, so that pixels are whole vectors. */
export const paddedChannels = (channels: number): number => (channels <= 4 ? 4 : Math.ceil(channels / 8) * 8);

/** Where input `c` is stored: members of a depth multiplier stand one after the other, each padded. */
export const storedInput = ({ inputs, members }: ConvSpec, c: number): number =>
  (c % members) * paddedChannels(inputs / members) + Math.floor(c / members);

/** Stored channels of the output of groups: the vectors of the last group may be longer than it is. */
export const paddedGroups = (outputs: number, groups: number): number =>
  paddedChannels(outputs - outputs / groups + paddedChannels(outputs / groups));

export const convWords = wordsOf(
  ...([
    "width",
    "inStep",
    "inOffset",
    "rowStep",
    "kh",
    "tableStep",
    "targetStep",
    "runs",
    "runBytes",
    "runBump",
  ] as const),
  ...(["outStep", "outOffset", "addStep", "addOffset", "panels", "panelBytes", "tailBytes"] as const),
  ...(["groups", "groupIn", "groupOut"] as const),
);

/** What one group multiplies: from each of kh rows, `runs` stretches of neighbouring pixels. */
export interface ConvShape {
  /** Elements that one output sums. */
  depth: number;
  runs: number;
  /** Elements of a stretch that are multiplied: all at once, or in blocks of four and what is left over. Bytes that blocks span. */
  run: number;
  blockBytes: number;
  /** Inputs of one group, padding included where it is multiplied, too. */
  inputs: number;
  /** Whole panels of outputs, and the outputs of the panel after them: 0, 4 or 8. */
  panels: number;
  tail: number;
  /** Pixels of up to four channels: `pixels` of them at a time, without their padding; all of a row of the window, or a loop. */
  few?: { pixels: number; isRow: boolean };
  /** Up to four outputs: lanes are inputs, and are added when all are multiplied. */
  dots: boolean;
}

/** Elements of a stretch that are multiplied without a loop. */
export const mostStraight = 8;
/** Elements of a row of a window of few channels that are multiplied without a loop. */
const mostUnrolled = 24;
/** The share of padding up to which neighbouring pixels are multiplied as one stretch. */
const mostPadding = 1 / 8;
/** Inputs that stand for lanes, and the least that are worth the additions at their end. */
export const dotLanes = 8;
const leastDots = 24;

export function convShape({ size, dilations, groups, inputs, outputs, members, packed }: ConvSpec): ConvShape {
  const stored = groups === 1 ? members * paddedChannels(inputs / members) : inputs / groups;
  const taps = size[0] * size[1];
  const dots = groups === 1 && outputs <= 4 && !packed && stored % dotLanes === 0 && taps * stored >= leastDots;
  const isFew = groups === 1 && members === 1 && inputs <= 4;
  // Padding is left out where stretches are single pixels, or where it is more than their loop costs.
  const isDense = groups > 1 || members > 1 || dots || (size[1] > 1 && stored <= inputs * (1 + mostPadding));
  const each = isFew || !isDense ? inputs : stored;
  // Neighbouring pixels of a row are one stretch where all their channels are read.
  const joined = groups === 1 && dilations[1] === 1 && (isFew || each === stored);
  const pixels = joined ? size[1] : 1;
  const padded = paddedChannels(outputs / groups);
  const run = pixels * each;
  const isRow = run <= mostUnrolled && pixels === size[1];
  return {
    ...{ depth: taps * each, runs: joined ? 1 : size[1], run, inputs: each },
    blockBytes: isFew ? pixels * stored * 4 : dots || run > mostStraight ? (run - (run % 4)) * 4 : 0,
    ...{ panels: Math.floor(padded / panelOutputs), tail: padded % panelOutputs },
    ...(isFew && { few: { pixels: isRow ? pixels : 1, isRow } }),
    dots,
  };
}

/** Pixels whose dot products are summed at once: as many as there are registers for. */
export const dotTile = (outputs: number, wide: boolean): number => (wide ? [0, 8, 5, 3, 3] : [0, 6, 3, 2, 1])[outputs]!;

/** Blocks of inputs that are multiplied in one turn of the loop. */
export const dotUnroll = ({ run }: ConvShape): number => (run % (2 * dotLanes) === 0 ? 2 : 1);

/** Bytes of scratch before the list, for the sums of dot products of one tile. */
export const dotBytes = (spec: ConvSpec): number => (convShape(spec).dots ? 12 * dotLanes * 4 : 0);

/** Output pixels that are summed at once, at most. */
export const mostTile = 8;

/**
 * Output pixels that are summed at once: the tile that wastes least, since what is over costs a whole one. 6 are fastest, of two
 * registers each; where all outputs of a pixel are one register, 8: a product takes as long as eight of them are begun.
 */
export function convTile(spec: ConvSpec, write: BufferSpec, wide: boolean): number {
  const { phase, rowsOut = 1, rowStart = 0 } = spec;
  const { panels, tail } = convShape(spec);
  const pixels = (phase?.count ?? pixelsOf(write)) * Math.ceil(((write.height ?? 1) - rowStart) / rowsOut);
  const best = panels === 0 && tail <= (wide ? 8 : 4) ? 8 : 6;
  const slots = (tile: number): number => Math.ceil(pixels / tile) * tile * (1 + 0.06 * (best - tile));
  return [best, best - 1, best - 2].reduce((least, tile) => (slots(tile) < slots(least) ? tile : least));
}

/** Panels of outputs, the last of them perhaps smaller, among which the work on one row can be split. */
export function convUnits(spec: ConvSpec): number {
  const { panels, tail } = convShape(spec);
  return spec.groups === 1 && !spec.packed ? panels + Number(tail > 0) : 1;
}

/** Bytes of packed weights from one panel to the next. */
export const unitBytes = (spec: ConvSpec): number => (convShape(spec).depth + 1) * panelOutputs * 4;

export function convParams(spec: ConvSpec, { reads, write }: StepBuffers, units?: Units): Uint8Array {
  const x = reads[0]!;
  const added = spec.residual ? reads[2]! : write;
  const { depth, runs, blockBytes, panels, tail, inputs } = convShape(spec);
  const { first, end } = units ?? { first: 0, end: convUnits(spec) };
  const skipped = first * panelOutputs;
  const hasTail = !units || end > panels;
  const pixel = x.channels * 4;
  const block = convWords.pack({
    ...{
      width: spec.phase?.count ?? pixelsOf(write),
      targetStep: (spec.rowsOut ?? 1) * 4,
      kh: spec.size[0],
      runs,
      runBytes: blockBytes,
      panels: units ? Math.min(end, panels) - first : panels,
      groups: spec.groups,
    },
    ...{ inStep: spec.strides[1] * pixel, inOffset: ((x.left ?? 0) - spec.pads[1]) * pixel },
    ...{ rowStep: spec.strides[0] * 4, tableStep: spec.dilations[0] * 4 },
    runBump: spec.dilations[1] * pixel - blockBytes,
    outStep: (spec.phase?.step ?? 1) * write.channels * 4,
    outOffset: (((write.left ?? 0) + (spec.phase?.start ?? 0)) * write.channels + skipped) * 4,
    ...{ addStep: added.channels * 4, addOffset: ((added.left ?? 0) * added.channels + skipped) * 4 },
    ...{ panelBytes: unitBytes(spec), tailBytes: hasTail ? (depth + 1) * tail * 4 : 0 },
    ...{ groupIn: inputs * 4, groupOut: (spec.outputs / spec.groups) * 4 },
  });
  return withNumbers(block, activationNumbers(spec.activation));
}

/** Elements of all packed weights. */
export function convWeights(spec: ConvSpec): number {
  const { depth, panels, tail, dots } = convShape(spec);
  if (dots) return dotLanes + depth * spec.outputs;
  return spec.groups * (depth + 1) * (panels * panelOutputs + tail);
}

/** Where the weight of (group, output of the group, element of its sum) stands; element -1 is the bias. */
export function convIndex(
  spec: Pick<ConvSpec, "outputs">,
  shape: ConvShape,
  group: number,
  output: number,
  element: number,
): number {
  const { depth, panels, tail, dots } = shape;
  if (dots) {
    if (element < 0) return output;
    const block = Math.floor(element / dotLanes) * spec.outputs + output + 1;
    return block * dotLanes + (element % dotLanes);
  }
  const panel = Math.min(panels, Math.floor(output / panelOutputs));
  const side = panel < panels ? panelOutputs : tail;
  const start = (group * (panels * panelOutputs + tail) + panel * panelOutputs) * (depth + 1);
  return start + (element + 1) * side + output - panel * panelOutputs;
}

/** Packs a weight of inputs / groups and outputs, and a bias [outputs]. */
export function packConv(spec: ConvSpec, given: LayerWeights, packed: Elements): void {
  const shape = convShape(spec);
  const [each, outputs] = [spec.inputs / spec.groups, spec.outputs / spec.groups];
  const stored = Array.from({ length: each }, (_, c) => storedInput(spec, c));
  const taps = spec.size[0] * spec.size[1];
  const { weight, bias } = given;
  const { tap: tapStep, input: inputStep, output: outputStep } = weightSteps(given, taps, each, spec.outputs);
  const count = shape.dots ? 1 : panelOutputs;
  for (let group = 0; group < spec.groups; group++) {
    for (let first = 0; first < outputs; first += count) {
      const index = (element: number): number => convIndex(spec, shape, group, first, element);
      const end = Math.min(count, outputs - first);
      const start = group * outputs + first;
      if (bias) for (let o = 0; o < end; o++) packed[index(-1) + o] = bias[start + o]!;
      for (let tap = 0; tap < taps; tap++) {
        for (let c = 0; c < each; c++) {
          const to = index(tap * shape.inputs + stored[c]!);
          const from = tap * tapStep + c * inputStep + start * outputStep;
          for (let o = 0; o < end; o++) packed[to + o] = weight[from + o * outputStep]!;
        }
      }
    }
  }
}

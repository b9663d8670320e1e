// How the conv family holds what it reads besides pixels: the parameter block, and weights in panels of outputs.
import type { BufferSpec, ConvSpec } from "../../plan/types.ts";
import type { Elements } from "../../tensor.ts";
import { type LayerWeights, pixelsOf, type StepBuffers, type Units, weightSteps } from "../kernel.ts";
import { wordsOf } from "../words.ts";

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

/** What one group multiplies: from each of kh rows, `runs` stretches of `run` neighbouring elements. */
export interface ConvShape {
  /** Elements that one output sums. */
  depth: number;
  runs: number;
  run: number;
  /** Inputs of one group, padding included where all channels are read. */
  inputs: number;
  /** Whole panels of outputs, and the outputs of the panel after them: 0, 4 or 8. */
  panels: number;
  tail: number;
}

export function convShape({ size, dilations, groups, inputs, outputs, members }: ConvSpec): ConvShape {
  const each = groups === 1 ? members * paddedChannels(inputs / members) : inputs / groups;
  // Neighbouring pixels of a row are one stretch where all their channels are read.
  const joined = groups === 1 && dilations[1] === 1;
  const padded = paddedChannels(outputs / groups);
  return {
    depth: size[0] * size[1] * each,
    ...{ runs: joined ? 1 : size[1], run: joined ? size[1] * each : each, inputs: each },
    ...{ panels: Math.floor(padded / panelOutputs), tail: padded % panelOutputs },
  };
}

/** Output pixels that are summed at once: the tile that wastes least. 6 are fastest, and what is over costs a whole tile. */
export function convTile({ phase, rowsOut = 1, rowStart = 0 }: ConvSpec, write: BufferSpec): number {
  const pixels = (phase?.count ?? pixelsOf(write)) * Math.ceil(((write.height ?? 1) - rowStart) / rowsOut);
  const slots = (tile: number): number => Math.ceil(pixels / tile) * tile * (1 + 0.06 * (6 - tile));
  return [6, 5, 4].reduce((best, tile) => (slots(tile) < slots(best) ? tile : best));
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
  const { depth, runs, run, panels, tail, inputs } = convShape(spec);
  const { first, end } = units ?? { first: 0, end: convUnits(spec) };
  const skipped = first * panelOutputs;
  const hasTail = !units || end > panels;
  const pixel = x.channels * 4;
  return convWords.pack({
    ...{
      width: spec.phase?.count ?? pixelsOf(write),
      targetStep: (spec.rowsOut ?? 1) * 4,
      kh: spec.size[0],
      runs,
      runBytes: run * 4,
      panels: units ? Math.min(end, panels) - first : panels,
      groups: spec.groups,
    },
    ...{ inStep: spec.strides[1] * pixel, inOffset: ((x.left ?? 0) - spec.pads[1]) * pixel },
    ...{ rowStep: spec.strides[0] * 4, tableStep: spec.dilations[0] * 4 },
    runBump: spec.dilations[1] * pixel - run * 4,
    outStep: (spec.phase?.step ?? 1) * write.channels * 4,
    outOffset: (((write.left ?? 0) + (spec.phase?.start ?? 0)) * write.channels + skipped) * 4,
    ...{ addStep: added.channels * 4, addOffset: ((added.left ?? 0) * added.channels + skipped) * 4 },
    ...{ panelBytes: unitBytes(spec), tailBytes: hasTail ? (depth + 1) * tail * 4 : 0 },
    ...{ groupIn: inputs * 4, groupOut: (spec.outputs / spec.groups) * 4 },
  });
}

/** Elements of all packed weights. */
export function convWeights(spec: ConvSpec): number {
  const { depth, panels, tail } = convShape(spec);
  return spec.groups * (depth + 1) * (panels * panelOutputs + tail);
}

/** Where the weight of (group, output of the group, element of its sum) stands; element -1 is the bias. */
export function convIndex(shape: ConvShape, group: number, output: number, element: number): number {
  const { depth, panels, tail } = shape;
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
  for (let group = 0; group < spec.groups; group++) {
    for (let first = 0; first < outputs; first += panelOutputs) {
      const count = Math.min(panelOutputs, outputs - first);
      const start = group * outputs + first;
      const base = convIndex(shape, group, first, 0);
      const side = base - convIndex(shape, group, first, -1);
      if (bias) for (let o = 0; o < count; o++) packed[base - side + o] = bias[start + o]!;
      for (let tap = 0; tap < taps; tap++) {
        for (let c = 0; c < each; c++) {
          const to = base + (tap * shape.inputs + stored[c]!) * side;
          const from = tap * tapStep + c * inputStep + start * outputStep;
          for (let o = 0; o < count; o++) packed[to + o] = weight[from + o * outputStep]!;
        }
      }
    }
  }
}

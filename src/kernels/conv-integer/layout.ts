// How the conv-integer family holds weights: panels of outputs, in which the 16-bit weights of two neighbouring inputs stand
// together. Before them stand the biases and, in f32, the factors. The parameter block is that of the conv family, and bounds.
import type { BufferSpec, ConvIntegerSpec } from "../../plan/types.ts";
import { bytesOf, type Elements } from "../../tensor.ts";
import { convWords, paddedChannels, panelOutputs } from "../conv/layout.ts";
import { type LayerWeights, pixelsOf, type StepBuffers, type Units, weightSteps } from "../kernel.ts";

/** What one output sums, in pairs of inputs: from each of kh rows, `runs` stretches of `run` neighbours. */
export function integerShape({ size, dilations, inputs, outputs }: ConvIntegerSpec) {
  const each = paddedChannels(inputs) / 2;
  const joined = dilations[1] === 1;
  const padded = paddedChannels(outputs);
  return {
    ...{ depth: size[0] * size[1] * each, each },
    ...{ runs: joined ? 1 : size[1], run: joined ? size[1] * each : each },
    ...{ panels: Math.floor(padded / panelOutputs), tail: padded % panelOutputs },
  };
}

/** Rows of a panel before the weights: biases and factors. */
const head = 2;

/** Words of all packed weights. */
export function integerWeights(spec: ConvIntegerSpec): number {
  const { depth, panels, tail } = integerShape(spec);
  return (depth + head) * (panels * panelOutputs + tail);
}

export const integerUnits = (spec: ConvIntegerSpec): number => {
  const { panels, tail } = integerShape(spec);
  return panels + Number(tail > 0);
};

export const integerUnitBytes = (spec: ConvIntegerSpec): number => (integerShape(spec).depth + head) * panelOutputs * 4;

/** Where a word of an output stands: its bias, its factor, and then its pairs of weights. */
export function wordIndex(spec: ConvIntegerSpec, output: number, word: number): number {
  const { depth, panels, tail } = integerShape(spec);
  const panel = Math.min(panels, Math.floor(output / panelOutputs));
  const side = panel < panels ? panelOutputs : tail;
  return panel * panelOutputs * (depth + head) + word * side + output - panel * panelOutputs;
}

const floats = new Float32Array(1);
const bits = new Int32Array(floats.buffer);
const bitsOf = (value: number): number => {
  floats[0] = value;
  return bits[0]!;
};
export const floatOf = (word: number): number => {
  bits[0] = word;
  return floats[0]!;
};

/** Packs integer weights, biases and factors into words. */
export function packIntegers(spec: ConvIntegerSpec, given: LayerWeights, packed: Elements): void {
  const { inputs, outputs, size } = spec;
  const [taps, { each }] = [size[0] * size[1], integerShape(spec)];
  const { weight, bias, factors } = given;
  const steps = weightSteps(given, taps, inputs, outputs);
  for (let o = 0; o < outputs; o++) {
    const start = wordIndex(spec, o, 0);
    const side = wordIndex(spec, o, 1) - start;
    packed[start] = bias?.[o] ?? 0;
    packed[start + side] = bitsOf(factors ? factors[factors.length === 1 ? 0 : o]! : 1);
    for (let tap = 0, at = start + 2 * side; tap < taps; tap++) {
      for (let pair = 0; pair < each; pair++, at += side) {
        const from = tap * steps.tap + o * steps.output + 2 * pair * steps.input;
        const low = 2 * pair < inputs ? weight[from]! : 0;
        const high = 2 * pair + 1 < inputs ? weight[from + steps.input]! : 0;
        packed[at] = (low & 0xffff) | (high << 16);
      }
    }
  }
}

export function integerParams(spec: ConvIntegerSpec, { reads, write }: StepBuffers, units?: Units): Uint8Array {
  const x = reads[0]!;
  const { depth, runs, run, panels, tail } = integerShape(spec);
  const { first, end } = units ?? { first: 0, end: integerUnits(spec) };
  const [pixel, out] = [x.channels * 2, bytesOf[write.dtype]];
  const hasTail = !units || end > panels;
  const block = convWords.pack({
    ...{ width: pixelsOf(write), targetStep: 4, kh: spec.size[0], runs, runBytes: run * 4 },
    panels: units ? Math.min(end, panels) - first : panels,
    ...{ groups: 1, inStep: spec.strides[1] * pixel, inOffset: ((x.left ?? 0) - spec.pads[1]) * pixel },
    ...{ rowStep: spec.strides[0] * 4, tableStep: spec.dilations[0] * 4 },
    runBump: spec.dilations[1] * pixel - run * 4,
    outStep: write.channels * out,
    outOffset: ((write.left ?? 0) * write.channels + first * panelOutputs) * out,
    ...{ addStep: 0, addOffset: 0, groupIn: 0, groupOut: 0 },
    ...{ panelBytes: integerUnitBytes(spec), tailBytes: hasTail ? (depth + head) * tail * 4 : 0 },
  });
  const bytes = new Uint8Array(convWords.bytes + 8);
  bytes.set(block);
  new Float32Array(bytes.buffer, convWords.bytes).set(spec.round ?? []);
  return bytes;
}

/** Output pixels that are summed at once, as in the conv family. */
export function integerTile(write: BufferSpec): number {
  const pixels = pixelsOf(write) * (write.height ?? 1);
  const slots = (tile: number): number => Math.ceil(pixels / tile) * tile * (1 + 0.06 * (6 - tile));
  return [6, 5, 4].reduce((best, tile) => (slots(tile) < slots(best) ? tile : best));
}

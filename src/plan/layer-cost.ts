// What a layer costs, as it stands and in the stages that its weights factor into: shapes, parameters, multiplications
// and bytes. The one place for planner, command line and documentation.
import { checkInteger, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";

type Pair = readonly [y: number, x: number];
type Shape = readonly [height: number, width: number, channels: number];

/** none, TensorFlow's rule (⌈input / stride⌉ outputs, the odd pad at bottom and right), or numbers. */
export type Pads = "valid" | "same" | readonly [top: number, left: number, bottom: number, right: number];

export const layerKinds = ["conv", "depthwise", "pointwise", "separable", "spatial", "bottleneck", "cp"] as const;

/**
 * A layer as it stands (`conv`, `depthwise`, `pointwise`), or one that stands for a `conv` in stages: `separable` is
 * depthwise, pointwise; `spatial` a column, then a row; `bottleneck` a `conv` to fewer channels, pointwise; `cp` pointwise,
 * depthwise, pointwise.
 */
export interface LayerSpec {
  kind: (typeof layerKinds)[number];
  input: Shape;
  /** Height and width of the filters (kernels); of a `pointwise` layer 1 and 1. */
  size?: Pair;
  /** Output channels; of a `depthwise` layer they are input channels · depthMultiplier. */
  outputs?: number;
  /** Default 1. */
  strides?: Pair;
  /** Default 1. */
  dilations?: Pair;
  /** Default "valid". */
  pads?: Pads;
  /** Of `conv`. Default 1. */
  groups?: number;
  /** Of `depthwise` and `separable`: filters for each input channel. Default 1. */
  depthMultiplier?: number;
  /** Of `spatial`, `bottleneck` and `cp`: channels in the middle. Default 1. */
  rank?: number;
}

/** One multiplication is one multiply-accumulate (2 FLOP). Biases and activations are not counted. */
export interface StageCost {
  name: string;
  input: Shape;
  size: Pair;
  groups: number;
  output: Shape;
  parameters: number;
  multiplications: number;
  /** Input, weights and output, each once, in f32. */
  bytes: number;
}

export interface LayerCost {
  stages: StageCost[];
  output: Shape;
  parameters: number;
  multiplications: number;
  /** Of one stage after another. */
  bytes: number;
  /** Where what lies between the stages never leaves the cache. */
  fusedBytes: number;
}

/** A stage: its filters' size, outputs, groups; the axes along which it takes the strides, dilations and pads. */
type Stage = [name: string, size: Pair, outputs: number, groups: number, axes: readonly [y: boolean, x: boolean]];

function stagesOf(spec: LayerSpec): Stage[] {
  const { kind, input, size = [1, 1] as const, outputs = 0, groups = 1, depthMultiplier = 1, rank = 1 } = spec;
  const [inputs, one, both, none] = [input[2], [1, 1] as const, [true, true] as const, [false, false] as const];
  const depthwise: Stage = ["depthwise", size, inputs * depthMultiplier, inputs, both];
  const pointwise: Stage = ["pointwise", one, outputs, 1, none];
  const forms: Record<LayerSpec["kind"], Stage[]> = {
    conv: [["conv", size, outputs, groups, both]],
    depthwise: [depthwise],
    pointwise: [["pointwise", one, outputs, 1, both]],
    separable: [depthwise, pointwise],
    spatial: [
      ["column", [size[0], 1], rank, 1, [true, false]],
      ["row", [1, size[1]], outputs, 1, [false, true]],
    ],
    bottleneck: [["conv", size, rank, 1, both], pointwise],
    cp: [["pointwise", one, rank, 1, none], ["depthwise", size, rank, rank, both], pointwise],
  };
  return forms[kind];
}

/** @throws InvalidArgumentError for a size below 1, groups that divide no channels, filters larger than the padded input. */
export function layerCost(given: LayerSpec): LayerCost {
  checkSpec(given);
  const spec: LayerSpec = given.kind === "pointwise" ? { ...given, size: undefined } : given;
  const pads = padsOf(spec);
  const stages: StageCost[] = [];
  let { input } = spec;
  for (const [name, size, outputs, groups, axes] of stagesOf(spec)) {
    const [height, width] = axes.map((takes, axis) => (takes ? outputSize(spec, pads, axis) : input[axis]!));
    const output = [height!, width!, outputs] as const;
    const parameters = (size[0] * size[1] * input[2] * outputs) / groups;
    const bytes = 4 * (volume(input) + parameters + volume(output));
    stages.push({
      ...{ name, input, size, groups, output, parameters },
      ...{ multiplications: parameters * output[0] * output[1], bytes },
    });
    input = output;
  }
  const total = (key: "parameters" | "multiplications" | "bytes") => stages.reduce((sum, stage) => sum + stage[key], 0);
  const parameters = total("parameters");
  return {
    ...{ stages, output: input, parameters, multiplications: total("multiplications"), bytes: total("bytes") },
    fusedBytes: 4 * (volume(spec.input) + parameters + volume(input)),
  };
}

const volume = (shape: Shape): number => shape[0] * shape[1] * shape[2];

/** Input pixels from the first to the last that a filter covers, along an axis. */
const reach = ({ size = [1, 1], dilations = [1, 1] }: LayerSpec, axis: number): number =>
  (size[axis]! - 1) * dilations[axis]! + 1;

/** The pads in numbers. */
export function padsOf(spec: LayerSpec): [top: number, left: number, bottom: number, right: number] {
  const { input, strides = [1, 1], pads = "valid" } = spec;
  if (typeof pads !== "string") return [...pads];
  const totals = [0, 1].map((axis) => {
    const outputs = Math.ceil(input[axis]! / strides[axis]!);
    const needed = (outputs - 1) * strides[axis]! + reach(spec, axis) - input[axis]!;
    return pads === "same" ? Math.max(0, needed) : 0;
  }) as [number, number];
  const [top, left] = totals.map((total) => total >> 1) as [number, number];
  return [top, left, totals[0] - top, totals[1] - left];
}

function outputSize(spec: LayerSpec, pads: readonly number[], axis: number): number {
  const padded = spec.input[axis]! + pads[axis]! + pads[axis + 2]!;
  const covered = reach(spec, axis);
  if (covered <= padded) return Math.floor((padded - covered) / (spec.strides?.[axis] ?? 1)) + 1;
  throw new InvalidArgumentError({
    parameter: `input ${axis ? "width" : "height"}`,
    expected: `at least the ${covered} pixels that the filter (kernel) covers`,
    received: `${padded} with its pads`,
  });
}

function checkSpec({ kind, input, size, outputs, strides, dilations, pads = "valid", ...counts }: LayerSpec): void {
  checkOneOf("kind", kind, layerKinds);
  checkList("input", input, 3, 1);
  if (kind !== "pointwise") checkList("size", size, 2, 1);
  if (strides) checkList("strides", strides, 2, 1);
  if (dilations) checkList("dilations", dilations, 2, 1);
  if (typeof pads === "string") checkOneOf("pads", pads, ["valid", "same"]);
  else checkList("pads", pads, 4, 0);
  const { groups = 1, depthMultiplier = 1, rank = 1 } = counts;
  for (const [name, count] of Object.entries({ groups, depthMultiplier, rank })) checkInteger(name, count, { min: 1 });
  if (kind !== "depthwise") checkInteger("outputs", outputs, { min: 1 });
  if (kind !== "conv" || (input[2] % groups === 0 && outputs! % groups === 0)) return;
  const expected = `a divisor of ${input[2]} input and ${outputs} output channels`;
  throw new InvalidArgumentError({ parameter: "groups", expected, received: describe(groups) });
}

function checkList(parameter: string, list: readonly number[] | undefined, length: number, min: number): void {
  if (list?.length !== length) {
    throw new InvalidArgumentError({ parameter, expected: `${length} numbers`, received: describe(list) });
  }
  for (const n of list) checkInteger(parameter, n, { min });
}

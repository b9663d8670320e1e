// What a layer costs, as it stands and in the stages that its weights factor into: shapes, parameters, multiplications
// and bytes, for the command line and the documentation. (Planners count what a plan does, padding included.)
import { checkInteger, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import { plural } from "../words.ts";
import { type LayerOptions, windowFor } from "./layer-problem.ts";

type Pair = readonly [y: number, x: number];
type Shape = readonly [height: number, width: number, channels: number];

export const layerForms = ["conv", "depthwise", "pointwise", "separable", "spatial", "bottleneck", "cp"] as const;

/**
 * The form of a layer: as it stands (`conv`, `depthwise`, `pointwise`), or one that stands for a `conv` in stages: `separable` is
 * depthwise, pointwise; `spatial` a column, then a row; `bottleneck` a `conv` to fewer channels, pointwise; `cp` pointwise,
 * depthwise, pointwise.
 */
export interface LayerSpec extends Pick<LayerOptions, "strides" | "dilations" | "pads"> {
  /** "conv", "depthwise", "pointwise", "separable", "spatial", "bottleneck" or "cp". */
  form: (typeof layerForms)[number];
  /** [height, width, channels] */
  input: Shape;
  /** Height and width of the filters (kernels); of a `pointwise` layer 1 and 1. */
  size?: Pair;
  /** Output channels; of a `depthwise` layer they are input channels · depthMultiplier. */
  outputs?: number;
  /** Of `conv`. Default 1. */
  groups?: number;
  /** Of `depthwise` and `separable`: filters for each input channel. Default 1. */
  depthMultiplier?: number;
  /** Of `spatial`, `bottleneck` and `cp`: channels in the middle. Default 1. */
  rank?: number;
}

/** One multiplication is one multiply-accumulate (2 FLOP). Biases and activations are not counted. */
export interface StageCost {
  /** "conv", "depthwise", "pointwise", "column" or "row". */
  name: string;
  /** [height, width, channels] */
  input: Shape;
  /** Height and width of the filters (kernels). */
  size: Pair;
  /** Inputs and outputs are split into so many groups. */
  groups: number;
  /** [height, width, channels] */
  output: Shape;
  /** Numbers in the weights. */
  parameters: number;
  /** For one input. */
  multiplications: number;
  /** Input, weights and output, each once, in f32. */
  bytes: number;
}

/** What a layer costs, for one input. */
export interface LayerCost {
  /** One after the other. */
  stages: StageCost[];
  /** [height, width, channels] of the last stage. */
  output: Shape;
  /** Numbers in the weights of all stages. */
  parameters: number;
  /** Multiply-accumulates (2 FLOP) of all stages. */
  multiplications: number;
  /** Of one stage after another. */
  bytes: number;
  /** Where what lies between the stages never leaves the cache. */
  fusedBytes: number;
}

/** A stage: its filters' size, outputs, groups; the axes along which it takes the strides, dilations and pads. */
type StageShape = [name: string, size: Pair, outputs: number, groups: number, axes: readonly [y: boolean, x: boolean]];

function stagesOf(spec: LayerSpec): StageShape[] {
  const { form, input, size = [1, 1] as const, outputs = 0, groups = 1, depthMultiplier = 1, rank = 1 } = spec;
  const [inputs, one, both, none] = [input[2], [1, 1] as const, [true, true] as const, [false, false] as const];
  const depthwise: StageShape = ["depthwise", size, inputs * depthMultiplier, inputs, both];
  const pointwise: StageShape = ["pointwise", one, outputs, 1, none];
  const forms: Record<LayerSpec["form"], StageShape[]> = {
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
  return forms[form];
}

/**
 * Counts what a layer costs in a form, without planning or running anything.
 *
 * @throws InvalidArgumentError for a size below 1, groups that divide no channels, filters larger than the padded input.
 */
export function layerCost(spec: LayerSpec): LayerCost {
  checkSpec(spec);
  const size = spec.form === "pointwise" ? ([1, 1] as const) : spec.size!;
  const window = windowFor(size, [spec.input[0], spec.input[1]], spec);
  const sides = [window.height, window.width];
  const stages: StageCost[] = [];
  let { input } = spec;
  for (const [name, size, outputs, groups, axes] of stagesOf(spec)) {
    const [height, width] = axes.map((takes, axis) => (takes ? sides[axis]! : input[axis]!));
    const output = [height!, width!, outputs] as const;
    const parameters = (size[0] * size[1] * input[2] * outputs) / groups;
    const bytes = 4 * (volume(input) + parameters + volume(output));
    const multiplications = parameters * output[0] * output[1];
    stages.push({ name, input, size, groups, output, parameters, multiplications, bytes });
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

function checkSpec({ form, input, size, outputs, groups = 1, depthMultiplier = 1, rank = 1 }: LayerSpec): void {
  checkOneOf("form", form, layerForms);
  checkSides("input", input, 3);
  if (form !== "pointwise") checkSides("size", size, 2);
  for (const [name, count] of Object.entries({ groups, depthMultiplier, rank })) checkInteger(name, count, { min: 1 });
  if (form !== "depthwise") checkInteger("outputs", outputs, { min: 1 });
  if (form !== "conv" || (input[2] % groups === 0 && outputs! % groups === 0)) return;
  const expected = `a divisor of ${input[2]} input and ${outputs} output channels`;
  throw new InvalidArgumentError({ parameter: "groups", expected, received: describe(groups) });
}

function checkSides(parameter: string, sides: readonly number[] | undefined, length: number): void {
  if (sides?.length !== length) {
    throw new InvalidArgumentError({ parameter, expected: plural(length, "number"), received: describe(sides) });
  }
  for (const side of sides) checkInteger(parameter, side, { min: 1 });
}

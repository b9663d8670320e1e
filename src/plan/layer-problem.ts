// Makes the problem of a layer from the shapes and options of a call: defaults, checks, and the sides of the result.
import { checkInteger, checkNumber, checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { checkShape } from "../tensor.ts";
import { plural } from "../words.ts";
import type { Activation, LayerProblem, Window } from "./types.ts";

/** NHWC: channels innermost, with TensorFlow's orders of weights. NCHW: planes, with those of PyTorch and ONNX. */
export type DataFormat = "NHWC" | "NCHW";

/** "same": as TensorFlow pads, the larger half below and right. "valid": not at all. Or [top, left, bottom, right]. */
export type Pads = "same" | "valid" | readonly [top: number, left: number, bottom: number, right: number];

/** How a layer slides over its input, and what its results go through. */
export interface LayerOptions {
  /** Default 1; one number means both axes. */
  strides?: number | readonly [y: number, x: number];
  /** Default "valid". */
  pads?: Pads;
  /** Default 1; one number means both axes. May go with strides, which Keras forbids. */
  dilations?: number | readonly [y: number, x: number];
  /** Default "NHWC". */
  dataFormat?: DataFormat;
  /** Of conv2d: inputs and outputs are split into so many groups. Default 1. */
  groups?: number;
  /** What the results go through. Default "none". */
  activation?: Activation;
  /** What goes between the steps of a layer of several: after the depthwise one. Default "none". */
  depthwiseActivation?: Activation;
  /** Of an inverted residual: after the first step. Default "none". */
  expandActivation?: Activation;
  /** Of an inverted residual: adds the input to the result, before the activation. Default false. */
  residual?: boolean;
}

const commonKeys = ["strides", "pads", "dilations", "dataFormat", "activation"] as const;

/** The options of each kind of layer. */
export const layerOptionKeys: Readonly<Record<LayerKind, readonly (keyof LayerOptions)[]>> = {
  conv2d: [...commonKeys, "groups"],
  depthwiseConv2d: commonKeys,
  pointwiseConv2d: [...commonKeys, "groups"],
  separableConv2d: [...commonKeys, "depthwiseActivation"],
  invertedResidual: [...commonKeys, "depthwiseActivation", "expandActivation", "residual"],
};

/** Shapes by name: of x, and of each weight in the orders of the data format. */
export type LayerShapes = Readonly<Record<string, readonly number[]>>;

/** The weights of each kind of layer. */
export const layerKinds = {
  conv2d: ["weight"],
  depthwiseConv2d: ["weight"],
  pointwiseConv2d: ["weight"],
  separableConv2d: ["depthwise", "pointwise"],
  invertedResidual: ["expand", "depthwise", "project"],
} as const;

/** What may be computed as a layer, by the names of TensorFlow and Keras. */
export type LayerKind = keyof typeof layerKinds;

/** A weight's shape as [kh, kw, inputs a group, outputs a group or multiplier]. */
type Hwio = readonly [kh: number, kw: number, inputs: number, outputs: number];

/** Where each axis of a weight in NHWC's order stands in the given one. Depthwise: NCHW has [inputs · multiplier, 1, kh, kw]. */
const convAxes: Record<DataFormat, Hwio> = { NHWC: [0, 1, 2, 3], NCHW: [2, 3, 1, 0] };

function mismatch(parameter: string, expected: string, shape: readonly number[]): InvalidArgumentError {
  return new InvalidArgumentError({ parameter, expected, received: `[${shape.join(", ")}]` });
}

function convShape(format: DataFormat, name: string, shape: unknown): Hwio {
  const given = checkShape(name, shape, 4);
  return convAxes[format].map((axis) => given[axis]!) as unknown as Hwio;
}

/** Of a depthwise weight: the inputs are the layer's, and the last side is the multiplier. */
function depthwiseShape(format: DataFormat, name: string, shape: unknown, inputs: number): Hwio {
  const given = checkShape(name, shape, 4);
  if (format === "NHWC") {
    if (given[2] === inputs) return given as unknown as Hwio;
    throw mismatch(name, `[kh, kw, ${inputs}, multiplier], as x has ${plural(inputs, "channel")}`, given);
  }
  if (given[1] === 1 && given[0]! % inputs === 0) return [given[2]!, given[3]!, inputs, given[0]! / inputs];
  throw mismatch(name, `[${inputs} · multiplier, 1, kh, kw], as x has ${plural(inputs, "channel")}`, given);
}

function pointwiseShape(format: DataFormat, name: string, shape: unknown, inputs: number): Hwio {
  const [kh, kw, given, outputs] = convShape(format, name, shape);
  if (kh === 1 && kw === 1 && given === inputs) return [1, 1, inputs, outputs];
  const expected = format === "NHWC" ? `[1, 1, ${inputs}, outputs]` : `[outputs, ${inputs}, 1, 1]`;
  throw mismatch(name, expected, shape as number[]);
}

const pair = (parameter: string, value: unknown): [number, number] => {
  const both = Array.isArray(value) ? value : [value, value];
  if (both.length !== 2) {
    throw new InvalidArgumentError({ parameter, expected: "a number, or [y, x]", received: describe(value) });
  }
  return [checkInteger(parameter, both[0], { min: 1 }), checkInteger(parameter, both[1], { min: 1 })];
};

const activations = ["none", "relu", "relu6", "hardSwish", "silu", "sigmoid"] as const;

/** Other libraries' names of activations: the error names ours. */
const activationAliases = { linear: "none", swish: "silu", hard_silu: "hardSwish", logistic: "sigmoid" } as const;

/** Activations with parameters are given as objects, whatever they are called elsewhere. */
const withNumbers = /^(leaky.?relu|clip|clamp|hard.?tanh)$/i;

export function checkActivation(parameter: string, value: unknown = "none"): Activation {
  if (typeof value === "string" && withNumbers.test(value)) throw notInShape(parameter, value);
  if (typeof value !== "object" || value === null) {
    return checkOneOf(parameter, value, activations, activationAliases);
  }
  const given = checkOptions<{ leakyRelu: number; clip: [number, number] }>(parameter, value, ["leakyRelu", "clip"]);
  if (given.leakyRelu !== undefined) return { leakyRelu: checkNumber(`${parameter}.leakyRelu`, given.leakyRelu) };
  const clip = Array.isArray(given.clip) ? given.clip : [];
  if (clip.length === 2 && clip.every((v) => typeof v === "number") && clip[0]! <= clip[1]!) {
    const [least, most] = clip.map((bound) => (Number.isFinite(bound) ? bound : null));
    return { clip: [least!, most!] };
  }
  throw notInShape(parameter, value);
}

function notInShape(parameter: string, value: unknown): InvalidArgumentError {
  const expected = "{ leakyRelu: slope } or { clip: [least, most] }";
  return new InvalidArgumentError({ parameter, expected, received: describe(value) });
}

/** Pads and the sides of the result, along both axes. */
export function windowFor(
  [kh, kw]: readonly number[],
  sides: readonly [number, number],
  options: LayerOptions,
): { window: Window; height: number; width: number } {
  const [size, strides] = [[kh!, kw!] as [number, number], pair("strides", options.strides ?? 1)];
  const dilations = pair("dilations", options.dilations ?? 1);
  const reach = [0, 1].map((axis) => (size[axis]! - 1) * dilations[axis]! + 1);
  const pads = checkPads(options.pads ?? "valid", sides, reach, strides);
  const [height, width] = [0, 1].map((axis) => {
    const room = sides[axis]! + pads[axis]! + pads[axis + 2]! - reach[axis]!;
    if (room >= 0) return Math.floor(room / strides[axis]!) + 1;
    const what = axis === 0 ? "height" : "width";
    const expected = `x and its pads to have a ${what} of at least ${reach[axis]}, which the window spans`;
    throw new InvalidArgumentError({ parameter: "x", expected, received: `${room + reach[axis]!}` });
  }) as [number, number];
  const window: Window = { size, strides, dilations, pads, border: "constant", borderValue: 0 };
  return { window, height, width };
}

function checkPads(pads: unknown, sides: readonly number[], reach: readonly number[], strides: readonly number[]) {
  if (Array.isArray(pads) && pads.length === 4) {
    return pads.map((pad, i) => checkInteger(`pads[${i}]`, pad, { min: 0 })) as unknown as Window["pads"];
  }
  if (typeof pads !== "string") {
    const expected = '"same", "valid" or [top, left, bottom, right]';
    const n = typeof pads === "number" ? [pads, pads] : (pads as readonly unknown[]);
    const pair = Array.isArray(n) && n.length === 2 && n.every(Number.isInteger);
    const hint = pair ? `the same on both sides is [${[...n, ...n].join(", ")}]` : undefined;
    throw new InvalidArgumentError({ parameter: "pads", expected, received: describe(pads), hint });
  }
  if (checkOneOf("pads", pads, ["same", "valid"] as const) === "valid") return [0, 0, 0, 0] satisfies Window["pads"];
  const whole = [0, 1].map((axis) => {
    const outputs = Math.ceil(sides[axis]! / strides[axis]!);
    return Math.max(0, (outputs - 1) * strides[axis]! + reach[axis]! - sides[axis]!);
  });
  const before = whole.map((sum) => Math.floor(sum / 2));
  return [before[0]!, before[1]!, whole[0]! - before[0]!, whole[1]! - before[1]!] satisfies Window["pads"];
}

/**
 * The problem of a layer.
 *
 * @param shapes x [batch, height, width, channels] (NHWC) or [batch, channels, height, width] (NCHW), and the weights:
 * conv2d `weight` [kh, kw, in / groups, out] or [out, in / groups, kh, kw]; depthwiseConv2d `weight` and separableConv2d
 * `depthwise` [kh, kw, in, multiplier] or [in · multiplier, 1, kh, kw]; `pointwise`, `expand` and `project` as of conv2d.
 * @throws InvalidArgumentError that names the shape or the option
 */
export function layerProblem(kind: LayerKind, shapes: LayerShapes, given?: LayerOptions): LayerProblem {
  const names = layerKinds[checkOneOf("kind", kind, Object.keys(layerKinds) as LayerKind[])];
  const options = checkOptions<LayerOptions>("options", given, layerOptionKeys[kind]);
  const dataFormat = checkOneOf("dataFormat", options.dataFormat ?? "NHWC", ["NHWC", "NCHW"] as const);
  const given4 = checkShape("x", shapes?.x, 4);
  const [images, height, width, inputs] = (
    dataFormat === "NHWC" ? given4 : [given4[0], given4[2], given4[3], given4[1]]
  ) as [number, number, number, number];
  const activation = checkActivation("activation", options.activation);
  const middle = checkActivation("depthwiseActivation", options.depthwiseActivation);
  const make = (window: readonly number[], outputs: number) => {
    const { window: where, ...out } = windowFor(window, [height, width], options);
    return {
      x: { shape: [images, height, width, inputs], dtype: "f32" as const },
      y: { shape: [images, out.height, out.width, outputs], dtype: "f32" as const },
      ...{ window: where, activation, dataFormat },
    };
  };
  const shapeOf = (name: string): unknown => shapes[name];
  switch (kind) {
    case "depthwiseConv2d": {
      const [kh, kw, , depthMultiplier] = depthwiseShape(dataFormat, names[0], shapeOf(names[0]), inputs);
      return { kind: "depthwise", ...make([kh, kw], inputs * depthMultiplier), depthMultiplier };
    }
    case "separableConv2d": {
      const [kh, kw, , depthMultiplier] = depthwiseShape(dataFormat, "depthwise", shapes.depthwise, inputs);
      const outputs = pointwiseShape(dataFormat, "pointwise", shapes.pointwise, inputs * depthMultiplier)[3];
      return { kind: "separable", ...make([kh, kw], outputs), depthMultiplier, middle };
    }
    case "invertedResidual": {
      const middleChannels = pointwiseShape(dataFormat, "expand", shapes.expand, inputs)[3];
      const [kh, kw, , members] = depthwiseShape(dataFormat, "depthwise", shapes.depthwise, middleChannels);
      if (members !== 1) throw mismatch("depthwise", "a depth multiplier of 1", shapes.depthwise!);
      const outputs = pointwiseShape(dataFormat, "project", shapes.project, middleChannels)[3];
      const problem = make([kh, kw], outputs);
      const residual = options.residual ?? false;
      if (residual && problem.x.shape.join() !== problem.y.shape.join()) {
        throw mismatch("residual", `a result of the input's shape [${problem.x.shape.join(", ")}]`, problem.y.shape);
      }
      const expand = checkActivation("expandActivation", options.expandActivation);
      return { kind: "inverted", ...problem, middleChannels, expand, middle, residual };
    }
    default: {
      const groups = checkInteger("groups", options.groups ?? 1, { min: 1 });
      if (inputs % groups !== 0) {
        const expected = `a divisor of the ${plural(inputs, "channel")} of x`;
        throw new InvalidArgumentError({ parameter: "groups", expected, received: `${groups}` });
      }
      const [kh, kw, each, outputs] = convShape(dataFormat, "weight", shapes.weight);
      if (kind === "pointwiseConv2d") pointwiseShape(dataFormat, "weight", shapes.weight, inputs / groups);
      if (each * groups !== inputs) {
        throw mismatch(
          "weight",
          `${plural(inputs / groups, "input")} a group (${plural(inputs, "channel")} in ${plural(groups, "group")})`,
          shapes.weight!,
        );
      }
      if (outputs % groups !== 0) throw mismatch("weight", `outputs in ${groups} equal groups`, shapes.weight!);
      if (groups === inputs) {
        return { kind: "depthwise", ...make([kh, kw], outputs), depthMultiplier: outputs / groups };
      }
      return { kind: "conv", ...make([kh, kw], outputs), groups };
    }
  }
}

/** The weights of a problem's kernels by the name of their constants, with the shape that NHWC gives each. */
export function weightShapes(problem: LayerProblem): { name: string; bias: string; shape: Hwio; depthwise: boolean }[] {
  const { x, y, window } = problem;
  const [inputs, outputs] = [x.shape[3]!, y.shape[3]!];
  const [kh, kw] = window.size;
  const one = (name: string, bias: string, shape: Hwio, depthwise = false) => ({ name, bias, shape, depthwise });
  switch (problem.kind) {
    case "transposed":
      return [one("weight", "bias", [kh, kw, inputs, outputs / (problem.groups ?? 1)])];
    case "conv":
      return [one("weight", "bias", [kh, kw, inputs / problem.groups, outputs])];
    case "depthwise":
      return [one("weight", "bias", [kh, kw, inputs, problem.depthMultiplier], true)];
    case "separable":
      return [
        one("depthwise", "depthwiseBias", [kh, kw, inputs, problem.depthMultiplier], true),
        one("pointwise", "bias", [1, 1, inputs * problem.depthMultiplier, outputs]),
      ];
    case "inverted":
      return [
        one("expand", "expandBias", [1, 1, inputs, problem.middleChannels]),
        one("depthwise", "depthwiseBias", [kh, kw, problem.middleChannels, 1], true),
        one("project", "bias", [1, 1, problem.middleChannels, outputs]),
      ];
  }
}

// Which nodes of a network the machine's kernels compute, and how: as stages of a plan over values in its memory, channels
// innermost. What is not here, or not of four axes of 32-bit floats, stays on the host.
import { planesLast } from "../engine/layers.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import { arena, draftOf, pointwiseWindow, sidesOf, weights as weightBuffer } from "../kernels/layer.ts";
import { transposedWeights } from "../kernels/transposed/solver.ts";
import { builtInProfile } from "../plan/profile.ts";
import type {
  Activation,
  BufferSpec,
  ElementwiseSpec,
  LayerProblem,
  PoolSpec,
  Stage,
  Step,
  TransposedProblem,
  Window,
} from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import { activationOf, activations } from "./activations.ts";
import { listOf, numberOf } from "./nodes.ts";
import { halvesOf } from "./passes/separable.ts";
import type { GraphNode, Spec } from "./types.ts";
import { numbersOf, sizeOf, toValue } from "./values.ts";
import { type Axis, transposedWindow, windowOf } from "./window.ts";

/** A node as stages; buffers of values are called by the values' names, others by names of this node's own. */
export interface Lowered {
  stages: Stage[];
  buffers: BufferSpec[];
  weights: Map<string, LayerWeights>;
  /** Predicted nanoseconds on one thread, and multiply-accumulates. */
  time: number;
  multiplications: number;
}

/** What lowering knows of a network, and who plans its layers. */
export interface LoweringContext {
  specs: ReadonlyMap<string, Spec>;
  constants: ReadonlyMap<string, Tensor>;
  plan(problem: LayerProblem): Omit<Lowered, "weights">;
}

type Rule = (node: GraphNode, context: LoweringContext) => Lowered | undefined;

/** The sides of a value as kernels hold it: [images, height, width, channels]. */
function shapeOf(name: string | undefined, { specs }: LoweringContext): number[] | undefined {
  const spec = specs.get(name ?? "");
  if (spec?.dtype !== "f32" || spec.shape.length !== 4 || spec.data || sizeOf(spec.shape) === 0) return undefined;
  const [n, c, h, w] = spec.shape;
  return [n!, h!, w!, c!];
}

function constantOf(name: string | undefined, { constants }: LoweringContext): Tensor | undefined {
  const tensor = constants.get(name ?? "");
  return tensor && toValue(tensor)?.dtype === "f32" ? tensor : undefined;
}

/** What a node's results go through, by the attributes that a pass has given it; undefined where no kernel can. */
function fusedActivation(node: GraphNode, prefix = "activation"): Activation | undefined {
  const name = node.attributes[prefix];
  if (name === undefined) return "none";
  const [a = 0, b = 0] = listOf(node, `${prefix}Parameters`) ?? [];
  return typeof name === "string" ? activations[name]?.kernel?.(a, b) : undefined;
}

const windowFrom = ([, y, x]: readonly Axis[]): Window => ({
  ...{ size: [y!.size, x!.size], strides: [y!.stride, x!.stride], dilations: [y!.dilation, x!.dilation] },
  ...{ pads: [y!.before, x!.before, y!.after, x!.after], border: "constant", borderValue: 0 },
});

const base = (x: number[], y: number[], window: Window, activation: Activation) => ({
  ...{ x: { shape: x, dtype: "f32" as const }, y: { shape: y, dtype: "f32" as const } },
  ...{ window, activation, dataFormat: "NCHW" as const },
});

/** Calls a plan's x, y and added by the names of values, and all else by a name that is the node's own. */
function named(
  planned: Omit<Lowered, "weights">,
  names: Record<string, string>,
  own: string,
): Omit<Lowered, "weights"> {
  const rename = (id: string): string => names[id] ?? `${own}: ${id}`;
  const steps = (step: Step): Step => ({ ...step, reads: step.reads.map(rename), writes: rename(step.writes) });
  return {
    ...planned,
    stages: planned.stages.map((stage) => ({ ...stage, steps: stage.steps.map(steps) })),
    buffers: planned.buffers.map((buffer) => ({ ...buffer, id: rename(buffer.id) })),
  };
}

function layer(
  node: GraphNode,
  context: LoweringContext,
  problem: LayerProblem,
  weights: ReadonlyMap<string, LayerWeights>,
  added?: string,
): Lowered {
  const own = node.outputs[0]!;
  const names = { x: node.inputs[0]!, y: own, ...(added && { added }) };
  const renamed = new Map([...weights].map(([id, weight]) => [`${own}: ${id}`, weight]));
  return { ...named(context.plan(problem), names, own), weights: renamed };
}

/** A weight [outputs, inputs, kh, kw] in TensorFlow's order. */
function weightOf({ data, shape }: Tensor, bias: Tensor | undefined): LayerWeights {
  const [outputs, inputs, kh, kw] = shape as [number, number, number, number];
  return {
    // Only while it is packed: one copy at a time.
    get weight() {
      return planesLast(data as Float32Array, outputs, inputs, kh * kw);
    },
    bias: bias?.data as Float32Array | undefined,
  };
}

/** A grouped weight as one without groups, zeros where groups do not meet. */
function ungrouped({ data, shape }: Tensor, groups: number): Tensor {
  const [outputs, each, kh, kw] = shape as [number, number, number, number];
  const [taps, inputs] = [kh * kw, each * groups];
  const dense = new Float32Array(outputs * inputs * taps);
  for (let o = 0; o < outputs; o++) {
    const first = Math.floor(o / (outputs / groups)) * each;
    const from = (data as Float32Array).subarray(o * each * taps, (o + 1) * each * taps);
    dense.set(from, (o * inputs + first) * taps);
  }
  return { shape: [outputs, inputs, kh, kw], data: dense };
}

/** A bias that is there must be constant. */
function biasOf(name: string | undefined, context: LoweringContext): { bias?: Tensor } | undefined {
  if (!name) return {};
  const bias = constantOf(name, context);
  return bias && { bias };
}

const conv: Rule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const weight = constantOf(node.inputs[1], context);
  const bias = biasOf(node.inputs[2], context);
  const activation = fusedActivation(node);
  const added = node.inputs[3] || undefined;
  if (!x || !y || weight?.shape.length !== 4 || !bias || !activation) return undefined;
  if (added && shapeOf(added, context)?.join() !== y.join()) return undefined;
  const window = windowFrom(windowOf(node, context.specs.get(node.inputs[0]!)!.shape, weight.shape.slice(2)));
  const groups = numberOf(node, "group", 1);
  const problem = base(x, y, window, activation);
  if (groups > 1 && groups === x[3] && groups === y[3] && !added) {
    const weights = new Map([["weight", weightOf(weight, bias.bias)]]);
    return layer(node, context, { kind: "depthwise", ...problem, depthMultiplier: 1 }, weights);
  }
  // Groups that do not fill whole vectors cost as much as none.
  const whole = groups > 1 && (y[3]! / groups) % 8 === 0 && (x[3]! / groups) % 4 === 0 && !added;
  const weights = new Map([
    ["weight", weightOf(groups === 1 || whole ? weight : ungrouped(weight, groups), bias.bias)],
  ]);
  const residual = added !== undefined;
  return layer(
    node,
    context,
    { kind: "conv", ...problem, groups: whole ? groups : 1, residual, shared: true },
    weights,
    added,
  );
};

const separable: Rule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const [depthwise, pointwise] = [constantOf(node.inputs[1], context), constantOf(node.inputs[3], context)];
  const [first, second] = [biasOf(node.inputs[2], context), biasOf(node.inputs[4], context)];
  const [middle, activation] = [fusedActivation(node, "middle"), fusedActivation(node)];
  const added = node.inputs[5] || undefined;
  if (!x || !y || !depthwise || !pointwise || !first || !second || !middle || !activation) return undefined;
  if (added && shapeOf(added, context)?.join() !== y.join()) return undefined;
  const shape = context.specs.get(node.inputs[0]!)!.shape;
  const window = windowFrom(windowOf(halvesOf(node)[0], shape, depthwise.shape.slice(2)));
  const depthMultiplier = depthwise.shape[0]! / x[3]!;
  const weights = new Map([
    ["depthwise", weightOf(depthwise, first.bias)],
    ["pointwise", weightOf(pointwise, second.bias)],
  ]);
  const residual = added !== undefined;
  const problem = { kind: "separable", ...base(x, y, window, activation), depthMultiplier, middle, residual } as const;
  return layer(node, context, problem, weights, added);
};

const convTranspose: Rule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const weight = constantOf(node.inputs[1], context);
  const bias = biasOf(node.inputs[2], context);
  const activation = fusedActivation(node);
  if (!x || !y || weight?.shape.length !== 4 || !bias || !activation || node.inputs[3]) return undefined;
  if (numberOf(node, "group", 1) !== 1) return undefined;
  const shape = context.specs.get(node.inputs[0]!)!.shape;
  const window = windowFrom(transposedWindow(node, shape, weight.shape.slice(2)));
  if (window.dilations.some((d) => d > 1) || window.size.some((size, i) => size < window.strides[i]!)) return undefined;
  const problem: TransposedProblem = { kind: "transposed", ...base(x, y, window, activation) };
  const [inputs, outputs, kh, kw] = weight.shape as [number, number, number, number];
  // [in, out, taps] as [taps, in, out].
  const moved = new Float32Array(weight.data.length);
  for (let c = 0, at = 0; c < inputs; c++)
    for (let o = 0; o < outputs; o++)
      for (let tap = 0; tap < kh * kw; tap++) moved[(tap * inputs + c) * outputs + o] = Number(weight.data[at++]);
  const weights = transposedWeights(problem, { weight: moved, bias: bias.bias?.data as Float32Array | undefined });
  return layer(node, context, problem, weights);
};

/** Steps of one stage over whole values, of which none is a layer with a plan of its own. */
function stage(
  buffers: BufferSpec[],
  steps: Step[],
  weights: [string, ArrayLike<number>][],
  elements: number,
): Lowered {
  const { stages } = draftOf(builtInProfile, "", buffers, [steps]);
  const constants = new Map(weights.map(([id, weight]): [string, LayerWeights] => [id, { weight }]));
  // A load, a little arithmetic and a store for each element.
  return { stages, buffers, weights: constants, time: elements * 0.3, multiplications: 0 };
}

const elementwiseSpec = (op: ElementwiseSpec["op"], channels: number, more: Partial<ElementwiseSpec> = {}) =>
  ({
    family: "elementwise",
    ...pointwiseWindow,
    op,
    broadcast: false,
    channels,
    offset: 0,
    activation: "none",
    ...more,
  }) as const;

const wholeValue = (name: string, shape: number[]): BufferSpec => arena(name, sidesOf(shape));
const countOf = (shape: number[]): number => sizeOf(shape);

const activation: Rule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const bounds = node.inputs.slice(1).map((name) => context.constants.get(name));
  const found = activationOf(
    node,
    bounds.map((tensor) => tensor && toValue(tensor)),
  );
  const [a = 0, b = 0] = found?.parameters ?? [];
  const known = found && activations[found.name]!.kernel?.(a, b);
  if (!x || !y || !known) return undefined;
  const [from, to] = [node.inputs[0]!, node.outputs[0]!];
  const kernel = elementwiseSpec("copy", x[3]!, { activation: known });
  return stage(
    [wholeValue(from, x), wholeValue(to, y)],
    [{ name: node.op, kernel, reads: [from], writes: to }],
    [],
    countOf(y),
  );
};

/** One number a channel (or one for all) that does not depend on the input. */
function channelConstant(name: string | undefined, channels: number, context: LoweringContext): number[] | undefined {
  const tensor = constantOf(name, context);
  if (!tensor) return undefined;
  const numbers = Array.from(numbersOf(tensor));
  if (numbers.length === 1) return Array(channels).fill(numbers[0]!);
  const shape = [...Array(Math.max(0, 4 - tensor.shape.length)).fill(1), ...tensor.shape];
  return shape.length === 4 && shape.join() === `1,${channels},1,1` ? numbers : undefined;
}

const pairwise =
  (op: "add" | "sub" | "mul" | "prelu"): Rule =>
  (node, context) => {
    const y = shapeOf(node.outputs[0], context);
    if (!y || node.inputs.length !== 2) return undefined;
    const isFirst = shapeOf(node.inputs[0], context)?.join() === y.join();
    if (!isFirst && (op === "sub" || op === "prelu")) return undefined;
    const [big, small] = isFirst ? node.inputs : node.inputs.toReversed();
    const to = node.outputs[0]!;
    if (shapeOf(big, context)?.join() !== y.join()) return undefined;
    const other = shapeOf(small, context);
    const constant = other ? undefined : channelConstant(small, y[3]!, context);
    const broadcast = other ? other.join() !== y.join() : true;
    if (other && broadcast && other.join() !== [y[0], 1, 1, y[3]].join()) return undefined;
    if (!other && !constant) return undefined;
    const id = other ? small! : `${to}: second`;
    const second = other ? wholeValue(id, other) : weightBuffer(id, sidesOf(y).channels);
    const kernel = elementwiseSpec(op, y[3]!, { broadcast });
    const buffers = [wholeValue(big!, y), second, wholeValue(to, y)];
    const step = { name: node.op, kernel, reads: [big!, id], writes: to };
    return stage(buffers, [step], constant ? [[id, constant]] : [], countOf(y));
  };

const batchNorm: Rule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const given = node.inputs.slice(1, 5).map((name) => constantOf(name, context));
  if (!x || !y || node.outputs.length > 1 || given.length !== 4 || given.includes(undefined)) return undefined;
  if (numberOf(node, "training_mode", 0) !== 0 || numberOf(node, "spatial", 1) === 0) return undefined;
  const [scale, shift, mean, variance] = given.map((tensor) => Array.from(numbersOf(tensor!))) as number[][];
  const epsilon = numberOf(node, "epsilon", 1e-5);
  const factors = scale!.map((value, c) => value / Math.sqrt(variance![c]! + epsilon));
  const offsets = factors.map((factor, c) => shift![c]! - mean![c]! * factor);
  const [from, to] = [node.inputs[0]!, node.outputs[0]!];
  const ids = [`${to}: factors`, `${to}: offsets`] as const;
  const channels = sidesOf(y).channels;
  const kernel = (op: "mul" | "add") => elementwiseSpec(op, y[3]!, { broadcast: true });
  return stage(
    [wholeValue(from, x), ...ids.map((id) => weightBuffer(id, channels)), wholeValue(to, y)],
    [
      { name: "scale", kernel: kernel("mul"), reads: [from, ids[0]], writes: to },
      { name: "shift", kernel: kernel("add"), reads: [to, ids[1]], writes: to },
    ],
    [
      [ids[0], factors],
      [ids[1], offsets],
    ],
    2 * countOf(y),
  );
};

const concat: Rule = (node, context) => {
  const y = shapeOf(node.outputs[0], context);
  const parts = node.inputs.map((name) => shapeOf(name, context));
  const axis = numberOf(node, "axis", 1);
  if (!y || (axis !== 1 && axis !== -3) || parts.includes(undefined)) return undefined;
  // Whole vectors are copied: what follows a part must begin where one does.
  if (new Set(node.inputs).size < parts.length || parts.some((part) => part![3]! % 4 !== 0)) return undefined;
  const to = node.outputs[0]!;
  let offset = 0;
  const steps = node.inputs.map((name, i): Step => {
    const kernel = elementwiseSpec("copy", parts[i]![3]!, { offset });
    offset += parts[i]![3]!;
    return { name: "copy", kernel, reads: [name], writes: to };
  });
  const buffers = [...node.inputs.map((name, i) => wholeValue(name, parts[i]!)), wholeValue(to, y)];
  return stage(buffers, steps, [], countOf(y));
};

const pool =
  (op: PoolSpec["op"], global: boolean): Rule =>
  (node, context) => {
    const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
    if (!x || !y || node.outputs.length > 1) return undefined;
    const shape = context.specs.get(node.inputs[0]!)!.shape;
    const ceil = !global && numberOf(node, "ceil_mode", 0) !== 0;
    const size = global ? shape.slice(2) : listOf(node, "kernel_shape")!;
    const plain = { size: [x[1]!, x[2]!], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
    const window = (global ? plain : windowFrom(windowOf(node, shape, size, ceil))) as Window;
    const countOutside = !global && op === "average" && numberOf(node, "count_include_pad", 0) !== 0;
    if (countOutside && ceil) return undefined;
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    const { size: sides, strides, dilations, pads } = window;
    const kernel: PoolSpec = {
      ...{ family: "pool", op, size: sides, strides, dilations, pads: [pads[0], pads[1]], countOutside },
      ...{ height: x[1]!, width: x[2]! },
    };
    const buffers = [arena(from, sidesOf(x), { window, y: sidesOf(y) }), wholeValue(to, y)];
    const step = { name: node.op, kernel, reads: [from], writes: to };
    return stage(buffers, [step], [], countOf(y) * sizeOf(sides));
  };

/** A list that says sizes: an attribute, or an input that is constant. */
function listOfConstants(node: GraphNode, index: number, name: string, context: LoweringContext): number[] | undefined {
  const tensor = context.constants.get(node.inputs[index] ?? "");
  return tensor ? Array.from(numbersOf(tensor)) : listOf(node, name)?.slice();
}

/** Every few rows and columns, from the first on. */
const slice: Rule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const starts = listOfConstants(node, 1, "starts", context);
  const axes = listOfConstants(node, 3, "axes", context) ?? [0, 1, 2, 3];
  const steps = listOfConstants(node, 4, "steps", context) ?? starts?.map(() => 1);
  if (!x || !y || !starts || !steps || starts.some((start) => start !== 0) || steps.some((step) => step < 1)) {
    return undefined;
  }
  const along = (axis: number): number => steps[axes.findIndex((one) => one === axis || one === axis - 4)] ?? 1;
  if (along(0) > 1 || along(1) > 1 || x[0] !== y[0] || x[3] !== y[3]) return undefined;
  const [from, to] = [node.inputs[0]!, node.outputs[0]!];
  const kernel = elementwiseSpec("copy", y[3]!, { strides: [along(2), along(3)] });
  const buffers = [wholeValue(from, x), wholeValue(to, y)];
  return stage(buffers, [{ name: "slice", kernel, reads: [from], writes: to }], [], countOf(y));
};

/** Channels of zeros before and after others: a mix that takes each input once. */
const pad: Rule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const pads = listOfConstants(node, 1, "pads", context);
  const value = node.inputs[2] ? channelConstant(node.inputs[2], 1, context)?.[0] : numberOf(node, "value", 0);
  const plain = (node.attributes.mode ?? "constant") === "constant" && value === 0 && !node.inputs[3];
  if (!x || !y || pads?.length !== 8 || !plain || pads.some((count, i) => count < 0 || (i % 4 !== 1 && count > 0))) {
    return undefined;
  }
  const [inputs, outputs] = [x[3]!, y[3]!];
  const weight = new Float32Array(inputs * outputs);
  for (let c = 0; c < inputs; c++) weight[c * outputs + c + pads[1]!] = 1;
  const window = { ...pointwiseWindow, pads: [0, 0, 0, 0], border: "constant", borderValue: 0 } as Window;
  const problem = { kind: "conv", ...base(x, y, window, "none"), groups: 1 } as const;
  return layer(node, context, problem, new Map([["weight", { weight }]]));
};

/** By the operator's name. Those of the second list join what layers leave in the machine's memory, and alone are no reason to. */
export const layerRules: Readonly<Record<string, Rule>> = {
  ...{ Conv: conv, SeparableConv: separable, ConvTranspose: convTranspose },
};
export const joiningRules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(Object.keys(activations).map((name) => [name, activation])),
  ...{ Add: pairwise("add"), Sub: pairwise("sub"), Mul: pairwise("mul"), PRelu: pairwise("prelu") },
  ...{ BatchNormalization: batchNorm, Concat: concat, Slice: slice, Pad: pad },
  ...{ MaxPool: pool("max", false), AveragePool: pool("average", false) },
  ...{ GlobalMaxPool: pool("max", true), GlobalAveragePool: pool("average", true) },
};

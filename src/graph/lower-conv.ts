// Lowering rules for Conv and ConvTranspose of one to three axes, any groups and windows, and weights that are constant or
// computed. All become convolutions of two axes: a list of pixels is one row; of a volume, the planes that a window sees along
// the depth become channels, and each plane of the result is an image.
import { derived, type LayerWeights } from "../kernels/kernel.ts";
import {
  arena,
  convSpec,
  depthwiseSpec,
  outputChannels,
  sidesOf,
  windowOf as windowOfKernel,
} from "../kernels/layer.ts";
import {
  type Phase,
  phasesOf,
  storedOutputs,
  transposedPhasesOf,
  transposedWeights,
} from "../kernels/transposed/solver.ts";
import type { Activation, BufferSpec, ConvProblem, LayerProblem } from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import {
  base,
  constantOf,
  filling,
  fusedActivation,
  joined,
  type Lowered,
  type LoweringContext,
  type LoweringRule,
  moving,
  named,
  read,
  stages,
  windowFrom,
  write,
} from "./lowering.ts";
import { numberOf } from "./nodes.ts";
import { type Order, type Placed, sidesIn } from "./places.ts";
import type { GraphNode } from "./types.ts";
import {
  allTaps,
  copiesOf,
  orderedWeight,
  type PackLoop,
  packConvolution,
  packDepthwiseLayer,
  packedLayer,
  packSource,
  type Taps,
  takeWeight,
  type WeightPart,
  weightSteps,
} from "./weights.ts";
import { transposedWindow, type WindowAxes, windowOf } from "./window.ts";

type Part = Omit<Lowered, "outputs">;

/** What a rule knows of the layer that it lowers. */
interface Layer {
  node: GraphNode;
  context: LoweringContext;
  /** The name of the result, by which its own buffers are called. */
  own: string;
  x: readonly number[];
  y: readonly number[];
  weight: readonly number[];
  axes: WindowAxes;
  groups: number;
  activation: Activation;
  transposed: boolean;
  added?: string;
}

/** Outputs along the depth that see the same taps: which they are, and which planes of the input they see. */
interface DepthPhase {
  start: number;
  step: number;
  outputs: number;
  taps: Taps;
  /** Output i sees through tap t the plane i · stride + t · dilation − pad. */
  stride: number;
  dilation: number;
  pad: number;
}

/** A value with channels last in a buffer that may store more channels than the value has. */
interface Plane {
  buffer: BufferSpec;
  shape: number[];
}

function layerOf(node: GraphNode, context: LoweringContext, transposed: boolean): Layer | undefined {
  const [x, weight] = [0, 1].map((i) => context.specs.get(node.inputs[i]!));
  const y = context.specs.get(node.outputs[0]!);
  const bias = node.inputs[2] ? context.specs.get(node.inputs[2]) : undefined;
  const activation = fusedActivation(node);
  if ([x, weight, y, bias ?? x].some((spec) => spec?.dtype !== "f32" || spec.shape.includes(0))) return undefined;
  if (x!.data || y!.data || !activation) return undefined;
  const added = node.inputs[3] || undefined;
  const groups = numberOf(node, "group", 1);
  if (added && (transposed || groups > 1 || context.specs.get(added)?.shape.join() !== y!.shape.join()))
    return undefined;
  const axes = (transposed ? transposedWindow : windowOf)(node, x!.shape, weight!.shape.slice(2));
  const shapes = { x: x!.shape, y: y!.shape, weight: weight!.shape };
  return { ...{ node, context, own: node.outputs[0]! }, ...shapes, axes, groups, activation, transposed, added };
}

const rule =
  (transposed: boolean): LoweringRule =>
  (node, context) => {
    const layer = layerOf(node, context, transposed);
    if (!layer) return undefined;
    const { own, y } = layer;
    const phases = depthPhases(layer);
    const { buffer, held } = write(own, y.length === 4 ? "channels last" : "plain", context);
    const parts: Part[] = [];
    for (const phase of phases) {
      const source = sourceOf(layer, phase);
      if (!source) return undefined;
      const name = phases.length > 1 ? `${own}: result ${phase.start}` : `${own}: result`;
      const made = planeOf(layer, phase, source.plane, name, buffer);
      if (!made) return undefined;
      parts.push(source.part, made);
    }
    return joined(parts, [held]);
  };

export const conv = rule(false);
export const convTranspose = rule(true);

function depthPhases({ axes: [depth], transposed }: Layer): DepthPhase[] {
  const { size, stride, dilation, before, input, output } = depth;
  if (!transposed) {
    const taps = allTaps(size);
    return [{ start: 0, step: 1, outputs: output, taps, stride, dilation, pad: before }];
  }
  // Of the adjoint, the input is the result.
  return phasesOf(size, stride, dilation, before, input).map((phase) => {
    const { start, count, pad, outputs } = phase;
    // Where no plane is seen, one that does not exist is.
    const seen = count > 0 ? { pad, stride: 1, taps: turned(phase) } : { pad: 1, stride: 0, taps: allTaps(1) };
    return { start, step: stride, outputs, dilation: phase.dilation, ...seen };
  });
}

/** What a phase reads, with channels last: the value itself, or planes that are copied together. */
function sourceOf(
  { node, context, own, x, groups }: Layer,
  phase: DepthPhase,
): { plane: Plane; part: Part } | undefined {
  const name = node.inputs[0]!;
  const order: Order = x.length === 4 ? "channels last" : "plain";
  const buffer = read(name, order, context);
  if (!buffer) return undefined;
  if (x.length === 4) {
    return { plane: { buffer, shape: sidesIn(x, order)! }, part: stages([], [], []) };
  }
  const [images, channels] = x as [number, number];
  const [depth, height, width] = [1, 1, ...x.slice(2)].slice(-3) as [number, number, number];
  const { count } = phase.taps;
  const each = channels / groups;
  const shape = [images * phase.outputs, height, width, channels * count];
  const target = arena(`${own}: planes ${phase.start}`, sidesOf(shape));
  const from: Placed = { shape: x, order };
  const to: Placed = { shape, order: "plain" };
  const [plane, row] = [height * width, channels * count];
  let isWhole = true;
  const moves = [];
  for (let tap = 0; tap < count; tap++) {
    const planeOf = (output: number): number => output * phase.stride + tap * phase.dilation - phase.pad;
    const outputs = Array.from({ length: phase.outputs }, (_, i) => i).filter((i) => {
      return planeOf(i) >= 0 && planeOf(i) < depth;
    });
    if (outputs.length < phase.outputs) isWhole = false;
    if (outputs.length === 0) continue;
    const loops: PackLoop[] = [
      { count: images, from: channels * depth * plane, to: phase.outputs * plane * row },
      { count: outputs.length, from: phase.stride * plane, to: plane * row },
      { count: height, from: width, to: width * row },
      { count: width, from: 1, to: row },
      { count: groups, from: each * depth * plane, to: count * each },
      { count: each, from: depth * plane, to: 1 },
    ];
    const made = copiesOf(
      loops,
      { placed: from, offset: planeOf(outputs[0]!) * plane },
      { placed: to, offset: outputs[0]! * plane * row + tap * each },
    );
    if (!made) return undefined;
    moves.push(...made.map((kernel) => moving(kernel, buffer.id, target.id)));
  }
  const steps = [...(isWhole ? [] : [filling(0, target)]), ...moves];
  return { plane: { buffer: target, shape }, part: stages([buffer, target], steps, []) };
}

/** The layer of two axes on a phase's planes, and the copy of its result to where it belongs. */
function planeOf(layer: Layer, phase: DepthPhase, x: Plane, id: string, result: BufferSpec): Part | undefined {
  const { axes, activation, groups, transposed, y } = layer;
  const window = windowFrom(axes);
  const [height, width] = axes.slice(1).map(({ input, output }) => (transposed ? input : output)) as [number, number];
  const outputs = y[1]!;
  const shape = [x.shape[0]!, height, width, outputs];
  const common = base(x.shape, shape, window, activation);
  const channels = layer.x[1]!;
  const isKnown = [1, 2].every((i) => !layer.node.inputs[i] || constantOf(layer.node.inputs[i], layer.context));
  const isDepthwise = !transposed && groups > 1 && groups === channels && phase.taps.count === 1;
  const depthwise = isDepthwise && (isKnown || outputs === channels);
  const members = depthwise ? outputs / channels : 1;
  const residual = layer.added !== undefined;
  const problem: LayerProblem = transposed
    ? { kind: "transposed", ...common, groups }
    : depthwise
      ? { kind: "depthwise", ...common, depthMultiplier: members }
      : { kind: "conv", ...common, groups, residual, shared: true, ...exactness(layer.node) };
  const stored = storedBy(problem, x);
  const direct = y.length === 4 && stored === result.channels && members === 1;
  const target = direct ? result : arena(id, { ...sidesOf(shape), channels: stored });
  const made = withWeights(layer, phase, problem, x, target);
  if (!made || direct) return made;
  const copies = toResult(layer, phase, { buffer: target, shape }, members, result);
  return copies && joined([made, copies], []);
}

/** Sums of integers in floats stay exact only where they are summed as they are. */
const exactness = (node: GraphNode): { exact?: true } => (numberOf(node, "exact", 0) ? { exact: true } : {});

/** Channels that the kernels of a problem store. */
function storedBy(problem: LayerProblem, { shape }: Plane): number {
  if (problem.kind === "transposed") return storedOutputs(transposedPhasesOf(problem)[0]!);
  if (problem.kind === "depthwise") return sidesOf(shape).channels * problem.depthMultiplier;
  const { groups } = problem as ConvProblem;
  return outputChannels(convSpec({ inputs: shape[3]!, outputs: problem.y.shape[3]!, groups, activation: "none" }));
}

/** A phase's result to its places in the value. */
function toResult({ y }: Layer, phase: DepthPhase, { buffer, shape }: Plane, members: number, result: BufferSpec) {
  const [images, outputs] = y as [number, number];
  const [depth] = [1, ...y.slice(2)].slice(-3) as [number];
  const planes = y.length === 5 ? depth : 1;
  const [, height, width] = shape as [number, number, number];
  const plane = height * width;
  const { channels } = buffer;
  const loops: PackLoop[] = [
    { count: images, from: phase.outputs * plane * channels, to: outputs * planes * plane },
    { count: phase.outputs, from: plane * channels, to: phase.step * plane },
    { count: outputs / members, from: 1, to: members * planes * plane },
    { count: members, from: channels / members, to: planes * plane },
    { count: height, from: width * channels, to: width },
    { count: width, from: channels, to: 1 },
  ];
  const made = copiesOf(
    loops,
    { placed: { shape: [...shape.slice(0, 3), channels], order: "plain" }, offset: 0 },
    { placed: { shape: y, order: y.length === 4 ? "channels last" : "plain" }, offset: phase.start * plane },
  );
  return (
    made &&
    stages(
      [buffer, result],
      made.map((kernel) => moving(kernel, buffer.id, result.id)),
      [],
    )
  );
}

/** The problem with its weights: planned where they are constant, else packed at run time. */
function withWeights(
  layer: Layer,
  phase: DepthPhase,
  problem: LayerProblem,
  x: Plane,
  y: BufferSpec,
): Part | undefined {
  const { node, context, own, added } = layer;
  const weight = constantOf(node.inputs[1], context);
  const bias = constantOf(node.inputs[2], context);
  if (!weight || (node.inputs[2] && !bias)) return packed(layer, phase, problem, x, y);
  const weights = constantWeights(layer, phase, problem, weight, bias);
  const more = added && read(added, "channels last", context);
  if (added && !more) return undefined;
  const ids = { x: x.buffer.id, y: y.id, ...(more && { added: more.id }) };
  const name = phase.start > 0 ? `${own} ${phase.start}` : own;
  const renamed = new Map([...weights].map(([id, one]) => [`${name}: ${id}`, one]));
  return { ...named(context.plan(problem), ids, name), weights: renamed };
}

const partOf = ({ weight, groups, axes: [, y, x], transposed }: Layer, phase: DepthPhase): WeightPart => {
  const shape = [...weight.slice(0, 2), ...[1, 1, ...weight.slice(2)].slice(-3)];
  const [outputs, inputs] = transposed ? [weight[1]!, weight[0]! / groups] : [weight[0]! / groups, weight[1]!];
  return {
    ...{ steps: weightSteps(shape, groups, transposed), groups, outputs, inputs },
    ...{ depth: phase.taps, y: allTaps(y.size), x: allTaps(x.size) },
  };
};

function constantWeights(
  layer: Layer,
  phase: DepthPhase,
  problem: LayerProblem,
  weight: Tensor,
  bias: Tensor | undefined,
): Map<string, LayerWeights> {
  const part = partOf(layer, phase);
  const sources = [problem.kind, JSON.stringify(part), weight.data, bias?.data ?? ""];
  if (problem.kind !== "transposed") {
    const whole = weight.shape.length < 5 && (weight.data as Float32Array);
    if (whole) return new Map([["weight", orderedWeight(whole, bias)]]);
    return new Map([["weight", derived(sources, () => orderedWeight(takeWeight(weight, part), bias))]]);
  }
  const taken = (): LayerWeights => ({
    ...{ weight: hwio(takeWeight(weight, part), part), bias: bias?.data as Float32Array | undefined },
  });
  return transposedWeights(problem, derived(sources, taken));
}

/** [outputs of all groups, inputs of one, kh, kw] as [kh, kw, inputs of all, outputs of one]. */
function hwio(weight: Float32Array, { groups, outputs, inputs, depth, y, x }: WeightPart): Float32Array {
  const [each, taps] = [inputs * depth.count, y.count * x.count];
  const moved = new Float32Array(weight.length);
  for (let group = 0, at = 0; group < groups; group++)
    for (let o = 0; o < outputs; o++)
      for (let c = 0; c < each; c++)
        for (let tap = 0; tap < taps; tap++) moved[((tap * groups + group) * each + c) * outputs + o] = weight[at++]!;
  return moved;
}

/** Weights that are computed: packed by copies before the convolution, or before each of its phases. */
function packed(layer: Layer, phase: DepthPhase, problem: LayerProblem, x: Plane, y: BufferSpec): Part | undefined {
  const { node, context, own, added, activation, groups } = layer;
  const weight = packSource(node.inputs[1]!, context);
  const bias = node.inputs[2] ? packSource(node.inputs[2], context) : undefined;
  const more = added ? read(added, "channels last", context) : undefined;
  if (!weight || (node.inputs[2] && !bias) || (added && !more)) return undefined;
  const sources = [weight, ...(bias ? [bias] : [])];
  const part = partOf(layer, phase);
  const id = `${own}: packed ${phase.start}`;
  const [inputs, outputs] = [problem.x.shape[3]!, problem.y.shape[3]!];
  if (problem.kind === "depthwise") {
    const kernel = depthwiseSpec(outputs, 1, problem.window, activation);
    const made = packDepthwiseLayer(id, kernel, x.buffer.channels, part, weight, bias);
    return made && packedLayer(made, sources, kernel, [x.buffer], y);
  }
  if (problem.kind !== "transposed") {
    const residual = more !== undefined;
    const kernel = convSpec({
      ...windowOfKernel(problem.window),
      inputs,
      outputs,
      groups,
      activation,
      residual,
      packed: "value",
    });
    const made = packConvolution(id, kernel, part, weight, bias);
    return made && packedLayer(made, sources, kernel, [x.buffer, ...(more ? [more] : [])], y);
  }
  const parts = transposedPhasesOf(problem).map(({ row, column, kernel: planned, id: name }) => {
    const seen = { ...part, y: turned(row), x: turned(column) };
    const kernel = planned.family === "conv" ? { ...planned, packed: "value" as const } : planned;
    const made =
      kernel.family === "conv"
        ? packConvolution(`${id} ${name}`, kernel, seen, weight, bias)
        : packDepthwiseLayer(`${id} ${name}`, kernel, x.buffer.channels, seen, weight, bias);
    return made && packedLayer(made, sources, kernel, [x.buffer], y, row.outputs);
  });
  return parts.includes(undefined) ? undefined : joined(parts as Part[], []);
}

/** The taps of a phase of a transposed convolution, the last first. */
const turned = ({ first, step, count }: Phase): Taps => ({ first: first + (count - 1) * step, step: -step, count });

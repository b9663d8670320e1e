// Lowering rules for elementwise, pooling, slicing and concat nodes. They apply to values that are on the backend
// already, and never start a backend partition.
import type { LayerWeights } from "../kernels/kernel.ts";
import { arena, draftOf, pointwiseWindow, sidesOf, weights as weightBuffer } from "../kernels/layer.ts";
import { workOf } from "../kernels/table.ts";
import { builtInProfile, costOf } from "../plan/cost.ts";
import type { BufferSpec, ElementwiseSpec, PoolSpec, Step, Window } from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import { activationOf, activations } from "./activations.ts";
import {
  base,
  constantOf,
  type Lowered,
  type LoweringContext,
  type LoweringRule,
  layer,
  shapeOf,
  windowFrom,
} from "./lowering.ts";
import { listOf, numberOf } from "./nodes.ts";
import { isFixed, normOf } from "./passes/batch-norm.ts";
import type { GraphNode } from "./types.ts";
import { numbersOf, toValue } from "./values.ts";
import { windowOf } from "./window.ts";

/** Steps of one stage over whole values, of which none is a layer with a plan of its own. */
function stage(buffers: BufferSpec[], steps: Step[], weights: [string, ArrayLike<number>][] = []): Lowered {
  const draft = draftOf(builtInProfile, "", buffers, [steps]);
  const constants = new Map(weights.map(([id, weight]): [string, LayerWeights] => [id, { weight }]));
  const { time } = costOf(draft, builtInProfile, workOf);
  return { stages: draft.stages, buffers, weights: constants, time, multiplications: 0 };
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

const activation: LoweringRule = (node, context) => {
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
  return stage([wholeValue(from, x), wholeValue(to, y)], [{ name: node.op, kernel, reads: [from], writes: to }]);
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
  (op: "add" | "sub" | "mul" | "prelu"): LoweringRule =>
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
    return stage(buffers, [step], constant ? [[id, constant]] : []);
  };

const batchNorm: LoweringRule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const given = node.inputs.slice(1, 5).map((name) => constantOf(name, context));
  if (!x || !y || node.outputs.length > 1 || given.length !== 4 || given.includes(undefined)) return undefined;
  if (!isFixed(node)) return undefined;
  const { factors, offsets } = normOf(node, given as Tensor[]);
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
  );
};

const concat: LoweringRule = (node, context) => {
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
  return stage(buffers, steps);
};

const pool =
  (op: PoolSpec["op"], global: boolean): LoweringRule =>
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
    const buffers = [wholeValue(from, x), wholeValue(to, y)];
    const step = { name: node.op, kernel, reads: [from], writes: to };
    return stage(buffers, [step]);
  };

/** A list that says sizes: an attribute, or an input that is constant. */
function listOfConstants(node: GraphNode, index: number, name: string, context: LoweringContext): number[] | undefined {
  const tensor = context.constants.get(node.inputs[index] ?? "");
  return tensor ? Array.from(numbersOf(tensor)) : listOf(node, name)?.slice();
}

/** Slices with steps along rows and columns that begin at the first pixel. */
const slice: LoweringRule = (node, context) => {
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
  return stage(buffers, [{ name: "slice", kernel, reads: [from], writes: to }]);
};

/** Zero channels before and after the others, as a pointwise convolution with weights 0 and 1. */
const pad: LoweringRule = (node, context) => {
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

/** To channels last, for the host: the backend stores values so, and nothing is computed. */
const transpose: LoweringRule = (node, context) => {
  const order = listOf(node, "perm")?.join();
  if (!shapeOf(node.inputs[0], context) || order !== "0,2,3,1") return undefined;
  return { stages: [], buffers: [], weights: new Map(), time: 0, multiplications: 0, leaves: true };
};

/** By the operator's name. */
export const elementwiseRules: Readonly<Record<string, LoweringRule>> = {
  ...Object.fromEntries(Object.keys(activations).map((name) => [name, activation])),
  ...{ Add: pairwise("add"), Sub: pairwise("sub"), Mul: pairwise("mul"), PRelu: pairwise("prelu") },
  ...{ BatchNormalization: batchNorm, Concat: concat, Slice: slice, Pad: pad, Transpose: transpose },
  ...{ MaxPool: pool("max", false), AveragePool: pool("average", false) },
  ...{ GlobalMaxPool: pool("max", true), GlobalAveragePool: pool("average", true) },
};

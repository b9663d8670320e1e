// Lowering rules for layers with weights, which start backend partitions. Values must be of four axes and in 32-bit
// floats; other nodes stay on the host.
import { derived, type LayerWeights } from "../kernels/kernel.ts";
import { pointwiseWindow } from "../kernels/layer.ts";
import { transposedWeights } from "../kernels/transposed/solver.ts";
import type { TransposedProblem, Window } from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import {
  base,
  constantOf,
  fusedActivation,
  type LoweringContext,
  type LoweringRule,
  layer,
  read,
  shapeOf,
  windowFrom,
} from "./lowering.ts";
import { numberOf } from "./nodes.ts";
import { partsOf } from "./passes/separable.ts";
import { sidesIn } from "./places.ts";
import type { GraphNode } from "./types.ts";
import { transposedWindow, windowOf } from "./window.ts";

const weightOf = ({ data }: Tensor, bias: Tensor | undefined): LayerWeights => ({
  ...{ weight: data as Float32Array, order: "OIHW" },
  bias: bias?.data as Float32Array | undefined,
});

/** A grouped weight as one without groups, zeros where groups do not meet. */
function withoutGroups(weight: Tensor, bias: Tensor | undefined, groups: number): LayerWeights {
  return derived(["ungrouped", `${groups}`, weight.data, bias?.data ?? ""], () =>
    weightOf(ungrouped(weight, groups), bias),
  );
}

/** The weight alone. */
export function ungrouped({ data, shape }: Tensor, groups: number): Tensor {
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

/** Sums of integers in floats stay exact only where they are summed as they are. */
const exactness = (node: GraphNode): { exact?: true } => (numberOf(node, "exact", 0) ? { exact: true } : {});

const conv: LoweringRule = (node, context) => {
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
    ["weight", groups === 1 || whole ? weightOf(weight, bias.bias) : withoutGroups(weight, bias.bias, groups)],
  ]);
  const residual = added !== undefined;
  return layer(
    node,
    context,
    { kind: "conv", ...problem, groups: whole ? groups : 1, residual, shared: true, ...exactness(node) },
    weights,
    { added },
  );
};

const separable: LoweringRule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const [depthwise, pointwise] = [constantOf(node.inputs[1], context), constantOf(node.inputs[3], context)];
  const [first, second] = [biasOf(node.inputs[2], context), biasOf(node.inputs[4], context)];
  const [middle, activation] = [fusedActivation(node, "middle"), fusedActivation(node)];
  const added = node.inputs[5] || undefined;
  if (!x || !y || !depthwise || !pointwise || !first || !second || !middle || !activation) return undefined;
  if (added && shapeOf(added, context)?.join() !== y.join()) return undefined;
  const [images, channels, ...sides] = context.specs.get(node.inputs[0]!)!.shape;
  const groups = node.inputs[6] ? depthwise.shape[0]! : channels!;
  const axes = windowOf(partsOf(node).depthwise, [images!, groups, ...sides], depthwise.shape.slice(2));
  const common = { ...base(x, y, windowFrom(axes), activation), middle };
  const residual = added !== undefined;
  const weights = new Map([["depthwise", weightOf(depthwise, first.bias)]]);
  if (!node.inputs[6]) {
    const depthMultiplier = depthwise.shape[0]! / x[3]!;
    weights.set("pointwise", weightOf(pointwise, second.bias));
    return layer(node, context, { kind: "separable", ...common, depthMultiplier, residual }, weights, { added });
  }
  const [weight, bias] = [constantOf(node.inputs[6], context), biasOf(node.inputs[7], context)];
  const expand = fusedActivation(node, "expand");
  if (!weight || !bias || !expand) return undefined;
  weights.set("expand", weightOf(weight, bias.bias)).set("project", weightOf(pointwise, second.bias));
  const problem = { kind: "inverted", ...common, middleChannels: groups, expand, residual: false } as const;
  return layer(node, context, { ...problem, added: residual }, weights, { added });
};

const convTranspose: LoweringRule = (node, context) => {
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
  const sources = ["taps first", weight.data, bias.bias?.data ?? ""];
  const whole = derived(sources, () => ({ ...weightOf(tapsFirst(weight), bias.bias), order: "HWIO" }));
  return layer(node, context, problem, transposedWeights(problem, whole));
};

/** [in, out, taps] as [taps, in, out]. */
function tapsFirst({ data, shape }: Tensor): Tensor {
  const [inputs, outputs, kh, kw] = shape as [number, number, number, number];
  const moved = new Float32Array(data.length);
  for (let c = 0, at = 0; c < inputs; c++)
    for (let o = 0; o < outputs; o++)
      for (let tap = 0; tap < kh * kw; tap++) moved[(tap * inputs + c) * outputs + o] = Number(data[at++]);
  return { shape: [kh, kw, inputs, outputs], data: moved };
}

/** A product with a constant matrix: a pointwise convolution of values whose last axis is that of channels. */
const product: LoweringRule = (node, context) => {
  const [x, y] = [node.inputs[0]!, node.outputs[0]!].map((name) => context.specs.get(name)!);
  const weight = constantOf(node.inputs[1], context);
  const bias = biasOf(node.inputs[2], context);
  const activation = fusedActivation(node);
  if (x?.dtype !== "f32" || x.data || x.shape.length < 2 || weight?.shape.length !== 2 || !bias || !activation) {
    return undefined;
  }
  const isTransposed = (name: string): boolean => numberOf(node, name, 0) !== 0;
  const [from, to] = [sidesIn(x.shape, "plain"), sidesIn(y!.shape, "plain")];
  if (!from || !to || isTransposed("transA") || !read(node.inputs[0]!, "plain", context)) return undefined;
  const [alpha, beta] = [numberOf(node, "alpha", 1), numberOf(node, "beta", 1)];
  // One number for each column; a whole matrix is no bias.
  const added = bias.bias && biasColumns(bias.bias, to[3]);
  if (bias.bias && !added) return undefined;
  const scaled = (data: Float32Array, by: number): Float32Array => (by === 1 ? data : data.map((value) => by * value));
  const order = isTransposed("transB") ? "OIHW" : "HWIO";
  const sources = [order, JSON.stringify([alpha, beta, added?.length]), weight.data, bias.bias?.data ?? ""];
  const weights = derived(sources, () => ({
    ...{ weight: scaled(weight.data as Float32Array, alpha), order },
    ...(added && { bias: scaled(added, beta) }),
  }));
  const window = { ...pointwiseWindow, pads: [0, 0, 0, 0], border: "constant", borderValue: 0 } as Window;
  const problem = { kind: "conv", ...base(from, to, window, activation), groups: 1, residual: false } as const;
  return layer(node, context, { ...problem, shared: true }, new Map([["weight", weights]]), { order: "plain" });
};

function biasColumns({ shape, data }: Tensor, columns: number): Float32Array | undefined {
  if (data.length === 1) return new Float32Array(columns).fill(Number(data[0]));
  return data.length === columns && shape.at(-1) === columns ? (data as Float32Array) : undefined;
}

/** By the operator's name. */
export const layerRules: Readonly<Record<string, LoweringRule>> = {
  ...{ Conv: conv, SeparableConv: separable, ConvTranspose: convTranspose, Gemm: product, MatMul: product },
};

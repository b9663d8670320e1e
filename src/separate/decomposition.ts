// Decompositions of one convolution: the nodes and constants that replace it, what they cost, and those that are exact
// because the weight is of low rank.
import type { Engine } from "../engine/engine.ts";
import type { DecompositionName, Shape } from "../factor/decompositions.ts";
import { factorize } from "../factor/factorize.ts";
import { transpose } from "../factor/matrix.ts";
import { infer } from "../graph/infer.ts";
import { layersOf } from "../graph/layers.ts";
import { type MachineProfile, plannedTime } from "../graph/time.ts";
import type { Graph, GraphNode, Spec } from "../graph/types.ts";
import { sizeOf } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { F32Tensor, Tensor } from "../tensor.ts";
import { joinedWeights, partsOf, shapesOf } from "./groups.ts";
import { weightMatrix } from "./moments.ts";
import type { Target } from "./targets.ts";

export interface DecomposedLayer {
  nodes: GraphNode[];
  constants: Map<string, Tensor>;
}

/** A dense layer that is divided by a temperature, and the output that it gives the scores of. */
export interface DividedLayer extends DecomposedLayer {
  output: string;
  temperature: number;
}

/** The convolutions of each decomposition in order, and which axes of the window each of them takes. */
const roles: Readonly<
  Record<DecompositionName, readonly (readonly [name: string, axes: "none" | "rows" | "cols" | "both"])[]>
> = {
  cp: [
    ["first", "none"],
    ["depthwise", "both"],
    ["last", "none"],
  ],
  depthwise: [
    ["depthwise", "both"],
    ["pointwise", "none"],
  ],
  spatial: [
    ["column", "rows"],
    ["row", "cols"],
  ],
  bottleneck: [
    ["first", "both"],
    ["last", "none"],
  ],
  narrow: [
    ["first", "none"],
    ["last", "both"],
  ],
};

/** The decompositions that a convolution can take; a transposed one only a mix before it, a pointwise one two of fewer channels. */
export function decompositionsOf({ transposed, sizes: { kh, kw } }: Target): DecompositionName[] {
  if (transposed) return ["narrow"];
  if (kh * kw === 1) return ["bottleneck"];
  return kh === 1 || kw === 1
    ? ["cp", "depthwise", "bottleneck", "narrow"]
    : ["cp", "depthwise", "spatial", "bottleneck", "narrow"];
}

/** The nodes of a decomposition with its weights in their order (see fit.ts) and a bias; the last one has the target's result. */
export function decomposedLayer(
  target: Target,
  decomposition: DecompositionName,
  weights: readonly { shape: Shape; data: Float32Array }[],
  bias: Float64Array,
): DecomposedLayer {
  const { node, y } = target;
  const constants = new Map<string, Tensor>();
  const parts = roles[decomposition];
  const nodes = parts.map(([role, axes], i): GraphNode => {
    const isLast = i === parts.length - 1;
    const { shape, data } = weights[i]!;
    const channels = i === 0 ? target.groups * target.sizes.inChannels : weights[i - 1]!.shape[0];
    const groups = role === "depthwise" ? channels : target.groups;
    const names = { weight: `${y}/${role}.weight`, bias: `${y}/${role}.bias` };
    const turned = target.transposed && isLast;
    constants.set(names.weight, turned ? transposedWeight(target, data) : { shape, data });
    if (isLast) constants.set(names.bias, { shape: [bias.length], data: Float32Array.from(bias) });
    const input = i === 0 ? target.x : `${y}/${parts[i - 1]![0]}`;
    return {
      ...{ name: `${node.name}/${role}`, op: turned ? "ConvTranspose" : "Conv", opset: node.opset },
      inputs: [input, names.weight, ...(isLast ? [names.bias] : [])],
      outputs: [isLast ? y : `${y}/${role}`],
      attributes: turned ? node.attributes : windowAttributes(target, axes, shape, groups),
    };
  });
  return { nodes, constants };
}

/** From [out · kh · kw, rank, 1, 1] to [rank, out, kh, kw]. */
function transposedWeight({ window: [, rows, cols], outChannels }: Target, data: Float32Array): Tensor {
  const outputs = outChannels * rows.size * cols.size;
  const rank = data.length / outputs;
  const turned = data.map((_, i) => data[(i % outputs) * rank + Math.floor(i / outputs)]!);
  return { shape: [rank, outChannels, rows.size, cols.size], data: turned };
}

function windowAttributes(
  { node, window, transposed }: Target,
  axes: string,
  shape: Shape,
  group: number,
): GraphNode["attributes"] {
  const has = (axis: string): boolean => !transposed && (axes === "both" || axes === axis);
  const none = { stride: 1, dilation: 1, before: 0, after: 0 };
  const [y, x] = [has("rows") ? window[1] : none, has("cols") ? window[2] : none];
  // How much "same" pads depends on the size of the input, which may be another one.
  const auto = `${node.attributes.auto_pad ?? ""}`.startsWith("SAME") && axes !== "none";
  return {
    ...{ kernel_shape: shape.slice(2), strides: [y.stride, x.stride], dilations: [y.dilation, x.dilation], group },
    ...(auto ? { auto_pad: node.attributes.auto_pad! } : { pads: [y.before, x.before, y.after, x.after] }),
  };
}

export interface NetworkCost {
  multiplications: number;
  parameters: number;
  /** Predicted nanoseconds of the backend partitions on one thread, as the engine plans them, by the profile. */
  time: number;
}

/** The engine that plans, and the profile of the machine that costs are predicted for; the built-in one by default. */
export interface CostContext {
  engine: Engine;
  profile?: MachineProfile;
}

/** What a target costs as it is, for an input of this shape. */
export function targetCost(graph: Graph, target: Target, x: Spec, costContext: CostContext): NetworkCost {
  return costOf({ nodes: [target.node], constants: new Map(graph.constants) }, target, x, costContext);
}

/** What a target costs in a decomposition of a rank. */
export function decompositionCost(
  target: Target,
  decomposition: DecompositionName,
  rank: number,
  x: Spec,
  costContext: CostContext,
): NetworkCost {
  const weights = shapesOf(target, decomposition, rank).map((shape) => ({
    shape,
    data: new Float32Array(sizeOf(shape)),
  }));
  return costOf(decomposedLayer(target, decomposition, weights, target.bias), target, x, costContext);
}

function costOf(
  { nodes, constants }: DecomposedLayer,
  { x, y }: Target,
  { dtype, shape }: Spec,
  costContext: CostContext,
): NetworkCost {
  const graph = { inputs: [{ name: x, dtype, shape }], outputs: [{ name: y }], nodes, constants };
  return networkCost(graph, new Map([[x, { dtype, shape }]]), costContext);
}

/** What a network costs for inputs of some shapes. */
export function networkCost(
  graph: Graph,
  inputs: ReadonlyMap<string, Spec>,
  { engine, profile }: CostContext,
): NetworkCost {
  const layers = layersOf(graph, infer(graph, operators, inputs));
  const sum = (of: (layer: (typeof layers)[number]) => number): number => layers.reduce((all, one) => all + of(one), 0);
  return {
    multiplications: sum((layer) => layer.multiplications),
    parameters: sum((layer) => layer.parameters),
    time: plannedTime(graph, operators, inputs, engine, profile),
  };
}

export interface ExactDecomposition {
  decomposition: DecompositionName;
  rank: number;
  weights: { shape: Shape; data: Float32Array }[];
}

/**
 * The decomposition of fewest multiplications that a weight has without error, of groups at the largest rank of any; undefined where
 * none has fewer than the weight.
 */
export function exactDecomposition(
  target: Target,
  x: Spec,
  whole: NetworkCost,
  costContext: CostContext,
): ExactDecomposition | undefined {
  const parts = partsOf(target);
  const found = decompositionsOf(target).flatMap((decomposition): ExactDecomposition[] => {
    const own = parts.map((part) => exactly(part, decomposition));
    if (!own[0]) return [];
    const rank = Math.max(...own.map((one) => one!.rank));
    const filters = decomposition === "depthwise" ? target.sizes.inChannels : 1;
    const all = own.map((one) => atRank(one!, rank, filters));
    return [{ decomposition, rank, weights: joinedWeights(all) }];
  });
  const costs = new Map(
    found.map((one) => [one, decompositionCost(target, one.decomposition, one.rank, x, costContext).multiplications]),
  );
  const [best] = found.sort((a, b) => costs.get(a)! - costs.get(b)!);
  return best && costs.get(best)! < whole.multiplications ? best : undefined;
}

type Exact = Pick<ExactDecomposition, "rank" | "weights">;

/** The two convolutions of a rank with zeros for what a larger one has; `blocks`: how many times a rank they have. */
function atRank({ rank, weights }: Exact, wanted: number, blocks: number): Exact["weights"] {
  return weights.map(({ shape: [outputs, inputs, kh, kw], data }, i) => {
    const all = i === 0 ? blocks : blocks * outputs;
    const [from, to] = [data.length / all, (data.length / all / rank) * wanted];
    const padded = new Float32Array(all * to);
    for (let b = 0; b < all; b++) padded.set(data.subarray(b * from, (b + 1) * from), b * to);
    const grown = (side: number): number => (side / rank) * wanted;
    return { shape: i === 0 ? [grown(outputs), inputs, kh, kw] : [outputs, grown(inputs), kh, kw], data: padded };
  });
}

/** A convolution of one group in a decomposition of its own rank; undefined where another one says the same. */
function exactly(part: Target, decomposition: DecompositionName): Exact | undefined {
  const { outChannels, inChannels, kh, kw } = part.sizes;
  const weight = {
    shape: [outChannels, inChannels, kh, kw],
    data: Float32Array.from(transpose(weightMatrix(part)).data),
  };
  if (decomposition === "depthwise") {
    const found = factorize(weight, { split: "depthwise" });
    return { rank: found.rank, weights: inOrder(found.depthwise, found.pointwise) };
  }
  if (decomposition === "spatial") {
    const found = factorize(weight, { split: "spatial" });
    return { rank: found.rank, weights: inOrder(found.vertical, found.horizontal) };
  }
  // Of a single tap the two are the same.
  if (decomposition !== "bottleneck" && !part.transposed) return undefined;
  const found = factorize(weight, { split: "bottleneck" });
  return { rank: found.rank, weights: inOrder(found.first, found.second) };
}

const inOrder = (...tensors: F32Tensor[]): ExactDecomposition["weights"] =>
  tensors.map(({ shape, data }) => ({ shape: shape as unknown as Shape, data }));

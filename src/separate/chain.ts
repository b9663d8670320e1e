// The convolutions that take the place of one: as nodes and constants of a network, and what they cost.
import type { Engine } from "../engine/engine.ts";
import { type FormName, forms, type Shape } from "../factor/forms.ts";
import { infer } from "../graph/infer.ts";
import { layersOf } from "../graph/layers.ts";
import { type MachineProfile, plannedTime } from "../graph/time.ts";
import type { Graph, GraphNode, Spec } from "../graph/types.ts";
import { sizeOf } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Tensor } from "../tensor.ts";
import type { Target } from "./targets.ts";

export interface Chain {
  nodes: GraphNode[];
  constants: Map<string, Tensor>;
}

/** The convolutions of each form in order, and which axes of the window each of them takes. */
const roles: Readonly<Record<FormName, readonly (readonly [name: string, axes: "none" | "rows" | "cols" | "both"])[]>> =
  {
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

/** The forms that a convolution can take; a transposed one only a mix before it. */
export function formsOf({ transposed, sizes: { kh, kw } }: Target): FormName[] {
  if (transposed) return ["narrow"];
  return kh === 1 || kw === 1
    ? ["cp", "depthwise", "bottleneck", "narrow"]
    : ["cp", "depthwise", "spatial", "bottleneck", "narrow"];
}

/** The nodes of a form with its weights in their order (see fit.ts) and a bias; the last one has the target's result. */
export function chainOf(
  target: Target,
  form: FormName,
  weights: readonly { shape: Shape; data: Float32Array }[],
  bias: Float64Array,
): Chain {
  const { node, y } = target;
  const constants = new Map<string, Tensor>();
  const parts = roles[form];
  const nodes = parts.map(([role, axes], i): GraphNode => {
    const isLast = i === parts.length - 1;
    const { shape, data } = weights[i]!;
    const channels = i === 0 ? target.sizes.inChannels : weights[i - 1]!.shape[0];
    const names = { weight: `${y}/${role}.weight`, bias: `${y}/${role}.bias` };
    const turned = target.transposed && isLast;
    constants.set(names.weight, turned ? transposedWeight(target, data) : { shape, data });
    if (isLast) constants.set(names.bias, { shape: [bias.length], data: Float32Array.from(bias) });
    const input = i === 0 ? target.x : `${y}/${parts[i - 1]![0]}`;
    return {
      ...{ name: `${node.name}/${role}`, op: turned ? "ConvTranspose" : "Conv", opset: node.opset },
      inputs: [input, names.weight, ...(isLast ? [names.bias] : [])],
      outputs: [isLast ? y : `${y}/${role}`],
      attributes: turned ? node.attributes : windowAttributes(target, axes, shape, role === "depthwise" ? channels : 1),
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

export interface ChainCost {
  multiplications: number;
  parameters: number;
  /** Nanoseconds on one thread, of what the machine computes, as the engine plans it, by the profile. */
  time: number;
}

/** Who plans, and for which machine; the built-in one unless said. */
export interface Planning {
  engine: Engine;
  profile?: MachineProfile;
}

/** What a target costs as it is, for an input of this shape. */
export function targetCost(graph: Graph, target: Target, x: Spec, planning: Planning): ChainCost {
  return costOf({ nodes: [target.node], constants: new Map(graph.constants) }, target, x, planning);
}

/** What a target costs in a form of a rank. */
export function formCost(target: Target, form: FormName, rank: number, x: Spec, planning: Planning): ChainCost {
  const { before, last } = forms[form].shapes(target.sizes, rank);
  const weights = [...before, last].map((shape) => ({ shape, data: new Float32Array(sizeOf(shape)) }));
  return costOf(chainOf(target, form, weights, target.bias), target, x, planning);
}

function costOf({ nodes, constants }: Chain, { x, y }: Target, { dtype, shape }: Spec, planning: Planning): ChainCost {
  const graph = { inputs: [{ name: x, dtype, shape }], outputs: [{ name: y }], nodes, constants };
  return networkCost(graph, new Map([[x, { dtype, shape }]]), planning);
}

/** What a network costs for inputs of some shapes. */
export function networkCost(graph: Graph, inputs: ReadonlyMap<string, Spec>, { engine, profile }: Planning): ChainCost {
  const layers = layersOf(graph, infer(graph, operators, inputs));
  const sum = (of: (layer: (typeof layers)[number]) => number): number => layers.reduce((all, one) => all + of(one), 0);
  return {
    multiplications: sum((layer) => layer.multiplications),
    parameters: sum((layer) => layer.parameters),
    time: plannedTime(graph, operators, inputs, engine, profile),
  };
}

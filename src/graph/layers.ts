// Lists the layers of a network: kind, shapes, parameters, multiplications, and the error of each split of the weights.
import { estimateWeight, type WeightEstimate } from "../factor/weights.ts";
import { numberOf } from "./nodes.ts";
import type { Graph, GraphNode, Spec } from "./types.ts";
import { sizeOf } from "./values.ts";

/** One layer of a network, as `inspectModel` lists it. */
export interface Layer {
  /** The node's own name. */
  name: string;
  /** ONNX's name of the operator. */
  op: string;
  /**
   * "conv", "grouped conv", "depthwise conv", "pointwise conv", "transposed conv", "dense" (a product with a constant
   * matrix), or the operator.
   */
  kind: string;
  /** Sides of a convolution's weights. */
  window?: readonly number[];
  /** Steps between its windows, by axis. */
  strides?: readonly number[];
  /** Shapes of what it reads that is not constant. */
  inputs: readonly (readonly number[])[];
  /** Shapes of what it computes. */
  outputs: readonly (readonly number[])[];
  /** Elements of the constants that it reads, without scalars and 64-bit integers, which say sizes; each counts once. */
  parameters: number;
  /** Multiply-accumulates of convolutions and matrix products: 2 FLOP each. Other arithmetic is not counted. */
  multiplications: number;
  /** What the weights of a convolution lose by each split at a share of the multiplications, the best split first. */
  splits: readonly WeightEstimate[];
}

type Specs = ReadonlyMap<string, Spec>;

/** Nodes that compute with values, in the order in which they run: those that only compute with sizes are no layers. */
const layerNodes = ({ nodes }: Graph, specs: Specs): GraphNode[] =>
  nodes.filter(({ outputs }) => !outputs.every((name) => name === "" || specs.get(name)?.data));

/** The layers of a network in the order in which they run, by what is known of its values; their splits are not estimated. */
export function layersOf(graph: Graph, specs: Specs): Layer[] {
  const counted = new Set<string>();
  const constant = (name: string): Spec | undefined => (specs.get(name)?.data ? specs.get(name) : undefined);
  return layerNodes(graph, specs).map((node) => {
    const read = [...new Set(node.inputs)].filter((name) => specs.has(name));
    const isWeight = (spec: Spec | undefined): boolean =>
      spec !== undefined && spec.dtype !== "i64" && spec.shape.length > 0;
    const held = read.filter((name) => isWeight(constant(name)) && !counted.has(name));
    for (const name of held) counted.add(name);
    const weight = weightOf(node, specs);
    return {
      ...{ name: node.name, op: node.op, kind: weight ? kindOf(node, weight) : node.op },
      ...(weight && weight.shape.length > 2 && { window: weight.shape.slice(2), strides: stridesOf(node, weight) }),
      inputs: read.filter((name) => !constant(name)).map((name) => specs.get(name)!.shape),
      outputs: node.outputs.filter((name) => specs.has(name)).map((name) => specs.get(name)!.shape),
      parameters: held.reduce((sum, name) => sum + sizeOf(specs.get(name)!.shape), 0),
      multiplications: multiplicationsOf(node, specs, weight),
      splits: [],
    };
  });
}

/** What the weights of one layer lose by each split. */
export interface LayerSplits {
  /** The layer's place among all, from 0. */
  layer: number;
  /** The best split first. */
  splits: readonly WeightEstimate[];
  /** The share of the work that is done, 0 to 1. */
  done: number;
}

/**
 * The splits of those layers that have some, one after another. `share` is that of the multiplications, 0 to 1, for which
 * they are estimated; `spectra`: with their singular values.
 */
export function* splitsOfLayers(graph: Graph, specs: Specs, share: number, spectra: boolean): Generator<LayerSplits> {
  const convolutions = layerNodes(graph, specs).flatMap((node, layer) => {
    const weight = weightOf(node, specs);
    return weight && kindOf(node, weight) === "conv" ? [{ layer, weight }] : [];
  });
  // The time of a spectrum grows with about the square of the channels
  const works = convolutions.map(({ weight: { shape } }) => sizeOf(shape) * Math.min(shape[0]!, shape[1]!));
  const whole = works.reduce((sum, work) => sum + work, 0);
  let past = 0;
  for (const [i, { layer, weight }] of convolutions.entries()) {
    const splits = splitsOf(weight, share, spectra);
    past += works[i]!;
    yield { layer, splits, done: whole > 0 ? past / whole : 1 };
  }
}

/** The input that holds the constant weights of an operator. */
const weightInputs: Readonly<Record<string, number>> = {
  ...{ Conv: 1, ConvTranspose: 1, ConvInteger: 1, QLinearConv: 3, Gemm: 1, MatMul: 1 },
};

function weightOf({ op, inputs }: GraphNode, specs: Specs): Spec | undefined {
  const weight = specs.get(inputs[weightInputs[op] ?? -1] ?? "");
  return weight?.data && weight;
}

function kindOf(node: GraphNode, { shape: [, inChannels, ...window] }: Spec): string {
  if (window.length === 0) return "dense";
  if (node.op === "ConvTranspose") return "transposed conv";
  const groups = numberOf(node, "group", 1);
  if (groups > 1) return inChannels === 1 ? "depthwise conv" : "grouped conv";
  return window.every((side) => side === 1) ? "pointwise conv" : "conv";
}

function stridesOf({ attributes: { strides } }: GraphNode, { shape }: Spec): readonly number[] {
  return (strides as readonly number[] | undefined) ?? shape.slice(2).map(() => 1);
}

function multiplicationsOf(node: GraphNode, specs: Specs, weight: Spec | undefined): number {
  const [x, y] = [specs.get(node.inputs[0] ?? ""), specs.get(node.outputs[0] ?? "")];
  if (!x || !y || !(node.op in weightInputs)) return 0;
  if (node.op === "Gemm") return sizeOf(y.shape) * x.shape[numberOf(node, "transA", 0) ? 0 : 1]!;
  if (node.op === "MatMul") return sizeOf(y.shape) * x.shape.at(-1)!;
  // Each place of the result takes one of each weight; of a transposed convolution, each place of the input gives one
  const { shape } = node.op === "ConvTranspose" ? x : y;
  const second = weight ?? specs.get(node.inputs[weightInputs[node.op]!]!);
  return (sizeOf(shape) / shape[1]!) * sizeOf(second!.shape);
}

const splits = ["depthwise", "spatial", "bottleneck"] as const;

function splitsOf({ shape, data }: Spec, share: number, spectrum: boolean): WeightEstimate[] {
  const isReal = data instanceof Float32Array || data instanceof Float64Array;
  if (shape.length !== 4 || !isReal || data.length === 0 || !data.every(Number.isFinite)) return [];
  return splits
    .flatMap((split) => estimateWeight({ shape, data }, { split, share, spectrum }) ?? [])
    .sort((a, b) => a.error - b.error);
}

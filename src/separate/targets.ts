// Finds the convolutions of a network that can be decomposed.
import type { Sizes } from "../factor/decompositions.ts";
import { numberOf } from "../graph/nodes.ts";
import type { Graph, GraphNode, Spec } from "../graph/types.ts";
import { numbersOf, toValue } from "../graph/values.ts";
import { transposedWindow, type WindowAxes, windowOf } from "../graph/window.ts";

/** A convolution, or a transposed one of one group, with constant f32 weights. A group has several inputs. */
export interface Target {
  node: GraphNode;
  /** Names of the values before and after it. */
  x: string;
  y: string;
  transposed: boolean;
  groups: number;
  /** Of all groups. */
  outChannels: number;
  /** [out, in / groups, kh, kw]; of a transposed one [in, out, kh, kw]. */
  weight: Float64Array;
  bias: Float64Array;
  window: WindowAxes;
  /** The matrix of the weight for fits, of one group: a transposed convolution gives out · kh · kw numbers for each place of its input. */
  sizes: Sizes;
  /** The places at which that matrix is applied. */
  places: WindowAxes;
  /** What is added to its result, and nothing else reads that: a shortcut whose error it can make up for. */
  added?: string;
}

export function targetsOf(graph: Graph, specs: ReadonlyMap<string, Spec>): Target[] {
  return graph.nodes.flatMap((node) => {
    const found = targetOf(node, graph, specs);
    return found ? [{ ...found, added: addedTo(found.y, graph, specs) }] : [];
  });
}

function targetOf(node: GraphNode, graph: Graph, specs: ReadonlyMap<string, Spec>): Target | undefined {
  const transposed = node.op === "ConvTranspose";
  if (!transposed && node.op !== "Conv") return undefined;
  const [x = "", weightName = "", biasName = ""] = node.inputs;
  const [weight, bias, spec] = [graph.constants.get(weightName), graph.constants.get(biasName), specs.get(x)];
  const groups = numberOf(node, "group", 1);
  const isPlain = (groups === 1 || !transposed) && node.attributes.activation === undefined && !node.inputs[3];
  if (!weight || !spec || (biasName && !bias) || !isPlain) return undefined;
  if (spec.shape.length !== 4 || spec.dtype !== "f32" || toValue(weight)?.dtype !== "f32") return undefined;
  const [first = 1, second = 1, kh = 1, kw = 1] = weight.shape;
  // A group of one input is a depthwise convolution already.
  if (groups > 1 && (second === 1 || first % groups > 0 || spec.shape[1] !== groups * second)) return undefined;
  const numbers = Float64Array.from(numbersOf(weight));
  if (!numbers.every(Number.isFinite)) return undefined;
  const [inChannels, outChannels] = transposed ? [first, second] : [second, first];
  const window = (transposed ? transposedWindow : windowOf)(node, spec.shape, [kh, kw]);
  return {
    ...{ node, x, y: node.outputs[0]!, transposed, groups, outChannels, weight: numbers, window },
    bias: bias ? Float64Array.from(numbersOf(bias)) : new Float64Array(outChannels),
    sizes: transposed
      ? { inChannels, outChannels: outChannels * kh * kw, kh: 1, kw: 1 }
      : { inChannels, outChannels: outChannels / groups, kh, kw },
    places: transposed ? pointwisePlaces(window.map(({ output }) => output)) : window,
  };
}

/** {@link Target.places} for an input of another shape. */
export function placesFor(
  { node, transposed, places, sizes: { kh, kw } }: Target,
  shape: readonly number[],
): WindowAxes {
  const sides = shape.slice(-2);
  const known = places.slice(1).every(({ input }, i) => input === sides[i]);
  if (known) return places;
  return transposed ? pointwisePlaces([1, ...sides]) : windowOf(node, shape, [kh, kw]);
}

/** The window that looks at each place of a transposed convolution's input alone. */
function pointwisePlaces(sides: readonly number[]): WindowAxes {
  return sides.map((side) => ({
    ...{ input: side, output: side, size: 1, stride: 1, dilation: 1, before: 0, after: 0 },
  })) as unknown as WindowAxes;
}

function addedTo(value: string, graph: Graph, specs: ReadonlyMap<string, Spec>): string | undefined {
  const readers = graph.nodes.filter(({ inputs }) => inputs.includes(value));
  const [reader] = readers;
  if (readers.length !== 1 || reader!.op !== "Add" || graph.outputs.some(({ name }) => name === value))
    return undefined;
  const other = reader!.inputs[reader!.inputs[0] === value ? 1 : 0]!;
  const [own, added] = [specs.get(value), specs.get(other)];
  return other !== value && added && !added.data && `${own?.shape}` === `${added.shape}` ? other : undefined;
}

// Passes that fuse what follows a convolution into its node: a residual becomes its fourth input, an activation the
// attributes `activation` and `activationParameters`. With the loop by which passes merge two consecutive nodes.
import type { Tensor } from "../../tensor.ts";
import { activationOf, activations } from "../activations.ts";
import { numberOf } from "../nodes.ts";
import type { Graph, GraphNode, Spec } from "../types.ts";
import { numbersOf, toValue } from "../values.ts";

/**
 * Conv and Add, where both terms are computed and of shapes that are known to be equal. Groups stay as they are, and so do
 * convolutions of one or three axes, whose results kernels do not leave where the other term lies.
 */
export function fuseResidual(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  return mergePairs(graph, (first, second, index) => {
    const isWhole = first.op === "Conv" && numberOf(first, "group", 1) === 1;
    const isPlain = isWhole && !first.inputs[3] && first.attributes.activation === undefined;
    const other = second.inputs[1 - index]!;
    const [own, added] = [specs.get(first.outputs[0]!), specs.get(other)];
    const same =
      own?.shape.length === 4 &&
      added &&
      !added.data &&
      own.dtype === added.dtype &&
      `${own.shape}` === `${added.shape}`;
    if (second.op !== "Add" || !isPlain || !same) return undefined;
    const [x = "", weight = "", bias = ""] = first.inputs;
    return { node: { ...first, inputs: [x, weight, bias, other], outputs: second.outputs } };
  });
}

/** Conv, ConvTranspose or Gemm and an activation that kernels have; of known parameters. */
export function fuseActivation(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    const canTake = ["Conv", "ConvTranspose", "Gemm"].includes(first.op) && first.attributes.activation === undefined;
    if (!canTake || index !== 0) return undefined;
    const bounds = second.inputs.slice(1).map((name) => constants.get(name));
    const found = activationOf(
      second,
      bounds.map((tensor) => tensor && toValue(tensor)),
    );
    const [a = 0, b = 0] = found?.parameters ?? [];
    if (!found || !activations[found.name]!.kernel?.(a, b)) return undefined;
    const attributes = { ...first.attributes, activation: found.name, activationParameters: found.parameters };
    return { node: { ...first, attributes, outputs: second.outputs } };
  });
}

/** A value times its Sigmoid, or its HardSigmoid as in HardSwish. */
export function fuseGate(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index) => {
    const isOfInput = second.op === "Mul" && second.inputs[1 - index] === first.inputs[0];
    if (!isOfInput || second.opset < 7) return undefined;
    const isHard =
      first.op === "HardSigmoid" && isSixth(numberOf(first, "alpha", 0.2)) && numberOf(first, "beta", 0.5) === 0.5;
    if (first.op !== "Sigmoid" && !isHard) return undefined;
    const op = isHard ? "HardSwish" : "Swish";
    return { node: { ...second, op, inputs: [first.inputs[0]!], attributes: {} } };
  });
}

/**
 * A value times Clip(value + 3, 0, 6) / 6, in whichever order: HardSwish. What that was made of may be left without a reader.
 * `specs` are the types and shapes of values, as far as they are known.
 */
export function fuseHardSwish(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  const makers = new Map(graph.nodes.map((node) => [node.outputs[0]!, node]));
  const rankOf = (name: string): number => specs.get(name)?.shape.length ?? 1;
  /** Of a node of a value and one number, which does not make its rank larger: both. */
  const pairIn = ({ inputs, outputs }: GraphNode): { name: string; by: number; first: boolean } | undefined => {
    const at = inputs.findIndex((name) => graph.constants.get(name)?.data.length === 1);
    const [name, tensor] = [inputs[1 - at]!, graph.constants.get(inputs[at] ?? "")];
    const fits = tensor && (tensor.shape.length < 2 || (specs.has(name) && rankOf(name) === rankOf(outputs[0]!)));
    return inputs.length === 2 && fits ? { name, by: numbersOf(tensor)[0]!, first: at === 0 } : undefined;
  };
  /** Of a node that scales by a number. */
  const scaledIn = (node: GraphNode): { name: string; by: number } | undefined => {
    const pair = node.op === "Mul" || node.op === "Div" ? pairIn(node) : undefined;
    if (!pair || (node.op === "Div" && pair.first)) return undefined;
    return { name: pair.name, by: node.op === "Div" ? 1 / pair.by : pair.by };
  };
  /** Of a value that is a multiple of the HardSigmoid of another: both. */
  const gateIn = (name: string): { x: string; by: number } | undefined => {
    const node = makers.get(name);
    const scaled = node && scaledIn(node);
    const inner = scaled && gateIn(scaled.name);
    if (inner) return { x: inner.x, by: inner.by * scaled.by };
    const bounds = node?.op === "Clip" ? node.inputs.slice(1).map((input) => graph.constants.get(input)) : [];
    const clip = node?.op === "Clip" ? activationOf(node, bounds.map(specOf)) : undefined;
    const sum = clip?.parameters.join() === "0,6" ? makers.get(node!.inputs[0]!) : undefined;
    const pair = sum?.op === "Add" ? pairIn(sum) : undefined;
    return pair?.by === 3 ? { x: pair.name, by: 6 } : undefined;
  };
  const productIn = ({ op, inputs: [a, b] }: GraphNode): { x: string; by: number } | undefined => {
    const [first, second] = op === "Mul" ? [gateIn(a!), gateIn(b!)] : [];
    return first?.x === b ? first : second?.x === a ? second : undefined;
  };
  const nodes = graph.nodes.map((node) => {
    const scaled = scaledIn(node);
    const inner = scaled && makers.get(scaled.name);
    const found = inner ? productIn(inner) : productIn(node);
    const by = (found?.by ?? 0) * (inner ? scaled.by : 1);
    if (!found || Math.abs(by - 1) > 1e-6 || node.opset < 7) return node;
    return { ...node, op: "HardSwish", inputs: [found.x], attributes: {} };
  });
  return { ...graph, nodes };
}

const specOf = (tensor: Tensor | undefined): Spec | undefined => tensor && toValue(tensor);

const isSixth = (value: number): boolean => Math.fround(value) === Math.fround(1 / 6);

/** What stands for two nodes, and constants that it needs. */
export interface Merged {
  node: GraphNode;
  constants?: Readonly<Record<string, Tensor>>;
}

/**
 * Offers `merge` each pair of nodes of which the second reads the first's only result, at its input `index`, and nobody else
 * does. What it returns takes the place of the second node, and may be the first of the next pair.
 */
export function mergePairs(
  graph: Graph,
  merge: (
    first: GraphNode,
    second: GraphNode,
    index: number,
    constants: ReadonlyMap<string, Tensor>,
  ) => Merged | undefined,
): Graph {
  const uses = countUses(graph);
  const constants = new Map(graph.constants);
  const nodes: (GraphNode | undefined)[] = [...graph.nodes];
  const producers = new Map<string, number>();
  for (let at = 0; at < nodes.length; at++) {
    const second = nodes[at]!;
    // The latest producer first: what it is merged with has been computed by then
    const inputs = second.inputs
      .map((name, index) => ({ name, index, producer: producers.get(name) ?? -1 }))
      .filter(({ name, producer }) => producer >= 0 && uses.get(name) === 1 && nodes[producer]!.outputs.length === 1)
      .sort((a, b) => b.producer - a.producer);
    for (const { index, producer } of inputs) {
      const merged = merge(nodes[producer]!, second, index, constants);
      if (!merged) continue;
      nodes[at] = merged.node;
      nodes[producer] = undefined;
      for (const [name, tensor] of Object.entries(merged.constants ?? {})) constants.set(name, tensor);
      break;
    }
    for (const name of nodes[at]!.outputs) producers.set(name, at);
  }
  return { ...graph, constants, nodes: nodes.filter((node) => node !== undefined) };
}

/** How often each value is read, by nodes and as an output of the network. */
function countUses({ nodes, outputs }: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  const names = [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ name }) => name)];
  for (const name of names) uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
}

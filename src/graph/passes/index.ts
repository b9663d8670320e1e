// Passes over networks: pure functions from a network to one that computes the same with less work.
import type { Tensor } from "../../tensor.ts";
import { checkBatch } from "../batch.ts";
import { infer } from "../infer.ts";
import type { Graph, GraphNode, Operators, Spec } from "../types.ts";
import { numbersOf, toValue } from "../values.ts";
import { foldBatchNorm } from "./batch-norm.ts";
import { fuseActivation, fuseGate, fuseResidual } from "./fuse.ts";
import { fuseSeparable } from "./separable.ts";

/** Values of which `specs` know the elements become constants. */
export function foldConstants(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  const isKnown = (name: string): boolean => name === "" || specs.get(name)?.data !== undefined;
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.filter(({ outputs }) => {
    const folds = outputs.every(isKnown);
    for (const name of folds ? outputs : []) if (name !== "") constants.set(name, specs.get(name) as Tensor);
    return !folds;
  });
  return { ...graph, constants, nodes };
}

/** Identity, and Dropout out of training: who reads their result reads their input instead. Outputs keep their node. */
export function dropIdentities(graph: Graph): Graph {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  const isTraining = (name: string | undefined): boolean => {
    const flag = name ? graph.constants.get(name) : undefined;
    return name !== undefined && name !== "" && (!flag || numbersOf(flag)[0] !== 0);
  };
  const drops = ({ op, inputs, outputs: [y = "", mask = ""] }: GraphNode): boolean => {
    if (outputs.has(y) || outputs.has(mask) || (mask !== "" && read.has(mask))) return false;
    return op === "Identity" || (op === "Dropout" && !isTraining(inputs[2]));
  };
  const sources = new Map<string, string>();
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => sources.get(name) ?? name);
    if (drops(node)) sources.set(node.outputs[0]!, inputs[0]!);
    else nodes.push({ ...node, inputs });
  }
  return { ...graph, nodes };
}

/** Nodes and constants that no output depends on. */
export function removeUnused(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map(({ name }) => name));
  const nodes = graph.nodes.toReversed().filter((node) => {
    const used = node.outputs.some((name) => needed.has(name));
    if (used) for (const name of node.inputs) needed.add(name);
    return used;
  });
  return {
    ...graph,
    nodes: nodes.toReversed(),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}

/** The part of {@link optimize} that holds for all types and shapes of the inputs: done once, however many there are. */
export function prepare(graph: Graph, operators: Operators): Graph {
  const folded = dropIdentities(foldConstants(graph, infer(graph, operators, new Map())));
  return removeUnused(foldBatchNorm(folded));
}

/**
 * All passes, in an order in which each finds what the others leave, and what is known of the values that are left. With types
 * and shapes of the inputs the result is good for these alone: what depends on shapes is folded, and residuals are fused.
 */
export function specialize(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
): { graph: Graph; specs: Map<string, Spec> } {
  const specs = infer(graph, operators, inputs);
  checkBatch(graph, operators, inputs, specs);
  const folded = dropIdentities(foldConstants(graph, specs));
  const fused = fuseActivation(fuseResidual(fuseGate(foldBatchNorm(folded)), specs));
  const optimised = removeUnused(fuseSeparable(fused));
  for (const [name, tensor] of optimised.constants) if (!specs.has(name)) specs.set(name, toValue(tensor)!);
  return { graph: optimised, specs };
}

export const optimize = (graph: Graph, operators: Operators, inputs: ReadonlyMap<string, Spec> = new Map()): Graph =>
  specialize(graph, operators, inputs).graph;

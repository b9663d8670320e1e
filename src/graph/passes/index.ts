// Passes over networks: pure functions from a network to one that computes the same with less work.
import { finished, type Steps } from "../../engine/turns.ts";
import type { Tensor } from "../../tensor.ts";
import { checkBatch } from "../batch.ts";
import { isMissing } from "../evaluate.ts";
import { expandNodes } from "../expand.ts";
import { inferKnown, inferring, type Known } from "../infer.ts";
import { isQuantized } from "../quantized/names.ts";
import type { Graph, GraphNode, Operators, Spec } from "../types.ts";
import { numbersOf, toValue } from "../values.ts";
import { fuseCopies } from "./copies.ts";
import { fuseActivation, fuseGate, fuseHardSwish, fuseResidual } from "./fuse.ts";
import { splitGemm } from "./gemm.ts";
import { bindConstants, inlineBranches } from "./inner.ts";
import { foldPads } from "./pads.ts";
import { flattenPools } from "./pools.ts";
import { projectInputs } from "./recurrent.ts";
import { foldScalings } from "./scalings.ts";
import { fuseSeparable } from "./separable.ts";
import { flushWeights } from "./subnormals.ts";

/** Values of which `specs` know the elements become constants, but for results of nodes that `stays` names. */
export function foldConstants(
  graph: Graph,
  specs: ReadonlyMap<string, Spec>,
  stays: (node: GraphNode) => boolean = () => false,
): Graph {
  const isKnown = (name: string): boolean => name === "" || specs.get(name)?.data !== undefined;
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.filter((node) => {
    const { outputs } = node;
    const folds = outputs.every(isKnown) && !stays(node);
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
export function prepare(graph: Graph, operators: Operators, most?: number): Graph {
  // Quantised operators are written anew for types and shapes, of the constants that the file has.
  if (graph.nodes.some(isQuantized)) return graph;
  const { specs } = inferKnown(graph, operators, new Map(), most);
  const branched = inlineBranches(graph, specs);
  if (branched !== graph) return prepare(branched, operators, most);
  return flushWeights(removeUnused(withoutScalings(dropIdentities(foldConstants(graph, specs)), specs)));
}

/** Pads, scalings and norms go into the layers beside them, as far as what is known of values says that they can. */
const withoutScalings = (graph: Graph, specs: ReadonlyMap<string, Spec>): Graph =>
  foldScalings(removeUnused(fuseHardSwish(foldPads(graph), specs)), specs);

/**
 * The part of a network that needs no operator that is missing. Its outputs are those of the network in it, and the values
 * that the rest reads.
 */
export const computablePart = (graph: Graph, operators: Operators): Graph =>
  partOf(graph, (node) => !isMissing(node, operators));

/** The part of a network that needs none but such nodes; its outputs are those of {@link computablePart}. */
export function partOf(graph: Graph, takes: (node: GraphNode) => boolean): Graph {
  const known = new Set([...graph.inputs.map(({ name }) => name), ...graph.constants.keys(), ""]);
  const computed = new Set<string>();
  const [nodes, rest]: [GraphNode[], GraphNode[]] = [[], []];
  for (const node of graph.nodes) {
    const fits = takes(node) && node.inputs.every((name) => known.has(name));
    (fits ? nodes : rest).push(node);
    if (!fits) continue;
    for (const name of node.outputs) {
      known.add(name);
      computed.add(name);
    }
  }
  if (rest.length === 0) return graph;
  const asked = [...graph.outputs.map(({ name }) => name), ...rest.flatMap(({ inputs }) => inputs)];
  const names = new Set(asked.filter((name) => name !== "" && computed.has(name)));
  return removeUnused({ ...graph, nodes, outputs: [...names].map((name) => ({ name })) });
}

/**
 * All passes, in an order in which each finds what the others leave, and what is known of the values that are left. With types
 * and shapes of the inputs the result is good for these alone: what depends on shapes is folded, residuals are fused, and copies
 * of copies are one.
 */
export const specialize = (
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
): Known & { graph: Graph } => finished(specializing(graph, operators, inputs));

/** {@link specialize} in parts; `most` bytes of constants may be computed. */
export function* specializing(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  most?: number,
): Steps<Known & { graph: Graph }> {
  const { specs, open } = yield* inferring(graph, operators, inputs, most);
  const branched = inlineBranches(graph, specs);
  if (branched !== graph) return yield* specializing(branched, operators, inputs, most);
  checkBatch(graph, operators, inputs, specs);
  yield;
  const expanded = expandNodes(graph, operators, specs);
  const known = expanded === graph ? { specs, open } : yield* inferring(expanded, operators, inputs, most);
  return yield* optimizing(expanded, operators, inputs, known, most);
}

/** The rest of the passes, over a network of which `known` says what is known. */
function* optimizing(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  { specs, open }: Known,
  most: number | undefined,
): Steps<Known & { graph: Graph }> {
  const folded = projectInputs(bindConstants(dropIdentities(foldConstants(graph, specs))), specs);
  yield;
  const plain = flattenPools(splitGemm(withoutScalings(folded, specs), specs), specs);
  yield;
  const fused = fuseActivation(fuseResidual(fuseGate(plain), specs));
  yield;
  const optimised = removeUnused(fuseCopies(fuseSeparable(fused), operators, specs));
  yield;
  const isTold = optimised.nodes.every(({ outputs }) => outputs.every((name) => name === "" || specs.has(name)));
  if (open.size > 0 || !isTold) {
    return { graph: optimised, ...(yield* inferring(optimised, operators, inputs, most)) };
  }
  // Passes may give another constant an old name.
  for (const [name, tensor] of optimised.constants) specs.set(name, toValue(tensor)!);
  return { graph: optimised, specs, open };
}

export const optimize = (graph: Graph, operators: Operators, inputs: ReadonlyMap<string, Spec> = new Map()): Graph =>
  specialize(graph, operators, inputs).graph;

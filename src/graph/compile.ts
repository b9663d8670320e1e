// Splits a network into partitions: host partitions of single nodes, and backend partitions, each one plan of many
// stages. A backend partition holds all layers that need nothing of the host beyond what earlier partitions have
// computed.

import type { Engine } from "../engine/engine.ts";
import { finished, type Steps } from "../engine/turns.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import { arena, sidesOf } from "../kernels/layer.ts";
import { networkKernels } from "../kernels/networks.ts";
import { addKernels } from "../kernels/table.ts";
import type { BufferSpec, Cost, Stage } from "../plan/types.ts";
import { fuseStages } from "./fuse-stages.ts";
import { elementwiseRules } from "./lower-elementwise.ts";
import { layerRules } from "./lower-layers.ts";
import { movement } from "./lower-movement.ts";
import {
  asIntegers,
  floatsIn,
  type Held,
  idOf,
  integersIn,
  type Lowered,
  type LoweringContext,
  type LoweringRule,
  moving,
  retyping,
  stages,
} from "./lowering.ts";
import { inOtherPlace, sidesIn } from "./places.ts";
import type { Graph, GraphNode, Operators, Spec } from "./types.ts";
import { sizeOf } from "./values.ts";

/** Stages over values in the backend's memory; `reads` and `writes` are the values that it shares with the host. */
export interface BackendPartition {
  kind: "backend";
  plan: { stages: Stage[]; buffers: BufferSpec[]; cost: Cost; ends: string[] };
  weights: Map<string, LayerWeights>;
  reads: Held[];
  writes: Held[];
  /** Of each stage, the node that it comes from. */
  nodes: GraphNode[];
}

export interface HostPartition {
  kind: "host";
  nodes: GraphNode[];
}

export type Partition = BackendPartition | HostPartition;

/** Lowering rules by the names of operators. */
type Rules = Readonly<Record<string, LoweringRule>>;

/** Nodes with the same number of switches from host to backend before them. */
interface Turn {
  onBackend: GraphNode[];
  onHost: GraphNode[];
}

/**
 * Splits an optimised network, of which `specs` know all types and shapes. `more` are rules of layers of integers and of other nodes
 * that most networks do without, where the network has some; `least`: nodes of so many elements may begin a backend partition.
 */
export const compile = (...given: Parameters<typeof compiling>): Partition[] => finished(compiling(...given));

/** {@link compile} in parts. */
export function* compiling(
  graph: Graph,
  operators: Operators,
  specs: ReadonlyMap<string, Spec>,
  engine: Pick<Engine, "plan">,
  fuse = fuseStages,
  more: { integers?: Rules; joining?: Rules; least?: number } = {},
): Steps<Partition[]> {
  const rules = { layers: { ...layerRules, ...more.integers }, joining: { ...elementwiseRules, ...more.joining } };
  addKernels(networkKernels);
  const lowered = new Map<GraphNode, Lowered>();
  const held = new Map<string, Held>();
  const plans = new Map<string, ReturnType<Engine["plan"]>>();
  const context: LoweringContext = {
    ...{ specs, operators, held, constants: graph.constants, integers: readAsIntegers(graph, more.integers ?? {}) },
    plan(problem) {
      // Networks repeat themselves.
      const key = JSON.stringify(problem);
      const planned = plans.get(key) ?? engine.plan(problem);
      plans.set(key, planned);
      const { stages, buffers, cost } = planned;
      return { stages, buffers, time: cost.time, multiplications: cost.multiplications };
    },
  };
  const leads = leadingToLayers(graph, operators, rules);
  const turns: Turn[] = [];
  const turnOf = new Map<string, number>();
  for (const node of graph.nodes) {
    yield;
    const begins = leads.has(node.outputs[0]!) || (isLarge(node, specs, more.least) && !node.inputs.some(isOnHost));
    const found = lower(node, context, begins, rules);
    const ready = node.inputs.map((name) => (turnOf.get(name) ?? 0) + (found && isOnHost(name) ? 1 : 0));
    const turn = Math.max(0, ...ready);
    turns[turn] ??= { onBackend: [], onHost: [] };
    turns[turn][found ? "onBackend" : "onHost"].push(node);
    for (const name of node.outputs) turnOf.set(name, turn);
    if (!found) continue;
    lowered.set(node, found);
    for (const output of found.outputs) held.set(output.name, output);
  }
  function isOnHost(name: string): boolean {
    return turnOf.has(name) && !held.has(name);
  }
  // What only stands for values in another order is no partition.
  for (const turn of turns) {
    if (turn.onBackend.some((node) => lowered.get(node)!.stages.length > 0)) continue;
    turn.onHost.unshift(...turn.onBackend.splice(0));
  }
  const parts = turns.map(({ onBackend }) => new PartitionBuilder(onBackend, lowered, context));
  const wanted = new Set([
    ...graph.outputs.map(({ name }) => name),
    ...turns.flatMap(({ onHost }) => onHost.flatMap(({ inputs }) => inputs)),
    ...parts.flatMap(({ reads }) => reads.map(({ name }) => name)),
  ]);
  const partitions: Partition[] = [];
  for (const [i, { onBackend, onHost }] of turns.entries()) {
    yield;
    if (onBackend.length > 0) partitions.push(parts[i]!.finish(wanted, fuse));
    if (onHost.length > 0) partitions.push({ kind: "host", nodes: onHost });
  }
  return partitions;
}

/** Elements that are worth a copy to the backend, where a network has no layers or begins with other nodes. */
const leastLarge = 2 ** 14;

const isLarge = ({ inputs, outputs }: GraphNode, specs: ReadonlyMap<string, Spec>, least = leastLarge): boolean =>
  [inputs[0], outputs[0]].some((name) => sizeOf(specs.get(name ?? "")?.shape ?? [0]) >= least);

/** Layers are always lowered; other nodes where they read what is on the backend, or where partitions may begin with them. */
function lower(
  node: GraphNode,
  context: LoweringContext,
  begins: boolean,
  rules: { layers: Rules; joining: Rules },
): Lowered | undefined {
  const rule = rules.layers[node.op];
  if (rule) return rule(node, context);
  const joins = node.inputs.some((name) => context.held.has(name));
  return joins || begins ? (rules.joining[node.op] ?? movement)(node, context) : undefined;
}

/** Values of which nobody but layers of integers wants to know. */
function readAsIntegers({ nodes, outputs }: Graph, integerRules: object): Set<string> {
  const isInteger = ({ op }: GraphNode): boolean => op in integerRules;
  const found = new Set(nodes.filter(isInteger).map(({ inputs }) => inputs[0]!));
  for (const node of nodes) if (!isInteger(node)) for (const name of node.inputs) found.delete(name);
  for (const { name } of outputs) found.delete(name);
  return found;
}

/** Values that layers read, at once or after nodes that kernels may compute. */
function leadingToLayers(
  { nodes }: Graph,
  operators: Operators,
  { layers, joining }: { layers: object; joining: object },
): Set<string> {
  const leads = new Set<string>();
  for (const { op, inputs, outputs } of nodes.toReversed()) {
    const { copies, samples } = operators.get(op)!;
    const passes = outputs.some((name) => leads.has(name)) && (op in joining || copies || samples);
    if (op in layers || passes) for (const name of inputs) leads.add(name);
  }
  return leads;
}

/** Puts the stages of some nodes together, with copies between where one node leaves a value in another order than the next. */
class PartitionBuilder {
  /** Values that come from elsewhere. */
  readonly reads: Held[] = [];
  private readonly context: LoweringContext;
  private readonly all: Lowered[] = [];
  private readonly nodes: GraphNode[] = [];
  /** By the ids of buffers: values that are computed here, and those that could be read. */
  private readonly made = new Set<string>();
  private readonly known = new Map<string, Held>();
  private readonly results: Held[] = [];

  constructor(nodes: readonly GraphNode[], lowered: ReadonlyMap<GraphNode, Lowered>, context: LoweringContext) {
    this.context = context;
    for (const node of nodes) {
      const one = lowered.get(node)!;
      const read = one.stages.flatMap(({ steps }) => steps.flatMap(({ reads }) => reads));
      const own = one.stages.flatMap(({ steps }) => steps.map(({ writes }) => writes));
      for (const name of node.inputs) for (const held of this.places(name)) this.known.set(held.id, held);
      // What is read of others; where nothing is computed, what the result lies in.
      const needed = [
        ...read.filter((id) => !own.includes(id)),
        ...one.outputs.map(({ id }) => id).filter((id) => !own.includes(id)),
      ];
      for (const id of needed) this.need(id, node);
      this.add(one, node);
      for (const id of own) this.made.add(id);
      this.results.push(...one.outputs);
    }
  }

  /** The plan, with the values that are wanted elsewhere. */
  finish(wanted: ReadonlySet<string>, fuse: typeof fuseStages): BackendPartition {
    const writes = this.results.filter(({ name }) => wanted.has(name)).map((held) => this.floatsFor(held));
    const { all, nodes, reads } = this;
    const sum = (of: (one: Lowered) => number): number => all.reduce((total, one) => total + of(one), 0);
    const cost = { time: sum(({ time }) => time), multiplications: sum((one) => one.multiplications) };
    const ends = writes.map(({ id }) => id);
    const buffers = mergeBuffers(all.flatMap((one) => one.buffers));
    const tasks = all.flatMap((one) => one.stages).map((stage, i) => ({ stage, node: nodes[i]! }));
    const fused = fuse(tasks, buffers, ends);
    return {
      kind: "backend",
      plan: {
        ...{ stages: fused.tasks.map(({ stage }) => stage), buffers: fused.buffers, ends },
        cost: { ...cost, additions: 0, bytes: 0 },
      },
      weights: new Map(all.flatMap(({ weights }) => [...weights])),
      ...{ reads, writes, nodes: fused.tasks.map(({ node }) => node) },
    };
  }

  /** A result as others take it. */
  private floatsFor(held: Held): Held {
    if (!held.dtype) return held;
    const floats = { name: held.name, order: held.order, id: floatsIn(held) };
    this.known.set(floats.id, floats);
    this.need(floats.id, this.nodes.at(-1)!);
    return floats;
  }

  private add(one: Lowered, node: GraphNode): void {
    this.all.push(one);
    this.nodes.push(...one.stages.map(() => node));
  }

  /** Where a value lies, and where a reader may want it. */
  private places(name: string): Held[] {
    const { held, specs } = this.context;
    const orders = specs.get(name)?.shape.length === 4 ? (["channels last", "plain"] as const) : (["plain"] as const);
    const others = orders.map((order) => ({ name, order, id: idOf(name, order) }));
    const own = held.get(name);
    const floats = own && !own.dtype ? [...others, own] : others;
    const integers = floats.map((one): Held => ({ ...one, id: integersIn(one.id), dtype: "i16" }));
    return [...floats, ...integers];
  }

  /** Makes sure that a buffer holds its value: computed here, copied from another order, or read from elsewhere. */
  private need(id: string, node: GraphNode): void {
    const wanted = this.known.get(id);
    if (!wanted || this.made.has(id)) return;
    this.made.add(id);
    const { held, specs } = this.context;
    const known = held.get(wanted.name);
    const isHere = known?.dtype && this.made.has(known.id);
    if (wanted.dtype || (isHere && floatsIn(known) === id)) {
      const from = wanted.dtype ? this.floatsOf(wanted) : known!;
      this.need(from.id, node);
      this.convert(from, wanted, node);
      return;
    }
    const own = known?.dtype ? { name: known.name, order: known.order, id: floatsIn(known) } : known;
    if (isHere) {
      this.known.set(own!.id, own!);
      this.need(own!.id, node);
    }
    if (!own || own.id === id || !this.made.has(own.id)) {
      this.reads.push(this.sourceOf(wanted));
      return;
    }
    const { shape } = specs.get(wanted.name)!;
    const kernel = inOtherPlace({ shape, order: own.order }, { shape, order: wanted.order })!;
    const buffers = [own, wanted].map(({ id, order }) => arena(id, sidesOf(sidesIn(shape, order)!)));
    this.add(stages(buffers, [moving(kernel, own.id, id)], []), node);
  }

  /** The floats of a buffer of integers. */
  private floatsOf(integers: Held): Held {
    return [...this.known.values()].find(({ id, dtype }) => !dtype && integersIn(id) === integers.id)!;
  }

  /** Between floats and integers of a value in one order. */
  private convert(from: Held, to: Held, node: GraphNode): void {
    const floats = arena(
      (from.dtype ? to : from).id,
      sidesOf(sidesIn(this.context.specs.get(to.name)!.shape, to.order)!),
    );
    const both = [floats, asIntegers(floats)];
    this.add(stages(both, [retyping(from.id, to.id)], []), node);
  }

  /** A buffer that another value's node has left is read as that value is. */
  private sourceOf(wanted: Held): Held {
    const owner = [...this.context.held.values()].find(
      ({ name, id, order }) => id === wanted.id && idOf(name, order) === id,
    );
    return owner ?? wanted;
  }
}

/** One buffer a value. */
const mergeBuffers = (buffers: readonly BufferSpec[]): BufferSpec[] =>
  [...new Map(buffers.toReversed().map((buffer) => [buffer.id, buffer])).values()].toReversed();

// Splits a network into partitions: host partitions of single nodes, and backend partitions, each one plan of many
// stages. A backend partition holds all layers that need nothing of the host beyond what earlier partitions have
// computed.
import type { Engine } from "../engine/engine.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import { arena, sidesOf } from "../kernels/layer.ts";
import { networkKernels } from "../kernels/networks.ts";
import { addKernels } from "../kernels/table.ts";
import type { BufferSpec, Cost, Stage } from "../plan/types.ts";
import { elementwiseRules } from "./lower-elementwise.ts";
import { layerRules } from "./lower-layers.ts";
import { movement } from "./lower-movement.ts";
import { type Held, idOf, type Lowered, type LoweringContext, moving, stages } from "./lowering.ts";
import { inOtherPlace, sidesIn } from "./places.ts";
import type { Graph, GraphNode, Operators, Spec } from "./types.ts";

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

/** Nodes with the same number of switches from host to backend before them. */
interface Turn {
  onBackend: GraphNode[];
  onHost: GraphNode[];
}

/** Splits an optimised network, of which `specs` know all types and shapes. */
export function compile(
  graph: Graph,
  operators: Operators,
  specs: ReadonlyMap<string, Spec>,
  engine: Pick<Engine, "plan">,
): Partition[] {
  addKernels(networkKernels);
  const lowered = new Map<GraphNode, Lowered>();
  const held = new Map<string, Held>();
  const plans = new Map<string, ReturnType<Engine["plan"]>>();
  const context: LoweringContext = {
    ...{ specs, operators, held, constants: graph.constants },
    plan(problem) {
      // Networks repeat themselves.
      const key = JSON.stringify(problem);
      const planned = plans.get(key) ?? engine.plan(problem);
      plans.set(key, planned);
      const { stages, buffers, cost } = planned;
      return { stages, buffers, time: cost.time, multiplications: cost.multiplications };
    },
  };
  const leads = leadingToLayers(graph, operators);
  const turns: Turn[] = [];
  const turnOf = new Map<string, number>();
  for (const node of graph.nodes) {
    const found = lower(node, context, leads);
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
  return turns.flatMap(({ onBackend, onHost }, i): Partition[] => [
    ...(onBackend.length > 0 ? [parts[i]!.finish(wanted)] : []),
    ...(onHost.length > 0 ? [{ kind: "host" as const, nodes: onHost }] : []),
  ]);
}

/** Layers are always lowered; other nodes where they read what is on the backend, or lead to layers. */
function lower(node: GraphNode, context: LoweringContext, leads: ReadonlySet<string>): Lowered | undefined {
  // What only a run can tell is computed on the host.
  if ([...node.inputs, ...node.outputs].some((name) => name !== "" && !context.specs.has(name))) return undefined;
  const rule = layerRules[node.op];
  if (rule) return rule(node, context);
  const joins = node.inputs.some((name) => context.held.has(name));
  return joins || leads.has(node.outputs[0]!) ? (elementwiseRules[node.op] ?? movement)(node, context) : undefined;
}

/** Values that layers read, at once or after nodes that kernels may compute. */
function leadingToLayers({ nodes }: Graph, operators: Operators): Set<string> {
  const leads = new Set<string>();
  for (const { op, inputs, outputs } of nodes.toReversed()) {
    const { copies, samples } = operators.get(op)!;
    const passes = outputs.some((name) => leads.has(name)) && (op in elementwiseRules || copies || samples);
    if (op in layerRules || passes) for (const name of inputs) leads.add(name);
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
  finish(wanted: ReadonlySet<string>): BackendPartition {
    const { all, nodes, reads } = this;
    const sum = (of: (one: Lowered) => number): number => all.reduce((total, one) => total + of(one), 0);
    const cost = { time: sum(({ time }) => time), multiplications: sum((one) => one.multiplications) };
    const writes = this.results.filter(({ name }) => wanted.has(name));
    return {
      kind: "backend",
      plan: {
        stages: all.flatMap(({ stages }) => stages),
        buffers: mergeBuffers(all.flatMap((one) => one.buffers)),
        cost: { ...cost, additions: 0, bytes: 0 },
        ends: writes.map(({ id }) => id),
      },
      weights: new Map(all.flatMap(({ weights }) => [...weights])),
      ...{ reads, writes, nodes },
    };
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
    return own ? [...others, own] : others;
  }

  /** Makes sure that a buffer holds its value: computed here, copied from another order, or read from elsewhere. */
  private need(id: string, node: GraphNode): void {
    const wanted = this.known.get(id);
    if (!wanted || this.made.has(id)) return;
    this.made.add(id);
    const { held, specs } = this.context;
    const own = held.get(wanted.name);
    if (!own || own.id === id || !this.made.has(own.id)) {
      this.reads.push(this.sourceOf(wanted));
      return;
    }
    const { shape } = specs.get(wanted.name)!;
    const kernel = inOtherPlace({ shape, order: own.order }, { shape, order: wanted.order })!;
    const buffers = [own, wanted].map(({ id, order }) => arena(id, sidesOf(sidesIn(shape, order)!)));
    this.add(stages(buffers, [moving(kernel, own.id, id)], []), node);
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

// Splits a network into partitions: host partitions of single nodes, and backend partitions, each one plan of many
// stages. A backend partition holds all layers that need nothing of the host beyond what earlier partitions have
// computed.
import type { DataFormat } from "../backend/backend.ts";
import type { Engine } from "../engine/engine.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import type { BufferSpec, Cost, Stage } from "../plan/types.ts";
import { elementwiseRules } from "./lower-elementwise.ts";
import { layerRules } from "./lower-layers.ts";
import type { Lowered, LoweringContext } from "./lowering.ts";
import type { Graph, GraphNode, Spec } from "./types.ts";

/** Stages over values in the backend's memory; `reads` and `writes` are the values that it shares with the host. */
export interface BackendPartition {
  kind: "backend";
  plan: { stages: Stage[]; buffers: BufferSpec[]; cost: Cost; ends: string[] };
  weights: Map<string, LayerWeights>;
  reads: string[];
  writes: Write[];
  /** Of each stage, the node that it comes from. */
  nodes: GraphNode[];
}

/** A value copied to the host: the id of its buffer on the backend, and the order of its axes. */
export interface Write {
  name: string;
  id: string;
  format: DataFormat;
}

export interface HostPartition {
  kind: "host";
  nodes: GraphNode[];
}

export type Partition = BackendPartition | HostPartition;

/** Splits an optimised network, of which `specs` know all types and shapes. */
export function compile(graph: Graph, specs: ReadonlyMap<string, Spec>, engine: Pick<Engine, "plan">): Partition[] {
  const context: LoweringContext = {
    ...{ specs, constants: graph.constants },
    plan(problem) {
      const { stages, buffers, cost } = engine.plan(problem);
      return { stages, buffers, time: cost.time, multiplications: cost.multiplications };
    },
  };
  const lowered = new Map<GraphNode, Lowered>();
  /** Of each value, how many switches from host to backend come before it, and whether it is on the backend. */
  const turns = new Map<string, { turn: number; onBackend: boolean }>();
  const turnOf = new Map<GraphNode, number>();
  for (const node of graph.nodes) {
    const inputs = node.inputs.flatMap((name) => turns.get(name) ?? []);
    const joins = inputs.some(({ onBackend }) => onBackend);
    const rule = layerRules[node.op] ?? (joins ? elementwiseRules[node.op] : undefined);
    const found = rule?.(node, context);
    if (found) lowered.set(node, found);
    const ready = inputs.map(({ turn, onBackend }) => turn + (found && !onBackend ? 1 : 0));
    const turn = Math.max(0, ...ready);
    turnOf.set(node, turn);
    const onBackend = found !== undefined && !found.leaves;
    for (const name of node.outputs) turns.set(name, { turn, onBackend });
  }
  const last = Math.max(0, ...turnOf.values());
  return Array.from({ length: last + 1 }, (_, turn) => graph.nodes.filter((node) => turnOf.get(node) === turn)).flatMap(
    (nodes): Partition[] => {
      const onBackend = nodes.filter((node) => lowered.has(node));
      const onHost = nodes.filter((node) => !lowered.has(node));
      return [
        ...(onBackend.length > 0 ? [backendPartition(onBackend, lowered, graph)] : []),
        ...(onHost.length > 0 ? [{ kind: "host" as const, nodes: onHost }] : []),
      ];
    },
  );
}

function backendPartition(
  nodes: GraphNode[],
  lowered: ReadonlyMap<GraphNode, Lowered>,
  graph: Graph,
): BackendPartition {
  const all = nodes.map((node) => lowered.get(node)!);
  const computed = new Set(nodes.flatMap(({ outputs }) => outputs));
  const others = graph.nodes.filter((node) => !nodes.includes(node));
  const needed = new Set([...others.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const buffers = mergeBuffers(all.flatMap((one) => one.buffers));
  const values = buffers.filter(({ scope }) => scope === "arena").map(({ id }) => id);
  const known = new Set(nodes.flatMap(({ inputs }) => inputs));
  const sum = (of: (one: Lowered) => number): number => all.reduce((total, one) => total + of(one), 0);
  const cost = {
    time: sum(({ time }) => time),
    multiplications: sum((one) => one.multiplications),
    additions: 0,
    bytes: 0,
  };
  const writes: Write[] = [
    ...values
      .filter((id) => computed.has(id) && needed.has(id))
      .map((id) => ({ name: id, id, format: "NCHW" as const })),
    ...nodes.filter((node) => lowered.get(node)!.leaves).map(leaving),
  ];
  return {
    kind: "backend",
    plan: { stages: all.flatMap(({ stages }) => stages), buffers, cost, ends: writes.map(({ id }) => id) },
    weights: new Map(all.flatMap(({ weights }) => [...weights])),
    reads: values.filter((id) => known.has(id) && !computed.has(id)),
    writes,
    nodes: nodes.flatMap((node) => lowered.get(node)!.stages.map(() => node)),
  };
}

/** The transpose to channels last: the host reads the backend's value as it is stored. */
const leaving = ({ inputs, outputs }: GraphNode): Write => ({ name: outputs[0]!, id: inputs[0]!, format: "NHWC" });

/** One buffer a value. */
const mergeBuffers = (buffers: readonly BufferSpec[]): BufferSpec[] =>
  [...new Map(buffers.toReversed().map((buffer) => [buffer.id, buffer])).values()].toReversed();

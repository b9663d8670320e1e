// A network becomes parts: nodes on the host, and plans of many stages that the machine runs in one go. A part's plan holds
// all layers that need no more of the host than the parts before have given.

import type { DataFormat } from "../backend/backend.ts";
import type { Engine } from "../engine/engine.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import type { BufferSpec, Cost, Stage } from "../plan/types.ts";
import { joiningRules } from "./joining.ts";
import { layerRules } from "./lower.ts";
import type { Lowered, LoweringContext } from "./lowering.ts";
import type { Graph, GraphNode, Spec } from "./types.ts";

/** Stages over values in the machine's memory; `reads` and `writes` are the values that it shares with the host. */
export interface MachinePart {
  kind: "machine";
  plan: { stages: Stage[]; buffers: BufferSpec[]; cost: Cost; ends: string[] };
  weights: Map<string, LayerWeights>;
  reads: string[];
  writes: Write[];
  /** Of each stage, the node that it comes from. */
  nodes: GraphNode[];
}

/** A value for the host: from which of the machine's, and in what order of its axes. */
export interface Write {
  name: string;
  id: string;
  format: DataFormat;
}

export interface HostPart {
  kind: "host";
  nodes: GraphNode[];
}

export type Part = MachinePart | HostPart;

/** Splits an optimised network, of which `specs` know all types and shapes. */
export function compile(graph: Graph, specs: ReadonlyMap<string, Spec>, engine: Pick<Engine, "plan">): Part[] {
  const context: LoweringContext = {
    ...{ specs, constants: graph.constants },
    plan(problem) {
      const { stages, buffers, cost } = engine.plan(problem);
      return { stages, buffers, time: cost.time, multiplications: cost.multiplications };
    },
  };
  const lowered = new Map<GraphNode, Lowered>();
  /** How often the host and the machine have taken turns before a value is there, and where it is. */
  const turns = new Map<string, { turn: number; onMachine: boolean }>();
  const turnOf = new Map<GraphNode, number>();
  for (const node of graph.nodes) {
    const inputs = node.inputs.flatMap((name) => turns.get(name) ?? []);
    const joins = inputs.some(({ onMachine }) => onMachine);
    const rule = layerRules[node.op] ?? (joins ? joiningRules[node.op] : undefined);
    const found = rule?.(node, context);
    if (found) lowered.set(node, found);
    const ready = inputs.map(({ turn, onMachine }) => turn + (found && !onMachine ? 1 : 0));
    const turn = Math.max(0, ...ready);
    turnOf.set(node, turn);
    const onMachine = found !== undefined && !found.leaves;
    for (const name of node.outputs) turns.set(name, { turn, onMachine });
  }
  const last = Math.max(0, ...turnOf.values());
  return Array.from({ length: last + 1 }, (_, turn) => graph.nodes.filter((node) => turnOf.get(node) === turn)).flatMap(
    (nodes): Part[] => {
      const onMachine = nodes.filter((node) => lowered.has(node));
      const onHost = nodes.filter((node) => !lowered.has(node));
      return [
        ...(onMachine.length > 0 ? [machinePart(onMachine, lowered, graph)] : []),
        ...(onHost.length > 0 ? [{ kind: "host" as const, nodes: onHost }] : []),
      ];
    },
  );
}

function machinePart(nodes: GraphNode[], lowered: ReadonlyMap<GraphNode, Lowered>, graph: Graph): MachinePart {
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
    kind: "machine",
    plan: { stages: all.flatMap(({ stages }) => stages), buffers, cost, ends: writes.map(({ id }) => id) },
    weights: new Map(all.flatMap(({ weights }) => [...weights])),
    reads: values.filter((id) => known.has(id) && !computed.has(id)),
    writes,
    nodes: nodes.flatMap((node) => lowered.get(node)!.stages.map(() => node)),
  };
}

/** The machine's pixels as they lie: what the node, a transpose, wants of its input. */
const leaving = ({ inputs, outputs }: GraphNode): Write => ({ name: outputs[0]!, id: inputs[0]!, format: "NHWC" });

/** One buffer a value. */
const mergeBuffers = (buffers: readonly BufferSpec[]): BufferSpec[] =>
  [...new Map(buffers.toReversed().map((buffer) => [buffer.id, buffer])).values()].toReversed();

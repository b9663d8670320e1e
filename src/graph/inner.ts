// Runs the networks inside of nodes: as programs of their own where they hold layers, else in plain loops on the host.
import { type Abortable, inTurns, Slices } from "../engine/turns.ts";
import { UnsupportedError } from "../errors.ts";
import { type Counter, evaluatingCall, Holding, withInner } from "./evaluate.ts";
import { layerRules } from "./lower-layers.ts";
import { nameOf } from "./nodes.ts";
import type { Call, Graph, GraphNode, Operators, Spec, Value } from "./types.ts";
import { numbersOf, toValue } from "./values.ts";

/** What a compiled network is to those who run it. */
interface Runnable {
  readonly bytes: number;
  readonly own: number;
  run(inputs: ReadonlyMap<string, Value>, options: { signal?: AbortSignal }): Promise<Record<string, object>>;
  dispose(): void;
}

type Compile = (graph: Graph, inputs: ReadonlyMap<string, Spec>, signal?: Abortable) => Promise<Runnable>;

/** Programs of one network, for different shapes: others run on the host. */
const mostPrograms = 4;

export class InnerPrograms {
  private readonly operators: Operators;
  private readonly compile: Compile;
  private readonly programs = new Map<Graph, Map<string, Runnable | undefined>>();
  private readonly memory: Counter;

  constructor(operators: Operators, compile: Compile, memory: Counter) {
    this.operators = operators;
    this.compile = compile;
    this.memory = memory;
  }

  /** Of the engine's memory. */
  get bytes(): number {
    return this.all().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Those that come back when they are disposed of, whatever others hold. */
  get own(): number {
    return this.all().reduce((sum, { own }) => sum + own, 0);
  }

  dispose(): void {
    for (const program of this.all()) program.dispose();
    this.programs.clear();
  }

  /** The outputs of a node that holds networks. */
  async runNode(node: GraphNode, inputs: readonly (Value | undefined)[], signal?: AbortSignal): Promise<Value[]> {
    const holding = new Holding(nameOf(node), this.memory);
    try {
      const steps = this.operators.get(node.op)!.control!.run(node, inputs, holding.hold);
      let next = steps.next();
      while (!next.done) next = steps.next(await this.run(next.value, signal));
      return next.value;
    } finally {
      holding.end();
    }
  }

  /** The outputs of a network, in their order. */
  private async run(call: Call, signal?: AbortSignal): Promise<Value[]> {
    const slices = new Slices(signal);
    if (slices.due()) await slices.next();
    const { graph, inputs } = call;
    const values = new Map(graph.inputs.map(({ name }, i) => [name, inputs[i]!]));
    const program = holdsLayers(graph) ? await this.programFor(graph, values, signal) : undefined;
    if (!program) return inTurns(evaluatingCall(call, this.operators, this.memory), signal);
    const found = await program.run(values, { signal });
    return graph.outputs.map(({ name }) => toValue(found[name] as Value)!);
  }

  private all(): Runnable[] {
    return [...this.programs.values()].flatMap((known) => [...known.values()].filter((one) => one !== undefined));
  }

  /** Undefined where a network cannot be compiled: it needs to know elements that only a run tells, or has had many shapes. */
  private async programFor(
    graph: Graph,
    values: ReadonlyMap<string, Value>,
    signal: Abortable | undefined,
  ): Promise<Runnable | undefined> {
    const known = this.programs.get(graph) ?? new Map<string, Runnable | undefined>();
    this.programs.set(graph, known);
    for (const withSizes of [false, true]) {
      const specs = new Map([...values].map(([name, value]) => [name, specOf(value, withSizes)]));
      const key = keyOf(specs);
      const found = known.get(key);
      if (found) return found;
      if (known.size >= mostPrograms) return undefined;
      if (known.has(key)) continue;
      try {
        const made = await this.compile(graph, specs, signal);
        known.set(key, made);
        return made;
      } catch (error) {
        if (!(error instanceof UnsupportedError)) throw error;
        known.set(key, undefined);
      }
    }
    return undefined;
  }
}

/** Lists may say sizes. */
const specOf = ({ dtype, shape, data }: Value, withSizes: boolean): Spec =>
  withSizes && shape.length < 2 && dtype === "i64" ? { dtype, shape, data } : { dtype, shape };

const keyOf = (specs: ReadonlyMap<string, Spec>): string =>
  JSON.stringify(
    [...specs.values()].map(({ dtype, shape, data }) => [dtype, shape, data && Array.from(numbersOf({ data }))]),
  );

const layered = new WeakMap<Graph, boolean>();

function holdsLayers(graph: Graph): boolean {
  const known = layered.get(graph) ?? withInner(graph.nodes).some(({ op }) => op in layerRules);
  layered.set(graph, known);
  return known;
}

// Networks during a separation: prepared (constants and batch norms folded), edited, run up to any of their values, and
// timed.
import { createEngine, type Engine } from "../engine/engine.ts";
import { infer, openInputs } from "../graph/infer.ts";
import { foldBatchNorm } from "../graph/passes/batch-norm.ts";
import { dropIdentities, foldConstants, removeUnused } from "../graph/passes/index.ts";
import { GraphProgram } from "../graph/program.ts";
import type { Graph, GraphNode, Spec, Value } from "../graph/types.ts";
import { toValue } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Tensor } from "../tensor.ts";

export type Values = ReadonlyMap<string, Value>;

export const specsOf = (values: Values): Map<string, Spec> =>
  new Map([...values].map(([name, { dtype, shape }]) => [name, { dtype, shape }]));

/** A run's results as values. */
export const valuesOf = (found: Record<string, Tensor>): Map<string, Value> =>
  new Map(Object.entries(found).map(([name, tensor]) => [name, toValue(tensor)!]));

/** The network with what is constant computed, and batch norms in the convolutions before them. */
export function prepareGraph(graph: Graph): Graph {
  const folded = dropIdentities(foldConstants(graph, infer(graph, operators, new Map())));
  return removeUnused(foldBatchNorm(folded));
}

/** What sides of pictures are where the network leaves them open and there is no input to see. */
const usualSide = 256;

/** Shapes of the inputs that the network leaves open: of pictures, in either order of axes, with known channels. Others stay open. */
export function usualShapes(graph: Graph): Record<string, number[]> {
  const found = openInputs(graph).flatMap(({ name, shape }) => {
    const isPicture = shape?.length === 4 && (typeof shape[1] === "number" || typeof shape[3] === "number");
    if (!isPicture) return [];
    const sides = shape.map((side, axis) => (typeof side === "number" ? side : axis === 0 ? 1 : usualSide));
    return [[name, sides] as const];
  });
  return Object.fromEntries(found);
}

/** Whether a network computes two inputs as it computes each: some write the batch of one into their reshapes. */
export function takesBatches(graph: Graph, inputs: ReadonlyMap<string, Spec>): boolean {
  const at = (images: number) => {
    const specs = [...inputs].map(([name, { dtype, shape }]) => [name, { dtype, shape: [images, ...shape.slice(1)] }]);
    return infer(graph, operators, new Map(specs as [string, Spec][]));
  };
  try {
    const [one, two] = [at(1), at(2)];
    return graph.outputs.every(({ name }) => {
      const [a, b] = [one.get(name)!.shape, two.get(name)!.shape];
      return a.length > 0 && b.join() === [2 * a[0]!, ...a.slice(1)].join();
    });
  } catch {
    return false;
  }
}

/** The network of which other values are the results. */
export function withOutputs(graph: Graph, names: Iterable<string>): Graph {
  return removeUnused({ ...graph, outputs: [...new Set(names)].map((name) => ({ name })) });
}

/** The network with nodes in place of the one that computes a value, and constants that they read. */
export function replaceNode(
  graph: Graph,
  output: string,
  nodes: readonly GraphNode[],
  constants: ReadonlyMap<string, Tensor>,
): Graph {
  const replaced = graph.nodes.flatMap((node) => (node.outputs[0] === output ? nodes : [node]));
  return removeUnused({ ...graph, nodes: replaced, constants: new Map([...graph.constants, ...constants]) });
}

/** A network compiled for inputs of one shape, and again where another comes. */
export class Runner {
  private readonly graph: Graph;
  private readonly engine: Engine;
  private program: Promise<GraphProgram> | undefined;
  private key = "";

  constructor(graph: Graph, engine: Engine) {
    this.graph = graph;
    this.engine = engine;
  }

  async run(inputs: Values, signal?: AbortSignal): Promise<Map<string, Value>> {
    const own = new Map(this.graph.inputs.map(({ name }) => [name, inputs.get(name)!]));
    const specs = specsOf(own);
    const key = JSON.stringify([...specs]);
    if (key !== this.key) {
      await this.dispose();
      this.key = key;
      this.program = GraphProgram.create(this.graph, operators, specs, this.engine);
    }
    return valuesOf(await (await this.program!).run(own, { signal }));
  }

  async dispose(): Promise<void> {
    (await this.program)?.dispose();
    this.program = undefined;
    this.key = "";
  }
}

/** Runs a network once for each of some inputs, and gives up its memory. */
export async function forEachRun(
  graph: Graph,
  engine: Engine,
  batches: Iterable<Values> | AsyncIterable<Values>,
  use: (outputs: Values, inputs: Values) => void | Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const runner = new Runner(graph, engine);
  try {
    for await (const inputs of batches) {
      signal?.throwIfAborted();
      await use(await runner.run(inputs, signal), inputs);
    }
  } finally {
    await runner.dispose();
  }
}

/** Runs of each, at least and at most. */
const [fewest, most] = [5, 200];

interface Comparing {
  /** For how long, in all. */
  milliseconds?: number;
  /** One unless given. */
  threads?: number;
  /** Which of all runs counts, the fastest being 0: the median unless given. What comes between runs makes them slower only. */
  quantile?: number;
  /** Bytes that both may work in; what an engine allows unless given. */
  maxMemory?: number;
  signal?: AbortSignal;
}

/** Milliseconds of a run of two networks, measured in turns. */
export async function compareTimes(
  before: Graph,
  after: Graph,
  inputs: Values,
  like: Engine,
  { milliseconds = 2000, threads = 1, quantile = 0.5, maxMemory, signal }: Comparing = {},
): Promise<{ before: number; after: number }> {
  const { backend, wide } = like.info();
  const engine = await createEngine({ backend, threads, wide: wide.enabled, maxMemory });
  const runners = [new Runner(before, engine), new Runner(after, engine)];
  const times: number[][] = [[], []];
  try {
    for (let i = 0; i < 3; i++) for (const runner of runners) await runner.run(inputs, signal);
    const end = performance.now() + milliseconds;
    for (let i = 0; i < most && (i < fewest || performance.now() < end); i++) {
      for (const [k, runner] of runners.entries()) {
        const start = performance.now();
        await runner.run(inputs, signal);
        times[k]!.push(performance.now() - start);
      }
    }
  } finally {
    engine.dispose();
  }
  const one = (list: number[]): number => list.sort((a, b) => a - b)[Math.floor(list.length * quantile)]!;
  return { before: one(times[0]!), after: one(times[1]!) };
}

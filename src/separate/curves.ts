// The curve of loss against cost of one layer: the loss at the network's outputs when it alone is decomposed, measured at
// a few ranks on samples that the fit has not seen. Between them the logarithm of the loss is interpolated.
import type { Engine } from "../engine/engine.ts";
import { type DecompositionName, decompositions } from "../factor/decompositions.ts";
import type { Fit, Found } from "../factor/fit.ts";
import type { Matrix } from "../factor/matrix.ts";
import type { MinimizeOptions } from "../factor/minimize.ts";
import type { Graph, GraphNode, Spec } from "../graph/types.ts";
import type { Tensor } from "../tensor.ts";
import { type CostContext, decompositionCost, decompositionsOf, type NetworkCost } from "./decomposition.ts";
import type { Gemm } from "./gemm.ts";
import { type Fittings, fitGroups } from "./groups.ts";
import type { Heads } from "./heads.ts";
import { Loss } from "./loss.ts";
import { forEachRun, Runner, type Values, withOutputs } from "./network.ts";
import { seeded } from "./random.ts";
import type { Target } from "./targets.ts";

export interface Point {
  decomposition: DecompositionName;
  rank: number;
  cost: NetworkCost;
  loss: number;
  /** Where the search of a fit can begin. */
  found?: Found;
}

export interface CurveTools {
  costContext: CostContext;
  /** Of ranks: see {@link rankSteps}. */
  step: number;
  gemm: Gemm;
  seed: number;
  signal?: AbortSignal;
}

/** By how much the multiplications of a layer are divided at the ranks that are tried. */
const reductions = [1.5, 2, 2.7, 3.7, 5, 7.5, 12];
/** At this reduction all decompositions are compared; those much worse than the best are dropped. */
const comparedAt = 3;
const muchWorse = 1.2;
const comparing = { iterations: 20 };
/** Searches that begin near their end are short; others are long at the first rank, and go on from it at the next ones. */
const searching = { near: { iterations: 20 }, first: { iterations: 40 }, next: { iterations: 20 } };

/** The measured points of a target's curve; `whole` is the target's cost as it is. */
export async function curveOf(
  target: Target,
  fittings: Fittings,
  x: Spec,
  whole: NetworkCost,
  evaluate: (fit: Fit) => Promise<number>,
  { costContext, step, gemm, seed, signal }: CurveTools,
): Promise<Point[]> {
  const fitted = (decomposition: DecompositionName, rank: number, search: MinimizeOptions, from?: Found) => {
    const tools = { multiply: gemm.multiply, random: seeded(seed).normal };
    return fitGroups(decomposition, fittings, rank, tools, search, from);
  };
  const units = new Map(
    decompositionsOf(target).map((decomposition) => [
      decomposition,
      decompositionCost(target, decomposition, 1, x, costContext).multiplications,
    ]),
  );
  const rankAt = (decomposition: DecompositionName, reduction: number): number =>
    Math.min(
      decompositions[decomposition].mostRank(target.sizes),
      filling(whole.multiplications / reduction / units.get(decomposition)!, step),
    );
  const compared = [...units.keys()].flatMap((decomposition) => {
    const rank = rankAt(decomposition, comparedAt);
    return rank < 1 ? [] : [{ decomposition, error: fitted(decomposition, rank, comparing).error }];
  });
  const least = Math.min(...compared.map(({ error }) => error));
  const points: Point[] = [];
  for (const { decomposition, error } of compared) {
    if (error > muchWorse * least) continue;
    const ranks = new Set(reductions.map((reduction) => rankAt(decomposition, reduction)).filter((rank) => rank >= 1));
    const { near, first, next } = searching;
    let found: Found | undefined;
    for (const rank of [...ranks].sort((a, b) => b - a)) {
      signal?.throwIfAborted();
      const cost = decompositionCost(target, decomposition, rank, x, costContext);
      if (cost.multiplications >= whole.multiplications) continue;
      const fit = fitted(decomposition, rank, decomposition !== "cp" ? near : found ? next : first, found);
      if (decomposition === "cp") found = fit.found;
      points.push({ decomposition, rank, cost, loss: await evaluate(fit), found });
    }
  }
  return points;
}

/**
 * Ranks from 8 on are multiples of this. Channels are computed in vectors of 4, and two of these together: 9 to 16 take the same
 * time. Where multiplications count, every rank is an option.
 */
export const rankSteps = { time: 8, multiplications: 1 } as const;
const fewest = 8;

/** The nearest rank among those of {@link rankSteps}. */
const filling = (rank: number, step: number): number =>
  rank >= fewest ? step * Math.round(rank / step) : Math.round(rank);

/**
 * Points at all ranks between the measured ones. A loss is the least up to its rank, interpolated in the logarithm; a cost grows
 * evenly where `costAt` does not plan it.
 */
export function filledIn(
  points: readonly Point[],
  step: number,
  costAt?: (decomposition: DecompositionName, rank: number) => NetworkCost,
): Point[] {
  const names = [...new Set(points.map(({ decomposition }) => decomposition))];
  return names.flatMap((decomposition) => {
    const own = points.filter((point) => point.decomposition === decomposition).sort((a, b) => a.rank - b.rank);
    let least = Infinity;
    const falling = own.map((point) => {
      least = Math.min(least, point.loss);
      return { ...point, loss: Math.max(least, 1e-9) };
    });
    const between = falling.slice(1).flatMap((high, i) => {
      const low = falling[i]!;
      const ranks = Array.from({ length: high.rank - low.rank - 1 }, (_, k) => low.rank + k + 1);
      return ranks
        .filter((rank) => rank < fewest || rank % step === 0)
        .map((rank) => {
          const t = (rank - low.rank) / (high.rank - low.rank);
          const loss = Math.exp((1 - t) * Math.log(low.loss) + t * Math.log(high.loss));
          const cost = costAt?.(decomposition, rank) ?? costBetween(low.cost, high.cost, t);
          return { decomposition, rank, loss, cost, found: high.found };
        });
    });
    return [...falling, ...between];
  });
}

/** Multiplications and parameters grow by the same with each rank, the time nearly so. */
function costBetween(low: NetworkCost, high: NetworkCost, t: number): NetworkCost {
  const between = (of: keyof NetworkCost): number => low[of] + t * (high[of] - low[of]);
  return {
    multiplications: Math.round(between("multiplications")),
    parameters: Math.round(between("parameters")),
    time: between("time"),
  };
}

/** Evaluates other weights of one convolution by the loss of the outputs; what comes before the convolution is computed once. */
export class Evaluator {
  private readonly engine: Engine;
  private readonly target: Target;
  private readonly heads: Heads;
  private readonly runs: { inputs: Values; outputs: Values }[] = [];
  private readonly tail: Graph;
  private readonly runner: Runner;

  constructor(graph: Graph, target: Target, heads: Heads, engine: Engine) {
    this.heads = heads;
    this.engine = engine;
    this.target = target;
    this.tail = tailOf(graph, target.y);
    this.runner = new Runner(this.tail, engine);
  }

  /** Computes the original outputs, which losses are measured against. */
  async prepare(graph: Graph, batches: AsyncIterable<Values>, signal?: AbortSignal): Promise<void> {
    const outputs = this.tail.outputs.map(({ name }) => name);
    const before = this.tail.inputs.flatMap(({ name }) => (name === this.target.y ? [] : [name]));
    const known = withOutputs(graph, [this.target.x, ...before, ...outputs]);
    await forEachRun(
      known,
      this.engine,
      batches,
      (values) => {
        this.runs.push({ inputs: values, outputs: new Map(outputs.map((name) => [name, values.get(name)!])) });
      },
      signal,
    );
  }

  /** The loss of a weight, [patch, outputs] as fits have it. */
  readonly evaluate = async (weight: Matrix, bias: Float64Array, signal?: AbortSignal): Promise<number> => {
    const { x, y } = this.target;
    const { node, constants } = withWeight(this.target, weight, bias);
    const alone: Graph = { inputs: [{ name: x }], outputs: [{ name: y }], nodes: [node], constants };
    const convolution = new Runner(alone, this.engine);
    const loss = new Loss(this.heads);
    try {
      for (const { inputs, outputs } of this.runs) {
        const found = await convolution.run(inputs, signal);
        loss.add(outputs, await this.runner.run(new Map([...inputs, ...found]), signal));
      }
    } finally {
      await convolution.dispose();
    }
    return loss.value;
  };

  dispose(): Promise<void> {
    return this.runner.dispose();
  }
}

/** The convolution of a target with another weight and bias. */
function withWeight(
  target: Target,
  weight: Matrix,
  bias: Float64Array,
): { node: GraphNode; constants: Map<string, Tensor> } {
  const {
    node,
    transposed,
    outChannels,
    window: [, rows, cols],
  } = target;
  const { inChannels } = target.sizes;
  const data = transposed
    ? Float32Array.from(weight.data)
    : new Float32Array(weight.data.length).map(
        (_, i) => weight.data[(i % weight.rows) * weight.cols + Math.floor(i / weight.rows)]!,
      );
  const channels = transposed ? [inChannels, outChannels] : [outChannels, inChannels];
  const shape = [...channels, rows.size, cols.size];
  const constants = new Map<string, Tensor>([
    ["weight", { shape, data }],
    ["bias", { shape: [bias.length], data: Float32Array.from(bias) }],
  ]);
  return { node: { ...node, inputs: [node.inputs[0]!, "weight", "bias"] }, constants };
}

/** The part of a network that depends on a value; its inputs are that value and the others that it reads. */
export function tailOf(graph: Graph, value: string): Graph {
  const reached = new Set([value]);
  const nodes = graph.nodes.filter(({ inputs, outputs }) => {
    const isReached = inputs.some((name) => reached.has(name));
    if (isReached) for (const name of outputs) reached.add(name);
    return isReached;
  });
  const computed = new Set(nodes.flatMap(({ outputs }) => outputs));
  const read = new Set([value, ...nodes.flatMap(({ inputs }) => inputs)]);
  const isGiven = (name: string): boolean => name !== "" && !computed.has(name) && !graph.constants.has(name);
  return {
    inputs: [...read].filter(isGiven).map((name) => ({ name })),
    outputs: graph.outputs.filter(({ name }) => reached.has(name)),
    nodes,
    constants: graph.constants,
  };
}

// What it costs a network's outputs when one convolution alone takes a form of some rank: measured on pictures that the fit
// has not seen, for a few ranks; between them the logarithm of the damage is interpolated.
import type { Engine } from "../engine/engine.ts";
import { type Fit, fitForm } from "../factor/fit.ts";
import { type FormName, forms } from "../factor/forms.ts";
import type { Matrix } from "../factor/matrix.ts";
import type { MinimizeOptions } from "../factor/minimize.ts";
import type { Graph, GraphNode, Spec } from "../graph/types.ts";
import type { Tensor } from "../tensor.ts";
import { type ChainCost, formCost, formsOf, type Planning } from "./chain.ts";
import { Damage } from "./damage.ts";
import type { Fitting } from "./moments.ts";
import { forEachRun, Runner, type Values, withOutputs } from "./network.ts";
import type { Products } from "./products.ts";
import { seeded } from "./random.ts";
import type { Target } from "./targets.ts";

export interface Point {
  form: FormName;
  rank: number;
  cost: ChainCost;
  damage: number;
}

export interface CurveTools {
  planning: Planning;
  /** Of ranks: see {@link rankSteps}. */
  step: number;
  products: Products;
  seed: number;
  signal?: AbortSignal;
}

/** By how much the multiplications of a layer are divided at the ranks that are tried. */
const reductions = [1.5, 2, 2.7, 3.7, 5, 7.5, 12];
/** At this one all forms are compared, and those that are much worse than the best are given up. */
const comparedAt = 3;
const muchWorse = 1.2;
const [comparing, searching] = [{ iterations: 20 }, { iterations: 40 }];

/** The points of a target's curve, and of its whole cost. */
export async function curveOf(
  target: Target,
  fitting: Fitting,
  x: Spec,
  whole: ChainCost,
  judge: (fit: Fit) => Promise<number>,
  { planning, step, products, seed, signal }: CurveTools,
): Promise<Point[]> {
  const fitted = (form: FormName, rank: number, search: MinimizeOptions) => {
    const tools = { multiply: products.multiply, random: seeded(seed).normal };
    return fitForm(form, fitting, rank, tools, search);
  };
  const units = new Map(formsOf(target).map((form) => [form, formCost(target, form, 1, x, planning).multiplications]));
  const rankAt = (form: FormName, reduction: number): number =>
    Math.min(forms[form].mostRank(target.sizes), filling(whole.multiplications / reduction / units.get(form)!, step));
  const compared = [...units.keys()].flatMap((form) => {
    const rank = rankAt(form, comparedAt);
    return rank < 1 ? [] : [{ form, error: fitted(form, rank, comparing).error }];
  });
  const least = Math.min(...compared.map(({ error }) => error));
  const points: Point[] = [];
  for (const { form, error } of compared) {
    if (error > muchWorse * least) continue;
    const ranks = new Set(reductions.map((reduction) => rankAt(form, reduction)).filter((rank) => rank >= 1));
    for (const rank of [...ranks].sort((a, b) => b - a)) {
      signal?.throwIfAborted();
      const cost = formCost(target, form, rank, x, planning);
      if (cost.multiplications >= whole.multiplications) continue;
      points.push({ form, rank, cost, damage: await judge(fitted(form, rank, searching)) });
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

/** The nearest such rank. */
const filling = (rank: number, step: number): number =>
  rank >= fewest ? step * Math.round(rank / step) : Math.round(rank);

/** The damage is that of the best rank up to here, in the logarithm between two of them; in steps. */
export function filledIn(
  points: readonly Point[],
  step: number,
  costAt: (form: FormName, rank: number) => ChainCost,
): Point[] {
  const names = [...new Set(points.map(({ form }) => form))];
  return names.flatMap((form) => {
    const own = points.filter((point) => point.form === form).sort((a, b) => a.rank - b.rank);
    let least = Infinity;
    const falling = own.map((point) => {
      least = Math.min(least, point.damage);
      return { ...point, damage: Math.max(least, 1e-9) };
    });
    const between = falling.slice(1).flatMap((high, i) => {
      const low = falling[i]!;
      const ranks = Array.from({ length: high.rank - low.rank - 1 }, (_, k) => low.rank + k + 1);
      return ranks
        .filter((rank) => rank < fewest || rank % step === 0)
        .map((rank) => {
          const t = (rank - low.rank) / (high.rank - low.rank);
          const damage = Math.exp((1 - t) * Math.log(low.damage) + t * Math.log(high.damage));
          return { form, rank, damage, cost: costAt(form, rank) };
        });
    });
    return [...falling, ...between];
  });
}

/** Judges other weights of one convolution by what they do to the outputs: what stands before it is computed once. */
export class Judge {
  private readonly engine: Engine;
  private readonly target: Target;
  private readonly runs: { inputs: Values; outputs: Values }[] = [];
  private readonly tail: Graph;
  private readonly runner: Runner;

  constructor(graph: Graph, target: Target, engine: Engine) {
    this.engine = engine;
    this.target = target;
    this.tail = tailOf(graph, target.y);
    this.runner = new Runner(this.tail, engine);
  }

  /** Computes what is judged against. */
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

  /** The damage of a weight, [patch, outputs] as fits have it. */
  readonly judge = async (weight: Matrix, bias: Float64Array, signal?: AbortSignal): Promise<number> => {
    const { x, y } = this.target;
    const { node, constants } = withWeight(this.target, weight, bias);
    const alone: Graph = { inputs: [{ name: x }], outputs: [{ name: y }], nodes: [node], constants };
    const convolution = new Runner(alone, this.engine);
    const damage = new Damage();
    try {
      for (const { inputs, outputs } of this.runs) {
        const found = await convolution.run(inputs, signal);
        damage.add(outputs, await this.runner.run(new Map([...inputs, ...found]), signal));
      }
    } finally {
      await convolution.dispose();
    }
    return damage.value;
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

/** What a network computes from one of its values on; its inputs are that and the others that it needs. */
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

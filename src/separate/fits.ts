// Fits the layers in their order: each to the original's result, from what the layers before it, already rewritten, give.
// A convolution whose result is added to a shortcut also makes up for what the shortcut has lost.
import { type Fit, fitForm } from "../factor/fit.ts";
import { identity } from "../factor/matrix.ts";
import type { Graph, Value } from "../graph/types.ts";
import { newValue, numbersOf } from "../graph/values.ts";
import { type Chain, chainOf } from "./chain.ts";
import { shareOf } from "./choose.ts";
import { biasOf, blindFitting, type Fitting, Moments } from "./moments.ts";
import { Runner, replaceNode, withOutputs } from "./network.ts";
import { seeded } from "./random.ts";
import type { Target } from "./targets.ts";
import { affordable, breathe, type Choice, type Metrics, type Work } from "./work.ts";

/** Multiply-accumulates for the second moments of one layer: places are left out beyond that. */
const mostMomentWork = 3e10;
/** Nearly all steps are taken: late ones still gain. */
const search = { iterations: 200, leastGain: 1e-5 };

export interface Rewritten {
  graph: Graph;
  chains: ReadonlyMap<Target, Chain>;
}

/** The network with every target as chosen. Progress runs from 0 to 1. */
export async function fitAll(
  work: Work,
  choices: readonly Choice[],
  metrics: Metrics,
  onProgress: (done: number) => void,
): Promise<Rewritten> {
  const { products, options, targets } = work;
  const chains = new Map<Target, Chain>();
  let graph = work.graph;
  for (const [i, target] of targets.entries()) {
    onProgress(i / targets.length);
    await breathe();
    options.signal?.throwIfAborted();
    const choice = choices[i];
    if (!choice) continue;
    const fitting = await fittingOf(work, graph, target, metrics);
    const tools = { multiply: products.multiply, random: seeded(options.seed).normal };
    const fit: Fit = fitForm(choice.form, fitting, choice.rank, tools, search);
    const chain = chainOf(target, choice.form, fit.weights, biasOf(fitting, fit.weight));
    chains.set(target, chain);
    graph = replaceNode(graph, target.y, chain.nodes, chain.constants);
  }
  return { graph, chains };
}

/** What a target's fit has to approximate, for inputs as `graph` gives them. */
async function fittingOf(work: Work, graph: Graph, target: Target, metrics: Metrics): Promise<Fitting> {
  const { samples, products, engine, options } = work;
  if (!samples) return blindFitting(target);
  const { x, y, added, transposed } = target;
  const fitted = samples.some("fit", affordable(work, 6e11, 20, samples.count));
  const moments = new Moments(target, products, shareOf(target, fitted.count, mostMomentWork), !transposed);
  const names = added === undefined ? [] : [added];
  const before = new Runner(withOutputs(work.graph, transposed ? [x] : [y, ...names]), engine);
  const after = new Runner(withOutputs(graph, [x, ...names]), engine);
  try {
    for await (const inputs of fitted) {
      options.signal?.throwIfAborted();
      const now = await after.run(inputs, options.signal);
      if (transposed) moments.add(now.get(x)!);
      else {
        const original = await before.run(inputs, options.signal);
        const wanted = original.get(y)!;
        moments.add(now.get(x)!, added === undefined ? wanted : shifted(wanted, original.get(added)!, now.get(added)!));
      }
    }
  } finally {
    await before.dispose();
    await after.dispose();
  }
  return moments.fitting(metrics.get(target) ?? identity(target.outChannels));
}

/** value + more − less */
function shifted(value: Value, more: Value, less: Value): Value {
  const sum = newValue(value.dtype, value.shape);
  const [out, a, b, c] = [numbersOf(sum), numbersOf(value), numbersOf(more), numbersOf(less)];
  for (let i = 0; i < out.length; i++) out[i] = a[i]! + b[i]! - c[i]!;
  return sum;
}

// Fits the layers in their order: each to the original's outputs, for the inputs that the layers before it, already
// rewritten, give. A convolution whose result is added to a shortcut also compensates the shortcut's error.
import type { Fit } from "../factor/fit.ts";
import { identity } from "../factor/matrix.ts";
import type { Graph, Value } from "../graph/types.ts";
import { newValue, numbersOf } from "../graph/values.ts";
import { shareOf } from "./choose.ts";
import { affordable, type Choice, type Metrics, type SeparationContext, yieldToEventLoop } from "./context.ts";
import { type DecomposedLayer, type DividedLayer, decomposedLayer } from "./decomposition.ts";
import { biasOfGroups, blindFittings, type Fittings, fitGroups, GroupMoments } from "./groups.ts";
import { Runner, replaceNode, withOutputs } from "./network.ts";
import { seeded } from "./random.ts";
import type { Target } from "./targets.ts";

/** For the second moments of one layer: places are left out beyond so many multiply-accumulates, or places for each entry. */
const mostMoments = { work: 2e10, perEntry: 400 };
/** The search runs nearly to its end: late steps still gain. Where it goes on from a curve's, fewer are left. */
const search = { iterations: 200, leastGain: 1e-5 };
const goingOn = { iterations: 120, leastGain: 1e-5 };

export interface Rewritten {
  graph: Graph;
  decomposed: ReadonlyMap<Target, DecomposedLayer>;
  /** Dense layers that are divided by a temperature, by the names of their results. */
  scaled?: ReadonlyMap<string, DividedLayer>;
}

/** The network with every target as chosen. Progress runs from 0 to 1. */
export async function fitAll(
  context: SeparationContext,
  choices: readonly Choice[],
  metrics: Metrics,
  onProgress: (done: number) => void,
): Promise<Rewritten> {
  const { options, targets } = context;
  const decomposed = new Map<Target, DecomposedLayer>();
  let graph = context.graph;
  /** Layers so far and what they have become: what a fit depends on. */
  let before = "";
  for (const [i, target] of targets.entries()) {
    onProgress(i / targets.length);
    await yieldToEventLoop();
    options.signal?.throwIfAborted();
    const choice = choices[i];
    if (!choice) continue;
    const { decomposition, rank } = choice;
    before += ` ${target.y} ${decomposition} ${rank}`;
    const { weights, bias } = await context.checkpoint.once(`fit of${before}`, () =>
      fitOf(context, graph, target, choice, metrics),
    );
    const layer = decomposedLayer(target, decomposition, weights, bias);
    decomposed.set(target, layer);
    graph = replaceNode(graph, target.y, layer.nodes, layer.constants);
  }
  return { graph, decomposed };
}

async function fitOf(
  context: SeparationContext,
  graph: Graph,
  target: Target,
  { decomposition, rank, found }: NonNullable<Choice>,
  metrics: Metrics,
): Promise<Pick<Fit, "weights"> & { bias: Float64Array }> {
  const { gemm, options } = context;
  const fittings = await fittingsOf(context, graph, target, metrics);
  const tools = { multiply: gemm.multiply, random: seeded(options.seed).normal };
  const { weights, weight } = fitGroups(decomposition, fittings, rank, tools, found ? goingOn : search, found);
  return { weights, bias: biasOfGroups(fittings, weight) };
}

/** The fit problems of a target, for its inputs in `graph`. */
async function fittingsOf(
  context: SeparationContext,
  graph: Graph,
  target: Target,
  metrics: Metrics,
): Promise<Fittings> {
  const { samples, gemm, engine, options } = context;
  if (!samples) return blindFittings(target);
  const { x, y, added, transposed } = target;
  const fitted = samples.some("fit", affordable(context, 3e11, 20, 4 * samples.count), true);
  const moments = new GroupMoments(target, gemm, shareOf(target, fitted.count, mostMoments), !transposed);
  const names = added === undefined ? [] : [added];
  const before = new Runner(withOutputs(context.graph, transposed ? [x] : [y, ...names]), engine);
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

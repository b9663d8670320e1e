// Chooses a decomposition and a rank for each layer: measures curves of loss against cost, and spends one budget over all
// of them.
import { type DecompositionName, decompositions } from "../factor/decompositions.ts";
import type { Fit } from "../factor/fit.ts";
import { identity } from "../factor/matrix.ts";
import { frontier, type Option, withinCost, withinLoss } from "./budget.ts";
import { affordable, type Choice, type Metrics, type SeparationContext, yieldToEventLoop } from "./context.ts";
import { curveOf, Evaluator, filledIn, type Point, rankSteps } from "./curves.ts";
import { decompositionCost, type NetworkCost } from "./decomposition.ts";
import { biasOfGroups, blindFittings, type Fittings, GroupMoments } from "./groups.ts";
import { patchSize } from "./moments.ts";
import { forEachRun, withOutputs } from "./network.ts";
import type { Target } from "./targets.ts";

/** For the second moments of one layer: places are left out beyond so many multiply-accumulates, or places for each entry. */
const mostMoments = { work: 8e9, perEntry: 100 };
/** Samples that curves are fitted to, and others that they are evaluated on: at most, and fewer of large networks. */
const most = { fitted: 300, evaluated: 120 };

/** Of each target, the options that it has. */
export type Curves = ReadonlyMap<Target, readonly Point[]>;

/** Measures all curves. Progress runs from 0 to 1. */
export async function measureCurves(
  context: SeparationContext,
  metrics: Metrics,
  onProgress: (done: number) => void,
): Promise<Curves> {
  const { targets, specs, costs, graph, engine, samples, gemm, options } = context;
  const { signal, seed, goal } = options;
  const step = rankSteps[goal.kind === "speedup" ? "time" : "multiplications"];
  let fittings: Map<Target, Fittings> | undefined;
  const evaluation = samples?.some("evaluate", affordable(context, 2e10, 6, most.evaluated));
  const curves = new Map<Target, readonly Point[]>();
  for (const [i, target] of targets.entries()) {
    onProgress(i / targets.length);
    await yieldToEventLoop();
    const x = specs.get(target.x)!;
    const points = await context.checkpoint.once(`curve of ${target.y} by ${step}`, async () => {
      fittings ??= await curveFittings(context, metrics);
      const own = fittings.get(target)!;
      const evaluator = evaluation && new Evaluator(graph, target, context.heads, engine);
      try {
        await evaluator?.prepare(graph, evaluation!, signal);
        const loss = async ({ weight, error }: Fit): Promise<number> =>
          evaluator ? evaluator.evaluate(weight, biasOfGroups(own, weight), signal) : error;
        const tools = { costContext: context, step, gemm, seed, signal };
        return await curveOf(target, own, x, costs.get(target)!, loss, tools);
      } finally {
        await evaluator?.dispose();
      }
    });
    const planned = (decomposition: DecompositionName, rank: number): NetworkCost =>
      decompositionCost(target, decomposition, rank, x, context);
    curves.set(target, filledIn(points, step, goal.kind === "speedup" ? planned : undefined));
  }
  return curves;
}

/** The fit problems of each layer's curve, for its inputs in the original network. */
async function curveFittings(context: SeparationContext, metrics: Metrics): Promise<Map<Target, Fittings>> {
  const { targets, graph, engine, samples, gemm, options } = context;
  if (!samples) return new Map(targets.map((target) => [target, blindFittings(target)]));
  const fitted = samples.some("fit", affordable(context, 2e11, 8, most.fitted), true);
  const moments = new Map(
    targets.map((target) => [
      target,
      new GroupMoments(target, gemm, shareOf(target, fitted.count, mostMoments), false),
    ]),
  );
  const inputs = withOutputs(
    graph,
    targets.map(({ x }) => x),
  );
  await forEachRun(
    inputs,
    engine,
    fitted,
    (values) => {
      for (const [target, own] of moments) own.add(values.get(target.x)!);
    },
    options.signal,
  );
  return new Map(
    [...moments].map(([target, own]) => [target, own.fitting(metrics.get(target) ?? identity(target.outChannels))]),
  );
}

/** The share of all positions that this much work allows, and so many for each entry of a patch and of a result. */
export function shareOf(target: Target, samples: number, most: { work: number; perEntry: number }): number {
  const [, rows, cols] = target.places;
  const size = patchSize(target) + target.outChannels / target.groups;
  const places = Math.min(most.work / ((target.groups * size * size) / 2), most.perEntry * size);
  return Math.min(1, places / (samples * rows.output * cols.output));
}

/** The options of each layer, and the cost of everything else in the network. */
interface Budget {
  layers: Option<Choice>[][];
  fixed: number;
  /** The cost of the network as it is. */
  whole: number;
}

function budgetOf(context: SeparationContext, curves: Curves): Budget {
  const { targets, costs, options } = context;
  const costOf = (cost: NetworkCost): number => (options.goal.kind === "speedup" ? cost.time : cost.multiplications);
  const layers = targets.map((target): Option<Choice>[] => {
    const stay = { cost: costOf(costs.get(target)!), loss: 0, choice: undefined };
    const others = (curves.get(target) ?? []).map(({ decomposition, rank, cost, loss, found }) => {
      return { cost: costOf(cost), loss, choice: { decomposition, rank, found } };
    });
    return [stay, ...others.filter(({ cost }) => cost < stay.cost)];
  });
  const whole = costOf(context.whole);
  return { layers, whole, fixed: whole - layers.reduce((sum, [stay]) => sum + stay!.cost, 0) };
}

/**
 * The choice of each layer that meets the goal times `correction`; undefined if that is out of reach. Where multiplications count,
 * forms that take longer than the layer as it is come only where nothing else gives as few.
 */
export function choose(context: SeparationContext, curves: Curves, correction: number): readonly Choice[] | undefined {
  const { kind, value } = context.options.goal;
  const within = (curves: Curves): readonly Choice[] | undefined => {
    const { layers, fixed, whole } = budgetOf(context, curves);
    return kind === "tolerance"
      ? withinLoss(layers, value * correction).choices
      : withinCost(layers, whole / (value * correction) - fixed)?.choices;
  };
  return (kind === "reduce" ? within(faster(context, curves)) : undefined) ?? within(curves);
}

/** Without the forms that take as long as the layer itself. */
function faster({ costs }: SeparationContext, curves: Curves): Curves {
  return new Map(
    [...curves].map(([target, points]) => [target, points.filter(({ cost }) => cost.time < costs.get(target)!.time)]),
  );
}

/** The choice of each layer that takes the least time. */
export function fastest(context: SeparationContext, curves: Curves): readonly Choice[] {
  return withinLoss(budgetOf(context, curves).layers, Infinity).choices;
}

/** The largest factor by which the cost can be divided. */
export function bestReduction(context: SeparationContext, curves: Curves): number {
  const { layers, fixed, whole } = budgetOf(context, curves);
  return whole / (fixed + withinLoss(layers, Infinity).cost);
}

/** Loss against reduction as the curves have it, if the losses of layers add up. */
export function tradeOff(context: SeparationContext, curves: Curves): { reduction: number; loss: number }[] {
  if (curves.size === 0) return [];
  const { layers, fixed, whole } = budgetOf(context, curves);
  return frontier(layers, 24).map(({ cost, loss }) => ({ reduction: whole / (fixed + cost), loss }));
}

/** The same decomposition for all: depthwise, pointwise with one depth multiplier. */
export function uniform(context: SeparationContext): Choice[] {
  const { targets, costs, specs, options } = context;
  return targets.map((target) => {
    if (target.transposed) return undefined;
    const rank = Math.min(options.goal.value, decompositions.depthwise.mostRank(target.sizes));
    const cost = decompositionCost(target, "depthwise", rank, specs.get(target.x)!, context);
    return cost.multiplications < costs.get(target)!.multiplications ? { decomposition: "depthwise", rank } : undefined;
  });
}

// Chooses what each layer becomes: curves of damage against cost, and one budget over all of them.
import type { Fit } from "../factor/fit.ts";
import { type FormName, forms } from "../factor/forms.ts";
import { identity } from "../factor/matrix.ts";
import { frontier, type Option, withinCost, withinDamage } from "./budget.ts";
import { type ChainCost, formCost } from "./chain.ts";
import { curveOf, filledIn, Judge, type Point, rankSteps } from "./curves.ts";
import { biasOf, blindFitting, type Fitting, Moments, patchSize } from "./moments.ts";
import { forEachRun, withOutputs } from "./network.ts";
import type { Target } from "./targets.ts";
import { affordable, breathe, type Choice, type Metrics, type Work } from "./work.ts";

/** Multiply-accumulates for the second moments of one layer: places are left out beyond that. */
const mostMomentWork = 8e9;
/** Samples that curves are fitted to, and others that judge them: at most, and fewer of large networks. */
const most = { fitted: 300, judged: 120 };

/** Of each target, the options that it has. */
export type Curves = ReadonlyMap<Target, readonly Point[]>;

/** Measures all curves. Progress runs from 0 to 1. */
export async function measureCurves(work: Work, metrics: Metrics, onProgress: (done: number) => void): Promise<Curves> {
  const { targets, specs, costs, graph, engine, samples, products, options } = work;
  const { signal, seed, goal } = options;
  const step = rankSteps[goal.kind === "speedup" ? "time" : "multiplications"];
  const fittings = await curveFittings(work, metrics);
  const judging = samples?.some("judge", affordable(work, 5e9, 6, most.judged));
  const curves = new Map<Target, readonly Point[]>();
  for (const [i, target] of targets.entries()) {
    onProgress(i / targets.length);
    await breathe();
    const x = specs.get(target.x)!;
    const fitting = fittings.get(target)!;
    const judge = judging && new Judge(graph, target, engine);
    try {
      await judge?.prepare(graph, judging!, signal);
      const damage = async ({ weight, error }: Fit): Promise<number> =>
        judge ? judge.judge(weight, biasOf(fitting, weight), signal) : error;
      const points = await curveOf(target, fitting, x, costs.get(target)!, damage, {
        ...{ planning: work, step, products, seed, signal },
      });
      curves.set(target, filledIn(points, step, costBetween(work, target)));
    } finally {
      await judge?.dispose();
    }
  }
  return curves;
}

/** Multiplications and parameters grow by the same with each rank; only the time has to be planned for each. */
function costBetween(work: Work, target: Target): (form: FormName, rank: number) => ChainCost {
  const { specs, options } = work;
  const x = specs.get(target.x)!;
  const units = new Map<FormName, ChainCost>();
  return (form, rank) => {
    if (options.goal.kind === "speedup") return formCost(target, form, rank, x, work);
    const unit = units.get(form) ?? formCost(target, form, 1, x, work);
    units.set(form, unit);
    const { outChannels } = target;
    const parameters = (unit.parameters - outChannels) * rank + outChannels;
    return { multiplications: unit.multiplications * rank, parameters, time: unit.time * rank };
  };
}

/** What each layer's curve is fitted to: what its inputs are in the original network. */
async function curveFittings(work: Work, metrics: Metrics): Promise<Map<Target, Fitting>> {
  const { targets, graph, engine, samples, products, options } = work;
  if (!samples) return new Map(targets.map((target) => [target, blindFitting(target)]));
  const fitted = samples.some("fit", affordable(work, 4e11, 8, most.fitted));
  const moments = new Map(
    targets.map((target) => [
      target,
      new Moments(target, products, shareOf(target, fitted.count, mostMomentWork), false),
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

/** The share of all places that so much work allows. */
export function shareOf(target: Target, samples: number, mostWork: number): number {
  const [, rows, cols] = target.places;
  const size = patchSize(target) + target.outChannels;
  return Math.min(1, mostWork / ((size * size) / 2) / (samples * rows.output * cols.output));
}

/** What the curves leave to choose from: options of each layer, and what all that is not chosen costs. */
interface Budget {
  layers: Option<Choice>[][];
  fixed: number;
  /** The cost of the network as it is. */
  whole: number;
}

function budgetOf(work: Work, curves: Curves): Budget {
  const { targets, costs, options } = work;
  const costOf = (cost: ChainCost): number => (options.goal.kind === "speedup" ? cost.time : cost.multiplications);
  const layers = targets.map((target): Option<Choice>[] => {
    const stay = { cost: costOf(costs.get(target)!), damage: 0, choice: undefined };
    const others = (curves.get(target) ?? []).map(({ form, rank, cost, damage }) => {
      return { cost: costOf(cost), damage, choice: { form, rank } };
    });
    return [stay, ...others.filter(({ cost }) => cost < stay.cost)];
  });
  const whole = costOf(work.whole);
  return { layers, whole, fixed: whole - layers.reduce((sum, [stay]) => sum + stay!.cost, 0) };
}

/** What each layer becomes to meet the goal, times what was missed before; undefined if that is out of reach. */
export function choose(work: Work, curves: Curves, correction: number): readonly Choice[] | undefined {
  const { kind, value } = work.options.goal;
  const { layers, fixed, whole } = budgetOf(work, curves);
  return kind === "tolerance"
    ? withinDamage(layers, value * correction).choices
    : withinCost(layers, whole / (value * correction) - fixed)?.choices;
}

/** The largest factor by which the cost can be divided. */
export function bestReduction(work: Work, curves: Curves): number {
  const { layers, fixed, whole } = budgetOf(work, curves);
  return whole / (fixed + withinDamage(layers, Infinity).cost);
}

/** Damage against reduction as the curves have it, if the damages of layers add up. */
export function tradeOff(work: Work, curves: Curves): { reduction: number; damage: number }[] {
  if (curves.size === 0) return [];
  const { layers, fixed, whole } = budgetOf(work, curves);
  return frontier(layers, 24).map(({ cost, damage }) => ({ reduction: whole / (fixed + cost), damage }));
}

/** The same form for all: depthwise, pointwise with one depth multiplier. */
export function uniform(work: Work): Choice[] {
  const { targets, costs, specs, options } = work;
  return targets.map((target) => {
    if (target.transposed) return undefined;
    const rank = Math.min(options.goal.value, forms.depthwise.mostRank(target.sizes));
    const cost = formCost(target, "depthwise", rank, specs.get(target.x)!, work);
    return cost.multiplications < costs.get(target)!.multiplications ? { form: "depthwise", rank } : undefined;
  });
}

// Chooses what each layer becomes: curves of damage against cost, and one budget over all of them.
import { InvalidArgumentError } from "../errors.ts";
import type { Fit } from "../factor/fit.ts";
import { type FormName, forms } from "../factor/forms.ts";
import { identity } from "../factor/matrix.ts";
import { type Allocation, frontier, type Option, withinCost, withinDamage } from "./budget.ts";
import { type ChainCost, formCost } from "./chain.ts";
import { curveOf, filledIn, Judge, type Point } from "./curves.ts";
import { biasOf, blindFitting, type Fitting, Moments, patchSize } from "./moments.ts";
import { forEachRun, withOutputs } from "./network.ts";
import type { Target } from "./targets.ts";
import { affordable, breathe, type Choice, type Metrics, someOf, type Work } from "./work.ts";

/** Multiply-accumulates for the second moments of one layer: places are left out beyond that. */
const mostMomentWork = 4e9;
/** Samples that curves are fitted to, and others that judge them: at most, and fewer of large networks. */
const most = { fitted: 300, judged: 120 };
const fittedOf = (work: Work): number => affordable(work, 2e11, 8, most.fitted);
const judgedOf = (work: Work): number => affordable(work, 5e9, 2, most.judged);

/** Of each target, the options that it has. */
export type Curves = ReadonlyMap<Target, readonly Point[]>;

/** Measures all curves. Progress runs from 0 to 1. */
export async function measureCurves(work: Work, metrics: Metrics, onProgress: (done: number) => void): Promise<Curves> {
  const { targets, specs, costs, graph, engine, samples, products, options } = work;
  const { signal, seed } = options;
  const fittings = await curveFittings(work, metrics);
  const curves = new Map<Target, readonly Point[]>();
  for (const [i, target] of targets.entries()) {
    onProgress(i / targets.length);
    await breathe();
    const x = specs.get(target.x)!;
    const fitting = fittings.get(target)!;
    const judge = samples && new Judge(graph, target, engine);
    try {
      await judge?.prepare(graph, someOf(samples!, judgedOf(work), 0.5), signal);
      const damage = async ({ weight, error }: Fit): Promise<number> =>
        judge ? judge.judge(weight, biasOf(fitting, weight), signal) : error;
      const points = await curveOf(target, fitting, x, costs.get(target)!, damage, { engine, products, seed, signal });
      curves.set(target, filledIn(points, costBetween(work, target)));
    } finally {
      await judge?.dispose();
    }
  }
  return curves;
}

/** Multiplications and parameters grow by the same with each rank; only the time has to be planned for each. */
function costBetween(work: Work, target: Target): (form: FormName, rank: number) => ChainCost {
  const { engine, specs, options } = work;
  const x = specs.get(target.x)!;
  const units = new Map<FormName, ChainCost>();
  return (form, rank) => {
    if (options.goal.kind === "speedup") return formCost(target, form, rank, x, engine);
    const unit = units.get(form) ?? formCost(target, form, 1, x, engine);
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
  const count = Math.min(fittedOf(work), samples.count);
  const moments = new Map(
    targets.map((target) => [target, new Moments(target, products, shareOf(target, count, mostMomentWork), false)]),
  );
  const inputs = withOutputs(
    graph,
    targets.map(({ x }) => x),
  );
  await forEachRun(
    inputs,
    engine,
    someOf(samples, count),
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

/** What each layer becomes to meet the goal, and what is said of it; `correction` makes up for what was missed before. */
export function choose(work: Work, curves: Curves, correction = 1): Allocation<Choice> {
  const { kind, value } = work.options.goal;
  const layers = work.targets.map((target) => optionsOf(work, target, curves.get(target) ?? []));
  if (kind === "tolerance") return withinDamage(layers, value * correction);
  const fixed = fixedCost(work);
  const whole = fixed + layers.reduce((sum, [stay]) => sum + stay!.cost, 0);
  const found = withinCost(layers, whole / (value * correction) - fixed);
  if (found) return found;
  const best = whole / (fixed + withinDamage(layers, Infinity).cost);
  const expected = `at most ${best.toFixed(2)}, the best that is in reach`;
  throw new InvalidArgumentError({ parameter: kind, expected, received: `${value}` });
}

/** First to stay as it is, then all else. */
export function optionsOf({ costs, options }: Work, target: Target, points: readonly Point[]): Option<Choice>[] {
  const cost = (of: ChainCost): number => (options.goal.kind === "speedup" ? of.time : of.multiplications);
  const stay = { cost: cost(costs.get(target)!), damage: 0, choice: undefined };
  const others = points
    .filter((point) => cost(point.cost) < stay.cost)
    .map(({ form, rank, cost: own, damage }) => ({ cost: cost(own), damage, choice: { form, rank } }));
  return [stay, ...others];
}

/** What the rest of the network costs. */
export function fixedCost({ targets, costs, whole, options }: Work): number {
  const of = (cost: ChainCost): number => (options.goal.kind === "speedup" ? cost.time : cost.multiplications);
  return of(whole) - targets.reduce((sum, target) => sum + of(costs.get(target)!), 0);
}

/** The same form for all: depthwise, pointwise with one depth multiplier. */
export function uniform({ targets, costs, specs, engine, options }: Work): Choice[] {
  return targets.map((target) => {
    if (target.transposed) return undefined;
    const rank = Math.min(options.goal.value, forms.depthwise.mostRank(target.sizes));
    const cost = formCost(target, "depthwise", rank, specs.get(target.x)!, engine);
    return cost.multiplications < costs.get(target)!.multiplications ? { form: "depthwise", rank } : undefined;
  });
}

/** Damage against reduction as the curves have it, if the damages of layers add up. */
export function tradeOff(work: Work, curves: Curves): { reduction: number; damage: number }[] {
  if (curves.size === 0) return [];
  const layers = work.targets.map((target) => optionsOf(work, target, curves.get(target) ?? []));
  const fixed = fixedCost(work);
  const whole = fixed + layers.reduce((sum, [stay]) => sum + stay!.cost, 0);
  return frontier(layers, 24).map(({ cost, damage }) => ({ reduction: whole / (fixed + cost), damage }));
}

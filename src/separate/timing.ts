// Chooses by time before anything is fitted: what layers take in each form does not depend on the numbers in their weights, so that
// any serve. Forms are measured layer by layer, and what is chosen of them as a whole network.
import { createEngine } from "../engine/engine.ts";
import { InvalidArgumentError, Rank1Error } from "../errors.ts";
import type { Graph } from "../graph/types.ts";
import { newValue, sizeOf } from "../graph/values.ts";
import { type Curves, choose, fastest } from "./choose.ts";
import { type Choice, type SeparationContext, yieldToEventLoop } from "./context.ts";
import type { Point } from "./curves.ts";
import { type DecomposedLayer, decomposedLayer, type NetworkCost, networkCost } from "./decomposition.ts";
import { shapesOf } from "./groups.ts";
import { compareTimes, replaceNode, type Values } from "./network.ts";
import { backendTime } from "./profile.ts";
import { seeded } from "./random.ts";
import type { TimeChange } from "./report.ts";
import { join, takesSeveral } from "./samples.ts";
import type { Target } from "./targets.ts";

/** How far from a speedup is near enough, as measured. */
export const near = 0.05;
/** How often a speedup that was missed is aimed at again. */
const attempts = 6;
/** How two networks are compared where one is chosen by it: by their fastest runs, which other programs disturb least. */
export const comparing = { milliseconds: 700, quantile: 0.2 };
/** Runs of a layer, at least, and for how long. */
const brief = { fewest: 5, milliseconds: 25, quantile: 0.2 };

export interface Timed {
  context: SeparationContext;
  curves: Curves;
  choices: readonly Choice[];
}

/**
 * The choice of each layer by which the network, as measured here or planned for the profile, is faster by the goal, within 5 %.
 *
 * @throws InvalidArgumentError where nothing is that fast, with the best that was measured.
 */
export async function chooseByTime(
  given: SeparationContext,
  planned: Curves,
  onProgress: (done: number) => void,
): Promise<Timed> {
  const { goal, signal } = given.options;
  const { context, curves } = given.profile
    ? { context: given, curves: planned }
    : await measureForms(given, planned, (done) => onProgress(0.7 * done));
  const tried: { choices: readonly Choice[]; speedup: number }[] = [];
  let correction = 1;
  for (let attempt = 0; attempt < attempts; attempt++) {
    onProgress(0.7 + (0.3 * attempt) / attempts);
    signal?.throwIfAborted();
    const choices = choose(context, curves, correction) ?? fastest(context, curves);
    const known = tried.some((one) => isSame(one.choices, choices));
    if (known) break;
    const speedup = await speedupOf(context, choices);
    tried.push({ choices, speedup });
    if (speedup >= goal.value && speedup <= goal.value * (1 + near)) break;
    correction *= (goal.value * (1 + near / 2)) / speedup;
  }
  const best = tried.reduce((a, b) => (b.speedup > a.speedup ? b : a));
  if (best.speedup < goal.value * (1 - near)) throw outOfReach(context, curves, best.speedup);
  // Of those that are fast enough, the one that gives up least.
  const enough = tried.filter(({ speedup }) => speedup >= goal.value).sort((a, b) => a.speedup - b.speedup);
  return { context, curves, choices: (enough[0] ?? best).choices };
}

/** The first sample, or zeros. */
function onePicture({ graph, specs, samples }: SeparationContext): Values {
  if (samples) return samples.first;
  return new Map(graph.inputs.map(({ name }) => [name, newValue(specs.get(name)!.dtype, specs.get(name)!.shape)]));
}

/** Pictures at a time in the table of times. */
const batches = [1, 16];
/** Bytes that several pictures may take. */
const mostForSeveral = 2 ** 28;

/** Times of a run before and after: of one picture and of several, where the network takes several; on one thread and on all. */
export async function measureTimes(
  context: SeparationContext,
  rewritten: Graph,
): Promise<[TimeChange, ...TimeChange[]]> {
  const { graph, engine, options, samples } = context;
  const { signal } = options;
  const several = takesSeveral(graph) && samples?.joins !== false;
  const found: TimeChange[] = [];
  for (const pictures of batches) {
    if (pictures > 1 && !several) continue;
    const inputs = join(Array<Values>(pictures).fill(onePicture(context)));
    for (const threads of new Set([1, engine.info().threads])) {
      const maxMemory = pictures > 1 ? mostForSeveral : undefined;
      const limits = { threads, signal, maxMemory, milliseconds: found.length === 0 ? 1500 : 700 };
      const times = await compareTimes(graph, rewritten, inputs, engine, limits).catch((error: unknown) => {
        // Networks that reshape to fixed sides, or several pictures that take more memory.
        if (pictures === 1 || signal?.aborted || !(error instanceof Rank1Error)) throw error;
      });
      if (times) found.push({ pictures, threads, ...times });
    }
  }
  return found as [TimeChange, ...TimeChange[]];
}

const isSame = (a: readonly Choice[], b: readonly Choice[]): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Time before over time after. */
async function speedupOf(context: SeparationContext, choices: readonly Choice[]): Promise<number> {
  const { graph, specs, engine, options, profile, whole } = context;
  if (choices.every((choice) => !choice)) return 1;
  const made = unfitted(context, choices);
  const inputs = new Map(graph.inputs.map(({ name }) => [name, specs.get(name)!]));
  if (profile) return whole.time / networkCost(made, inputs, context).time;
  const { signal } = options;
  const { before, after } = await compareTimes(graph, made, onePicture(context), engine, { ...comparing, signal });
  return before / after;
}

/** The network with layers as chosen, of which the weights are any numbers. */
export function unfitted(
  { targets, graph }: Pick<SeparationContext, "targets" | "graph">,
  choices: readonly Choice[],
): Graph {
  return targets.reduce((made: Graph, target, i) => {
    const choice = choices[i];
    if (!choice) return made;
    const { nodes, constants } = anyLayer(target, choice);
    return replaceNode(made, target.y, nodes, constants);
  }, graph);
}

function anyLayer(target: Target, { decomposition, rank }: NonNullable<Choice>): DecomposedLayer {
  const random = seeded(rank).normal;
  const weights = shapesOf(target, decomposition, rank).map((shape) => {
    const count = sizeOf(shape);
    return { shape, data: Float32Array.from({ length: count }, () => random() / Math.sqrt(count)) };
  });
  return decomposedLayer(target, decomposition, weights, target.bias);
}

/** The same with times as measured in place of planned ones. */
async function measureForms(
  context: SeparationContext,
  curves: Curves,
  onProgress: (done: number) => void,
): Promise<{ context: SeparationContext; curves: Curves }> {
  const { engine: like, graph, specs, targets, options } = context;
  const { backend, wide } = like.info();
  const engine = await createEngine({ backend, threads: 1, wide: wide.enabled });
  const known = new Map<string, Promise<number>>();
  const time = async (target: Target, choice: Choice): Promise<number> => {
    const { x, y, node, sizes } = target;
    const { dtype, shape } = specs.get(x)!;
    const key = JSON.stringify([node.op, node.attributes, sizes, shape, choice], (_, value) => typeof value === "bigint" ? `${value}` : value); // biome-ignore format: a line
    const measure = async (): Promise<number> => {
      await yieldToEventLoop();
      const layer = choice ? anyLayer(target, choice) : { nodes: [node], constants: new Map(graph.constants) };
      const inputs = new Map([[x, { dtype, shape }]]);
      const alone: Graph = { inputs: [{ name: x, dtype, shape }], outputs: [{ name: y }], ...layer };
      return backendTime({ graph: alone, inputs }, engine, { ...brief, signal: options.signal });
    };
    const found = known.get(key) ?? measure();
    known.set(key, found);
    return found;
  };
  try {
    const [costs, timed] = [new Map<Target, NetworkCost>(), new Map<Target, readonly Point[]>()];
    for (const [i, target] of targets.entries()) {
      onProgress(i / targets.length);
      costs.set(target, { ...context.costs.get(target)!, time: await time(target, undefined) });
      timed.set(target, await timedPoints(curves.get(target) ?? [], (choice) => time(target, choice)));
    }
    const inputs = new Map(graph.inputs.map(({ name }) => [name, specs.get(name)!]));
    const layers = [...costs.values()].reduce((sum, cost) => sum + cost.time, 0);
    const all = await backendTime({ graph, inputs }, engine, { ...brief, signal: options.signal });
    const whole = { ...context.whole, time: Math.max(all, layers * 1.01) };
    return { context: { ...context, costs, whole }, curves: timed };
  } finally {
    engine.dispose();
  }
}

/** Measured at the ends and in the middle of each form's ranks; what is between follows the plan. */
async function timedPoints(
  points: readonly Point[],
  time: (choice: NonNullable<Choice>) => Promise<number>,
): Promise<Point[]> {
  const result: Point[] = [];
  for (const [decomposition, own] of Map.groupBy(points, (point) => point.decomposition)) {
    const sorted = own.toSorted((a, b) => a.rank - b.rank);
    const factors: [rank: number, factor: number][] = [];
    for (const at of new Set([0, sorted.length >> 1, sorted.length - 1])) {
      const { rank, cost } = sorted[at]!;
      factors.push([rank, (await time({ decomposition, rank })) / cost.time]);
    }
    result.push(...sorted.map((point) => withTime(point, point.cost.time * between(factors, point.rank))));
  }
  return result;
}

const withTime = (point: Point, time: number): Point => ({ ...point, cost: { ...point.cost, time } });

/** Linear between known places, of which at least one is given, in order. */
function between(known: readonly (readonly [at: number, value: number])[], at: number): number {
  const after = known.findIndex(([one]) => one >= at);
  if (after <= 0) return known.at(after)![1];
  const [[a, low], [b, high]] = [known[after - 1]!, known[after]!];
  return low + ((high - low) * (at - a)) / (b - a);
}

/** How many layers are named where a goal is out of reach. */
const mostNamed = 12;

function outOfReach(context: SeparationContext, curves: Curves, best: number): InvalidArgumentError {
  const { targets, costs, options } = context;
  const text = (time: number): string => `${(time / 1e6).toPrecision(3)} ms`;
  const named = targets.slice(0, mostNamed).map((target) => {
    const forms = Map.groupBy(curves.get(target) ?? [], ({ decomposition }) => decomposition);
    const times = [...forms].map(([form, points]) => {
      const least = points.reduce((a, b) => (b.cost.time < a.cost.time ? b : a));
      return `${form} ${text(least.cost.time)} (rank ${least.rank})`;
    });
    return `${target.node.name || target.y} ${text(costs.get(target)!.time)}: ${times.join(", ") || "no other form"}`;
  });
  const more = targets.length > mostNamed ? `; and ${targets.length - mostNamed} more` : "";
  return new InvalidArgumentError({
    ...{ parameter: "speedup", received: `${options.goal.value}` },
    expected: `at most ${Math.max(1, Math.floor(best * 100) / 100).toFixed(2)}, the best that is in reach`,
    hint: `each layer's time as it is and in its fastest forms: ${named.join("; ")}${more}`,
  });
}

// Separates a trained network: measures a curve of damage against cost for each convolution, spends one budget on all of
// them, then fits them in their order, each from what the layers before it now give.
import { InvalidArgumentError } from "../errors.ts";
import { infer, inputSpecs } from "../graph/infer.ts";
import type { Graph, Spec } from "../graph/types.ts";
import { newValue } from "../graph/values.ts";
import type { Model } from "../onnx/model.ts";
import { operators } from "../onnx/ops/index.ts";
import { type Chain, chainOf, networkCost, targetCost } from "./chain.ts";
import { bestReduction, type Curves, choose, measureCurves, tradeOff, uniform } from "./choose.ts";
import { Damage } from "./damage.ts";
import { exactForm } from "./exact.ts";
import { fitAll, type Rewritten } from "./fits.ts";
import { metricsOf } from "./metric.ts";
import { prepareGraph, Runner, replaceNode, specsOf } from "./network.ts";
import { checkSeparateOptions, type SeparateOptions } from "./options.ts";
import { Products } from "./products.ts";
import { seeded } from "./random.ts";
import type { Change, LayerReport, Report } from "./report.ts";
import { Samples } from "./samples.ts";
import { type Target, targetsOf } from "./targets.ts";
import { compareTimes } from "./timing.ts";
import { tune } from "./tune.ts";
import { affordable, type Choice, type Metrics, type Work } from "./work.ts";
import { rewriteModel } from "./write.ts";

// One part that is loaded at first use
export { measure } from "./profile.ts";

/** Samples that the metric is made of, and those that the damage of the whole is measured on. */
const most = { metric: 300, damage: 300 };
/** How often a goal that was missed is aimed at again. */
const attempts = 4;
/** Of all progress, what comes before tuning. */
const untuned = 0.7;

/** See index.ts. */
export async function separate(model: Model, given: SeparateOptions): Promise<{ model: Model; report: Report }> {
  const start = performance.now();
  const work = await prepare(model, given);
  try {
    return await separateWork(work, start);
  } finally {
    await work.products.dispose();
  }
}

async function separateWork(work: Work, start: number): Promise<{ model: Model; report: Report }> {
  const { model, options } = work;
  const blind = options.goal.kind === "tolerance" && options.goal.value === 0;
  const tuned = options.tune && !blind;
  const onProgress = (done: number, what: string): void => options.onProgress(tuned ? untuned * done : done, what);
  const found = await rewritten({ ...work, options: { ...options, onProgress } }, blind);
  const better = tuned ? await tunedIfBetter(work, found) : found;
  options.onProgress(0.96, "measuring the result");
  const report = await reportOf(work, better);
  report.seconds = (performance.now() - start) / 1000;
  const chains = new Map([...better.rewritten.chains].map(([target, chain]) => [target.y, chain]));
  const written = rewriteModel(model, chains, { "rank1.separate": JSON.stringify(said(report)) });
  options.onProgress(1, "done");
  return { model: written, report };
}

async function rewritten(work: Work, blind: boolean): Promise<Found> {
  if (blind) return exactly(work);
  const metrics = await measureMetrics(work);
  return work.options.goal.kind === "rank" ? uniformly(work, metrics) : search(work, metrics);
}

/** Tuned, unless inputs that it has not seen speak against it. */
async function tunedIfBetter(work: Work, found: Found): Promise<Found> {
  const { rewritten } = found;
  if (rewritten.chains.size === 0) return found;
  const better = await tune(work, rewritten, (done) =>
    work.options.onProgress(untuned + (0.95 - untuned) * done, "tuning"),
  );
  const [before, after] = [await damageOf(work, rewritten.graph), await damageOf(work, better.graph)];
  const change = { before: before.value, after: after.value };
  return change.after < change.before ? { ...found, rewritten: better, tuned: change } : found;
}

interface Found {
  choices: readonly Choice[];
  rewritten: Rewritten;
  curves: Curves;
  /** Damage before and after tuning. */
  tuned?: Change;
}

async function prepare(model: Model, given: SeparateOptions): Promise<Work> {
  const options = checkSeparateOptions(given);
  const { calibration, goal, profile, signal } = options;
  const graph = prepareGraph(model.graph);
  options.onProgress(0, "reading the calibration data");
  const samples = calibration && (await Samples.read(model.graph, calibration, signal));
  if (!samples && goal.kind === "tolerance" && goal.value > 0) {
    const [parameter, expected] = ["calibration", "inputs, to measure the damage by"];
    throw new InvalidArgumentError({ parameter, expected, received: "none" });
  }
  const inputs = samples ? specsOf(samples.first) : inputSpecs(graph);
  const specs = infer(graph, operators, inputs);
  const targets = targetsOf(graph, specs).filter(({ node }) => options.takes(node.name));
  if (targets.length === 0) {
    const expected = "a convolution that could be separated: of one group, with a window and constant weights";
    throw new InvalidArgumentError({ parameter: "model", expected, received: "none" });
  }
  const engine = await model.engine();
  const planning = { engine, profile };
  const costs = new Map(targets.map((target) => [target, targetCost(graph, target, specs.get(target.x)!, planning)]));
  const whole = networkCost(graph, inputs, planning);
  const products = new Products(engine);
  return { model, ...planning, graph, specs, targets, costs, whole, samples, products, options };
}

async function measureMetrics(work: Work): Promise<Metrics> {
  const { graph, engine, targets, samples, products, options } = work;
  if (!samples) return new Map();
  options.onProgress(0.02, "measuring what errors cost");
  const random = seeded(options.seed);
  return metricsOf(graph, engine, targets, samples.some("fit", affordable(work, 1.2e10, 4, most.metric)), {
    products,
    random,
    signal: options.signal,
  });
}

async function search(work: Work, metrics: Metrics): Promise<Found> {
  const { goal, onProgress } = work.options;
  const curves = await measureCurves(work, metrics, (done) => onProgress(0.05 + 0.5 * done, "measuring curves"));
  let found: Found | undefined;
  let correction = 1;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const choices = choose(work, curves, correction);
    if (!choices) break;
    const from = 0.55 + 0.4 * (1 - 0.5 ** (attempt - 1));
    const rewritten = await fitAll(work, choices, metrics, (done) => {
      onProgress(from + 0.4 * 0.5 ** attempt * done, "fitting layers");
    });
    found = { choices, rewritten, curves };
    if (goal.kind === "reduce") return found;
    const reached = await reach(work, rewritten);
    if (reached.met) return found;
    // A bound on damage is kept at last by leaving all as it is.
    correction = goal.kind === "tolerance" && attempt === attempts - 1 ? 0 : correction * reached.correction;
  }
  if (found) return found;
  const expected = `at most ${bestReduction(work, curves).toFixed(2)}, the best that is in reach`;
  throw new InvalidArgumentError({ parameter: goal.kind, expected, received: `${goal.value}` });
}

/** Whether a goal of damage or time is met, and by what to multiply it for another attempt. */
async function reach(work: Work, { graph }: Rewritten): Promise<{ met: boolean; correction: number }> {
  const { goal } = work.options;
  if (goal.kind === "tolerance") {
    const { value: damage } = await damageOf(work, graph);
    return { met: damage <= goal.value, correction: (0.9 * goal.value) / damage };
  }
  const speedup = work.profile ? plannedSpeedup(work, graph) : await measuredSpeedup(work, graph);
  return { met: speedup >= goal.value, correction: (1.02 * goal.value) / speedup };
}

function plannedSpeedup(work: Work, rewritten: Graph): number {
  return work.whole.time / networkCost(rewritten, inputsOf(work), work).time;
}

async function measuredSpeedup(work: Work, rewritten: Graph): Promise<number> {
  const { before, after } = await timesOf(work, rewritten);
  return before / after;
}

async function uniformly(work: Work, metrics: Metrics): Promise<Found> {
  const choices = uniform(work);
  const progress = (done: number): void => work.options.onProgress(0.1 + 0.8 * done, "fitting layers");
  return { choices, rewritten: await fitAll(work, choices, metrics, progress), curves: new Map() };
}

function exactly(work: Work): Found {
  const { targets, specs, costs, graph } = work;
  const forms = targets.map((target) => exactForm(target, specs.get(target.x)!, costs.get(target)!, work));
  const chains = new Map<Target, Chain>();
  let rewritten: Graph = graph;
  for (const [i, target] of targets.entries()) {
    const exact = forms[i];
    if (!exact) continue;
    const chain = chainOf(target, exact.form, exact.weights, target.bias);
    chains.set(target, chain);
    rewritten = replaceNode(rewritten, target.y, chain.nodes, chain.constants);
  }
  const choices = forms.map((exact) => exact && { form: exact.form, rank: exact.rank });
  return { choices, rewritten: { graph: rewritten, chains }, curves: new Map() };
}

async function damageOf(work: Work, rewritten: Graph): Promise<Damage> {
  const { graph, engine, samples, options } = work;
  const [before, after] = [new Runner(graph, engine), new Runner(rewritten, engine)];
  const damage = new Damage();
  try {
    for await (const inputs of samples!.some("judge", affordable(work, 1e11, 4, most.damage))) {
      options.signal?.throwIfAborted();
      damage.add(await before.run(inputs, options.signal), await after.run(inputs, options.signal));
    }
  } finally {
    await before.dispose();
    await after.dispose();
  }
  return damage;
}

const inputsOf = ({ graph, specs }: Work): Map<string, Spec> =>
  new Map(graph.inputs.map(({ name }) => [name, specs.get(name)!]));

function timesOf({ graph, engine, samples, specs, options }: Work, rewritten: Graph) {
  const made = graph.inputs.map(
    ({ name }) => [name, newValue(specs.get(name)!.dtype, specs.get(name)!.shape)] as const,
  );
  return compareTimes(graph, rewritten, samples?.first ?? new Map(made), engine, options.signal);
}

async function reportOf(work: Work, { choices, rewritten, curves, tuned }: Found): Promise<Report> {
  const { targets, costs, whole, graph, samples, options, profile } = work;
  const after = networkCost(rewritten.graph, inputsOf(work), work);
  const layers = targets.map((target, i): LayerReport => {
    const choice = choices[i];
    const before = costs.get(target)!;
    const point = curves.get(target)?.find(({ form, rank }) => form === choice?.form && rank === choice?.rank);
    const cost = point?.cost ?? chainCost(work, rewritten.chains.get(target), target) ?? before;
    const { multiplications, parameters } = cost;
    const weight = graph.constants.get(target.node.inputs[1]!)!.shape;
    return {
      ...{ name: target.node.name, weight, ...choice, damage: point?.damage },
      multiplications: { before: before.multiplications, after: multiplications },
      parameters: { before: before.parameters, after: parameters },
    };
  });
  const milliseconds = rewritten.chains.size > 0 ? await timesOf(work, rewritten.graph) : undefined;
  const measured = samples && (await damageOf(work, rewritten.graph));
  const damage = measured?.value;
  const reached = {
    ...{ reduction: whole.multiplications / after.multiplications, milliseconds, damage, tuned },
    speedup: milliseconds ? milliseconds.before / milliseconds.after : 1,
    planned: profile && { for: profile.name, speedup: whole.time / after.time },
  };
  const { goal } = options;
  const achieved = {
    reduce: reached.reduction,
    speedup: reached.planned?.speedup ?? reached.speedup,
    rank: goal.value,
  };
  const met = goal.kind === "tolerance" ? (damage ?? 0) <= goal.value : achieved[goal.kind] >= goal.value;
  return {
    ...{ layers, goal, samples: samples?.count ?? 0, curve: tradeOff(work, curves), seconds: 0 },
    totals: {
      multiplications: { before: whole.multiplications, after: after.multiplications },
      parameters: { before: whole.parameters, after: after.parameters },
    },
    measure: measured?.measure,
    reached: { ...reached, met },
  };
}

function chainCost(work: Work, chain: Chain | undefined, { x, y }: Target) {
  if (!chain) return undefined;
  const { dtype, shape } = work.specs.get(x)!;
  const graph = { inputs: [{ name: x, dtype, shape }], outputs: [{ name: y }], ...chain };
  return networkCost(graph, new Map([[x, { dtype, shape }]]), work);
}

/** What the file says of how it was made: nothing that differs from run to run. */
function said({ goal, layers, totals, samples }: Report) {
  const changes = layers.flatMap(({ name, form, rank }) => (form ? [{ name, form, rank }] : []));
  return { version: 1, [goal.kind]: goal.value, samples, multiplications: totals.multiplications, layers: changes };
}

// Separates a trained network: measures curves of loss against cost, chooses by one budget, fits the layers in their
// order, tunes them if asked, and writes model and report.
import { InvalidArgumentError } from "../errors.ts";
import { infer, inferKnown, inputSpecs } from "../graph/infer.ts";
import { computablePart, partOf } from "../graph/passes/index.ts";
import type { Graph, Spec } from "../graph/types.ts";
import type { Model } from "../onnx/model.ts";
import { operators } from "../onnx/ops/index.ts";
import { Checkpoint, Fingerprint } from "./checkpoint.ts";
import { bestReduction, type Curves, choose, measureCurves, tradeOff, uniform } from "./choose.ts";
import { withConfidence } from "./confidence.ts";
import {
  affordable,
  type Choice,
  checkSeparateOptions,
  type Metrics,
  type SeparateOptions,
  type SeparationContext,
} from "./context.ts";
import { type DecomposedLayer, decomposedLayer, exactDecomposition, networkCost, targetCost } from "./decomposition.ts";
import { fitAll, type Rewritten } from "./fits.ts";
import { Gemm } from "./gemm.ts";
import { measureHeads } from "./heads.ts";
import { Loss } from "./loss.ts";
import { metricsOf } from "./metric.ts";
import { prepareGraph, Runner, replaceNode, specsOf, takesBatches, usualShapes } from "./network.ts";
import { cutOf } from "./pieces.ts";
import { seeded } from "./random.ts";
import { noTargets, refuseQuantized } from "./refusals.ts";
import type { Change, LayerReport, Report } from "./report.ts";
import { Samples } from "./samples.ts";
import { type Target, targetsOf } from "./targets.ts";
import { chooseByTime, measureTimes, near } from "./timing.ts";
import { tune } from "./tune.ts";
import { noise, verify } from "./verify.ts";
import { asStored, isWritten, rewriteModel } from "./write.ts";

// One part that is loaded at first use
export { forecast } from "./forecast.ts";
export { measure } from "./profile.ts";

/** Samples that heads are told by, that the metric is made of, and that the loss of the whole is measured on. */
const most = { heads: 100, metric: 300, loss: 300 };
/** How often a goal that was missed is aimed at again. */
const attempts = 4;
/** The share of all progress that comes before tuning. */
const untuned = 0.7;

/** {@link separateModel}, with the model's and the report's types. */
export async function separate(model: Model, given: SeparateOptions): Promise<{ model: Model; report: Report }> {
  const start = performance.now();
  const context = await prepare(model, given);
  try {
    return await separateIn(context, start);
  } finally {
    await context.checkpoint.save();
    await context.gemm.dispose();
  }
}

async function separateIn(context: SeparationContext, start: number): Promise<{ model: Model; report: Report }> {
  const { model, options } = context;
  const blind = options.goal.kind === "tolerance" && options.goal.value === 0;
  const tuned = options.tune && !blind;
  const onProgress = (done: number, what: string): void => options.onProgress(tuned ? untuned * done : done, what);
  const found = await rewritten({ ...context, options: { ...options, onProgress } }, blind);
  const sure = { ...found, rewritten: await withConfidence(context, found.rewritten) };
  const better = storedIn(model, tuned ? await tunedIfBetter(context, found, sure) : sure);
  options.onProgress(0.96, "measuring the result");
  const report = await reportOf(context, better);
  const written = rewriteModel(model, byResult(better.rewritten), { "rank1.separate": JSON.stringify(said(report)) });
  options.onProgress(0.98, "checking the file");
  const { graph, engine, samples } = context;
  const inputs = samples?.first ?? noise(graph, context.specs);
  report.difference = await verify(written, better.rewritten.graph, inputs, engine, options.signal);
  report.seconds = (performance.now() - start) / 1000;
  options.onProgress(1, "done");
  return { model: written, report };
}

/** The new layers by the names of their results. */
const byResult = ({ decomposed, scaled = new Map() }: Rewritten): Map<string, DecomposedLayer> =>
  new Map([...[...decomposed].map(([target, layer]) => [target.y, layer] as const), ...scaled]);

/** The same with weights as the file holds them. */
function storedIn(model: Model, found: Found): Found {
  const stored = asStored(model, byResult(found.rewritten));
  const decomposed = new Map([...found.rewritten.decomposed.keys()].map((target) => [target, stored.get(target.y)!]));
  const constants = new Map([
    ...found.rewritten.graph.constants,
    ...[...stored.values()].flatMap((one) => [...one.constants]),
  ]);
  const scaled = new Map([...(found.rewritten.scaled ?? [])].map(([y, layer]) => [y, { ...layer, ...stored.get(y) }]));
  return { ...found, rewritten: { graph: { ...found.rewritten.graph, constants }, decomposed, scaled } };
}

async function rewritten(context: SeparationContext, blind: boolean): Promise<Found> {
  if (blind) return exactly(context);
  const metrics = await measureMetrics(context);
  return context.options.goal.kind === "rank" ? uniformly(context, metrics) : search(context, metrics);
}

/** The fits tuned, if their loss on inputs that were not fitted to is smaller then; `sure`: as they are without. */
async function tunedIfBetter(context: SeparationContext, fitted: Found, sure: Found): Promise<Found> {
  if (fitted.rewritten.decomposed.size === 0) return sure;
  const tuned = await tune(context, fitted.rewritten, (done) =>
    context.options.onProgress(untuned + (0.95 - untuned) * done, "tuning"),
  );
  const better = await withConfidence(context, tuned);
  const [before, after] = [await lossOf(context, sure.rewritten.graph), await lossOf(context, better.graph)];
  const change = { before: before.value, after: after.value };
  return change.after < change.before ? { ...sure, rewritten: better, tuned: change } : sure;
}

interface Found {
  choices: readonly Choice[];
  rewritten: Rewritten;
  curves: Curves;
  /** With costs as they were measured, which curves of time are made of. */
  context?: SeparationContext;
  /** Loss before and after tuning. */
  tuned?: Change;
}

async function prepare(model: Model, given: SeparateOptions): Promise<SeparationContext> {
  const options = checkSeparateOptions(given);
  const { calibration, goal, profile, signal } = options;
  refuseQuantized(model.graph);
  const computable = prepareGraph(computablePart(model.graph, operators));
  options.onProgress(0, "reading the calibration data");
  const samples = calibration && (await Samples.read(model.graph, calibration, signal));
  if (!samples && goal.kind === "tolerance" && goal.value > 0) {
    const [parameter, expected] = ["calibration", "inputs, to measure the loss by"];
    throw new InvalidArgumentError({ parameter, expected, received: "none" });
  }
  const usual = samples ? {} : usualShapes(computable);
  const inputs = samples ? specsOf(samples.first) : inputSpecs(computable, usual);
  const { specs } = inferKnown(computable, operators, inputs);
  // What only a run knows the sizes of, such as the boxes that are left, stays as it is.
  const graph = partOf(computable, ({ outputs }) => outputs.every((name) => name === "" || specs.has(name)));
  if (samples) samples.joins = takesBatches(graph, inputs);
  const pieces = samples && cutInputs(graph, samples, inputs);
  const written = isWritten(model);
  const targets = targetsOf(graph, pieces ? infer(graph, operators, pieces) : specs).filter(
    ({ node }) => written(node) && options.takes(node.name),
  );
  if (targets.length === 0) throw noTargets(model);
  const engine = await model.engine();
  const costContext = { engine, profile };
  const costs = new Map(
    targets.map((target) => [target, targetCost(graph, target, specs.get(target.x)!, costContext)]),
  );
  const whole = networkCost(graph, inputs, costContext);
  const work = (pieces ? networkCost(graph, pieces, costContext) : whole).multiplications;
  const known = { model, usual, ...costContext, graph, specs, targets, costs, whole, samples, work, options };
  const shown = samples?.some("fit", affordable(known, 2e10, 4, most.heads));
  const heads = shown ? await measureHeads(graph, specs, shown, { engine, loss: options.loss, signal }) : new Map();
  const checkpoint = await Checkpoint.open(options.store, fingerprintOf(graph, samples, options));
  return { ...known, heads, checkpoint, gemm: new Gemm(engine) };
}

/** What everything that is found depends on. */
function fingerprintOf(
  { nodes, constants }: Graph,
  samples: Samples | undefined,
  { seed, loss, goal, profile }: SeparationContext["options"],
): string {
  const own = new Fingerprint();
  for (const { data } of constants.values()) own.add(data as ArrayBufferView);
  const named = nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs]);
  own.add(new TextEncoder().encode(JSON.stringify([named, profile])));
  return [own.text, samples?.count, samples?.fingerprint, seed, loss, goal.kind].join();
}

/** Has samples cut where the network allows it; the inputs that it is given then. */
function cutInputs(graph: Graph, samples: Samples, inputs: ReadonlyMap<string, Spec>): Map<string, Spec> | undefined {
  const cut = cutOf(graph, inputs);
  samples.cut = cut;
  if (!cut) return undefined;
  const { dtype, shape } = inputs.get(cut.input)!;
  return new Map([[cut.input, { dtype, shape: [...shape.slice(0, 2), cut.height, cut.width] }]]);
}

async function measureMetrics(context: SeparationContext): Promise<Metrics> {
  const { graph, engine, targets, samples, gemm, options } = context;
  if (!samples) return new Map();
  options.onProgress(0.02, "measuring what errors cost");
  const { heads, checkpoint } = context;
  const tools = { heads, gemm, random: seeded(options.seed), signal: options.signal };
  const fitted = samples.some("fit", affordable(context, 2e10, 4, most.metric));
  const names = targets.map(({ y }) => y);
  const metrics = await checkpoint.once(`metrics of ${names}`, async () => {
    const found = await metricsOf(graph, engine, targets, fitted, tools);
    return targets.map((target) => found.get(target)!);
  });
  return new Map(targets.map((target, i) => [target, metrics[i]!]));
}

async function search(context: SeparationContext, metrics: Metrics): Promise<Found> {
  const { goal, onProgress } = context.options;
  const curves = await measureCurves(context, metrics, (done) => onProgress(0.05 + 0.5 * done, "measuring curves"));
  if (goal.kind === "speedup") {
    const timed = await chooseByTime(context, curves, (done) => onProgress(0.55 + 0.1 * done, "measuring times"));
    const rewritten = await fitAll(context, timed.choices, metrics, (done) => {
      onProgress(0.65 + 0.3 * done, "fitting layers");
    });
    return { ...timed, rewritten };
  }
  let found: Found | undefined;
  let correction = 1;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const choices = choose(context, curves, correction);
    if (!choices) break;
    const from = 0.55 + 0.4 * (1 - 0.5 ** (attempt - 1));
    const rewritten = await fitAll(context, choices, metrics, (done) => {
      onProgress(from + 0.4 * 0.5 ** attempt * done, "fitting layers");
    });
    found = { choices, rewritten, curves };
    if (goal.kind === "reduce") return found;
    const reached = await reach(context, rewritten);
    if (reached.met) return found;
    // A bound on loss is kept at last by leaving all as it is.
    correction = attempt === attempts - 1 ? 0 : correction * reached.correction;
  }
  if (found) return found;
  const expected = `at most ${bestReduction(context, curves).toFixed(2)}, the best that is in reach`;
  throw new InvalidArgumentError({ parameter: goal.kind, expected, received: `${goal.value}` });
}

/** Whether a goal of loss is met, and by what to multiply it for another attempt. */
async function reach(context: SeparationContext, rewritten: Rewritten): Promise<{ met: boolean; correction: number }> {
  const { value } = context.options.goal;
  const { value: loss } = await lossOf(context, (await withConfidence(context, rewritten)).graph);
  return { met: loss <= value, correction: (0.9 * value) / loss };
}

async function uniformly(context: SeparationContext, metrics: Metrics): Promise<Found> {
  const choices = uniform(context);
  const progress = (done: number): void => context.options.onProgress(0.1 + 0.8 * done, "fitting layers");
  return { choices, rewritten: await fitAll(context, choices, metrics, progress), curves: new Map() };
}

function exactly(context: SeparationContext): Found {
  const { targets, specs, costs, graph } = context;
  const exact = targets.map((target) => exactDecomposition(target, specs.get(target.x)!, costs.get(target)!, context));
  const decomposed = new Map<Target, DecomposedLayer>();
  let rewritten: Graph = graph;
  for (const [i, target] of targets.entries()) {
    const found = exact[i];
    if (!found) continue;
    const layer = decomposedLayer(target, found.decomposition, found.weights, target.bias);
    decomposed.set(target, layer);
    rewritten = replaceNode(rewritten, target.y, layer.nodes, layer.constants);
  }
  const choices = exact.map((found) => found && { decomposition: found.decomposition, rank: found.rank });
  return { choices, rewritten: { graph: rewritten, decomposed }, curves: new Map() };
}

async function lossOf(context: SeparationContext, rewritten: Graph): Promise<Loss> {
  const { graph, engine, samples, options } = context;
  const [before, after] = [new Runner(graph, engine), new Runner(rewritten, engine)];
  const loss = new Loss(context.heads);
  try {
    for await (const inputs of samples!.some("evaluate", affordable(context, 1e11, 4, most.loss))) {
      options.signal?.throwIfAborted();
      loss.add(await before.run(inputs, options.signal), await after.run(inputs, options.signal));
    }
  } finally {
    await before.dispose();
    await after.dispose();
  }
  return loss;
}

const inputsOf = ({ graph, specs }: SeparationContext): Map<string, Spec> =>
  new Map(graph.inputs.map(({ name }) => [name, specs.get(name)!]));

async function reportOf(context: SeparationContext, { context: timed = context, ...found }: Found): Promise<Report> {
  const { choices, rewritten, curves, tuned } = found;
  const { targets, costs, whole, graph, samples, options, profile } = context;
  const after = networkCost(rewritten.graph, inputsOf(context), context);
  const layers = targets.map((target, i): LayerReport => {
    const choice = choices[i];
    const before = costs.get(target)!;
    const point = curves
      .get(target)
      ?.find(({ decomposition, rank }) => decomposition === choice?.decomposition && rank === choice?.rank);
    const cost = point?.cost ?? decomposedCost(context, rewritten.decomposed.get(target), target) ?? before;
    const { multiplications, parameters } = cost;
    const weight = graph.constants.get(target.node.inputs[1]!)!.shape;
    return {
      ...{
        name: target.node.name,
        weight,
        decomposition: choice?.decomposition,
        rank: choice?.rank,
        loss: point?.loss,
      },
      multiplications: { before: before.multiplications, after: multiplications },
      parameters: { before: before.parameters, after: parameters },
    };
  });
  const times = rewritten.decomposed.size > 0 ? await measureTimes(context, rewritten.graph) : undefined;
  const milliseconds = times && { before: times[0].before, after: times[0].after };
  const temperatures = new Map([...(rewritten.scaled?.values() ?? [])].map((one) => [one.output, one.temperature]));
  const measured = samples && (await lossOf(context, rewritten.graph));
  const loss = measured?.value;
  const reached = {
    ...{ reduction: whole.multiplications / after.multiplications, milliseconds, times, loss, tuned },
    speedup: milliseconds ? milliseconds.before / milliseconds.after : 1,
    planned: profile && { for: profile.name, speedup: whole.time / after.time },
  };
  const { goal } = options;
  const achieved = {
    reduce: reached.reduction,
    speedup: reached.planned?.speedup ?? reached.speedup,
    rank: goal.value,
  };
  // What is measured differs from time to time.
  const least = goal.kind === "speedup" && !profile ? goal.value * (1 - near) : goal.value;
  const met = goal.kind === "tolerance" ? (loss ?? 0) <= goal.value : achieved[goal.kind] >= least;
  return {
    ...{
      layers,
      goal,
      samples: samples?.count ?? 0,
      apart: samples?.apart ?? false,
      curve: tradeOff(timed, curves),
      seconds: 0,
      difference: 0,
    },
    totals: {
      multiplications: { before: whole.multiplications, after: after.multiplications },
      parameters: { before: whole.parameters, after: after.parameters },
    },
    missing: context.model.missing,
    assumed: context.usual,
    lossFunction: measured?.lossFunction,
    outputs: (measured?.outputs ?? []).map((one) => ({ ...one, temperature: temperatures.get(one.name) })),
    reached: { ...reached, met },
  };
}

function decomposedCost(context: SeparationContext, layer: DecomposedLayer | undefined, { x, y }: Target) {
  if (!layer) return undefined;
  const { dtype, shape } = context.specs.get(x)!;
  const graph = { inputs: [{ name: x, dtype, shape }], outputs: [{ name: y }], ...layer };
  return networkCost(graph, new Map([[x, { dtype, shape }]]), context);
}

/** The metadata of the file: how it was made, without anything that differs from run to run. */
function said({ goal, layers, totals, samples }: Report) {
  const changes = layers.flatMap(({ name, decomposition, rank }) =>
    decomposition ? [{ name, decomposition, rank }] : [],
  );
  return { version: 1, [goal.kind]: goal.value, samples, multiplications: totals.multiplications, layers: changes };
}

// Tunes the decomposed convolutions by distillation: Adam on all their weights, towards the original's outputs for
// augmented calibration inputs, without labels (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").
import type { Engine } from "../engine/engine.ts";
import { infer } from "../graph/infer.ts";
import { GraphProgram } from "../graph/program.ts";
import type { Graph, GraphNode, Value } from "../graph/types.ts";
import { newValue, numbersOf, write } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Tensor } from "../tensor.ts";
import { AugmentedSamples } from "./augmentation.ts";
import { affordable, type SeparationContext, yieldToEventLoop } from "./context.ts";
import type { Rewritten } from "./fits.ts";
import { gradientGraph, gradientOperators } from "./gradients.ts";
import { type Head, logProbabilities, rowsOf, writeRow } from "./heads.ts";
import { Runner, specsOf, type Values, valuesOf, withOutputs } from "./network.ts";
import { seeded } from "./random.ts";
import { addBiasGradient, addWeightGradient } from "./weight-gradients.ts";

/** How often each input is used where the network is small; inputs for one step. */
const [epochs, perStep] = [12, 50];
/** A step's length at first, as a share of a tensor's root mean square, and the decays of Adam's means. */
const [rate, meanDecay, squareDecay] = [5e-4, 0.9, 0.99];
/** What square errors count, as shares of the outputs' variance, beside divergences. */
const squareWeight = 0.3;

/** The network with its new convolutions tuned. Progress runs from 0 to 1. */
export async function tune(
  context: SeparationContext,
  { graph, decomposed }: Rewritten,
  onProgress: (done: number) => void,
): Promise<Rewritten> {
  const { options, samples, engine } = context;
  const parameters = [...decomposed.values()].flatMap(({ nodes, constants }) => parametersOf(nodes, constants));
  const augmented = await AugmentedSamples.of(samples!, seeded(options.seed));
  const distilled = distilledOf(context.graph);
  const teacher = new Runner(withOutputs(context.graph, distilled), engine);
  const steps = Math.round(affordable(context, 2e12, 4 * perStep, epochs * augmented.count) / perStep);
  let tuned = { ...withOutputs(graph, distilled), constants: new Map(graph.constants) };
  try {
    for (let step = 0; step < steps; step++) {
      onProgress(step / steps);
      await yieldToEventLoop();
      for (const { gradient } of parameters) gradient.fill(0);
      for (const inputs of augmented.next(perStep)) {
        options.signal?.throwIfAborted();
        const wanted = await teacher.run(inputs, options.signal);
        await addGradients(context, tuned, inputs, wanted, parameters);
      }
      const cosine = 0.5 * (1 + Math.cos((Math.PI * step) / steps));
      for (const parameter of parameters) advance(parameter, step + 1, cosine);
      tuned = { ...tuned, constants: new Map([...tuned.constants, ...parameters.map(tensorOf)]) };
    }
  } finally {
    await teacher.dispose();
  }
  return put({ graph, decomposed }, new Map(parameters.map(tensorOf)));
}

/** The values that are distilled: the network's outputs, and the features from which scores are computed. */
function distilledOf(graph: Graph): string[] {
  const outputs = graph.outputs.map(({ name }) => name);
  const makers = graph.nodes.filter(
    ({ op, outputs: [name] }) => ["Gemm", "MatMul"].includes(op) && outputs.includes(name!),
  );
  return [...outputs, ...makers.map(({ inputs }) => inputs[0]!).filter((name) => !graph.constants.has(name))];
}

// ── What is tuned ──────────────────────────────────────────────────────────────────────────────────────────────────

/** A weight or a bias of a new convolution, and Adam's state. */
interface Parameter {
  name: string;
  node: GraphNode;
  isBias: boolean;
  shape: readonly number[];
  values: Float64Array;
  gradient: Float64Array;
  mean: Float64Array;
  square: Float64Array;
  rate: number;
}

function parametersOf(nodes: readonly GraphNode[], constants: ReadonlyMap<string, Tensor>): Parameter[] {
  return nodes.flatMap((node) => {
    // Weights of transposed convolutions stay as they are
    const [, weight = "", bias = ""] = node.inputs;
    const names = node.op === "Conv" ? [weight, bias] : [bias];
    return names.filter(Boolean).map((name): Parameter => {
      const { shape, data } = constants.get(name)!;
      const values = Float64Array.from(data as Float32Array);
      const energy = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      const zeros = (): Float64Array => new Float64Array(values.length);
      return {
        ...{ name, node, isBias: name === bias, shape, values, rate: rate * Math.sqrt(energy) },
        ...{ gradient: zeros(), mean: zeros(), square: zeros() },
      };
    });
  });
}

const tensorOf = ({ name, shape, values }: Parameter): [string, Tensor] => [
  name,
  { shape, data: Float32Array.from(values) },
];

/** One step of Adam (Kingma and Ba 2015). */
function advance({ values, gradient, mean, square, rate }: Parameter, step: number, share: number): void {
  const length = (rate * share) / (1 - meanDecay ** step);
  const unbiased = 1 / (1 - squareDecay ** step);
  for (let i = 0; i < values.length; i++) {
    mean[i] = meanDecay * mean[i]! + (1 - meanDecay) * gradient[i]!;
    square[i] = squareDecay * square[i]! + (1 - squareDecay) * gradient[i]! ** 2;
    values[i]! -= (length * mean[i]!) / (Math.sqrt(square[i]! * unbiased) + 1e-12);
  }
}

function put({ graph, decomposed }: Rewritten, tuned: ReadonlyMap<string, Tensor>): Rewritten {
  const own = (constants: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
    new Map([...constants].map(([name, tensor]) => [name, tuned.get(name) ?? tensor]));
  return {
    graph: { ...graph, constants: own(graph.constants) },
    decomposed: new Map(
      [...decomposed].map(([target, layer]) => [target, { ...layer, constants: own(layer.constants) }]),
    ),
  };
}

// ── Gradients ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Adds a batch's gradients to those of the parameters. */
async function addGradients(
  { heads, engine, gemm, options: { signal } }: SeparationContext,
  graph: Graph,
  inputs: Values,
  wanted: Values,
  parameters: readonly Parameter[],
): Promise<void> {
  const nodes = [...new Set(parameters.map(({ node }) => node))];
  const [read, made] = [nodes.map(({ inputs: [x] }) => x!), nodes.map(({ outputs: [y] }) => y!)];
  const specs = infer(graph, operators, specsOf(inputs));
  const reverse = gradientGraph(graph, specs, made, read);
  const found = await once(graph, inputs, engine, signal);
  const directions = [...reverse.directions].map(([name, own]): [string, Value] => {
    return [own, directionOf(found.get(name)!, wanted.get(name)!, heads.get(name))];
  });
  const values = await once(reverse.graph, new Map([...inputs, ...directions]), engine, signal);
  for (const { node, isBias, shape, gradient } of parameters) {
    const own = values.get(reverse.gradients.get(node.outputs[0]!) ?? "");
    if (!own) continue;
    if (isBias) addBiasGradient(gradient, own);
    else addWeightGradient(gradient, node, shape.slice(2), values.get(node.inputs[0]!)!, own, gemm);
  }
}

/** Compiles a network, runs it once and disposes of it: at the next step its weights are others. */
async function once(graph: Graph, inputs: Values, engine: Engine, signal?: AbortSignal): Promise<Values> {
  const own = new Map(graph.inputs.map(({ name }) => [name, inputs.get(name)!]));
  const program = await GraphProgram.create(graph, gradientOperators, specsOf(own), engine);
  try {
    return valuesOf(await program.run(own, { signal }));
  } finally {
    program.dispose();
  }
}

/**
 * The gradient of a loss by an output. Of scores: the divergence of the probabilities, and a share of the square error; else the
 * square error alone. Without a head: of what scores are computed from, of which that share counts.
 */
function directionOf(found: Value, wanted: Value, head?: Head): Value {
  const direction = newValue(found.dtype, found.shape);
  const [a, b] = [numbersOf(found), numbersOf(wanted)];
  const areScores = head?.function === "divergence";
  const mean = b.reduce((sum, value) => sum + value, 0) / b.length;
  const energy = b.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const share =
    (2 * (head && !areScores ? 1 : squareWeight)) / (Math.max(energy, (head?.variance ?? 0) * b.length) || 1);
  const numbers = Float64Array.from(a, (value, i) => share * (value - b[i]!));
  if (areScores) {
    const [own, others] = [rowsOf(found, head.axis), rowsOf(wanted, head.axis)];
    for (const [row, scores] of rowsOf({ ...direction, data: numbers }, head.axis).entries()) {
      const [p, q] = [logProbabilities(own[row]!), logProbabilities(others[row]!)];
      const sum = scores.map((score, i) => score + (Math.exp(p[i]!) - Math.exp(q[i]!)) / own.length);
      writeRow(numbers, direction, head.axis, row, sum);
    }
  }
  write(direction, numbers);
  return direction;
}

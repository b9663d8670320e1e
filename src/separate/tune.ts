// Tunes the decomposed convolutions by distillation: Adam on all their weights, towards the original's outputs for
// augmented calibration inputs, without labels (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").
import { createEngine, type Engine } from "../engine/engine.ts";
import { infer } from "../graph/infer.ts";
import { GraphProgram } from "../graph/program.ts";
import type { Graph, GraphNode, Spec, Value } from "../graph/types.ts";
import { newValue, numbersOf, write } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Tensor } from "../tensor.ts";
import { AugmentedSamples } from "./augmentation.ts";
import { affordable, type SeparationContext, yieldToEventLoop } from "./context.ts";
import type { Rewritten } from "./fits.ts";
import { type GradientGraph, gradientGraph, gradientOperators } from "./gradients.ts";
import { type Head, logProbabilities, rowsOf, writeRow } from "./heads.ts";
import { Runner, specsOf, type Values, valuesOf, withOutputs } from "./network.ts";
import { seeded } from "./random.ts";
import { addBiasGradient, addWeightGradient } from "./weight-gradients.ts";

/** How often each input is used where the network is small; inputs for one step. */
const [epochs, perStep] = [12, 50];
/** Inputs of one run: half of a step's, since all that lies between layers is kept. */
const perRun = 25;
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
  const student = await Student.of(context, withOutputs(graph, distilled), parameters);
  try {
    for (let step = 0; step < steps; step++) {
      onProgress(step / steps);
      await yieldToEventLoop();
      for (const { gradient } of parameters) gradient.fill(0);
      for (const inputs of augmented.next(perStep, perRun)) {
        options.signal?.throwIfAborted();
        const wanted = await teacher.run(inputs, options.signal);
        await student.addGradients(inputs, wanted);
      }
      const cosine = 0.5 * (1 + Math.cos((Math.PI * step) / steps));
      for (const parameter of parameters) advance(parameter, step + 1, cosine);
    }
  } finally {
    student.dispose();
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

/** The network whose parameters come in with each run, so that it is compiled once for inputs of one shape. */
class Student {
  private readonly context: SeparationContext;
  /** Of each pass one: what their runs share in memory would have to be prepared again and again. */
  private readonly engines: readonly Engine[];
  private readonly graph: Graph;
  private readonly parameters: readonly Parameter[];
  private compiled: Compiled | undefined;
  private key = "";

  private constructor(
    context: SeparationContext,
    graph: Graph,
    parameters: readonly Parameter[],
    engines: readonly Engine[],
  ) {
    const constants = new Map(graph.constants);
    for (const { name } of parameters) constants.delete(name);
    const inputs = [...graph.inputs, ...parameters.map(({ name, shape }) => ({ name, dtype: "f32" as const, shape }))];
    this.context = context;
    this.engines = engines;
    this.graph = { ...graph, inputs, constants };
    this.parameters = parameters;
  }

  /** `graph` has the values that are distilled as its outputs. */
  static async of(context: SeparationContext, graph: Graph, parameters: readonly Parameter[]): Promise<Student> {
    const { backend, wide, threads } = context.engine.info();
    const engine = (): Promise<Engine> => createEngine({ backend, threads, wide: wide.enabled });
    return new Student(context, graph, parameters, [await engine(), await engine()]);
  }

  /** Adds a batch's gradients to those of the parameters. */
  async addGradients(inputs: Values, wanted: Values): Promise<void> {
    const { heads, gemm, options } = this.context;
    const given = new Map([...inputs, ...this.parameters.map(inputOf)]);
    const { forward, backward, directions, gradients } = await this.compiledFor(given);
    const found = await run(forward, given, options.signal);
    for (const [name, own] of directions) {
      found.set(own, directionOf(found.get(name)!, wanted.get(name)!, heads.get(name)));
    }
    const values = new Map([...given, ...found]);
    const changes = await run(backward, values, options.signal);
    for (const { node, isBias, shape, gradient } of this.parameters) {
      const own = changes.get(gradients.get(node.outputs[0]!) ?? "");
      if (!own) continue;
      if (isBias) addBiasGradient(gradient, own);
      else addWeightGradient(gradient, node, shape.slice(2), values.get(node.inputs[0]!)!, own, gemm);
    }
  }

  private async compiledFor(inputs: Values): Promise<Compiled> {
    const specs = specsOf(inputs);
    const key = JSON.stringify([...specs]);
    if (!this.compiled || key !== this.key) {
      this.release();
      this.compiled = await compile(this.graph, specs, this.parameters, this.engines);
      this.key = key;
    }
    return this.compiled;
  }

  dispose(): void {
    this.release();
    for (const engine of this.engines) engine.dispose();
  }

  private release(): void {
    this.compiled?.forward.program.dispose();
    this.compiled?.backward.program.dispose();
    this.compiled = undefined;
  }
}

const inputOf = ({ name, shape, values }: Parameter): [string, Value] => [
  name,
  { dtype: "f32", shape, data: Float32Array.from(values) },
];

/** A part of the work, and the values that it reads. */
interface Pass {
  program: GraphProgram;
  reads: readonly string[];
}

interface Compiled extends Pick<GradientGraph, "directions" | "gradients"> {
  forward: Pass;
  /** Reads directions, and what the first has computed. */
  backward: Pass;
}

const run = async ({ program, reads }: Pass, values: Values, signal?: AbortSignal): Promise<Map<string, Value>> =>
  valuesOf(await program.run(new Map(reads.map((name) => [name, values.get(name)!])), { signal }));

async function compile(
  graph: Graph,
  inputs: ReadonlyMap<string, Spec>,
  parameters: readonly Parameter[],
  [first, second]: readonly Engine[],
): Promise<Compiled> {
  const specs = infer(graph, operators, inputs);
  const nodes = [...new Set(parameters.map(({ node }) => node))];
  const [read, made] = [nodes.map(({ inputs: [x] }) => x!), nodes.map(({ outputs: [y] }) => y!)];
  const { graph: reverse, directions, gradients } = gradientGraph(graph, specs, made);
  const computed = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const back = reverse.nodes.filter(({ outputs }) => !outputs.some((name) => computed.has(name)));
  const between = new Set(back.flatMap(({ inputs }) => inputs).filter((name) => computed.has(name)));
  const outputs = [...graph.outputs.map(({ name }) => name), ...read.filter((name) => computed.has(name)), ...between];
  const spec = (name: string): Spec => ({ dtype: specs.get(name)!.dtype, shape: specs.get(name)!.shape });
  const known = new Map([
    ...inputs,
    ...[...between].map((name) => [name, spec(name)] as const),
    ...[...directions].map(([name, own]) => [own, spec(name)] as const),
  ]);
  const pass = async (part: Graph, engine: Engine): Promise<Pass> => {
    const reads = part.inputs.map(({ name }) => name);
    const own = new Map(reads.map((name) => [name, known.get(name)!]));
    return { program: await GraphProgram.create(part, gradientOperators, own, engine), reads };
  };
  const used = new Set([...back.flatMap(({ inputs }) => inputs), ...gradients.values()]);
  const given = [...known]
    .filter(([name]) => used.has(name))
    .map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const results = [...new Set(gradients.values())].map((name) => ({ name }));
  return {
    forward: await pass(withOutputs(graph, outputs), first!),
    backward: await pass({ ...reverse, inputs: given, nodes: back, outputs: results }, second!),
    ...{ directions, gradients },
  };
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

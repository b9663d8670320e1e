// The output metric of each convolution: what an error of its result costs at the network's outputs, as second moments of
// gradients in random directions. For class scores a direction is the gradient of the log-probability of a class drawn at
// temperature 3 (the Fisher information); else it is standard normal.
import type { Engine } from "../engine/engine.ts";
import { identity, type Matrix, matrix, meanDiagonal, withDiagonal } from "../factor/matrix.ts";
import { infer } from "../graph/infer.ts";
import { GraphProgram } from "../graph/program.ts";
import type { Graph, Spec, Value } from "../graph/types.ts";
import { newValue, write } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Gemm } from "./gemm.ts";
import { gradientGraph, gradientOperators } from "./gradients.ts";
import { type Head, type Heads, logProbabilities, rowsOf, writeRow } from "./heads.ts";
import { specsOf, type Values, valuesOf } from "./network.ts";
import type { Random } from "./random.ts";
import type { Target } from "./targets.ts";

const temperature = 3;
/** Ridge, as a share of the mean energy of a channel. */
const ridge = 0.1;
/** Directions for each picture. */
const draws = 4;

/** The metric of each target's outputs; the identity where the reverse pass does not reach. */
export async function metricsOf(
  graph: Graph,
  engine: Engine,
  targets: readonly Target[],
  batches: AsyncIterable<Values>,
  { heads, gemm, random, signal }: { heads: Heads; gemm: Gemm; random: Random; signal?: AbortSignal },
): Promise<Map<Target, Matrix>> {
  const totals = new Map<Target, Matrix>();
  let program: Compiled | undefined;
  let key = "";
  try {
    for await (const inputs of batches) {
      const specs = specsOf(inputs);
      if (!program || JSON.stringify([...specs]) !== key) {
        program?.dispose();
        program = await compiled(graph, engine, targets, specs);
        key = JSON.stringify([...specs]);
      }
      if (program.gradients.size === 0) break;
      const outputs = await program.forward(inputs, signal);
      for (let draw = 0; draw < draws; draw++) {
        signal?.throwIfAborted();
        const found = await program.backward(inputs, directionsOf(outputs, heads, random), signal);
        for (const [target, gradient] of found) {
          const total = totals.get(target) ?? matrix(target.outChannels, target.outChannels);
          totals.set(target, total);
          addOuter(total, gradient, gemm);
        }
      }
    }
  } finally {
    program?.dispose();
  }
  return new Map(targets.map((target) => [target, damped(totals.get(target), target.outChannels)]));
}

interface Compiled {
  gradients: ReadonlyMap<string, string>;
  forward(inputs: Values, signal?: AbortSignal): Promise<Values>;
  backward(inputs: Values, directions: Values, signal?: AbortSignal): Promise<Map<Target, Value>>;
  dispose(): void;
}

async function compiled(
  graph: Graph,
  engine: Engine,
  targets: readonly Target[],
  specs: ReadonlyMap<string, Spec>,
): Promise<Compiled> {
  const values = targets.map(({ y }) => y);
  const { graph: reverse, directions, gradients } = gradientGraph(graph, infer(graph, operators, specs), values);
  const outputs = infer(graph, operators, specs);
  const all = new Map([...specs, ...[...directions].map(([name, own]) => [own, plain(outputs.get(name)!)] as const)]);
  const forward = await GraphProgram.create(graph, operators, specs, engine);
  const backward = await GraphProgram.create(reverse, gradientOperators, all, engine);
  return {
    gradients,
    forward: async (inputs, signal) => valuesOf(await forward.run(inputs, { signal })),
    backward: async (inputs, given, signal) => {
      const named = [...directions].map(([name, own]) => [own, given.get(name)!] as const);
      const found = await backward.run(new Map([...inputs, ...named]), { signal });
      return new Map(
        targets.flatMap((target) => {
          const name = gradients.get(target.y);
          return name === undefined ? [] : [[target, found[name] as Value] as const];
        }),
      );
    },
    dispose: () => {
      forward.dispose();
      backward.dispose();
    },
  };
}

const plain = ({ dtype, shape }: Spec): Spec => ({ dtype, shape });

/** A random direction of each output; none of those of which no loss is known. */
function directionsOf(outputs: Values, heads: Heads, random: Random): Map<string, Value> {
  return new Map(
    [...outputs].map(([name, value]) => {
      const direction = newValue(value.dtype, value.shape);
      const head = heads.get(name);
      if (head) fillDirection(direction, value, head, heads.size, random);
      return [name, direction];
    }),
  );
}

/** Of several outputs each counts as its loss does: a divergence is about half a square in these directions. */
function fillDirection(direction: Value, value: Value, head: Head, outputs: number, random: Random): void {
  const numbers = new Float64Array(direction.data.length);
  if (head.function === "divergence") {
    const rows = rowsOf(value, head.axis);
    const size = outputs > 1 ? Math.sqrt(0.5 / rows.length) : 1;
    for (const [row, scores] of rows.entries()) {
      const logs = logProbabilities(scores, temperature);
      const drawn = drawFrom(logs, random.uniform());
      const own = logs.map((log, i) => (size * ((i === drawn ? 1 : 0) - Math.exp(log))) / temperature);
      writeRow(numbers, value, head.axis, row, own);
    }
  } else {
    const energy = head.variance * numbers.length;
    const size = outputs > 1 ? (energy > 0 ? 1 / Math.sqrt(energy) : 0) : 1;
    for (let i = 0; i < numbers.length; i++) numbers[i] = size * random.normal();
  }
  write(direction, numbers);
}

function drawFrom(logs: Float64Array, at: number): number {
  let sum = 0;
  const found = logs.findIndex((log) => {
    sum += Math.exp(log);
    return at < sum;
  });
  return found < 0 ? logs.length - 1 : found;
}

/** Adds Σ g gᵀ over all places of a gradient [n, channels, h, w]. */
function addOuter(total: Matrix, { shape, data }: Value, gemm: Gemm): void {
  const [images = 1, channels = 1, ...sides] = shape;
  const places = sides.reduce((a, b) => a * b, 1);
  for (let n = 0; n < images; n++) {
    const own = (data as Float32Array).subarray(n * channels * places, (n + 1) * channels * places);
    gemm.addGramOfRows(total, { rows: channels, cols: places, data: Float64Array.from(own) });
  }
}

/** The whole of a lower triangle, scaled to a mean diagonal of 1. */
function damped(total: Matrix | undefined, channels: number): Matrix {
  const mean = total ? meanDiagonal(total) : 0;
  if (!total || !(mean > 0)) return identity(channels);
  const whole = matrix(channels, channels, (a, b) => total.data[Math.max(a, b) * channels + Math.min(a, b)]! / mean);
  return withDiagonal(whole, () => ridge);
}

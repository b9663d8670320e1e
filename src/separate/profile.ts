// Measures the profile of a machine: the rates by which `graph/time.ts` predicts a network's time. So a model can be
// separated here for another machine, such as a phone.
import { createEngine, type Engine } from "../engine/engine.ts";
import type { Signal } from "../engine/platform.ts";
import { checkNumber, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { solvePositive } from "../factor/cholesky.ts";
import { type Matrix, matrix, multiplyPlainly } from "../factor/matrix.ts";
import { GraphProgram } from "../graph/program.ts";
import { builtInRates, type MachineProfile, plannedTime } from "../graph/time.ts";
import type { Graph, GraphNode, Spec } from "../graph/types.ts";
import { newValue, sizeOf } from "../graph/values.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Tensor } from "../tensor.ts";
import { seeded } from "./random.ts";

const rates = ["matrix", "depthwise", "addition", "byte", "call"] as const;

/** Throws {@link InvalidArgumentError} for what is no profile. */
export function checkProfile(given: MachineProfile): MachineProfile {
  const { name, ...known } = checkOptions<MachineProfile>("profile", given, ["name", ...rates]);
  if (typeof name !== "string") {
    throw new InvalidArgumentError({ parameter: "profile.name", expected: "a string", received: describe(name) });
  }
  const checked = rates.map((rate) => [rate, checkNumber(`profile.${rate}`, known[rate], { min: 0 })] as const);
  return { name, ...(Object.fromEntries(checked) as Record<(typeof rates)[number], number>) };
}

/** How a machine is measured. */
export interface MeasureProfileOptions {
  /** What to call the machine. */
  name?: string;
  /** Stops the work; the call then rejects with the signal's reason. */
  signal?: Signal;
  /** Called with the share that is done, 0 to 1. */
  onProgress?: (done: number) => void;
}

/** Times small networks of all kinds of layers on one thread, like this engine's, and fits the rates to that: seconds. */
export async function measure(like: Engine, options: MeasureProfileOptions): Promise<MachineProfile> {
  const { name = "measured", signal, onProgress = () => {} } = options;
  const { backend, wide } = like.info();
  const engine = await createEngine({ backend, threads: 1, wide: wide.enabled });
  try {
    const rows: number[][] = [];
    for (const [i, network] of networks.entries()) {
      onProgress(i / networks.length);
      const time = await backendTime(network, engine, { fewest: 20, milliseconds: 150, signal });
      const unit = { name: "", matrix: 0, depthwise: 0, addition: 0, byte: 0, call: 0 };
      rows.push(
        rates.map((rate) => {
          const planned = plannedTime(network.graph, operators, network.inputs, engine, { ...unit, [rate]: 1 });
          return (planned * builtInRates[rate]) / time;
        }),
      );
    }
    const factors = fitFactors(rows);
    const fitted = rates.map((rate, r) => [rate, Number((builtInRates[rate] * factors[r]!).toPrecision(4))] as const);
    return { name, ...(Object.fromEntries(fitted) as Record<(typeof rates)[number], number>) };
  } finally {
    engine.dispose();
  }
}

/** How much it counts that all rates differ from the built-in ones by the same factor: a network's time has few causes. */
const agreement = 0.1;

/** Factors f of the built-in rates with rows · f near 1: relative errors count. */
function fitFactors(rows: readonly number[][]): Float64Array {
  const count = rates.length;
  const sums = rows.map((row) => row.reduce((sum, share) => sum + share, 0));
  const common = sums.reduce((sum, one) => sum + one, 0) / sums.reduce((sum, one) => sum + one * one, 0);
  const known = matrix(rows.length, count, (r, c) => rows[r]![c]!);
  const transposed = matrix(count, rows.length, (r, c) => rows[c]![r]!);
  const square = multiplyPlainly(transposed, known);
  for (let i = 0; i < count; i++) square.data[i * count + i]! += agreement;
  const wanted: Matrix = multiplyPlainly(
    transposed,
    matrix(rows.length, 1, () => 1),
  );
  for (let i = 0; i < count; i++) wanted.data[i]! += agreement * common;
  return solvePositive(square, wanted, multiplyPlainly).data.map((factor) => Math.max(0.05 * common, factor));
}

interface Network {
  graph: Graph;
  inputs: Map<string, Spec>;
}

/** Each layer: inputs, outputs, side of its window, stride; no outputs: depthwise. */
type LayerShape = readonly [inputs: number, outputs: number | undefined, size: number, stride?: number];

const networks: readonly Network[] = (
  [
    [32, [64, 64, 1], [64, 64, 1], [64, 64, 1]],
    [8, [256, 256, 1], [256, 256, 1]],
    [56, [24, 24, 1], [24, 24, 1]],
    [32, [16, 16, 3], [16, 16, 3], [16, 16, 3]],
    [32, [64, 64, 3], [64, 64, 3]],
    [8, [64, 64, 3], [64, 64, 3], [64, 64, 3]],
    [32, [32, 64, 3, 2], [64, 64, 3, 2]],
    [28, [32, 32, 5], [32, 32, 5]],
    [56, [48, undefined, 3], [48, undefined, 3]],
    [28, [96, undefined, 5], [96, undefined, 5]],
    [32, [64, 40, 1], [40, undefined, 3], [40, 64, 1]],
    [16, [64, 96, 1], [96, undefined, 3], [96, 64, 1], [64, 96, 1], [96, undefined, 3], [96, 64, 1]],
    [56, [32, undefined, 3], [32, 64, 1]],
    [14, [128, undefined, 3], [128, 128, 1], [128, undefined, 3], [128, 128, 1]],
  ] as [side: number, ...layers: LayerShape[]][]
).map(([side, ...layers]) => networkOf(side, layers));

function networkOf(side: number, layers: readonly LayerShape[]): Network {
  const random = seeded(side);
  const constants = new Map<string, Tensor>();
  const nodes = layers.map(([inputs, outputs, size, stride = 1], i): GraphNode => {
    const shape = outputs === undefined ? [inputs, 1, size, size] : [outputs, inputs, size, size];
    constants.set(`w${i}`, { shape, data: Float32Array.from({ length: sizeOf(shape) }, random.normal) });
    const pad = (size - 1) / 2;
    return {
      ...{ name: `layer ${i}`, op: "Conv", opset: 13, inputs: [`x${i}`, `w${i}`], outputs: [`x${i + 1}`] },
      attributes: {
        ...{ kernel_shape: [size, size], strides: [stride, stride], pads: [pad, pad, pad, pad] },
        group: outputs === undefined ? inputs : 1,
      },
    };
  });
  const shape = [1, layers[0]![0], side, side];
  const graph: Graph = { inputs: [{ name: "x0", shape }], outputs: [{ name: `x${layers.length}` }], nodes, constants };
  return { graph, inputs: new Map([["x0", { dtype: "f32", shape }]]) };
}

interface Measuring {
  /** Runs, at least, and for how long. */
  fewest: number;
  milliseconds: number;
  /** Which of all runs counts, the fastest being 0: the median unless given. */
  quantile?: number;
  signal?: AbortSignal;
}

/** Nanoseconds that a run takes, without the copies that a caller's values need. */
export async function backendTime(
  { graph, inputs }: { graph: Graph; inputs: ReadonlyMap<string, Spec> },
  engine: Engine,
  { fewest, milliseconds, quantile = 0.5, signal }: Measuring,
): Promise<number> {
  const program = await GraphProgram.create(graph, operators, inputs, engine);
  const tasks = program.tasks.flat();
  const values = new Map([...inputs].map(([name, { dtype, shape }]) => [name, newValue(dtype, shape)]));
  const times: number[] = [];
  try {
    const end = performance.now() + milliseconds;
    while (times.length < fewest || performance.now() < end) {
      let time = 0;
      const onTask = (spent: number, index: number): void => {
        if (tasks[index]?.place !== "copy") time += spent;
      };
      await program.run(values, { signal, onTask });
      times.push(time);
    }
  } finally {
    program.dispose();
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length * quantile)]! * 1e6;
}

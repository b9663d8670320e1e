// What the outputs of a network are: scores or probabilities of classes, of which the divergence counts, or other numbers, of
// which the square error does. That is told by what the network ends in; where it ends in a layer that may be either, by
// what it gives for the calibration inputs.

import type { Engine } from "../engine/engine.ts";
import { InvalidArgumentError } from "../errors.ts";
import { numberOf } from "../graph/nodes.ts";
import type { Graph, GraphNode, Spec, Value } from "../graph/types.ts";
import { numbersOf, sizeOf } from "../graph/values.ts";
import { forEachRun, type Values } from "./network.ts";

export type LossFunction = "divergence" | "relative square error";
/** What the caller wants of it. */
export type LossChoice = "auto" | "kl" | "mse";
export const lossChoices: readonly LossChoice[] = ["auto", "kl", "mse"];

/** How an output's errors are measured. */
export interface Head {
  function: LossFunction;
  /** Of a divergence: the axis of the classes. */
  axis: number;
  /** The variance of its elements over the calibration inputs, and at least what its range makes of a small one. */
  variance: number;
}

/** The heads of outputs by their names; outputs that are no floats have none. */
export type Heads = ReadonlyMap<string, Head>;

/** Operators that change nothing but shape and order. */
const passing = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "Dropout"]);
/** Operators whose results may be scores. */
const scoring = new Set(["Gemm", "MatMul", "Conv", "Add", "GlobalAveragePool", "AveragePool", "ReduceMean"]);
/** Operators with results between 0 and 1, or -1 and 1: of such a standard deviation of a hundredth is small. */
const bounded = new Set(["Sigmoid", "HardSigmoid", "Softmax", "Tanh"]);
const leastOfBounded = 1e-4;
/** The least standard deviation, as a share of the root mean square. */
const leastShare = 1e-3;

/**
 * The heads of a network, for results that it has given.
 *
 * @throws InvalidArgumentError where "kl" is wanted of a network none of whose outputs has more than one class.
 */
export function headsOf(
  graph: Graph,
  specs: ReadonlyMap<string, Spec>,
  runs: readonly Values[],
  choice: LossChoice,
): Heads {
  const floats = graph.outputs.filter(({ name }) => ["f32", "f64"].includes(specs.get(name)!.dtype));
  const heads = new Map(floats.map(({ name }) => [name, headOf(graph, name, specs, runs, choice)]));
  if (choice === "kl" && ![...heads.values()].some((head) => head.function === "divergence")) {
    const [expected, received] = ["an output with more than one class", "a network without one"];
    throw new InvalidArgumentError({ parameter: "loss", expected: `auto, mse, or ${expected}`, received });
  }
  return heads;
}

/** Bytes of results that are kept to tell heads by. */
const mostKept = 2 ** 26;

/** {@link headsOf} for what a network gives for some inputs. */
export async function measureHeads(
  graph: Graph,
  specs: ReadonlyMap<string, Spec>,
  batches: AsyncIterable<Values>,
  { engine, loss, signal }: { engine: Engine; loss: LossChoice; signal?: AbortSignal },
): Promise<Heads> {
  const runs: Values[] = [];
  let bytes = 0;
  const keep = (outputs: Values): void => {
    for (const { data } of outputs.values()) bytes += data.byteLength;
    if (bytes <= mostKept || runs.length === 0) runs.push(outputs);
  };
  await forEachRun(graph, engine, batches, keep, signal);
  return headsOf(graph, specs, runs, loss);
}

function headOf(
  graph: Graph,
  name: string,
  specs: ReadonlyMap<string, Spec>,
  runs: readonly Values[],
  choice: LossChoice,
): Head {
  const { shape } = specs.get(name)!;
  const { node, moved } = endOf(graph, name);
  const values = runs.flatMap((outputs) => outputs.get(name) ?? []);
  const variance = Math.max(varianceOf(values), node && bounded.has(node.op) ? leastOfBounded : 0);
  const axis = classAxis(node, shape, moved);
  const isDivergence =
    choice === "kl" ? (shape[axis] ?? 1) > 1 : choice === "auto" && isOfClasses(node, shape, axis, values);
  return { function: isDivergence ? "divergence" : "relative square error", axis, variance };
}

/** The node that makes an output's numbers; whether their axes are moved after it. */
function endOf({ nodes }: Graph, output: string): { node?: GraphNode; moved: boolean } {
  let [name, moved] = [output, false];
  for (;;) {
    const node = nodes.find(({ outputs }) => outputs.includes(name));
    if (!node || !passing.has(node.op)) return { node, moved };
    moved ||= !["Identity", "Cast", "Dropout"].includes(node.op);
    name = node.inputs[0]!;
  }
}

function classAxis(node: GraphNode | undefined, shape: readonly number[], moved: boolean): number {
  const usual = shape.length === 3 ? 2 : Math.min(1, shape.length - 1);
  if (!node || moved || !["Softmax", "LogSoftmax"].includes(node.op)) return usual;
  const axis = numberOf(node, "axis", node.opset < 13 ? 1 : -1);
  return (axis + shape.length) % shape.length;
}

/** Whether an output says one distribution an input: [n, classes], with more axes only where these have one element. */
function isOfClasses(
  node: GraphNode | undefined,
  shape: readonly number[],
  axis: number,
  values: readonly Value[],
): boolean {
  const classes = shape[axis] ?? 1;
  if (shape.length < 2 || axis === 0 || classes < 2 || sizeOf(shape) !== shape[0]! * classes) return false;
  if (node && ["Softmax", "LogSoftmax"].includes(node.op)) return true;
  const rows = values.flatMap((value) => rowsOf(value, axis));
  if (rows.length > 0 && rows.every(areProbabilities)) return true;
  return node !== undefined && scoring.has(node.op) && looksLikeScores(rows);
}

/** Scores of classes vary from input to input, against each other, and some stand out; coordinates keep an order or move together. */
const limits = { fewest: 4, entropy: 0.9, place: 0.7, common: 0.4 };

function looksLikeScores(rows: readonly Float64Array[]): boolean {
  if (rows.length < limits.fewest) return false;
  const classes = rows[0]!.length;
  const entropy = meanOf(rows.map(entropyOf)) / Math.log(classes);
  const columns = Array.from({ length: classes }, (_, c) => rows.map((row) => row[c]!));
  const within = columns.reduce((sum, column) => sum + varianceIn(column), 0) / classes;
  const between = varianceIn(columns.map(meanOf));
  const common = varianceIn(rows.map(meanOf));
  const total = within + between;
  return (
    total > 0 &&
    entropy < limits.entropy &&
    between < limits.place * total &&
    classes * common < limits.common * classes * within
  );
}

const meanOf = (list: ArrayLike<number>): number => Array.from(list).reduce((sum, one) => sum + one, 0) / list.length;

function varianceIn(list: ArrayLike<number>): number {
  const mean = meanOf(list);
  return Array.from(list).reduce((sum, one) => sum + (one - mean) ** 2, 0) / list.length;
}

function entropyOf(scores: Float64Array): number {
  return logProbabilities(scores).reduce((sum, log) => sum - Math.exp(log) * log, 0);
}

function varianceOf(values: readonly Value[]): number {
  let [count, sum, squares] = [0, 0, 0];
  for (const value of values) {
    const numbers = numbersOf(value);
    count += numbers.length;
    for (let i = 0; i < numbers.length; i++) {
      sum += numbers[i]!;
      squares += numbers[i]! ** 2;
    }
  }
  if (count === 0) return 0;
  return Math.max(squares / count - (sum / count) ** 2, (leastShare ** 2 * squares) / count);
}

/** The scores of each input and place along the axis of the classes. */
export function rowsOf(value: Value, axis: number): Float64Array[] {
  const classes = value.shape[axis]!;
  const inner = sizeOf(value.shape.slice(axis + 1));
  const numbers = numbersOf(value);
  return Array.from({ length: numbers.length / classes }, (_, row) => {
    const at = Math.floor(row / inner) * classes * inner + (row % inner);
    return Float64Array.from({ length: classes }, (_, c) => numbers[at + c * inner]!);
  });
}

/** Writes what {@link rowsOf} has read. */
export function writeRow(to: Float64Array, { shape }: Value, axis: number, row: number, scores: Float64Array): void {
  const classes = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const at = Math.floor(row / inner) * classes * inner + (row % inner);
  for (let c = 0; c < classes; c++) to[at + c * inner] = scores[c]!;
}

function areProbabilities(scores: ArrayLike<number>): boolean {
  let [sum, least] = [0, Infinity];
  for (let i = 0; i < scores.length; i++) {
    sum += scores[i]!;
    least = Math.min(least, scores[i]!);
  }
  return least >= 0 && Math.abs(sum - 1) < 1e-3;
}

/** Logarithms of the probabilities that scores stand for; rows that are probabilities stand for themselves. */
export function logProbabilities(scores: ArrayLike<number>, temperature = 1): Float64Array {
  let most = -Infinity;
  for (let i = 0; i < scores.length; i++) most = Math.max(most, scores[i]!);
  const known = areProbabilities(scores);
  const logs = Float64Array.from(scores, (score) => (known ? Math.log(Math.max(score, 1e-12)) : score - most));
  const scaled = logs.map((log) => log / temperature);
  const total = Math.log(scaled.reduce((all, log) => all + Math.exp(log), 0));
  return scaled.map((log) => log - total);
}

// The loss of a rewritten network's outputs. Of class scores it is the Kullback-Leibler divergence of the probabilities,
// in nats an input; else the mean square error over the variance of the original's values.
import type { Value } from "../graph/types.ts";
import { numbersOf } from "../graph/values.ts";
import type { Values } from "./network.ts";

export type LossFunction = "divergence" | "relative square error";

/** How to lossFunction an output: [n, classes] are scores, or probabilities where all rows are. */
export function lossFunctionOf({ shape }: Pick<Value, "shape">): LossFunction {
  return shape.length === 2 && shape[1]! > 1 ? "divergence" : "relative square error";
}

/** Loss over runs: mean divergences and relative square errors, each of all outputs of its kind. */
export class Loss {
  private readonly totals = new Map<string, Totals>();

  add(original: Values, rewritten: Values): void {
    for (const [name, value] of original) {
      if (value.dtype !== "f32" && value.dtype !== "f64") continue;
      const totals = this.totals.get(name) ?? newTotals(lossFunctionOf(value));
      this.totals.set(name, totals);
      const [a, b] = [numbersOf(value), numbersOf(rewritten.get(name)!)];
      if (totals.lossFunction === "divergence") addDivergence(totals, a, b, value.shape[1]!);
      else addErrors(totals, a, b);
    }
  }

  /** The mean over the outputs. */
  get value(): number {
    const all = [...this.totals.values()].map(lossOf);
    return all.reduce((sum, one) => sum + one, 0) / Math.max(1, all.length);
  }

  get lossFunction(): LossFunction {
    return [...this.totals.values()].every(({ lossFunction }) => lossFunction === "divergence")
      ? "divergence"
      : "relative square error";
  }
}

interface Totals {
  lossFunction: LossFunction;
  count: number;
  lost: number;
  sum: number;
  squares: number;
}

const newTotals = (lossFunction: LossFunction): Totals => ({ lossFunction, count: 0, lost: 0, sum: 0, squares: 0 });

function lossOf({ lossFunction, count, lost, sum, squares }: Totals): number {
  if (lossFunction === "divergence") return lost / Math.max(1, count);
  const energy = squares - (sum * sum) / Math.max(1, count);
  return energy > 0 ? lost / energy : lost > 0 ? Infinity : 0;
}

function addErrors(totals: Totals, a: ArrayLike<number>, b: ArrayLike<number>): void {
  for (let i = 0; i < a.length; i++) {
    totals.lost += (b[i]! - a[i]!) ** 2;
    totals.sum += a[i]!;
    totals.squares += a[i]! ** 2;
  }
  totals.count += a.length;
}

function addDivergence(totals: Totals, a: Float64Array, b: Float64Array, classes: number): void {
  for (let at = 0; at < a.length; at += classes) {
    const [p, q] = [a, b].map((scores) => logProbabilities(scores.subarray(at, at + classes)));
    for (let i = 0; i < classes; i++) totals.lost += Math.exp(p![i]!) * (p![i]! - q![i]!);
    totals.count++;
  }
}

/** Logarithms of the probabilities that scores stand for; rows that are probabilities stand for themselves. */
export function logProbabilities(scores: ArrayLike<number>, temperature = 1): Float64Array {
  let [sum, most, least] = [0, -Infinity, Infinity];
  for (let i = 0; i < scores.length; i++) {
    sum += scores[i]!;
    most = Math.max(most, scores[i]!);
    least = Math.min(least, scores[i]!);
  }
  const areProbabilities = least >= 0 && Math.abs(sum - 1) < 1e-3;
  const logs = Float64Array.from(scores, (score) =>
    areProbabilities ? Math.log(Math.max(score, 1e-12)) : score - most,
  );
  const scaled = logs.map((log) => log / temperature);
  const total = Math.log(scaled.reduce((all, log) => all + Math.exp(log), 0));
  return scaled.map((log) => log - total);
}

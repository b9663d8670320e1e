// What a rewritten network's outputs lose. Scores of classes: the Kullback-Leibler divergence of the probabilities, in nats a
// picture. Anything else: the mean square error over the variance of the original's values.
import type { Value } from "../graph/types.ts";
import { numbersOf } from "../graph/values.ts";
import type { Values } from "./network.ts";

export type Measure = "divergence" | "relative square error";

/** How to measure an output: [n, classes] are scores, or probabilities where all rows are. */
export function measureOf({ shape }: Pick<Value, "shape">): Measure {
  return shape.length === 2 && shape[1]! > 1 ? "divergence" : "relative square error";
}

/** Damage over runs: mean divergences and relative square errors, each of all outputs of its kind. */
export class Damage {
  private readonly totals = new Map<string, Totals>();

  add(original: Values, rewritten: Values): void {
    for (const [name, value] of original) {
      if (value.dtype !== "f32" && value.dtype !== "f64") continue;
      const totals = this.totals.get(name) ?? newTotals(measureOf(value));
      this.totals.set(name, totals);
      const [a, b] = [numbersOf(value), numbersOf(rewritten.get(name)!)];
      if (totals.measure === "divergence") addDivergence(totals, a, b, value.shape[1]!);
      else addErrors(totals, a, b);
    }
  }

  /** The mean over the outputs. */
  get value(): number {
    const all = [...this.totals.values()].map(damageOf);
    return all.reduce((sum, one) => sum + one, 0) / Math.max(1, all.length);
  }

  get measure(): Measure {
    return [...this.totals.values()].every(({ measure }) => measure === "divergence")
      ? "divergence"
      : "relative square error";
  }
}

interface Totals {
  measure: Measure;
  count: number;
  lost: number;
  sum: number;
  squares: number;
}

const newTotals = (measure: Measure): Totals => ({ measure, count: 0, lost: 0, sum: 0, squares: 0 });

function damageOf({ measure, count, lost, sum, squares }: Totals): number {
  if (measure === "divergence") return lost / Math.max(1, count);
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

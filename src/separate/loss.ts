// The loss of a rewritten network's outputs. Of classes it is the Kullback-Leibler divergence of the probabilities, in nats
// a distribution; else the mean square error over the variance of the original's values.
import { numbersOf } from "../graph/values.ts";
import { type Head, type Heads, type LossFunction, logProbabilities, rowsOf } from "./heads.ts";
import type { Values } from "./network.ts";

/** Loss over runs: mean divergences and relative square errors, of each output by its head. */
export class Loss {
  private readonly heads: Heads;
  private readonly totals = new Map<string, Totals>();

  constructor(heads: Heads) {
    this.heads = heads;
  }

  add(original: Values, rewritten: Values): void {
    for (const [name, head] of this.heads) {
      const [value, other] = [original.get(name), rewritten.get(name)];
      if (!value || !other) continue;
      const totals = this.totals.get(name) ?? { head, count: 0, lost: 0, sum: 0, squares: 0 };
      this.totals.set(name, totals);
      if (head.function === "divergence") addDivergence(totals, rowsOf(value, head.axis), rowsOf(other, head.axis));
      else addErrors(totals, numbersOf(value), numbersOf(other));
    }
  }

  /** The mean over the outputs. */
  get value(): number {
    const all = this.outputs.map(({ loss }) => loss);
    return all.reduce((sum, one) => sum + one, 0) / Math.max(1, all.length);
  }

  /** Of each output. */
  get outputs(): { name: string; lossFunction: LossFunction; loss: number }[] {
    return [...this.totals].map(([name, totals]) => ({
      ...{ name, lossFunction: totals.head.function, loss: lossOf(totals) },
    }));
  }

  get lossFunction(): LossFunction {
    return [...this.totals.values()].every(({ head }) => head.function === "divergence")
      ? "divergence"
      : "relative square error";
  }
}

interface Totals {
  head: Head;
  count: number;
  lost: number;
  sum: number;
  squares: number;
}

function lossOf({ head, count, lost, sum, squares }: Totals): number {
  if (head.function === "divergence") return lost / Math.max(1, count);
  const own = squares - (sum * sum) / Math.max(1, count);
  // Of a few inputs an output may vary too little to be a measure.
  const energy = Math.max(own, leastOf(head) * count);
  return energy > 0 ? lost / energy : lost > 0 ? Infinity : 0;
}

/** The variance that an output is measured by where it varies less than among all calibration inputs. */
const leastOf = ({ variance }: Head): number => 0.1 * variance;

function addErrors(totals: Totals, a: ArrayLike<number>, b: ArrayLike<number>): void {
  for (let i = 0; i < a.length; i++) {
    totals.lost += (b[i]! - a[i]!) ** 2;
    totals.sum += a[i]!;
    totals.squares += a[i]! ** 2;
  }
  totals.count += a.length;
}

function addDivergence(totals: Totals, a: readonly Float64Array[], b: readonly Float64Array[]): void {
  for (const [row, scores] of a.entries()) {
    const [p, q] = [logProbabilities(scores), logProbabilities(b[row]!)];
    for (let i = 0; i < p.length; i++) totals.lost += Math.exp(p[i]!) * (p[i]! - q[i]!);
    totals.count++;
  }
}

// Minimising a smooth function of many numbers: limited-memory BFGS with a line search for the strong Wolfe conditions
// (Nocedal and Wright, "Numerical Optimization", 2006, algorithms 7.4, 7.5, 3.5 and 3.6).
import { addScaled, dot } from "./svd.ts";

export interface Evaluation {
  value: number;
  gradient: Float64Array;
}

export interface MinimizeOptions {
  /** Steps at most. */
  iterations: number;
  /** Pairs of changes that are remembered. */
  history?: number;
  /** Ends when ten steps together improve the value by less than this share of it. */
  leastGain?: number;
}

interface Point extends Evaluation {
  x: Float64Array;
}

/** The best point found from `start` on. Nothing is random. */
export function minimize(
  evaluate: (x: Float64Array) => Evaluation,
  start: Float64Array,
  { iterations, history = 20, leastGain = 1e-4 }: MinimizeOptions,
): Point {
  let point: Point = { x: start, ...evaluate(start) };
  let pairs: Pair[] = [];
  let reference = point.value;
  for (let n = 1; n <= iterations; n++) {
    let direction = descent(point.gradient, pairs);
    if (dot(direction, point.gradient, 0) >= 0) {
      pairs = [];
      direction = descent(point.gradient, pairs);
    }
    const size = Math.sqrt(dot(point.gradient, point.gradient, 0));
    if (size === 0) break;
    const next = search(evaluate, point, direction, pairs.length > 0 ? 1 : Math.min(1, 1 / size));
    if (!next) {
      if (pairs.length === 0) break;
      pairs = [];
      continue;
    }
    const pair = pairOf(point, next);
    if (pair) pairs = [...pairs.slice(pairs.length < history ? 0 : 1), pair];
    point = next;
    if (n % 10 > 0) continue;
    if (point.value > (1 - leastGain) * reference) break;
    reference = point.value;
  }
  return point;
}

/** Changes of the point and of the gradient in a step, and one over their product. */
interface Pair {
  step: Float64Array;
  change: Float64Array;
  factor: number;
}

function pairOf(from: Point, to: Point): Pair | undefined {
  const step = sum(to.x, from.x, -1);
  const change = sum(to.gradient, from.gradient, -1);
  const product = dot(step, change, 0);
  return product > 1e-12 * dot(change, change, 0) ? { step, change, factor: 1 / product } : undefined;
}

/** Minus the gradient, times the inverse of the curvature as far as the pairs tell it. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((g) => -g);
  const weights = pairs.map(() => 0);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, factor } = pairs[i]!;
    weights[i] = factor * dot(step, direction, 0);
    addScaled(direction, change, -weights[i]!, 0);
  }
  const last = pairs.at(-1);
  const scale = last ? 1 / (last.factor * dot(last.change, last.change, 0)) : 1;
  for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  for (const [i, { step, change, factor }] of pairs.entries()) {
    addScaled(direction, step, weights[i]! - factor * dot(change, direction, 0), 0);
  }
  return direction;
}

function sum(a: Float64Array, b: Float64Array, factor: number): Float64Array {
  const out = a.slice();
  addScaled(out, b, factor, 0);
  return out;
}

/** A point along the direction, its value and slope. */
interface Trial extends Point {
  at: number;
  slope: number;
}

const [sufficient, curvature, mostTrials] = [1e-4, 0.9, 20];

/** A point that is better by enough and flatter by enough; where none is found, the best; undefined if nothing is better. */
function search(
  evaluate: (x: Float64Array) => Evaluation,
  from: Point,
  direction: Float64Array,
  first: number,
): Trial | undefined {
  const along = ({ gradient }: Evaluation): number => dot(gradient, direction, 0);
  const start: Trial = { ...from, at: 0, slope: along(from) };
  const trial = (at: number): Trial => {
    const x = sum(from.x, direction, at);
    const found = evaluate(x);
    return { x, at, ...found, slope: along(found) };
  };
  const isLow = ({ at, value }: Trial): boolean => value <= start.value + sufficient * at * start.slope;
  const isFlat = ({ slope }: Trial): boolean => Math.abs(slope) <= -curvature * start.slope;
  let [low, high] = [start, undefined as Trial | undefined];
  let at = first;
  for (let n = 0; n < mostTrials; n++) {
    const next = trial(at);
    if (!Number.isFinite(next.value) || !isLow(next) || (low.at > 0 && next.value >= low.value)) {
      high = next;
    } else {
      if (isFlat(next)) return next;
      if (next.slope * ((high?.at ?? Infinity) - low.at) >= 0) high = low;
      low = next;
    }
    if (!high) at *= 4;
    else {
      const width = Math.abs(high.at - low.at);
      if (width <= 1e-10 * Math.max(low.at, high.at)) break;
      const [least, most] = [Math.min(low.at, high.at) + 0.1 * width, Math.max(low.at, high.at) - 0.1 * width];
      at = Math.min(most, Math.max(least, between(low, high)));
    }
  }
  return low.at > 0 ? low : undefined;
}

/** Where the cubic through two points with their slopes is least; their middle where it is nowhere. */
function between(a: Trial, b: Trial): number {
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.at - b.at);
  const root = d1 * d1 - a.slope * b.slope;
  const d2 = Math.sign(b.at - a.at) * Math.sqrt(Math.max(0, root));
  const at = b.at - ((b.at - a.at) * (b.slope + d2 - d1)) / (b.slope - a.slope + 2 * d2);
  return root >= 0 && Number.isFinite(at) ? at : (a.at + b.at) / 2;
}

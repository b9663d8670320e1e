// Which pixels along an axis a coordinate from −1 to 1 reads, by which weights: in f64, of any coordinate.
import type { Sampling } from "../../plan/types.ts";
import { roundEven } from "../expression/formulas.ts";

/** Pixels along an axis that one place reads. */
export const tapsOf = { nearest: 1, linear: 2, cubic: 4 } as const;

/** The constant of the cubic convolution of Keys. */
export const keys = -0.75;

/** How many pixels outside a place is clamped to before its border: a cubic's weights see how far it is, until all its pixels are one. */
export const reachOf = { nearest: 0, linear: 0, cubic: 2 } as const;

/** Mirrored at both ends, as often as it takes. */
function reflected(at: number, least: number, most: number): number {
  const range = most - least;
  if (range <= 0) return least;
  const from = at < least ? least - at : at > most ? at - most : -1;
  if (from < 0) return at;
  const times = Math.floor(from / range);
  const rest = from - times * range;
  return (times % 2 === 0) === at < least ? least + rest : most - rest;
}

/** A pixel along an axis, or -1 outside; of any real place, those without end included. */
function pixelAt(at: number, side: number, { padding, corners }: Sampling): number {
  if (!Number.isFinite(at)) return padding === "zeros" ? -1 : at > 0 ? side - 1 : 0;
  if (at >= 0 && at < side) return at;
  if (padding === "zeros") return -1;
  if (padding === "border") return at < 0 ? 0 : side - 1;
  const edge = corners ? 0 : 0.5;
  return Math.min(side - 1, Math.max(0, Math.trunc(reflected(at, -edge, side - 1 + edge))));
}

/** Weights of four neighbours by the cubic convolution, of which the second lies t before. */
function cubicWeights(t: number): [number, number, number, number] {
  const near = (d: number): number => ((keys + 2) * d - (keys + 3)) * d * d + 1;
  const far = (d: number): number => ((keys * d - 5 * keys) * d + 8 * keys) * d - 4 * keys;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
}

/** Pixels along an axis of `side` pixels (-1: outside, where all are 0) and their weights. */
export function tapsAt(coordinate: number, side: number, of: Sampling): [pixel: number, weight: number][] {
  const turned = (coordinate + 1) / 2;
  let x = of.corners ? turned * (side - 1) : turned * side - 0.5;
  if (of.mode === "nearest") x = roundEven(x);
  const edge = of.corners ? 0 : 0.5;
  const reach = reachOf[of.mode];
  if (of.padding === "border") x = Math.min(side - 1 + reach, Math.max(-reach, x));
  else if (of.padding === "reflection" && Number.isFinite(x)) x = reflected(x, -edge, side - 1 + edge);
  if (of.mode === "nearest") return [[pixelAt(roundEven(x), side, of), 1]];
  const low = Math.floor(x);
  const t = x - low;
  if (of.mode === "linear") {
    return [
      [pixelAt(low, side, of), 1 - t],
      [pixelAt(low + 1, side, of), t],
    ];
  }
  return cubicWeights(t).map((weight, i) => [pixelAt(low - 1 + i, side, of), weight]);
}

// The arithmetic of one pixel: the k² products of the filter as it stands, and the k + k of one term in passes.
import type { Weights } from "../state/choice.ts";
import type { BorderName } from "../state/hash.ts";
import type { Parts } from "../state/state.ts";
import { placeFor } from "./border.ts";

export interface Place {
  x: number;
  y: number;
  /** 0 to 2. */
  channel: number;
  border: BorderName;
  flip: boolean;
}

type Raster = Pick<ImageData, "width" | "height" | "data">;

/** The values under the filter, row by row; a flipped filter meets them in the opposite order. */
export function patchOf(image: Raster, kh: number, kw: number, { x, y, channel, border }: Place): number[] {
  return Array.from({ length: kh * kw }, (_, i) => {
    const row = placeFor(y + Math.floor(i / kw) - (kh >> 1), image.height, border);
    const column = placeFor(x + (i % kw) - (kw >> 1), image.width, border);
    return row < 0 || column < 0 ? 0 : image.data[4 * (row * image.width + column) + channel]!;
  });
}

/** The taps in the order in which they meet the values. */
export const turned = (values: readonly number[], flip: boolean): readonly number[] =>
  flip ? [...values].reverse() : values;

export interface Products {
  products: readonly number[];
  /** gain · Σ products. */
  sum: number;
}

export function directly(patch: readonly number[], { values, gain }: Weights, flip: boolean): Products {
  const weights = turned(values, flip);
  const products = patch.map((value, i) => value * weights[i]!);
  return { products, sum: gain * products.reduce((sum, one) => sum + one, 0) };
}

export interface Passes {
  /** Of the pixel's own column: what the column pass multiplies here. */
  column: readonly number[];
  /** What the column pass leaves, from left to right; one of it is new at each pixel. */
  between: readonly number[];
  /** What the row pass multiplies. */
  row: readonly number[];
  sum: number;
}

export function inPasses(patch: readonly number[], term: Parts["terms"][number], flip: boolean): Passes {
  const [taps, rowTaps] = [turned(term.column, flip), turned(term.row, flip)];
  const [kh, kw] = [taps.length, rowTaps.length];
  const down = (x: number): number[] => Array.from({ length: kh }, (_, y) => taps[y]! * patch[y * kw + x]!);
  const total = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);
  const between = rowTaps.map((_, x) => total(down(x)));
  const row = between.map((value, x) => value * rowTaps[x]!);
  return { column: down(kw >> 1), between, row, sum: total(row) };
}

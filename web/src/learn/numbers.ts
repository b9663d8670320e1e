// The arithmetic of the screens: small whole numbers, so that each sum can be checked by head.

export type Rows = readonly (readonly number[])[];

/** A bright ball on a dark ground, from 1 to 9. */
export const picture: Rows = [
  [1, 1, 1, 1, 2, 2, 1, 1, 1],
  [1, 1, 2, 6, 8, 8, 5, 1, 1],
  [1, 2, 7, 9, 9, 9, 8, 3, 1],
  [1, 4, 9, 9, 9, 9, 9, 6, 1],
  [1, 5, 9, 9, 9, 9, 9, 7, 2],
  [1, 4, 9, 9, 9, 9, 8, 5, 1],
  [1, 2, 7, 9, 9, 8, 6, 2, 1],
  [1, 1, 2, 5, 7, 5, 2, 1, 1],
  [1, 1, 1, 1, 1, 1, 1, 1, 1],
];

/** The Sobel filter is this column times this row. */
export const sobelColumn = [1, 2, 1] as const;
export const sobelRow = [-1, 0, 1] as const;
export const sobel: Rows = sobelColumn.map((c) => sobelRow.map((r) => whole(c * r)));

/** Outputs of a 3 × 3 window along a side of 9. */
export const places = 7;

/** No negative zero. */
function whole(value: number): number {
  return value === 0 ? 0 : value;
}

/** The nine products of a 3 × 3 table at a place of the picture. */
export const productsAt = (table: Rows, y: number, x: number): Rows =>
  table.map((row, dy) => row.map((weight, dx) => whole(weight * picture[y + dy]![x + dx]!)));

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const outputAt = (table: Rows, y: number, x: number): number => sum(productsAt(table, y, x).flat());

/** What the row pass writes at a place: three taps over three neighbours. */
export const rowSumAt = (y: number, x: number): number => sum(sobelRow.map((tap, i) => tap * picture[y]![x + i]!));

export interface Terms {
  /** The smallest number of terms that sum to the table. */
  rank: number;
  column: readonly number[];
  row: readonly number[];
  /** The table less its first term. */
  remainder: Rows;
}

/** A table less the product of a column and a row; what rounding leaves is nothing. */
export function less(table: Rows, column: readonly number[], row: readonly number[]): Rows {
  const most = Math.max(...table.flat().map(Math.abs));
  return table.map((values, y) =>
    values.map((value, x) => {
      const rest = value - column[y]! * row[x]!;
      return Math.abs(rest) <= 1e-12 * most ? 0 : rest;
    }),
  );
}

/** Multiplications for an output: all k · k at once, and in r passes along rows and as many along columns. */
export const direct = (k: number): number => k * k;
export const inPasses = (k: number, rank: number): number => rank * 2 * k;

export interface LayerSides {
  /** Outputs along each side of the picture. */
  places: number;
  channels: number;
  /** Side of the window. */
  side: number;
  /** Outputs at each place. */
  outputs: number;
}

/** Multiplications of a layer: as it stands, and as windows on each channel alone, then needles. */
export function layerCosts({ places, channels, side, outputs }: LayerSides) {
  const spots = places * places;
  return {
    regular: spots * side * side * channels * outputs,
    windows: spots * channels * side * side,
    needles: spots * channels * outputs,
  };
}

/** Three channels of a picture of 12 × 12, of numbers from 0 to 9: a slope, a ball and stripes. */
export const layerPicture: readonly Rows[] = [
  (y: number, x: number) => Math.round((9 * (x + y)) / 22),
  (y: number, x: number) => Math.max(0, Math.round(9 - 0.36 * ((y - 5) ** 2 + (x - 6) ** 2))),
  (y: number, _x: number) => (y % 4 < 2 ? 8 : 1),
].map((at) => Array.from({ length: 12 }, (_, y) => Array.from({ length: 12 }, (_, x) => at(y, x))));

/** The two filters of each channel: the sum of the window, and its right column less its left one. */
const windowFilters: readonly ((dy: number, dx: number) => number)[] = [
  () => 1,
  (_dy, dx) => (dx === 4 ? 1 : dx === 0 ? -1 : 0),
];

/** What a window of five on one channel sums to; the multiplier says which of its filters are used: R R G G B B. */
export function windowSums(y: number, x: number, multiplier: number): number[] {
  return layerPicture.flatMap((channel) =>
    windowFilters.slice(0, multiplier).map((weight) => {
      let total = 0;
      for (let dy = 0; dy < 5; dy++) for (let dx = 0; dx < 5; dx++) total += weight(dy, dx) * channel[y + dy]![x + dx]!;
      return total;
    }),
  );
}

/** The numbers of a needle, one for each channel that it goes through: the n-th needle has its own. */
export const needleOf = (n: number, channels: number): number[] =>
  Array.from({ length: channels }, (_, i) => [1, 2, -1, 1, -2, 0][(i + n) % 6]!);

// The picture of a factorisation as SVG: the filter's grid = column ⊗ row (+ more terms), blue for negative and orange
// for positive taps. It stands by itself, on light and on dark pages.
import type { FilterFactors } from "../index.ts";
import { fraction, longestOf, number } from "./text.ts";

type Term = FilterFactors["terms"][number];

/** A filter and the terms that are kept of it, as they read best: gain times integers where both have them. */
export interface Shown {
  gain: number;
  /** Above 1: the columns are fractions of it. 0: real numbers. */
  denominator: number;
  /** All terms of the filter. */
  whole: Term[];
  kept: Term[];
}

export function shownTerms(exact: FilterFactors, factors: FilterFactors): Shown {
  const { gain, denominator } = factors.exact ?? { gain: 1, denominator: 0 };
  const termsOf = (found: FilterFactors): Term[] =>
    denominator === 0
      ? found.terms
      : found.exact!.terms.map(({ column, row }) => ({ column: column.map((tap) => tap / denominator), row }));
  return { gain, denominator, whole: termsOf(exact), kept: termsOf(factors) };
}

/** The rows of values that terms sum to; rounding errors around zero are zero. */
export function valuesOf({ kh, kw, terms }: Pick<FilterFactors, "kh" | "kw" | "terms">): number[][] {
  const values = Array.from({ length: kh }, (_, y) =>
    Array.from({ length: kw }, (_, x) => terms.reduce((sum, { column, row }) => sum + column[y]! * row[x]!, 0)),
  );
  const largest = terms.reduce((sum, { column, row }) => sum + maxOf(column) * maxOf(row), 0);
  return values.map((line) => line.map((v) => (Math.abs(v) <= 1e-13 * largest ? 0 : v)));
}

const maxOf = (values: readonly number[]): number => values.reduce((max, v) => Math.max(max, Math.abs(v)), 0);

const mostCells = 129;

/** Every value of a list, or of a long one as many as can be drawn, evenly spaced with both ends. */
function thin<T>(list: readonly T[]): T[] {
  const n = Math.min(list.length, mostCells);
  return Array.from({ length: n }, (_, i) => list[Math.round((i * (list.length - 1)) / Math.max(1, n - 1))]!);
}

const gap = 12;
const signWidth = 26;
const mostTerms = 3;

/**
 * An SVG file of a filter and its terms: `exact` gives the grid, `factors` (the same, or a truncation of it) the terms,
 * of which the first three are drawn.
 */
export function drawFactors(exact: FilterFactors, factors: FilterFactors = exact): string {
  const { denominator, whole, kept } = shownTerms(exact, factors);
  const grid = thin(valuesOf({ ...exact, terms: whole })).map(thin);
  const [kh, kw] = [grid.length, grid[0]!.length];
  const side = Math.max(4, Math.min(36, Math.floor(216 / Math.max(kh, kw))));
  const show = denominator > 1 ? fraction : (value: number) => number(value, 2);
  const terms = kept.slice(0, mostTerms);
  const pieces: string[] = [];
  let x = gap;
  const top = gap;
  const put = (values: readonly (readonly number[])[]): void => {
    const y = top + ((kh - values.length) * side) / 2;
    pieces.push(cells(values, x, y, side, show));
    x += values[0]!.length * side + gap;
  };
  const sign = (text: string): void => {
    pieces.push(`<text class="sign" x="${x + signWidth / 2 - gap / 2}" y="${top + (kh * side) / 2}">${text}</text>`);
    x += signWidth;
  };

  put(grid);
  terms.forEach(({ column, row }: Term, i) => {
    sign(i > 0 ? "+" : factors.rank < exact.rank ? "≈" : "=");
    put(thin(column).map((tap) => [tap]));
    sign("⊗");
    put([thin(row)]);
  });
  if (kept.length > mostTerms) sign("+ …");

  const [width, height] = [x, kh * side + 2 * gap];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    "<style>",
    "text { font-family: ui-sans-serif, system-ui, sans-serif; text-anchor: middle; dominant-baseline: central }",
    ".sign { font-size: 20px; fill: #57606a }",
    "@media (prefers-color-scheme: dark) { .sign { fill: #c9d1d9 } }",
    "</style>",
    ...pieces,
    "</svg>",
    "",
  ].join("\n");
}

/** A grid of coloured cells with its top left corner at (x, y), scaled to its own largest value. */
function cells(
  values: readonly (readonly number[])[],
  x: number,
  y: number,
  side: number,
  show: (value: number) => string,
): string {
  const largest = Math.max(...values.map(maxOf)) || 1;
  // Rounding errors around zero are zero
  const texts = values.map((line) => line.map((value) => show(Math.abs(value) <= 1e-13 * largest ? 0 : value)));
  const longest = longestOf(texts.flat());
  const size = Math.min(0.44 * side, (1.55 * side) / longest);
  return values
    .flatMap((line, i) =>
      line.map((value, j) => {
        const [left, up] = [x + j * side, y + i * side];
        const share = value / largest;
        const rect = `<rect x="${left + 0.5}" y="${up + 0.5}" width="${side - 1}" height="${side - 1}" rx="${number(side / 12, 2)}" fill="${colourOf(share)}"/>`;
        if (size < 7) return rect;
        const ink = Math.abs(share) > 0.6 ? "#fff" : "#24292f";
        return `${rect}<text x="${left + side / 2}" y="${up + side / 2}" font-size="${number(size, 3)}" fill="${ink}">${texts[i]![j]}</text>`;
      }),
    )
    .join("\n");
}

const neutral = [238, 238, 240] as const;
const negative = [33, 102, 172] as const;
const positive = [202, 90, 20] as const;

/** Blue at -1, light grey at 0, orange at 1. */
function colourOf(share: number): string {
  const end = share < 0 ? negative : positive;
  const strength = Math.abs(share) ** 0.8;
  const [r, g, b] = neutral.map((from, c) => Math.round(from + strength * (end[c]! - from)));
  return `rgb(${r},${g},${b})`;
}

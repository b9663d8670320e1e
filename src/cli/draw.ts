// The picture of a factorisation as SVG: the filter's grid = column ⊗ row (+ more terms), blue for negative and orange
// for positive taps. It stands by itself, on light and on dark pages.
import type { FilterFactors } from "../index.ts";
import { palettes } from "./palette.ts";
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
  const sign = (text: string, width = signWidth): void => {
    pieces.push(`<text class="sign" x="${x + width / 2 - gap / 2}" y="${top + (kh * side) / 2}">${text}</text>`);
    x += width;
  };

  put(grid);
  terms.forEach(({ column, row }: Term, i) => {
    sign(i > 0 ? "+" : factors.rank < exact.rank ? "≈" : "=");
    put(thin(column).map((tap) => [tap]));
    sign("⊗");
    put([thin(row)]);
  });
  if (kept.length > mostTerms) sign("+ …", 2 * signWidth);

  const [width, height] = [x, kh * side + 2 * gap];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    "<style>",
    "text { font-family: ui-sans-serif, system-ui, sans-serif; text-anchor: middle; dominant-baseline: central }",
    ".sign { font-size: 20px }",
    fills("light"),
    `@media (prefers-color-scheme: dark) {\n${fills("dark")}\n}`,
    "</style>",
    ...pieces,
    "</svg>",
    "",
  ].join("\n");
}

/** What is drawn is filled by its class, so that one file is right on both grounds. */
function fills(ground: keyof typeof palettes): string {
  const { ink, soft, zero, negative, positive } = palettes[ground];
  const colours = { text: ink, ".sign": soft, ".zero": zero, ".negative": negative, ".positive": positive };
  return Object.entries(colours)
    .map(([selector, colour]) => `${selector} { fill: ${colour} }`)
    .join(" ");
}

/**
 * A grid of coloured cells with its top left corner at (x, y), scaled to its own largest value: the colour of zero under all
 * of them, and over it that of the sign, as opaque as the value is large.
 */
function cells(
  values: readonly (readonly number[])[],
  x: number,
  y: number,
  side: number,
  show: (value: number) => string,
): string {
  const largest = Math.max(...values.map(maxOf)) || 1;
  // Rounding errors around zero are zero
  const clean = values.map((line) => line.map((value) => (Math.abs(value) <= 1e-13 * largest ? 0 : value)));
  const texts = clean.map((line) => line.map((value) => show(value).replace("-", "−")));
  const longest = longestOf(texts.flat());
  const size = Math.min(0.44 * side, (1.55 * side) / longest);
  const [width, height] = [side - 1, side - 1];
  const drawn = clean.flatMap((line, i) =>
    line.map((value, j) => {
      const [left, up] = [x + j * side, y + i * side];
      const opacity = number(Math.abs(value / largest) ** 0.8, 3);
      const rect = `<rect x="${left + 0.5}" y="${up + 0.5}" width="${width}" height="${height}" class="${value < 0 ? "negative" : "positive"}" fill-opacity="${opacity}"/>`;
      if (size < 7) return rect;
      return `${rect}<text x="${left + side / 2}" y="${up + side / 2}" font-size="${number(size, 3)}">${texts[i]![j]}</text>`;
    }),
  );
  const ground = clean.flatMap((line, i) =>
    line.map((_, j) => `M${x + j * side + 0.5} ${y + i * side + 0.5}h${width}v${height}h-${width}z`),
  );
  return [`<path class="zero" d="${ground.join("")}"/>`, ...drawn].join("\n");
}

// rank1 factor: a filter as a sum of columns ⊗ rows, drawn as text or as a picture.
import type { Command } from "commander";
import { type FilterFactors, factorize } from "../index.ts";
import { writeStdout } from "../node/files.ts";
import { noun, plural } from "../words.ts";
import { parseCount, parseFilter, parseNumber, UsageError, usage } from "./arguments.ts";
import { drawFactors, type Shown, shownTerms, valuesOf } from "./draw.ts";
import { addForce, checkOutputs, writeOutput } from "./output.ts";
import { bar, fraction, longestOf, number, numbersLike, padStart, screenWidth, styled } from "./text.ts";

interface Flags {
  rank?: number;
  tolerance?: number;
  svg?: string;
  force?: boolean;
  json?: boolean;
}

export function addFactor(program: Command): void {
  const command = program
    .command("factor")
    .description("find the rank of a filter (kernel) and write it as a sum of columns ⊗ rows")
    .argument("<filter>", "a name (see rank1 filters), [[...]], a JSON file, or - for JSON on the standard input")
    .option("--rank <terms>", "at most this many terms: the best approximation", parseCount)
    .option("--tolerance <error>", "as few terms as have at most this relative error", parseNumber)
    .option("--svg <file>", "also write a picture of it; - prints that in place of the text");
  addForce(command)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  rank1 factor sobel-x
  rank1 factor gaussian:sigma=2
  rank1 factor '[[1,2,1],[2,4,2],[1,2,1]]'
  rank1 factor disk:7 --tolerance 0.02 --svg disk.svg`,
    )
    .action(factor);
}

async function factor(text: string, { rank, tolerance, svg, force, json }: Flags): Promise<void> {
  if (svg === "-" && json) throw new UsageError("--svg: expected a file beside --json, got -");
  const filter = await parseFilter(text);
  const exact = await usage(() => factorize(filter));
  const factors =
    rank === undefined && tolerance === undefined ? exact : await usage(() => factorize(filter, { rank, tolerance }));
  if (svg !== undefined) {
    await checkOutputs([svg], { force });
    await writeOutput(svg, drawFactors(exact, factors));
  }
  if (svg !== "-") await writeStdout(`${json ? asJson(text, exact, factors) : asText(text, exact, factors)}\n`);
}

function asJson(filter: string, exact: FilterFactors, factors: FilterFactors): string {
  const rank1Error = errorOfRank1(exact);
  return JSON.stringify({ version: 1, filter, values: valuesOf(exact), ...factors, rank1Error }, undefined, 2);
}

/** The relative error of the best single column ⊗ row: the norm of all singular values but the first. */
function errorOfRank1({ singularValues: [first = 0, ...others] }: FilterFactors): number {
  const dropped = Math.hypot(...others);
  return dropped === 0 ? 0 : dropped / Math.hypot(first, dropped);
}

const mostTerms = 4;

function asText(text: string, exact: FilterFactors, factors: FilterFactors): string {
  const { kh, kw, offset } = factors;
  const shown = shownTerms(exact, factors);
  const { gain, denominator, whole } = shown;
  const name = /^\s*[[{]|^-$/.test(text) ? "filter" : text;
  const kind = exact.rank === 0 ? "all zero" : exact.spatiallySeparable ? "one column ⊗ one row" : undefined;
  const outside = [gain !== 1 && `gain ${fraction(gain)}`, offset !== 0 && `offset ${number(offset)}`];
  const facts = [`${kh} × ${kw}`, `rank ${exact.rank}`, kind, ...outside].filter(Boolean).join(", ");
  const taps = exact.rank === 1 ? whole[0] : undefined;
  return [
    `${styled("bold", name)}  ${facts}`,
    "",
    ...grid(valuesOf({ kh, kw, terms: whole }), denominator, taps),
    ...(exact.rank > 1 ? termLines(exact, factors, shown) : []),
    "",
    ...singularBars(exact, factors.rank),
    ...costLines(exact, factors),
  ].join("\n");
}

/** The terms one after another: small ones as grids with their taps, of large ones the taps alone. */
function termLines(exact: FilterFactors, { kh, kw, rank }: FilterFactors, shown: Shown): string[] {
  const { kept: terms, denominator } = shown;
  const more = terms.length - mostTerms;
  return [
    "",
    ...terms.slice(0, mostTerms).flatMap((term, i) => {
      const sign = i > 0 ? "+" : rank < exact.rank ? "≈" : "=";
      const title = `${sign} ${styled("bold", `term ${i + 1}`)}`;
      if (kh * kw <= 36) return [title, ...grid(valuesOf({ kh, kw, terms: [term] }), denominator, term)];
      return [title, `  column  ${list(term.column, denominator)}`, `  row     ${list(term.row, denominator)}`];
    }),
    ...(more > 0 ? [`+ ${more} more ${noun(more, "term")}, listed by --json`] : []),
  ];
}

const writer = (values: readonly number[], denominator: number) => (denominator > 1 ? fraction : numbersLike(values));

function list(taps: readonly number[], denominator: number): string {
  const show = writer(taps, denominator);
  return elide(taps.length, 11)
    .map((i) => (i === undefined ? "…" : styled("cyan", show(taps[i]!))))
    .join(" ");
}

interface Taps {
  column: readonly number[];
  row: readonly number[];
}

/** A matrix in brackets, its taps along the edges; the middle of a large one is left out. */
function grid(values: number[][], denominator: number, taps: Taps = { column: [], row: [] }): string[] {
  const show = writer(values.flat(), denominator);
  const [showColumn, showRow] = [writer(taps.column, denominator), writer(taps.row, denominator)];
  const width = longestOf([...values.flat().map(show), ...taps.row.map(showRow)]) + 2;
  const edge = longestOf(taps.column.map(showColumn)) + 2;
  const rows = elide(values.length, 11);
  const columns = elide(values[0]!.length, Math.min(11, Math.max(3, Math.floor((screenWidth() - edge - 6) / width))));
  const line = (cells: readonly string[]): string => cells.map((text) => padStart(text, width)).join("");
  const tap = (text: string): string => styled("cyan", text);
  const [margin, space] = [" ".repeat(edge), " ".repeat(columns.length * width + 2)];
  return [
    ...(taps.row.length > 0
      ? [`${margin} ${line(columns.map((x) => (x === undefined ? "…" : tap(showRow(taps.row[x]!)))))}`]
      : []),
    `${margin}┌${space}┐`,
    ...rows.map((y) => {
      const left = taps.column.length === 0 ? "" : y === undefined ? "⋮" : tap(showColumn(taps.column[y]!));
      const cells = columns.map((x) => cell(x === undefined ? undefined : values[y ?? -1]?.[x], y, show));
      return `${padStart(left, edge)}│${line(cells)}  │`;
    }),
    `${margin}└${space}┘`,
  ];
}

function cell(value: number | undefined, y: number | undefined, show: (value: number) => string): string {
  if (value === undefined) return y === undefined ? "⋮" : "…";
  return styled(value > 0 ? "yellow" : value < 0 ? "blue" : "dim", show(value));
}

/** The indices below n, or where that is more than `most`, those around the middle between gaps (undefined). */
function elide(n: number, most: number): (number | undefined)[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  const start = (n - most + 2) >> 1;
  return [undefined, ...Array.from({ length: most - 2 }, (_, i) => start + i), undefined];
}

const mostBars = 12;

function singularBars({ singularValues }: FilterFactors, kept: number): string[] {
  if (singularValues.length === 0) return [];
  const largest = singularValues[0]!;
  const more = singularValues.length - mostBars;
  return [
    styled("bold", "singular values"),
    ...singularValues.slice(0, mostBars).map((value, i) => {
      const drawn = styled(i < kept ? "cyan" : "dim", bar(value / largest, 40) || "▏");
      return `${padStart(number(value), 10)}  ${drawn}${i < kept ? "" : "  dropped"}`;
    }),
    ...(more > 0 ? [`${padStart("…", 10)}  ${more} more`] : []),
    "",
  ];
}

function costLines(exact: FilterFactors, factors: FilterFactors): string[] {
  const { direct, separable } = factors.multiplications;
  const passes = factors.rank === 1 ? "a column and a row pass" : `${factors.rank} column and row passes`;
  const verdict = separable < direct ? `${number(direct / separable, 3)} × fewer` : "direct is no dearer";
  const cost = `${direct} direct → ${separable} in ${passes}, per value (${verdict})`;
  const error = `${number(factors.error)} relative, with ${factors.rank} of ${plural(exact.rank, "term")}`;
  const lines: [title: string, text: string][] = [["error", factors.error === 0 ? "0" : error]];
  if (exact.rank > 0) lines.push(["multiplications", cost]);
  if (exact.rank > 1) lines.unshift(["best rank 1", `relative error ${number(errorOfRank1(exact))}`]);
  return lines.map(([title, text]) => `${styled("bold", title.padEnd(15))}  ${text}`);
}

// What the commands print: numbers, tables, bars, colour (only where the reader is a terminal that wants it), and a
// progress bar on the standard error.
import { stripVTControlCharacters, styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Text for the standard output, coloured where that is a terminal and NO_COLOR is not set. */
export const styled = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

/** Columns of the terminal, or what a page of text usually has. */
export const screenWidth = (): number => process.stdout.columns ?? 100;

/** A number to four digits, or to as many as given, without zeros at the end; integers in full. */
export function number(value: number, digits = 4): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  return String(Number(value.toPrecision(digits)));
}

/** A count with thousands apart; below 100 with a tenth, where it has one. */
export const count = (value: number): string =>
  value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 });

const prefixes = ["", " k", " M", " G", " T"];

/** A count to four digits with a prefix from ten thousand on: 9,216, 40.55 M. */
export function quantity(count: number): string {
  if (count < 10_000) return count.toLocaleString("en-US");
  const step = Math.min(prefixes.length - 1, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** step).toPrecision(4)}${prefixes[step]}`;
}

/** How to write the numbers of one matrix: integers in full, others to three digits of the largest, all alike. */
export function numbersLike(values: readonly number[]): (value: number) => string {
  if (values.every(Number.isInteger)) return String;
  const largest = values.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  const decimals = Math.min(20, Math.max(0, 2 - Math.floor(Math.log10(largest))));
  return (value) => (value === 0 ? "0" : value.toFixed(decimals));
}

/** Characters of the longest of some texts, however many there are. */
export const longestOf = (texts: readonly string[]): number =>
  texts.reduce((most, text) => Math.max(most, text.length), 0);

/** A number as a fraction n/d where it is one with d up to 10,000, else as {@link number}. */
export function fraction(value: number): string {
  for (let d = 1; d <= 10_000 && value !== 0; d++) {
    const n = Math.round(value * d);
    if (n !== 0 && Math.abs(value * d - n) <= 1e-12 * Math.abs(n)) return d === 1 ? String(n) : `${n}/${d}`;
  }
  return number(value);
}

export const milliseconds = (ms: number): string => `${number(ms, 3)} ms`;

const widthOf = (text: string): number => stripVTControlCharacters(text).length;
export const padStart = (text: string, width: number): string => " ".repeat(Math.max(0, width - widthOf(text))) + text;
const padEnd = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - widthOf(text)));

/** Rows in columns that are two spaces apart; the header is bold, the columns named in `right` are flush right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], right: string[] = []): string {
  const widths = header.map((title, i) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i]!))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right.includes(header[i]!) ? padStart : padEnd)(cell, widths[i]!))
      .join("  ")
      .trimEnd();
  return [styled("bold", line(header)), ...rows.map(line)].join("\n");
}

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar whose length is `share` (0 to 1) of `width` characters. */
export function bar(share: number, width: number): string {
  const parts = Math.round(share * width * 8);
  return "█".repeat(parts >> 3) + eighths[parts & 7]!;
}

/** Text of a file without characters that would steer the terminal. */
export const harmless = (text: string): string => text.replace(/\p{Cc}/gu, "\ufffd");

/** A name of a file's own, as far as a table has room for it. */
export const shortName = (name: string): string => harmless(name.length > 32 ? `…${name.slice(-31)}` : name);

/** One line on the standard error, as every error of the command line is. */
export function say(message: string): void {
  process.stderr.write(`rank1: ${harmless(message.trim().replace(/\s*\n\s*/g, " "))}\n`);
}

export interface Progress {
  /** The share that is done, 0 to 1. */
  update(done: number): void;
  /** Removes the bar, so that a line can be printed. */
  clear(): void;
}

/** A progress bar on the standard error, where that is a terminal; it appears once the work takes a noticeable time. */
export function progressBar(label: string, wanted: boolean): Progress {
  const stream = process.stderr;
  let next = performance.now() + 300;
  let shown = false;
  return {
    update(done) {
      if (!wanted || !stream.isTTY || performance.now() < next) return;
      next = performance.now() + 100;
      shown = true;
      stream.write(
        `\r\x1b[K${bar(done, 30).padEnd(30, "░")} ${String(Math.floor(100 * done)).padStart(3)} %  ${label}`,
      );
    },
    clear() {
      if (shown) stream.write("\r\x1b[K");
      shown = false;
    },
  };
}

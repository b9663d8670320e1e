// Formats numbers: short, with a real minus sign, and with no more digits than are significant.
import { plural as pluralOf } from "../../src/words.ts";

export { noun } from "../../src/words.ts";

const minus = (text: string): string => text.replace("-", "−");

/** Three significant digits unless asked otherwise: "−0.125", "12", "1.5e−7". */
export function number(value: number, digits = 3): string {
  if (value === 0 || !Number.isFinite(value)) return minus(String(value === 0 ? 0 : value));
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7) return minus(value.toExponential(Math.max(0, digits - 1)).replace("e+", "e"));
  return minus(String(Number(value.toPrecision(Math.max(digits, size >= 1 ? Math.floor(Math.log10(size)) + 1 : 0)))));
}

/** A whole number with separators: "1,228,800". */
export const count = (value: number): string => minus(Math.round(value).toLocaleString("en-US"));

/** "40.6 M": for parameters and multiplications of networks. */
export function quantity(value: number): string {
  const units: [number, string][] = [
    [1e9, " G"],
    [1e6, " M"],
    [1e3, " k"],
  ];
  const [size, unit] = units.find(([size]) => value >= size) ?? [1, ""];
  return `${Number((value / size).toPrecision(3))}${unit}`;
}

/** A time as it is shown: what is said beside it is computed from this, so that both agree. */
export const shownMilliseconds = (value: number): number =>
  value >= 100 ? Math.round(value) : Number(value.toPrecision(3));

export const milliseconds = (value: number): string => `${shownMilliseconds(value)} ms`;

/** A share as percent: "3.1 %". */
export const percent = (share: number): string => `${number(100 * share, share < 0.1 ? 2 : 3)} %`;

export const times = (sides: readonly (number | string)[]): string => sides.join(" × ");

/** "1 tap", "3,000 taps". */
export const plural = (n: number, one: string): string => pluralOf(n, one, count);

/**
 * What one count has become: how many times fewer, or as many. Figures that are shown beside it are these two, so that all
 * say the same.
 */
export function change(before: number, after: number): { value: string; fewer: boolean; same: boolean } {
  const [most, least] = [Math.max(before, after), Math.min(before, after)];
  const value = `${least > 0 ? number(most / least, 3) : "–"} ×`;
  return { value, fewer: after < before, same: before === after || value === "1 ×" };
}

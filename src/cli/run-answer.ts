// What rank1 run says of a result: its sides and range, and of one that ranks classes the best ones.
import type { Tensor } from "../index.ts";
import { sides } from "./inspect-page.ts";
import { bar, harmless, number, styled, table } from "./text.ts";

export interface Answer {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** Of elements that are numbers; missing where none is. */
  least?: number;
  most?: number;
  mean?: number;
  /** Of a result that ranks classes: the best ones. */
  top?: { index: number; label?: string; value: number; share: number }[];
  /** Where the result was written. */
  file?: string;
}

export function answerOf(name: string, tensor: Tensor, top: number, labels?: readonly string[]): Answer {
  const { shape, data, dtype = "f32" } = tensor;
  const values = Array.from(data as Iterable<number | bigint>, Number).filter((value) => !Number.isNaN(value));
  const answer: Answer = { name, dtype, shape };
  if (values.length === 0) return answer;
  Object.assign(answer, {
    least: values.reduce((a, b) => Math.min(a, b)),
    most: values.reduce((a, b) => Math.max(a, b)),
    mean: values.reduce((a, b) => a + b) / values.length,
  });
  const ranks = shape.filter((side) => side > 1).length === 1 && values.length === data.length && dtype === "f32";
  return ranks ? { ...answer, top: best(values, top, labels) } : answer;
}

/** The largest values, and their shares: of probabilities themselves, else their softmax. */
function best(values: readonly number[], top: number, labels: readonly string[] = []): Answer["top"] {
  const sum = values.reduce((a, b) => a + b);
  const probabilities = values.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3;
  const largest = values.reduce((a, b) => Math.max(a, b));
  const weights = probabilities ? values : values.map((value) => Math.exp(value - largest));
  const total = weights.reduce((a, b) => a + b);
  const order = values.map((value, index) => ({ index, value, share: weights[index]! / total }));
  order.sort((a, b) => b.value - a.value || a.index - b.index);
  return order.slice(0, top).map((one) => ({ ...one, label: labels[one.index] }));
}

export function answerText({ name, dtype, shape, least, most, mean, top, file }: Answer): string {
  const range = least === undefined ? "" : `  ${number(least)} to ${number(most!)}, mean ${number(mean!)}`;
  const written = file === undefined ? "" : `  -> ${file}`;
  const title = `  ${styled("bold", harmless(name))}  ${dtype} ${sides(shape)}${range}${written}`;
  if (!top) return title;
  const rows = top.map(({ index, label, value, share }) => [
    `    ${index}`,
    harmless(label ?? ""),
    number(value),
    `${(100 * share).toFixed(1)} %`,
    styled("cyan", bar(share, 20)),
  ]);
  return [title, table(["    class", "", "value", "share", " "], rows, ["value", "share"])].join("\n");
}

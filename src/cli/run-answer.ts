// What rank1 run says of a result: its sides and range; whether it ranks classes, is a picture or any other array; and of one
// that ranks classes the best ones.
import type { Tensor } from "../index.ts";
import { UsageError } from "./arguments.ts";
import { sides } from "./inspect-page.ts";
import { pictureLayout } from "./run-picture.ts";
import { bar, harmless, number, styled, table } from "./text.ts";

/** What results can be. */
export const kinds = ["classes", "picture", "array"] as const;
export type Kind = (typeof kinds)[number];

export interface Answer {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** What it was taken for, or is by `--as`. */
  as: Kind;
  /** Of elements that are numbers; missing where none is. */
  least?: number;
  most?: number;
  mean?: number;
  /** Of a result that ranks classes: the best ones. */
  top?: { index: number; label?: string; value: number; share: number }[];
  /** Where the result was written. */
  file?: string;
}

export interface AnswerOptions {
  as?: Kind;
  /** How many classes are listed. */
  top: number;
  labels?: readonly string[];
}

export function answerOf(name: string, tensor: Tensor, { as, top, labels }: AnswerOptions): Answer {
  const { shape, data, dtype = "f32" } = tensor;
  const values = Array.from(data as Iterable<number | bigint>, Number).filter((value) => !Number.isNaN(value));
  const kind = as ?? guess(tensor, values);
  if (as !== undefined) checkKind(name, tensor, as);
  const answer: Answer = { name, dtype, shape, as: kind };
  if (values.length === 0) return answer;
  Object.assign(answer, {
    least: values.reduce((a, b) => Math.min(a, b)),
    most: values.reduce((a, b) => Math.max(a, b)),
    mean: values.reduce((a, b) => a + b) / values.length,
  });
  return kind === "classes" ? { ...answer, top: best(values, top, labels) } : answer;
}

const isRow = ({ shape }: Tensor): boolean => shape.filter((side) => side > 1).length === 1;

function guess(tensor: Tensor, values: readonly number[]): Kind {
  const { dtype = "f32", data } = tensor;
  if (dtype === "f32" && isRow(tensor) && values.length === data.length) return "classes";
  // Of three axes it may as well be a list of vectors
  return dtype === "f32" && tensor.shape.length === 4 && pictureLayout(tensor) ? "picture" : "array";
}

function checkKind(name: string, tensor: Tensor, as: Kind): void {
  if (as === "array" || (as === "classes" ? isRow(tensor) : pictureLayout(tensor))) return;
  const expected = as === "classes" ? "a row of numbers" : "1, 3 or 4 channels of pixels";
  throw new UsageError(`--as ${as}: expected ${expected}, got ${name} [${tensor.shape.join(", ")}]`);
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

export function answerText({ name, dtype, shape, as, least, most, mean, top, file }: Answer): string {
  const range = least === undefined ? "" : `  ${number(least)} to ${number(most!)}, mean ${number(mean!)}`;
  const unwritten = as === "picture" ? " (-o FOLDER/ writes it)" : "";
  const written = file === undefined ? unwritten : `  -> ${file}`;
  const title = `  ${styled("bold", harmless(name))}  ${dtype} ${sides(shape)}${range}  as ${as}${written}`;
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

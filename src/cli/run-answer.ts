// Describes the results of rank1 run: shape and range, and whether a result ranks classes (and which are best), is a
// picture (and how), or any other array.
import type { Tensor } from "../index.ts";
import type { Picture } from "../node/pictures.ts";
import { UsageError } from "./arguments.ts";
import { sides } from "./inspect-page.ts";
import { bar, harmless, number, styled, table } from "./text.ts";

/** What results can be. */
export const kinds = ["classes", "picture", "array"] as const;
export type Kind = (typeof kinds)[number];

export interface Answer {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** What it is taken for, by its shape and values or by `--as`. */
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

interface Layout {
  width: number;
  height: number;
  channels: number;
  /** Elements from one pixel to the next, and from one channel to the next. */
  pixelStep: number;
  channelStep: number;
}

/** A result with fewer pixels a side is not taken for a picture. */
const leastSide = 8;

/** The layout of a result that is a picture, channels first or last; undefined if it is none. */
export function pictureLayout({ shape }: Tensor): Layout | undefined {
  const sides = shape.slice(shape.length === 4 && shape[0] === 1 ? 1 : 0);
  if (sides.length !== 3) return undefined;
  const [first, middle, last] = sides as [number, number, number];
  const fits = (channels: number, height: number, width: number): boolean =>
    [1, 3, 4].includes(channels) && Math.min(height, width) >= leastSide;
  if (fits(first, middle, last)) {
    return { channels: first, height: middle, width: last, pixelStep: 1, channelStep: middle * last };
  }
  if (!fits(last, first, middle)) return undefined;
  return { channels: last, height: first, width: middle, pixelStep: last, channelStep: 1 };
}

/** The largest value of pictures of 0 to 1 that overshoot; others are of 0 to 255. */
const overshoot = 8;

/** An 8-bit picture of a result for which {@link pictureLayout} has found how: rounded and saturated. */
export function pictureOf(tensor: Tensor, { width, height, channels, pixelStep, channelStep }: Layout): Picture {
  const values = Array.from(tensor.data as Iterable<number | bigint>, Number);
  const most = values.reduce((a, b) => Math.max(a, b || 0), 0);
  const scale = most > overshoot ? 1 : 255;
  const data = new Uint8Array(width * height * channels);
  for (let pixel = 0, to = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < channels; c++, to++) {
      const value = Math.round(scale * values[pixel * pixelStep + c * channelStep]!);
      data[to] = value > 0 ? Math.min(value, 255) : 0; // NaN becomes 0
    }
  }
  return { width, height, channels, data, alpha: channels === 4 };
}

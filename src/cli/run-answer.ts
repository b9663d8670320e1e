// Describes the results of rank1 run: shape and range, and whether a result ranks classes (and which are best), is a
// picture (and how), or any other array.
import type { Tensor } from "../index.ts";
import type { PictureAxes } from "../onnx/index.ts";
import { plural } from "../words.ts";
import { UsageError } from "./arguments.ts";
import { sides } from "./inspect-page.ts";
import { areas, isMask, maskForm, maskOf } from "./mask.ts";
import { bar, harmless, number, styled, table } from "./text.ts";

/** What results can be. */
export const kinds = ["classes", "values", "picture", "mask"] as const;
export type Kind = (typeof kinds)[number];

export interface Answer {
  name: string;
  dtype: string;
  shape: readonly number[];
  /** What it is taken for, by its shape and values or by `--as`. */
  as: Kind;
  /** Nobody has said so. */
  guessed: boolean;
  /** What else it might well be, where it is guessed. */
  other?: Kind;
  /** Of a picture: its black and white. */
  range?: readonly [number, number];
  /** Of elements that are numbers; missing where none is. */
  least?: number;
  most?: number;
  mean?: number;
  /** All elements, where they are few; NaN is none in JSON. */
  data?: number[];
  /** Of a result that ranks classes: the best ones. Of a mask: the largest ones, with their pixels. */
  top?: { index: number; label?: string; value: number; share: number }[];
  /** How many labels there are, where they are not as many as the classes. */
  labels?: number;
  /** How many classes there are, to go with that. */
  classes?: number;
  /** Where the result was written. */
  file?: string;
}

export interface AnswerOptions {
  as?: Kind;
  /** Of a picture: what black and white are; guessed where it is not given. */
  range?: readonly [number, number];
  /** Whether it is the model's only result. */
  only: boolean;
  /** `pictureAxes`. */
  axesOf: (shape: readonly number[]) => PictureAxes | undefined;
  /** How many classes are listed. */
  top: number;
  labels?: readonly string[];
}

export function answerOf(name: string, tensor: Tensor, options: AnswerOptions): Answer {
  const { as, top, labels, axesOf } = options;
  const { shape, data, dtype = dtypeOf(tensor) } = tensor;
  const elements = Array.from(data as Iterable<number | bigint>, Number);
  const values = elements.filter((value) => !Number.isNaN(value));
  const axes = axesOf(shape);
  const kind = as ?? guess(name, { tensor, values, axes }, options);
  if (as !== undefined) checkKind(name, tensor, as, axes);
  const answer: Answer = { name, dtype, shape, as: kind, guessed: as === undefined };
  if (as === undefined) answer.other = otherThan(kind, tensor, options);
  if (elements.length > 0 && elements.length <= fewNumbers) answer.data = elements;
  if (values.length === 0) return answer;
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  Object.assign(answer, { least, most, mean: values.reduce((a, b) => a + b) / values.length });
  if (kind === "picture") return { ...answer, range: options.range ?? guessRange(least, most, isFloats(tensor)) };
  if (kind === "classes") return { ...answer, top: best(values, top, labels), ...countsOf(labels, values.length) };
  return kind === "mask" ? { ...answer, ...describeMask(tensor, options) } : answer;
}

/** What a result is taken for where its values do not matter: nothing but its shape and type is looked at. */
export function kindOf(name: string, tensor: Tensor, options: AnswerOptions): Kind {
  const axes = options.axesOf(tensor.shape);
  if (options.as === undefined) return guess(name, { tensor, values: [], axes }, options);
  checkKind(name, tensor, options.as, axes);
  return options.as;
}

/** What is said of a picture before its values are known. */
export function pictureAnswer(name: string, tensor: Tensor, options: AnswerOptions): Answer {
  const { shape, dtype = dtypeOf(tensor) } = tensor;
  const answer: Answer = { name, dtype, shape, as: "picture", guessed: options.as === undefined };
  return options.as === undefined ? { ...answer, other: otherThan("picture", tensor, options) } : answer;
}

/** Black and white of a picture with such values. */
export const rangeFor = (
  tensor: Tensor,
  least: number,
  most: number,
  { range }: AnswerOptions,
): readonly [number, number] => range ?? (least <= most ? guessRange(least, most, isFloats(tensor)) : [0, 1]);

/** The other guess. Of a few numbers in many axes nothing else could be thought. */
function otherThan(kind: Kind, tensor: Tensor, { only }: AnswerOptions): Kind | undefined {
  if (kind !== "values") return "values";
  if (isRow(tensor.shape)) return isFloats(tensor) ? "classes" : undefined;
  return only && tensor.shape.length === 4 && isMask(tensor) ? "mask" : undefined;
}

/** The largest classes of a mask. */
function describeMask(tensor: Tensor, { top, labels }: AnswerOptions): Pick<Answer, "top" | "labels" | "classes"> {
  const mask = maskOf(tensor)!;
  const all = mask.classes.length;
  const found = areas(mask).map((value, index) => ({ index, label: labels?.[index], value, share: value / all }));
  const largest = found.filter(({ value }) => value > 0).sort((a, b) => b.value - a.value || a.index - b.index);
  return { top: largest.slice(0, top), ...countsOf(labels, mask.count) };
}

/** Labels are another list than the classes: said, not hidden. */
const countsOf = (labels: readonly string[] | undefined, classes: number): Pick<Answer, "labels" | "classes"> =>
  labels && labels.length !== classes ? { labels: labels.length, classes } : {};

/** The type by the array, where the tensor does not say it. */
const dtypeOf = ({ data }: Tensor): string =>
  data.constructor.name.replace(/^Big/, "").replace("Float", "f").replace("Uint", "u").replace("Int", "i").replace(/(Clamped)?Array/, ""); // biome-ignore format: a line

const isFloats = ({ data }: Tensor): boolean => data instanceof Float32Array || data instanceof Float64Array;

/** Whether numbers stand in one row, of more than one column. */
const isRow = (shape: readonly number[]): boolean => shape.filter((side) => side > 1).length === 1;

/** So many numbers are printed. */
const fewNumbers = 16;

/** A result with fewer pixels a side is not taken for a picture by itself. */
const leastSide = 8;

interface Found {
  tensor: Tensor;
  /** Those that are numbers. */
  values: readonly number[];
  axes: PictureAxes | undefined;
}

function guess(name: string, { tensor, values, axes }: Found, options: AnswerOptions): Kind {
  const { shape, data } = tensor;
  if (isFloats(tensor) && isRow(shape) && values.length === data.length)
    return ranksClasses(name, values, options) ? "classes" : "values";
  if (!axes || Math.min(axes.width, axes.height) < leastSide) return "values";
  if (data instanceof Uint8Array && tensor.dtype !== "bool") return "picture";
  // Of three axes floats may as well be a list of vectors, and four channels the boxes of a detector
  const fits = isFloats(tensor) ? shape.length === 4 : axes.channels === 1 || shape.length === 4;
  return fits && (axes.channels < 4 || options.only) ? "picture" : "values";
}

/**
 * Whether a row ranks classes: as many numbers as there are labels, or probabilities; else scores of any size that are the
 * model's only result or have a name of that kind, but not places, boxes or features, which go by their names too.
 */
function ranksClasses(name: string, values: readonly number[], { labels, only }: AnswerOptions): boolean {
  if (labels?.length === values.length) return true;
  if (/land.?mark|key.?point|point|coord|box|loc|anchor|offset|embed|feat|pose|angle|age|depth/i.test(name)) return false;
  if (areProbabilities(values)) return true;
  const named = /prob|score|class|logit|softmax|label|pred|categor/i.test(name);
  const sumOfSquares = values.reduce((sum, value) => sum + value * value, 0);
  const isUnit = Math.abs(sumOfSquares - 1) < 1e-3;
  const areShares = values.every((value) => value >= 0 && value <= 1);
  return named || (only && !isUnit && !areShares);
} // biome-ignore format: lines

const areProbabilities = (values: readonly number[]): boolean =>
  values.every((value) => value >= 0) && Math.abs(values.reduce((a, b) => a + b) - 1) < 1e-3;

/** What black and white are in a picture with such values: 0 to 1 or -1 to 1 with some overshoot, 0 to 255, or its own. */
function guessRange(least: number, most: number, floats: boolean): readonly [number, number] {
  if (!floats) return most > 1 && most <= 255 && least >= 0 && most > 127 ? [0, 255] : [Math.min(0, least), Math.max(most, 1)]; // biome-ignore format: a line
  if (least >= -0.5 && most <= 1.5) return [0, 1];
  if (least >= -1.5 && most <= 1.5) return [-1, 1];
  if (least >= -64 && most <= 320 && most > 8) return [0, 255];
  return [least, most];
}

function checkKind(name: string, tensor: Tensor, as: Kind, axes: PictureAxes | undefined): void {
  const { shape } = tensor;
  const fits = { values: () => true, classes: () => isRow(shape), picture: () => axes, mask: () => maskOf(tensor) };
  if (fits[as]()) return;
  const forms = { values: "", classes: "a row of numbers", picture: "1, 3 or 4 channels of pixels", mask: maskForm };
  const hint =
    as !== "picture"
      ? ""
      : isMask(tensor)
        ? "; --as mask writes the best class of each pixel, -o FILE.npy all values"
        : "; -o FILE.npy writes its values";
  throw new UsageError(
    `--as ${as}: expected ${forms[as]}, got ${name} ${dtypeOf(tensor)} [${shape.join(", ")}]${hint}`,
  );
}

/** The largest values, and their shares: of probabilities themselves, else their softmax. */
function best(values: readonly number[], top: number, labels: readonly string[] = []): Answer["top"] {
  const probabilities = areProbabilities(values);
  const largest = values.reduce((a, b) => Math.max(a, b));
  const weights = probabilities ? values : values.map((value) => Math.exp(value - largest));
  const total = weights.reduce((a, b) => a + b);
  const order = values.map((value, index) => ({ index, value, share: weights[index]! / total }));
  order.sort((a, b) => b.value - a.value || a.index - b.index);
  return order.slice(0, top).map((one) => ({ ...one, label: labels[one.index] }));
}

export function answerText({
  name,
  dtype,
  shape,
  as,
  guessed,
  other,
  range: ends,
  least,
  most,
  mean,
  top,
  file,
  data,
  labels,
  classes,
}: Answer): string {
  const range = least === undefined ? "" : `  ${number(least)} to ${number(most!)}, mean ${number(mean!)}`;
  const unwritten = as === "picture" || as === "mask" ? " (-o FOLDER/ writes it)" : "";
  const written = file === undefined ? unwritten : `  -> ${file}`;
  const scale = ends ? ` of ${number(ends[0])} to ${number(ends[1])}` : "";
  const doubt = guessed && other ? ` (guess; else --as ${other})` : "";
  const title = `  ${styled("bold", harmless(name))}  ${dtype} ${sides(shape)}${range}  as ${as}${scale}${doubt}${written}`;
  if (!top) return data && as === "values" ? `${title}\n    ${data.map((value) => number(value)).join(", ")}` : title;
  const note = labels === undefined ? [] : [`    --labels: ${plural(labels, "name")} for ${plural(classes!, "class")}`];
  const value = as === "mask" ? "pixels" : "value";
  const rows = top.map(({ index, label, value: own, share }) => [
    `    ${index}`,
    harmless(label ?? ""),
    number(own),
    `${(100 * share).toFixed(1)} %`,
    styled("cyan", bar(share, 20)),
  ]);
  return [title, ...note, table(["    class", "", value, "share", " "], rows, [value, "share"])].join("\n");
}

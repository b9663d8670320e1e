// Resize and its predecessor Upsample: axis by axis, each output a weighted mean of a few elements around its coordinate.
import { axesOf, knownNumbers, listOf, numberOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Samples, Spec, Value } from "../../graph/types.ts";
import { newValue, numbersOf, sizeOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";

interface ResizeAxis {
  input: number;
  output: number;
  /** Output per input. */
  scale: number;
  /** The part of the input that tf_crop_and_resize shows. */
  start: number;
  end: number;
}

type Coordinate = (i: number, axis: ResizeAxis) => number;

const center: Coordinate = (i, { scale }) => (i + 0.5) / scale - 0.5;

const coordinates: Readonly<Record<string, Coordinate>> = {
  half_pixel: center,
  half_pixel_symmetric: (i, axis) => center(i, axis) + (axis.input - axis.output / axis.scale) / 2,
  pytorch_half_pixel: (i, axis) => (axis.output > 1 ? center(i, axis) : 0),
  align_corners: (i, { input, output, scale }) => (output > 1 ? (i * (input - 1)) / (input * scale - 1) : 0),
  asymmetric: (i, { scale }) => i / scale,
  tf_half_pixel_for_nn: (i, { scale }) => (i + 0.5) / scale,
  tf_crop_and_resize: (i, { input, output, start, end }) =>
    (input - 1) * (output > 1 ? start + (i * (end - start)) / (output - 1) : (start + end) / 2),
};

const roundings: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

const isKept = ({ scale, start, end }: ResizeAxis): boolean => scale === 1 && start === 0 && end === 1;

/** Since operator set 11 there are attributes for everything that was fixed before. */
const isModern = (node: GraphNode): boolean => node.op === "Resize" && node.opset >= 11;

function axesIn(node: GraphNode, inputs: readonly (Spec | undefined)[]): ResizeAxis[] {
  const { shape } = required(node, inputs, 0);
  const axes = axesOf(node, listOf(node, "axes") ?? shape.map((_, axis) => axis), shape.length);
  const list = (index: number, what: string, count: number): readonly number[] | undefined => {
    const values = knownNumbers(node, inputs[index], what);
    if (!values?.length) return undefined;
    return values.length === count ? values : refuse(node, `${plural(count, "number")} as ${what}`, values);
  };
  const modern = isModern(node);
  const sizes = modern ? list(3, "sizes", axes.length) : undefined;
  const roi = modern ? list(1, "roi", 2 * axes.length) : undefined;
  const scales = listOf(node, "scales") ?? list(modern ? 2 : 1, "scales", axes.length);
  const ratios = axes.map((axis, i) => (sizes ? sizes[i]! / shape[axis]! : (scales?.[i] ?? 0)));
  if (!ratios.every((ratio) => ratio > 0)) refuse(node, "scales or sizes above 0", sizes ?? scales);
  const policy = textOf(node, "keep_aspect_ratio_policy", ["stretch", "not_larger", "not_smaller"]);
  const stretch = policy === "stretch" || !sizes;
  const common = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return shape.map((input, axis) => {
    const i = axes.indexOf(axis);
    if (i < 0) return { input, output: input, scale: 1, start: 0, end: 1 };
    const scale = stretch ? ratios[i]! : common;
    const output = sizes ? Math.round(input * scale) : Math.floor(input * scale);
    return { input, output, scale, start: roi?.[i] ?? 0, end: roi?.[i + axes.length] ?? 1 };
  });
}

/** Weight of an element at distance d: a triangle, or the cubic convolution of Keys. */
function weightAt(mode: string, d: number, a: number): number {
  if (mode !== "cubic") return Math.max(0, 1 - d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

type Taps = Samples[number];

/** For each output of an axis what it is the mean of; nothing where it lies outside and is extrapolated. */
function tapsOf(node: GraphNode, axis: ResizeAxis): Taps[] {
  const mode = textOf(node, "mode", ["nearest", "linear", "cubic", "bilinear"]);
  const modern = isModern(node);
  const name = textOf(node, "coordinate_transformation_mode", Object.keys(coordinates));
  const coordinate = coordinates[modern ? name : "asymmetric"]!;
  const rounding = textOf(node, "nearest_mode", Object.keys(roundings));
  const round = roundings[modern ? rounding : axis.scale < 1 ? "ceil" : "floor"]!;
  const shrink = numberOf(node, "antialias", 0) ? Math.min(1, axis.scale) : 1;
  const reach = (mode === "cubic" ? 2 : 1) / shrink;
  const exclude = numberOf(node, "exclude_outside", 0) !== 0;
  const a = numberOf(node, "cubic_coeff_a", -0.75);
  const last = axis.input - 1;
  const inside = (at: number): number => Math.min(last, Math.max(0, at));
  return Array.from({ length: axis.output }, (_, i): Taps => {
    const x = coordinate(i, axis);
    if (coordinate === coordinates.tf_crop_and_resize && !(x >= 0 && x <= last)) return [];
    if (mode === "nearest") return [[inside(round(x)), 1]];
    const taps: [number, number][] = [];
    for (let at = Math.floor(x - reach) + 1; at <= x + reach; at++) {
      if (!exclude || at === inside(at)) taps.push([inside(at), weightAt(mode, Math.abs(at - x) * shrink, a)]);
    }
    const sum = taps.reduce((total, [, weight]) => total + weight, 0);
    return taps.map(([at, weight]) => [at, weight / sum]);
  });
}

/** One axis of `from` resampled; the others stay. */
function resample(from: Value, axis: number, taps: readonly Taps[], outside: number): Value {
  const to = newValue("f64", from.shape.with(axis, taps.length));
  const inner = sizeOf(from.shape.slice(axis + 1));
  const [data, out] = [numbersOf(from), numbersOf(to)];
  const block = from.shape[axis]! * inner;
  for (let start = 0, at = 0; at < out.length; start += block) {
    for (const list of taps) {
      for (let j = 0; j < inner; j++) {
        let sum = list.length ? 0 : outside;
        for (const [place, weight] of list) sum += weight * data[start + place * inner + j]!;
        out[at++] = sum;
      }
    }
  }
  return to;
}

function resizing(name: string): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0);
      if (shape.includes(0)) refuse(node, "elements to resize", shape);
      return [{ dtype, shape: axesIn(node, inputs).map(({ output }) => output) }];
    },
    samples: (node, inputs) => axesIn(node, inputs).map((axis) => (isKept(axis) ? undefined : tapsOf(node, axis))),
    run: (node, inputs, [y]) => {
      const outside = numberOf(node, "extrapolation_value", 0);
      const resized = axesIn(node, inputs).reduce((value, axis, i) => {
        return isKept(axis) ? value : resample(value, i, tapsOf(node, axis), outside);
      }, inputs[0]!);
      write(y!, numbersOf(resized));
    },
  };
}

export const resizes: readonly Operator[] = [resizing("Resize"), resizing("Upsample")];

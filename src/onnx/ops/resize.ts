// Resize and its ancestor Upsample: axis by axis, each output a weighted mean of a few elements around its coordinate.
import { axesOf, integersOf, listOf, numberOf, refuse, required, textOf, unsupported } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { isBig, newValue, numbersOf, sizeOf, toBig, write } from "../../graph/values.ts";
import { pick, positions } from "./pick.ts";

type Inputs = readonly (Spec | undefined)[];

interface Axis {
  input: number;
  output: number;
  /** Output per input. */
  scale: number;
  /** The part of the axis that tf_crop_and_resize shows. */
  roi: readonly [start: number, end: number];
}

const coordinates = {
  half_pixel: (i, { scale }) => (i + 0.5) / scale - 0.5,
  half_pixel_symmetric: (i, { input, output, scale }) =>
    (input / 2) * (1 - output / (input * scale)) + (i + 0.5) / scale - 0.5,
  pytorch_half_pixel: (i, { output, scale }) => (output > 1 ? (i + 0.5) / scale - 0.5 : 0),
  align_corners: (i, { input, output, scale }) => (output > 1 ? (i * (input - 1)) / (input * scale - 1) : 0),
  asymmetric: (i, { scale }) => i / scale,
  tf_half_pixel_for_nn: (i, { scale }) => (i + 0.5) / scale,
  tf_crop_and_resize: (i, { input, output, roi: [start, end] }) =>
    output > 1
      ? start * (input - 1) + (i * (end - start) * (input - 1)) / (output - 1)
      : 0.5 * (start + end) * (input - 1),
} satisfies Record<string, (i: number, axis: Axis) => number>;

const roundings = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
} satisfies Record<string, (x: number) => number>;

/** What the node says, in the words of the newest operator set. */
interface Settings {
  mode: "nearest" | "linear" | "cubic";
  coordinate: keyof typeof coordinates;
  round(x: number, scale: number): number;
  /** Known sides, or factors of them, along `axes`. */
  sizes?: readonly number[];
  scales?: readonly number[];
  roi?: readonly number[];
  axes: number[];
}

function settingsOf(node: GraphNode, inputs: Inputs): Settings {
  const rank = required(node, inputs, 0).shape.length;
  const modern = node.op === "Resize" && node.opset >= 11;
  const list = (index: number, what: string): readonly number[] | undefined => {
    const input = inputs[index];
    if (!input || sizeOf(input.shape) === 0) return undefined;
    return input.data ? Array.from(numbersOf({ data: input.data })) : integersOf(node, input, what);
  };
  const mode = textOf(node, "mode", ["nearest", "linear", "cubic", "bilinear"]);
  const axes = axesOf(node, listOf(node, "axes") ?? Array.from({ length: rank }, (_, axis) => axis), rank);
  const common = { mode: mode === "bilinear" ? "linear" : mode, axes } as const;
  if (!modern) {
    const scales = node.op === "Upsample" && node.opset < 9 ? listOf(node, "scales") : list(1, "scales");
    const round = (x: number, scale: number): number => (scale < 1 ? Math.ceil(x) : Math.floor(x));
    return { ...common, coordinate: "asymmetric", round, scales };
  }
  const round = roundings[textOf(node, "nearest_mode", Object.keys(roundings) as (keyof typeof roundings)[])];
  const coordinate = textOf(
    node,
    "coordinate_transformation_mode",
    Object.keys(coordinates) as Settings["coordinate"][],
  );
  const sizes = integersOf(node, inputs[3], "sizes");
  return {
    ...common,
    coordinate,
    round,
    scales: list(2, "scales"),
    sizes: sizes?.length ? sizes : undefined,
    roi: list(1, "roi"),
  };
}

function axesIn(node: GraphNode, inputs: Inputs, { sizes, scales, roi, axes }: Settings): Axis[] {
  const { shape } = required(node, inputs, 0);
  const given = sizes ?? scales ?? refuse(node, "scales or sizes", "neither");
  if (given.length !== axes.length || given.some((v) => !(v > 0))) {
    refuse(node, `${axes.length} scales or sizes above 0`, given);
  }
  if (roi && roi.length !== 2 * axes.length) refuse(node, `${2 * axes.length} numbers as roi`, roi);
  const policy = textOf(node, "keep_aspect_ratio_policy", ["stretch", "not_larger", "not_smaller"]);
  const ratios = axes.map((axis, i) => given[i]! / shape[axis]!);
  const common = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  const result = shape.map((side): Axis => ({ input: side, output: side, scale: 1, roi: [0, 1] }));
  axes.forEach((axis, i) => {
    const input = shape[axis]!;
    const scale = !sizes ? scales![i]! : policy === "stretch" ? ratios[i]! : common;
    const output = !sizes ? Math.floor(input * scale) : policy === "stretch" ? sizes[i]! : Math.round(input * scale);
    result[axis] = { input, output, scale, roi: roi ? [roi[i]!, roi[i + axes.length]!] : [0, 1] };
  });
  return result;
}

/** Weight of an element at distance t: a triangle, or the cubic convolution of Keys. */
function weightAt(mode: Settings["mode"], t: number, a: number): number {
  const d = Math.abs(t);
  if (mode === "linear") return Math.max(0, 1 - d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/** For each output of an axis its taps as [element, weight]; undefined where it lies outside and is extrapolated. */
function tapsOf(
  node: GraphNode,
  { mode, coordinate }: Settings,
  axis: Axis,
): ([at: number, weight: number][] | undefined)[] {
  const stretch = numberOf(node, "antialias", 0) ? Math.min(1, axis.scale) : 1;
  const reach = (mode === "cubic" ? 2 : 1) / stretch;
  const exclude = numberOf(node, "exclude_outside", 0) !== 0;
  const a = numberOf(node, "cubic_coeff_a", -0.75);
  const last = axis.input - 1;
  return Array.from({ length: axis.output }, (_, i) => {
    const x = coordinates[coordinate](i, axis);
    if (coordinate === "tf_crop_and_resize" && (x < 0 || x > last)) return undefined;
    const taps: [number, number][] = [];
    for (let at = Math.floor(x - reach) + 1; at <= x + reach; at++) {
      if (exclude && (at < 0 || at > last)) continue;
      taps.push([Math.min(last, Math.max(0, at)), weightAt(mode, (at - x) * stretch, a)]);
    }
    const sum = taps.reduce((total, [, weight]) => total + weight, 0);
    return taps.map(([at, weight]) => [at, weight / sum]);
  });
}

/** One axis of `from` resampled; the others stay. */
function resample(from: Value, axis: number, taps: ReturnType<typeof tapsOf>, outside: number): Value {
  const to = newValue("f64", from.shape.with(axis, taps.length));
  const inner = sizeOf(from.shape.slice(axis + 1));
  const [data, out] = [numbersOf(from), numbersOf(to)];
  const [block, blockOut] = [from.shape[axis]! * inner, taps.length * inner];
  for (let start = 0, at = 0; start < data.length; start += block, at += blockOut) {
    taps.forEach((list, i) => {
      for (let j = 0; j < inner; j++) {
        let sum = list ? 0 : outside;
        for (const [place, weight] of list ?? []) sum += weight * data[start + place * inner + j]!;
        out[at + i * inner + j] = sum;
      }
    });
  }
  return to;
}

function nearest(node: GraphNode, { coordinate, round }: Settings, axes: readonly Axis[], x: Value, y: Value): void {
  const lists = axes.map((axis) => {
    const last = axis.input - 1;
    return positions(axis.output, (i) => {
      const at = coordinates[coordinate](i, axis);
      if (coordinate === "tf_crop_and_resize" && (at < 0 || at > last)) return -1;
      return Math.min(last, Math.max(0, round(at, axis.scale)));
    });
  });
  const outside = numberOf(node, "extrapolation_value", 0);
  pick(y, x, lists, isBig(x.dtype) ? toBig(outside) : outside);
}

function resizing(name: string): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0);
      const settings = settingsOf(node, inputs);
      if (settings.mode !== "nearest" && shape.includes(0)) refuse(node, "elements to interpolate", shape);
      if (settings.mode !== "nearest" && isBig(dtype)) unsupported(node, "floats", dtype);
      return [{ dtype, shape: axesIn(node, inputs, settings).map(({ output }) => output) }];
    },
    run: (node, inputs, [y]) => {
      const x = inputs[0]!;
      const settings = settingsOf(node, inputs);
      const axes = axesIn(node, inputs, settings);
      if (settings.mode === "nearest") return nearest(node, settings, axes, x, y!);
      const outside = numberOf(node, "extrapolation_value", 0);
      const moving = axes.flatMap((axis, i) =>
        axis.scale === 1 && settings.coordinate !== "tf_crop_and_resize" ? [] : [i],
      );
      const resized = moving.reduce((value, i) => resample(value, i, tapsOf(node, settings, axes[i]!), outside), x);
      write(y!, numbersOf(resized));
    },
  };
}

export const resizes: readonly Operator[] = [resizing("Resize"), resizing("Upsample")];

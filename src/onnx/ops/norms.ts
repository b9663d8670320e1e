// Norms that networks of images name less often: LRN, LpNormalization, LayerNormalization, RMSNormalization,
// GroupNormalization, MeanVarianceNormalization. Each has a function that reads its parameters.
import { axesOf, countOf, floats, listOf, numberOf, refuse, required, reshaped } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { newValue, numbersOf, sizeOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";
import { axisIn, broadcastShape, combine, forLines, linesOf } from "./loops.ts";

/** y = x / (bias + scale · the sum of squares of channels c − before to c + after) ** beta. */
export interface ChannelNorm {
  before: number;
  after: number;
  /** Alpha by the number of channels in the sum. */
  scale: number;
  beta: number;
  bias: number;
}

export function lrnOf(node: GraphNode): ChannelNorm {
  const size = countOf(node, "size");
  const [alpha, beta, bias] = [numberOf(node, "alpha", 1e-4), numberOf(node, "beta", 0.75), numberOf(node, "bias", 1)];
  return { before: Math.floor((size - 1) / 2), after: Math.ceil((size - 1) / 2), scale: alpha / size, beta, bias };
}

export const lrn: Operator = {
  name: "LRN",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0, floats);
    lrnOf(node);
    return shape.length < 2 ? refuse(node, "a batch of channels", shape) : [{ dtype, shape }];
  },
  run: (node, [x], [y]) => {
    const { before, after, scale, beta, bias } = lrnOf(node);
    const data = numbersOf(x!);
    const lines = linesOf(x!, 1);
    const [squares, line] = [new Float64Array(lines.length), new Float64Array(lines.length)];
    const out = newValue("f64", x!.shape);
    if (data.length === 0) return;
    forLines(lines, data.length, (start) => {
      for (let c = 0; c < line.length; c++) squares[c] = (line[c] = data[start + c * lines.inner]!) ** 2;
      for (let c = 0; c < line.length; c++) {
        let sum = 0;
        for (let i = Math.max(0, c - before); i <= Math.min(line.length - 1, c + after); i++) sum += squares[i]!;
        numbersOf(out)[start + c * lines.inner] = line[c]! / (bias + scale * sum) ** beta;
      }
    });
    write(y!, numbersOf(out));
  },
};

export function lpNormOf(node: GraphNode, x: Spec): { axis: number; p: 1 | 2 } {
  const p = numberOf(node, "p", 2);
  return { axis: axisIn(node, x, -1), p: p === 1 || p === 2 ? p : refuse(node, "1 or 2 as p", p) };
}

export const lpNormalization: Operator = {
  name: "LpNormalization",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0, floats);
    lpNormOf(node, { dtype, shape });
    return [{ dtype, shape }];
  },
  run: (node, [x], [y]) => {
    const { axis, p } = lpNormOf(node, x!);
    const data = numbersOf(x!);
    const lines = linesOf(x!, axis);
    const out = new Float64Array(data.length);
    if (data.length === 0) return;
    forLines(lines, data.length, (start) => {
      let sum = 0;
      for (let i = 0; i < lines.length; i++) sum += Math.abs(data[start + i * lines.inner]!) ** p;
      // Zeros stay.
      const norm = sum ** (1 / p) || 1;
      for (let i = 0; i < lines.length; i++) out[start + i * lines.inner] = data[start + i * lines.inner]! / norm;
    });
    write(y!, out);
  },
};

/** Neighbouring elements are normalised together, `size` of them at a time. */
export interface BlockNorm {
  size: number;
  epsilon: number;
  /** Without it the mean counts as 0. */
  centred: boolean;
}

/** Of LayerNormalization and RMSNormalization: all axes from one on. */
export function layerNormOf(node: GraphNode, x: Spec): BlockNorm & { axis: number } {
  const axis = axisIn(node, x, -1);
  const centred = !node.op.includes("RMS") && !node.op.includes("SimplifiedLayer");
  return { axis, size: sizeOf(x.shape.slice(axis)), epsilon: numberOf(node, "epsilon", 1e-5), centred };
}

/** Of GroupNormalization: all channels of a group. */
export function groupNormOf(node: GraphNode, x: Spec): BlockNorm & { groups: number } {
  const groups = countOf(node, "num_groups");
  const channels = x.shape[1] ?? 0;
  if (channels % groups !== 0) refuse(node, `channels in ${plural(groups, "group")}`, x.shape);
  const size = sizeOf(x.shape.slice(1)) / groups;
  return { groups, size, epsilon: numberOf(node, "epsilon", 1e-5), centred: true };
}

/** Writes (x − mean) / √(variance + epsilon) to `out`; tells mean and factor of each block. */
export function normalizeBlocks(
  data: Float64Array,
  out: Float64Array,
  { size, epsilon, centred }: BlockNorm,
  tell?: (block: number, mean: number, factor: number) => void,
): void {
  for (let start = 0, block = 0; start < data.length; start += size, block++) {
    let [mean, square] = [0, 0];
    if (centred) for (let i = 0; i < size; i++) mean += data[start + i]! / size;
    for (let i = 0; i < size; i++) square += (data[start + i]! - mean) ** 2;
    const factor = 1 / Math.sqrt(square / size + epsilon);
    for (let i = 0; i < size; i++) out[start + i] = (data[start + i]! - mean) * factor;
    tell?.(block, mean, factor);
  }
}

/** y = normalised · scale + bias, of which both broadcast. */
function finishNorm(y: Value, normalised: Float64Array, scale: Value | undefined, bias: Value | undefined): void {
  const f64 = (value: Value): Value => ({ ...value, dtype: "f64", data: numbersOf(value) });
  const found: Value = { dtype: "f64", shape: y.shape, data: normalised };
  if (scale) combine(found, [found, f64(scale)], (x, factor) => x * factor);
  if (bias) combine(found, [found, f64(bias)], (x, offset) => x + offset);
  write(y, normalised);
}

function layerNorm(name: string): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const x = required(node, inputs, 0, floats);
      const { axis } = layerNormOf(node, x);
      for (const one of [required(node, inputs, 1, floats), inputs[2]]) {
        if (one && `${broadcastShape(node, [x, one])}` !== `${x.shape}`) {
          refuse(node, `scale and bias that fit [${x.shape}]`, one.shape);
        }
      }
      const kept = x.shape.map((side, i) => (i < axis ? side : 1));
      return [x.shape, kept, kept].map((shape) => ({ dtype: x.dtype, shape }));
    },
    run: (node, [x, scale, bias], [y, means, factors]) => {
      const normalised = new Float64Array(x!.data.length);
      normalizeBlocks(numbersOf(x!), normalised, layerNormOf(node, x!), (block, mean, factor) => {
        if (means) write(means, [mean], block);
        if (factors) write(factors, [factor], block);
      });
      finishNorm(y!, normalised, scale, bias);
    },
  };
}

/** One number a channel; before operator set 21 one a group. */
function perChannel<T extends Spec>(node: GraphNode, x: Spec, groups: number, inputs: readonly (T | undefined)[]): T[] {
  const channels = x.shape[1]!;
  const count = node.opset < 21 ? groups : channels;
  return [1, 2].map((i) => {
    const { shape } = required(node, inputs, i, floats);
    if (`${shape}` !== `${count}`) refuse(node, `${plural(count, "number")} as input ${i}`, shape);
    return inputs[i]!;
  });
}

/** A number for each channel, in a shape that broadcasts over its places. */
function spread(value: Value, { shape }: Spec): Value {
  const channels = shape[1]!;
  const list = numbersOf(value);
  const each = channels / list.length;
  const data = Float64Array.from({ length: channels }, (_, c) => list[Math.floor(c / each)]!);
  return reshaped<Value>({ dtype: "f64", shape: [], data }, [channels, ...shape.slice(2).map(() => 1)]);
}

export const groupNormalization: Operator = {
  name: "GroupNormalization",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0, floats);
    perChannel(node, { dtype, shape }, groupNormOf(node, { dtype, shape }).groups, inputs);
    return [{ dtype, shape }];
  },
  run: (node, inputs, [y]) => {
    const x = inputs[0]!;
    const norm = groupNormOf(node, x);
    const [scale, bias] = perChannel(node, x, norm.groups, inputs).map((one) => spread(one, x));
    const normalised = new Float64Array(x.data.length);
    normalizeBlocks(numbersOf(x), normalised, norm);
    finishNorm(y!, normalised, scale, bias);
  },
};

/** The axes over which MeanVarianceNormalization takes means. */
export function meanVarianceAxes(node: GraphNode, x: Spec): number[] {
  return axesOf(node, listOf(node, "axes") ?? [0, 2, 3].slice(0, Math.max(1, x.shape.length - 1)), x.shape.length);
}

export const meanVarianceNormalization: Operator = {
  name: "MeanVarianceNormalization",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0, floats);
    meanVarianceAxes(node, { dtype, shape });
    return [{ dtype, shape }];
  },
  run: (node, [x], [y]) => {
    const axes = meanVarianceAxes(node, x!);
    const kept = x!.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
    const [data, count] = [numbersOf(x!), sizeOf(x!.shape) / sizeOf(kept)];
    const [means, squares] = [new Float64Array(sizeOf(kept)), new Float64Array(sizeOf(kept))];
    const places = placesIn(x!.shape, kept);
    for (let i = 0; i < data.length; i++) means[places[i]!]! += data[i]! / count;
    for (let i = 0; i < data.length; i++) squares[places[i]!]! += (data[i]! - means[places[i]!]!) ** 2 / count;
    write(
      y!,
      Float64Array.from(data, (value, i) => (value - means[places[i]!]!) / (Math.sqrt(squares[places[i]!]!) + 1e-9)),
    );
  },
};

/** Of each element, in row-major order, the one that stands for it in a tensor with some sides of 1. */
function placesIn(shape: readonly number[], kept: readonly number[]): Int32Array {
  let places = Int32Array.of(0);
  shape.forEach((side, axis) => {
    const width = kept[axis]!;
    const next = new Int32Array(places.length * side);
    for (let i = 0; i < next.length; i++)
      next[i] = places[Math.floor(i / side)]! * width + (width === 1 ? 0 : i % side);
    places = next;
  });
  return places;
}

export const norms: readonly Operator[] = [
  ...[lrn, lpNormalization, layerNorm("LayerNormalization"), layerNorm("RMSNormalization")],
  ...[layerNorm("SimplifiedLayerNormalization"), groupNormalization, meanVarianceNormalization],
];

// Quantized operators: QuantizeLinear, DequantizeLinear, and ConvInteger and QLinearConv, convolutions of 8-bit numbers
// less their zero points.
import { axisOf, floats, numberOf, refuse, required, unsupported } from "../../graph/nodes.ts";
import { ranges } from "../../graph/quantized/expansion.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { heldAs, numbersOf, sizeOf, write } from "../../graph/values.ts";
import { roundEven } from "../../kernels/expression/formulas.ts";
import type { DType } from "../../tensor.ts";
import { dtypeOf } from "../tensors.ts";
import { convolutionOf, convolve } from "./convolve.ts";

export const quantized = Object.keys(ranges) as DType[];

/** One number, or one for each slice along the axis. */
export function checkPerAxis(node: GraphNode, what: string, { shape }: Spec, slices: number): void {
  if (shape.length <= 1 && (sizeOf(shape) === 1 || sizeOf(shape) === slices)) return;
  refuse(node, `one number or ${slices} as ${what}`, shape);
}

/** Of slice `i`; 0 where it is left out. */
export function perAxis(value: Value | undefined): (slice: number) => number {
  if (!value) return () => 0;
  const numbers = numbersOf(value);
  return numbers.length === 1 ? () => numbers[0]! : (slice) => numbers[slice]!;
}

/** To the nearest integer, halves to the even one, within the type. */
export function saturate(value: number, dtype: DType): number {
  const [least, most] = ranges[dtype]!;
  return Math.min(most, Math.max(least, roundEven(value)));
}

/** The elements of each slice along the first axis after `before` others, less the zero point of the slice. */
export function centred(value: Value, zeroPoint: Value | undefined, slices: number, inner: number): Float64Array {
  const zero = perAxis(zeroPoint);
  return Float64Array.from(numbersOf(value), (x, i) => x - zero(Math.floor(i / inner) % slices));
}

interface Slices {
  count: number;
  /** Elements of a slice that lie together. */
  inner: number;
}

function slicesOf(node: GraphNode, x: Spec, scale: Spec, zeroPoint: Spec | undefined): Slices {
  if (numberOf(node, "block_size", 0) !== 0) unsupported(node, "scales of a tensor or an axis", "of blocks");
  const axis = sizeOf(scale.shape) > 1 ? axisOf(node, numberOf(node, "axis", 1), x.shape.length) : x.shape.length;
  const count = x.shape[axis] ?? 1;
  checkPerAxis(node, "scale", scale, count);
  if (zeroPoint) checkPerAxis(node, "zero point", zeroPoint, count);
  return { count, inner: sizeOf(x.shape.slice(axis + 1)) };
}

function outputType(node: GraphNode, zeroPoint: Spec | undefined): DType {
  const named = numberOf(node, "output_dtype", 0);
  const dtype = zeroPoint?.dtype ?? (named ? heldAs(dtypeOf(BigInt(named), `node ${node.name}`)) : "u8");
  return quantized.includes(dtype) ? dtype : unsupported(node, `a result of ${quantized.join(", ")}`, dtype);
}

export const quantizeLinear: Operator = {
  name: "QuantizeLinear",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0, [...floats, "i32"]);
    slicesOf(node, x, required(node, inputs, 1, floats), inputs[2]);
    return [{ dtype: outputType(node, inputs[2]), shape: x.shape }];
  },
  run: (node, [x, scales, zeros], [y]) => {
    const { count, inner } = slicesOf(node, x!, scales!, zeros);
    const [scale, zero] = [perAxis(scales), perAxis(zeros)];
    const numbers = Float64Array.from(numbersOf(x!), (value, i) => {
      const slice = Math.floor(i / inner) % count;
      return saturate(roundEven(Math.fround(value / scale(slice))) + zero(slice), y!.dtype);
    });
    write(y!, numbers);
  },
};

export const dequantizeLinear: Operator = {
  name: "DequantizeLinear",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0, [...quantized, "i32"]);
    const scale = required(node, inputs, 1, floats);
    slicesOf(node, x, scale, inputs[2]);
    return [{ dtype: scale.dtype, shape: x.shape }];
  },
  run: (node, [x, scales, zeros], [y]) => {
    const { count, inner } = slicesOf(node, x!, scales!, zeros);
    const scale = perAxis(scales);
    const numbers = centred(x as Value, zeros, count, inner);
    write(
      y!,
      numbers.map((value, i) => value * scale(Math.floor(i / inner) % count)),
    );
  },
};

/** ONNX Runtime's own, which came before ONNX had them for 16 bits: the same. */
export const microsoft: readonly Operator[] = [quantizeLinear, dequantizeLinear].map((operator) => ({
  ...operator,
  name: `com.microsoft.${operator.name}`,
}));

export const bytes = quantized.slice(0, 2);

/** A sum of products as a quantised number; in floats, as kernels and ONNX Runtime do it. */
export const requantize = (sum: number, factor: number, zero: number, dtype: DType): number =>
  saturate(roundEven(Math.fround(Math.fround(sum) * factor)) + zero, dtype);

/** The factor of such sums. */
export const factorOf = (x: number, weight: number, y: number): number =>
  Math.fround(Math.fround(Math.fround(x) * Math.fround(weight)) / Math.fround(y));

/** The weight less its zero points, one for all or one an output channel. */
function centredWeight(weight: Value, zeroPoint: Value | undefined): Float64Array {
  return centred(weight, zeroPoint, weight.shape[0]!, sizeOf(weight.shape.slice(1)));
}

export const convInteger: Operator = {
  name: "ConvInteger",
  infer: (node, inputs) => {
    const [x, weight] = [required(node, inputs, 0, bytes), required(node, inputs, 1, bytes)];
    const { shape, outChannels } = convolutionOf(node, x, weight);
    if (inputs[2]) checkPerAxis(node, "zero point of the input", inputs[2], 1);
    if (inputs[3]) checkPerAxis(node, "zero point of the weight", inputs[3], outChannels);
    return [{ dtype: "i32", shape }];
  },
  *run(node, [x, weight, xZero, weightZero], [y]) {
    const convolution = convolutionOf(node, x!, weight!);
    yield* convolve(convolution, centred(x!, xZero, 1, 1), centredWeight(weight!, weightZero), (sums, _, at) => {
      write(y!, sums, at);
    });
  },
};

export const qLinearConv: Operator = {
  name: "QLinearConv",
  infer: (node, inputs) => {
    const [x, weight] = [required(node, inputs, 0, bytes), required(node, inputs, 3, bytes)];
    const { shape, outChannels } = convolutionOf(node, x, weight, inputs[8]);
    for (const [index, what] of ["", "input", "input", "", "weight", "weight", "output", "output"].entries()) {
      if (what)
        checkPerAxis(
          node,
          `scale or zero point of the ${what}`,
          required(node, inputs, index),
          what === "weight" ? outChannels : 1,
        );
    }
    return [{ dtype: required(node, inputs, 7, bytes).dtype, shape }];
  },
  *run(node, [x, xScale, xZero, weight, weightScale, weightZero, yScale, yZero, bias], [y]) {
    const [scaleX, scaleWeight, scaleY, zeroY, offset] = [xScale, weightScale, yScale, yZero, bias].map(perAxis);
    const convolution = convolutionOf(node, x!, weight!, bias);
    yield* convolve(convolution, centred(x!, xZero, 1, 1), centredWeight(weight!, weightZero), (sums, channel, at) => {
      const factor = factorOf(scaleX!(0), scaleWeight!(channel), scaleY!(0));
      write(
        y!,
        sums.map((sum) => requantize(sum + offset!(channel), factor, zeroY!(0), y!.dtype)),
        at,
      );
    });
  },
};

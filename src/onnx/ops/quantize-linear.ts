// ONNX Runtime's operators on quantised values that are one on real numbers (graph/quantized/linear.ts): dequantise, compute,
// quantise. With those that the pass over quantised networks writes.
import { numberOf, required } from "../../graph/nodes.ts";
import { linearOperators, operandsOf, realNode } from "../../graph/quantized/linear.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { newValue, numbersOf, write } from "../../graph/values.ts";
import { roundEven } from "../../kernels/expression/formulas.ts";
import { common } from "./common.ts";
import { broadcastShape, combine } from "./loops.ts";
import { bytes, centred, checkPerAxis, perAxis, saturate } from "./quantize.ts";

const onReals = new Map(common.map((operator) => [operator.name, operator]));

const linear = (name: string): Operator => {
  const { op, result } = linearOperators[name]!;
  const real = onReals.get(op)!;
  const named = (node: GraphNode): GraphNode => realNode(node, operandsOf(node).map(String), "y");
  return {
    name,
    infer: (node, inputs) => {
      const given = operandsOf(node).map((triple): Spec => {
        for (const i of triple.slice(1)) if (inputs[i]) checkPerAxis(node, `input ${i}`, inputs[i], 1);
        required(node, inputs, triple[1]);
        return { dtype: "f32", shape: required(node, inputs, triple[0], bytes).shape };
      });
      checkPerAxis(node, "scale of the output", required(node, inputs, result[0]), 1);
      const dtype = inputs[result[1]]?.dtype ?? required(node, inputs, operandsOf(node)[0]![0]).dtype;
      return [{ dtype, shape: real.infer(named(node), given)[0]!.shape }];
    },
    run: (node, inputs, [y]) => {
      const reals = operandsOf(node).map(([x, scale, zero]): Value => {
        const [value, factor] = [inputs[x]!, perAxis(inputs[scale])(0)];
        const data = Float32Array.from(centred(value, inputs[zero], 1, 1), (q) => q * factor);
        return { dtype: "f32", shape: value.shape, data };
      });
      const made = newValue("f32", y!.shape);
      real.run!(named(node), reals, [made]);
      const [scale, zero] = result.map((i) => perAxis(inputs[i])(0)) as [number, number];
      write(
        y!,
        numbersOf(made).map((value) => saturate(roundEven(Math.fround(value / scale)) + zero, y!.dtype)),
      );
    },
  };
};

/** Real numbers to integers less their zero point: times a factor or divided by it, within bounds, to the nearest integer. */
const requantize: Operator = {
  name: "Requantize",
  infer: (node, inputs) => {
    const all = [0, 1].map((i) => required(node, inputs, i, ["f32"]));
    return [{ dtype: "f32", shape: broadcastShape(node, all) }];
  },
  run: (node, [x, factor, limit], [y]) => {
    const [low, high] = [numberOf(node, "low", -Infinity), perAxis(limit)];
    const most = limit ? high(0) : numberOf(node, "high", Infinity);
    const divides = numberOf(node, "divide", 0) !== 0;
    combine(y!, [x!, factor!], (a, b) =>
      roundEven(Math.min(most, Math.max(low, Math.fround(divides ? a / b : a * b)))),
    );
  },
};

/** What DynamicQuantizeLinear finds from the least and the largest value: the scale. */
const dynamicScale: Operator = {
  name: "DynamicScale",
  infer: (node, inputs) => [{ dtype: "f32", shape: required(node, inputs, 0, ["f32"]).shape }],
  run: (_node, [least, most], [y]) => {
    const range = Math.fround(Math.max(0, numbersOf(most!)[0]!) - Math.min(0, numbersOf(least!)[0]!));
    write(y!, [range === 0 ? 1 : range / 255]);
  },
};

/** And from the least and the scale: the largest integer less the zero point. */
const dynamicLimit: Operator = {
  name: "DynamicLimit",
  infer: (node, inputs) => [{ dtype: "f32", shape: required(node, inputs, 0, ["f32"]).shape }],
  run: (_node, [least, scale], [y]) => {
    const zero = Math.fround(-Math.min(0, numbersOf(least!)[0]!) / numbersOf(scale!)[0]!);
    write(y!, [255 - saturate(zero, "u8")]);
  },
};

export const quantizedLinear: readonly Operator[] = [
  ...Object.keys(linearOperators).map(linear),
  ...[requantize, dynamicScale, dynamicLimit],
];

// Lowering rules for convolutions and matrix products of integers that floats hold: by kernels for integers of 16 bits.
import { integerWeights } from "../../kernels/conv-integer/layout.ts";
import type { LayerWeights } from "../../kernels/kernel.ts";
import { windowOf as layerWindow, pointwiseWindow, weights } from "../../kernels/layer.ts";
import type { ConvIntegerSpec, LayerWindow } from "../../plan/types.ts";
import type { Tensor } from "../../tensor.ts";
import {
  asIntegers,
  constantOf,
  type Held,
  type Lowered,
  type LoweringContext,
  type LoweringRule,
  read,
  stages,
  windowFrom,
  write,
} from "../lowering.ts";
import { numberOf } from "../nodes.ts";
import { type Order, sidesIn } from "../places.ts";
import type { GraphNode } from "../types.ts";
import { numbersOf } from "../values.ts";
import { windowOf } from "../window.ts";

interface Parts {
  order: Order;
  window: LayerWindow;
  weight: Tensor;
  weightOrder: LayerWeights["order"];
}

function integers(node: GraphNode, context: LoweringContext, parts: Parts): Lowered | undefined {
  const { order, window, weight, weightOrder } = parts;
  const [name, to] = [node.inputs[0]!, node.outputs[0]!];
  const [x, sides] = [read(name, order, context), sidesIn(context.specs.get(to)!.shape, order)];
  const from = sidesIn(context.specs.get(name)!.shape, order);
  const [bias, factors] = [2, 3].map((i) => constantOf(node.inputs[i], context));
  const missing = [bias, factors].some((tensor, i) => node.inputs[i + 2] && !tensor);
  if (!x || !sides || !from || missing) return undefined;
  const round: ConvIntegerSpec["round"] =
    node.attributes.high === undefined ? undefined : [numberOf(node, "low"), numberOf(node, "high")];
  const kernel: ConvIntegerSpec = {
    ...{ family: "conv-integer", ...window, inputs: from[3], outputs: sides[3], ...(round && { round }) },
  };
  const { buffer, held } = write(to, order, context);
  const narrow = round !== undefined && context.integers.has(to);
  const result = narrow ? asIntegers(buffer) : buffer;
  const own: Held = narrow ? { ...held, id: result.id, dtype: "i16" } : held;
  const constant = { ...weights(`${held.id}: weight`, integerWeights(kernel)), dtype: "i32" as const };
  const given: LayerWeights = {
    ...{ weight: weight.data as Float32Array, order: weightOrder },
    ...(bias && { bias: numbersOf(bias) }),
    ...(factors && { factors: numbersOf(factors) }),
  };
  const source = asIntegers(x);
  const step = { name: node.op, kernel, reads: [source.id, constant.id], writes: result.id };
  return stages([source, constant, result], [step], [own], [[constant.id, given]]);
}

/** A grouped weight as one without groups, zeros where groups do not meet: products of integers with them are 0. */
function ungrouped({ data, shape }: Tensor, groups: number): Tensor {
  const [outputs, each, kh, kw] = shape as [number, number, number, number];
  const [taps, inputs] = [kh * kw, each * groups];
  const dense = new Float32Array(outputs * inputs * taps);
  for (let o = 0; o < outputs; o++) {
    const first = Math.floor(o / (outputs / groups)) * each;
    const from = (data as Float32Array).subarray(o * each * taps, (o + 1) * each * taps);
    dense.set(from, (o * inputs + first) * taps);
  }
  return { shape: [outputs, inputs, kh, kw], data: dense };
}

const conv: LoweringRule = (node, context) => {
  const weight = constantOf(node.inputs[1], context);
  const shape = context.specs.get(node.inputs[0]!)!.shape;
  if (weight?.shape.length !== 4 || shape.length !== 4) return undefined;
  const window = layerWindow(windowFrom(windowOf(node, shape, weight.shape.slice(2))));
  const groups = numberOf(node, "group", 1);
  const dense = groups > 1 ? ungrouped(weight, groups) : weight;
  return integers(node, context, { order: "channels last", window, weight: dense, weightOrder: "OIHW" });
};

const product: LoweringRule = (node, context) => {
  const weight = constantOf(node.inputs[1], context);
  if (weight?.shape.length !== 2 || context.specs.get(node.inputs[0]!)!.shape.length < 2) return undefined;
  return integers(node, context, { order: "plain", window: pointwiseWindow, weight, weightOrder: "HWIO" });
};

/** By the operator's name. */
export const integerRules: Readonly<Record<string, LoweringRule>> = { QuantizedConv: conv, QuantizedMatMul: product };

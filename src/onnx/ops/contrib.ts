// Operators of com.microsoft that are none of ONNX's: FastGelu, BiasGelu, FusedMatMul, SkipLayerNormalization.

import { activations } from "../../graph/activations.ts";
import { floats, numberOf, refuse, required, reshaped } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { asFloat64, newValue, numbersOf, write } from "../../graph/values.ts";
import { broadcastShape, combine } from "./loops.ts";
import { matMul, multiplied } from "./mat-mul.ts";
import { normalizeBlocks } from "./norms.ts";
import { permuted } from "./pick.ts";
import { copyView } from "./words.ts";

const f64 = (value: Value): Value => ({ ...value, dtype: "f64", data: numbersOf(value) });

/** An activation of the sum of an input and, where it is there, a bias along the last axis. */
function biased(name: string, activation: string): Operator {
  const { apply } = activations[activation]!;
  return {
    name: `com.microsoft.${name}`,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0, floats);
      const bias = inputs[1] && required(node, inputs, 1, [dtype]);
      if (bias && `${bias.shape}` !== `${shape.at(-1)}`) refuse(node, `a bias of ${shape.at(-1)} numbers`, bias.shape);
      return [{ dtype, shape }];
    },
    run: (_node, [x, bias], [y]) => {
      const sums = newValue("f64", y!.shape);
      combine(sums, bias ? [x!, bias].map(f64) : [f64(x!)], (value, offset) =>
        apply(bias ? value + offset : value, 0, 0),
      );
      write(y!, numbersOf(sums));
    },
  };
}

/** The last two axes exchanged, or the batch axes moved behind the rows. */
function turned<T extends Spec>(node: GraphNode, input: T, side: "A" | "B"): { spec: T; order: number[] } {
  const axes = input.shape.map((_, axis) => axis);
  const rank = axes.length;
  const batch = numberOf(node, `transBatch${side}`, 0) !== 0 && rank > 2;
  const [swap, order] = [
    numberOf(node, `trans${side}`, 0) !== 0 && rank > 1,
    batch ? [...axes.slice(1, -1), 0, rank - 1] : axes,
  ];
  if (swap) order.splice(rank - 2, 2, order[rank - 1]!, order[rank - 2]!);
  return {
    spec: reshaped(
      input,
      order.map((axis) => input.shape[axis]!),
    ),
    order,
  };
}

/** The elements in the order of such axes. */
function reordered(value: Value, order: readonly number[]): Value {
  const shape = order.map((axis) => value.shape[axis]!);
  const found = newValue("f64", shape);
  copyView(found.data, asFloat64(value), permuted(value.shape, order));
  return found;
}

const fusedMatMul: Operator = {
  name: "com.microsoft.FusedMatMul",
  infer: (node, inputs) => {
    const sides = (["A", "B"] as const).map((side, i) => turned(node, required(node, inputs, i, floats), side).spec);
    return matMul.infer(
      node,
      sides.map(({ dtype, shape }) => ({ dtype, shape })),
    );
  },
  *run(node, inputs, [y]) {
    const sides = (["A", "B"] as const).map((side, i) => reordered(inputs[i]!, turned(node, inputs[i]!, side).order));
    const product = newValue("f64", y!.shape);
    yield* multiplied(node, sides, product);
    const alpha = numberOf(node, "alpha", 1);
    write(
      y!,
      numbersOf(product).map((value) => alpha * value),
    );
  },
};

/** Normalises input + skip (+ bias) along the last axis; without a mean where simplified. */
function skipNorm(name: string, centred: boolean): Operator {
  return {
    name: `com.microsoft.${name}`,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0, floats);
      const x = { dtype, shape };
      for (const one of [required(node, inputs, 1, [dtype]), required(node, inputs, 2), ...inputs.slice(3)]) {
        if (one && `${broadcastShape(node, [x, one])}` !== `${shape}`)
          refuse(node, `inputs that fit [${shape}]`, one.shape);
      }
      const means = { dtype, shape: shape.with(-1, 1) };
      return [x, means, means, x];
    },
    run: (node, [x, skip, gamma, ...more], [y, means, factors, sum]) => {
      const [beta, bias] = centred ? more : [undefined, more[0]];
      const [sums, found] = [newValue("f64", y!.shape), newValue("f64", y!.shape)];
      combine(sums, [x!, skip!, ...(bias ? [bias] : [])].map(f64), (a, b, c) => a + b + (bias ? c : 0));
      const norm = { size: y!.shape.at(-1)!, epsilon: numberOf(node, "epsilon", 1e-12), centred };
      normalizeBlocks(numbersOf(sums), numbersOf(found), norm, (block, mean, factor) => {
        if (means) write(means, [mean], block);
        if (factors) write(factors, [factor], block);
      });
      combine(found, [found, gamma!, ...(beta ? [beta] : [])].map(f64), (a, b, c) => a * b + (beta ? c : 0));
      write(y!, numbersOf(found));
      if (sum) write(sum, numbersOf(sums));
    },
  };
}

export const contrib: readonly Operator[] = [
  ...[biased("FastGelu", "GeluTanh"), biased("BiasGelu", "Gelu"), fusedMatMul],
  ...[skipNorm("SkipLayerNormalization", true), skipNorm("SkipSimplifiedLayerNormalization", false)],
];

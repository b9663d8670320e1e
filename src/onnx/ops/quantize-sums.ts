// Convolutions and matrix products of integers that floats hold, which the pass over quantised networks writes: sums times a factor
// of their output and, where bounds are given, rounded within them.
import { numberOf, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Value } from "../../graph/types.ts";
import { newValue, numbersOf, write } from "../../graph/values.ts";
import { roundEven } from "../../kernels/expression/formulas.ts";
import { convolutionOf, convolve } from "./convolve.ts";
import { matMul, multiplied } from "./mat-mul.ts";
import { perAxis } from "./quantize.ts";

/** What becomes of a sum. */
function finishOf(node: GraphNode, bias: Value | undefined, factors: Value | undefined) {
  const [added, factor] = [perAxis(bias), factors ? perAxis(factors) : () => 1];
  const rounds = node.attributes.high !== undefined;
  const [low, high] = rounds ? [numberOf(node, "low"), numberOf(node, "high")] : [0, 0];
  return (sum: number, output: number): number => {
    const value = Math.fround(Math.fround(sum + added(output)) * factor(output));
    return rounds ? roundEven(Math.min(high, Math.max(low, value))) : value;
  };
}

const quantizedConv: Operator = {
  name: "QuantizedConv",
  infer: (node, inputs) => {
    const [x, weight] = [required(node, inputs, 0, ["f32"]), required(node, inputs, 1, ["f32"])];
    return [{ dtype: "f32", shape: convolutionOf(node, x, weight, inputs[2]).shape }];
  },
  *run(node, [x, weight, bias, factors], [y]) {
    const finish = finishOf(node, bias, factors);
    const [from, weights] = [x!, weight!].map((value) => Float64Array.from(numbersOf(value)));
    yield* convolve(convolutionOf(node, x!, weight!, bias), from!, weights!, (sums, channel, at) => {
      write(
        y!,
        sums.map((sum) => finish(sum, channel)),
        at,
      );
    });
  },
};

const quantizedMatMul: Operator = {
  name: "QuantizedMatMul",
  infer: (node, inputs) => matMul.infer(node, inputs.slice(0, 2)),
  *run(node, [x, weight, bias, factors], [y]) {
    const sums = newValue("f64", y!.shape);
    yield* multiplied(node, [x!, weight!], sums);
    const [finish, columns] = [finishOf(node, bias, factors), weight!.shape.at(-1)!];
    write(
      y!,
      numbersOf(sums).map((sum, i) => finish(sum, i % columns)),
    );
  },
};

export const quantizedSums: readonly Operator[] = [quantizedConv, quantizedMatMul];

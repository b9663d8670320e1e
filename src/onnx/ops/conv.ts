// Conv and ConvTranspose. A fourth input is added to the result, where a pass has fused it.
import { floats, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { numbersOf, write } from "../../graph/values.ts";
import { type Convolution, convolutionOf, convolve } from "./convolve.ts";
import { checkFinish, finish } from "./finish.ts";

function convolution(name: string, transposed: boolean): Operator {
  const read = (node: GraphNode, inputs: readonly (Spec | undefined)[]): Convolution => {
    const x = required(node, inputs, 0, floats);
    const bias = inputs[2] && required(node, inputs, 2, [x.dtype]);
    return convolutionOf(node, x, required(node, inputs, 1, [x.dtype]), bias, transposed);
  };
  return {
    name,
    infer: (node, inputs) => {
      const y = { dtype: required(node, inputs, 0).dtype, shape: read(node, inputs).shape };
      checkFinish(node, y, inputs[3]);
      return [y];
    },
    run: (node, inputs, [y]) => {
      const [x, weight, bias, residual] = inputs;
      const offsets = bias && numbersOf(bias);
      convolve(read(node, inputs), numbersOf(x!), numbersOf(weight!), (sums, channel, at) => {
        const offset = offsets ? offsets[channel]! : 0;
        for (let i = 0; i < sums.length; i++) sums[i]! += offset;
        write(y!, sums, at);
      });
      finish(node, y!, residual);
    },
  };
}

export const conv = convolution("Conv", false);
export const convTranspose = convolution("ConvTranspose", true);

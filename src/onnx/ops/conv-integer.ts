// ConvInteger and QLinearConv: convolutions of 8-bit numbers less their zero points; exact sums, rescaled in the latter.
import { required } from "../../graph/nodes.ts";
import type { Operator, Value } from "../../graph/types.ts";
import { roundEven, sizeOf, write } from "../../graph/values.ts";
import { convolutionOf, convolve } from "./convolve.ts";
import { centred, checkPerAxis, perAxis, quantized, saturate } from "./quantization.ts";

const bytes = quantized.slice(0, 2);

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
  run: (node, [x, weight, xZero, weightZero], [y]) => {
    const convolution = convolutionOf(node, x!, weight!);
    convolve(convolution, centred(x!, xZero, 1, 1), centredWeight(weight!, weightZero), (sums, _, at) => {
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
  run: (node, [x, xScale, xZero, weight, weightScale, weightZero, yScale, yZero, bias], [y]) => {
    const [scaleX, scaleWeight, scaleY, zeroY, offset] = [xScale, weightScale, yScale, yZero, bias].map(perAxis);
    const convolution = convolutionOf(node, x!, weight!, bias);
    convolve(convolution, centred(x!, xZero, 1, 1), centredWeight(weight!, weightZero), (sums, channel, at) => {
      const scale = (scaleX!(0) * scaleWeight!(channel)) / scaleY!(0);
      write(
        y!,
        sums.map((sum) => saturate(roundEven((sum + offset!(channel)) * scale) + zeroY!(0), y!.dtype)),
        at,
      );
    });
  },
};

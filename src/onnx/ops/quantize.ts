// QuantizeLinear and DequantizeLinear: y = saturate(round(x / scale) + zero point) and back, per tensor or along an axis.
import { axisOf, floats, numberOf, required, unsupported } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { heldAs, numbersOf, roundEven, sizeOf, write } from "../../graph/values.ts";
import type { DType } from "../../tensor.ts";
import { dtypeOf } from "../tensors.ts";
import { centred, checkPerAxis, perAxis, quantized, saturate } from "./quantization.ts";

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

// Operators that look at a window: convolutions, also of integers, pools, and pictures made larger or smaller.
import type { DType, Tensor } from "../../../src/tensor.ts";
import { list, type Random, tensorOf } from "../../random-tensors.ts";
import { type Attributes, type Cases, type OperatorCase, use } from "./use.ts";

interface Layer {
  shape: number[];
  size: number[];
  attributes: Attributes;
}

/** A window over 1 to `axes` axes that fits its input. */
function layer(r: Random, channels: number, axes = 3): Layer {
  const rank = r.int(1, axes);
  const [size, dilations, strides] = [r.ints(rank, 1, 3), r.ints(rank, 1, 2), r.ints(rank, 1, 3)];
  // The judge refuses dilated windows and windows smaller than the stride under SAME
  const canBeSame = size.every((side, i) => side >= strides[i]! && dilations[i] === 1);
  const auto = r.pick(["NOTSET", "VALID", ...(canBeSame ? ["SAME_UPPER", "SAME_LOWER"] : [])]);
  const pads = [...size, ...size].map((side) => r.int(0, side - 1));
  const sides = size.map((side, i) => r.int((side - 1) * dilations[i]! + 1, 7));
  const padding: Attributes = auto === "NOTSET" ? { pads } : { auto_pad: auto };
  return {
    shape: [r.int(1, 2), channels, ...sides],
    size,
    attributes: { ...padding, strides, kernel_shape: size, dilations },
  };
}

function convolution(r: Random, transposed: boolean): OperatorCase {
  const [groups, inPer, outPer] = [r.int(1, 2), r.int(1, 3), r.int(1, 3)];
  const { shape, size, attributes } = layer(r, groups * inPer);
  if (transposed && r.flag())
    attributes.output_padding = (attributes.strides as number[]).map((stride) => r.int(0, stride - 1));
  if (transposed && r.int(0, 3) === 0) {
    const [strides, sides] = [attributes.strides as number[], shape.slice(2)];
    attributes.output_shape = sides.map((side, i) => Math.max(1, (side - 1) * strides[i]! + size[i]! - r.int(0, 1)));
  }
  const weight = r.tensor(transposed ? [groups * inPer, outPer, ...size] : [groups * outPer, inPer, ...size]);
  const bias = r.flag() ? [r.tensor([groups * outPer])] : [];
  return {
    op: transposed ? "ConvTranspose" : "Conv",
    opset: 11,
    attributes: { ...attributes, group: groups },
    inputs: [r.tensor(shape), weight, ...bias],
  };
}

function maxPool(r: Random): OperatorCase {
  const { shape, attributes } = layer(r, r.int(1, 3));
  const [places, ceil_mode] = [r.flag(), r.flag()];
  return {
    ...{ op: "MaxPool", opset: 12, inputs: [r.tensor(shape)], outputs: 1 + places },
    attributes: places
      ? { ...attributes, ceil_mode, storage_order: r.flag() }
      : { ...attributes, ceil_mode: attributes.auto_pad ? 0 : ceil_mode },
  };
}

function averagePool(r: Random): OperatorCase {
  const { shape, attributes } = layer(r, r.int(1, 3));
  const { dilations, ...rest } = attributes;
  const own = { count_include_pad: r.flag(), ceil_mode: attributes.auto_pad ? 0 : r.flag() };
  return { op: "AveragePool", opset: 11, attributes: { ...rest, ...own }, inputs: [r.tensor(shape)] };
}

function quantizedConv(r: Random): OperatorCase {
  const { shape, size, attributes } = layer(r, 2, 2);
  const scale = (): Tensor => tensorOf([], [0.01 + r.next() / 10]);
  const zero = (dtype: DType): Tensor => r.tensor([], dtype, 0, 20);
  const [weightScale, weightZero] = r.flag()
    ? [r.tensor([3], "f32", 0.01, 0.1), tensorOf([3], [0, 0, 0], "i8")]
    : [scale(), tensorOf([], [0], "i8")];
  const x = [r.tensor(shape, "u8", 0, 255), scale(), zero("u8")];
  const weight = [r.tensor([3, 2, ...size], "i8", -100, 100), weightScale, weightZero];
  const y = [tensorOf([], [0.2]), zero("u8")];
  return {
    ...{ op: "QLinearConv", opset: 10, attributes },
    inputs: [...x, ...weight, ...y, r.tensor([3], "i32", -500, 500)],
  };
}

function integerConv(r: Random): OperatorCase {
  const { shape, size, attributes } = layer(r, 2, 2);
  const tensors = [shape, [3, 2, ...size]].map((one) => r.tensor(one, "u8", 0, 255));
  const zeros = [7, 3].map((zero) => tensorOf([], [zero], "u8"));
  return { op: "ConvInteger", opset: 10, attributes, inputs: [...tensors, ...zeros] };
}

function resize(r: Random): OperatorCase {
  const mode = r.pick(["nearest", "linear", "cubic"]);
  const shape = [1, r.int(1, 2), r.int(2, 6), r.int(2, 6)];
  const sizes = shape.map((side, i) => (i < 2 ? side : r.int(1, 10)));
  const scales = shape.map((_, i) => (i < 2 ? 1 : r.pick([0.5, 0.75, 1.5, 2, 3])));
  const coordinates = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"];
  const attributes: Attributes = { mode, coordinate_transformation_mode: r.pick(coordinates) };
  if (mode === "nearest")
    attributes.nearest_mode = r.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]);
  if (mode === "cubic") Object.assign(attributes, { cubic_coeff_a: -0.5, exclude_outside: r.flag() });
  if (mode !== "nearest" && r.int(0, 3) === 0) attributes.antialias = 1;
  const bySize = attributes.coordinate_transformation_mode === "align_corners" || r.flag();
  return {
    op: "Resize",
    opset: 19,
    tolerance: 1e-4,
    attributes,
    inputs: [r.tensor(shape), undefined, ...(bySize ? [undefined, list(sizes)] : [list(scales, "f32")])],
  };
}

const simple = (r: Random) => ({ mode: r.pick(["nearest", "linear"]) });

export const windows: Cases = {
  Conv: (r) => convolution(r, false),
  ConvTranspose: (r) => convolution(r, true),
  ConvInteger: integerConv,
  QLinearConv: quantizedConv,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalPools: use("GlobalAveragePool GlobalMaxPool", 1, (r) => [r.tensor(r.shape(r.int(3, 5)))]),
  Resize: resize,
  "Resize of a crop": use(
    "Resize",
    13,
    (r) => [r.tensor([1, 1, 6, 7]), list([0, 0, 0.2, -0.3, 1, 1, 0.7, 1.2], "f32"), list([1, 1, 1.5, 0.8], "f32")],
    (r) => ({ ...simple(r), coordinate_transformation_mode: "tf_crop_and_resize", extrapolation_value: 9 }),
    { tolerance: 1e-4 },
  ),
  "Resize of old": use(
    "Resize",
    10,
    (r) => [r.tensor([1, 2, 4, 5]), list([1, 1, r.pick([0.5, 2]), r.pick([0.6, 3])], "f32")],
    simple,
    { tolerance: 1e-4 },
  ),
  Upsample: use("Upsample", 9, (r) => [r.tensor([1, 2, 3, 4]), list([1, 1, r.int(1, 3), r.int(1, 3)], "f32")], simple),
};

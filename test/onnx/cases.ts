// Random uses of operators: shapes, types, attributes and elements, the same for the same seed.
import type { DType, Tensor, TypedArray } from "../../src/tensor.ts";
import { newStored } from "../../src/tensor.ts";

export interface OperatorCase {
  op: string;
  opset: number;
  /** Texts, integers or lists of integers; attributes that hold floats are known by their names. */
  attributes?: Record<string, number | string | readonly number[]>;
  /** Undefined where an input is left out. */
  inputs: readonly (Tensor | undefined)[];
  outputs?: number;
  /** How far results may be apart, relatively, where more than sums of f32 differ. */
  tolerance?: number;
}

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 2654435761);
  }

  /** From 0 up to 1, without it. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Both ends included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  flag(): 0 | 1 {
    return this.int(0, 1) as 0 | 1;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }

  ints(length: number, least: number, most: number): number[] {
    return Array.from({ length }, () => this.int(least, most));
  }

  shape(rank: number, most = 4): number[] {
    return this.ints(rank, 1, most);
  }

  shuffle<T>(list: readonly T[]): T[] {
    return list
      .map((one) => [this.next(), one] as const)
      .sort(([a], [b]) => a - b)
      .map(([, one]) => one);
  }

  tensor(shape: readonly number[], dtype: DType = "f32", least = -4, most = 4): Tensor {
    const length = shape.reduce((a, b) => a * b, 1);
    const isFloat = dtype === "f32" || dtype === "f64";
    const from = dtype.startsWith("u") ? Math.max(0, least) : least;
    const next =
      dtype === "bool"
        ? () => this.flag()
        : isFloat
          ? () => from + this.next() * (most - from)
          : () => this.int(from, most);
    return tensorOf(shape, Array.from({ length }, next), dtype);
  }

  /** Some sides of a shape as 1, some axes at its front left out. */
  narrower(shape: readonly number[]): number[] {
    return shape.map((side) => (this.int(0, 2) === 0 ? 1 : side)).slice(this.int(0, shape.length));
  }
}

export function tensorOf(shape: readonly number[], elements: readonly number[], dtype: DType = "f32"): Tensor {
  const data = newStored(dtype, elements.length);
  const big = dtype === "i64" || dtype === "u64";
  for (const [i, element] of elements.entries()) data[i] = (big ? BigInt(element) : element) as never;
  return { shape, data: data as TypedArray, dtype };
}

export const list = (values: readonly number[], dtype: DType = "i64"): Tensor =>
  tensorOf([values.length], values, dtype);

const same =
  (op: string, opset: number, attributes?: OperatorCase["attributes"]) =>
  (r: Random): OperatorCase => ({
    ...{ op, opset, attributes, inputs: [r.tensor(r.shape(r.int(0, 4)))] },
  });

/** Two tensors whose shapes go together. */
function pair(r: Random, dtype: DType, least?: number, most?: number): Tensor[] {
  const shape = r.shape(r.int(0, 4));
  const shapes = r.shuffle([shape, r.narrower(shape)]);
  return shapes.map((one) => r.tensor(one, dtype, least, most));
}

interface Layer {
  shape: number[];
  size: number[];
  attributes: NonNullable<OperatorCase["attributes"]>;
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
  const padding: Record<string, string | number[]> = auto === "NOTSET" ? { pads } : { auto_pad: auto };
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

function pool(op: string, opset: number) {
  return (r: Random): OperatorCase => {
    const { shape, attributes } = layer(r, r.int(1, 3));
    if (op === "MaxPool" && r.flag())
      return {
        op,
        opset,
        attributes: { ...attributes, ceil_mode: r.flag(), storage_order: r.flag() },
        inputs: [r.tensor(shape)],
        outputs: 2,
      };
    const { dilations, ...rest } = attributes;
    const own: OperatorCase["attributes"] =
      op === "MaxPool" ? { dilations: dilations! } : { count_include_pad: r.flag() };
    return {
      op,
      opset,
      attributes: { ...rest, ...own, ceil_mode: attributes.auto_pad ? 0 : r.flag() },
      inputs: [r.tensor(shape)],
    };
  };
}

function resize(r: Random): OperatorCase {
  const mode = r.pick(["nearest", "linear", "cubic"]);
  const shape = [1, r.int(1, 2), r.int(2, 6), r.int(2, 6)];
  const sizes = shape.map((side, i) => (i < 2 ? side : r.int(1, 10)));
  const scales = shape.map((_, i) => (i < 2 ? 1 : r.pick([0.5, 0.75, 1.5, 2, 3])));
  const coordinates = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"];
  const attributes: OperatorCase["attributes"] = { mode, coordinate_transformation_mode: r.pick(coordinates) };
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

function reduction(op: string, opset: number) {
  return (r: Random): OperatorCase => {
    const shape = r.shape(r.int(1, 4));
    const axes = r.shuffle(shape.map((_, i) => i - r.flag() * shape.length)).slice(0, r.int(0, shape.length));
    const given = axes.length > 0 ? [list(axes)] : [];
    return {
      op,
      opset,
      attributes: { keepdims: r.flag() },
      inputs: [r.tensor(shape, r.pick(["f32", "i32"])), ...given],
    };
  };
}

function quantizedConv(r: Random): OperatorCase {
  const { shape, size, attributes } = layer(r, 2, 2);
  const scale = (): Tensor => tensorOf([], [0.01 + r.next() / 10]);
  const zero = (dtype: DType): Tensor => r.tensor([], dtype, 0, 20);
  const perChannel = r.flag();
  const weightScale = perChannel ? r.tensor([3], "f32", 0.01, 0.1) : scale();
  const weightZero = perChannel ? tensorOf([3], [0, 0, 0], "i8") : tensorOf([], [0], "i8");
  const weight = r.tensor([3, 2, ...size], "i8", -100, 100);
  return {
    ...{ op: "QLinearConv", opset: 10, attributes },
    inputs: [
      r.tensor(shape, "u8", 0, 255),
      scale(),
      zero("u8"),
      weight,
      weightScale,
      weightZero,
      tensorOf([], [0.2]),
      zero("u8"),
      r.tensor([3], "i32", -500, 500),
    ],
  };
}

const numbers: readonly DType[] = ["f32", "f64", "i32", "i64"];

/** By a title, how to make a case. */
export const cases: Readonly<Record<string, (r: Random) => OperatorCase>> = {
  ...Object.fromEntries(
    ["Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "LeakyRelu", "Elu", "Selu", "HardSigmoid"].map(
      (op) => [op, same(op, 14)],
    ),
  ),
  ...Object.fromEntries(
    ["Exp", "Floor", "Ceil", "Round", "Erf", "Abs", "Neg", "Reciprocal"].map((op) => [op, same(op, 13)]),
  ),
  "Celu, with alpha": (r) => ({ ...same("Celu", 12, { alpha: 0.7 })(r), inputs: [r.tensor([5])] }),
  "ThresholdedRelu, with alpha": (r) => ({
    ...same("ThresholdedRelu", 10, { alpha: 1.5 })(r),
    inputs: [r.tensor([9])],
  }),
  Mish: same("Mish", 18),
  Gelu: (r) => ({
    ...same("Gelu", 20, { approximate: r.pick(["none", "tanh"]) })(r),
    inputs: [r.tensor([20], "f32", -9, 9)],
  }),
  "Log and Sqrt": (r) => ({ op: r.pick(["Log", "Sqrt"]), opset: 13, inputs: [r.tensor([7], "f32", 0.1, 9)] }),
  "Abs and Neg of integers": (r) => ({
    op: r.pick(["Abs", "Neg"]),
    opset: 13,
    inputs: [r.tensor([7], r.pick(["i32", "i64", "i8"]))],
  }),
  PRelu: (r) => {
    const shape = r.shape(4);
    return { op: "PRelu", opset: 16, inputs: [r.tensor(shape), r.tensor(r.narrower(shape))] };
  },
  "Add, Sub, Mul": (r) => ({
    op: r.pick(["Add", "Sub", "Mul"]),
    opset: 14,
    inputs: pair(r, r.pick(numbers), -2000, 2000),
  }),
  Div: (r) => {
    const dtype = r.pick(numbers);
    const shape = r.shape(3);
    return {
      op: "Div",
      opset: 14,
      inputs: [r.tensor(shape, dtype, -50, 50), r.tensor(r.narrower(shape), dtype, 1, 7)],
    };
  },
  Pow: (r) => ({
    op: "Pow",
    opset: 15,
    inputs: [r.tensor([2, 3], r.pick(["f32", "i32", "i64"]), 1, 4), r.tensor([3], r.pick(["f32", "i32", "i64"]), 0, 3)],
  }),
  comparisons: (r) => ({
    op: r.pick(["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]),
    opset: 16,
    inputs: pair(r, r.pick(["i32", "i64"]), 0, 2),
  }),
  logic: (r) => ({ op: r.pick(["And", "Or", "Xor"]), opset: 7, inputs: pair(r, "bool") }),
  Not: (r) => ({ op: "Not", opset: 1, inputs: [r.tensor([5], "bool")] }),
  Where: (r) => {
    const shape = r.shape(3);
    const dtype = r.pick(["f32", "i64"] as const);
    return {
      op: "Where",
      opset: 16,
      inputs: [r.tensor(r.narrower(shape), "bool"), r.tensor(r.narrower(shape), dtype), r.tensor(shape, dtype)],
    };
  },
  "Min, Max": (r) => ({ op: r.pick(["Min", "Max"]), opset: 13, inputs: [...pair(r, r.pick(numbers))] }),
  "Sum, Mean": (r) => {
    const shape = r.shape(3);
    return {
      op: r.pick(["Sum", "Mean"]),
      opset: 13,
      inputs: [shape, r.narrower(shape), r.narrower(shape)].map((one) => r.tensor(one)),
    };
  },
  "Clip by inputs": (r) => {
    const dtype = r.pick(["f32", "f64", "i32", "i64"] as const);
    const bounds = [tensorOf([], [-1], dtype), tensorOf([], [2], dtype)].map((one) => (r.flag() ? one : undefined));
    return { op: "Clip", opset: 13, inputs: [r.tensor([9], dtype), ...bounds] };
  },
  "Clip by attributes": (r) => ({ op: "Clip", opset: 6, attributes: { min: -1, max: 1 }, inputs: [r.tensor([9])] }),
  Conv: (r) => convolution(r, false),
  ConvTranspose: (r) => convolution(r, true),
  MaxPool: pool("MaxPool", 12),
  AveragePool: pool("AveragePool", 11),
  GlobalPools: (r) => ({
    op: r.pick(["GlobalAveragePool", "GlobalMaxPool"]),
    opset: 1,
    inputs: [r.tensor(r.shape(r.int(3, 5)))],
  }),
  BatchNormalization: (r) => {
    const shape = [2, 3, ...r.shape(r.int(1, 3))];
    return {
      op: "BatchNormalization",
      opset: 15,
      attributes: { epsilon: 0.01 },
      inputs: [r.tensor(shape), ...[1, 2, 3].map(() => r.tensor([3])), r.tensor([3], "f32", 0, 2)],
    };
  },
  InstanceNormalization: (r) => ({
    op: "InstanceNormalization",
    opset: 6,
    inputs: [r.tensor([2, 3, 4, 5]), r.tensor([3]), r.tensor([3])],
  }),
  Concat: (r) => {
    const shape = r.shape(r.int(1, 4));
    const axis = r.int(0, shape.length - 1);
    const dtype = r.pick(["f32", "i64"] as const);
    const inputs = r.ints(r.int(1, 3), 0, 3).map((side) => r.tensor(shape.with(axis, side), dtype));
    return { op: "Concat", opset: 13, attributes: { axis: axis - r.flag() * shape.length }, inputs };
  },
  "Split by sizes": (r) => ({
    op: "Split",
    opset: 13,
    attributes: { axis: 1 },
    inputs: [r.tensor([2, 6, 2]), list([1, 3, 2])],
    outputs: 3,
  }),
  "Split by number": (r) => ({
    op: "Split",
    opset: 18,
    attributes: { axis: -1, num_outputs: 3 },
    inputs: [r.tensor([2, r.int(7, 9)])],
    outputs: 3,
  }),
  Slice: (r) => {
    const shape = r.shape(3, 6);
    const axes = r.shuffle([0, 1, 2]).slice(0, r.int(1, 3));
    const ends = axes.map(() => r.pick([-9, -2, 0, 1, 3, 9]));
    return {
      op: "Slice",
      opset: 13,
      inputs: [
        r.tensor(shape),
        list(axes.map(() => r.int(-7, 7))),
        list(ends),
        list(axes),
        list(axes.map(() => r.pick([-2, -1, 1, 2, 5]))),
      ],
    };
  },
  Transpose: (r) => {
    const shape = r.shape(r.int(1, 5));
    return {
      op: "Transpose",
      opset: 13,
      attributes: { perm: r.shuffle(shape.map((_, i) => i)) },
      inputs: [r.tensor(shape, r.pick(["f32", "i64", "u8"]))],
    };
  },
  Gather: (r) => {
    const shape = [3, 4, 5];
    const axis = r.int(0, 2);
    return {
      op: "Gather",
      opset: 13,
      attributes: { axis },
      inputs: [
        r.tensor(shape),
        r.tensor(r.shape(r.int(0, 2)), r.pick(["i32", "i64"]), -shape[axis]!, shape[axis]! - 1),
      ],
    };
  },
  Cast: (r) => ({
    op: "Cast",
    opset: 13,
    attributes: { to: r.pick([1, 6, 7, 9, 11]) },
    inputs: [r.tensor([8], r.pick(["f32", "f64", "i32", "i64", "u8", "bool"]))],
  }),
  Expand: (r) => {
    const shape = r.shape(3);
    return { op: "Expand", opset: 13, inputs: [r.tensor(r.narrower(shape)), list(shape)] };
  },
  Tile: (r) => ({ op: "Tile", opset: 13, inputs: [r.tensor(r.shape(3)), list(r.ints(3, 0, 3))] }),
  Pad: (r) => {
    const shape = r.ints(3, 3, 5);
    const mode = r.pick(["constant", "reflect", "edge", "wrap"]);
    return {
      op: "Pad",
      opset: 19,
      attributes: { mode },
      inputs: [r.tensor(shape), list(r.ints(6, mode === "constant" ? -1 : 0, 2)), tensorOf([], [7])],
    };
  },
  "Pad along axes": (r) => ({
    op: "Pad",
    opset: 18,
    inputs: [r.tensor([2, 3, 4]), list(r.ints(4, 0, 2)), undefined, list([-1, 1])],
  }),
  "Pad by attributes": (r) => ({
    op: "Pad",
    opset: 10,
    attributes: { pads: r.ints(6, 0, 2), value: 1.5 },
    inputs: [r.tensor([2, 3, 4])],
  }),
  Resize: resize,
  "Resize of a crop": (r) => ({
    ...{
      op: "Resize",
      opset: 13,
      tolerance: 1e-4,
      attributes: {
        mode: r.pick(["nearest", "linear"]),
        coordinate_transformation_mode: "tf_crop_and_resize",
        extrapolation_value: 9,
      },
    },
    inputs: [r.tensor([1, 1, 6, 7]), list([0, 0, 0.2, -0.3, 1, 1, 0.7, 1.2], "f32"), list([1, 1, 1.5, 0.8], "f32")],
  }),
  "Resize of old": (r) => ({
    op: "Resize",
    opset: 10,
    tolerance: 1e-4,
    attributes: { mode: r.pick(["nearest", "linear"]) },
    inputs: [r.tensor([1, 2, 4, 5]), list([1, 1, r.pick([0.5, 2]), r.pick([0.6, 3])], "f32")],
  }),
  Upsample: (r) => ({
    op: "Upsample",
    opset: 9,
    attributes: { mode: r.pick(["nearest", "linear"]) },
    inputs: [r.tensor([1, 2, 3, 4]), list([1, 1, r.int(1, 3), r.int(1, 3)], "f32")],
  }),
  ReduceSum: reduction("ReduceSum", 13),
  "ReduceMean, -Max, -Min": (r) => reduction(r.pick(["ReduceMean", "ReduceMax", "ReduceMin"]), 18)(r),
  MatMul: (r) => {
    const batch = r.shape(2, 3);
    const [rows, inner, columns] = r.shape(3) as [number, number, number];
    const a = r.pick([[inner], [...r.narrower(batch), rows, inner]]);
    const b = r.pick([[inner], [...batch, inner, columns]]);
    return { op: "MatMul", opset: 13, inputs: [r.tensor(a), r.tensor(b)] };
  },
  Gemm: (r) => {
    const [rows, inner, columns] = r.shape(3) as [number, number, number];
    const [transA, transB] = [r.flag(), r.flag()];
    const c = r.pick([[[rows, columns]], [[columns]], [[rows, 1]], [[]], []]);
    const sides = [transA ? [inner, rows] : [rows, inner], transB ? [columns, inner] : [inner, columns], ...c];
    return {
      op: "Gemm",
      opset: 13,
      attributes: { transA, transB, alpha: 0.5, beta: 2 },
      inputs: sides.map((shape) => r.tensor(shape)),
    };
  },
  Softmax: (r) => {
    const opset = r.pick([11, 13]);
    return {
      op: r.pick(["Softmax", "LogSoftmax"]),
      opset,
      attributes: { axis: r.int(-3, 2) },
      inputs: [r.tensor(r.shape(3), "f32", -50, 50)],
    };
  },
  "ArgMax, ArgMin": (r) => ({
    op: r.pick(["ArgMax", "ArgMin"]),
    opset: 13,
    attributes: { axis: r.int(-3, 2), keepdims: r.flag(), select_last_index: r.flag() },
    inputs: [r.tensor(r.shape(3), "i32", 0, 2)],
  }),
  DepthToSpace: (r) => ({
    op: "DepthToSpace",
    opset: 13,
    attributes: { blocksize: 2, mode: r.pick(["DCR", "CRD"]) },
    inputs: [r.tensor([1, 8, 2, 3])],
  }),
  SpaceToDepth: (r) => ({
    op: "SpaceToDepth",
    opset: 13,
    attributes: { blocksize: 2 },
    inputs: [r.tensor([2, 3, 4, 6])],
  }),
  QuantizeLinear: (r) => {
    const dtype = r.pick(["u8", "i8"] as const);
    return {
      op: "QuantizeLinear",
      opset: 13,
      attributes: { axis: 1 },
      inputs: [r.tensor([2, 3, 4], "f32", -20, 20), r.tensor([3], "f32", 0.05, 0.2), r.tensor([3], dtype, 0, 9)],
    };
  },
  DequantizeLinear: (r) => {
    const dtype = r.pick(["u8", "i8"] as const);
    return {
      op: "DequantizeLinear",
      opset: 13,
      attributes: { axis: 0 },
      inputs: [r.tensor([2, 5], dtype, -100, 100), r.tensor([2], "f32", 0.05, 0.2), r.tensor([2], dtype, 0, 9)],
    };
  },
  QLinearConv: quantizedConv,
  ConvInteger: (r) => {
    const { shape, size, attributes } = layer(r, 2, 2);
    return {
      op: "ConvInteger",
      opset: 10,
      attributes,
      inputs: [
        r.tensor(shape, "u8", 0, 255),
        r.tensor([3, 2, ...size], "u8", 0, 255),
        tensorOf([], [7], "u8"),
        tensorOf([], [3], "u8"),
      ],
    };
  },
};

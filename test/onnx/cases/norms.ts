// Norms, losses and Einsum, and what ONNX Runtime has of its own: its domain, and operators that ONNX has dropped.
import { list, type Random, tensorOf } from "../../random-tensors.ts";
import { type Attributes, type Cases, type OperatorCase, use } from "./use.ts";

function layerNorm(op: string, opset: number, outputs: number) {
  return (r: Random): OperatorCase => {
    const [shape, axis] = [r.shape(3), r.int(-3, 2)];
    const own = shape.slice(axis);
    const inputs = [
      r.tensor(shape),
      r.tensor(own),
      ...(op === "LayerNormalization" && r.flag() ? [r.tensor(own)] : []),
    ];
    return { op, opset, attributes: { axis, epsilon: 0.01 }, inputs, outputs };
  };
}

function groupNorm(r: Random): OperatorCase {
  const [groups, each] = r.shape(2, 3) as [number, number];
  const x = r.tensor([2, groups * each, ...r.shape(2)]);
  const vectors = [1, 2].map(() => r.tensor([groups * each]));
  return {
    op: "GroupNormalization",
    opset: 21,
    attributes: { num_groups: groups, epsilon: 0.01 },
    inputs: [x, ...vectors],
    tolerance: 1e-4,
  };
}

const equations = [
  "ij,jk->ik",
  "ij,jk",
  "bij,bjk->bik",
  "...ij,...jk->...ik",
  "ii->i",
  "ii",
  "ij->ji",
  "ij->",
  "...ii->...i",
  "i,j->ij",
  "bhqd,bhkd->bhqk",
  "ij,ij->j",
  "ij,jk,kl->il",
  "a...,b...->ab...",
];

/** Sides by letters, the same in all terms; ellipses stand for an axis of 2, or of 1. */
function einsum(r: Random): OperatorCase {
  const equation = r.pick(equations);
  const sides = new Map([..."abdhijklq"].map((letter) => [letter, r.int(1, 3)]));
  const terms = equation.split("->")[0]!.split(",");
  const inputs = terms.map((term) => {
    const parts = term.match(/\.\.\.|[a-z]/g)!;
    return r.tensor(parts.map((part) => (part === "..." ? 2 : sides.get(part)!)));
  });
  return { op: "Einsum", opset: 12, attributes: { equation }, inputs };
}

function loss(op: string, opset: number) {
  return (r: Random): OperatorCase => {
    const [classes, rest] = [4, r.shape(r.int(0, 2))];
    const target = r.tensor([2, ...rest], "i64", 0, classes - 1);
    const weight = r.flag() ? [r.tensor([classes], "f32", 0.5, 2)] : [];
    const attributes = {
      reduction: r.pick(["mean", "sum", "none"]),
      ...(r.flag() ? { ignore_index: r.int(0, 1) } : {}),
    };
    return { op, opset, attributes, inputs: [r.tensor([2, classes, ...rest]), target, ...weight], tolerance: 1e-4 };
  };
}

function skipNorm(r: Random): OperatorCase {
  const shape = [2, 3, r.int(1, 6)];
  const simple = r.flag() === 1;
  const vectors = Array.from({ length: simple ? 2 : 3 }, () => r.tensor(shape.slice(2)));
  const op = `com.microsoft.Skip${simple ? "Simplified" : ""}LayerNormalization`;
  return {
    op,
    opset: 1,
    attributes: { epsilon: 0.01 },
    inputs: [r.tensor(shape), r.tensor(shape), ...vectors],
    tolerance: 1e-4,
  };
}

function fusedMatMul(r: Random): OperatorCase {
  const [batch, rows, inner, columns] = r.shape(4) as [number, number, number, number];
  const [transA, transB] = [r.flag(), r.flag()];
  const sides = [transA ? [inner, rows] : [rows, inner], transB ? [columns, inner] : [inner, columns]];
  const inputs = sides.map((side) => r.tensor([batch, ...side]));
  return { op: "com.microsoft.FusedMatMul", opset: 1, attributes: { transA, transB, alpha: 0.5 }, inputs };
}

function fusedConv(r: Random): OperatorCase {
  const [channels, width] = [2, r.int(3, 6)];
  const activation = r.pick(["Relu", "Sigmoid", "Tanh", "LeakyRelu"]);
  const residual = r.flag() ? [r.tensor([1, 4, width - 2, width - 2])] : [];
  const inputs = [r.tensor([1, channels, width, width]), r.tensor([4, channels, 3, 3]), r.tensor([4]), ...residual];
  const more: Attributes = activation === "LeakyRelu" ? { activation_params: [0.25] } : {};
  return { op: "com.microsoft.FusedConv", opset: 1, attributes: { activation, ...more }, inputs, tolerance: 1e-4 };
}

export const norms: Cases = {
  LRN: use(
    "LRN",
    13,
    (r) => [r.tensor([2, r.int(1, 7), ...r.shape(2)])],
    (r) => ({ size: r.pick([1, 3, 5]), alpha: 0.5, beta: 0.75, bias: 2 }),
    { tolerance: 1e-4 },
  ),
  LpNormalization: use(
    "LpNormalization",
    1,
    (r) => [r.tensor(r.shape(3))],
    (r) => ({ axis: r.int(-3, 2), p: r.int(1, 2) }),
  ),
  LayerNormalization: layerNorm("LayerNormalization", 17, 3),
  RMSNormalization: layerNorm("RMSNormalization", 23, 1),
  SimplifiedLayerNormalization: layerNorm("SimplifiedLayerNormalization", 1, 1),
  GroupNormalization: groupNorm,
  MeanVarianceNormalization: use(
    "MeanVarianceNormalization",
    13,
    (r) => [r.tensor([2, 3, 4, 5])],
    { axes: [0, 2, 3] },
    { tolerance: 1e-3 },
  ),
  Einsum: einsum,
  NegativeLogLikelihoodLoss: loss("NegativeLogLikelihoodLoss", 13),
  SoftmaxCrossEntropyLoss: loss("SoftmaxCrossEntropyLoss", 13),
  ImageScaler: (r) => {
    const attributes = { scale: 0.5, bias: [0.25, 1.5] };
    return { op: "ImageScaler", opset: 1, attributes, inputs: [r.tensor([1, 2, ...r.shape(2)])] };
  },
  Affine: use("Affine", 1, (r) => [r.tensor(r.shape(2))], { alpha: 0.5, beta: 0.25 }),
  Crop: use(
    "Crop",
    1,
    (r) => [r.tensor([1, 2, 5, 6])],
    (r) => ({ border: [1, 0, 2, 1], ...(r.flag() ? { scale: [2, 3] } : {}) }),
  ),
  CenterCropPad: (r) => {
    const shape = r.shape(3, 6);
    const axes = r.shuffle([0, 1, 2]).slice(0, r.int(1, 3));
    const inputs = [r.tensor(shape, r.pick(["f32", "i64"])), list(r.ints(axes.length, 1, 6))];
    return { op: "CenterCropPad", opset: 18, attributes: { axes }, inputs };
  },
  "com.microsoft: Gelu, QuickGelu": use(
    "com.microsoft.Gelu com.microsoft.QuickGelu",
    1,
    (r) => [r.tensor(r.shape(2))],
    {},
    { tolerance: 1e-4 },
  ),
  "com.microsoft: FastGelu, BiasGelu": use(
    "com.microsoft.FastGelu com.microsoft.BiasGelu",
    1,
    (r) => [r.tensor([2, 3]), r.tensor([3])],
    {},
    { tolerance: 1e-4 },
  ),
  "com.microsoft: SkipLayerNormalization": skipNorm,
  "com.microsoft: FusedMatMul": fusedMatMul,
  "com.microsoft: FusedGemm": use(
    "com.microsoft.FusedGemm",
    1,
    (r) => [r.tensor([2, 3]), r.tensor([3, 4]), r.tensor([4])],
    (r) => ({ activation: r.pick(["Relu", "LeakyRelu"]), activation_alpha: 0.25, alpha: 0.5 }),
  ),
  "com.microsoft: FusedConv": fusedConv,
};

/** Boxes and scores of detectors, and regions of pictures. */
export const detection: Cases = {
  NonMaxSuppression: (r) => {
    const [batch, classes, boxes] = [r.int(1, 2), r.int(1, 3), r.int(1, 12)];
    const inputs = [
      r.tensor([batch, boxes, 4], "f32", 0.5, 3),
      r.tensor([batch, classes, boxes], "f32", 0, 1),
      list([r.int(1, 5)]),
      tensorOf([1], [0.3]),
      ...(r.flag() ? [tensorOf([1], [0.4])] : []),
    ];
    return { op: "NonMaxSuppression", opset: 11, attributes: { center_point_box: r.flag() }, inputs };
  },
  RoiAlign: (r) => {
    const opset = r.pick([10, 16]);
    const count = r.int(1, 3);
    const rois = r.tensor([count, 4], "f32", -2, 8);
    const inputs = [r.tensor([2, 2, ...r.shape(2, 7)]), rois, r.tensor([count], "i64", 0, 1)];
    const mode: Attributes =
      opset < 16 ? {} : { coordinate_transformation_mode: r.pick(["half_pixel", "output_half_pixel"]) };
    const attributes = {
      ...{ output_height: r.int(1, 3), output_width: r.int(1, 3), sampling_ratio: r.int(1, 3), spatial_scale: 0.75 },
      ...{ mode: r.pick(["avg", "max"]), ...mode },
    };
    return { op: "RoiAlign", opset, attributes, inputs, tolerance: 1e-4 };
  },
  MaxRoiPool: (r) => {
    const rois = Array.from({ length: 3 }, () => [
      r.int(0, 1),
      r.int(0, 3),
      r.int(0, 3),
      r.int(3, 8),
      r.int(3, 8),
    ]).flat();
    const inputs = [r.tensor([2, 2, 6, 7]), tensorOf([3, 5], rois)];
    return { op: "MaxRoiPool", opset: 1, attributes: { pooled_shape: [r.int(1, 3), 2], spatial_scale: 0.7 }, inputs };
  },
};

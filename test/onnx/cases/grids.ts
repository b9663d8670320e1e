// Operators that read pictures in rarer ways: by grids, pth powers, unfolded windows, and back from a pool.
import { list, type Random, tensorOf } from "../../random-tensors.ts";
import { type Cases, type OperatorCase, use } from "./use.ts";

function gridSample(r: Random): OperatorCase {
  const opset = r.pick([16, 20]);
  const volume = opset === 20 && r.flag() === 1;
  const linear = opset === 20 ? "linear" : "bilinear";
  const mode = r.pick(volume ? [linear, "nearest"] : [linear, "nearest", opset === 20 ? "cubic" : "bicubic"]);
  const sides = r.shape(volume ? 3 : 2, 5);
  const grid = [2, ...r.shape(sides.length), sides.length];
  const attributes = { mode, padding_mode: r.pick(["zeros", "border", "reflection"]), align_corners: r.flag() };
  const inputs = [r.tensor([2, 2, ...sides]), r.tensor(grid, "f32", -1.6, 1.6)];
  return { op: "GridSample", opset, attributes, inputs, tolerance: 1e-3 };
}

function affineGrid(r: Random): OperatorCase {
  const axes = r.int(2, 3);
  const sides = r.shape(axes, 5).map((side) => side + 1);
  const inputs = [r.tensor([2, axes, axes + 1]), list([2, 1, ...sides])];
  return { op: "AffineGrid", opset: 20, attributes: { align_corners: r.flag() }, inputs, tolerance: 1e-4 };
}

function lpPool(r: Random): OperatorCase {
  const attributes = { kernel_shape: [2, 3], strides: [r.int(1, 2), r.int(1, 2)], pads: [1, 1, 0, 1], p: r.int(1, 3) };
  const more = { dilations: [r.int(1, 2), 1], ceil_mode: 0 };
  return {
    op: "LpPool",
    opset: 18,
    attributes: { ...attributes, ...more },
    inputs: [r.tensor([1, 2, 5, 6])],
    tolerance: 1e-4,
  };
}

// A larger output_shape is left to the conformance tests: ONNX Runtime reads indices otherwise than these.
function maxUnpool(r: Random): OperatorCase {
  const [height, width] = r.shape(2, 3) as [number, number];
  const places = Array.from({ length: height * width }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return (2 * row + r.flag()) * 2 * width + 2 * column + r.flag();
  });
  const inputs = [r.tensor([1, 1, height, width]), tensorOf([1, 1, height, width], places, "i64")];
  return {
    op: "MaxUnpool",
    opset: 11,
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    inputs,
  };
}

function col2Im(r: Random): OperatorCase {
  const [image, block] = [r.ints(2, 3, 6), r.ints(2, 1, 3)];
  const [strides, pads] = [r.ints(2, 1, 2), r.ints(4, 0, 1)];
  const counts = image.map((side, i) => Math.floor((side + pads[i]! + pads[i + 2]! - block[i]!) / strides[i]!) + 1);
  const x = r.tensor([2, 2 * block[0]! * block[1]!, counts[0]! * counts[1]!]);
  return { op: "Col2Im", opset: 18, attributes: { strides, pads }, inputs: [x, list(image), list(block)] };
}

function deformConv(r: Random): OperatorCase {
  const [groups, offsetGroups] = [r.int(1, 2), r.int(1, 2)];
  const [height, width, stride] = [r.int(3, 6), r.int(3, 6), r.int(1, 2)];
  const [out, across] = [height, width].map((side) => Math.floor((side + 2 - 3) / stride) + 1) as [number, number];
  const inputs = [
    r.tensor([2, 4, height, width]),
    r.tensor([4, 4 / groups, 3, 3]),
    r.tensor([2, offsetGroups * 18, out, across], "f32", -1.5, 1.5),
    ...(r.flag() ? [r.tensor([4]), r.tensor([2, offsetGroups * 9, out, across], "f32", 0, 1)] : []),
  ];
  const attributes = { group: groups, offset_group: offsetGroups, strides: [stride, stride], pads: [1, 1, 1, 1] };
  return { op: "DeformConv", opset: 19, attributes: { ...attributes, kernel_shape: [3, 3] }, inputs, tolerance: 1e-3 };
}

export const grids: Cases = {
  GridSample: gridSample,
  AffineGrid: affineGrid,
  LpPool: lpPool,
  GlobalLpPool: use(
    "GlobalLpPool",
    2,
    (r) => [r.tensor([2, 3, 4, 5])],
    (r) => ({ p: r.int(1, 3) }),
    { tolerance: 1e-4 },
  ),
  MaxUnpool: maxUnpool,
  Col2Im: col2Im,
  DeformConv: deformConv,
};

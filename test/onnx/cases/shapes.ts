// Operators that move elements: joined, cut, turned, gathered, repeated and padded.
import { list, type Random, tensorOf } from "../../random-tensors.ts";
import { type Cases, type OperatorCase, use } from "./use.ts";

function concat(r: Random): OperatorCase {
  const shape = r.shape(r.int(1, 4));
  const axis = r.int(0, shape.length - 1);
  const dtype = r.pick(["f32", "i64"] as const);
  const inputs = r.ints(r.int(1, 3), 0, 3).map((side) => r.tensor(shape.with(axis, side), dtype));
  return { op: "Concat", opset: 13, attributes: { axis: axis - r.flag() * shape.length }, inputs };
}

function slice(r: Random): OperatorCase {
  const axes = r.shuffle([0, 1, 2]).slice(0, r.int(1, 3));
  const perAxis = (draw: () => number) => list(axes.map(draw));
  const [starts, ends] = [perAxis(() => r.int(-7, 7)), perAxis(() => r.pick([-9, -2, 0, 1, 3, 9]))];
  const steps = perAxis(() => r.pick([-2, -1, 1, 2, 5]));
  return { op: "Slice", opset: 13, inputs: [r.tensor(r.shape(3, 6)), starts, ends, list(axes), steps] };
}

function transpose(r: Random): OperatorCase {
  const shape = r.shape(r.int(1, 5));
  const perm = r.shuffle(shape.map((_, i) => i));
  return { op: "Transpose", opset: 13, attributes: { perm }, inputs: [r.tensor(shape, r.pick(["f32", "i64", "u8"]))] };
}

function gather(r: Random): OperatorCase {
  const [shape, axis] = [[3, 4, 5], r.int(0, 2)];
  const indices = r.tensor(r.shape(r.int(0, 2)), r.pick(["i32", "i64"]), -shape[axis]!, shape[axis]! - 1);
  return { op: "Gather", opset: 13, attributes: { axis }, inputs: [r.tensor(shape), indices] };
}

function pad(r: Random): OperatorCase {
  const mode = r.pick(["constant", "reflect", "edge", "wrap"]);
  const pads = list(r.ints(6, mode === "constant" ? -1 : 0, 2));
  return { op: "Pad", opset: 19, attributes: { mode }, inputs: [r.tensor(r.ints(3, 3, 5)), pads, tensorOf([], [7])] };
}

export const shapes: Cases = {
  Concat: concat,
  "Split by sizes": use("Split", 13, (r) => [r.tensor([2, 6, 2]), list([1, 3, 2])], { axis: 1 }, { outputs: 3 }),
  "Split by number": use(
    "Split",
    18,
    (r) => [r.tensor([2, r.int(7, 9)])],
    { axis: -1, num_outputs: 3 },
    { outputs: 3 },
  ),
  Slice: slice,
  Transpose: transpose,
  Gather: gather,
  Expand: use("Expand", 13, (r) => {
    const shape = r.shape(3);
    return [r.tensor(r.narrower(shape)), list(shape)];
  }),
  Tile: use("Tile", 13, (r) => [r.tensor(r.shape(3)), list(r.ints(3, 0, 3))]),
  Pad: pad,
  "Pad along axes": use("Pad", 18, (r) => [r.tensor([2, 3, 4]), list(r.ints(4, 0, 2)), undefined, list([-1, 1])]),
  "Pad by attributes": use(
    "Pad",
    10,
    (r) => [r.tensor([2, 3, 4])],
    (r) => ({ pads: r.ints(6, 0, 2), value: 1.5 }),
  ),
  DepthToSpace: use(
    "DepthToSpace",
    13,
    (r) => [r.tensor([1, 8, 2, 3])],
    (r) => ({ blocksize: 2, mode: r.pick(["DCR", "CRD"]) }),
  ),
  SpaceToDepth: use("SpaceToDepth", 13, (r) => [r.tensor([2, 3, 4, 6])], { blocksize: 2 }),
};

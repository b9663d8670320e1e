// Operators that read or write where indices or elements say, and those that make tensors of numbers.
import { list, type Random, tensorOf } from "../../random-tensors.ts";
import { type Cases, numbers, type OperatorCase, use } from "./use.ts";

const indices = (r: Random, shape: readonly number[], side: number) => r.tensor(shape, "i64", -side, side - 1);

/** Indices of which no two name the same element along an axis, in a shape within another's. */
function distinct(r: Random, shape: readonly number[], axis: number) {
  const own = shape.map((side) => r.int(1, side));
  const inner = own.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = own.reduce((a, b) => a * b, 1);
  const order = r.shuffle(Array.from({ length: shape[axis]! }, (_, i) => i));
  const values = Array.from({ length }, (_, i) => order[Math.floor(i / inner) % own[axis]!]!);
  return tensorOf(own, values, "i64");
}

function scatterElements(op: string, opset: number, reductions: readonly string[]) {
  return (r: Random): OperatorCase => {
    const [shape, dtype] = [r.shape(3), r.pick(numbers)];
    const axis = r.int(0, 2);
    const reduction = r.pick(reductions);
    const places = reduction === "none" ? distinct(r, shape, axis) : indices(r, shape, shape[axis]!);
    const attributes = { axis: axis - 3 * r.flag(), ...(reduction === "none" ? {} : { reduction }) };
    return { op, opset, attributes, inputs: [r.tensor(shape, dtype), places, r.tensor(places.shape, dtype)] };
  };
}

function gatherND(r: Random): OperatorCase {
  const [shape, dtype] = [r.shape(4), r.pick(numbers)];
  const batch = r.int(0, 2);
  const depth = r.int(1, 4 - batch);
  const rows = [...shape.slice(0, batch), ...r.shape(r.int(batch === 0 ? 1 : 0, 2))];
  const least = Math.min(...shape.slice(batch, batch + depth));
  const places = indices(r, [...rows, depth], least);
  return { op: "GatherND", opset: 13, attributes: { batch_dims: batch }, inputs: [r.tensor(shape, dtype), places] };
}

function scatterND(r: Random): OperatorCase {
  const [shape, dtype] = [r.shape(3), r.pick(numbers)];
  const depth = r.int(1, 3);
  const rows = r.shape(2, 3);
  const reduction = r.pick(["add", "mul", "max", "min"]);
  const places = indices(r, [...rows, depth], Math.min(...shape.slice(0, depth)));
  const updates = r.tensor([...rows, ...shape.slice(depth)], dtype);
  return { op: "ScatterND", opset: 18, attributes: { reduction }, inputs: [r.tensor(shape, dtype), places, updates] };
}

function topK(r: Random): OperatorCase {
  const [shape, axis] = [r.shape(3), r.int(-3, 2)];
  const k = r.int(1, shape.at(axis)!);
  const x = r.tensor(shape, r.pick(["f32", "f64", "i32", "i64"]));
  if (r.flag())
    return { op: "TopK", opset: 11, attributes: { axis, largest: r.flag() }, inputs: [x, list([k])], outputs: 2 };
  return { op: "TopK", opset: 1, attributes: { axis, k }, inputs: [r.tensor(shape)], outputs: 2 };
}

function range(r: Random): OperatorCase {
  const dtype = r.pick(["f32", "f64", "i32", "i64"] as const);
  const [start, delta] = [r.int(-5, 5), r.pick([-2, -1, 1, 3])];
  const scalars = [start, start + delta * r.int(0, 6) + r.flag(), delta];
  return { op: "Range", opset: 11, inputs: scalars.map((value) => tensorOf([], [value], dtype)) };
}

function unique(r: Random): OperatorCase {
  const x = r.tensor(r.shape(2), r.pick(["f32", "i64"]), 0, 3);
  const whole = tensorOf(
    x.shape,
    Array.from(x.data as Float32Array, (value) => Math.round(Number(value))),
    x.dtype,
  );
  const attributes = { sorted: r.flag(), ...(r.flag() ? { axis: r.int(-2, 1) } : {}) };
  return { op: "Unique", opset: 11, attributes, inputs: [whole], outputs: 4 };
}

export const indexing: Cases = {
  GatherElements: (r) => {
    const [shape, axis] = [r.shape(3), r.int(0, 2)];
    const own = shape.map((side, i) => (i === axis ? r.int(1, 5) : r.int(1, side)));
    const inputs = [r.tensor(shape, r.pick(numbers)), indices(r, own, shape[axis]!)];
    return { op: "GatherElements", opset: 13, attributes: { axis: axis - 3 * r.flag() }, inputs };
  },
  GatherND: gatherND,
  Scatter: scatterElements("Scatter", 9, ["none"]),
  ScatterElements: scatterElements("ScatterElements", 18, ["none", "add", "mul", "max", "min"]),
  ScatterND: scatterND,
  OneHot: use(
    "OneHot",
    11,
    (r) => [r.tensor(r.shape(2), "i64", -6, 6), list([r.int(1, 5)]), r.tensor([2], r.pick(["f32", "i64"]))],
    (r) => ({ axis: r.int(-3, 2) }),
  ),
  TopK: topK,
  Hardmax: (r) =>
    use(
      "Hardmax",
      r.pick([11, 13]),
      () => [r.tensor(r.shape(3))],
      () => ({ axis: r.int(-3, 2) }),
    )(r),
  NonZero: use("NonZero", 13, (r) => [r.tensor(r.shape(r.int(1, 4)), r.pick(["f32", "i64", "bool"]), 0, 1)]),
  Compress: (r) => {
    const shape = r.shape(3);
    const axis = r.int(0, 2);
    const some = { axis: axis - 3 * r.flag() };
    const [attributes, most] = r.flag() ? [some, shape[axis]!] : [{}, shape[0]! * shape[1]! * shape[2]!];
    const inputs = [r.tensor(shape, r.pick(numbers)), r.tensor([r.int(1, most)], "bool")];
    return { op: "Compress", opset: 11, attributes, inputs };
  },
  Unique: unique,
  Range: range,
  EyeLike: use(
    "EyeLike",
    9,
    (r) => [r.tensor(r.shape(2), r.pick(numbers))],
    (r) => ({ k: r.int(-3, 3), ...(r.flag() ? { dtype: r.pick([1, 6, 7, 11]) } : {}) }),
  ),
  Trilu: use(
    "Trilu",
    14,
    (r) => [
      r.tensor(r.shape(r.int(2, 4)), r.pick(["f32", "f64", "i64"])),
      ...(r.flag() ? [tensorOf([], [r.int(-3, 3)], "i64")] : []),
    ],
    (r) => ({ upper: r.flag() }),
  ),
  CumSum: use(
    "CumSum",
    14,
    (r) => [r.tensor(r.shape(3), r.pick(numbers)), tensorOf([], [r.int(-3, 2)], r.pick(["i32", "i64"]))],
    (r) => ({ exclusive: r.flag(), reverse: r.flag() }),
  ),
  ReverseSequence: (r) => {
    const shape = r.shape(r.int(2, 4));
    const time = r.flag();
    const lengths = list(r.ints(shape[1 - time]!, 1, shape[time]!));
    return {
      ...{ op: "ReverseSequence", opset: 10, attributes: { batch_axis: 1 - time, time_axis: time } },
      inputs: [r.tensor(shape, r.pick(["f32", "i64"])), lengths],
    };
  },
  "HannWindow, HammingWindow, BlackmanWindow": use(
    "HannWindow HammingWindow BlackmanWindow",
    17,
    (r) => [tensorOf([], [r.int(2, 20)], "i64")],
    (r) => ({ periodic: r.flag() }),
    { tolerance: 1e-4 },
  ),
};

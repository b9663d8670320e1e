// Loops of operators on the host: shapes that fill many blocks or parts of one, and all types, against a loop over indices.
import { describe, expect, test } from "vitest";
import type { GraphNode, Value } from "../../src/graph/types.ts";
import { elementsOf, isBig, newValue, numbersOf, sizeOf, stridesOf, toBig, write } from "../../src/graph/values.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { broadcastStrides, combine } from "../../src/onnx/ops/loops.ts";
import { pick } from "../../src/onnx/ops/pick.ts";
import { copyView } from "../../src/onnx/ops/words.ts";
import type { DType } from "../../src/tensor.ts";
import { Random } from "../random-tensors.ts";

const types = ["u8", "i8", "bool", "u16", "i16", "u32", "i32", "f32", "i64", "u64", "f64"] as const;
const random = new Random(7);
const whole = (below: number): number => Math.floor(random.next() * below);

function randomValue(dtype: DType, shape: readonly number[]): Value {
  const value = newValue(dtype, shape);
  const most = dtype === "bool" ? 2 : 100;
  write(
    value,
    Float64Array.from({ length: value.data.length }, () => whole(most)),
  );
  return value;
}

type Values = [Value, Value, Value];

/** Positions of all elements of a tensor. */
function* indicesOf(shape: readonly number[]): Generator<number[]> {
  for (let i = 0; i < sizeOf(shape); i++)
    yield stridesOf(shape).map((stride, axis) => Math.floor(i / stride) % shape[axis]!);
}

const at = (index: readonly number[], strides: readonly number[]): number =>
  index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);

const nodeOf = (op: string, attributes: GraphNode["attributes"] = {}, inputs = 1): GraphNode => ({
  ...{ op, name: op, opset: 20, attributes, outputs: ["y"] },
  inputs: Array.from({ length: inputs }, (_, i) => `x${i}`),
});

function runOne(node: GraphNode, inputs: readonly Value[]): Value {
  const { infer, run } = operators.get(node.op)!;
  const y = infer(node, inputs).map(({ dtype, shape }) => newValue(dtype, shape));
  run!(node, inputs, y);
  return y[0]!;
}

describe.each(types)("of %s", (dtype) => {
  test.each([
    [
      [3, 70, 90],
      [2, 0, 1],
    ],
    [
      [3, 70, 90],
      [2, 1, 0],
    ],
    [
      [300, 200],
      [1, 0],
    ],
    [
      [5, 1, 40, 3],
      [3, 0, 1, 2],
    ],
    [
      [2, 3, 4, 5, 6],
      [4, 2, 0, 3, 1],
    ],
  ])("axes of %j as %j", (shape, order) => {
    const x = randomValue(dtype, shape);
    const strides = stridesOf(shape);
    const y = runOne(nodeOf("Transpose", { perm: order }), [x]);
    const own = order.map((axis) => strides[axis]!);
    expect([...elementsOf(y)]).toEqual([...indicesOf(y.shape)].map((index) => x.data[at(index, own)]));
  });

  test("views that go backwards, repeat and begin within", () => {
    const x = randomValue(dtype, [20, 30]);
    const y = newValue(dtype, [4, 10, 15]);
    copyView(y.data, x.data, {
      counts: [4, 10, 15],
      from: { offset: 599, strides: [0, -60, -2] },
      to: { offset: 0, strides: [150, 15, 1] },
    });
    expect([...elementsOf(y)]).toEqual([...indicesOf(y.shape)].map((index) => x.data[599 + at(index, [0, -60, -2])]));
  });

  test.each([
    [
      "runs",
      [
        [1, 0],
        [4, 5, 6, 7, -1, 2],
      ],
    ],
    ["long runs", [[0, -1, 1, 2], Array.from({ length: 180 }, (_, i) => (i < 10 || i > 150 ? -1 : i - 10))]],
    ["single elements of many rows", [Array.from({ length: 150 }, (_, i) => (7 * i) % 149), [-1, 2]]],
    ["whole axes", [[2, 0], Array.from({ length: 200 }, (_, i) => i)]],
    ["nothing", [[0, 1], []]],
  ])("lists of %s", (_, lists) => {
    const shape = [150, 200, 3];
    const x = randomValue(dtype, shape);
    const all = [...lists, [0, 1, 2]];
    const y = newValue(
      dtype,
      all.map(({ length }) => length),
    );
    const fill = isBig(dtype) ? toBig(1) : 1;
    pick(y, x, all, fill);
    const expected = [...indicesOf(y.shape)].map((index) => {
      const from = index.map((i, axis) => all[axis]![i]!);
      return from.some((i) => i < 0) ? fill : x.data[at(from, stridesOf(shape))];
    });
    expect([...elementsOf(y)]).toEqual(expected);
  });

  test.each([
    [[3000], []],
    [
      [700, 4],
      [700, 1],
    ],
    [[700, 4], [4]],
    [
      [5, 3, 300],
      [5, 1, 300],
    ],
    [
      [7, 1, 5, 1, 3],
      [1, 600, 1, 2, 3],
    ],
    [
      [1, 5000],
      [3, 1],
    ],
    [[0, 3], [3]],
  ])("elements of %j and %j", (first, second) => {
    const inputs = [randomValue(dtype, first), randomValue(dtype, second)];
    const rank = Math.max(first.length, second.length);
    const side = (shape: readonly number[], axis: number): number => shape[axis - rank + shape.length] ?? 1;
    const shape = Array.from({ length: rank }, (_, axis) =>
      side(first, axis) === 1 ? side(second, axis) : side(first, axis),
    );
    const y = newValue(dtype, shape);
    const f = (a: number, b: number): number => (b < a && a !== b ? a : b);
    combine(y, inputs, f);
    const [a, b] = inputs.map((input) => broadcastStrides(input.shape, shape)) as [number[], number[]];
    const expected = [...indicesOf(shape)].map((index) =>
      f(elementsOf(inputs[0]!)[at(index, a)]!, elementsOf(inputs[1]!)[at(index, b)]!),
    );
    expect([...elementsOf(y)]).toEqual(expected);
  });

  test.each([
    [[40, 50, 1], [40, 50, 4], [4]], // a colour where a mask holds
    [[40, 50, 1], [4], [40, 50, 4]],
    [
      [6, 1, 8],
      [6, 7, 8],
      [7, 1],
    ],
    [[3], [5, 3], [5, 1]],
    [
      [2, 1, 2, 1],
      [3, 1, 8],
      [2, 1, 1, 8],
    ],
    [[1], [9, 3], [9, 3]],
    [[], [], []],
    [[0, 3], [3], [1, 3]],
  ])("where %j holds, %j, else %j", (...shapes) => {
    const [condition, a, b] = shapes.map((shape, i) => randomValue(i === 0 ? "bool" : dtype, shape)) as Values;
    const y = runOne(nodeOf("Where", {}, 3), [condition, a, b]);
    const [c, p, q] = shapes.map((shape) => broadcastStrides(shape, y.shape)) as [number[], number[], number[]];
    const expected = [...indicesOf(y.shape)].map((index) =>
      condition.data[at(index, c)] ? a.data[at(index, p)] : b.data[at(index, q)],
    );
    expect([...elementsOf(y)]).toEqual(expected);
  });
});

test.each(["f32", "i32", "u8", "i64"] as const)("sums and extremes of %s along axes", (dtype) => {
  for (const shape of [[3, 5000], [60, 40, 7], [5000, 3], [2, 3, 4, 5, 6], [9]])
    for (const axes of [[0], [shape.length - 1], shape.map((_, axis) => axis), shape.length > 2 ? [0, 2] : [0]]) {
      const x = randomValue(dtype, shape);
      const numbers = numbersOf(x);
      const axesInput: Value = { dtype: "i64", shape: [axes.length], data: BigInt64Array.from(axes, BigInt) };
      for (const [op, f] of [
        ["ReduceSum", (a: number, b: number) => a + b],
        ["ReduceMax", Math.max],
        ["ReduceMin", Math.min],
      ] as const) {
        const y = runOne(nodeOf(op, {}, 2), [x, axesInput]);
        const strides = stridesOf(y.shape).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
        const expected = newValue(dtype, y.shape);
        const found = new Map<number, number>();
        for (const [i, index] of [...indicesOf(shape)].entries()) {
          const [place, value] = [at(index, strides), numbers[i]!];
          found.set(place, found.has(place) ? f(found.get(place)!, value) : value);
        }
        write(
          expected,
          Array.from({ length: expected.data.length }, (_, i) => found.get(i)!),
        );
        expect([...elementsOf(y)]).toEqual([...elementsOf(expected)]);
      }
    }
});

test("numbers and 64-bit integers become each other", () => {
  const integers = [
    0,
    -1,
    1,
    2 ** 32,
    -(2 ** 32),
    2 ** 53 - 1,
    -(2 ** 53),
    2 ** 40 + 7,
    -(2 ** 40) - 7,
    -1.5,
    Number.NaN,
    Infinity,
  ];
  for (const dtype of ["i64", "u64"] as const) {
    const value = newValue(dtype, [integers.length]);
    write(value, integers);
    const expected = value.data.constructor as BigInt64ArrayConstructor;
    const rounded = integers.map((number) => BigInt(Number.isFinite(number) ? Math.trunc(number) : 0));
    expect(value.data).toEqual(expected.from(rounded));
    expect([...numbersOf(value)]).toEqual(Array.from(value.data as BigInt64Array, Number));
  }
  const wide = { data: BigUint64Array.of(2n ** 64n - 1n, 2n ** 63n + 1025n, 2n ** 53n + 1n) };
  expect([...numbersOf(wide)]).toEqual(Array.from(wide.data, Number));
});

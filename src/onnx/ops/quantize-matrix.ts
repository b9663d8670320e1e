// Matrix products of quantised values: MatMulInteger, QLinearMatMul, and ONNX Runtime's QGemm, MatMulIntegerToFloat and
// DynamicQuantizeMatMul; with DynamicQuantizeLinear.
import type { Steps } from "../../engine/turns.ts";
import { numberOf, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { newValue, numbersOf, write } from "../../graph/values.ts";
import { roundEven } from "../../kernels/expression/formulas.ts";
import { matMul, multiplied } from "./mat-mul.ts";
import { bytes, centred, checkPerAxis, factorOf, perAxis, requantize, saturate } from "./quantize.ts";

interface Operand {
  x: Spec;
  zero: Spec | undefined;
  /** Rows of the first factor, columns of the second: how many, and elements of one that lie together. */
  slices: number;
  inner: number;
}

const first = (x: Spec, zero: Spec | undefined): Operand => {
  const inner = x.shape.at(-1) ?? 1;
  return { x, zero, slices: x.shape.length > 1 ? x.shape.at(-2)! : 1, inner };
};
const second = (x: Spec, zero: Spec | undefined): Operand => ({
  ...{ x, zero, slices: x.shape.length > 1 ? x.shape.at(-1)! : 1, inner: 1 },
});

/** The shape of the product; refuses zero points and scales that are not of its slices. */
function shapeOf(node: GraphNode, operands: readonly [Operand, Operand], scales: readonly (Spec | undefined)[] = []) {
  const whole = operands.map(({ x: { shape } }): Spec => ({ dtype: "f64", shape }));
  for (const [i, { zero, slices }] of operands.entries()) {
    for (const one of [zero, scales[i]]) if (one) checkPerAxis(node, `scale or zero point of input ${i}`, one, slices);
  }
  return matMul.infer(node, whole)[0]!.shape;
}

/** The exact sums. */
function* sumsOf(node: GraphNode, operands: readonly [Operand, Operand]): Steps<Float64Array> {
  const values = operands.map(({ x, zero, slices, inner }): Value => {
    const data = centred(x as Value, zero as Value | undefined, slices, inner);
    return { dtype: "f64", shape: x.shape, data };
  });
  const y = newValue("f64", matMul.infer(node, values)[0]!.shape);
  yield* multiplied(node, values, y);
  return numbersOf(y);
}

/** Of each sum, a number of its row times one of its column. */
function eachSum(
  operands: readonly [Operand, Operand],
  use: (i: number, row: number, column: number) => void,
  n: number,
) {
  const [{ slices: rows }, { slices: columns }] = operands;
  for (let i = 0; i < n; i++) use(i, Math.floor(i / columns) % rows, i % columns);
}

const matMulInteger: Operator = {
  name: "MatMulInteger",
  infer: (node, inputs) => {
    const [a, b] = [required(node, inputs, 0, bytes), required(node, inputs, 1, bytes)];
    return [{ dtype: "i32", shape: shapeOf(node, [first(a, inputs[2]), second(b, inputs[3])]) }];
  },
  *run(node, [a, b, aZero, bZero], [y]) {
    write(y!, yield* sumsOf(node, [first(a!, aZero), second(b!, bZero)]));
  },
};

const qLinearMatMul: Operator = {
  name: "QLinearMatMul",
  infer: (node, inputs) => {
    const [a, aScale, , b, bScale] = [0, 1, 2, 3, 4].map((i) => required(node, inputs, i));
    for (const i of [0, 3]) required(node, inputs, i, bytes);
    for (const i of [6, 7]) checkPerAxis(node, "scale or zero point of the output", required(node, inputs, i), 1);
    const operands = [first(a!, inputs[2]), second(b!, inputs[5])] as const;
    return [{ dtype: required(node, inputs, 7, bytes).dtype, shape: shapeOf(node, operands, [aScale, bScale]) }];
  },
  *run(node, [a, aScale, aZero, b, bScale, bZero, yScale, yZero], [y]) {
    const operands = [first(a!, aZero), second(b!, bZero)] as const;
    const sums = yield* sumsOf(node, operands);
    const [row, column, scale, zero] = [aScale, bScale, yScale, yZero].map(perAxis);
    eachSum(
      operands,
      (i, r, c) => {
        sums[i] = requantize(sums[i]!, factorOf(row!(r), column!(c), scale!(0)), zero!(0), y!.dtype);
      },
      sums.length,
    );
    write(y!, sums);
  },
};

const transposed = (value: Spec): Spec => {
  const [rows, columns] = value.shape as [number, number];
  const numbers = value.data && numbersOf(value as Value);
  const data = numbers?.map((_, i) => numbers[(i % rows) * columns + Math.floor(i / rows)]!);
  return { dtype: value.dtype, shape: [columns, rows], ...(data && { data }) };
};

/** The factors of a QGemm, turned as it says. */
function gemmOperands(node: GraphNode, [a, , aZero, b, , bZero]: readonly (Spec | undefined)[]): [Operand, Operand] {
  const turned = (name: string, x: Spec): Spec => (numberOf(node, name, 0) ? transposed(x) : x);
  return [first(turned("transA", a!), aZero), second(turned("transB", b!), bZero)];
}

const qGemm: Operator = {
  name: "com.microsoft.QGemm",
  infer: (node, inputs) => {
    const [aScale, bScale] = [required(node, inputs, 1), required(node, inputs, 4)];
    for (const i of [0, 3]) if (required(node, inputs, i, bytes).shape.length !== 2) required(node, [], i);
    const shape = shapeOf(node, gemmOperands(node, inputs), [aScale, bScale]);
    if (inputs[6]) checkPerAxis(node, "bias", inputs[6], shape[1]!);
    return [{ dtype: inputs[7] ? required(node, inputs, 8, bytes).dtype : "f32", shape }];
  },
  *run(node, inputs, [y]) {
    const operands = gemmOperands(node, inputs);
    const sums = yield* sumsOf(node, operands);
    const [row, column, bias, zero] = [inputs[1], inputs[4], inputs[6], inputs[8]].map(perAxis);
    const [alpha, scale] = [numberOf(node, "alpha", 1), inputs[7] ? perAxis(inputs[7])(0) : 1];
    eachSum(
      operands,
      (i, r, c) => {
        const factor = factorOf(alpha * row!(r), column!(c), scale);
        const sum = sums[i]! + bias!(c);
        sums[i] = inputs[7] ? requantize(sum, factor, zero!(0), y!.dtype) : Math.fround(sum) * factor;
      },
      sums.length,
    );
    write(y!, sums);
  },
};

/** Sums times both scales, and a bias. */
function* writeReal(
  node: GraphNode,
  operands: readonly [Operand, Operand],
  given: (Value | undefined)[],
  y: Value,
): Steps {
  const [row, column, bias] = given.map(perAxis);
  const sums = yield* sumsOf(node, operands);
  eachSum(
    operands,
    (i, r, c) => {
      sums[i] = Math.fround(Math.fround(sums[i]!) * Math.fround(row!(r) * column!(c))) + bias!(c);
    },
    sums.length,
  );
  write(y, sums);
}

const matMulIntegerToFloat: Operator = {
  name: "com.microsoft.MatMulIntegerToFloat",
  infer: (node, inputs) => {
    const [a, b] = [required(node, inputs, 0, bytes), required(node, inputs, 1, bytes)];
    const scales = [required(node, inputs, 2), required(node, inputs, 3)];
    const operands = [first(a, inputs[4]), second(b, inputs[5])] as const;
    if (inputs[6]) checkPerAxis(node, "bias", inputs[6], operands[1].slices);
    return [{ dtype: scales[0]!.dtype, shape: shapeOf(node, operands, scales) }];
  },
  run: (node, [a, b, aScale, bScale, aZero, bZero, bias], [y]) =>
    writeReal(node, [first(a!, aZero), second(b!, bZero)], [aScale, bScale, bias], y!),
};

/** u8 by the range of the values themselves and 0. */
function quantizeByRange(x: Value): { y: Value; scale: number; zero: number } {
  const numbers = numbersOf(x);
  const [least, most] = [numbers.reduce((a, b) => Math.min(a, b), 0), numbers.reduce((a, b) => Math.max(a, b), 0)];
  const scale = most === least ? 1 : Math.fround(Math.fround(most - least) / 255);
  const zero = saturate(Math.fround(-least / scale), "u8");
  const y = newValue("u8", x.shape);
  write(
    y,
    numbers.map((value) => saturate(roundEven(Math.fround(value / scale)) + zero, "u8")),
  );
  return { y, scale, zero };
}

const dynamicQuantizeLinear: Operator = {
  name: "DynamicQuantizeLinear",
  infer: (node, inputs) => {
    const { shape } = required(node, inputs, 0, ["f32"]);
    return [
      { dtype: "u8", shape },
      { dtype: "f32", shape: [] },
      { dtype: "u8", shape: [] },
    ];
  },
  run: (_node, [x], [y, yScale, yZero]) => {
    const { y: made, scale, zero } = quantizeByRange(x!);
    write(y!, numbersOf(made));
    if (yScale) write(yScale, [scale]);
    if (yZero) write(yZero, [zero]);
  },
};

const dynamicQuantizeMatMul: Operator = {
  name: "com.microsoft.DynamicQuantizeMatMul",
  infer: (node, inputs) => {
    const [a, b] = [required(node, inputs, 0, ["f32"]), required(node, inputs, 1, bytes)];
    const operands = [first(a, undefined), second(b, inputs[3])] as const;
    if (inputs[4]) checkPerAxis(node, "bias", inputs[4], operands[1].slices);
    return [{ dtype: "f32", shape: shapeOf(node, operands, [undefined, required(node, inputs, 2)]) }];
  },
  *run(node, [a, b, bScale, bZero, bias], [out]) {
    const { y, scale, zero } = quantizeByRange(a!);
    const own = [newValue("f32", []), newValue("u8", [])] as const;
    write(own[0], [scale]);
    write(own[1], [zero]);
    yield* writeReal(node, [first(y, own[1]), second(b!, bZero)], [own[0], bScale, bias], out!);
  },
};

export const quantizedProducts: readonly Operator[] = [
  ...[matMulInteger, qLinearMatMul, qGemm, matMulIntegerToFloat, dynamicQuantizeLinear, dynamicQuantizeMatMul],
];

// Rules of convolutions and matrix products of quantised values: QLinearConv, ConvInteger and their like, and Conv, MatMul and
// Gemm between nodes that dequantise and quantise.
import type { Tensor } from "../../tensor.ts";
import { numberOf } from "../nodes.ts";
import type { GraphNode } from "../types.ts";
import { sizeOf } from "../values.ts";
import { type Expansion, ranges, type Scaled } from "./expansion.ts";
import { emitSum, isExact, type Product } from "./sums.ts";

export type Rule = (e: Expansion, node: GraphNode) => boolean;

/** A quantised value: the names of its integers, scale and zero point. */
interface Quantity {
  name: string;
  scale?: string;
  zero?: string;
}

const quantity = ({ inputs }: GraphNode, name: number, scale: number, zero: number): Quantity => ({
  ...{ name: inputs[name]!, scale: inputs[scale] || undefined, zero: inputs[zero] || undefined },
});

/** A product of a computed value with weights: constant ones, or for MatMul another value. */
interface ProductOf {
  op: Product;
  attributes: GraphNode["attributes"];
  x: Quantity;
  weight: Quantity;
  /** In units of the product of the scales. */
  bias?: Float64Array;
}

/** The axis of a weight that outputs go along. */
const outputAxis = ({ op, attributes }: ProductOf): number =>
  op === "Conv" || (op === "Gemm" && attributes.transB === 1) ? 0 : 1;

/** The axis of the result that outputs go along. */
const channelAxis = (e: Expansion, { op }: ProductOf, y: string): number => (op === "Conv" ? 1 : e.rank(y) - 1);

/** The weights less their zero points; undefined where they are computed. */
const weightOf = (e: Expansion, product: ProductOf): Tensor | undefined =>
  product.op === "Conv" || e.rank(product.weight.name) === 2
    ? e.centredConstant(product.weight.name, product.weight.zero, outputAxis(product))
    : undefined;

/** The largest magnitude of a value's integers less their zero point. */
function largestOf(e: Expansion, { name, zero }: Quantity): number | undefined {
  const [range, offset] = [ranges[e.specs.get(name)!.dtype], e.zeroOf(zero)];
  if (!range) return undefined;
  return typeof offset === "number" ? Math.max(range[1] - offset, offset - range[0]) : range[1] - range[0];
}

/** The sum of products of integers, in floats; false where it could not be exact. */
function integerSum(e: Expansion, product: ProductOf, output: string): boolean {
  const { op, attributes, x, bias } = product;
  const rank = e.rank(x.name);
  const [largest, weight] = [largestOf(e, x), weightOf(e, product)];
  if (!largest) return false;
  if (!weight) return op === "MatMul" && !bias && valueSum(e, product, output);
  return emitSum(e, { op, x: e.centred(x.name, x.zero), rank, largest, weight, bias, attributes, output });
}

/** The same of two values, each of one zero point. */
function valueSum(e: Expansion, { x, weight }: ProductOf, output: string): boolean {
  const [first, second] = [largestOf(e, x), largestOf(e, weight)];
  const inner = e.specs.get(x.name)!.shape.at(-1);
  // Zero points that rules make are single ones.
  const single = [x, weight].every(({ zero = "" }) => sizeOf(e.specs.get(zero)?.shape ?? []) === 1);
  if (!first || !second || !inner || !single || !isExact(inner, first, second)) return false;
  e.emit("MatMul", [e.centred(x.name, x.zero), e.centred(weight.name, weight.zero)], output);
  return true;
}

/** The product of the scales, one for all or one for each output; rounded as floats are. */
function factorsOf(e: Expansion, { x, weight }: ProductOf, by = 1): number[] | undefined {
  const [scale, scales] = [e.scalar(x.scale), e.known(weight.scale)];
  if (scale === undefined || !scales) return undefined;
  return Array.from(scales, (one) => Math.fround(Math.fround(by * scale) * one));
}

/** The same of real numbers. */
function realProduct(e: Expansion, product: ProductOf, factors: readonly number[], output: string): boolean {
  const { op, attributes, x, weight, bias } = product;
  const from = e.real(x.name, x.scale!, x.zero);
  const centred = weightOf(e, product);
  if (from && !centred && op === "MatMul" && !bias && factors.length === 1) {
    const other = e.real(weight.name, weight.scale!, weight.zero);
    if (other) e.emit(op, [from, other], output);
    return other !== undefined;
  }
  if (!from || !centred) return false;
  const weights = scaledBy(centred, e.known(weight.scale)!, outputAxis(product));
  e.constants.set(`${output}: weights`, weights);
  const factor = (o: number): number => factors[factors.length === 1 ? 0 : o]!;
  const added =
    bias &&
    e.constant(
      `${output}: biases`,
      Array.from(bias, (value, o) => value * factor(o)),
      [bias.length],
    );
  if (op === "MatMul" && added) return false;
  e.emit(op, [from, `${output}: weights`, ...(added ? [added] : [])], output, attributes);
  return true;
}

/** Slices along an axis times one number each, or all times one. */
export function scaledBy({ shape, data }: Tensor, scales: ArrayLike<number>, axis: number): Tensor {
  const inner = shape.slice(axis + 1).reduce((size, side) => size * side, 1);
  const scale = (i: number): number => scales[scales.length === 1 ? 0 : Math.floor(i / inner) % shape[axis]!]!;
  return { shape, data: (data as Float32Array).map((value, i) => value * scale(i)) };
}

interface LinearInputs {
  op: Product;
  x: readonly [number, number, number];
  weight: readonly [number, number, number];
  /** -1 where there is none. */
  bias: number;
  y: readonly [scale: number, zero: number];
}

/** QLinearConv, QLinearMatMul and QGemm: of constant weights and scales. */
const linear =
  ({ op, x, weight, bias, y: [scaleAt, zeroAt] }: LinearInputs): Rule =>
  (e, node) => {
    const { alpha, ...attributes } = node.attributes;
    const [y, biases] = [node.outputs[0]!, node.inputs[bias] || undefined];
    const [yScale, yZero] = [node.inputs[scaleAt] || undefined, node.inputs[zeroAt] || undefined];
    const product: ProductOf = {
      ...{ op, attributes, x: quantity(node, ...x), weight: quantity(node, ...weight), bias: e.known(biases) },
    };
    const factors = factorsOf(e, product, op === "Gemm" ? numberOf(node, "alpha", 1) : 1);
    const scale = e.scalar(yScale, 1);
    const isKnown = (!biases || product.bias) && e.scalar(yZero, 0) !== undefined;
    if (!factors || scale === undefined || !isKnown) return false;
    const sum = `${y}: sum`;
    if (e.quantized === "integer" && integerSum(e, product, sum)) {
      const quotients = factors.map((factor) => Math.fround(factor / scale));
      const scaled: Scaled = { name: sum, factors: quotients, axis: channelAxis(e, product, y) };
      if (yScale) return e.quantize(y, sum, yScale, yZero, scaled);
      e.scaled.set(y, scaled);
      return true;
    }
    if (!realProduct(e, product, factors, yScale ? sum : y)) return false;
    return !yScale || e.quantize(y, sum, yScale, yZero);
  };

/** ConvInteger and MatMulInteger: a sum of integers, which its readers convert. */
const integers =
  (op: "Conv" | "MatMul"): Rule =>
  (e, node) => {
    const y = node.outputs[0]!;
    const product = { op, attributes: node.attributes, x: quantity(node, 0, -1, 2), weight: quantity(node, 1, -1, 3) };
    const held = e.held.get(product.x.name);
    if (held?.scale) {
      const [weight, { zero = "" }] = [weightOf(e, product), product.x];
      if (!weight || held.zero !== zero) return false;
      e.pending.set(y, { ...{ op, attributes: node.attributes, weight }, from: held.name, scale: held.scale, zero });
      return true;
    }
    const sum = `${y}: sum`;
    if (!integerSum(e, product, sum)) return false;
    e.held.set(y, { name: sum, dtype: "i32", zero: 0 });
    return true;
  };

/** MatMulIntegerToFloat, and DynamicQuantizeMatMul once its input is quantised: a sum, scaled, and a bias. */
function scaledProduct(e: Expansion, x: Quantity, weight: Quantity, bias: string, y: string): boolean {
  const product: ProductOf = { op: "MatMul", attributes: {}, x, weight };
  const to = bias ? `${y}: product` : y;
  const scales = e.known(weight.scale);
  if (!scales) return false;
  if (e.quantized === "integer") {
    if (!integerSum(e, product, `${y}: sum`)) return false;
    e.emit("Mul", [`${y}: sum`, e.emit("Mul", [e.need(x.scale!), weight.scale!], `${y}: factor`)], to);
  } else {
    const [from, centred] = [e.real(x.name, x.scale!, x.zero), weightOf(e, product)];
    if (!from || !centred) return false;
    e.constants.set(`${y}: weights`, scaledBy(centred, scales, 1));
    e.emit("MatMul", [from, `${y}: weights`], to);
  }
  if (bias) e.emit("Add", [to, e.need(bias)], y);
  return true;
}

const integerToFloat: Rule = (e, node) =>
  scaledProduct(e, quantity(node, 0, 2, 4), quantity(node, 1, 3, 5), node.inputs[6] ?? "", node.outputs[0]!);

const dynamicProduct: Rule = (e, node) => {
  const weight = quantity(node, 1, 2, 3);
  const [y, names] = [node.outputs[0]!, ["quantized", "scale", "zero"].map((what) => `${node.outputs[0]}: ${what}`)];
  if (!e.centredConstant(weight.name, weight.zero, 1) || !e.known(weight.scale)) return false;
  const [name, scale, zero] = names as [string, string, string];
  quantizeDynamically(e, e.need(node.inputs[0]!), name, scale, zero);
  return scaledProduct(e, { name, scale, zero }, weight, node.inputs[4] ?? "", y);
};

/** By the range of its own values: as u8, of which floats stand for the integers or the real numbers. */
export function quantizeDynamically(e: Expansion, x: string, y: string, scale: string, zero: string): void {
  e.describe(y, "u8", x);
  e.dynamicScales.add(scale);
  if (e.quantized === "float") {
    e.emitAll("DynamicQuantizeLinear", [x], [`${y}: integers`, scale, zero]);
    e.held.set(y, { name: x, dtype: "u8", zero, scale });
    return;
  }
  const least = e.emit("ReduceMin", [x], `${y}: least`, { keepdims: 0 });
  const most = e.emit("ReduceMax", [x], `${y}: most`, { keepdims: 0 });
  e.emit("DynamicScale", [least, most], scale);
  const limit = e.emit("DynamicLimit", [least, scale], `${y}: limit`);
  e.emit("Requantize", [x, scale, limit], `${y}: held`, { divide: 1 });
  e.held.set(y, { name: `${y}: held`, dtype: "u8", zero });
  const offset = e.emit("Sub", [e.constant(`${y}: 255`, [255]), limit], `${zero}: held`);
  e.held.set(zero, { name: offset, dtype: "u8", zero: 0 });
}

/** A matrix product of two values that are dequantised. */
function betweenValues(e: Expansion, { inputs, outputs: [y = ""] }: GraphNode): boolean {
  const [a, b] = inputs.map((name) => e.scaled.get(name));
  const inner = e.specs.get(inputs[0]!)!.shape.at(-1);
  if (!a?.range || !b?.range || a.factors.length > 1 || b.factors.length > 1 || !inner) return false;
  const [first, second] = [a, b].map(({ range }) => Math.max(...range!.map(Math.abs))) as [number, number];
  if (!isExact(inner, first, second)) return false;
  const name = e.emit("MatMul", [a.name, b.name], `${y}: sum`);
  e.scaled.set(y, { name, factors: [Math.fround(a.factors[0]! * b.factors[0]!)], axis: e.rank(y) - 1 });
  return true;
}

/** A layer of real numbers whose inputs are dequantised: a sum of integers, if its weights are dequantised constants. */
const between =
  (op: Product): Rule =>
  (e, node) => {
    const [x, weights] = [e.scaled.get(node.inputs[0]!), e.weights.get(node.inputs[1]!)];
    if (op === "MatMul" && betweenValues(e, node)) return true;
    const plain = op !== "Gemm" || ["alpha", "beta"].every((name) => numberOf(node, name, 1) === 1);
    if (!x?.range || x.factors.length > 1 || !weights || !plain || numberOf(node, "transA", 0) !== 0) return false;
    const weight = quantity(weights, 0, 1, 2);
    const product: ProductOf = { op, attributes: node.attributes, x: { name: x.name }, weight };
    const [constant, scales, axis] = [weightOf(e, product), e.known(weight.scale), outputAxis(product)];
    if (!constant || !scales || (scales.length > 1 && numberOf(weights, "axis", 1) !== axis)) return false;
    const factors = Array.from(scales, (scale) => Math.fround(x.factors[0]! * scale));
    const given = node.inputs[2] || undefined;
    const bias = given ? biasOf(e, given, factors) : undefined;
    if (given && !bias && !e.known(given)) return false;
    const [y, largest] = [node.outputs[0]!, Math.max(...x.range.map(Math.abs))];
    const rank = e.rank(node.inputs[0]!);
    const sum = {
      op,
      x: x.name,
      rank,
      largest,
      weight: constant,
      bias,
      attributes: node.attributes,
      output: `${y}: sum`,
    };
    if (!emitSum(e, sum)) return false;
    const scaled: Scaled = { name: sum.output, factors, axis: channelAxis(e, product, y) };
    if (!given || bias) e.scaled.set(y, scaled);
    else {
      const product = e.emit("Mul", [sum.output, e.factors(`${y}: factors`, scaled, e.rank(y))], `${y}: product`);
      const added = { factors: Array.from(e.known(given)!), axis: scaled.axis };
      e.emit("Add", [product, e.factors(`${y}: biases`, added, e.rank(y))], y);
    }
    return true;
  };

/** A bias in units of the product of the scales, if it is quantised so. */
function biasOf(e: Expansion, name: string, factors: readonly number[]): Float64Array | undefined {
  const node = e.weights.get(name);
  if (!node || e.scalar(node.inputs[2] || undefined, 0) !== 0) return undefined;
  const [numbers, scales] = [e.known(node.inputs[0]), e.known(node.inputs[1])];
  const close = (scale: number, i: number): boolean => {
    const factor = factors[factors.length === 1 ? 0 : i]!;
    return Math.abs(scale - factor) <= 1e-5 * factor;
  };
  if (scales && scales.length < factors.length) return undefined;
  return scales?.every(close) ? numbers : undefined;
}

export const productRules: Readonly<Record<string, Rule>> = {
  QLinearConv: linear({ op: "Conv", x: [0, 1, 2], weight: [3, 4, 5], bias: 8, y: [6, 7] }),
  QLinearMatMul: linear({ op: "MatMul", x: [0, 1, 2], weight: [3, 4, 5], bias: -1, y: [6, 7] }),
  "com.microsoft.QGemm": linear({ op: "Gemm", x: [0, 1, 2], weight: [3, 4, 5], bias: 6, y: [7, 8] }),
  ...{ ConvInteger: integers("Conv"), MatMulInteger: integers("MatMul") },
  "com.microsoft.MatMulIntegerToFloat": integerToFloat,
  "com.microsoft.DynamicQuantizeMatMul": dynamicProduct,
  ...{ Conv: between("Conv"), MatMul: between("MatMul"), Gemm: between("Gemm") },
};

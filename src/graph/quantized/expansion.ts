// What the rules of quantised operators share: the network that is written anew, and which of its values are held in 32-bit
// floats in place of small integers. Nothing is converted back before somebody asks for it.
import type { DType, Tensor } from "../../tensor.ts";
import type { Graph, GraphNode, Spec } from "../types.ts";
import { numbersOf } from "../values.ts";

/** How quantised operators are computed: in integers, exactly as they say; or in floats, without rounding between them. */
export type Quantized = "integer" | "float";

/** Values of integer types that are held in floats. */
export const ranges: Readonly<Partial<Record<DType, readonly [least: number, most: number]>>> = {
  u8: [0, 255],
  i8: [-128, 127],
  u16: [0, 65535],
  i16: [-32768, 32767],
};

/** Numbers that types have in ONNX files. */
const codes: Readonly<Partial<Record<DType, number>>> = { f32: 1, u8: 2, i8: 3, u16: 4, i16: 5, i32: 6 };

/** A value of integers, as floats stand for it. */
export interface Held {
  /** The value of floats: the integers less their zero point; or, in floats, the real numbers that they stand for. */
  name: string;
  dtype: DType;
  /** The zero point: a number, or the name of what it is computed into. */
  zero: number | string;
  /** In floats: the name of the scale. */
  scale?: string;
}

/** A value of floats that is integers times a factor, or one for each channel. */
export interface Scaled {
  /** The integers, in floats. */
  name: string;
  factors: readonly number[];
  /** Along which axis the factors go, where they are several. */
  axis: number;
  /** Between which numbers the integers are; absent of sums of products. */
  range?: readonly [number, number];
  /** What is below 0 counts as 0. */
  positive?: boolean;
}

/** In floats: a sum of products whose factor, a scale of run time, is not known yet. */
export interface Pending {
  op: "Conv" | "MatMul";
  attributes: GraphNode["attributes"];
  /** Real numbers, and the scale and zero point that they would be quantised by. */
  from: string;
  scale: string;
  zero: string;
  /** Integers less their zero points. */
  weight: Tensor;
}

/** The operator set of nodes that rules write. */
const opset = 18;

export class Expansion {
  readonly quantized: Quantized;
  readonly specs: Map<string, Spec>;
  readonly constants: Map<string, Tensor>;
  readonly nodes: GraphNode[] = [];
  readonly held = new Map<string, Held>();
  readonly scaled = new Map<string, Scaled>();
  /** Nodes that dequantise constants. */
  readonly weights = new Map<string, GraphNode>();
  readonly pending = new Map<string, Pending>();
  /** Scales of run time, and products of such a one with something else. */
  readonly dynamicScales = new Set<string>();
  readonly scaleProducts = new Map<string, { scale: string; by: string }>();
  private readonly made = new Set<string>();
  private title = "";

  constructor(graph: Graph, specs: ReadonlyMap<string, Spec>, quantized: Quantized) {
    this.quantized = quantized;
    this.specs = new Map(specs);
    this.constants = new Map(graph.constants);
  }

  /** Nodes that are written from now on bear this one's name. */
  begin({ name, outputs }: GraphNode): void {
    this.title = name || outputs[0]!;
  }

  /** The elements of a value that are known; undefined of others. */
  known(name: string | undefined): Float64Array | undefined {
    const spec = name ? this.specs.get(name) : undefined;
    return spec?.data && numbersOf(spec as Tensor);
  }

  /** A number that is known; `fallback` where the input is left out. */
  scalar(name: string | undefined, fallback?: number): number | undefined {
    if (!name) return fallback;
    const numbers = this.known(name);
    return numbers?.length === 1 ? numbers[0] : undefined;
  }

  /** Notes the type of a value that rules make, of the shape of another. */
  describe(name: string, dtype: DType, like: string): void {
    this.specs.set(name, { dtype, shape: this.specs.get(like)!.shape });
  }

  rank(name: string): number {
    return this.specs.get(name)!.shape.length;
  }

  /** Writes a node and gives the name of its result. */
  emit(op: string, inputs: readonly string[], output: string, attributes: GraphNode["attributes"] = {}): string {
    return this.emitAll(op, inputs, [output], attributes);
  }

  /** The same of several results; gives the first one's name. */
  emitAll(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: GraphNode["attributes"] = {},
  ): string {
    this.nodes.push({ name: this.title, op, opset, inputs, outputs, attributes });
    for (const name of outputs) this.made.add(name);
    return outputs[0]!;
  }

  /** Writes a node of the network with other inputs and outputs. */
  emitAs(node: GraphNode, inputs: readonly string[], outputs: readonly string[]): void {
    this.nodes.push({ ...node, inputs, outputs });
    for (const name of outputs) this.made.add(name);
  }

  constant(name: string, numbers: ArrayLike<number>, shape: readonly number[] = []): string {
    this.constants.set(name, { shape, data: Float32Array.from(numbers) });
    return name;
  }

  integers(name: string, numbers: readonly number[]): string {
    this.constants.set(name, { shape: [numbers.length], data: BigInt64Array.from(numbers, BigInt) });
    return name;
  }

  /** Factors in the shape that broadcasts them along an axis of a value of a rank. */
  factors(name: string, { factors, axis }: Pick<Scaled, "factors" | "axis">, rank: number): string {
    const shape = factors.length === 1 ? [] : [factors.length, ...Array<number>(rank - 1 - axis).fill(1)];
    return this.constant(name, factors, shape);
  }

  /** A value under its own name, converted where floats stand for it. */
  need(name: string): string {
    if (this.made.has(name)) return name;
    const held = this.held.get(name);
    if (held) this.release(name, held);
    const [scaled, pending] = [this.scaled.get(name), this.pending.get(name)];
    if (pending) this.compute(name, pending);
    if (scaled) {
      const factors = this.factors(`${name}: factors`, scaled, this.rank(name));
      if (!scaled.positive) this.emit("Mul", [scaled.name, factors], name);
      else this.emit("Relu", [this.emit("Mul", [scaled.name, factors], `${name}: signed`)], name);
    }
    return name;
  }

  /** Integers from the floats that stand for them. */
  private release(name: string, { name: from, zero, scale, dtype }: Held): void {
    const to = { to: codes[dtype]! };
    if (scale) {
      this.emit("QuantizeLinear", [from, scale, zero as string], name);
      return;
    }
    const offset = typeof zero === "number" ? this.constant(`${name}: zero`, [zero]) : this.asFloat(zero);
    this.emit("Cast", [this.emit("Add", [from, offset], `${name}: raised`)], name, to);
  }

  /** A sum of integers after all. */
  private compute(name: string, { op, attributes, from, scale, zero, weight }: Pending): void {
    const x = this.emit("QuantizeLinear", [from, scale, zero], `${name}: quantized`);
    this.describe(x, "u8", from);
    this.constants.set(`${name}: weights`, weight);
    const sum = this.emit(op, [this.centred(x, zero), `${name}: weights`], `${name}: sum`, attributes);
    this.emit("Cast", [sum], name, { to: codes[this.specs.get(name)!.dtype]! });
  }

  /** Integers of a type as floats. */
  asFloat(name: string): string {
    const held = this.held.get(name);
    if (held && !held.scale && held.zero === 0) return held.name;
    const floats = `${name}: floats`;
    return this.made.has(floats) ? floats : this.emit("Cast", [this.need(name)], floats, { to: codes.f32! });
  }

  /** The floats that stand for a value of small integers: less its zero point. A constant has one for each slice of `axis`. */
  centred(name: string, zero: string | undefined, axis = 0): string {
    const centred = `${name}: less ${zero ?? 0}`;
    if (this.made.has(centred) || this.constants.has(centred)) return centred;
    const weight = this.centredConstant(name, zero, axis);
    if (weight) {
      this.constants.set(centred, weight);
      return centred;
    }
    const [held, own] = [this.held.get(name), this.zeroOf(zero)];
    if (held && !held.scale && held.zero === own) return held.name;
    if (typeof own === "number" && held && typeof held.zero === "number" && !held.scale)
      return this.emit("Add", [held.name, this.constant(`${centred} by`, [held.zero - own])], centred);
    const floats = this.asFloat(name);
    if (own === 0) return floats;
    const offset = typeof own === "number" ? this.constant(`${centred} by`, [own]) : this.asFloat(own);
    return this.emit("Sub", [floats, offset], centred);
  }

  /** What a zero point is known by. */
  zeroOf(zero: string | undefined): number | string {
    return this.scalar(zero, 0) ?? zero!;
  }

  /** A constant of integers less its zero point, one for all or one for each slice along an axis. */
  centredConstant(name: string, zero: string | undefined, axis: number): Tensor | undefined {
    const [spec, numbers] = [this.specs.get(name), this.known(name)];
    const zeros = zero ? this.known(zero) : new Float64Array(1);
    if (!spec || !numbers || !zeros) return undefined;
    const count = spec.shape[axis] ?? 1;
    const inner = spec.shape.slice(axis + 1).reduce((product, side) => product * side, 1);
    if (zeros.length !== 1 && zeros.length !== count) return undefined;
    const data = new Float32Array(numbers);
    for (let from = 0, slice = 0; from < data.length; from += inner, slice++) {
      const offset = zeros[zeros.length === 1 ? 0 : slice % count]!;
      if (offset !== 0) for (let i = from; i < from + inner; i++) data[i]! -= offset;
    }
    return { shape: spec.shape, data };
  }

  /** The real numbers that quantised ones stand for; undefined where scales are of slices of a value that is computed. */
  real(name: string, scale: string, zero: string | undefined, output = `${name}: real`): string | undefined {
    if (this.made.has(output)) return output;
    const held = this.held.get(name);
    if (held?.scale && this.same(held.scale, scale) && held.zero === (zero ?? "")) return held.name;
    const factor = this.known(scale);
    if (factor && factor.length > 1) return undefined;
    const from = this.centred(name, zero);
    return this.emit("Mul", [from, scale], output);
  }

  private same(a: string, b: string): boolean {
    const [first, second] = [this.known(a), this.known(b)];
    return a === b || (first !== undefined && second !== undefined && first.join() === second.join());
  }

  /**
   * Real numbers as quantised ones of a type, under the name of these; in floats, only within what the type can say.
   * `from` is divided by the scale, unless it says by what it is to be multiplied instead.
   */
  quantize(output: string, from: string, scale: string, zero: string | undefined, by?: Scaled): boolean {
    const { dtype } = this.specs.get(output)!;
    const [range, number, offset] = [ranges[dtype], this.scalar(scale), this.scalar(zero, 0)];
    if (!range || number === undefined || offset === undefined) return false;
    const [low, high] = range.map((bound) => bound - offset) as [number, number];
    const name = `${output}: held`;
    if (this.quantized === "float") {
      const bounds = [low, high].map((bound, i) => this.constant(`${output}: bound ${i}`, [bound * number]));
      this.emit("Clip", [from, ...bounds], name);
      this.held.set(output, { name, dtype, zero: zero ?? "", scale });
      return true;
    }
    const factor = by ? this.factors(`${output}: factors`, by, this.rank(output)) : scale;
    const least = by?.positive ? Math.max(0, low) : low;
    this.emit("Requantize", [from, factor], name, { low: least, high, divide: Number(!by) });
    this.held.set(output, { name, dtype, zero: offset });
    return true;
  }
}

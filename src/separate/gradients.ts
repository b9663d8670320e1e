// Reverse-mode differentiation of a network: adds nodes that compute the gradients of its values from gradients of its
// outputs. Has rules for the operators of convolutional networks; behind others the gradient is unknown.
import { compute, outputsOf } from "../graph/evaluate.ts";
import { numberOf } from "../graph/nodes.ts";
import { removeUnused } from "../graph/passes/index.ts";
import type { Attribute, Graph, GraphNode, Operator, Operators, Spec, Value } from "../graph/types.ts";
import { isFloat, newValue, numbersOf, sizeOf } from "../graph/values.ts";
import { transposedWindow, windowOf } from "../graph/window.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Tensor } from "../tensor.ts";

/** The operator set of the nodes that are added. */
const opset = 13;

/** ScatterAdd(x, places): zeros of a shape, to which each element is added at its place, counted from 1; 0 is none. */
const scatterAdd: Operator = {
  name: "rank1.ScatterAdd",
  infer: ({ attributes }, [x]) => [{ dtype: x!.dtype, shape: attributes.shape as readonly number[] }],
  run: (_, [x, places], [y]) => {
    const [from, at, to] = [numbersOf(x!), numbersOf(places!), numbersOf(y!)];
    for (let i = 0; i < from.length; i++) if (at[i]! > 0) to[at[i]! - 1]! += from[i]!;
  },
};

/** The operators of the nodes in {@link gradientGraph}'s results. */
export const gradientOperators: Operators = new Map([...operators, [scatterAdd.name, scatterAdd]]);

/** A network that computes gradients, and the names of what goes in and comes out beyond its own inputs. */
export interface GradientGraph {
  graph: Graph;
  /** Inputs: a direction for each output. */
  directions: ReadonlyMap<string, string>;
  /** Outputs: for each value of which the gradient is known, the gradient. */
  gradients: ReadonlyMap<string, string>;
}

/**
 * The gradients of values for directions of the network's outputs, for inputs of the shapes that `specs` hold. `kept`: other
 * values that are outputs, too.
 */
export function gradientGraph(
  graph: Graph,
  specs: ReadonlyMap<string, Spec>,
  values: readonly string[],
  kept: readonly string[] = [],
): GradientGraph {
  const reached = new Set(values);
  for (const { inputs, outputs } of graph.nodes) {
    if (!inputs.some((name) => reached.has(name))) continue;
    // Sizes and places depend on a value, too, but do not change with it.
    for (const name of outputs) if (name !== "" && isFloat(specs.get(name)!.dtype)) reached.add(name);
  }
  const tape = new Tape(graph, specs);
  const outputs = graph.outputs.filter(({ name }) => reached.has(name));
  const directions = new Map(outputs.map(({ name }) => [name, `direction of ${name}`]));
  for (const [name, direction] of directions) tape.add(name, direction);
  for (const node of graph.nodes.toReversed()) tape.reverse(node, reached);
  const gradients = new Map(values.flatMap((name) => tape.gradientOf(name) ?? []).map(([name, own]) => [name, own]));
  const inputs = outputs.map(({ name }) => ({ name: directions.get(name)!, ...specs.get(name)!, data: undefined }));
  return {
    graph: removeUnused({
      inputs: [...graph.inputs, ...inputs],
      outputs: [...new Set([...gradients.values(), ...kept])].map((name) => ({ name })),
      nodes: [...graph.nodes, ...tape.nodes],
      constants: new Map([...graph.constants, ...tape.constants]),
    }),
    ...{ directions, gradients },
  };
}

/** The gradients of a node's inputs, by their index, from that of its first output. */
type GradientRule = (node: GraphNode, gradient: string, tape: Tape) => Record<number, string>;

class Tape {
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<string, Tensor>();
  readonly graph: Graph;
  readonly specs: ReadonlyMap<string, Spec>;
  /** What has been added to the gradient of each value; undefined where a part of it is not known. */
  private readonly parts = new Map<string, string[] | undefined>();

  constructor(graph: Graph, specs: ReadonlyMap<string, Spec>) {
    this.graph = graph;
    this.specs = specs;
  }

  add(value: string, gradient: string | undefined): void {
    const known = this.parts.has(value) ? this.parts.get(value) : [];
    this.parts.set(value, known && gradient !== undefined ? [...known, gradient] : undefined);
  }

  /** A value's name with that of its gradient, as it stands. */
  gradientOf(value: string): [[string, string]] | undefined {
    const parts = this.parts.get(value);
    if (!parts || parts.length === 0) return undefined;
    const total = parts.reduce((a, b) => this.emit("Add", [a, b]));
    this.parts.set(value, [total]);
    return [[value, total]];
  }

  reverse(node: GraphNode, reached: ReadonlySet<string>): void {
    const [output = "", ...others] = node.outputs;
    const isUsed = node.outputs.some((name) => this.parts.has(name));
    const wanted = node.inputs.flatMap((name, i) => (reached.has(name) ? [{ name, i }] : []));
    if (!isUsed || wanted.length === 0) return;
    const gradient = others.some((name) => this.parts.has(name)) ? undefined : this.gradientOf(output)?.[0][1];
    const found = gradient === undefined ? undefined : rules[node.op]?.(node, gradient, this);
    for (const { name, i } of wanted) this.add(name, found?.[i]);
  }

  spec(name: string): Spec {
    return this.specs.get(name)!;
  }

  emit(op: string, inputs: string[], attributes: Record<string, Attribute> = {}, count = 1): string {
    const name = `gradient ${this.nodes.length}`;
    const outputs = Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}: ${i}`));
    this.nodes.push({ name, op, opset, inputs, outputs, attributes });
    return name;
  }

  constant(tensor: Tensor): string {
    const name = `gradient constant ${this.constants.size}`;
    this.constants.set(name, tensor);
    return name;
  }

  number(value: number): string {
    return this.constant({ shape: [], data: new Float32Array([value]) });
  }

  list(values: readonly number[]): string {
    return this.constant({ shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  }

  reshape(value: string, shape: readonly number[]): string {
    return this.emit("Reshape", [value, this.list(shape)]);
  }

  /** The sum over what was repeated to give a gradient its shape. */
  reduce(value: string, from: readonly number[], to: readonly number[]): string {
    if (`${from}` === `${to}`) return value;
    const padded = [...Array<number>(from.length - to.length).fill(1), ...to];
    const axes = from.flatMap((side, axis) => (side !== padded[axis] ? [axis] : []));
    return this.reshape(this.emit("ReduceSum", [value, this.list(axes)], { keepdims: 1 }), to);
  }
}

const one = (gradient: string): Record<number, string> => ({ 0: gradient });

/** The gradient of operators that only move elements; which element comes from where is found by running them on indices. */
function moved(node: GraphNode, gradient: string, tape: Tape): Record<number, string> {
  const specs = node.inputs.map((name) => (name === "" ? undefined : tape.spec(name)));
  const isData = (spec: Spec | undefined, i: number) => spec && (i === 0 || node.op === "Concat");
  // The number that an old Pad puts around is an attribute, and comes from nowhere.
  const still = node.op === "Pad" ? { ...node, attributes: { ...node.attributes, value: 0 } } : node;
  return Object.fromEntries(
    specs.flatMap((spec, index) => {
      if (!spec || !isData(spec, index)) return [];
      const inputs = specs.map((other, i): Value | undefined => {
        if (!other || !isData(other, i)) return other as Value | undefined;
        const numbers = newValue("f64", other.shape);
        return { ...numbers, data: i === index ? (numbers.data as Float64Array).map((_, at) => at + 1) : numbers.data };
      });
      const fits = inputs.map((input, i) =>
        node.op === "Pad" && i === 2 && input ? newValue("f64", input.shape) : input,
      );
      const [places] = compute(still, operators, fits, outputsOf(still, operators, fits));
      return [[index, tape.emit(scatterAdd.name, [gradient, tape.constant(places!)], { shape: spec.shape })]];
    }),
  );
}

const reshaped: GradientRule = (node, gradient, tape) => one(tape.reshape(gradient, tape.spec(node.inputs[0]!).shape));

/** The gradient where a condition holds of x and y, and a share of it elsewhere. */
function gated(
  tape: Tape,
  gradient: string,
  condition: string,
  otherwise: string = tape.number(0),
): Record<number, string> {
  return one(tape.emit("Where", [condition, gradient, otherwise]));
}

/** The gradient where a value is above 0, and times a slope elsewhere: of operations that the backend has kernels for. */
function sloped(tape: Tape, gradient: string, value: string, slope: number): Record<number, string> {
  const steep = tape.emit("Mul", [value, tape.number(1e30)]);
  return one(tape.emit("Mul", [gradient, tape.emit("Clip", [steep, tape.number(slope), tape.number(1)])]));
}

const times =
  (signs: readonly number[]): GradientRule =>
  ({ inputs, outputs }, gradient, tape) => {
    const from = tape.spec(outputs[0]!).shape;
    return Object.fromEntries(
      inputs.map((name, i) => {
        const signed = (signs[i] ?? 1) < 0 ? tape.emit("Neg", [gradient]) : gradient;
        return [i, tape.reduce(signed, from, tape.spec(name).shape)];
      }),
    );
  };

/** The gradient of a mean: every element gets an equal share. */
function spread(node: GraphNode, gradient: string, tape: Tape): Record<number, string> {
  const [{ shape }, { shape: small }] = [tape.spec(node.inputs[0]!), tape.spec(node.outputs[0]!)];
  const count = sizeOf(shape) / sizeOf(small);
  const sides = tape.spec(node.inputs[0]!).shape.map((side, axis) => {
    if (small.length === shape.length) return small[axis]!;
    return reducedAxes(node, shape.length, tape).includes(axis) ? 1 : side;
  });
  const scaled = tape.emit("Mul", [tape.reshape(gradient, sides), tape.number(1 / count)]);
  return one(tape.emit("Expand", [scaled, tape.list(shape)]));
}

function reducedAxes({ inputs, attributes }: GraphNode, rank: number, tape: Tape): number[] {
  const data = inputs[1] ? tape.spec(inputs[1]).data : undefined;
  const given = data ? [...numbersOf({ data })] : (attributes.axes as readonly number[] | undefined);
  return (given ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) => (axis + rank) % rank);
}

/** A convolution's gradient is the transposed one's result; of stride 1 that is a convolution with flipped filters. */
const conv: GradientRule = (node, gradient, tape) => {
  const [x = "", name = ""] = node.inputs;
  const { shape } = tape.spec(x);
  const weight = tape.graph.constants.get(name);
  if (shape.length !== 4) return {};
  const group = numberOf(node, "group", 1);
  const axes = windowOf(node, shape, tape.spec(name).shape.slice(2)).slice(1);
  const pads = ["before", "after"].flatMap((side) => axes.map((axis) => axis[side as "before"]));
  const turned = axes.flatMap(({ size, dilation, before }) => (size - 1) * dilation - before);
  const ends = axes.flatMap(({ size, dilation, after }) => (size - 1) * dilation - after);
  const common = { dilations: axes.map(({ dilation }) => dilation), kernel_shape: axes.map(({ size }) => size) };
  if (weight && axes.every(({ stride }) => stride === 1) && [...turned, ...ends].every((pad) => pad >= 0)) {
    const flipped = tape.constant(turnedWeight(weight, group));
    return one(tape.emit("Conv", [gradient, flipped], { ...common, pads: [...turned, ...ends], group }));
  }
  const strides = axes.map(({ stride }) => stride);
  const missing = axes.map(({ input, output, stride, size, dilation, before, after }) => {
    return input - ((output - 1) * stride + (size - 1) * dilation + 1 - before - after);
  });
  const attributes = { ...common, strides, pads, group, output_padding: missing };
  return one(tape.emit("ConvTranspose", [gradient, name], attributes));
};

const convTranspose: GradientRule = (node, gradient, tape) => {
  const [x = "", name = ""] = node.inputs;
  const { shape } = tape.spec(x);
  if (shape.length !== 4) return {};
  const axes = transposedWindow(node, shape, tape.spec(name).shape.slice(2)).slice(1);
  // More at an end than a stride: a convolution would have more results than there are inputs.
  const fits = axes.every(({ input, output, size, stride, dilation, before, after }) => {
    return input + before + after - (size - 1) * dilation - 1 < output * stride;
  });
  if (!fits) return {};
  const pads = ["before", "after"].flatMap((side) => axes.map((axis) => axis[side as "before"]));
  const strides = axes.map(({ stride }) => stride);
  const dilations = axes.map(({ dilation }) => dilation);
  const attributes = { strides, dilations, pads, group: numberOf(node, "group", 1) };
  return one(tape.emit("Conv", [gradient, name], attributes));
};

/** [out, in, kh, kw] of each group as [in, out, kh, kw], filters turned by half a turn. */
function turnedWeight(weight: Tensor, groups: number): Tensor {
  const [outputs = 1, inputs = 1, kh = 1, kw = 1] = weight.shape;
  const [taps, each] = [kh * kw, outputs / groups];
  const from = numbersOf(weight);
  const data = new Float32Array(from.length);
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++) {
      const to = (Math.floor(o / each) * inputs + i) * each + (o % each);
      for (let t = 0; t < taps; t++) data[to * taps + taps - 1 - t] = from[(o * inputs + i) * taps + t]!;
    }
  return { shape: [groups * inputs, each, kh, kw], data };
}

const averagePool: GradientRule = (node, gradient, tape) => {
  const { shape } = tape.spec(node.inputs[0]!);
  const size = node.attributes.kernel_shape as readonly number[];
  const axes = windowOf(node, shape, size, numberOf(node, "ceil_mode", 0) !== 0);
  const whole = axes.every(({ before, after, input, output, stride, size, dilation }) => {
    return before === 0 && after === 0 && dilation === 1 && (output - 1) * stride + size <= input;
  });
  if (!whole || shape.length !== 4) return {};
  const channels = shape[1]!;
  const weight = {
    shape: [channels, 1, ...size],
    data: new Float32Array(channels * sizeOf(size)).fill(1 / sizeOf(size)),
  };
  const missing = axes.slice(1).map(({ input, output, stride, size }) => input - (output - 1) * stride - size);
  const attributes = { strides: axes.slice(1).map(({ stride }) => stride), group: channels, output_padding: missing };
  return one(tape.emit("ConvTranspose", [gradient, tape.constant(weight)], attributes));
};

const rules: Readonly<Record<string, GradientRule>> = {
  ...{ Conv: conv, ConvTranspose: convTranspose, AveragePool: averagePool },
  ...{ Identity: (_, gradient) => one(gradient), Dropout: (_, gradient) => one(gradient) },
  ...{ Reshape: reshaped, Flatten: reshaped, Squeeze: reshaped, Unsqueeze: reshaped },
  ...{ Slice: moved, Pad: moved, Concat: moved, Transpose: moved, DepthToSpace: moved, SpaceToDepth: moved },
  ...{ Add: times([1, 1]), Sub: times([1, -1]), Sum: times([]) },
  ...{ GlobalAveragePool: spread, ReduceMean: spread },
  Relu: ({ outputs }, gradient, tape) => sloped(tape, gradient, outputs[0]!, 0),
  Clip: ({ inputs, outputs }, gradient, tape) => gated(tape, gradient, tape.emit("Equal", [inputs[0]!, outputs[0]!])),
  LeakyRelu: (node, gradient, tape) => {
    const slope = numberOf(node, "alpha", 0.01);
    return slope <= 1 ? sloped(tape, gradient, node.inputs[0]!, slope) : {};
  },
  PRelu: ({ inputs: [x = "", slope = ""] }, gradient, tape) => {
    const condition = tape.emit("Greater", [x, tape.number(0)]);
    return gated(tape, gradient, condition, tape.emit("Mul", [gradient, slope]));
  },
  Sigmoid: ({ outputs: [y = ""] }, gradient, tape) => {
    const rest = tape.emit("Sub", [tape.number(1), y]);
    return one(tape.emit("Mul", [gradient, tape.emit("Mul", [y, rest])]));
  },
  Mul: ({ inputs: [a = "", b = ""], outputs: [y = ""] }, gradient, tape) => {
    const by = (other: string, own: string): string =>
      tape.reduce(tape.emit("Mul", [gradient, other]), tape.spec(y).shape, tape.spec(own).shape);
    return { 0: by(b, a), 1: by(a, b) };
  },
  MaxPool: (node, gradient, tape) => {
    const { shape } = tape.spec(node.inputs[0]!);
    const name = tape.emit("MaxPool", [node.inputs[0]!], { ...node.attributes, storage_order: 0 }, 2);
    const places = tape.emit("Add", [`${name}: 1`, tape.constant({ shape: [], data: new BigInt64Array([1n]) })]);
    const numbers = tape.emit("Cast", [places], { to: 11 });
    return one(tape.emit(scatterAdd.name, [gradient, numbers], { shape }));
  },
  Gemm: (node, gradient, tape) => {
    if (numberOf(node, "transA", 0)) return {};
    const attributes = { transB: 1 - numberOf(node, "transB", 0), alpha: numberOf(node, "alpha", 1) };
    return one(tape.emit("Gemm", [gradient, node.inputs[1]!], attributes));
  },
  MatMul: (node, gradient, tape) => {
    const { shape } = tape.spec(node.inputs[1]!);
    if (shape.length !== 2) return {};
    return one(tape.emit("MatMul", [gradient, tape.emit("Transpose", [node.inputs[1]!], { perm: [1, 0] })]));
  },
  Softmax: (node, gradient, tape) => {
    const { shape } = tape.spec(node.outputs[0]!);
    const axis = numberOf(node, "axis", node.opset < 13 ? 1 : -1);
    if (node.opset < 13 && (axis + shape.length) % shape.length !== shape.length - 1) return {};
    const weighted = tape.emit("Mul", [gradient, node.outputs[0]!]);
    const sum = tape.emit("ReduceSum", [weighted, tape.list([axis])], { keepdims: 1 });
    return one(tape.emit("Mul", [node.outputs[0]!, tape.emit("Sub", [gradient, sum])]));
  },
};

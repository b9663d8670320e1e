// Random ONNX files of chains and diamonds, of all that networks do beside one another: layers with constant and computed weights,
// quantised values, resampling, reductions, choices and broadcasts. Equal seeds give equal files and inputs.
import type { GraphNode, Spec } from "../../src/graph/types.ts";
import { toValue } from "../../src/graph/values.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { DType, Tensor } from "../../src/tensor.ts";
import { list, Random, tensorOf } from "../random-tensors.ts";
import { attributeOf, model, node, tensor, value } from "./build.ts";
import type { Attributes } from "./cases/use.ts";

const opset = 18;
const numberOf: Partial<Record<DType, number>> = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9 };
/** Elements of a value, at most. */
const most = 6000;

/** What a random network grows by. */
class Growth {
  readonly r: Random;
  readonly specs = new Map<string, Spec>();
  readonly values: string[] = [];
  readonly nodes: Uint8Array[] = [];
  readonly initializers: Uint8Array[] = [];
  readonly inputs: Record<string, Tensor> = {};

  constructor(seed: number) {
    this.r = new Random(seed);
    this.input([this.r.int(1, 2), this.r.int(1, 9), this.r.pick([1, 2, 5, 7, 11]), this.r.pick([1, 3, 7, 13])]);
  }

  input(shape: readonly number[]): string {
    const name = `x${Object.keys(this.inputs).length}`;
    this.inputs[name] = this.r.tensor(shape, "f32", -2, 2);
    this.specs.set(name, { dtype: "f32", shape });
    this.values.push(name);
    return name;
  }

  constant(given: Tensor): string {
    const name = `c${this.initializers.length}`;
    const { dtype, data, shape } = toValue(given)!;
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push(tensor(name, shape, { dataType: BigInt(numberOf[dtype]!), rawData }));
    this.specs.set(name, toValue(given)!);
    return name;
  }

  floats(shape: readonly number[], least = -1, last = 1): string {
    return this.constant(this.r.tensor(shape, "f32", least, last));
  }

  shape(name: string): readonly number[] {
    return this.specs.get(name)!.shape;
  }

  /** Mostly the newest value of floats, of this many axes where that is said. */
  pick(rank?: number): string | undefined {
    const fit = this.values.filter(
      (name) => this.specs.get(name)!.dtype === "f32" && (rank ?? this.shape(name).length) === this.shape(name).length,
    );
    return this.r.int(0, 2) ? fit.at(-1) : this.r.pick(fit);
  }

  /** Adds a node; undefined where the operator refuses it, or its results would be large or empty. */
  add(
    op: string,
    inputs: readonly (string | undefined)[],
    attributes: Attributes = {},
    outputs = 1,
  ): string | undefined {
    if (inputs.includes(undefined)) return undefined;
    const names = Array.from({ length: outputs }, (_, i) => `v${this.nodes.length}${"abcd"[i]}`);
    const read = inputs as string[];
    const made = { name: "", op, opset, inputs: read, outputs: names, attributes } as GraphNode;
    let specs: Spec[];
    try {
      specs = operators.get(op)!.infer(made, read.map((name) => this.specs.get(name))); // biome-ignore format: a line
    } catch {
      return undefined;
    }
    const sizes = specs.map(({ shape }) => shape.reduce((product, side) => product * side, 1));
    if (sizes.some((size) => size > most || size === 0)) return undefined;
    this.nodes.push(node(op, read, names, { name: names[0]!, attribute: Object.entries(attributes).map(attributeOf) }));
    for (const [i, name] of names.entries()) this.specs.set(name, { dtype: specs[i]!.dtype, shape: specs[i]!.shape });
    if (specs[0]!.dtype === "f32") this.values.push(names[0]!);
    return names[0];
  }
}

function convolve(g: Growth, from = g.pick(4)): string | undefined {
  const { r } = g;
  if (from === undefined) return undefined;
  const [, channels = 1, height = 1, width = 1] = g.shape(from);
  const group = r.pick([1, 1, channels]);
  const outputs = group * r.pick(group > 1 ? [1, 2] : [1, 3, 4, 8, 17]);
  const size = [r.int(1, Math.min(3, height)), r.int(1, Math.min(4, width))];
  const weight = [outputs, channels / group, ...size];
  const computed = r.int(0, 5) === 0 && Object.keys(g.inputs).length < 4;
  const bias = r.flag() ? [g.floats([outputs])] : [];
  const pads = size.concat(size).map((one) => r.int(0, one - 1));
  const strides = [r.int(1, 2), r.int(1, 3)];
  return g.add("Conv", [from, computed ? g.input(weight) : g.floats(weight), ...bias], { group, pads, strides });
}

const functions = "Relu Sigmoid Tanh Exp Abs Softplus HardSwish Elu Erf LeakyRelu Sqrt Neg Sin".split(" ");
const unary = (g: Growth, from = g.pick()): string | undefined => {
  const op = g.r.pick(functions);
  return g.add(op, [op === "Sqrt" ? g.add("Abs", [from]) : op === "Exp" ? g.add("Sin", [from]) : from]);
};

function pool(g: Growth, from = g.pick(4)): string | undefined {
  const { r } = g;
  const op = r.pick(["MaxPool", "AveragePool"]);
  const strides = [r.int(1, 2), r.int(1, 2)];
  return g.add(op, [from], { kernel_shape: [r.int(1, 3), r.int(1, 3)], strides, ceil_mode: r.flag() });
}

/** Through integers of 8 bits and back; what is added first keeps means of such values off the middle between two steps. */
function quantised(g: Growth, from = g.pick()): string | undefined {
  const type = g.r.pick(["u8", "i8"] as const);
  const parameters = [
    g.constant(tensorOf([], [g.r.pick([0.02, 0.05, 0.1])])),
    g.constant(tensorOf([], [g.r.int(0, 90)], type)),
  ];
  const aside = g.add("Add", [from, g.floats([], 0.001, 0.019)]);
  return g.add("DequantizeLinear", [g.add("QuantizeLinear", [aside, ...parameters]), ...parameters]);
}

const other = (g: Growth, name: string): string => {
  const narrower = g.r.narrower(g.shape(name));
  return g.r.flag() ? g.floats(narrower) : g.r.pick(g.values.filter((one) => fits(g.shape(one), g.shape(name))));
};
const fits = (a: readonly number[], b: readonly number[]): boolean =>
  a.length <= b.length && a.every((side, i) => side === 1 || side === b[b.length - a.length + i]);

/** Two ways from one value, which meet again. */
function diamond(g: Growth): void {
  const from = g.pick();
  const ways = [0, 1].map(() => {
    let at = from;
    for (let i = g.r.int(1, 3); i > 0; i--) at = g.r.pick([unary, unary, quantised, convolve, pool])(g, at) ?? at;
    return at!;
  });
  const [a, b] = ways.map((name) => g.shape(name)) as [readonly number[], readonly number[]];
  if (fits(a, b) || fits(b, a))
    g.add(g.r.pick(["Add", "Mul", "Sub", "Max", "Div"]), [ways[0], g.add("Add", [ways[1], g.floats([], 9, 9)])]); // biome-ignore format: a line
  else g.add("Concat", ways, { axis: g.r.int(0, Math.max(0, a.length - 1)) });
}

const axes = (g: Growth, name: string): number[] => [...g.shape(name).keys()].filter(() => g.r.flag());

const growths: readonly ((g: Growth) => void)[] = [
  ...[convolve, convolve, unary, pool, quantised, diamond, diamond, diamond],
  (g) => {
    const name = g.pick()!;
    const [a, b] = [name, other(g, name)];
    g.add(g.r.pick(["Add", "Sub", "Mul", "Min", "Max"]), g.r.shuffle([a, b]));
  },
  (g) => {
    const name = g.pick()!;
    const condition = g.add(g.r.pick(["Less", "GreaterOrEqual"]), [name, other(g, name)]);
    g.add("Where", [condition, ...g.r.shuffle([name, g.floats([])])]);
  },
  (g) => {
    const name = g.pick()!;
    const kind = g.r.pick("Sum Mean Max Min L2 LogSumExp SumSquare".split(" "));
    g.add(`Reduce${kind}`, [name, g.constant(list(axes(g, name)))], { keepdims: g.r.flag() });
  },
  (g) => {
    const name = g.pick()!;
    const sides = g.shape(name);
    const axis = g.r.int(0, Math.max(0, sides.length - 1));
    g.add(g.r.pick(["Softmax", "LogSoftmax"]), [name], { axis });
    g.add("CumSum", [name, g.constant(tensorOf([], [axis], "i64"))], { reverse: g.r.flag() });
    g.add("TopK", [name, g.constant(list([g.r.int(1, sides[axis] ?? 1)]))], { axis }, 2);
    g.add("Cast", [g.add("ArgMax", [name], { axis })], { to: 1 });
  },
  (g) => {
    const name = g.pick(4);
    if (!name) return;
    const [n, , ...sides] = g.shape(name);
    const sizes = [...g.shape(name).slice(0, 2), ...sides.map((side) => g.r.pick([side, 2 * side, side + 3, 1]))];
    const mode = g.r.pick(["nearest", "linear", "cubic"]);
    g.add("Resize", [name, "", "", g.constant(list(sizes))], { mode, coordinate_transformation_mode: g.r.pick(["half_pixel", "asymmetric"]) }); // biome-ignore format: a line
    g.add("GridSample", [name, g.floats([n!, g.r.int(1, 5), g.r.int(1, 7), 2])], { padding_mode: g.r.pick(["zeros", "border"]), align_corners: g.r.flag() }); // biome-ignore format: a line
  },
  (g) => {
    const name = g.pick()!;
    const shape = g.shape(name);
    g.add("Transpose", [name], { perm: g.r.shuffle([...shape.keys()]) });
    g.add("Pad", [g.pick(), g.constant(list([...shape, ...shape].map(() => g.r.int(0, 2))))], { mode: g.r.pick(["constant", "edge"]) }); // biome-ignore format: a line
    const ends = shape.map((side) => g.r.int(1, side));
    g.add("Slice", [name, g.constant(list(shape.map(() => 0))), g.constant(list(ends))]);
  },
  (g) => {
    const name = g.pick()!;
    const shape = g.shape(name);
    g.add("MatMul", [name, g.floats([shape.at(-1) ?? 1, g.r.pick([1, 5, 8])])]);
    if (shape.length > 1) g.add("MatMul", [name, g.add("Transpose", [name], { perm: [...shape.keys()].with(-1, shape.length - 2).with(-2, shape.length - 1) })]); // biome-ignore format: a line
    g.add("LayerNormalization", [g.pick(), g.floats(g.shape(g.pick()!).slice(-1))], { axis: -1, epsilon: 0.1 });
  },
  (g) => {
    const name = g.pick(4);
    if (!name) return;
    const channels = g.shape(name)[1]!;
    const vectors = Array.from({ length: 3 }, () => g.floats([channels]));
    g.add("BatchNormalization", [name, ...vectors, g.floats([channels], 0.5, 2)]);
    g.add("InstanceNormalization", [name, vectors[0]!, vectors[1]!], { epsilon: 0.1 });
    g.add("Einsum", [name, g.floats([channels, g.r.int(1, 6)])], { equation: "nchw,cd->ndhw" });
  },
];

/** The file, and values for its inputs. */
export function randomModel(seed: number): { bytes: Uint8Array; inputs: Record<string, Tensor> } {
  const g = new Growth(seed);
  convolve(g);
  for (let i = g.r.int(3, 10); i > 0; i--) g.r.pick(growths)(g);
  const made = g.values.filter((name) => !(name in g.inputs));
  const outputs = new Set([made.at(-1)!, g.r.pick(made), g.r.pick(made)]);
  const bytes = model({
    ...{ nodes: g.nodes, initializers: g.initializers },
    inputs: Object.entries(g.inputs).map(([name, { shape }]) => value(name, shape)),
    outputs: [...outputs].map((name) => ({ name })),
    more: { irVersion: 8n, opsetImport: [{ version: BigInt(opset) }] },
  });
  return { bytes, inputs: g.inputs };
}

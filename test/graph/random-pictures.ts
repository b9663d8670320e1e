// Random networks of pictures whose places depend on places near them alone, for tests of tiles.
import type { Graph, GraphNode } from "../../src/graph/types.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { Random, tensorOf } from "../random-tensors.ts";
import { graphOf, integers, node } from "./graphs.ts";

/** What a random network grows by: every value has four axes, and its rate says how many of its places one pixel has. */
class Growth {
  readonly r: Random;
  readonly constants: Record<string, Tensor> = {};
  readonly nodes: GraphNode[] = [];
  /** Sides for a picture of some size: operators refuse what does not fit. */
  readonly shapes = new Map<string, readonly number[]>();

  constructor(seed: number, height: number, width: number) {
    this.r = new Random(seed);
    this.shapes.set("x", [1, this.r.int(1, 3), height, width]);
  }

  constant(given: Tensor): string {
    const name = `c${Object.keys(this.constants).length}`;
    this.constants[name] = given;
    return name;
  }

  floats(shape: readonly number[], least = -0.5, most = 0.5): string {
    return this.constant(this.r.tensor(shape, "f32", least, most));
  }

  list(...values: number[]): string {
    return this.constant(integers(...values));
  }

  channels(name: string): number {
    return this.shapes.get(name)![1]!;
  }

  /** Adds a node whose result has this shape. */
  push(
    op: string,
    inputs: readonly string[],
    shape: readonly number[],
    attributes: GraphNode["attributes"] = {},
  ): string {
    const name = `v${this.nodes.length}`;
    this.nodes.push(node(op, inputs, [name], attributes));
    this.shapes.set(name, shape);
    return name;
  }

  /** Adds a node; undefined where the operator refuses it. */
  add(op: string, inputs: readonly string[], attributes: GraphNode["attributes"] = {}): string | undefined {
    const made = node(op, inputs, [`v${this.nodes.length}`], attributes);
    const specs = inputs.map((name) =>
      this.shapes.has(name)
        ? { dtype: "f32" as const, shape: this.shapes.get(name)! }
        : name === "" ? undefined : { dtype: "f32" as const, ...this.constants[name]!, ...(this.constants[name]!.data instanceof BigInt64Array && { dtype: "i64" as const }) },
    ); // biome-ignore format: lines
    try {
      const [{ shape } = { shape: [] as readonly number[] }] = operators.get(op)!.infer(made, specs);
      if (shape.slice(-2).some((side) => side < 12 || side > 400)) return undefined;
      this.shapes.set(made.outputs[0]!, shape);
    } catch {
      return undefined;
    }
    this.nodes.push(made);
    return made.outputs[0]!;
  }
}

type Grow = (g: Growth, from: string) => string | undefined;

const convolve: Grow = (g, from) => {
  const { r } = g;
  const [channels, size] = [g.channels(from), [r.int(1, 5), r.int(1, 5)]];
  const group = r.pick([1, 1, 1, channels]);
  const outputs = group * r.pick(group > 1 ? [1, 2] : [1, 2, 3, 5, 8]);
  const dilations = [r.int(1, 2), r.int(1, 3)];
  const pads = r.pick<GraphNode["attributes"]>([
    { pads: size.concat(size).map((one) => r.int(0, one)) },
    { auto_pad: r.pick(["SAME_UPPER", "SAME_LOWER"]) },
    { pads: size.concat(size).map((one, d) => ((one - 1) * dilations[d % 2]!) >> 1) },
    {},
  ]);
  const strides = [r.pick([1, 1, 1, 2, 3]), r.pick([1, 1, 1, 2])];
  const bias = r.flag() ? [g.floats([outputs])] : [];
  const attributes = { group, strides, dilations, kernel_shape: size, ...pads };
  return g.add("Conv", [from, g.floats([outputs, channels / group, ...size]), ...bias], attributes);
};

const transposed: Grow = (g, from) => {
  const { r } = g;
  const strides = [r.int(1, 3), r.int(1, 2)];
  const size = strides.map((stride) => stride + r.int(0, 2));
  const pads = size.concat(size).map((one) => r.int(0, one - 1));
  const output_padding = strides.map((stride) => r.int(0, stride - 1));
  const more: GraphNode["attributes"] = r.flag() ? { output_padding } : r.flag() ? { auto_pad: "SAME_UPPER" } : {};
  return g.add("ConvTranspose", [from, g.floats([g.channels(from), r.int(1, 4), ...size])], { strides, pads, ...more });
};

const pool: Grow = (g, from) => {
  const { r } = g;
  const [size, strides] = [
    [r.int(1, 3), r.int(1, 3)],
    [r.int(1, 2), r.int(1, 3)],
  ];
  const pads = size.concat(size).map((one) => r.int(0, one - 1));
  const attributes = { kernel_shape: size, strides, pads, ceil_mode: r.flag() };
  const op = r.pick(["MaxPool", "AveragePool"]);
  return g.add(op, [from], op === "MaxPool" ? attributes : { ...attributes, count_include_pad: r.flag() });
};

const resize: Grow = (g, from) => {
  const { r } = g;
  const scales = g.constant(tensorOf([4], [1, 1, r.pick([1, 2, 2, 3, 0.5, 1.5]), r.pick([1, 2, 2, 4, 0.5, 0.25])]));
  const mode = r.pick(["nearest", "linear", "cubic"]);
  const coordinates = r.pick(["half_pixel", "asymmetric", "pytorch_half_pixel"]);
  const attributes = {
    mode,
    coordinate_transformation_mode: coordinates,
    antialias: mode === "nearest" ? 0 : r.flag(),
  };
  const nearest = r.pick(["round_prefer_floor", "floor", "ceil", "round_prefer_ceil"]);
  return g.add("Resize", [from, "", scales], { ...attributes, nearest_mode: nearest });
};

const pad: Grow = (g, from) => {
  const { r } = g;
  const mode = r.pick(["constant", "reflect", "edge"]);
  const [before, after] = [r.ints(2, 0, 4), r.ints(2, 0, 4)] as [number[], number[]];
  const value = mode === "constant" ? [g.constant(tensorOf([], [r.next()]))] : [];
  return g.add("Pad", [from, g.list(0, 0, ...before, 0, 0, ...after), ...value], { mode });
};

const crop: Grow = (g, from) => {
  const { r } = g;
  const [starts, ends, steps] = [r.ints(2, 0, 3), r.ints(2, 1, 3).map((one) => (r.flag() ? -one : 2 ** 40)), r.ints(2, 1, 2)]; // biome-ignore format: a line
  return g.add("Slice", [from, g.list(...starts), g.list(...ends), g.list(2, 3), g.list(...steps)]);
};

const unary: Grow = (g, from) => g.add(g.r.pick(["Relu", "Sigmoid", "Tanh", "Abs", "HardSwish", "Neg"]), [from]);

const perChannel: Grow = (g, from) => {
  const channels = g.channels(from);
  if (g.r.flag()) return g.add(g.r.pick(["Mul", "Add", "PRelu"]), [from, g.floats([channels, 1, 1])]);
  const parameters = [g.floats([channels]), g.floats([channels]), g.floats([channels]), g.floats([channels], 0.5, 1)];
  return g.add("BatchNormalization", [from, ...parameters]);
};

/** More places from channels, by one operator or as PyTorch writes it. */
const shuffle: Grow = (g, from) => {
  const { r } = g;
  const block = r.int(2, 3);
  const channels = block * block * r.int(1, 2);
  const wide = g.add("Conv", [from, g.floats([channels, g.channels(from), 1, 1])]);
  if (!wide || r.flag())
    return wide && g.add("DepthToSpace", [wide], { blocksize: block, mode: r.pick(["DCR", "CRD"]) });
  const [, , height, width] = g.shapes.get(wide)! as [number, number, number, number];
  const count = channels / block ** 2;
  const sides = g.push("Slice", [g.push("Shape", [wide], [4]), g.list(2), g.list(4)], [2]);
  const apart = g.push("Concat", [g.list(1, count, block, block), sides], [6], { axis: 0 });
  const taken = g.push("Reshape", [wide, apart], [1, count, block, block, height, width]);
  const moved = g.push("Transpose", [taken], [1, count, height, block, width, block], { perm: [0, 1, 4, 2, 5, 3] });
  const larger = g.push("Mul", [sides, g.list(block, block)], [2]);
  const whole = g.push("Concat", [g.list(1, count), larger], [4], { axis: 0 });
  return g.push("Reshape", [moved, whole], [1, count, height * block, width * block]);
};

const fold: Grow = (g, from) => g.add("SpaceToDepth", [from], { blocksize: g.r.int(2, 3) });

/** Channels last and back, with something between that looks along channels. */
const turned: Grow = (g, from) => {
  const last = g.add("Transpose", [from], { perm: [0, 2, 3, 1] });
  const between = last && g.add("Softmax", [last], { axis: -1 });
  return between && g.add("Transpose", [between], { perm: [0, 3, 1, 2] });
};

const amongChannels: Grow = (g, from) =>
  g.r.flag() ? g.add("Softmax", [from], { axis: 1 }) : g.add("ReduceMean", [from, g.list(1)], { keepdims: 1 });

/** Two ways from one value, which meet again. */
const diamond: Grow = (g, from) => {
  const ways = [0, 1].map(() => {
    let at = from;
    for (let i = g.r.int(0, 2); i > 0; i--) at = g.r.pick([unary, convolve, pool, perChannel, pad])(g, at) ?? at;
    return at;
  });
  const joined = g.add("Concat", ways, { axis: 1 });
  return g.r.flag() ? (g.add("Add", ways) ?? joined) : joined;
};

const grows: readonly Grow[] = [
  ...[convolve, convolve, convolve, transposed, pool, resize, pad, crop, unary, perChannel],
  ...[shuffle, fold, turned, amongChannels, diamond],
];

/** A network of a few layers, for pictures like one of so many rows and columns. */
export function randomPictureNetwork(seed: number, height: number, width: number): { graph: Graph; channels: number } {
  const g = new Growth(seed, height, width);
  let at = "x";
  for (let i = g.r.int(1, 6); i > 0; i--) at = g.r.pick(grows)(g, at) ?? at;
  if (at === "x") at = g.add("Relu", ["x"])!;
  const channels = g.channels("x");
  return { graph: graphOf({ x: [1, channels, "h", "w"] }, g.nodes, [at], g.constants), channels };
}

// Random small networks of the layers that the backend computes and of what joins them.
import type { Graph, GraphNode } from "../../src/graph/types.ts";
import type { Tensor } from "../../src/tensor.ts";
import { Random } from "../random-tensors.ts";
import { graphOf, node } from "./graphs.ts";

type Shape = [images: number, channels: number, height: number, width: number];

/** What a random network grows by: constants, and values with their shapes. */
class Growth {
  readonly r: Random;
  readonly constants: Record<string, Tensor> = {};
  readonly values: { name: string; shape: Shape }[];
  readonly nodes: GraphNode[] = [];

  constructor(seed: number) {
    this.r = new Random(seed);
    const { r } = this;
    this.values = [{ name: "x", shape: [r.int(1, 3), r.int(1, 13), r.int(1, 9), r.int(1, 11)] }];
  }

  constant(sides: readonly number[], least = -0.5, most = 0.5): string {
    const name = `c${Object.keys(this.constants).length}`;
    this.constants[name] = this.r.tensor(sides, "f32", least, most);
    return name;
  }

  bias(count: number): string[] {
    return this.r.flag() ? [this.constant([count])] : [];
  }

  /** Adds a node; its result's shape is what the host's loops will find. */
  add(op: string, inputs: readonly string[], shape: Shape, attributes: GraphNode["attributes"] = {}): string {
    const name = `v${this.nodes.length}`;
    this.nodes.push(node(op, inputs, [name], attributes));
    this.values.push({ name, shape });
    return name;
  }

  /** Mostly the newest value. */
  pick(): { name: string; shape: Shape } {
    return this.r.int(0, 3) ? this.values.at(-1)! : this.r.pick(this.values);
  }

  /** A window that fits: sides of the result, and the attributes. */
  window(height: number, width: number, largest = 3) {
    const { r } = this;
    const size = [r.int(1, Math.min(largest, height)), r.int(1, Math.min(largest, width))];
    const strides = [r.int(1, 3), r.int(1, 3)];
    const pads = [0, 1, 2, 3].map((i) => r.int(0, size[i % 2]! - 1));
    return { size, strides, pads };
  }
}

const convolve = (g: Growth, kind: "full" | "groups" | "depthwise" | "pointwise"): void => {
  const { r } = g;
  const { name, shape: [n, channels, height, width] } = g.pick(); // biome-ignore format: a line
  const each = r.pick([1, 3, 4, 8]);
  const group =
    kind === "groups"
      ? r.pick([1, 2, 3, 4].filter((one) => channels % one === 0))
      : kind === "depthwise"
        ? channels
        : 1;
  const outputs = kind === "depthwise" ? channels * r.pick([1, 1, 2]) : kind === "groups" ? group * each : r.int(1, 20);
  const window = kind === "pointwise" ? { size: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] } : g.window(height, width);
  const { size: [kh, kw], strides: [sy, sx], pads } = window as { size: [number, number]; strides: [number, number]; pads: [number, number, number, number] }; // biome-ignore format: a line
  const dilation = r.pick([1, 1, 2]);
  const dilations = [
    kh > 1 && (kh - 1) * dilation < height + pads[0] + pads[2] ? dilation : 1,
    kw > 1 && (kw - 1) * dilation < width + pads[1] + pads[3] ? dilation : 1,
  ] as const;
  const side = (input: number, size: number, stride: number, total: number, dilation: number): number =>
    Math.floor((input + total - (size - 1) * dilation - 1) / stride) + 1;
  const [h, w] = [
    side(height, kh, sy, pads[0] + pads[2], dilations[0]),
    side(width, kw, sx, pads[1] + pads[3], dilations[1]),
  ];
  g.add("Conv", [name, g.constant([outputs, channels / group, kh, kw]), ...g.bias(outputs)], [n, outputs, h, w], {
    strides: [sy, sx],
    pads,
    dilations: [...dilations],
    group,
  });
};

const transposed = (g: Growth): void => {
  const { r } = g;
  const { name, shape: [n, channels, height, width] } = g.pick(); // biome-ignore format: a line
  if (height * width > 100) return;
  const outputs = r.int(1, 9);
  const [kh, kw, sy, sx] = [r.int(1, 5), r.int(1, 5), r.int(1, 3), r.int(1, 3)];
  const pads = [r.int(0, kh - 1), r.int(0, kw - 1), r.int(0, kh - 1), r.int(0, kw - 1)] as [
    number,
    number,
    number,
    number,
  ];
  const more = [r.int(0, sy - 1), r.int(0, sx - 1)] as [number, number];
  const [h, w] = [
    (height - 1) * sy + kh + more[0] - pads[0] - pads[2],
    (width - 1) * sx + kw + more[1] - pads[1] - pads[3],
  ];
  if (h < 1 || w < 1) return;
  const group = channels % 2 === 0 ? r.pick([1, 1, 2]) : 1;
  g.add(
    "ConvTranspose",
    [name, g.constant([channels, outputs, kh, kw]), ...g.bias(outputs * group)],
    [n, outputs * group, h, w],
    { strides: [sy, sx], pads, output_padding: more, group },
  );
};

const pool = (g: Growth): void => {
  const { r } = g;
  const { name, shape: [n, channels, height, width] } = g.pick(); // biome-ignore format: a line
  if (r.int(0, 3) === 0) {
    g.add(r.pick(["GlobalAveragePool", "GlobalMaxPool"]), [name], [n, channels, 1, 1]);
    return;
  }
  const { size, strides, pads } = g.window(height, width, 4);
  const ceil = r.flag();
  const side = (input: number, axis: number): number => {
    const rest = (input + pads[axis]! + pads[axis + 2]! - size[axis]!) / strides[axis]!;
    const last = ceil ? Math.ceil(rest) : Math.floor(rest);
    return ceil && last * strides[axis]! >= input + pads[axis]! ? last : last + 1;
  };
  const op = r.pick(["MaxPool", "AveragePool"]);
  g.add(op, [name], [n, channels, side(height, 0), side(width, 1)], {
    kernel_shape: size,
    strides,
    pads,
    ceil_mode: ceil,
    ...(op === "AveragePool" && { count_include_pad: r.flag() }),
  });
};

const pair = (g: Growth): void => {
  const { r } = g;
  const { name, shape } = g.pick();
  const [n, channels] = shape;
  const alike = g.values.filter(
    (one) => one.shape.join() === shape.join() || one.shape.join() === [n, channels, 1, 1].join(),
  );
  const other = r.pick([
    () => r.pick(alike).name,
    () => g.constant([channels, 1, 1]),
    () => g.constant([]),
    () => g.constant([1, channels, 1, 1]),
    () => g.constant(shape),
  ])();
  const op = r.pick(["Add", "Sub", "Mul"]);
  g.add(op, op === "Sub" && r.flag() ? [name, other] : r.shuffle([name, other]), shape);
};

const norm = (g: Growth): void => {
  const { name, shape } = g.pick();
  const vector = (least: number): string => g.constant([shape[1]], least, 1);
  g.add("BatchNormalization", [name, vector(-1), vector(-1), vector(-1), vector(0.1)], shape);
};

const activation = (g: Growth): void => {
  const { r } = g;
  const { name, shape } = g.pick();
  const op = r.pick(["Relu", "LeakyRelu", "Sigmoid", "HardSwish", "Clip", "PRelu", "PRelu", "Tanh"]);
  const slope = (): string =>
    r.pick([() => g.constant([shape[1], 1, 1]), () => g.constant([1]), () => g.constant(shape)])();
  if (op === "PRelu") g.add(op, [name, slope()], shape);
  else if (op === "Clip") g.add(op, [name, g.constant([], -1, 0), g.constant([], 0.5, 1)], shape);
  else g.add(op, [name], shape);
};

const concat = (g: Growth): void => {
  const { r } = g;
  const { shape } = g.pick();
  const [n, , height, width] = shape;
  const alike = g.values.filter(({ shape: [a, , b, c] }) => a === n && b === height && c === width);
  // Some of multiples of four, which stay on the backend, some not.
  const parts = Array.from({ length: r.int(1, 3) }, () => {
    const { name, shape: [, channels] } = r.pick(alike); // biome-ignore format: a line
    const outputs = r.pick([4, 8, 12]);
    if (r.int(0, 3) === 0) return { name, channels };
    const made = g.add("Conv", [name, g.constant([outputs, channels, 1, 1])], [n, outputs, height, width]);
    return { name: made, channels: outputs };
  });
  const channels = parts.reduce((sum, part) => sum + part.channels, 0);
  if (channels < 64)
    g.add(
      "Concat",
      parts.map(({ name }) => name),
      [n, channels, height, width],
      { axis: r.pick([1, -3]) },
    );
};

const separable = (g: Growth): void => {
  convolve(g, "depthwise");
  if (g.r.flag()) g.add("Relu", [g.values.at(-1)!.name], g.values.at(-1)!.shape);
  const { name, shape: [n, channels, h, w] } = g.values.at(-1)!; // biome-ignore format: a line
  const outputs = g.r.int(1, 20);
  g.add("Conv", [name, g.constant([outputs, channels, 1, 1]), ...g.bias(outputs)], [n, outputs, h, w]);
};

const growths: readonly ((g: Growth) => void)[] = [
  ...(["full", "full", "groups", "depthwise", "pointwise"] as const).map((kind) => (g: Growth) => convolve(g, kind)),
  ...[separable, transposed, pool, pool, pair, pair, norm, activation, activation, concat, concat],
];

/** The input, a convolution so that something is on the backend, and whatever chance adds; a few values are outputs. */
export function randomNetwork(seed: number): Graph {
  const g = new Growth(seed);
  convolve(g, "full");
  for (let i = g.r.int(1, 8); i > 0; i--) g.r.pick(growths)(g);
  const outputs = new Set([g.r.pick(g.values).name, g.r.pick(g.values).name, g.values.at(-1)!.name]);
  return graphOf({ x: g.values[0]!.shape }, g.nodes, [...outputs], g.constants);
}

// Random small networks that turn, cut, join, reshape, resample and combine what a layer computes, in values of any rank.
import type { Graph, GraphNode, Spec } from "../../src/graph/types.ts";
import { toValue } from "../../src/graph/values.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { list, Random } from "../random-tensors.ts";
import { graphOf, node } from "./graphs.ts";

/** Elements of a value, at most: networks stay small. */
const most = 4000;

/** What a random network grows by: shapes are those that the operators themselves infer. */
class Growth {
  readonly r: Random;
  readonly constants: Record<string, Tensor> = {};
  readonly specs = new Map<string, Spec>();
  readonly values: string[] = ["x"];
  readonly nodes: GraphNode[] = [];
  readonly input: number[];

  constructor(seed: number) {
    this.r = new Random(seed);
    this.input = [this.r.int(1, 2), this.r.int(1, 9), this.r.int(1, 7), this.r.int(1, 8)];
    this.specs.set("x", { dtype: "f32", shape: this.input });
  }

  constant(tensor: Tensor): string {
    const name = `c${Object.keys(this.constants).length}`;
    this.constants[name] = tensor;
    this.specs.set(name, toValue(tensor)!);
    return name;
  }

  floats = (shape: readonly number[], least = -1, most = 1): string =>
    this.constant(this.r.tensor(shape, "f32", least, most));

  /** Adds a node, unless its results would be large, or it does not fit. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: GraphNode["attributes"] = {},
    outputs = 1,
  ): string | undefined {
    const names = Array.from({ length: outputs }, (_, i) => `v${this.nodes.length}${"abcd"[i]}`);
    const made = node(op, inputs, names, attributes);
    let specs: Spec[];
    try {
      specs = operators.get(op)!.infer(
        made,
        inputs.map((name) => this.specs.get(name)),
      );
    } catch {
      return undefined;
    }
    const sizes = specs.map(({ shape }) => shape.reduce((product, side) => product * side, 1));
    if (sizes.some((size) => size > most || size === 0)) return undefined;
    this.nodes.push(made);
    for (const [i, name] of names.entries()) this.specs.set(name, { dtype: "f32", shape: specs[i]!.shape });
    this.values.push(...names);
    return names[0];
  }

  /** Mostly the newest value, and its shape. */
  pick(): [name: string, shape: readonly number[]] {
    const name = this.r.int(0, 3) ? this.values.at(-1)! : this.r.pick(this.values);
    return [name, this.specs.get(name)!.shape];
  }
}

/** Sides whose product is the same. */
function factored(r: Random, shape: readonly number[]): number[] {
  const parts = shape.flatMap((side) => {
    const divisor = r.pick([1, 2, 3, 4].filter((one) => side % one === 0));
    return r.flag() ? [side / divisor, divisor] : [side];
  });
  while (parts.length > 1 && (parts.length > 6 || r.flag())) {
    const at = r.int(0, parts.length - 2);
    parts.splice(at, 2, parts[at]! * parts[at + 1]!);
  }
  return parts;
}

const convolve = (g: Growth): void => {
  const [name, [, channels]] = g.pick() as [string, number[]];
  if (g.specs.get(name)!.shape.length !== 4) return;
  const outputs = g.r.int(1, 12);
  const pads = g.r.ints(4, 0, 1);
  g.add("Conv", [name, g.floats([outputs, channels!, g.r.int(1, 2), g.r.int(1, 2)])], { pads });
};

const functions = "Relu Sigmoid Tanh Exp Abs Neg Softplus Softsign HardSigmoid Elu Gelu Mish Erf Floor".split(" ");
const growths: readonly ((g: Growth) => void)[] = [
  convolve,
  convolve,
  (g) => {
    const [name, shape] = g.pick();
    g.add("Transpose", [name], { perm: g.r.shuffle(shape.map((_, axis) => axis)) });
  },
  (g) => {
    const [name, shape] = g.pick();
    g.add("Reshape", [name, g.constant(list(factored(g.r, shape)))]);
  },
  (g) => {
    const [name, shape] = g.pick();
    const axes = shape.map((_, axis) => axis).filter(() => g.r.flag());
    const steps = axes.map(() => g.r.pick([1, 1, 2, 3, -1, -2]));
    const starts = axes.map((axis, i) => (steps[i]! > 0 ? g.r.int(0, shape[axis]! - 1) : -g.r.int(1, shape[axis]!)));
    const ends = axes.map((axis, i) => (steps[i]! > 0 ? g.r.int(1, shape[axis]!) : -shape[axis]! - 1));
    if (axes.length > 0) g.add("Slice", [name, ...[starts, ends, axes, steps].map((one) => g.constant(list(one)))]);
  },
  (g) => {
    const [name, shape] = g.pick();
    const axis = g.r.int(0, shape.length - 1);
    const first = g.r.int(1, Math.max(1, shape[axis]! - 1));
    g.add("Split", [name, g.constant(list([first, shape[axis]! - first]))], { axis }, 2);
  },
  (g) => {
    const [name, shape] = g.pick();
    const axis = g.r.int(0, shape.length - 1);
    const alike = g.values.filter((one) => {
      const other = g.specs.get(one)!.shape;
      return other.length === shape.length && other.every((side, i) => i === axis || side === shape[i]);
    });
    g.add("Concat", [name, g.r.pick(alike), ...(g.r.flag() ? [g.r.pick(alike)] : [])], { axis });
  },
  (g) => {
    const [name, shape] = g.pick();
    g.add("Unsqueeze", [name, g.constant(list([g.r.int(0, shape.length)]))]);
  },
  (g) => {
    const [name, shape] = g.pick();
    const ones = shape.flatMap((side, axis) => (side === 1 ? [axis] : []));
    if (ones.length > 0) g.add("Squeeze", [name, g.constant(list([g.r.pick(ones)]))]);
  },
  (g) => {
    const [name, shape] = g.pick();
    g.add("Flatten", [name], { axis: g.r.int(0, shape.length) });
  },
  (g) => {
    const [name, shape] = g.pick();
    g.add("Expand", [name, g.constant(list(shape.map((side) => (side === 1 ? g.r.int(1, 4) : side))))]);
  },
  (g) => {
    const [name, shape] = g.pick();
    g.add("Tile", [name, g.constant(list(shape.map(() => g.r.pick([1, 1, 2]))))]);
  },
  (g) => {
    const [name, shape] = g.pick();
    const pads = [...shape, ...shape].map(() => g.r.pick([0, 0, 1, 2]));
    const mode = g.r.pick(["constant", "constant", "reflect", "edge", "wrap"]);
    if (mode === "reflect" && shape.some((side) => side < 3)) return;
    g.add("Pad", [name, g.constant(list(pads)), ...(mode === "constant" ? [g.floats([])] : [])], { mode });
  },
  (g) => {
    const [name] = g.pick();
    g.add(g.r.pick(["DepthToSpace", "SpaceToDepth"]), [name], { blocksize: 2 });
  },
  (g) => {
    const [name, shape] = g.pick();
    const scales = shape.map((_, axis) => (axis < shape.length - 3 ? 1 : g.r.pick([1, 2, 1.5, 0.5])));
    const mode = g.r.pick(["nearest", "linear", "cubic"]);
    g.add("Resize", [name, "", g.constant(g.r.tensor([0])), g.constant(list(scales.map((one, i) => Math.max(1, Math.floor(one * shape[i]!)))))], { mode }); // biome-ignore format: a line
  },
  (g) => {
    const [name, shape] = g.pick();
    const axis = g.r.int(0, shape.length - 1);
    const indices = g.r.pick([[0], [shape[axis]! - 1], [-1], [0, shape[axis]! - 1], g.r.ints(3, 0, shape[axis]! - 1)]);
    g.add("Gather", [name, g.constant(list(indices))], { axis });
  },
  (g) => {
    const [name, shape] = g.pick();
    g.add(g.r.pick(["Softmax", "LogSoftmax"]), [name], { axis: g.r.int(0, shape.length - 1) });
  },
  (g) => {
    const [name, shape] = g.pick();
    const axes = g.constant(list(shape.flatMap((_, axis) => (g.r.flag() ? [axis] : []))));
    const kind = g.r.pick("Sum Mean Max Min L1 L2 SumSquare LogSumExp".split(" "));
    g.add(`Reduce${kind}`, [name, axes], { keepdims: g.r.flag() });
  },
  (g) => {
    const [name, shape] = g.pick();
    const axis = g.r.int(0, shape.length - 1);
    const parameters = [g.floats(shape.slice(axis)), g.floats(shape.slice(-1))];
    g.add("LayerNormalization", [name, ...parameters], { axis, epsilon: 0.1 }, g.r.pick([1, 3]));
    g.add("RMSNormalization", [name, parameters[0]!], { axis, epsilon: 0.1 });
  },
  (g) => {
    const [name, shape] = g.pick();
    const channels = shape[1] ?? 1;
    const parameters = [g.floats([channels]), g.floats([channels])];
    if (shape.length < 3) return;
    g.add("InstanceNormalization", [name, ...parameters], { epsilon: 0.1 });
    const groups = g.r.pick([1, 2, 3].filter((count) => channels % count === 0));
    if (groups === channels) g.add("GroupNormalization", [name, ...parameters], { num_groups: groups, epsilon: 0.1 });
    g.add("LRN", [name], { size: g.r.int(1, 5), alpha: 0.5 });
    g.add(g.r.pick(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]), [name]);
  },
  ...Array.from({ length: 3 }, () => (g: Growth) => void g.add(g.r.pick(functions), [g.pick()[0]])),
  ...Array.from({ length: 3 }, () => (g: Growth): void => {
    const [name, shape] = g.pick();
    const alike = g.values.filter((one) => g.specs.get(one)!.shape.every((side, i, all) => side === 1 || side === shape.at(i - all.length))); // biome-ignore format: a line
    const other = g.r.flag() ? g.r.pick(alike) : g.floats(g.r.narrower(shape));
    const op = g.r.pick(["Add", "Sub", "Mul", "Min", "Max"]);
    g.add(op, g.r.shuffle([name, other]));
  }),
  (g) => {
    const [name] = g.pick();
    g.add("Div", [name, g.floats([], 0.5, 2)]);
    g.add("Pow", [g.values.at(-1)!, g.constant(g.r.tensor([], "f32", 2, 2))]);
  },
  (g) => {
    const [name, shape] = g.pick();
    g.add("MatMul", [name, g.floats([shape.at(-1) ?? 1, g.r.int(1, 9)])]);
  },
  (g) => {
    const [name, shape] = g.pick();
    if (shape.length !== 2) return;
    const [transB, outputs] = [g.r.flag(), g.r.int(1, 9)];
    const weight = g.floats(transB ? [outputs, shape[1]!] : [shape[1]!, outputs]);
    g.add("Gemm", [name, weight, g.floats(g.r.pick([[outputs], [1, outputs], []]))], { transB, alpha: 0.5, beta: 2 });
  },
];

/** A convolution so that something is on the backend, and whatever chance adds; a few values are outputs. */
export function randomMovement(seed: number): Graph {
  const g = new Growth(seed);
  convolve(g);
  for (let i = g.r.int(2, 9); i > 0; i--) g.r.pick(growths)(g);
  const outputs = new Set([g.r.pick(g.values), g.r.pick(g.values), g.values.at(-1)!]);
  outputs.delete("x");
  return graphOf({ x: g.input }, g.nodes, [...(outputs.size > 0 ? outputs : [g.values.at(-1)!])], g.constants);
}

// Test shapes of the expression family.
import type { BufferSpec, ExpressionNode, ExpressionSpec } from "../../plan/types.ts";
import { count, type KernelCase, layerCase } from "../case.ts";
import { paddedChannels } from "../conv/layout.ts";
import { arena, pointwiseWindow, sidesOf, weights } from "../layer.ts";

type Nodes = readonly ExpressionNode[];

interface Shape {
  nodes: Nodes;
  constants?: readonly number[];
  y?: readonly [number, number, number, number];
  /** Sides of each operand: those of the result, or 1; "constant" for one number a channel. */
  reads?: readonly (readonly number[] | "constant")[];
}

function expression(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { nodes, constants = [], y = [2, 3, 5, 6] } = shape;
  const reads = shape.reads ?? [y];
  const operands = reads.map((sides) =>
    sides === "constant"
      ? { pixels: false, channels: true }
      : { pixels: sides[2] === y[2] && y[2] > 1, channels: sides[3] === y[3] },
  );
  const first = reads[0];
  const still = first !== "constant" && first?.[1] === 1;
  const kernel: ExpressionSpec = {
    ...{ family: "expression", ...pointwiseWindow, nodes, constants, operands, channels: y[3] },
    ...(still && { strides: [0, 0] }),
  };
  const others = reads
    .slice(1)
    .map(
      (sides, i): BufferSpec =>
        sides === "constant" ? weights(`b${i}`, paddedChannels(y[3])) : arena(`b${i}`, sidesOf(sides)),
    );
  const tensors = reads
    .slice(1)
    .flatMap((sides, i) => (sides === "constant" ? [] : [[`b${i}`, { channels: sides[3]! }]]));
  const constant = reads
    .slice(1)
    .flatMap((sides, i) => (sides === "constant" ? [[`b${i}`, { weight: y[3], bias: 0 }]] : []));
  const x = first === undefined || first === "constant" ? y : first;
  return layerCase(
    name,
    kernel,
    { x, y, others },
    {
      ...more,
      tensors: Object.fromEntries(tensors),
      weights: Object.fromEntries(constant),
    },
  );
}

const x: ExpressionNode = ["operand", 0];
const [a, b, c]: ExpressionNode[] = [x, ["operand", 1], ["operand", 2]];
/** The magnitude of the operand and a little more, for functions that want a number above 0. */
const positive: Nodes = [x, ["abs", 0], ["constant", 0], ["add", 1, 2]];
const scaled: Nodes = [x, ["constant", 0], ["mul", 0, 1]];
const unary = ["neg", "abs", "floor", "ceil", "trunc", "round"] as const;
const binary = ["add", "sub", "mul", "min", "max"] as const;
const y = [2, 3, 5, 6] as const;

export const cases: readonly KernelCase[] = [
  ...unary.map((name) => expression(name, { nodes: [...scaled, [name, 2]], constants: [5.3] })),
  ...(["sqrt", "log"] as const).map((name) => expression(name, { nodes: [...positive, [name, 3]], constants: [0.01] })),
  ...(["exp", "tanh", "erf", "sigmoid"] as const).flatMap((name) =>
    [0.1, 1, 4].map((scale) =>
      expression(`${name} of ${scale}`, { nodes: [...scaled, [name, 2]], constants: [scale] }),
    ),
  ),
  ...binary.map((name) => expression(name, { nodes: [a!, b!, [name, 0, 1]], reads: [y, y] })),
  expression("div", {
    ...{ nodes: [a!, b!, ["abs", 1], ["constant", 0], ["add", 2, 3], ["div", 0, 4]], constants: [0.5], reads: [y, y] },
  }),
  ...(["less", "lessEqual", "equal"] as const).map((name) =>
    expression(name, { nodes: [a!, b!, [name, 0, 1]], reads: [y, y] }),
  ),
  ...(["atan", "sin", "cos"] as const).map((name) =>
    expression(name, { nodes: [...scaled, [name, 2]], constants: [5.3] }),
  ),
  expression("pow", { nodes: [...positive, b!, ["pow", 3, 4]], constants: [0.1], reads: [y, y] }),
  expression("mod", { nodes: [a!, ["constant", 0], ["mod", 0, 1]], constants: [0.3] }),
  expression("where", { nodes: [a!, b!, c!, ["less", 0, 1], ["where", 3, 1, 2]], reads: [y, y, y] }),
  expression("a comparison that chooses and counts", {
    nodes: [a!, b!, ["less", 0, 1], ["where", 2, 0, 1], ["add", 2, 3]],
    reads: [y, y],
  }),
  expression("a constant", { nodes: [["constant", 0]], constants: [0.25], reads: [y] }),
  ...count(1, 17).map((channels) =>
    expression(`${channels} channels`, {
      nodes: [x, ["exp", 0]],
      y: [1, 2, 3, channels],
      reads: [[1, 2, 3, channels]],
    }),
  ),
  ...count(1, 9).map((width) =>
    expression(`width ${width}`, {
      ...{ nodes: [a!, b!, ["add", 0, 1]], y: [1, 2, width, 8] },
      reads: [
        [1, 2, width, 8],
        [1, 2, width, 8],
      ],
    }),
  ),
  ...[
    [1, 3, 5, 6],
    [2, 1, 5, 6],
    [2, 3, 1, 6],
    [2, 3, 5, 1],
    [1, 1, 1, 6],
    [2, 1, 1, 1],
    [1, 1, 1, 1],
    [2, 1, 5, 1],
  ].flatMap((sides) => [
    expression(`second of ${sides}`, { nodes: [a!, b!, ["sub", 0, 1]], reads: [y, sides] }),
    expression(`first of ${sides}`, { nodes: [a!, b!, ["sub", 0, 1]], reads: [sides, y] }),
  ]),
  expression("constants of channels", {
    ...{ nodes: [a!, b!, c!, ["mul", 0, 1], ["add", 3, 2]], reads: [y, "constant", "constant"] },
  }),
  expression(
    "benchmark",
    {
      ...{ nodes: [x, ["sigmoid", 0], ["mul", 0, 1]] },
      ...{ y: [1, 56, 56, 64], reads: [[1, 56, 56, 64]] },
    },
    { benchmark: true },
  ),
];

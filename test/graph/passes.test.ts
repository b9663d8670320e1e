// Passes: each finds what it should and leaves what it must, and none changes what random networks compute.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runGraph } from "../../src/graph/evaluate.ts";
import { infer, inputSpecs } from "../../src/graph/infer.ts";
import { foldBatchNorm } from "../../src/graph/passes/batch-norm.ts";
import { fuseActivation, fuseGate, fuseHardSwish, fuseResidual } from "../../src/graph/passes/fuse.ts";
import { dropIdentities, foldConstants, optimize, removeUnused } from "../../src/graph/passes/index.ts";
import { foldPads } from "../../src/graph/passes/pads.ts";
import { foldScalings } from "../../src/graph/passes/scalings.ts";
import { fuseSeparable } from "../../src/graph/passes/separable.ts";
import { flushWeights } from "../../src/graph/passes/subnormals.ts";
import type { Graph, GraphNode } from "../../src/graph/types.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { expectClose } from "../onnx/close.ts";
import { Random } from "../random-tensors.ts";
import { floats, graphOf, integers, node } from "./graphs.ts";

const ops = ({ nodes }: Graph): string[] => nodes.map(({ op }) => op);

/** Batch, channels, height, width of every value in random networks. */
const shape = [2, 4, 5, 3];
const kinds = ["Conv", "Conv", "pointwise", "depthwise", "transposed", "BatchNormalization", "BatchNormalization", "Add", "Add",
  "constant", "Mul", "Sub", "Div", "Pad", "hard swish", "Relu", "Relu", "LeakyRelu", "Clip", "HardSwish", "gate", "hard gate", "Identity", "Dropout", "Reshape", "separable", "of constants"] as const; // biome-ignore format: a list

/** Convolutions, norms, activations, sums and what computes nothing, each on a value that is there already. */
function randomNetwork(seed: number): Graph {
  const r = new Random(seed);
  const constants: Record<string, Tensor> = {
    low: floats([], [-1]),
    high: floats([], [1.5]),
    sides: integers(0, -1, 5, 3),
    edges: integers(0, 0, 1, 1, 0, 0, 1, 1),
    three: floats([], [3]),
    zero: floats([], [0]),
    six: floats([], [6]),
    sixth: floats([], [1 / 6]),
  };
  const values = ["x"];
  const nodes: GraphNode[] = [];
  const constant = (sides: number[], least = -0.5, most = 0.5): string => {
    const name = `c${Object.keys(constants).length}`;
    constants[name] = r.tensor(sides, "f32", least, most);
    return name;
  };
  const make = (kind: (typeof kinds)[number], x: string, y: string): GraphNode[] => {
    const bias = r.flag() ? [constant([4])] : [];
    if (kind === "Conv") return [node("Conv", [x, constant([4, 4, 3, 3]), ...bias], [y], { pads: [1, 1, 1, 1] })];
    if (kind === "pointwise") return [node("Conv", [x, constant([4, 4, 1, 1]), ...bias], [y])];
    if (kind === "depthwise")
      return [node("Conv", [x, constant([4, 1, 3, 1]), ...bias], [y], { pads: [1, 0, 1, 0], group: 4 })];
    if (kind === "transposed") return [node("ConvTranspose", [x, constant([4, 2, 1, 1]), ...bias], [y], { group: 2 })];
    if (kind === "BatchNormalization")
      return [node(kind, [x, constant([4]), constant([4]), constant([4]), constant([4], 0.1, 1)], [y])];
    if (kind === "Add") return [node("Add", [x, r.pick(values)], [y])];
    if (kind === "constant") return [node("Add", r.shuffle([x, constant([4, 1, 1])]), [y])];
    if (kind === "Mul") return [node("Mul", r.shuffle([x, constant(r.pick([[4, 1, 1], [], [1, 4, 1, 1]]))]), [y])];
    if (kind === "Sub") return [node("Sub", r.shuffle([x, constant(r.pick([[4, 1, 1], [1]]))]), [y])];
    if (kind === "Div") return [node("Div", [x, constant([4, 1, 1], 0.5, 1)], [y])];
    if (kind === "Pad") {
      const padded = node("Pad", [x, "edges", ""], [`${y}p`]);
      const inner = node("AveragePool", [`${y}p`], [y], { kernel_shape: [3, 3] });
      const conv = node("Conv", [`${y}p`, constant([4, 4, 3, 3])], [y]);
      return [padded, r.pick([inner, conv])];
    }
    if (kind === "hard swish") {
      const sum = [node("Add", r.shuffle([x, "three"]), [`${y}a`]), node("Clip", [`${y}a`, "zero", "six"], [`${y}b`])];
      const last: [string, string[]] = r.pick([
        ["Div", ["six"]],
        ["Mul", ["sixth"]],
      ]);
      const before = [node(last[0], [`${y}b`, ...last[1]], [`${y}c`]), node("Mul", r.shuffle([x, `${y}c`]), [y])];
      const after = [node("Mul", r.shuffle([x, `${y}b`]), [`${y}c`]), node(last[0], [`${y}c`, ...last[1]], [y])];
      return [...sum, ...r.pick([before, after])];
    }
    if (kind === "Clip") return [node("Clip", [x, r.flag() ? "low" : "", "high"], [y])];
    if (kind === "separable") return [...make("depthwise", x, `${y}m`), ...make("pointwise", `${y}m`, y)];
    if (kind === "of constants") return [node("Neg", [constant([4, 1, 1])], [`${y}k`]), node("Add", [x, `${y}k`], [y])];
    const times = (gate: GraphNode): GraphNode[] => [gate, node("Mul", r.shuffle([x, ...gate.outputs]), [y])];
    if (kind === "gate") return times(node("Sigmoid", [x], [`${y}s`]));
    if (kind === "hard gate") return times(node("HardSigmoid", [x], [`${y}s`], { alpha: 1 / 6 }));
    return [node(kind, kind === "Reshape" ? [x, "sides"] : [x], [y])];
  };
  for (let i = 0; i < 12; i++) {
    // Mostly the newest value: chains are what passes look for
    const x = r.int(0, 3) ? values.at(-1)! : r.pick(values);
    nodes.push(...make(r.pick(kinds), x, `v${i}`));
    values.push(`v${i}`);
  }
  return graphOf({ x: shape }, nodes, [...new Set([r.pick(values), values.at(-1)!])], constants);
}

describe("random networks", () => {
  const passes: Record<string, (graph: Graph) => Graph> = {
    ...{ foldBatchNorm, fuseActivation, fuseGate, fuseSeparable, dropIdentities, removeUnused },
    foldConstants: (graph) => foldConstants(graph, infer(graph, operators, inputSpecs(graph))),
    fuseResidual: (graph) => fuseResidual(graph, infer(graph, operators, inputSpecs(graph))),
    ...{ foldPads, fuseHardSwish: (graph: Graph) => removeUnused(fuseHardSwish(graph, new Map())) },
    foldScalings: (graph) => foldScalings(graph, infer(graph, operators, inputSpecs(graph))),
    "all, for any shape": (graph) => optimize(graph, operators),
    "all, for one shape": (graph) => optimize(graph, operators, inputSpecs(graph)),
  };
  const found = new Set<string>();

  test.each(Object.entries(passes))("compute the same after %s, and the network given stays", (name, pass) => {
    const property = fc.property(fc.nat(), (seed) => {
      const graph = randomNetwork(seed);
      const before = structuredClone({ ...graph, constants: [...graph.constants] });
      const x = new Random(seed).tensor(shape);
      const expected = runGraph(graph, operators, { x });
      const passed = pass(graph);
      const given = runGraph(passed, operators, { x });
      for (const output of Object.keys(expected)) expectClose(given[output]!, expected[output]!, 1e-4);
      expect({ ...graph, constants: [...graph.constants] }).toEqual(before);
      if (passed.nodes.length < graph.nodes.length) found.add(name);
    });
    fc.assert(property, { numRuns: 90 });
    expect(found).toContain(name);
  });
});

describe("a batch norm", () => {
  const norm = (x: string, y: string): GraphNode => node("BatchNormalization", [x, "s", "b", "m", "v"], [y]);
  const vectors = {
    s: floats([1], [2]),
    b: floats([1], [1]),
    m: floats([1], [3]),
    v: floats([1], [4]),
    w: floats([1, 1, 1, 1], [5]),
  };
  const conv = node("Conv", ["x", "w"], ["c"]);
  const graph = (nodes: GraphNode[], outputs: string[]): Graph => graphOf({ x: [1, 1, 1, 1] }, nodes, outputs, vectors);

  test("goes into the convolution before it", () => {
    const folded = foldBatchNorm(graph([conv, norm("c", "y")], ["y"]));
    expect(ops(folded)).toEqual(["Conv"]);
    const [weight, bias] = folded.nodes[0]!.inputs.slice(1).map(
      (name) => folded.constants.get(name)!.data[0] as number,
    );
    expect([weight, bias]).toEqual([expect.closeTo(5, 4), expect.closeTo(-2, 4)]);
  });

  test.each<[string, GraphNode[], string[]]>([
    ["whose input is read elsewhere", [conv, norm("c", "y"), node("Relu", ["c"], ["z"])], ["y", "z"]],
    ["whose input is an output", [conv, norm("c", "y")], ["y", "c"]],
    ["after an activation", [conv, node("Relu", ["c"], ["r"]), norm("r", "y")], ["y"]],
    [
      "after a convolution that is computed",
      [node("Neg", ["x"], ["n"]), node("Conv", ["x", "n"], ["c"]), norm("c", "y")],
      ["y"],
    ],
  ])("stays %s", (_title, nodes, outputs) => {
    expect(ops(foldBatchNorm(fuseActivation(graph(nodes, outputs))))).toContain("BatchNormalization");
  });
});

describe("a residual", () => {
  const w = floats([1, 1, 1, 1], [5]);
  const conv = (x: string, y: string): GraphNode => node("Conv", [x, "w"], [y]);
  const fuse = (graph: Graph): Graph => fuseResidual(graph, infer(graph, operators, inputSpecs(graph)));

  test("of two convolutions goes into the later one", () => {
    const nodes = [conv("x", "a"), conv("a2", "b"), node("Add", ["a", "b"], ["y"])];
    const graph = graphOf({ x: [1, 1, 2, 2], a2: [1, 1, 2, 2] }, nodes, ["y"], { w });
    expect(fuse(graph).nodes).toMatchObject([{ inputs: ["x", "w"] }, { inputs: ["a2", "w", "", "a"], outputs: ["y"] }]);
  });

  test("that makes the sum larger stays", () => {
    const graph = graphOf(
      { x: [1, 1, 1, 2], r: [1, 1, 2, 2] },
      [conv("x", "a"), node("Add", ["a", "r"], ["y"])],
      ["y"],
      { w },
    );
    expect(ops(fuse(graph))).toEqual(["Conv", "Add"]);
  });
});

describe("separable layers", () => {
  const weights = { d: floats([8, 1, 3, 3]), p: floats([5, 8, 1, 1]), full: floats([5, 8, 3, 3]), b: floats([5]) };
  const depthwise = (more = {}): GraphNode =>
    node("Conv", ["x", "d"], ["m"], { group: 4, pads: [1, 1, 1, 1], ...more });
  const fuse = (first: GraphNode, second: GraphNode, outputs = ["y"]): Graph =>
    fuseSeparable(
      fuseActivation(graphOf({ x: [1, 4, 6, 6] }, [first, node("Relu", ["m"], ["h"]), second], outputs, weights)),
    );

  test("are one node with both activations", () => {
    const graph = fuse(depthwise({ strides: [2, 2] }), node("Conv", ["h", "p", "b"], ["y"]));
    expect(graph.nodes).toEqual([
      {
        ...{ name: "Conv y", op: "SeparableConv", opset: 18, outputs: ["y"] },
        inputs: ["x", "d", "", "p", "b"],
        attributes: { group: 4, strides: [2, 2], pads: [1, 1, 1, 1], middle: "Relu", middleParameters: [] },
      },
    ]);
    expect(infer(graph, operators, inputSpecs(graph)).get("y")!.shape).toEqual([1, 5, 3, 3]);
  });

  test.each<[string, GraphNode, GraphNode, string[]?]>([
    ["a second window", depthwise(), node("Conv", ["h", "full"], ["y"])],
    ["a strided second", depthwise(), node("Conv", ["h", "p"], ["y"], { strides: [2, 2] })],
    ["a padded second", depthwise(), node("Conv", ["h", "p"], ["y"], { pads: [1, 1, 1, 1] })],
    ["a middle that is an output", depthwise(), node("Conv", ["h", "p"], ["y"]), ["y", "h"]],
  ])("%s is none", (_title, first, second, outputs) =>
    expect(ops(fuse(first, second, outputs))).toEqual(["Conv", "Conv"]),
  );
});

test("constants are folded, but not into more than there is room for", () => {
  const nodes = [
    node("Add", ["a", "b"], ["sum"]),
    node("ConstantOfShape", ["sides"], ["large"]),
    node("Shape", ["large"], ["shape"]),
    node("Transpose", ["w"], ["turned"]),
    node("MatMul", ["x", "turned"], ["y"]),
  ];
  const constants = { a: floats([2]), b: floats([2]), sides: integers(600, 600), w: floats([300, 300]) };
  const graph = graphOf({ x: [1, 300] }, nodes, ["y", "sum", "large", "shape"], constants);
  const folded = removeUnused(foldConstants(graph, infer(graph, operators, new Map(), 2 ** 16)));
  expect(ops(folded)).toEqual(["ConstantOfShape", "MatMul"]);
  expect(ops(removeUnused(foldConstants(graph, infer(graph, operators, new Map()))))).toEqual(["MatMul"]);
  expect(folded.constants.get("sum")!.data).toEqual(new Float32Array([0, 2]));
  expect([...folded.constants.keys()].toSorted()).toEqual(["shape", "sides", "sum", "turned"]);
});

test("identities go, outputs and dropout in training stay", () => {
  const nodes = [
    node("Identity", ["x"], ["a"]),
    node("Dropout", ["a", "", "no"], ["b", "mask"]),
    node("Dropout", ["b", "", "yes"], ["c"]),
    node("Identity", ["c"], ["y"]),
  ];
  const flag = (value: number): Tensor => ({ shape: [], data: new Uint8Array([value]), dtype: "bool" });
  const dropped = dropIdentities(graphOf({ x: [1] }, nodes, ["y"], { no: flag(0), yes: flag(1) }));
  expect(dropped.nodes.map(({ op, inputs }) => [op, inputs[0]])).toEqual([["Dropout", "x"], ["Identity", "c"]]); // biome-ignore format: a line
  expect(() => infer(dropped, operators, inputSpecs(dropped))).toThrow("training_mode");
});

test("weights that are next to nothing become zeros, and the file's own stay", () => {
  const weight = floats([5, 1, 1, 1], [1e-39, -1e-45, 0.5, 2 ** -126, -(2 ** -126)]);
  const other = floats([1], [1e-40]);
  const graph = graphOf(
    { x: [1, 1, 2, 2] },
    [node("Conv", ["x", "w"], ["y"]), node("Add", ["y", "other"], ["z"])],
    ["z"],
    { w: weight, other },
  );
  const { constants } = flushWeights(graph);
  expect(constants.get("w")!.data).toEqual(Float32Array.of(0, 0, 0.5, 2 ** -126, -(2 ** -126)));
  expect(constants.get("other")).toBe(other);
  expect(graph.constants.get("w")!.data[0]).toBe(Math.fround(1e-39));
});

// Gradients of networks: along random directions they are what differences of outputs are.
import { describe, expect, test } from "vitest";
import { runGraph } from "../../src/graph/evaluate.ts";
import { infer, inputSpecs } from "../../src/graph/infer.ts";
import type { Graph, GraphNode } from "../../src/graph/types.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { gradientGraph, gradientOperators } from "../../src/separate/gradients.ts";
import type { Tensor } from "../../src/tensor.ts";
import { random } from "../oracle.ts";

function tensorOf(shape: readonly number[], seed: number): Tensor & { data: Float32Array } {
  const next = random(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1) };
}

const node = (
  op: string,
  inputs: string[],
  attributes: GraphNode["attributes"] = {},
  output = "y",
  opset = 13,
): GraphNode => ({ name: `${op} ${output}`, op, opset, inputs, outputs: [output], attributes });

const list = (...values: number[]): Tensor => ({ shape: [values.length], data: BigInt64Array.from(values, BigInt) });

interface Case {
  nodes: GraphNode[];
  constants?: Record<string, Tensor>;
  shape?: readonly number[];
}

const conv = (w: readonly number[], attributes: GraphNode["attributes"], op = "Conv"): Case => ({
  nodes: [node(op, ["x", "w"], attributes)],
  constants: { w: tensorOf(w, 5) },
});

const cases: Record<string, Case> = {
  "Conv, same size": conv([5, 4, 3, 3], { pads: [1, 1, 1, 1] }),
  "Conv, uneven pads, dilated": conv([5, 4, 3, 2], { pads: [2, 0, 1, 1], dilations: [2, 1] }),
  "Conv in steps": conv([3, 4, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 3] }),
  "Conv in groups, same size": conv([8, 2, 3, 3], { pads: [1, 1, 1, 1], group: 2 }),
  "Conv, depthwise": conv([8, 1, 3, 3], { pads: [1, 1, 1, 1], group: 4 }),
  "Conv in steps and groups": conv([8, 2, 3, 3], { strides: [2, 2], group: 2 }),
  "Conv in groups": conv([8, 1, 3, 3], { pads: [1, 1, 1, 1], group: 4 }),
  ConvTranspose: conv([4, 3, 4, 4], { strides: [2, 2], pads: [1, 1, 1, 1] }, "ConvTranspose"),
  Relu: { nodes: [node("Relu", ["x"])] },
  LeakyRelu: { nodes: [node("LeakyRelu", ["x"], { alpha: 0.1 })] },
  PRelu: { nodes: [node("PRelu", ["x", "s"])], constants: { s: tensorOf([4, 1, 1], 6) } },
  Sigmoid: { nodes: [node("Sigmoid", ["x"])] },
  "Mul with itself": { nodes: [node("Sigmoid", ["x"], {}, "s"), node("Mul", ["x", "s"])] },
  "Mul, broadcast": { nodes: [node("GlobalAveragePool", ["x"], {}, "g"), node("Mul", ["x", "g"])] },
  "Add of a shortcut": { nodes: [node("Sigmoid", ["x"], {}, "s"), node("Add", ["s", "x"])] },
  Sub: { nodes: [node("Sigmoid", ["x"], {}, "s"), node("Sub", ["x", "s"])] },
  MaxPool: { nodes: [node("MaxPool", ["x"], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })] },
  AveragePool: { nodes: [node("AveragePool", ["x"], { kernel_shape: [3, 2], strides: [3, 2] })] },
  GlobalAveragePool: { nodes: [node("GlobalAveragePool", ["x"])] },
  ReduceMean: { nodes: [node("ReduceMean", ["x"], { axes: [2, 3], keepdims: 0 })] },
  Slice: {
    nodes: [node("Slice", ["x", "from", "to", "axes", "steps"])],
    constants: { from: list(0, 1), to: list(9, 6), axes: list(2, 3), steps: list(2, 1) },
  },
  Pad: { nodes: [node("Pad", ["x", "pads"])], constants: { pads: list(0, 1, 0, 2, 0, 1, 1, 0) } },
  Concat: { nodes: [node("Sigmoid", ["x"], {}, "s"), node("Concat", ["x", "s"], { axis: 1 })] },
  Transpose: { nodes: [node("Transpose", ["x"], { perm: [0, 2, 3, 1] })] },
  DepthToSpace: { nodes: [node("DepthToSpace", ["x"], { blocksize: 2 })] },
  "Flatten and Gemm": {
    nodes: [node("Flatten", ["x"], {}, "f"), node("Gemm", ["f", "w"], { transB: 1, alpha: 0.5 })],
    constants: { w: tensorOf([7, 4 * 9 * 8], 8) },
  },
  "Reshape to a computed shape": {
    nodes: [
      node("Shape", ["x"], {}, "s"),
      node("Gather", ["s", "first"], {}, "n"),
      node("Concat", ["n", "rest"], { axis: 0 }, "to"),
      node("Sigmoid", ["x"], {}, "z"),
      node("Reshape", ["z", "to"]),
    ],
    constants: { first: list(0), rest: list(-1) },
  },
  MatMul: { nodes: [node("MatMul", ["x", "w"])], constants: { w: tensorOf([8, 3], 8) } },
  Softmax: { nodes: [node("Softmax", ["x"], { axis: 1 })] },
};

/** Σ outputs · direction. */
const along = (outputs: Record<string, Tensor>, direction: Tensor): number =>
  Array.from(outputs.y!.data, Number).reduce((sum, value, i) => sum + value * Number(direction.data[i]), 0);

describe("a gradient is what differences say", () => {
  test.each(Object.entries(cases))("%s", (_title, { nodes, constants = {}, shape = [1, 4, 9, 8] }) => {
    // The value asked for is the result of a node, as a convolution's is.
    const graph: Graph = {
      inputs: [{ name: "given", dtype: "f32", shape }],
      outputs: [{ name: "y" }],
      nodes: [node("Identity", ["given"], {}, "x"), ...nodes],
      constants: new Map(Object.entries(constants)),
    };
    const specs = infer(graph, operators, inputSpecs(graph));
    const { graph: reverse, directions, gradients } = gradientGraph(graph, specs, ["x"]);
    const given = tensorOf(shape, 1);
    const direction = tensorOf(specs.get("y")!.shape, 2);
    const name = gradients.get("x")!;
    const found = runGraph(reverse, gradientOperators, { given, [directions.get("y")!]: direction })[name]!;
    expect(found.shape).toEqual(shape);
    const step = tensorOf(shape, 3);
    const size = 2e-3;
    const at = (sign: number): number => {
      const data = given.data.map((value, i) => value + sign * size * step.data[i]!);
      return along(runGraph(graph, operators, { given: { shape, data } }), direction);
    };
    const slope = Array.from(found.data, Number).reduce((sum, value, i) => sum + value * step.data[i]!, 0);
    const difference = (at(1) - at(-1)) / (2 * size);
    expect(Math.abs(slope - difference)).toBeLessThan(1e-2 * (1 + Math.abs(difference)));
  });

  test("behind an operator without a rule nothing is known", () => {
    const graph: Graph = {
      inputs: [{ name: "given", dtype: "f32", shape: [2, 3] }],
      outputs: [{ name: "y" }],
      nodes: [node("Sigmoid", ["given"], {}, "x"), node("Erf", ["x"], {}, "e"), node("Add", ["e", "x"])],
      constants: new Map(),
    };
    const { gradients } = gradientGraph(graph, infer(graph, operators, inputSpecs(graph)), ["x", "e"]);
    expect([...gradients.keys()]).toEqual(["e"]);
  });
});

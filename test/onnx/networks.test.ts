// Real networks on the host against ONNX Runtime, and that no pass changes what they compute.
import { beforeAll, describe, expect, test } from "vitest";
import { runGraph, withInputShapes } from "../../src/graph/evaluate.ts";
import { infer, inputSpecs } from "../../src/graph/infer.ts";
import { foldBatchNorm } from "../../src/graph/passes/batch-norm.ts";
import { fuseActivation, fuseResidual } from "../../src/graph/passes/fuse.ts";
import { dropIdentities, foldConstants, optimize, removeUnused } from "../../src/graph/passes/index.ts";
import { fuseSeparable } from "../../src/graph/passes/separable.ts";
import type { Graph, Spec } from "../../src/graph/types.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { expectClose } from "./close.ts";
import { type ModelName, noModels as missing, modelBytes, noise } from "./models.ts";
import { runRuntime, runtime } from "./runtime.ts";

/** The part of a picture [1, channels, height, width] at its top left. */
function corner({ shape, data }: Tensor, height: number, width: number): Tensor {
  const [, channels, , whole] = shape as [number, number, number, number];
  const plane = data.length / channels;
  const at = (i: number): number => {
    const [c, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    return data[c * plane + y * whole + x] as number;
  };
  return {
    shape: [1, channels, height, width],
    data: Float32Array.from({ length: channels * height * width }, (_, i) => at(i)),
  };
}

interface Network {
  file: ModelName;
  shape: readonly number[];
  /** What is computed here, if less than the whole: without borders, a corner of the result depends on a corner alone. */
  part?: { shape: readonly number[]; sides: readonly [height: number, width: number] };
  /** How many nodes of some operators all passes leave. */
  left: Record<string, number>;
  /** Small enough to run once after every pass. */
  small?: boolean;
}

const networks: readonly Network[] = [
  { file: "mnist", shape: [1, 1, 28, 28], left: { Conv: 3, Relu: 0, Constant: 0 }, small: true },
  {
    file: "resnet20-cifar10",
    shape: [1, 3, 32, 32],
    left: { Conv: 19, Relu: 0, Add: 0, Shape: 0, Cast: 0 },
    small: true,
  },
  { file: "ultraface-slim-320", shape: [1, 3, 240, 320], left: { SeparableConv: 19, Conv: 3, Relu: 0 } },
  {
    file: "ultraface-rfb-320",
    shape: [1, 3, 240, 320],
    left: { SeparableConv: 18, Conv: 15, Relu: 0, BatchNormalization: 0, Shape: 0 },
  },
  {
    ...{
      file: "waifu2x-scale2",
      shape: [1, 3, 156, 156],
      part: { shape: [1, 3, 16, 15], sides: [4, 2] },
      small: true,
    },
    left: { Conv: 6, ConvTranspose: 1, LeakyRelu: 0 },
  },
];

describe.skipIf(missing)(`networks${missing}`, () => {
  describe.each(networks)("$file", ({ file, shape, part, left, small }) => {
    const bytes = modelBytes(file);
    const whole = noise(shape);
    let graph: Graph;
    let inputs: Record<string, Tensor>;
    let plain: Record<string, Tensor>;
    let specs: Map<string, Spec>;

    beforeAll(async () => {
      ({ graph } = await loadModel(bytes));
      const name = graph.inputs[0]!.name;
      const input = part ? corner(whole, part.shape[2]!, part.shape[3]!) : whole;
      graph = withInputShapes(graph, { [name]: input.shape });
      inputs = { [name]: input };
      specs = infer(graph, operators, inputSpecs(graph));
      plain = runGraph(graph, operators, inputs);
    }, 120_000);

    test.skipIf(!runtime)("computes what ONNX Runtime computes (skipped where that does not load)", async () => {
      const expected = await runRuntime(bytes, { [graph.inputs[0]!.name]: whole });
      expect(Object.keys(plain).toSorted()).toEqual(Object.keys(expected).toSorted());
      for (const [name, tensor] of Object.entries(expected)) {
        expectClose(plain[name]!, part ? corner(tensor, ...part.sides) : tensor, 1e-4);
      }
    });

    test("has the shapes that inference finds", () => {
      for (const [name, tensor] of Object.entries(plain)) expect(specs.get(name)!.shape).toEqual(tensor.shape);
      expect(graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => name !== "" && !specs.has(name))).toEqual(
        [],
      );
    });

    test("computes the same after all passes, with fewer nodes", () => {
      const optimized = optimize(graph, operators, inputSpecs(graph));
      const found = runGraph(optimized, operators, inputs);
      for (const name of Object.keys(plain)) expectClose(found[name]!, plain[name]!, 1e-5);
      const counts = Object.keys(left).map((op) => [op, optimized.nodes.filter((node) => node.op === op).length]);
      expect(Object.fromEntries(counts)).toEqual(left);
    });

    test.skipIf(!small)("computes the same after each pass (only small networks)", () => {
      const passes: readonly ((graph: Graph) => Graph)[] = [
        ...[(one: Graph) => foldConstants(one, specs), dropIdentities, foldBatchNorm],
        ...[(one: Graph) => fuseResidual(one, specs), fuseActivation, fuseSeparable, removeUnused],
      ];
      const all = passes.map((pass) => pass(graph)).filter(({ nodes }) => nodes.length < graph.nodes.length);
      expect(all).not.toEqual([]);
      for (const passed of all) {
        const found = runGraph(passed, operators, inputs);
        for (const name of Object.keys(plain)) expectClose(found[name]!, plain[name]!, 1e-5);
      }
    });
  });
});

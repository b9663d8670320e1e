// Depthwise and pointwise layers as one dispatch: right at every size, and by count what it is made for.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";
import { tasksOf } from "../../src/backend/webgpu/tasks.ts";
import { weightsOf } from "../../src/engine/layers.ts";
import { createEngine, type Engine } from "../../src/index.ts";
import { tile } from "../../src/kernels/depthwise-pointwise/wgsl.ts";
import type { LayerOptions } from "../../src/plan/layer-problem.ts";
import { random } from "../oracle.ts";
import { countsOf } from "./count.ts";
import { missingAdapter, openBackend } from "./software.ts";

const seed = Number(process.env.RANK1_SEED ?? Math.floor(Math.random() * 2 ** 31));
const next = random(seed);
const side = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
const floats = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1),
});
const limits = { dispatch: 65535, shared: 16384 };

interface Shape {
  x: [images: number, height: number, width: number, channels: number];
  window: [kh: number, kw: number];
  multiplier?: number;
  outputs: number;
  options?: LayerOptions;
}

const layers: [name: string, Shape][] = [
  ["3 x 3", { x: [1, 9, 13, 16], window: [3, 3], outputs: 24 }],
  ["stride 2, activations", { x: [2, 11, 10, 12], window: [3, 3], outputs: 8, options: { strides: [2, 2], activation: "relu6", depthwiseActivation: "hardSwish" } }],
  ["5 x 5, more outputs than a workgroup has", { x: [1, 5, 9, 8], window: [5, 5], outputs: 136 }],
  ["depth multiplier", { x: [1, 6, 7, 5], window: [3, 3], multiplier: 3, outputs: 9 }],
  ["dilations", { x: [1, 12, 9, 20], window: [3, 3], outputs: 16, options: { dilations: [2, 3] } }],
  ["1 x 7 without pads", { x: [1, 4, 20, 9], window: [1, 7], outputs: 5, options: { pads: "valid" } }],
  ["any", { x: [side(1, 3), side(1, 20), side(1, 20), side(1, 40)], window: [side(1, 5), side(1, 5)], multiplier: side(1, 2), outputs: side(5, 70), options: { strides: [side(1, 3), side(1, 3)] } }],
]; // biome-ignore format: a table

const reason = missingAdapter();
describe.skipIf(reason !== undefined)(
  `fused layers, seed ${seed}${reason ? `: ${reason}` : ""}`,
  { timeout: 120_000 },
  () => {
    const reference = new ReferenceBackend(2 ** 28);
    let [gpu, engine]: [WebGpuBackend, Engine] = [undefined as never, undefined as never];
    beforeAll(async () => {
      gpu = await openBackend();
      engine = await createEngine({ backend: "reference" });
    });
    afterAll(() => {
      gpu?.dispose();
      engine?.dispose();
    });

    const made = ({ x, window, multiplier = 1, outputs, options }: Shape) => {
      const depthwise = floats(...window, x[3], multiplier);
      const pointwise = floats(1, 1, x[3] * multiplier, outputs);
      const shapes = { x, depthwise: depthwise.shape, pointwise: pointwise.shape };
      const problem = engine.layerProblem("separableConv2d", shapes, { pads: "same", ...options });
      const tensors = { depthwise, pointwise, depthwiseBias: floats(x[3] * multiplier), bias: floats(outputs) };
      const plan = engine.plan(problem, { strategy: "depthwise-pointwise fused" });
      return { problem, plan, weights: weightsOf(problem, tensors) };
    };

    it.each(layers)("%s", async (_name, shape) => {
      const { problem, plan, weights } = made(shape);
      expect(tasksOf(plan, limits).tasks.length).toBe(1);
      const x = floats(...shape.x);
      const results: Float32Array[] = [];
      for (const backend of [gpu, reference]) {
        const program = await backend.compile(plan, weights);
        const tensor = ([images, height, width, channels]: readonly number[], data: Float32Array) => ({
          ...({ kind: "tensor", format: "NHWC", data } as const),
          ...{ images: images!, height: height!, width: width!, channels: channels! },
        });
        const y = new Float32Array(problem.y.shape.reduce((a, b) => a * b, 1));
        await program.run([["x", tensor(shape.x, x.data)]], [["y", tensor(problem.y.shape, y)]]);
        results.push(y);
        program.dispose();
      }
      const [mine, wanted] = results as [Float32Array, Float32Array];
      for (const [i, value] of mine.entries()) expect(Math.abs(value - wanted[i]!), `element ${i}`).toBeLessThan(1e-4);
    });

    it("keeps what lies between to itself, and loads its input with the halo and its weights once a workgroup", async () => {
      const shape: Shape = { x: [1, 16, 16, 16], window: [3, 3], outputs: 32 };
      const { tasks, places } = tasksOf(made(shape).plan, limits);
      expect([...places.keys()].sort()).toEqual(["depthwise", "pointwise", "x", "y"]);
      const { device } = await gpu.station();
      const counts = await countsOf(device, tasks[0]!, places);
      const [quads, groups] = [16 / 4, tasks[0]!.groups[0]];
      expect(groups).toBe(8);
      // Pixels outside the picture are not loaded.
      expect(counts.x0).toBeLessThanOrEqual(groups * quads * (tile.width + 2) * (tile.height + 2));
      expect(counts.x1).toBe(groups * quads * (9 + 1));
      // A vector is of four outputs; each unit begins its sums with a bias.
      expect(counts.x2).toBe(groups * (16 * 8 + 64));
      expect(counts.y).toBe((16 * 16 * 32) / 4);
    });
  },
);

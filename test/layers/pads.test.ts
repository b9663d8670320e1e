// The named pads are TensorFlow's: its rule in numbers, and its own results.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEngine, type Pads } from "../../src/index.ts";
import { random } from "../oracle.ts";
import type { Shape4 } from "./permute.ts";

const engine = await createEngine({ backend: "wasm", threads: 1 });
afterAll(() => engine.dispose());
beforeAll(async () => {
  tf.env().set("IS_TEST", true); // it advertises itself otherwise
  await tf.setBackend("cpu");
});

test.each<[side: number, size: number, stride: number, dilation: number, before: number, after: number, sides: number]>([
  [5, 3, 1, 1, 1, 1, 5],
  [5, 3, 2, 1, 1, 1, 3],
  [6, 3, 2, 1, 0, 1, 3],
  [6, 2, 1, 1, 0, 1, 6],
  [7, 4, 1, 1, 1, 2, 7],
  [9, 3, 1, 2, 2, 2, 9],
  [224, 7, 2, 1, 2, 3, 112],
  [5, 1, 3, 1, 0, 0, 2],
  [1, 5, 2, 1, 2, 2, 1],
])("%i pixels under %i at stride %i, dilation %i: %i before, %i after", (side, size, stride, dilation, ...wanted) => {
  const [before, after, sides] = wanted;
  const both = { strides: [stride, 1], dilations: [dilation, 1], pads: "same" } as const;
  const { window, y } = engine.layerProblem("conv2d", { x: [1, side, 3, 1], weight: [size, 1, 1, 1] }, both);
  expect(window.pads).toEqual([before, 0, after, 0]);
  expect(y.shape).toEqual([1, sides, 3, 1]);
}); // biome-ignore format: a table

const small = (max: number) => fc.integer({ min: 1, max });
const pair = (max: number) => fc.tuple(small(max), small(max));
const layers = fc
  .record({
    kind: fc.constantFrom("conv2d" as const, "depthwiseConv2d" as const, "separableConv2d" as const),
    pads: fc.constantFrom<Extract<Pads, string>>("same", "valid"),
    ...{ images: small(2), height: small(12), width: small(12), inputs: small(5), outputs: small(7) },
    ...{ size: pair(5), strides: pair(3), dilations: pair(3), seed: small(1e6) },
  })
  .filter(({ strides, dilations }) => Math.max(...strides) === 1 || Math.max(...dilations) === 1)
  .filter(({ pads, height, width, size: [kh, kw], dilations: [dy, dx] }) => {
    return pads === "same" || (height > (kh - 1) * dy && width > (kw - 1) * dx);
  });

test("what they give is what TensorFlow.js gives", async () => {
  const property = fc.asyncProperty(layers, async (layer) => {
    const { kind, pads, images, height, width, inputs, outputs, size, strides, dilations, seed } = layer;
    const next = random(seed);
    const tensor = (...shape: Shape4) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1);
      return { shape, data, tf: tf.tensor4d(data, shape) };
    };
    const [x, options] = [tensor(images, height, width, inputs), { pads, strides, dilations }];
    const weight = tensor(...size, inputs, kind === "conv2d" ? outputs : 2);
    const mix = tensor(1, 1, 2 * inputs, outputs);
    const [wanted, got] = {
      conv2d: () => [
        tf.conv2d(x.tf, weight.tf, strides, pads, "NHWC", dilations),
        engine.conv2d(x, weight, options),
      ] as const,
      depthwiseConv2d: () => [
        tf.depthwiseConv2d(x.tf, weight.tf, strides, pads, "NHWC", dilations),
        engine.depthwiseConv2d(x, weight, options),
      ] as const,
      separableConv2d: () => [
        tf.separableConv2d(x.tf, weight.tf, mix.tf, strides, pads, dilations),
        engine.separableConv2d(x, weight, mix, options),
      ] as const,
    }[kind](); // biome-ignore format: a table
    const { data, shape } = await got;
    expect(shape).toEqual(wanted.shape);
    const all = wanted.dataSync();
    const products = size[0] * size[1] * inputs * 2;
    expect(data.every((v, i) => Math.abs(v - all[i]!) <= 2 ** -23 * 16 * products)).toBe(true);
    tf.dispose([x.tf, weight.tf, mix.tf, wanted]);
  });
  await fc.assert(property, { numRuns: 100 });
});

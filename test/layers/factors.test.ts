// Factors, run as layers, are the layer that was factored: exactly at full rank, and with the error that factorize said.
import { describe, expect, test } from "vitest";
import { factorize, type LayerOptions, type Tensor } from "../../src/index.ts";
import { testEngines } from "../engine/engines.ts";
import { random } from "../oracle.ts";
import { runLayer } from "./implementations.ts";

type Splits = "depthwise" | "spatial" | "bottleneck" | "cp";

const [outputs, inputs, kh, kw] = [7, 5, 3, 2];
const next = random(7);
const weight = {
  shape: [outputs, inputs, kh, kw],
  data: Float32Array.from({ length: outputs * inputs * kh * kw }, () => next() - 0.5),
};

/** One image for each input channel, with a single 1 in it: a layer's outputs are then its weights, turned round. */
const impulses = { shape: [inputs, inputs, kh, kw], data: new Float32Array(inputs * inputs * kh * kw) };
for (let c = 0; c < inputs; c++) impulses.data[(c * inputs + c) * kh * kw] = 1;
const pads = [kh - 1, kw - 1, 0, 0] as const;

const noise = { shape: [2, inputs, 8, 9], data: Float32Array.from({ length: 720 }, () => next() - 0.5) };

describe.each(testEngines())("%s", (_, created) => {
  /** The layers that the factors are, one after the other, in ONNX's orders. */
  async function run(
    split: Splits,
    rank: number | undefined,
    x: Tensor,
    pads: readonly [number, number, number, number],
  ) {
    const engine = await created;
    const dataFormat = "NCHW" as const;
    const window = { dataFormat, pads };
    const conv2d = (x: Tensor, weight: Tensor, options: LayerOptions) =>
      runLayer(engine, "conv2d", x, { weight }, options);
    const [top, left, bottom, right] = pads;
    switch (split) {
      case "depthwise": {
        const { depthwise, pointwise, error } = factorize(weight, { split, rank });
        return { error, y: await runLayer(engine, "separableConv2d", x, { depthwise, pointwise }, window) };
      }
      case "spatial": {
        const { vertical, horizontal, error } = factorize(weight, { split, rank });
        const middle = await conv2d(x, vertical, { dataFormat, pads: [top, 0, bottom, 0] });
        return { error, y: await conv2d(middle, horizontal, { dataFormat, pads: [0, left, 0, right] }) };
      }
      case "bottleneck": {
        const { first, second, error } = factorize(weight, { split, rank });
        return { error, y: await conv2d(await conv2d(x, first, window), second, { dataFormat }) };
      }
      case "cp": {
        const { first, depthwise, last, error } = factorize(weight, { split, rank });
        const middle = await runLayer(
          engine,
          "depthwiseConv2d",
          await conv2d(x, first, { dataFormat }),
          { weight: depthwise },
          window,
        );
        return { error, y: await conv2d(middle, last, { dataFormat }) };
      }
    }
  }

  const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Math.hypot(...Array.from(a, (v, i) => v - b[i]!)) / Math.hypot(...Array.from(b));

  describe.each(["depthwise", "spatial", "bottleneck", "cp"] as const)("%s", (split) => {
    test("at full rank they give what conv2d of the weight gives", async () => {
      const engine = await created;
      const whole = await runLayer(engine, "conv2d", noise, { weight }, { dataFormat: "NCHW", pads: [1, 0, 1, 2] });
      const { y, error } = await run(split, undefined, noise, [1, 0, 1, 2]);
      expect(y.shape).toEqual(whole.shape);
      expect(error).toBeLessThan(1e-6);
      expect(distance(y.data, whole.data)).toBeLessThan(1e-6);
    });

    test("at lower ranks the layers' weights are as far from the weight as factorize says", async () => {
      const engine = await created;
      const whole = await runLayer(engine, "conv2d", impulses, { weight }, { dataFormat: "NCHW", pads });
      for (const rank of [1, 2, 3]) {
        const { y, error } = await run(split, rank, impulses, pads);
        expect(error).toBeGreaterThan(0.05);
        expect(Math.abs(distance(y.data, whole.data) - error)).toBeLessThan(1e-5);
      }
    });
  });
});

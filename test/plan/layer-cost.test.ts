// What layers cost: against windows counted one by one, against the sizes of factors, and the textbook's example.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../src/errors.ts";
import { factorize } from "../../src/factor/factorize.ts";
import { type LayerSpec, layerCost } from "../../src/plan/layer-cost.ts";
import { anyShapes } from "../layers/shapes.ts";

const specs = fc
  .tuple(anyShapes({ height: 12, width: 12 }), fc.constantFrom("same" as const, "valid" as const, undefined))
  .map(([{ height, width, inputs, size, outputs, strides, dilations, pads, multiplier }, named]) => ({
    ...{ input: [height, width, inputs] as [number, number, number], size, outputs, strides, dilations },
    ...{ pads: named ?? pads, multiplier },
  }));

/** TensorFlow's rule, from its documentation. */
function padsOf({
  input,
  size,
  strides,
  dilations,
  pads,
}: {
  input: number[];
  size: number[];
  strides: number[];
  dilations: number[];
  pads: LayerSpec["pads"];
}): number[] {
  if (pads === "valid") return [0, 0, 0, 0];
  if (pads !== "same") return [...pads!];
  const sums = [0, 1].map((axis) => {
    const [n, stride, span] = [input[axis]!, strides[axis]!, (size[axis]! - 1) * dilations[axis]! + 1];
    return Math.max(0, span - (n % stride === 0 ? stride : n % stride));
  });
  return [...sums.map((sum) => Math.floor(sum / 2)), ...sums.map((sum) => Math.ceil(sum / 2))];
}

/** Where a window fits, one position after the other. */
function positions(n: number, [before, after]: [number, number], k: number, stride: number, dilation: number): number {
  let count = 0;
  for (let at = -before; at + (k - 1) * dilation < n + after; at += stride) count++;
  return count;
}

test("outputs, parameters and multiplications are those of counting", () => {
  fc.assert(
    fc.property(specs, ({ multiplier: depthMultiplier, ...spec }) => {
      const pads = padsOf(spec);
      const sides = ([0, 1] as const).map((axis) =>
        positions(
          ...([spec.input[axis], [pads[axis]!, pads[axis + 2]!], spec.size[axis]] as [
            number,
            [number, number],
            number,
          ]),
          ...[spec.strides[axis], spec.dilations[axis]],
        ),
      ) as [number, number];
      if (Math.min(...sides) === 0) {
        for (const form of ["conv", "separable", "cp"] as const) {
          expect(() => layerCost({ ...spec, form, rank: 2 })).toThrow(
            /^x: expected x and its pads to have a (height|width) of at least \d+, /,
          );
        }
        return;
      }
      const [h, w] = sides;
      const [inputs, outputs, taps] = [spec.input[2], spec.outputs, spec.size[0] * spec.size[1]];
      const conv = layerCost({ ...spec, form: "conv" });
      expect(conv.output).toEqual([h, w, outputs]);
      expect(conv.multiplications).toBe(h * w * outputs * inputs * taps);
      const separable = layerCost({ ...spec, form: "separable", depthMultiplier });
      const middle = inputs * depthMultiplier;
      expect(separable.stages[0]!.output).toEqual([h, w, middle]);
      expect(separable.stages.map((stage) => stage.multiplications)).toEqual([
        h * w * middle * taps,
        h * w * middle * outputs,
      ]);
      const depthwise = layerCost({ ...spec, form: "depthwise", depthMultiplier });
      expect(depthwise.stages).toEqual([separable.stages[0]]);
      const cp = layerCost({ ...spec, form: "cp", rank: 5 });
      const [height, width] = spec.input;
      expect(cp.stages.map((stage) => stage.multiplications)).toEqual([
        ...[height * width * inputs * 5, h * w * 5 * taps, h * w * 5 * outputs],
      ]);
      const spatial = layerCost({ ...spec, form: "spatial", rank: 5 });
      expect(spatial.output).toEqual(conv.output);
      expect(spatial.stages[0]!.output).toEqual([h, width, 5]);
    }),
  );
});

test("same: as many outputs as there are strides begun", () => {
  fc.assert(
    fc.property(specs, ({ multiplier: _, ...given }) => {
      const spec: LayerSpec = { ...given, form: "conv", pads: "same" };
      const { output } = layerCost(spec);
      expect(output.slice(0, 2)).toEqual([0, 1].map((axis) => Math.ceil(given.input[axis]! / given.strides[axis]!)));
    }),
  );
});

test("bytes: what each stage reads and writes, and what is left of it when they are fused", () => {
  const { stages, bytes, fusedBytes } = layerCost({
    form: "separable",
    input: [12, 12, 3],
    size: [5, 5],
    outputs: 256,
  });
  expect(stages.map((stage) => stage.bytes / 4)).toEqual([432 + 75 + 192, 192 + 768 + 16384]);
  expect(bytes / 4).toBe(432 + 75 + 192 + 192 + 768 + 16384);
  expect(fusedBytes / 4).toBe(432 + 75 + 768 + 16384);
});

test("the textbook's layer: 12 x 12 x 3, 5 x 5, 256 outputs", () => {
  const layer = { input: [12, 12, 3], size: [5, 5], outputs: 256 } as const;
  const conv = layerCost({ ...layer, form: "conv" });
  expect([conv.output, conv.multiplications]).toEqual([[8, 8, 256], 1_228_800]);
  const separable = layerCost({ ...layer, form: "separable" });
  expect(separable.stages.map(({ output }) => output)).toEqual([
    [8, 8, 3],
    [8, 8, 256],
  ]);
  expect(separable.stages.map(({ multiplications }) => multiplications)).toEqual([4_800, 49_152]);
  const wider = layerCost({ ...layer, form: "separable", depthMultiplier: 2 });
  expect(wider.stages[0]!.output).toEqual([8, 8, 6]);
});

test("groups divide the work; a pointwise layer has strides of its own", () => {
  const layer = { input: [7, 5, 8], size: [3, 3], outputs: 12 } as const;
  const whole = layerCost({ ...layer, form: "conv" });
  expect(layerCost({ ...layer, form: "conv", groups: 4 }).multiplications).toBe(whole.multiplications / 4);
  const pointwise = layerCost({ form: "pointwise", input: [7, 5, 8], outputs: 12, strides: [2, 2] });
  expect([pointwise.output, pointwise.parameters]).toEqual([[4, 3, 12], 96]);
});

describe("agrees with factorize", () => {
  const [outChannels, inChannels, kh, kw] = [6, 4, 3, 2];
  const weight = {
    shape: [outChannels, inChannels, kh, kw],
    data: Float32Array.from({ length: 144 }, (_, i) => Math.sin(i * i)),
  };
  const layer = { input: [9, 9, inChannels], size: [kh, kw], outputs: outChannels, pads: "same" } as const;
  test.each([
    ["depthwise", "separable"],
    ["spatial", "spatial"],
    ["bottleneck", "bottleneck"],
    ["cp", "cp"],
  ] as const)("split %s", (split, form) => {
    const factors = factorize(weight, { split, rank: 2 });
    const { multiplications, parameters } = layerCost({ ...layer, form, rank: 2, depthMultiplier: 2 });
    expect(multiplications).toBe(81 * factors.multiplications.separable);
    expect(parameters).toBe(factors.multiplications.separable);
    expect(layerCost({ ...layer, form: "conv" }).multiplications).toBe(81 * factors.multiplications.direct);
  });
});

describe("refuses", () => {
  const layer = { form: "conv", input: [8, 8, 4], size: [3, 3], outputs: 6 } as const;
  test.each<[object, RegExp]>([
    [{ form: "convolution" }, /^form: expected one of conv, /],
    [{ input: [8, 8] }, /^input: expected 3 numbers, got \[8, 8\]$/],
    [{ input: [8, 0, 4] }, /^input: expected an integer of at least 1, got 0$/],
    [{ size: [3.5, 3] }, /^size: expected an integer/],
    [{ size: undefined }, /^size: expected 2 numbers, got undefined$/],
    [{ strides: [0, 1] }, /^strides: /],
    [{ dilations: [1, -1] }, /^dilations: /],
    [{ pads: "some" }, /^pads: expected one of same, valid, got "some"; did you mean "same"\?$/],
    [{ pads: [1, 1, 1, -1] }, /^pads\[3\]: expected an integer of at least 0, got -1$/],
    [{ outputs: undefined }, /^outputs: /],
    [{ groups: 4 }, /^groups: expected a divisor of 4 input and 6 output channels, got 4$/],
    [{ rank: 0 }, /^rank: /],
    [{ depthMultiplier: 1.5 }, /^depthMultiplier: /],
    [{ size: [3, 9] }, /^x: expected x and its pads to have a width of at least 9, /],
  ])("%o", (change, message) => {
    expect(() => layerCost({ ...layer, ...change } as LayerSpec)).toThrow(InvalidArgumentError);
    expect(() => layerCost({ ...layer, ...change } as LayerSpec)).toThrow(message);
  });
});

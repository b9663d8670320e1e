// Layers by the engine's public calls: what each computes in both orders of data, from weights of any form, and plans of
// them as data. test/backend/layers.test.ts tries every plan; this is about the engine around them.
import { describe, expect, it } from "vitest";
import type { LayerTensors } from "../../src/engine/layers.ts";
import { explain } from "../../src/index.ts";
import type { F32Tensor } from "../../src/tensor.ts";
import { outSide, worstError } from "../layer-oracle.ts";
import { permute, type Shape4 } from "../layers/permute.ts";
import { call, drawn, inPlanes, layer, prepare, problemOf, samples, shared, tolerance } from "../layers/samples.ts";
import { engineMaker, testEngines } from "./engines.ts";

const engineOf = engineMaker();
const inPixels = ({ data, shape }: F32Tensor): Float32Array => permute(data, shape as Shape4, [0, 2, 3, 1]);

describe.each(testEngines())("%s", (_name, created) => {
  it.each(samples())("%s is its definition: called and prepared, in both orders", async (_kind, sample) => {
    const engine = await created;
    const planes = inPlanes(sample);
    const wanted = sample.wanted(sample.x.data);
    const [outputs, rows, columns] = [
      Object.values(sample.weights).at(-1)!.shape,
      outSide(layer, 0),
      outSide(layer, 1),
    ];
    const channels = sample.kind === "depthwiseConv2d" ? 12 : outputs[3]!;
    const [height, width] = sample.kind === "pointwiseConv2d" ? [9, 8] : [rows, columns];
    for (const given of [sample, planes]) {
      const { x } = given;
      const prepared = await prepare(engine, given);
      const results = [await prepared.run(x), await prepared.run({ data: x.data, dims: x.shape })];
      if (given.kind !== "invertedResidual") results.push(await call(engine, given));
      for (const y of results) {
        expect(y.shape).toEqual(given === planes ? [2, channels, height, width] : [2, height, width, channels]);
        expect(worstError(given === planes ? inPixels(y) : y.data, wanted)).toBeLessThan(tolerance);
        expect(y.data.some(Number.isNaN)).toBe(false);
      }
      expect(prepared.bytes).toBeGreaterThan(0);
      prepared.dispose();
    }
  });

  it("takes biases and weights as lists, typed arrays, and tensors of either kind", async () => {
    const engine = await created;
    const { tensor } = drawn(101);
    const [x, weight, bias] = [tensor(1, 4, 5, 3), tensor(3, 3, 3, 2), [0.5, -1]];
    const wanted = await engine.conv2d(x, weight, { bias });
    const dims = { data: weight.data, dims: weight.shape };
    for (const one of [Float32Array.from(bias), Float64Array.from(bias)]) {
      expect((await engine.conv2d(x, dims, { bias: one })).data).toEqual(wanted.data);
    }
    const problem = engine.layerProblem("conv2d", { x: x.shape, weight: weight.shape });
    const prepared = await engine.prepare(problem, {
      weight: dims,
      bias: { shape: [2], data: Float32Array.from(bias) },
    });
    expect((await prepared.run(x)).data).toEqual(wanted.data);
    prepared.dispose();
  });

  it("writes what it is given as out, and nothing else", async () => {
    const engine = await created;
    const { tensor } = drawn(102);
    const [x, weight] = [tensor(1, 6, 5, 3), tensor(3, 3, 3, 1)];
    const { data } = await engine.depthwiseConv2d(x, weight, { pads: "same" });
    const memory = new Float32Array(data.length + 8).fill(77);
    const out = memory.subarray(4, -4);
    const y = await engine.depthwiseConv2d(x, weight, { pads: "same", out });
    expect(y.data).toBe(out);
    expect(out).toEqual(data);
    expect([...memory.subarray(0, 4), ...memory.subarray(-4)]).toEqual(Array(8).fill(77));
    const prepared = await engine.prepare(
      engine.layerProblem("depthwiseConv2d", { x: x.shape, weight: weight.shape }),
      {
        weight,
      },
    );
    const small = new Float32Array(4 * 3 * 3);
    expect((await prepared.run(x, { out: small })).data).toBe(small);
    prepared.dispose();
  });

  it("gives output channel c · multiplier + m what filter m makes of channel c", async () => {
    const x = { shape: [1, 1, 1, 5], data: Float32Array.from([1, 2, 3, 4, 5]) };
    const weight = { shape: [1, 1, 5, 3], data: Float32Array.from({ length: 15 }, (_, i) => 10 ** (i % 3)) };
    const { data } = await (await created).depthwiseConv2d(x, weight);
    expect([...data]).toEqual([1, 10, 100, 2, 20, 200, 3, 30, 300, 4, 40, 400, 5, 50, 500]);
  });

  it.each(["sigmoid", "silu"] as const)("has a relative error below 2^-21 in %s", async (activation) => {
    const x = { shape: [1, 40, 40, 8], data: Float32Array.from({ length: 12800 }, (_, i) => i / 80 - 80) };
    const weight = { shape: [1, 1, 8, 1], data: new Float32Array(8).fill(1) };
    const { data } = await (await created).depthwiseConv2d(x, weight, { activation });
    const worst = data.reduce((most, got, i) => {
      const wanted = (activation === "silu" ? x.data[i]! : 1) / (1 + Math.exp(-x.data[i]!));
      return Math.max(most, wanted === 0 ? Math.abs(got) : Math.abs(got / wanted - 1));
    }, 0);
    expect(worst).toBeLessThan(2 ** -21);
  });

  it("has silu's limits, and keeps what is no number", async () => {
    const data = Float32Array.from([-Infinity, -1e30, Infinity, Number.NaN]);
    const weight = { shape: [1, 1, 1, 1], data: new Float32Array([1]) };
    const y = await (await created).depthwiseConv2d({ shape: [1, 1, 4, 1], data }, weight, { activation: "silu" });
    expect(y.data[0]).toBeCloseTo(0, 30);
    expect(y.data[1]).toBeCloseTo(0, 30);
    expect([...y.data.subarray(2)]).toEqual([Infinity, Number.NaN]);
  });
});

describe("plans of prepared layers", () => {
  it("takes problems and gives plans that survive JSON and explain themselves", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1 });
    for (const [, sample] of samples()) {
      const problem = problemOf(engine, sample);
      const stored = JSON.parse(JSON.stringify(problem));
      expect(stored).toEqual(problem);
      const prepared = await engine.prepare(stored, { ...sample.weights, ...sample.biases } as LayerTensors);
      expect(worstError((await prepared.run(sample.x)).data, sample.wanted(sample.x.data))).toBeLessThan(tolerance);
      const plan = JSON.parse(JSON.stringify(prepared.plan));
      expect(plan).toEqual(prepared.plan);
      const text = explain(plan);
      expect(text).toBe(explain(prepared.plan));
      expect(text).toContain(`> ${prepared.plan.solver}`);
      expect(text).toMatch(/chosen/);
      expect(text).not.toMatch(/undefined|NaN|object/);
      prepared.dispose();
    }
  });

  it("finds depthwise filters that are a column times a row", async () => {
    const engine = await engineOf({ backend: "reference" });
    const [, sample] = shared()[1]!;
    const prepared = await prepare(engine, sample);
    expect(prepared.plan.problem).toMatchObject({ kind: "depthwise", spatiallySeparable: true });
    prepared.dispose();
  });
});

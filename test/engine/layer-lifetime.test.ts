// What becomes of calls, weights and memory of layers: in turn, stopped, packed once, disposed of.
import { describe, expect, it, vi } from "vitest";
import { Slices } from "../../src/backend/slices.ts";
import type { LayerCallOptions } from "../../src/engine/layers.ts";
import { createEngine, type LayerProblem } from "../../src/index.ts";
import type { F32Tensor } from "../../src/tensor.ts";
import { drawn } from "../layers/samples.ts";
import { engineMaker, testEngines } from "./engines.ts";

const engineOf = engineMaker();

describe.each(testEngines())("calls on %s", (_name, created) => {
  it("counts the fraction done, up to 1", async () => {
    const seen: number[] = [];
    const { tensor } = drawn(103);
    const [x, weight] = [tensor(1, 40, 30, 3), tensor(3, 3, 3, 4)];
    // As on a machine so slow that every strip is told of.
    const due = vi.spyOn(Slices.prototype, "due").mockReturnValue(true);
    await (await created).conv2d(x, weight, { onProgress: (done) => seen.push(done) });
    due.mockRestore();
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it("stops where a signal says so, before and during, and stays usable", async () => {
    const engine = await created;
    const { tensor } = drawn(104);
    const [x, weight, small] = [tensor(1, 192, 192, 32), tensor(5, 5, 32, 32), tensor(1, 7, 7, 32)];
    const wanted = await engine.conv2d(small, weight);
    const out = new Float32Array(188 * 188 * 32).fill(77);
    const reason = new Error("enough");
    await expect(engine.conv2d(x, weight, { out, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const [during, part] = [new AbortController(), out.slice()];
    const onProgress = () => during.abort(reason);
    await expect(engine.conv2d(x, weight, { out: part, signal: during.signal, onProgress })).rejects.toBe(reason);
    // What is there by then is right; the reference is too slow to tell.
    const data = engine.info().backend === "reference" ? part : (await engine.conv2d(x, weight)).data;
    expect(part.every((v, i) => v === 77 || v === data[i])).toBe(true);
    const waiting = new AbortController();
    const [first, second] = [engine.conv2d(small, weight), engine.conv2d(x, weight, { out, signal: waiting.signal })];
    waiting.abort(reason);
    await expect(second).rejects.toBe(reason);
    expect(out.every((v) => v === 77)).toBe(true);
    expect((await first).data).toEqual(wanted.data);
    expect((await engine.conv2d(small, weight)).data).toEqual(wanted.data);
  });

  it("serves calls in the order in which they came", async () => {
    const engine = await created;
    const { tensor } = drawn(105);
    const [weight, order] = [tensor(3, 3, 8, 8), [] as number[]];
    const heights = [40, 3, 20, 3];
    const calls = heights.map(async (height, i) => {
      const { shape } = await engine.conv2d(tensor(1, height, 20, 8), weight);
      order.push(i);
      return shape[1];
    });
    expect(await Promise.all(calls)).toEqual(heights.map((height) => height - 2));
    expect(order).toEqual([0, 1, 2, 3]);
  });
});

describe("packed weights", () => {
  it("are found again by the arrays that hold them", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1 });
    const { tensor, values } = drawn(106);
    const [x, weight, other, bias] = [tensor(1, 8, 8, 8), tensor(3, 3, 8, 8), tensor(3, 3, 8, 8), values(8)];
    const counts: number[] = [];
    const run = async (w: F32Tensor, options: LayerCallOptions = {}): Promise<void> => {
      await engine.conv2d(x, w, options);
      counts.push(engine.info().programs.count);
    };
    await run(weight);
    await run({ shape: [...weight.shape], data: weight.data });
    await run(other);
    await run(weight, { bias });
    await run(weight, { bias });
    await run(weight, { bias, pads: "same" });
    await run(weight);
    expect(counts).toEqual([1, 1, 2, 3, 3, 4, 4]);
    expect(engine.info().programs.bytes).toBeGreaterThan(4 * 4 * weight.data.length);
    expect(engine.info().programs.bytes).toBeLessThanOrEqual(engine.info().bytes);
  });

  it("go where they exceed a quarter of the memory, the least recently used first", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1, maxMemory: 2 ** 22 });
    const { tensor } = drawn(107);
    const weights = Array.from({ length: 8 }, () => tensor(5, 5, 32, 64));
    const x = tensor(1, 6, 6, 32);
    const first = await engine.conv2d(x, weights[0]!);
    for (const weight of weights) {
      await engine.conv2d(x, weight);
      expect(engine.info().programs.bytes).toBeLessThanOrEqual(2 ** 20);
      expect(engine.info().programs.count).toBeGreaterThan(0);
    }
    expect(engine.info().programs.count).toBeLessThan(weights.length);
    expect((await engine.conv2d(x, weights[0]!)).data).toEqual(first.data);
  });
});

describe("prepare", () => {
  const { tensor } = drawn(108);
  const [x, weight] = [tensor(1, 8, 8, 16), tensor(3, 3, 16, 16)];
  const shapes = { x: x.shape, weight: weight.shape };

  it("gives its memory back when it is disposed of, after the calls that wait", async () => {
    const engine = await engineOf({ backend: "wasm", threads: 1, maxMemory: 2 ** 20 });
    const problem = engine.layerProblem("conv2d", shapes);
    const wanted = (await engine.conv2d(x, weight)).data;
    for (let turn = 0; turn < 40; turn++) {
      const prepared = await engine.prepare(problem, { weight });
      const waiting = prepared.run(x);
      prepared.dispose();
      prepared.dispose();
      expect((await waiting).data).toEqual(wanted);
      await expect(prepared.run(x)).rejects.toMatchObject({ code: "DISPOSED", parameter: "layer" });
    }
  });

  it("is of no use after its engine's end", async () => {
    const engine = await createEngine({ backend: "wasm", threads: 2 });
    const prepared = await engine.prepare(engine.layerProblem("conv2d", shapes), { weight });
    engine.dispose();
    const gone = { code: "DISPOSED", parameter: "engine" };
    await expect(prepared.run(x)).rejects.toMatchObject(gone);
    await expect(engine.conv2d(x, weight)).rejects.toMatchObject(gone);
    await expect(engine.prepare(prepared.plan.problem as LayerProblem, { weight })).rejects.toMatchObject(gone);
    prepared.dispose();
  });
});

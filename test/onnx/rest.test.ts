// Networks in which elements decide shapes: what follows those runs as a half of its own, on the host or, where it holds
// layers, as programs for the shapes that came.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/index.ts";
import { explainModel, inspectModel, loadModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { dataPath, withoutData } from "../data.ts";
import { Random, tensorOf } from "../random-tensors.ts";
import { attribute, big, model, node, tensor, value } from "./build.ts";
import { expectClose } from "./close.ts";
import { runRuntime, runtime } from "./runtime.ts";

const engine = createEngine({ threads: 2, backend: "wasm" });
afterAll(async () => (await engine).dispose());

const int = (name: string, i: number) => attribute(name, { i: BigInt(i), type: 2n });
const numbers = (name: string, dims: number[], data: Float32Array | BigInt64Array) =>
  tensor(name, dims, { rawData: new Uint8Array(data.buffer), dataType: data instanceof BigInt64Array ? 7n : 1n });
const integers = (name: string, values: readonly number[]) =>
  numbers(name, [values.length], BigInt64Array.from(values, BigInt));
const r = new Random(5);
const weights = (name: string, dims: number[]) => numbers(name, dims, r.tensor(dims).data as Float32Array);

/** A convolution, images that a condition picks, a convolution of these, and how many there are. */
const picks = model({
  nodes: [
    node("Conv", ["x", "w"], ["h"]),
    node("Relu", ["h"], ["a"]),
    node("Compress", ["a", "picked"], ["some"], { attribute: [int("axis", 0)] }),
    node("Conv", ["some", "v"], ["b"]),
    node("Relu", ["b"], ["y"]),
    node("Shape", ["y"], ["sides"]),
  ],
  initializers: [weights("w", [4, 3, 3, 3]), weights("v", [5, 4, 1, 1])],
  inputs: [value("x", [6, 3, 8, 8]), value("picked", [6], 9)],
  outputs: [{ name: "y" }, { name: "a" }, { name: "sides" }],
});

const picked = (bits: readonly number[]): Record<string, Tensor> => ({
  x: r.tensor([6, 3, 8, 8]),
  picked: tensorOf([6], bits, "bool"),
});

describe("elements decide how many images a layer takes", () => {
  test.skipIf(!runtime).each([[[1, 0, 1, 0, 0, 1]], [[1, 1, 1, 1, 1, 1]], [[0, 0, 0, 0, 0, 0]], [[0, 0, 0, 0, 1, 0]]])(
    "%j, as ONNX Runtime computes",
    async (bits) => {
      const inputs = picked(bits);
      const loaded = await loadModel(picks, { engine: await engine });
      const [found, expected] = [await loaded.run(inputs), await runRuntime(picks, inputs)];
      for (const name of ["y", "a", "sides"]) expectClose(found[name]!, expected[name]!, 1e-4);
      loaded.dispose();
    },
  );

  test("its layer is on the backend, programs are found again, and only some are kept", async () => {
    const loaded = await loadModel(picks, { engine: await engine });
    const bytes: number[] = [];
    for (const count of [1, 2, 3, 4, 5, 6, 6, 1, 2, 3]) {
      const bits = Array.from({ length: 6 }, (_, i) => (i < count ? 1 : 0));
      const { y } = await loaded.run(picked(bits));
      expect(y!.shape).toEqual([count, 5, 6, 6]);
      const [program, ...others] = (await loaded.info()).programs;
      expect(others).toEqual([]);
      expect(program!.host.map(({ op }) => op)).toEqual(["Compress"]);
      bytes.push(program!.bytes);
    }
    expect(bytes[6]).toBe(bytes[5]);
    expect(Math.max(...bytes)).toBeLessThan(5 * bytes[0]!);
    loaded.dispose();
  });

  test("runs that overlap, an output of the caller's, and one that does not fit", async () => {
    const loaded = await loadModel(picks, { engine: await engine });
    const all = [
      [1, 0, 0, 0, 0, 0],
      [1, 1, 0, 0, 0, 0],
      [1, 1, 1, 0, 0, 0],
    ].map(picked);
    const runs = await Promise.all(all.map((inputs) => loaded.run(inputs)));
    expect(runs.map(({ y }) => y!.shape[0])).toEqual([1, 2, 3]);
    const out = { y: new Float32Array(2 * 5 * 36), a: new Float32Array(6 * 4 * 36) };
    const again = await loaded.run(all[1]!, { out });
    expect([again.y!.data, again.a!.data]).toEqual([out.y, out.a]);
    expect(again.y!.data).toBe(out.y);
    expect(out.y).toEqual(runs[1]!.y!.data);
    await expect(loaded.run(all[0]!, { out })).rejects.toThrow("a Float32Array of 180 elements");
    expect((await loaded.run(all[0]!)).y).toEqual(runs[0]!.y);
    loaded.dispose();
  });

  test("progress ends at 1, a signal ends the run, tasks are told", async () => {
    const loaded = await loadModel(picks, { engine: await engine });
    const told: number[] = [];
    const inputs = picked([1, 1, 1, 1, 0, 0]);
    await loaded.run(inputs, { onProgress: (done) => told.push(done) });
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told.every((done) => done >= 0 && done <= 1)).toBe(true);
    const tasks = (await explainModel(loaded, { inputs })).partitions.flatMap((partition) => partition.tasks);
    expect(tasks.at(-1)).toMatchObject({ op: "rest", name: "3 nodes whose shapes a run finds" });
    const indices: number[] = [];
    await loaded.run(inputs, { onTask: (_, index) => indices.push(index) });
    expect(indices).toEqual([...tasks.keys()]);
    await expect(loaded.run(inputs, { signal: AbortSignal.abort() })).rejects.toThrow();
    loaded.dispose();
  });

  test("is inspected as far as shapes are known", async () => {
    const loaded = await loadModel(picks, { engine: await engine });
    const { layers, outputs } = inspectModel(loaded);
    expect(layers.map(({ op }) => op)).toContain("Compress");
    expect(outputs.map(({ shape }) => shape)).toEqual([undefined, [6, 4, 6, 6], undefined]);
  });
});

/** A picture resized to as many rows as it has elements above 0.5 in its first row, then a convolution. */
const sized = model({
  nodes: [
    node("ReduceMax", ["x"], ["most"], {
      attribute: [attribute("axes", { ints: big([0, 1, 3]), type: 7n }), int("keepdims", 0)],
    }),
    node("Ceil", ["most"], ["whole"]),
    node("ReduceSum", ["whole", "zero"], ["sum"]),
    node("Cast", ["sum"], ["rows"], { attribute: [int("to", 7)] }),
    node("Concat", ["first", "rows", "eight"], ["sizes"], { attribute: [int("axis", 0)] }),
    node("Resize", ["x", "", "", "sizes"], ["larger"], {
      attribute: [attribute("mode", { s: new TextEncoder().encode("nearest"), type: 3n })],
    }),
    node("Conv", ["larger", "w"], ["y"]),
  ],
  initializers: [weights("w", [2, 1, 3, 3]), integers("zero", [0]), integers("first", [1, 1]), integers("eight", [8])],
  inputs: [value("x", [1, 1, 8, 8])],
  outputs: [{ name: "y" }],
});

test.skipIf(!runtime)("sizes that are computed from elements are compiled for", async () => {
  const loaded = await loadModel(sized, { engine: await engine });
  for (const rows of [3, 8, 5]) {
    const data = Float32Array.from({ length: 64 }, (_, i) => (i < 8 * rows ? 0.2 + (i % 5) / 10 : -0.5));
    const x = { shape: [1, 1, 8, 8], data };
    const [found, expected] = [await loaded.run({ x }), await runRuntime(sized, { x })];
    expectClose(found.y!, expected.y!, 1e-4);
    expect(found.y!.shape).toEqual([1, 2, rows - 2, 6]);
    const ops = (await loaded.info()).programs.flatMap(({ host }) => host.map(({ op }) => op));
    expect(ops).not.toContain("Resize");
    expect(ops).not.toContain("Conv");
  }
  loaded.dispose();
});

test.skipIf(!runtime)("a tail of host nodes: the boxes that stay, and what they hold", async () => {
  const boxes = model({
    nodes: [
      node("NonMaxSuppression", ["boxes", "scores", "most", "iou"], ["found"]),
      node("Slice", ["found", "two", "three", "one"], ["which"]),
      node("Squeeze", ["which", "one"], ["index"]),
      node("Gather", ["boxes", "index"], ["kept"], { attribute: [int("axis", 1)] }),
      node("TopK", ["scores", "k"], ["best", "places"]),
    ],
    initializers: [
      integers("most", [3]),
      numbers("iou", [1], Float32Array.of(0.4)),
      ...["one", "two", "three"].map((name, i) => integers(name, [i + 1])),
      integers("k", [2]),
    ],
    inputs: [value("boxes", [1, 9, 4]), value("scores", [1, 2, 9])],
    outputs: [{ name: "kept" }, { name: "best" }, { name: "found" }],
  });
  const loaded = await loadModel(boxes, { engine: await engine });
  for (let run = 0; run < 4; run++) {
    const inputs = { boxes: r.tensor([1, 9, 4], "f32", 0, 3), scores: r.tensor([1, 2, 9], "f32", 0, 1) };
    const [found, expected] = [await loaded.run(inputs), await runRuntime(boxes, inputs)];
    for (const name of ["kept", "best", "found"]) expectClose(found[name]!, expected[name]!);
  }
  loaded.dispose();
});

const missing = withoutData("zoo", "nms-yolov8.onnx");
test.skipIf(missing || !runtime)(`a published model that picks boxes${missing}`, async () => {
  const [bytes, count] = [readFileSync(dataPath("zoo", "nms-yolov8.onnx")), 500];
  const rows = Array.from({ length: 84 }, (_, row): [number, number] =>
    row < 2 ? [0, 640] : row < 4 ? [20, 120] : [0, 1],
  );
  const detection = tensorOf(
    [1, 84, count],
    rows.flatMap(([least, most]) => [...(r.tensor([count], "f32", least, most).data as Float32Array)]),
  );
  const loaded = await loadModel(bytes, { engine: await engine });
  for (const score of [0.9, 0.99, 0.9999]) {
    const inputs = { detection, config: tensorOf([3], [40, 0.45, score]) };
    const [found, expected] = [await loaded.run(inputs), await runRuntime(bytes, inputs)];
    for (const [name, one] of Object.entries(expected)) expectClose(found[name]!, one);
  }
  loaded.dispose();
});

// Long work gives others their turn: a signal is heard within a node on the host and while a model is compiled, and what a node
// that loops collects counts as memory.
import { expect, test } from "vitest";
import { createEngine } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { Random, tensorOf } from "../random-tensors.ts";
import { attributeOf, inner, model, node, tensor, value } from "./build.ts";
import type { Attributes } from "./cases/use.ts";
import { recogniser } from "./recogniser.ts";

const r = new Random(1);
const bytesOf = (count: number, of = 1): Tensor =>
  tensorOf([count, count], Array<number>(count * count).fill(of), "u8");
const f64s = (...shape: number[]): Tensor => r.tensor(shape, "f64");
const f32s = (...shape: number[]): Tensor => r.tensor(shape, "f32", 0, 1);

/** Nodes that take seconds. */
const long: [op: string, inputs: Tensor[], attributes?: Attributes][] = [
  ["NonMaxSuppression", [f32s(1, 60_000, 4), f32s(1, 1, 60_000), tensorOf([1], [60_000], "i64"), tensorOf([1], [1])]],
  ["MatMulInteger", [bytesOf(1500), bytesOf(1500)]],
  ["MatMul", [f64s(1200, 1200), f64s(1200, 1200)]],
  ["Gemm", [f64s(1200, 1200), f64s(1200, 1200)]],
  ["Conv", [f64s(1, 32, 200, 200), f64s(64, 32, 3, 3)]],
  ["Einsum", [f64s(250, 250), f64s(250, 250), f64s(250, 250)], { equation: "ab,bc,ca->abc" }],
  ["LSTM", [f32s(300, 4, 64), f32s(1, 2048, 64), f32s(1, 2048, 512)], { hidden_size: 512 }],
  ["GridSample", [f32s(1, 4, 8, 8, 8), f32s(1, 40, 100, 100, 3)]],
  ["RoiAlign", [f32s(1, 8, 90, 90), tensorOf([20, 4], Array<number>(20).fill(0).flatMap(() => [0, 0, 80, 80])), tensorOf([20], Array<number>(20).fill(0), "i64")], { output_height: 40, output_width: 40, sampling_ratio: 16 }],
]; // biome-ignore format: a table

const typeOf: Record<string, number> = { f32: 1, u8: 2, i64: 7, f64: 11 };

/** Milliseconds from an abort to the end of a run. */
async function heard(run: (signal: AbortSignal) => Promise<unknown>, after: number): Promise<number> {
  const stop = new AbortController();
  let at = 0;
  const timer = setTimeout(() => {
    at = performance.now();
    stop.abort(new Error("enough"));
  }, after);
  await expect(run(stop.signal)).rejects.toThrow("enough");
  clearTimeout(timer);
  return performance.now() - at;
}

test.each(long)("%s hears a signal", { timeout: 60_000 }, async (op, inputs, attributes = {}) => {
  const names = inputs.map((_, i) => `x${i}`);
  const net = await loadModel(
    model({
      nodes: [node(op, names, ["y"], { attribute: Object.entries(attributes).map(attributeOf) })],
      inputs: inputs.map(({ shape, dtype }, i) => value(names[i]!, shape, typeOf[dtype!]!)),
      outputs: [{ name: "y" }],
      more: { opsetImport: [{ version: 20n }] },
    }),
  );
  const given = Object.fromEntries(inputs.map((input, i) => [names[i]!, input]));
  expect(await heard((signal) => net.run(given, { signal }), 60)).toBeLessThan(300);
  net.dispose();
});

test("a chain of nodes on the host hears a signal between them", async () => {
  const count = 400;
  const nodes = Array.from({ length: count }, (_, i) => node("CumSum", [`h${i}`, "axis"], [`h${i + 1}`]));
  const axis = tensor("axis", [], { dataType: 7n, rawData: new Uint8Array(8) });
  const inputs = [value("h0", ["n"])];
  const net = await loadModel(model({ nodes, initializers: [axis], inputs, outputs: [{ name: `h${count}` }] }));
  expect(await heard((signal) => net.run({ h0: f32s(1_000_000) }, { signal }), 60)).toBeLessThan(300);
  net.dispose();
});

test("a compilation that nobody waits for ends, and one that another run waits for goes on", async () => {
  const net = await loadModel(recogniser({ width: 48, classes: 500 }));
  const x = f32s(1, 3, 48, 320);
  expect(await heard((signal) => net.run({ x }, { signal }), 5)).toBeLessThan(300);
  expect((await net.info()).programs).toEqual([]);
  const other = net.run({ x });
  await heard((signal) => net.run({ x }, { signal }), 1);
  const { y } = await other;
  expect(y!.data.every(Number.isFinite)).toBe(true);
  await expect(net.run({ x }, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
  expect((await net.run({ x })).y!.data).toEqual(y!.data);
  net.dispose();
});

test("what a loop collects, and what is computed of constants, counts as memory", async () => {
  const engine = await createEngine({ threads: 1, maxMemory: 2 ** 25 });
  const body = inner("body", {
    inputs: [value("i", [], 7), value("c", [], 9), value("v", [100_000])],
    nodes: [node("Identity", ["c"], ["co"]), node("Identity", ["v"], ["vo"]), node("Mul", ["v", "v"], ["s"])],
    outputs: [value("co", [], 9), value("vo", [100_000]), value("s", [100_000])],
  });
  const endless = await loadModel(
    model({
      nodes: [node("Loop", ["", "go", "x"], ["last", "y"], { attribute: [body] })],
      initializers: [tensor("go", [], { dataType: 9n, rawData: Uint8Array.of(1) })],
      inputs: [value("x", [100_000])],
      outputs: [{ name: "y" }],
    }),
    { engine },
  );
  await expect(endless.run({ x: f32s(100_000) })).rejects.toMatchObject({
    code: "LIMIT_EXCEEDED",
    parameter: "maxMemory",
  });
  const filled = await loadModel(
    model({ nodes: [node("ConstantOfShape", ["s"], ["y"])], inputs: [value("s", [1], 7)], outputs: [{ name: "y" }] }),
    { engine },
  );
  const s = tensorOf([1], [2 ** 24], "i64");
  await expect(filled.run({ s })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", parameter: "maxMemory" });
  expect((await filled.run({ s: tensorOf([1], [8], "i64") })).y!.shape).toEqual([8]);
  engine.dispose();
});

test("TopK takes a million equal elements", async () => {
  const net = await loadModel(
    model({
      nodes: [node("TopK", ["x", "k"], ["y", "i"])],
      inputs: [value("x", ["n"]), value("k", [1], 7)],
      outputs: [{ name: "y" }, { name: "i" }],
    }),
  );
  const x = { shape: [1_000_000], data: new Float32Array(1_000_000) };
  x.data[7] = 1;
  const { y, i } = await net.run({ x, k: tensorOf([1], [500_000], "i64") });
  expect([y!.data[0], y!.data[1], y!.data.length]).toEqual([1, 0, 500_000]);
  expect([i!.data[0], i!.data[1], i!.data[499_999]]).toEqual([7n, 0n, 499_999n]);
  net.dispose();
});

test("a type that is none is refused", async () => {
  const net = await loadModel(
    model({ nodes: [node("Relu", ["x"], ["y"])], inputs: [value("x", [2])], outputs: [{ name: "y" }] }),
  );
  const x = { shape: [2], data: new Float32Array(2), dtype: "float" as never };
  await expect(net.run({ x })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", parameter: 'input "x".dtype' });
});

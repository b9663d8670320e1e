// One model, many sizes of its input: weights are packed once, memory is shared, and no size sees what ran before it.
import { describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { attribute, big, model, node, tensor, value } from "./build.ts";
import { noise } from "./models.ts";
import { recogniser } from "./recogniser.ts";
import { runRuntime, runtime, withoutRuntime } from "./runtime.ts";

const bytes = recogniser({ width: 8, classes: 40 });
const widths = [64, 200, 96, 320, 136, 72];
const inputOf = (width: number, images = 1) => noise([images, 3, 48, width], width + images);

async function onFresh(options: Parameters<typeof createEngine>[0], width: number): Promise<Float32Array> {
  const engine = await createEngine(options);
  const fresh = await loadModel(bytes, { engine });
  const { y } = await fresh.run({ x: inputOf(width) });
  engine.dispose();
  return y!.data as Float32Array;
}

describe.each([
  ["on one thread", { threads: 1 }],
  ["on two threads", { threads: 2 }],
  ["wide", { threads: 1, wide: true }],
  ["on the reference", { backend: "reference" as const }],
])("sizes %s", (name, options) => {
  test("give the bits of a fresh engine, whatever came before and runs beside", { timeout: 120_000 }, async () => {
    const some = name.includes("reference") ? widths.slice(0, 2) : widths;
    const wanted = new Map<number, Float32Array>();
    for (const width of some) wanted.set(width, await onFresh(options, width));
    const engine = await createEngine(options);
    const [one, other] = [await loadModel(bytes, { engine }), await loadModel(bytes, { engine })];
    // What a run leaves behind must not reach another, not even what is no number.
    const bad = inputOf(248);
    bad.data.fill(Number.NaN);
    await one.run({ x: bad });
    for (const width of [...some, ...some.toReversed()]) {
      const runs = [one.run({ x: inputOf(width) }), other.run({ x: inputOf(some[0]!) })];
      const [y, z] = (await Promise.all(runs)).map((outputs) => outputs.y!.data);
      expect(y).toEqual(wanted.get(width));
      expect(z).toEqual(wanted.get(some[0]!));
    }
    engine.dispose();
  });
});

test("another size takes no weights and no room of its own", async () => {
  const engine = await createEngine({ threads: 1 });
  const before = engine.info().bytes;
  const net = await loadModel(recogniser({ width: 32, classes: 1000 }), { engine });
  await net.run({ x: inputOf(320) });
  const first = engine.info().bytes;
  for (const width of [64, 96, 128, 160, 192, 224, 256, 288]) await net.run({ x: inputOf(width) });
  expect(engine.info().bytes - first).toBeLessThan((first - before) / 4);
  net.dispose();
  await net.engine().then(() => new Promise((done) => setTimeout(done, 20)));
  expect(engine.info().bytes).toBe(before);
});

test.skipIf(!runtime)(`agree with ONNX Runtime${runtime ? "" : `: ${withoutRuntime}`}`, async () => {
  const engine = await createEngine({ threads: 1 });
  const net = await loadModel(bytes, { engine });
  for (const [width, images] of [
    [160, 1],
    [80, 3],
    [352, 1],
  ] as const) {
    const x = inputOf(width, images);
    const [{ y }, wanted] = [await net.run({ x }), await runRuntime(bytes, { x })];
    expect(y!.shape).toEqual(wanted.y!.shape);
    for (const [i, v] of (y!.data as Float32Array).entries())
      expect(Math.abs(v - Number(wanted.y!.data[i]))).toBeLessThan(1e-5);
  }
  engine.dispose();
});

describe("shapes that do not fit the graph", () => {
  const ints = (name: string, list: number[]) => attribute(name, { type: 7n, ints: big(list) });
  const list = (name: string, values: number[]) =>
    tensor(name, [values.length], { dataType: 7n, rawData: new Uint8Array(BigInt64Array.from(big(values)).buffer) });
  const flat = (target: number[], more: Uint8Array[] = []) =>
    model({
      nodes: [
        node("Conv", ["x", "w"], ["c"], { attribute: [ints("kernel_shape", [1, 1])] }),
        node("Reshape", ["c", "s"], [more.length > 0 ? "r" : "y"]),
        ...more,
      ],
      initializers: [tensor("w", [4, 3, 1, 1]), list("s", target), tensor("m", [64, 2])],
      inputs: [value("x", [1, 3, 4, 4])],
      outputs: [value("y", [1, 64])],
    });
  const run = async (file: Uint8Array, shape: number[]) => {
    const engine: Engine = await createEngine({ threads: 1 });
    const net = await loadModel(file, { engine, shapes: { x: shape } });
    return net.run({ x: noise(shape) });
  };

  test("a batch that a Reshape writes down is refused, never merged", async () => {
    const message =
      /node "Reshape of c,s" \(Reshape\): expected a batch of 1.*\[2, 4, 4, 4\] as \[1, 128\].*shapes says/;
    await expect(run(flat([1, -1]), [2, 3, 4, 4])).rejects.toThrow(message);
    await expect(run(flat([-1, 64]), [2, 3, 4, 4])).resolves.toMatchObject({ y: { shape: [2, 64] } });
    await expect(run(flat([0, -1]), [2, 3, 4, 4])).resolves.toMatchObject({ y: { shape: [2, 64] } });
  });

  test("errors of nodes point at the option and at what the file says", async () => {
    const message = /\(Reshape\).*input "x" of \[1, 3, 5, 4\] \(the file says \[1, 3, 4, 4\]\).*shapes or --size/;
    await expect(run(flat([1, 64]), [1, 3, 5, 4])).rejects.toThrow(message);
    const product = [node("MatMul", ["r", "m"], ["y"])];
    await expect(run(flat([1, -1], product), [1, 3, 8, 4])).rejects.toThrow(/\(MatMul\).*shapes or --size/);
  });
});

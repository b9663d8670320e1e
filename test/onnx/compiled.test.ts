// Compiled models: real networks against ONNX Runtime, and how runs are asked for, stopped, repeated and ended.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { createEngine, InvalidArgumentError, Rank1Error } from "../../src/index.ts";
import { readPicture } from "../../src/node/pictures.ts";
import { explainModel, imageToTensor, loadModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { dataPath } from "../data.ts";
import { bits, testEngines } from "../engine/engines.ts";
import { model, node, tensor, value } from "./build.ts";
import { expectClose } from "./close.ts";
import { type ModelName, modelBytes, noise, noModels } from "./models.ts";
import { runRuntime, runtime } from "./runtime.ts";

const engines = testEngines();
const generated = engines.filter(([name]) => name !== "reference");
const engineNamed = (wanted: string) => engines.find(([name]) => name === wanted)![1];
const allBits = (outputs: Record<string, Tensor>): Record<string, string> =>
  Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, bits({ data })]));

const shapes: Readonly<Record<ModelName, readonly number[]>> = {
  mnist: [1, 1, 28, 28],
  "resnet20-cifar10": [3, 3, 32, 32],
  "ultraface-slim-320": [1, 3, 240, 320],
  "ultraface-rfb-320": [1, 3, 240, 320],
  "waifu2x-scale2": [1, 3, 156, 156],
};

describe.skipIf(noModels || !runtime)(`networks compute what ONNX Runtime computes${noModels}`, () => {
  test.each(Object.entries(shapes) as [ModelName, readonly number[]][])("%s", async (name, shape) => {
    const bytes = modelBytes(name);
    const input = (await loadModel(bytes)).graph.inputs[0]!.name;
    const inputs = { [input]: noise(shape) };
    const expected = await runRuntime(bytes, inputs);
    const results = new Map<string, Record<string, string>>();
    for (const [title, engine] of generated) {
      const loaded = await loadModel(bytes, { engine: await engine });
      const found = await loaded.run(inputs);
      expect(Object.keys(found).toSorted()).toEqual(Object.keys(expected).toSorted());
      // Elements that are small by cancellation are known no better by ONNX Runtime itself.
      for (const [output, one] of Object.entries(expected)) expectClose(found[output]!, one, 1e-4, 0.1);
      results.set(title, allBits(found));
      loaded.dispose();
    }
    expect(results.get("wasm, 2 threads")).toEqual(results.get("wasm, 1 thread"));
    expect(results.get("wasm, wide where the machine can")).toEqual(results.get("wasm, 1 thread"));
  });

  test.each(["mnist", "resnet20-cifar10"] as const)("%s, by reference loops", async (name) => {
    const bytes = modelBytes(name);
    const loaded = await loadModel(bytes, { engine: await engineNamed("reference") });
    const inputs = { [loaded.graph.inputs[0]!.name]: noise([1, ...shapes[name].slice(1)]) };
    const [found, expected] = [await loaded.run(inputs), await runRuntime(bytes, inputs)];
    for (const [output, one] of Object.entries(expected)) expectClose(found[output]!, one, 1e-5);
    loaded.dispose();
  });
});

describe.skipIf(noModels)(`shapes that a file leaves open, or that the caller gives${noModels}`, () => {
  test("ResNet-20 computes pictures of a batch one by one; programs of more shapes than are kept", async () => {
    const engine = await engineNamed("wasm, 2 threads");
    const loaded = await loadModel(modelBytes("resnet20-cifar10"), { engine });
    const [input, output] = [loaded.graph.inputs[0]!.name, loaded.graph.outputs[0]!.name];
    const all = noise([6, 3, 32, 32]);
    const of = async (first: number, count: number): Promise<number[]> => {
      const data = all.data.subarray(first * 3072, (first + count) * 3072);
      return [...(await loaded.run({ [input]: { shape: [count, 3, 32, 32], data } }))[output]!.data].map(Number);
    };
    const together = await of(0, 6);
    for (const count of [1, 2, 3, 4, 5, 1, 6]) expect(await of(0, count)).toEqual(together.slice(0, count * 10));
    expect(await of(4, 1)).toEqual(together.slice(40, 50));
    loaded.dispose();
  });

  test("waifu2x on other sizes than the file's", async () => {
    const bytes = modelBytes("waifu2x-scale2");
    const engine = await engineNamed("wasm, 2 threads");
    const [fixed, free] = [
      await loadModel(bytes, { engine }),
      await loadModel(bytes, { engine, shapes: { input: ["n", 3, "rows", "columns"] } }),
    ];
    const part = noise([2, 3, 17, 30]);
    await expect(fixed.run({ input: part })).rejects.toThrow(/input "input": expected .*\[N?.*156, 156\]/);
    const { conv7 } = await free.run({ input: part });
    expect(conv7!.shape).toEqual([2, 3, 6, 32]);
    // Without borders a result depends on nothing but the part of the input that it sees.
    const larger = noise([1, 3, 20, 31]);
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < 17; y++)
        larger.data.set(part.data.subarray((c * 17 + y) * 30, (c * 17 + y + 1) * 30), (c * 20 + y) * 31);
    const { conv7: more } = await free.run({ input: larger });
    expect(more!.shape).toEqual([1, 3, 12, 34]);
    const row = (tensor: Tensor, c: number, y: number, [height, width]: [number, number]): number[] =>
      Array.from({ length: 32 }, (_, x) => tensor.data[(c * height + y) * width + x] as number);
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < 6; y++)
        for (const [x, wanted] of row(conv7!, c, y, [6, 32]).entries())
          expect(row(more!, c, y, [12, 34])[x]).toBeCloseTo(wanted, 5);
    await expect(loadModel(bytes, { shapes: { other: [1] } })).rejects.toThrow(/shapes.*other/);
    for (const one of [fixed, free]) one.dispose();
  });

  test("UltraFace at half its size; a network that depends on its size refuses others by the name of a node", async () => {
    const engine = await engineNamed("wasm, 1 thread");
    const faces = await loadModel(modelBytes("ultraface-slim-320"), { engine, shapes: { input: [1, 3, 120, 160] } });
    const { scores, boxes } = await faces.run({ input: noise([1, 3, 120, 160]) });
    expect([scores!.shape, boxes!.shape]).toEqual([[1, 1118, 2], [1, 1118, 4]]); // biome-ignore format: a line
    faces.dispose();
    const sides = tensor("sides", [2], { dataType: 7n, rawData: new Uint8Array(BigInt64Array.of(1n, 48n).buffer) });
    const nodes = [node("Relu", ["x"], ["h"]), node("Reshape", ["h", "sides"], ["y"], { name: "flat" })];
    const file = { nodes, initializers: [sides], inputs: [value("x", [1, 3, 4, 4])], outputs: [value("y", [1, 48])] };
    const fixed = await loadModel(model(file), { engine, shapes: { x: [1, 3, 4, 5] } });
    await expect(fixed.run({ x: noise([1, 3, 4, 5]) })).rejects.toThrow(/^node "flat" \(Reshape\): /);
  });
});

/** A few layers of some size, without any file. */
async function loadSmall(options: Parameters<typeof loadModel>[1], side = 16, depth = 2) {
  const weight = (name: string, shape: number[]): Uint8Array => {
    const { data } = noise(shape, name.length + shape[1]!);
    return tensor(name, shape, { rawData: new Uint8Array(data.map((v) => (v - 0.5) / 8).buffer) });
  };
  const names = Array.from({ length: depth }, (_, i) => `h${i}`);
  const nodes = names.map((name, i) =>
    node("Conv", [names[i - 1] ?? "x", i === 0 ? "first" : "more"], [name], {
      attribute: [{ name: "pads", ints: [1n, 1n, 1n, 1n], floats: [], strings: [], type: 7n }],
    }),
  );
  const bytes = model({
    nodes: [...nodes, node("Relu", [names.at(-1)!], ["y"])],
    initializers: [weight("first", [16, 3, 3, 3]), weight("more", [16, 16, 3, 3])],
    inputs: [value("x", ["N", 3, side, side])],
    outputs: [value("y", ["N", 16, side, side])],
  });
  return loadModel(bytes, options);
}

describe.each(engines)("a run on %s", (_title, engine) => {
  test("gives fresh arrays, the same again and again, and in parallel", async () => {
    const loaded = await loadSmall({ engine: await engine });
    const x = noise([2, 3, 16, 16]);
    const before = x.data.slice();
    const first = await loaded.run({ x });
    const again = await Promise.all([
      loaded.run({ x }),
      loaded.run({ x: noise([2, 3, 16, 16], 7) }),
      loaded.run({ x }),
    ]);
    expect(first.y!.shape).toEqual([2, 16, 16, 16]);
    expect(allBits(again[0])).toEqual(allBits(first));
    expect(allBits(again[2])).toEqual(allBits(first));
    expect(allBits(again[1])).not.toEqual(allBits(first));
    expect(new Set([first, ...again].map(({ y }) => y!.data.buffer)).size).toBe(4);
    expect(x.data).toEqual(before);
    loaded.dispose();
  });

  test("tells its progress, stops on a signal, and leaves the model usable", async () => {
    const one = await engine;
    const side = one.info().backend === "reference" ? 32 : 320;
    const loaded = await loadSmall({ engine: one }, side, 6);
    const x = noise([1, 3, side, side]);
    const seen: number[] = [];
    const whole = await loaded.run({ x }, { onProgress: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.every((done) => done >= 0 && done <= 1)).toBe(true);
    const reason = new Error("enough");
    await expect(loaded.run({ x }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    let calls = 0;
    const stopped = loaded.run(
      { x },
      { signal: controller.signal, onProgress: () => calls++ === 0 && controller.abort(reason) },
    );
    await expect(stopped).rejects.toBe(reason);
    expect(allBits(await loaded.run({ x }))).toEqual(allBits(whole));
    loaded.dispose();
  });
});

test("what a model does is told piece by piece, and timed so", async () => {
  const loaded = await loadSmall({ engine: await engineNamed("wasm, 2 threads") });
  const { partitions, kernels, bytes } = await explainModel(loaded, { shapes: { x: [2, 3, 16, 16] } });
  const tasks = partitions.flatMap((partition) => partition.tasks);
  expect(partitions.map(({ place }) => place)).toEqual(["backend"]);
  expect(tasks.map(({ op, place }) => `${op}, ${place}`)).toEqual(["copy in, copy", ...Array(2).fill("Conv, backend"), "copy out, copy"]); // biome-ignore format: a line
  expect(tasks[1]).toMatchObject({
    name: "Conv of x,first",
    shape: [2, 16, 16, 16],
    steps: ["conv 3 x 3, 3 -> 16 channels"],
  });
  expect(new Set(tasks.flatMap((task) => task.kernels))).toEqual(new Set(kernels));
  expect(bytes).toBeGreaterThan(2 * 16 * 16 * (3 + 16 + 16) * 4);
  const times: number[] = [];
  await loaded.run({ x: noise([2, 3, 16, 16]) }, { onTask: (milliseconds, index) => (times[index] = milliseconds) });
  expect(times).toHaveLength(tasks.length);
  expect(times.every((ms) => ms >= 0)).toBe(true);
  await expect(explainModel(loaded, { shapes: { x: [1, 3, 16, 17] } })).rejects.toThrow(/shape of input "x"/);
  loaded.dispose();
});

describe("inputs that do not fit are named", () => {
  const x = noise([1, 3, 16, 16]);
  test.each<[string, Record<string, unknown>, RegExp]>([
    ["missing", {}, /^input "x": expected a tensor of f32 \[N, 3, 16, 16\], got none; x is missing in inputs$/],
    ["extra", { x, z: x }, /inputs.*"?z/],
    ["another shape", { x: noise([1, 3, 16, 8]) }, /^input "x": .*got \[1, 3, 16, 8\]$/],
    ["another rank", { x: noise([3, 16, 16]) }, /^input "x": .*got \[3, 16, 16\]$/],
    ["too few elements", { x: { ...x, data: x.data.subarray(1) } }, /^input "x": .*got 767 elements for/],
    ["another type", { x: { ...x, data: new Float64Array(768) } }, /^input "x": .*f32.*Float64Array/],
    ["no tensor", { x: [1, 2, 3] }, /^input "x": expected a tensor/],
    ["a negative side", { x: { ...x, shape: [-1, 3, 16, 16] } }, /^input "x": .*the shape/],
  ])("%s", async (_title, inputs, message) => {
    const loaded = await loadSmall({ engine: await engineNamed("wasm, 1 thread") });
    const failed = await loaded.run(inputs as never).catch((error) => error);
    expect(failed).toBeInstanceOf(InvalidArgumentError);
    expect(failed.message).toMatch(message);
  });

  test("options, too", async () => {
    const loaded = await loadSmall({ engine: await engineNamed("wasm, 1 thread") });
    await expect(loaded.run({ x }, { threads: 2 } as never)).rejects.toThrow(/options.*threads/);
    await expect(loaded.run({ x }, { signal: 3 } as never)).rejects.toThrow(/signal/);
    for (const name of ["onProgress", "onTask"])
      await expect(loaded.run({ x }, { [name]: 3 })).rejects.toThrow(new RegExp(name));
    loaded.dispose();
  });
});

describe("disposing", () => {
  const x = noise([1, 3, 16, 16]);

  test("frees what runs took; a later run takes it again", async () => {
    const engine = await createEngine({ threads: 1 });
    const loaded = await loadSmall({ engine });
    const first = await loaded.run({ x });
    const { bytes } = engine.info();
    for (let i = 0; i < 5; i++) {
      loaded.dispose();
      expect(allBits(await loaded.run({ x }))).toEqual(allBits(first));
    }
    expect(engine.info().bytes).toBe(bytes);
    engine.dispose();
    await expect(loaded.run({ x })).rejects.toThrow(Rank1Error);
  });

  test("ends the engine that a model made for itself, not that of the caller; twice is fine", async () => {
    const engine = await createEngine({ threads: 1 });
    const [own, given] = [await loadSmall({}), await loadSmall({ engine })];
    for (const one of [own, given]) {
      const running = one.run({ x });
      await running;
      one.dispose();
      one.dispose();
    }
    const other = await loadSmall({ engine });
    expect((await other.run({ x })).y!.shape).toEqual([1, 16, 16, 16]);
    engine.dispose();
  });
});

const classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const pictures = dataPath("cifar10/test");

describe.skipIf(noModels || !runtime)(`ResNet-20 on CIFAR-10${noModels}`, () => {
  test("is right about four of five pictures, and with ONNX Runtime about all", async () => {
    const [mean, std] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]; // biome-ignore format: a line
    const files = classes.flatMap((name) =>
      readdirSync(join(pictures, name)).map((file) => join(pictures, name, file)),
    );
    const tensors = await Promise.all(
      files.map(async (file) => imageToTensor(await readPicture(file), { mean, std }).data),
    );
    const bytes = modelBytes("resnet20-cifar10");
    const loaded = await loadModel(bytes, { engine: await engineNamed("wasm, wide where the machine can") });
    const [input, output] = [loaded.graph.inputs[0]!.name, loaded.graph.outputs[0]!.name];
    const best = (scores: Tensor): number[] =>
      Array.from({ length: scores.shape[0]! }, (_, i) => {
        const row = Array.from(scores.data.subarray(i * 10, i * 10 + 10), Number);
        return row.indexOf(Math.max(...row));
      });
    const [ours, theirs]: [number[], number[]] = [[], []];
    const batch = 250;
    for (let first = 0; first < files.length; first += batch) {
      const data = new Float32Array(batch * 3072);
      for (let i = 0; i < batch; i++) data.set(tensors[first + i]!, i * 3072);
      const inputs = { [input]: { shape: [batch, 3, 32, 32], data } };
      ours.push(...best((await loaded.run(inputs))[output]!));
      theirs.push(...best((await runRuntime(bytes, inputs))[output]!));
    }
    loaded.dispose();
    expect(ours).toEqual(theirs);
    const right = files.filter((file, i) => file.includes(`/${classes[ours[i]!]}/`)).length;
    console.log(`ResNet-20 on CIFAR-10: right about ${right} of ${files.length}`);
    expect(files).toHaveLength(1000);
    expect(right / files.length).toBeGreaterThan(0.78);
  });
});

test("values of an engine go in and come out, and tensors with dims go in", async () => {
  const engine = await createEngine({ backend: "wasm", threads: 1 });
  const model = await loadSmall({ engine });
  const x = noise([1, 3, 16, 16], 4);
  const { y } = await model.run({ x });
  const [input, output] = [x, y!].map(({ shape }) => engine.alloc({ shape, dtype: "f32" }));
  await input!.write(x.data);
  const results = await model.run({ x: input! }, { out: { y: output! } });
  expect(results.y).toEqual(y);
  expect(await output!.read()).toEqual(y!.data);
  expect(await model.run({ x: { dims: x.shape, data: x.data } })).toEqual({ y });
  await expect(model.run({ x: input! }, { out: { z: output! } } as never)).rejects.toMatchObject({
    parameter: "out key",
  });
  expect(inspect(input)).not.toContain("inner");
  engine.dispose();
});

test("64-bit integers on the host are written again at the next run", async () => {
  const bytes = model({
    nodes: [node("ArgMax", ["x"], ["i"]), node("Cast", ["i"], ["y"], { attribute: [{ name: "to", i: 1n, floats: [], ints: [], strings: [], type: 2n }] })], // biome-ignore format: a list
    inputs: [value("x", [2, 3])],
    outputs: [value("y", [1, 3])],
  });
  const loaded = await loadModel(bytes);
  const x = { shape: [2, 3], data: Float32Array.of(1, 5, 2, 4, 0, 3) };
  const first = await loaded.run({ x });
  expect(first.y!.data).toEqual(Float32Array.of(1, 0, 1));
  expect(await loaded.run({ x })).toEqual(first);
  loaded.dispose();
});

test("a model that is disposed of while it finds out that inputs say sizes ends its run", async () => {
  const bytes = model({
    nodes: [node("Reshape", ["x", "s"], ["y"])],
    inputs: [value("x", ["n", 4]), value("s", [2], 7)],
    outputs: [value("y", ["a", "b"])],
  });
  for (let turns = 0; turns < 12; turns++) {
    const loaded = await loadModel(bytes);
    const x = { shape: [1, 4], data: new Float32Array(4) };
    const run = loaded.run({ x, s: { shape: [2], data: BigInt64Array.of(2n, 2n) } });
    for (let turn = 0; turn < turns; turn++) await null;
    loaded.dispose();
    expect((await run).y!.shape).toEqual([2, 2]);
  }
});

// Compiled models, loaded as files are: the bits of an engine's 128-bit code on one thread.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { feedsOf, pathOf } from "../../bench/models/cases.ts";
import { zooCase, zooFiles } from "../../bench/models/zoo.ts";
import { type CompiledFiles, compileModel } from "../../src/ahead/index.ts";
import { createEngine } from "../../src/index.ts";
import { inspectModel, loadModel, type Model } from "../../src/onnx/index.ts";
import { dataPath, withoutData } from "../data.ts";
import { random } from "../oracle.ts";
import { type LoadedModel, load } from "./load.ts";

const engine = await createEngine({ backend: "wasm", threads: 1, maxMemory: 2 ** 32 - 2 ** 16 });
const plain = await createEngine({ backend: "wasm", threads: 1, deterministic: true });
afterAll(() => {
  engine.dispose();
  plain.dispose();
});

const inputsOf = (shapes: Record<string, readonly number[]>, seed: number) => {
  const next = random(seed);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1) },
    ]),
  );
};

async function expectBits(
  model: Model,
  files: CompiledFiles,
  inputs: Record<string, { shape: readonly number[]; data: Float32Array }>,
  mode?: "plain",
) {
  const run = await load<LoadedModel>(files, mode);
  const wanted = await model.run(inputs);
  // Twice: nothing of a run is left for the next.
  for (const found of [run(inputs), run(inputs)]) {
    expect(Object.keys(found)).toEqual(Object.keys(wanted));
    for (const [name, { shape, data }] of Object.entries(wanted)) {
      expect(found[name]!.shape).toEqual(shape);
      const [a, b] = [found[name]!.data, data as Float32Array].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)); // biome-ignore format: a line
      expect(a!.equals(b!), name).toBe(true);
    }
  }
}

const missing = withoutData("models");
const file = (name: string) => readFileSync(dataPath("models", name));

describe.skipIf(missing !== "")(`compiled models${missing}`, () => {
  it("give the engine's bits for all of their shapes, which share code and weights", async () => {
    const model = await loadModel(file("ultraface-slim-320.onnx"), { engine, shapes: { input: [1, 3, "h", "w"] } });
    const sizes = [[1, 3, 240, 320], [1, 3, 120, 160]] as const; // biome-ignore format: a line
    const one = await compileModel(model, { shapes: { input: sizes[0] } });
    const both = await compileModel(model, { shapes: sizes.map((input) => ({ input })) });
    for (const [i, input] of sizes.entries()) await expectBits(model, both, inputsOf({ input }, i));
    const bytes = ({ files }: CompiledFiles, name: string) => files[`model.${name}`]!.length;
    expect(bytes(both, "weights.bin")).toBeLessThan(1.05 * bytes(one, "weights.bin"));
    expect(bytes(both, "wasm")).toBeLessThan(1.3 * bytes(one, "wasm"));
    expect(gzipSync(one.files["model.wasm"]!).length + gzipSync(one.files["model.js"]!).length).toBeLessThan(30_000);
    expect(one.files["model.js"]).not.toMatch(/planner|svd/i);
    model.dispose();
  });

  it("give the bits of code without fused multiply-adds", async () => {
    const model = await loadModel(file("mnist.onnx"), { engine: plain });
    const shapes = Object.fromEntries(model.inputs.map(({ name, shape }) => [name, shape as number[]]));
    await expectBits(model, await compileModel(model), inputsOf(shapes, 1), "plain");
    model.dispose();
  });

  it("with half floats for weights are half as large, and near", async () => {
    const model = await loadModel(file("resnet20-cifar10.onnx"), { engine });
    const inputs = inputsOf({ [model.inputs[0]!.name]: [1, 3, 32, 32] }, 3);
    const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
    const [whole, half] = [
      await compileModel(model, { shapes }),
      await compileModel(model, { shapes, weights: "f16" }),
    ];
    expect(half.files["model.weights.bin"]!.length).toBeLessThan(0.55 * whole.files["model.weights.bin"]!.length);
    expect(half.files["model.js"]).toMatch(/^\/\/ .*half floats, by at most [\d.]+e-4/);
    const [a, b] = [await load<LoadedModel>(whole), await load<LoadedModel>(half)].map((run) => Object.values(run(inputs))[0]!.data); // biome-ignore format: a line
    const scale = a!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(Math.max(...a!.map((value, i) => Math.abs(value - b![i]!)))).toBeLessThan(0.02 * scale);
    model.dispose();
  });

  it("refuse other shapes, types, names and weights, with a code", async () => {
    const model = await loadModel(file("resnet20-cifar10.onnx"), { engine });
    const [{ name }] = model.inputs as [Model["inputs"][number]];
    const files = await compileModel(model, { shapes: { [name]: [1, 3, 32, 32] } });
    const run = await load<LoadedModel>(files);
    const data = new Float32Array(3072);
    for (const [inputs, message] of [
      [{ [name]: new Float32Array(3) }, `inputs: expected ${name} [1, 3, 32, 32], got ${name} Float32Array of 3`],
      [{ [name]: { data, dims: [1, 32, 32, 3] } }, `got ${name} [1, 32, 32, 3]`],
      [{ [name]: new Float64Array(3072) }, "expected a Float32Array, got Float64Array of 3072"],
      [{ [name]: data, other: data }, '"other"'],
      [{}, `none called ${name}`],
      [undefined, `none called ${name}`],
    ] as const)
      expect(() => run(inputs as object)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(message) })); // biome-ignore format: a line
    const weights = (files.files["model.weights.bin"] as Uint8Array).slice();
    await expect(load(files, "beside", { weights: weights.subarray(4) })).rejects.toThrow(
      /weights: expected the file's \d+ bytes/,
    );
    weights[9]! ^= 1;
    await expect(load(files, "beside", { weights })).rejects.toThrow(
      "weights: expected the file that was written with this one",
    );
    await expect(compileModel(model, { shapes: { [name]: [1, 3, 32] } })).rejects.toThrow(`shapes["${name}"]`);
    await expect(compileModel(model, { shapes: { nobody: [1] } })).rejects.toThrow("nobody");
    await expect(compileModel(model, { weights: "f8" as "f16" })).rejects.toThrow("weights: expected one of f32, f16");
    model.dispose();
  });
});

const withoutZoo = withoutData("zoo");
const refused = new Map<string, string>();
let tried = 0;
/** Models of more take as long as all others together. */
const mostParameters = 2e7;

describe.skipIf(withoutZoo !== "")(`published models${withoutZoo}`, () => {
  it.for(zooFiles)("%s", { timeout: 180_000 }, async (name, context) => {
    const problem = await zooCase(name);
    const model = await loadModel(readFileSync(pathOf(problem)), { engine });
    const inputs = Object.fromEntries(feedsOf(problem).map(({ name, shape, data }) => [name, { shape, data: data as Float32Array }])); // biome-ignore format: a line
    const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
    if (inspectModel(model, { shapes, splits: false }).totals.parameters > mostParameters) return context.skip();
    tried++;
    const files = await compileModel(model, { shapes }).catch((error) => {
      if (error.code !== "UNSUPPORTED") throw error;
      refused.set(name, error.message);
    });
    if (files) await expectBits(model, files, inputs);
    model.dispose();
  });

  it("compile, but for those that leave nodes to the host", () => {
    console.log(
      `published models that are not compiled ahead:\n${[...refused].map((one) => one.join(": ")).join("\n")}`,
    );
    expect(tried - refused.size).toBeGreaterThanOrEqual(0.8 * tried);
    for (const why of refused.values())
      expect(why).toMatch(/on the host: \w+ "|shapes that only a run knows|f32, f16 or bool/);
  });
});

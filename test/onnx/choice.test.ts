// Which outputs a run computes, how inputs may be given, and models of which a part is not computed.
import { expect, test } from "vitest";
import { createEngine } from "../../src/index.ts";
import { explainModel, inspectModel, loadModel, saveModel, separateModel } from "../../src/onnx/index.ts";
import { ValueInfoProto } from "../../src/onnx/schema.ts";
import { encode } from "../../src/onnx/wire.ts";
import { attribute, big, inner, model, node, tensor, value } from "./build.ts";

const noise = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * i + 1));
const weight = (name: string, ...dims: number[]): Uint8Array =>
  tensor(name, dims, { rawData: new Uint8Array(noise(dims.reduce((a, b) => a * b)).buffer) });
const conv = (x: string, w: string, y: string): Uint8Array =>
  node("Conv", [x, w], [y], { attribute: [attribute("pads", { ints: big([1, 1, 1, 1]), type: 7n })] });
const inputs = [value("x", [1, 3, 8, 8])];
const x = { shape: [1, 3, 8, 8], data: noise(192) };

const twoHeads = (): Uint8Array =>
  model({
    nodes: [conv("x", "w", "h"), node("Relu", ["h"], ["a"]), conv("h", "v", "g"), node("Sigmoid", ["g"], ["b"])],
    initializers: [weight("w", 4, 3, 3, 3), weight("v", 5, 4, 3, 3)],
    inputs,
    outputs: [value("a", [1, 4, 8, 8]), value("b", [1, 5, 8, 8])],
  });

test("only what the chosen outputs need is computed", async () => {
  const loaded = await loadModel(twoHeads());
  const all = await loaded.run({ x });
  const some = await loaded.run({ x }, { outputs: ["a"] });
  expect(some).toEqual({ a: all.a });
  const kinds = async (outputs?: string[]) =>
    (await explainModel(loaded, { inputs: { x }, outputs })).partitions.flatMap(({ tasks }) =>
      tasks.map(({ op }) => op),
    );
  expect((await kinds()).filter((op) => op === "Conv")).toHaveLength(2);
  expect((await kinds(["a"])).filter((op) => op === "Conv")).toHaveLength(1);
  const { programs } = await loaded.info();
  expect(programs.map(({ outputs }) => outputs)).toEqual([["a", "b"], ["a"]]);
  const b = new Float32Array(320);
  expect((await loaded.run({ x }, { outputs: ["b"], out: { b } })).b!.data).toBe(b);
  expect(b).toEqual(all.b!.data);
  await expect(loaded.run({ x }, { outputs: ["b"], out: { a: b } })).rejects.toThrow(
    /out key: expected one of b, got "a"/,
  );
  await expect(loaded.run({ x }, { outputs: ["c"] })).rejects.toThrow(/outputs\[0\]: expected one of a, b, got "c"/);
  await expect(loaded.run({ x }, { outputs: [] })).rejects.toThrow(/outputs: expected a list of some of "a", "b"/);
  await expect(loaded.run({ x }, { outputs: ["a", "a"] })).rejects.toThrow(/each name once, got "a" twice/);
  await expect(loaded.run({ x }, { outputs: "a" as never })).rejects.toThrow(/outputs: expected a list/);
  loaded.dispose();
});

test("an input that the chosen outputs do not need may be missing, and is checked where it is given", async () => {
  const bytes = model({
    nodes: [node("Relu", ["x"], ["a"]), node("Add", ["x", "m"], ["b"])],
    inputs: [...inputs, value("m", [1, 3, 8, 8])],
    outputs: [value("a", [1, 3, 8, 8]), value("b", [1, 3, 8, 8])],
  });
  const loaded = await loadModel(bytes);
  const { a } = await loaded.run({ x }, { outputs: ["a"] });
  expect((await loaded.run({ x, m: x })).a).toEqual(a);
  expect(await loaded.run({ x, m: x }, { outputs: ["a"] })).toEqual({ a });
  expect((await explainModel(loaded, { inputs: { x }, outputs: ["a"] })).partitions.length).toBeGreaterThan(0);
  const wrong = { x, m: { shape: [1], data: new Float32Array(1) } };
  await expect(loaded.run(wrong, { outputs: ["a"] })).rejects.toThrow(/^input "m": .* got \[1\]$/);
  await expect(loaded.run({ x })).rejects.toThrow(
    /^input "m": expected a tensor of f32 .*, got none; m is missing in inputs$/,
  );
  loaded.dispose();
});

test("inputs in either spelling, and what is said of others", async () => {
  const loaded = await loadModel(twoHeads());
  const { shape, data } = x;
  const { a } = await loaded.run({ x }, { outputs: ["a"] });
  expect((await loaded.run({ x: { dims: shape, data } }, { outputs: ["a"] })).a).toEqual(a);
  expect((await loaded.run({ x: { dims: shape, shape, data } }, { outputs: ["a"] })).a).toEqual(a);
  const run = (given: unknown) => loaded.run(given as never);
  await expect(run({ x: { dims: [1, 3, 4, 16], shape, data } })).rejects.toThrow(
    /input "x": expected shape or dims, or both the same, got shape \[1, 3, 8, 8\] and dims \[1, 3, 4, 16\]/,
  );
  await expect(run({ x: { shape, data: Array.from(data) } })).rejects.toThrow(
    /input "x": .*got data as an array of 192; Float32Array\.from\(data\) makes one of it/,
  );
  await expect(run(x)).rejects.toThrow(
    /inputs: expected tensors by the names of inputs, such as { "x": tensor }, got a tensor/,
  );
  const engine = await createEngine({ threads: 1 });
  const held = engine.alloc({ shape, dtype: "f32" });
  await held.write(data);
  expect((await explainModel(loaded, { inputs: { x: held } })).partitions.length).toBeGreaterThan(0);
  expect(() => engine.alloc({ dims: shape } as never)).toThrow(/here dims are called shape/);
  await expect(engine.conv2d(x, held as never, { dataFormat: "NCHW" })).rejects.toThrow(
    /weights are packed, not used in place/,
  );
  const call = engine.conv2d(x, { shape: [4, 3, 3, 3], data: noise(108) }, { dataFormat: "NCHW", pads: 1 as never });
  await expect(call).rejects.toThrow(/pads: .*got 1; the same on both sides is \[1, 1, 1, 1\]/);
  engine.dispose();
  loaded.dispose();
});

const branch = (name: string, made: Uint8Array) => inner(name, { nodes: [made], outputs: [{ name: "t" }] });
const odder = node("Odder", ["c"], ["t"], { domain: "acme" });
const branches = [branch("then_branch", odder), branch("else_branch", node("Neg", ["c"], ["t"]))];

/** A convolution, an operator that nobody knows, another convolution; with branches beside, one of which nobody knows. */
const strange = (...known: string[]): Uint8Array =>
  model({
    nodes: [conv("x", "w", "h"), node("Odd", ["h"], ["o"], { domain: "acme" }), conv("o", "v", "y"), node("If", ["c"], ["z"], { attribute: branches })], // biome-ignore format: a line
    initializers: [weight("w", 4, 3, 3, 3), weight("v", 5, 4, 3, 3)],
    inputs: [...inputs, value("c", [1])],
    outputs: [value("y", [1, 5, 8, 8]), value("z", [1]), value("h", [1, 4, 8, 8])],
    valueInfo: known.map((name) => encode(ValueInfoProto, value(name, [1, 4, 8, 8]))),
  });

test("a model with operators that are missing is loaded, shown and run as far as it goes", async () => {
  const loaded = await loadModel(strange("o"));
  expect(loaded.missing.map(({ operator }) => operator)).toEqual(["acme.Odd", "acme.Odder"]);
  const given = { x, c: { shape: [1], data: Float32Array.of(1) } };
  await expect(loaded.run(given)).rejects.toThrow(/missing are acme\.Odd, acme\.Odder/);
  expect((await loaded.run(given, { outputs: ["h"] })).h!.shape).toEqual([1, 4, 8, 8]);
  const { layers, missing, totals } = inspectModel(loaded);
  expect(missing).toEqual(loaded.missing);
  expect(layers.map(({ kind, multiplications }) => [kind, multiplications])).toEqual([["conv", 6912], ["acme.Odd", 0], ["conv", 11520], ["If", 0]]); // biome-ignore format: a line
  expect(totals).toEqual({ parameters: 288, multiplications: 18432 });
  const blind = inspectModel(await loadModel(strange()));
  expect(blind.layers[2]).toMatchObject({ kind: "conv", outputs: [[1, 5, 8, 8]], multiplications: 0 });
  expect(saveModel(loaded)).toEqual(strange("o"));
  loaded.dispose();
});

test("what comes before is separated, all else stays as it is", async () => {
  const loaded = await loadModel(strange());
  const { model: separated, report } = await separateModel(loaded, { rank: 1 });
  expect(report.layers.map(({ decomposition }) => decomposition !== undefined)).toEqual([true]);
  expect(report.missing).toEqual(loaded.missing);
  const again = await loadModel(saveModel(separated));
  expect(again.graph.nodes.map(({ op }) => op)).toEqual(expect.arrayContaining(["acme.Odd", "If"]));
  expect(again.graph.nodes.length).toBeGreaterThan(4);
  const given = { x, c: { shape: [1], data: Float32Array.of(1) } };
  expect((await again.run(given, { outputs: ["h"] })).h!.shape).toEqual([1, 4, 8, 8]);
  for (const one of [loaded, separated, again]) one.dispose();
});

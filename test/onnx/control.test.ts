// Networks inside nodes and functions of the file: If, Loop and Scan beside ONNX Runtime, what is compiled, and that files stay whole.
import { afterAll, describe, expect, test } from "vitest";
import { runGraph } from "../../src/graph/evaluate.ts";
import { createEngine } from "../../src/index.ts";
import { inspectModel, loadModel, saveModel, separateModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { FunctionProto, NodeProto } from "../../src/onnx/schema.ts";
import { decode, encode } from "../../src/onnx/wire.ts";
import type { Tensor } from "../../src/tensor.ts";
import { Random } from "../random-tensors.ts";
import { attribute, inner, model, node, tensor, value } from "./build.ts";
import { expectClose } from "./close.ts";
import { runRuntime, runtime } from "./runtime.ts";

const engine = createEngine({ threads: 1 });
afterAll(async () => (await engine).dispose());

const r = new Random(3);
const floats = (name: string, shape: readonly number[]): Uint8Array =>
  tensor(name, shape, { rawData: new Uint8Array(r.tensor(shape, "f32", -1, 1).data.buffer) });
const integer = (name: string, given: number): Uint8Array =>
  tensor(name, [], { dataType: 7n, rawData: new Uint8Array(BigInt64Array.of(BigInt(given)).buffer) });
const bool = (name: string, given: boolean): Uint8Array =>
  tensor(name, [], { dataType: 9n, rawData: Uint8Array.of(Number(given)) });
const flag = (given: boolean): Tensor => ({ shape: [], data: Uint8Array.of(Number(given)), dtype: "bool" });
const output = (name: string) => ({ name });
const number = (name: string, given: number) => attribute(name, { i: BigInt(given), type: 2n });
const pads = attribute("pads", { ints: [1n, 1n, 1n, 1n], type: 7n });

/** Alone and compiled, twice, as ONNX Runtime has it. */
async function expectSame(bytes: Uint8Array, inputs: Record<string, Tensor>) {
  const loaded = await loadModel(bytes, { engine: await engine });
  const results = [runGraph(loaded.graph, operators, inputs), await loaded.run(inputs), await loaded.run(inputs)];
  const expected = runtime ? await runRuntime(bytes, inputs) : results[0]!;
  for (const found of results)
    for (const [name, wanted] of Object.entries(expected)) expectClose(found[name]!, wanted, 1e-4);
  const info = await loaded.info();
  loaded.dispose();
  return { host: info.programs[0]!.host.map(({ op }) => op), loaded };
}

const x: Tensor = r.tensor([1, 3, 6, 5], "f32", -1, 1);
const conv = (of: string, to: string, w: string): Uint8Array => node("Conv", [of, w], [to], { attribute: [pads] });

/** A convolution, then one of two others with weights of the network around, and a sum with what was there before. */
const branches = (condition: "c" | "known", known = true): Uint8Array =>
  model({
    nodes: [
      conv("x", "h", "w"),
      node("If", [condition], ["b"], {
        attribute: [
          inner("then_branch", { nodes: [conv("h", "t", "v")], outputs: [output("t")] }),
          inner("else_branch", {
            nodes: [node("Relu", ["h"], ["t2"]), conv("t2", "t", "own"), node("Add", ["t", "h"], ["u"])],
            initializers: [floats("own", [4, 4, 3, 3])],
            outputs: [output("u")],
          }),
        ],
      }),
      node("Relu", ["b"], ["y"]),
    ],
    initializers: [floats("w", [4, 3, 3, 3]), floats("v", [4, 4, 3, 3]), bool("known", known)],
    inputs: [value("x", [1, 3, 6, 5]), ...(condition === "c" ? [value("c", [], 9)] : [])],
    outputs: [value("y", [1, 4, 6, 5])],
  });

describe("If", () => {
  test.each([true, false])("of a condition that is %s takes that branch, compiled", async (c) => {
    const { host } = await expectSame(branches("c"), { x, c: flag(c) });
    expect(host).toEqual(["If", "Relu"]);
  });

  test.each([true, false])("of a constant condition, %s, becomes its branch", async (c) => {
    const { host } = await expectSame(branches("known", c), { x });
    expect(host).toEqual([]);
  });

  test("gives what has another shape in each branch", async () => {
    const reduced = { attribute: [number("keepdims", 0)] };
    const bytes = model({
      nodes: [
        node("If", ["c"], ["b"], {
          attribute: [
            inner("then_branch", { nodes: [node("ReduceMean", ["x"], ["t"], reduced)], outputs: [output("t")] }),
            inner("else_branch", { nodes: [node("Neg", ["x"], ["u"])], outputs: [output("u")] }),
          ],
        }),
        node("Exp", ["b"], ["y"]),
      ],
      inputs: [value("x", [1, 3, 6, 5]), value("c", [], 9)],
      outputs: [{ name: "y", type: { tensorType: { elemType: 1n } } }],
    });
    for (const c of [true, false, true]) await expectSame(bytes, { x, c: flag(c) });
  });

  test("layers after what has another shape in each branch run on the backend", async () => {
    const pool = { attribute: [attribute("kernel_shape", { ints: [2n, 2n], type: 7n })] };
    const bytes = model({
      nodes: [
        conv("x", "h", "w"),
        node("If", ["c"], ["b"], {
          attribute: [
            inner("then_branch", { nodes: [node("MaxPool", ["h"], ["t"], pool)], outputs: [output("t")] }),
            inner("else_branch", { nodes: [conv("h", "a", "v"), node("Tanh", ["a"], ["u"])], outputs: [output("u")] }),
          ],
        }),
        node("Add", ["b", "half"], ["moved"]),
        conv("moved", "y", "v"),
        node("Shape", ["y"], ["sides"]),
      ],
      initializers: [floats("w", [4, 3, 3, 3]), floats("v", [4, 4, 3, 3]), floats("half", [])],
      inputs: [value("x", [1, 3, 6, 5]), value("c", [], 9)],
      outputs: [{ name: "y" }, { name: "sides" }, { name: "h" }],
    });
    for (const c of [true, false, true]) {
      const { host } = await expectSame(bytes, { x, c: flag(c) });
      expect(host).not.toContain("Conv");
      expect(host).toContain("If");
    }
  });
});

const step = inner("body", {
  nodes: [
    conv("s", "a", "w"),
    node("Tanh", ["a"], ["s2"]),
    node("ReduceSum", ["s2"], ["sum"], { attribute: [number("keepdims", 0)] }),
    node("Less", ["sum", "most"], ["go"]),
  ],
  inputs: [value("i", [], 7), value("before", [], 9), value("s", [1, 3, 6, 5])],
  outputs: [value("go", [], 9), value("s2", [1, 3, 6, 5]), value("sum", [])],
});
const looped = (trips: number): Uint8Array =>
  model({
    nodes: [node("Loop", ["trips", "", "x"], ["y", "sums"], { attribute: [step] })],
    initializers: [floats("w", [3, 3, 3, 3]), integer("trips", trips), floats("most", [])],
    inputs: [value("x", [1, 3, 6, 5])],
    outputs: [value("y", [1, 3, 6, 5]), value("sums", ["n"])],
  });

describe("Loop and Scan", () => {
  test("a Loop whose state grows, and a layer after it", async () => {
    const grow = inner("body", {
      nodes: [
        node("Concat", ["s", "x"], ["s2"], { attribute: [number("axis", 0)] }),
        node("Identity", ["before"], ["go"]),
      ],
      inputs: [value("i", [], 7), value("before", [], 9), { name: "s" }],
      outputs: [value("go", [], 9), { name: "s2" }],
    });
    const bytes = model({
      nodes: [node("Loop", ["trips", "", "x"], ["l"], { attribute: [grow] }), conv("l", "y", "w")],
      initializers: [floats("w", [3, 3, 3, 3])],
      inputs: [value("x", [1, 3, 6, 5]), value("trips", [], 7)],
      outputs: [{ name: "y" }],
    });
    for (const trips of [0, 2]) {
      const count: Tensor = { shape: [], data: BigInt64Array.of(BigInt(trips)) };
      const { host } = await expectSame(bytes, { x, trips: count });
      expect(host).not.toContain("Conv");
    }
  });

  test.each([0, 1, 4])("a Loop of at most %i turns", async (trips) => void (await expectSame(looped(trips), { x })));

  test("a Loop stops when it is asked to", async () => {
    const forever = inner("body", {
      nodes: [node("Identity", ["before"], ["go"]), node("Neg", ["s"], ["s2"])],
      inputs: [value("i", [], 7), value("before", [], 9), value("s", [4])],
      outputs: [output("go"), output("s2")],
    });
    const bytes = model({
      nodes: [node("Loop", ["", "", "x"], ["y"], { attribute: [forever] })],
      inputs: [value("x", [4])],
      outputs: [value("y", [4])],
    });
    const loaded = await loadModel(bytes, { engine: await engine });
    const run = loaded.run({ x: { shape: [4], data: new Float32Array(4) } }, { signal: AbortSignal.timeout(200) });
    await expect(run).rejects.toThrow(/timeout/);
    loaded.dispose();
  });

  test.each([0, 1])("a Scan along other axes, backwards: %i", async (reverse) => {
    const lists = (name: string, given: number) => attribute(name, { ints: [BigInt(given)], type: 7n });
    const body = inner("body", {
      nodes: [node("Add", ["s", "p"], ["s2"]), node("Mul", ["s2", "factor"], ["o"])],
      inputs: [value("s", [2]), value("p", [2])],
      outputs: [value("s2", [2]), value("o", [2])],
    });
    const attributes = [
      ...[body, number("num_scan_inputs", 1), lists("scan_input_axes", 1), lists("scan_output_axes", 1)],
      ...[lists("scan_input_directions", reverse), lists("scan_output_directions", 1)],
    ];
    const bytes = model({
      nodes: [node("Scan", ["start", "x"], ["end", "all"], { attribute: attributes })],
      initializers: [floats("factor", [2]), floats("start", [2])],
      inputs: [value("x", [2, 5])],
      outputs: [value("end", [2]), value("all", [2, 5])],
    });
    await expectSame(bytes, { x: r.tensor([2, 5]) });
  });
});

/** Twice a function of an attribute with a default, which calls another. */
const called = (): Uint8Array => {
  const scaled = encode(FunctionProto, {
    ...{
      name: "Scaled",
      domain: "own",
      input: ["a"],
      output: ["b"],
      opsetImport: [{ version: 13n }, { domain: "own", version: 1n }],
    },
    attributeProto: [attribute("by", { f: 0.5, type: 1n })],
    node: [
      node("Constant", [], ["factor"], { attribute: [attribute("value_float", { refAttrName: "by", type: 1n })] }),
      node("Mul", ["a", "factor"], ["m"]),
      node("Bent", ["m"], ["b"], { domain: "own" }),
    ],
  });
  const bent = encode(FunctionProto, {
    ...{ name: "Bent", domain: "own", input: ["a"], output: ["b"], opsetImport: [{ version: 13n }] },
    node: [node("LeakyRelu", ["a"], ["m"]), node("Tanh", ["m"], ["b"])],
  });
  return model({
    nodes: [
      node("Scaled", ["x"], ["h"], { domain: "own" }),
      conv("h", "k", "w"),
      node("Scaled", ["k"], ["y"], { domain: "own", attribute: [attribute("by", { f: 2, type: 1n })] }),
    ],
    initializers: [floats("w", [8, 3, 3, 3])],
    inputs: [value("x", [1, 3, 6, 5])],
    outputs: [value("y", [1, 8, 6, 5])],
    more: { functions: [scaled, bent], opsetImport: [{ version: 13n }, { domain: "own", version: 1n }] },
  });
};

describe("files", () => {
  test("functions are run as their nodes", async () => {
    const { loaded } = await expectSame(called(), { x });
    expect(loaded.graph.nodes.map(({ op }) => op)).toEqual(
      ["Constant", "Mul", "LeakyRelu", "Tanh", "Conv", "Constant", "Mul", "LeakyRelu", "Tanh"], // biome-ignore format: a list
    );
  });

  test.each([
    ["branches", branches("c")],
    ["a loop", looped(3)],
    ["functions", called()],
  ])("with %s are inspected, and saved byte for byte", async (_what, bytes) => {
    const loaded = await loadModel(bytes);
    expect(inspectModel(loaded).layers.length).toBeGreaterThan(0);
    expect(saveModel(loaded)).toEqual(bytes);
  });

  test.each([
    ["branches", branches("c"), { x, c: flag(false) }],
    ["functions", called(), { x }],
  ] as const)("with %s are separated, and all else stays", async (_what, bytes, inputs) => {
    const loaded = await loadModel(bytes, { engine: await engine });
    const { model: separated } = await separateModel(loaded, { rank: 1 });
    const saved = saveModel(separated);
    const again = await loadModel(saved, { engine: await engine });
    const ops = again.proto.graph!.node.map((one, i) => decode(NodeProto, one, `node ${i}`).opType);
    expect(ops.filter((op) => op === "Conv").length).toBeGreaterThan(1);
    const after = await again.run(inputs);
    if (runtime) expectClose((await runRuntime(saved, inputs)).y!, after.y!, 1e-3, 1);
    loaded.dispose();
    again.dispose();
  });
});

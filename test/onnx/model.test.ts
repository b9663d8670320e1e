// Models: what the graph says, and that what is saved is what was loaded.
import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { loadModel, Model, saveModel } from "../../src/onnx/model.ts";
import { ModelProto, NodeProto, TensorProto } from "../../src/onnx/schema.ts";
import { readTensor } from "../../src/onnx/tensors.ts";
import { decode, encode } from "../../src/onnx/wire.ts";
import { dataPath, withoutData } from "../data.ts";
import { attribute, big, model, node, tensor, value } from "./build.ts";

const x = value("x", ["N", 3, "height", 8]);
const y = value("y", []);

describe("the graph", () => {
  test("inputs with an initializer are constants; dimensions may have names; attributes are plain values", async () => {
    const attributes = [
      attribute("strides", { ints: big([2, 1]), type: 7n }),
      attribute("alpha", { f: 0.5, type: 1n }),
      attribute("mode", { s: new TextEncoder().encode("SAME"), type: 3n }),
      attribute("untyped", { i: -1n }),
      attribute("none", { type: 6n }),
      attribute("all", { strings: [new TextEncoder().encode("a")], type: 8n }),
      attribute("value", { t: tensor("", [2]), type: 4n }),
    ];
    const bytes = model({
      nodes: [node("Conv", ["x", "w", ""], ["y"], { attribute: attributes, domain: "ai.onnx" })],
      initializers: [tensor("w", [1, 3, 1, 1])],
      inputs: [x, value("w", [1, 3, 1, 1])],
      outputs: [y],
    });
    const { graph } = await loadModel(bytes);
    expect(graph.inputs).toEqual([{ name: "x", dtype: "f32", shape: ["N", 3, "height", 8] }]);
    expect(graph.outputs).toEqual([{ name: "y", dtype: "f32", shape: [] }]);
    expect(graph.constants.get("w")).toEqual({ shape: [1, 3, 1, 1], data: new Float32Array(3) });
    expect(graph.nodes[0]).toMatchObject({ op: "Conv", opset: 13, inputs: ["x", "w", ""], outputs: ["y"] });
    expect(graph.nodes[0]!.attributes).toEqual({
      ...{ strides: [2, 1], alpha: 0.5, mode: "SAME", untyped: -1, none: [], all: ["a"] },
      value: { name: "", shape: [2], data: new Float32Array(2) },
    });
  });

  test("nodes come in an order in which values are known; a right one stays", async () => {
    const nodes = [["b", "c"], ["x", "a"], ["c", "y"], ["a", "b"]].map(([from, to]) => node("Relu", [from!], [to!])); // biome-ignore format: a list
    const { graph } = await loadModel(model({ nodes, inputs: [x], outputs: [y] }));
    expect(graph.nodes.map(({ outputs }) => outputs[0])).toEqual(["a", "b", "c", "y"]);
    const wide = [["x", "a"], ["x", "b"], ["a", "c"], ["b", "y"]].map(([from, to]) => node("Relu", [from!], [to!])); // biome-ignore format: a list
    const same = await loadModel(model({ nodes: wide, inputs: [x], outputs: [y] }));
    expect(same.graph.nodes.map(({ outputs }) => outputs[0])).toEqual(["a", "b", "c", "y"]);
  });

  test("a chain of 20,000 nodes, the last one first", async () => {
    const nodes = Array.from({ length: 20_000 }, (_, i) => node("Relu", [i === 0 ? "x" : `v${i}`], [`v${i + 1}`]));
    const { graph } = await loadModel(model({ nodes: nodes.reverse(), inputs: [x], outputs: [value("v20000", [])] }));
    expect(graph.nodes[0]!.inputs).toEqual(["x"]);
    expect(graph.nodes).toHaveLength(20_000);
  });

  test("operators of other domains carry the domain's name and version", async () => {
    const opsetImport = [{ version: 11n }, { domain: "com.microsoft", version: 1n }];
    const nodes = [node("Inverse", ["x"], ["y"], { domain: "com.microsoft", name: undefined })];
    const { graph } = await loadModel(model({ nodes, inputs: [x], outputs: [y], more: { opsetImport } }));
    expect(graph.nodes[0]).toMatchObject({ name: "y", op: "com.microsoft.Inverse", opset: 1 });
  });
});

describe("external data", () => {
  const entries = (fields: Record<string, string>) => ({
    dataLocation: 1n,
    externalData: Object.entries(fields).map(([key, text]) => ({ key, value: text })),
  });
  const weights = new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer);
  const load = (fields: Record<string, string>, externalData?: Parameters<typeof loadModel>[1]) =>
    loadModel(model({ initializers: [tensor("w", [2], entries(fields))], outputs: [value("w", [2])] }), externalData);

  test("comes from a record or a function", async () => {
    const given = { location: "w.bin", offset: "4", length: "8" };
    for (const externalData of [{ "w.bin": weights }, async () => weights]) {
      const { graph } = await load(given, { externalData });
      expect(graph.constants.get("w")!.data).toEqual(new Float32Array([2, 3]));
    }
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ["a file that is not given", { location: "other.bin" }, /external file "other.bin" in externalData, got none/],
    ["a name of every object", { location: "constructor" }, /external file "constructor" in externalData, got none/],
    ["an offset beyond the end", { location: "w.bin", offset: "17" }, /offset: expected an integer from 0 to 16/],
    ["a length beyond the end", { location: "w.bin", offset: "12", length: "8" }, /length: .* from 0 to 4, got 8/],
    ["a negative offset", { location: "w.bin", offset: "-4", length: "8" }, /offset: expected an integer from 0/],
    ["a wrong length", { location: "w.bin", length: "12" }, /expected 8 bytes of data, got 12/],
  ])("%s is refused", async (_name, fields, message) => {
    await expect(load(fields, { externalData: { "w.bin": weights } })).rejects.toThrow(message);
  });
});

describe("saving", () => {
  test("keeps what is unknown, and every node and tensor byte for byte, packed as it came", async () => {
    // A packed list where the specification's own writers do not pack, a field of no table, in an order of its own
    const packed = Uint8Array.of(0x0a, 2, 3, 1, 0xc2, 0x3e, 1, 7, 0x10, 1, 0x42, 1, 119, 0x4a, 12, ...new Array(12));
    const odd = Uint8Array.of(0xf8, 0x3f, 5, ...node("Relu", ["w"], ["y"]));
    const bytes = model({
      nodes: [odd],
      initializers: [packed],
      outputs: [y],
      more: { unknown: [odd.subarray(0, 3)] },
    });
    const loaded = await loadModel(bytes);
    expect(loaded.graph.constants.get("w")).toEqual({ shape: [3, 1], data: new Float32Array(3) });
    expect(saveModel(loaded)).toEqual(bytes);
    const saved = decode(ModelProto, saveModel(loaded), "model");
    expect(saved.graph!.node[0]).toEqual(odd);
    expect(saved.graph!.initializer[0]).toEqual(packed);
  });

  test("writes changes, and leaves the rest", async () => {
    const nodes = [node("Relu", ["x"], ["h"]), node("Relu", ["h"], ["y"])];
    const { proto } = await loadModel(model({ nodes, inputs: [x], outputs: [y] }));
    const changed = encode(NodeProto, { ...decode(NodeProto, nodes[1]!, "node"), opType: "Sigmoid" });
    const graph = { ...proto.graph!, node: [nodes[0]!, changed] };
    const empty = await loadModel(model({}));
    const saved = await loadModel(saveModel(new Model({ ...proto, graph }, empty.graph, empty.operators)));
    expect(saved.graph.nodes.map(({ op }) => op)).toEqual(["Relu", "Sigmoid"]);
    expect(saved.proto.graph!.node[0]).toEqual(nodes[0]);
  });
});

const missing = withoutData();
describe.skipIf(missing)(`real files${missing}`, () => {
  const data = dataPath();
  const files = globSync("{models,conformance/*/*}/*.onnx", { cwd: data });

  test("load, and are saved as the same bytes", async () => {
    const others: string[] = [];
    for (const file of files) {
      const bytes = new Uint8Array(readFileSync(dataPath(file)));
      const loaded = await loadModel(bytes).catch((error: Error) => void others.push(error.message));
      if (loaded) expect(Buffer.compare(saveModel(loaded), bytes), file).toBe(0);
    }
    expect(files.length).toBeGreaterThan(250);
    expect(others).toEqual(Array(2).fill(expect.stringMatching(/^value ".*": expected a tensor, got another type$/)));
  });

  test("tensors of the conformance tests are as large as their shapes say", () => {
    const tensors = globSync("conformance/*/*/*/*.pb", { cwd: data }).filter(
      (file) => !/identity_(opt|seq)/.test(file),
    );
    expect(tensors.length).toBeGreaterThan(250);
    for (const file of tensors) {
      const { shape, data: elements } = readTensor(readFileSync(dataPath(file)), basename(file));
      expect(elements.length).toBe(shape.reduce((a, b) => a * b, 1));
    }
    expect(tensors.length).toBeGreaterThan(600);
  });

  test("initializers of the UltraFace models, which are inputs as well, are constants", async () => {
    const { graph, proto } = await loadModel(readFileSync(dataPath("models/ultraface-slim-320.onnx")));
    expect(graph.inputs).toEqual([{ name: "input", dtype: "f32", shape: [1, 3, 240, 320] }]);
    expect(graph.outputs.map(({ name, shape }) => [name, shape])).toEqual([["scores", [1, 4420, 2]], ["boxes", [1, 4420, 4]]]); // biome-ignore format: one line
    expect(proto.graph!.input.length).toBeGreaterThan(50);
    const first = decode(TensorProto, proto.graph!.initializer[0]!, "tensor");
    expect(graph.constants.get(first.name!)!.shape).toEqual(first.dims.map(Number));
  });
});

// Compiled files of what others made up: names that would be code, modules of other files, arguments of every kind.
import { stripTypeScriptTypes } from "node:module";
import { afterAll, describe, expect, it } from "vitest";
import { type CompileModelOptions, compileFilter, compileModel } from "../../src/ahead/index.ts";
import { createEngine } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { model, node, value } from "../onnx/build.ts";
import { type LoadedFilter, type LoadedModel, load } from "./load.ts";

const engine = await createEngine({ backend: "wasm", threads: 1 });
afterAll(() => engine.dispose());

const picture = { width: 4, height: 3, channels: 4, dtype: "u8", hasAlpha: true } as const;
const relu = (input = "x", output = "y", sides: readonly (number | string)[] = [1, 4]) =>
  loadModel(
    model({ nodes: [node("Relu", [input], [output])], inputs: [value(input, sides)], outputs: [value(output, sides)] }),
    { engine },
  );
const negative = Float32Array.of(1, -2, 3, -4);
const invalid = (message: string) =>
  expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(message) });

describe("names of inputs and outputs are never code", () => {
  const names = ["a\nglobalThis.ran = 1; //", "a\rglobalThis.ran = 1; //", "a\u2028globalThis.ran = 1; //", "a\u2029b", "*/ b", "`\u0024{globalThis.ran = 1}`", '"', "'", "\\", "\0", "ü 日本", "</script>", "__proto__", "constructor", "toString", "length", "data", "0"]; // biome-ignore format: a line
  it.for(names)("%j", async (name) => {
    const compiled = await compileModel(await relu(name, `${name} out`));
    const run = await load<LoadedModel>(compiled);
    const inputs = Object.defineProperty({}, name, { value: negative, enumerable: true });
    expect(Object.entries(run(inputs))).toEqual([
      [`${name} out`, { dtype: "f32", shape: [1, 4], data: Float32Array.of(1, 0, 3, 0) }],
    ]);
    for (const [file, text] of Object.entries(compiled.files))
      if (typeof text === "string") {
        expect(text).not.toMatch(/[\u2028\u2029\r\0]/);
        if (file.endsWith(".d.ts")) stripTypeScriptTypes(text);
        else expect(text.split("\n")[0]).toMatch(/^\/\/ .*; made by rank1 /);
      }
    expect(globalThis).not.toHaveProperty("ran");
    expect(() => run({})).toThrow(invalid("none called"));
  });

  it("nor are those of filters, which may end in white space", async () => {
    const { files } = await compileFilter("box:3\n", picture);
    expect(files["filter.js"]).toMatch(/^\/\/ box:3; made by rank1 /);
    await load({ files });
  });
});

it("Code of other files is refused, also of the same shape", async () => {
  const [one, other] = [await compileFilter("box:3", picture), await compileFilter("sharpen", picture)];
  for (const wasm of [other.files["filter.wasm"], new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])]) {
    const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
    await expect(load(one, "beside", { module })).rejects.toThrow(invalid("module: expected the code that was written with this file")); // biome-ignore format: a line
  }
  await expect(load(one, "beside", { weights: new Uint8Array(4) })).rejects.toThrow(invalid('parts: expected an object of module, got "weights"')); // biome-ignore format: a line
});

it.for(["keep", "premultiply", "none"] as const)("Results may lie over the picture: alpha %s", async (alpha) => {
  const run = await load<LoadedFilter>(await compileFilter("sharpen", picture, { alpha }));
  const data = Uint8Array.from({ length: 48 }, (_, i) => i * 37);
  const wanted = run({ data: data.slice() }).data;
  const room = new Uint8Array(64);
  for (const shift of [0, 16]) {
    const [from, to] = [room.subarray(0, 48), room.subarray(shift, shift + 48)];
    from.set(data);
    expect(run({ data: from }, { out: to }).data).toEqual(wanted);
  }
  expect(() => run({ data }, { output: data } as object)).toThrow(invalid("options: expected an object of out"));
});

it("Small networks without layers are compiled, too, and inputs that nothing reads are kept", async () => {
  const bytes = model({
    nodes: [node("Sigmoid", ["x"], ["a"]), node("Add", ["a", "x"], ["y"])],
    inputs: [value("x", []), value("unread", [1, 3])],
    outputs: [value("y", [])],
  });
  const found = await loadModel(bytes, { engine });
  const compiled = await compileModel(found);
  expect(compiled.files["model.d.ts"]).toContain('"unread": Float32Array');
  const run = await load<LoadedModel>(compiled);
  const inputs = { x: { shape: [], data: Float32Array.of(0.5) }, unread: { shape: [1, 3], data: new Float32Array(3) } };
  expect(run(inputs).y!.data[0]).toBeCloseTo(0.5 + 1 / (1 + Math.exp(-0.5)), 6);
  expect(() => run({ x: inputs.x })).toThrow(invalid("none called unread"));
  expect(() => run({ ...inputs, unread: new Float32Array(2) })).toThrow(invalid("unread Float32Array of 2"));
});

it("Malformed inputs of a model are named, and results are the caller's own", async () => {
  const run = await load<LoadedModel>(
    await compileModel(await relu("x", "y", ["n", "w"]), { shapes: [{ x: [1, 4] }, { x: [4, 1] }] }),
  );
  for (const x of [null, 5, "abcd", [1, 2, 3, 4], {}, { data: null }, { data: negative, dims: 5 }, { data: negative, shape: "1,4" }, { data: negative, dims: [2, 2] }, new DataView(new ArrayBuffer(4))]) // biome-ignore format: a line
    expect(() => run({ x })).toThrow(invalid("expected"));
  run({ x: negative }).y!.shape.push(9);
  expect(run({ x: negative }).y!.shape).toEqual([1, 4]);
  expect(run({ x: { data: negative, dims: [4, 1] } }).y!.shape).toEqual([4, 1]);
});

it("Malformed options are refused before anything is compiled", async () => {
  const open = await relu("x", "y", ["n", "w"]);
  for (const shapes of [[], null, 5, [null], { x: new Array(2) }, { x: "12" }, { x: [1, 0] }])
    await expect(compileModel(open, { shapes } as CompileModelOptions)).rejects.toThrow(invalid("shapes"));
  for (const name of [null, 5, ["a"], "../x", "a/b", "a\nb", "", "a..b", "a".repeat(101)] as string[]) {
    await expect(compileModel(open, { name, shapes: { x: [1, 4] } })).rejects.toThrow(invalid("name: expected"));
    await expect(compileFilter("box:3", picture, { name })).rejects.toThrow(invalid("name: expected"));
  }
  for (const what of [null, undefined, {}, new Uint8Array(3)])
    await expect(compileModel(what as unknown as typeof open)).rejects.toThrow(invalid("model: expected a model"));
  const large = { width: 20_000, height: 20_000, channels: 4, dtype: "f32" } as const;
  await expect(compileFilter("box:3", large)).rejects.toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
});

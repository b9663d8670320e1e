// Half floats in and out of models in every form, and models of half floats, whose values are f32 inside.
import { afterAll, describe, expect, test } from "vitest";
import { fromBits, roundedTo, toBits } from "../../src/graph/halves.ts";
import { createEngine } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { Random } from "../random-tensors.ts";
import { attribute, model, node, tensor, value } from "./build.ts";

const engine = createEngine({ threads: 1 });
afterAll(async () => (await engine).dispose());

type Halves = new (given: ArrayLike<number> | ArrayBuffer) => ArrayLike<number> & { buffer: ArrayBuffer };
const { Float16Array } = globalThis as unknown as { Float16Array?: Halves };

const [f16, bf16] = [10, 16];
const cast = (from: string, to: string, type: number): Uint8Array =>
  node("Cast", [from], [to], { attribute: [attribute("to", { i: BigInt(type), type: 2n })] });

describe("bits", () => {
  test.each(["f16", "bf16"] as const)("of all %s are those of their values", (dtype) => {
    const all = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
    const values = fromBits(all, dtype);
    const back = toBits(values, dtype);
    expect(all.filter((bits, i) => back[i] !== bits && !Number.isNaN(values[i]))).toEqual(new Uint16Array());
    expect(values.every((one) => Object.is(roundedTo(one, dtype), one))).toBe(true);
  });

  test.each(["f16", "bf16"] as const)(
    "of numbers between two %s are those of the nearest, or of the even one",
    (dtype) => {
      const all = Uint16Array.from({ length: dtype === "f16" ? 0x7bff : 0x7f7f }, (_, i) => i);
      const [below, above] = [
        fromBits(all, dtype),
        fromBits(
          all.map((bits) => bits + 1),
          dtype,
        ),
      ];
      const middle = below.map((one, i) => one + (above[i]! - one) / 2);
      expect(toBits(middle, dtype)).toEqual(all.map((bits) => bits + (bits & 1)));
      expect(middle.map((one) => roundedTo(one, dtype))).toEqual(
        fromBits(
          all.map((bits) => bits + (bits & 1)),
          dtype,
        ),
      );
    },
  );
});

describe("a model of half floats", () => {
  const shape = [1, 4, 5, 6];
  const x = new Random(2).tensor(shape).data as Float32Array;
  const weight = toBits(new Random(3).tensor([4, 4, 1, 1]).data as Float32Array, "f16");
  const bytes = model({
    nodes: [cast("x", "h", f16), node("Conv", ["h", "w"], ["c"]), cast("c", "f", 1), cast("f", "g", f16), node("Conv", ["g", "w"], ["y"])],
    initializers: [tensor("w", [4, 4, 1, 1], { dataType: 10n, rawData: new Uint8Array(weight.buffer) })],
    inputs: [value("x", shape, f16)],
    outputs: [value("y", shape, f16), value("f", shape)],
  }); // biome-ignore format: nodes in a line

  test("runs whole on the backend, and takes and gives every form of half floats", async () => {
    const loaded = await loadModel(bytes, { engine: await engine });
    const bits = toBits(x, "f16");
    const { y, f } = await loaded.run({ x: { shape, data: fromBits(bits, "f16") } });
    expect((await loaded.info()).programs[0]!.host).toEqual([]);
    expect([y!.dtype, f!.dtype]).toEqual(["f16", "f32"]);
    expect(y!.data).toEqual(fromBits(toBits(y!.data as Float32Array, "f16"), "f16"));
    const forms = [
      { shape, data: bits, dtype: "f16" as const },
      { dims: shape, data: bits, type: "float16" },
    ];
    for (const given of forms) expect((await loaded.run({ x: given })).y!.data).toEqual(y!.data);
    const into = new Uint16Array(120);
    expect((await loaded.run({ x: forms[0]! }, { out: { y: into } })).y!.data).toBe(into);
    expect(fromBits(into, "f16")).toEqual(y!.data);
    if (Float16Array) {
      const halves = new Float16Array(bits.buffer as ArrayBuffer) as never;
      const room = new Float16Array(x) as never;
      expect((await loaded.run({ x: { shape, data: halves } }, { out: { y: room } })).y!.data).toBe(room);
      expect(Float32Array.from(room)).toEqual(y!.data);
    }
    loaded.dispose();
  });

  test.each([
    ["bits of no said type", { shape, data: new Uint16Array(120) }],
    ["bits of another type", { shape, data: new Int16Array(120) }],
    ["f64", { shape, data: new Float64Array(120) }],
  ])("refuses %s", async (_what, given) => {
    const loaded = await loadModel(bytes, { engine: await engine });
    await expect(loaded.run({ x: given })).rejects.toThrow(/input "x": expected a tensor of f16 \[1, 4, 5, 6\]/);
    const out = { y: new Float64Array(120) };
    await expect(loaded.run({ x: { shape, data: x } }, { out })).rejects.toThrow(/out\["y"\]: expected a Float32Array/);
    loaded.dispose();
  });
});

test("bf16 comes as bits and goes rounded", async () => {
  const bytes = model({
    nodes: [node("Add", ["x", "x"], ["y"])],
    inputs: [value("x", [2], bf16)],
    outputs: [value("y", [2], bf16)],
  });
  const loaded = await loadModel(bytes, { engine: await engine });
  const { y } = await loaded.run({ x: { shape: [2], data: Float32Array.of(1 / 3, 257), dtype: "bf16" } });
  expect([y!.dtype, ...y!.data]).toEqual(["bf16", 0.66796875, 512]);
  loaded.dispose();
});

test("bytes other than 0 and 1 are no bool", async () => {
  const bytes = model({
    nodes: [node("Not", ["x"], ["y"])],
    inputs: [value("x", [2], 9)],
    outputs: [value("y", [2], 9)],
  });
  const loaded = await loadModel(bytes, { engine: await engine });
  const run = (data: Uint8Array) => loaded.run({ x: { shape: [2], data, dtype: "bool" } });
  expect((await run(Uint8Array.of(0, 1))).y).toEqual({ shape: [2], data: Uint8Array.of(1, 0), dtype: "bool" });
  await expect(run(Uint8Array.of(0, 2))).rejects.toThrow(/bytes other than 0 and 1/);
  loaded.dispose();
});

test("64-bit integers keep all digits, through Constant, arithmetic and Cast", async () => {
  const large = 2n ** 62n + 1n;
  const bytes = model({
    nodes: [
      node("Constant", [], ["c"], { attribute: [attribute("value_int", { i: large, type: 2n })] }),
      node("Add", ["x", "c"], ["y"]),
      node("Pow", ["three", "x"], ["p"]),
      cast("y", "low", 6),
    ],
    initializers: [tensor("three", [], { dataType: 7n, rawData: new Uint8Array(BigInt64Array.of(3n).buffer) })],
    inputs: [value("x", [2], 7)],
    outputs: [value("y", [2], 7), value("p", [2], 7), value("low", [2], 6)],
  });
  const loaded = await loadModel(bytes, { engine: await engine });
  const { y, p, low } = await loaded.run({ x: { shape: [2], data: BigInt64Array.of(-1n, 39n) } });
  expect(y!.data).toEqual(BigInt64Array.of(large - 1n, large + 39n));
  expect(p!.data).toEqual(BigInt64Array.of(0n, 3n ** 39n));
  expect(low!.data).toEqual(Int32Array.of(0, 40));
  loaded.dispose();
});

test("types that are not computed with are refused by their names", async () => {
  for (const [type, name] of [
    [17, "f8e4m3fn"],
    [20, "f8e5m2fnuz"],
    [8, "strings"],
    [22, "i4"],
  ] as const) {
    const bytes = model({ nodes: [cast("x", "y", type)], inputs: [value("x", [2])], outputs: [{ name: "y" }] });
    const loaded = await loadModel(bytes, { engine: await engine });
    await expect(loaded.run({ x: { shape: [2], data: new Float32Array(2) } })).rejects.toThrow(`got ${name}`);
    loaded.dispose();
  }
});

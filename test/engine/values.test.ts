// Values in an engine: of every element type, they give back what was written; who computes names what it cannot take.
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, filters } from "../../src/index.ts";
import { newArray, valueDTypes } from "../../src/tensor.ts";

const backends = ["wasm", "reference"] as const;

describe.each(backends)("values of the %s backend", async (backend) => {
  const engine = await createEngine({ backend, threads: backend === "wasm" ? 2 : undefined });
  afterAll(() => engine.dispose());

  it.each(
    valueDTypes.flatMap((dtype) =>
      [[7], [3, 5], [4, 6, 3], [2, 3, 5, 3], [1, 2, 300, 7]].map((shape) => [dtype, shape] as const),
    ),
  )("keep %s of sides %j", async (dtype, shape) => {
    const value = engine.alloc({ shape, dtype });
    const data = newArray(
      dtype,
      shape.reduce((product, side) => product * side, 1),
    );
    for (let i = 0; i < data.length; i++) data[i] = (i * 37) % 251;
    await value.write(data);
    expect(await value.read()).toEqual(data);
    const into = newArray(dtype, data.length);
    expect(await value.read(into)).toBe(into);
    expect(into).toEqual(data);
    value.dispose();
  });

  it("of f16 are no picture", async () => {
    const picture = engine.alloc({ shape: [8, 8, 1], dtype: "f16" });
    await expect(engine.filter(picture, filters.box({ size: 3 }))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      parameter: "image",
      received: "[8, 8, 1] in f16",
    });
    picture.dispose();
  });

  it.each(["f16", "i8", "i32", "u32", "f64"] as const)("of %s are no input of a layer", async (dtype) => {
    const tensor = engine.alloc({ shape: [1, 8, 8, 1], dtype });
    const weight = { shape: [3, 3, 1, 1], data: new Float32Array(9) };
    const problem = { code: "INVALID_ARGUMENT" };
    await expect(engine.conv2d(tensor, weight)).rejects.toMatchObject({ ...problem, parameter: "x" });
    tensor.dispose();
  });

  it.each(["keep", "premultiply", "none"] as const)("give what arrays give, alpha: %s", async (alpha) => {
    const data = Uint8Array.from({ length: 50 * 9 * 4 }, (_, i) => (i * 7) % 251);
    const sides = { width: 50, height: 9, channels: 4 };
    const value = engine.alloc(sides);
    await value.write(data);
    for (const filter of [[[1]], "sobel", filters.sobel("x"), filters.gaussian({ sigma: 1 })] as const) {
      const wanted = await engine.filter({ ...sides, data }, filter, { alpha });
      expect((await engine.filter(value, filter, { alpha })).data).toEqual(wanted.data);
      const out = engine.alloc({ ...sides, dtype: wanted.data instanceof Int16Array ? "i16" : "u8" });
      await engine.filter(value, filter, { alpha, out });
      expect(await out.read()).toEqual(wanted.data);
    }
  });

  it("have sides that cannot be changed, and no holes", () => {
    const value = engine.alloc({ shape: [2, 3] });
    expect(() => (value.shape as number[]).push(1)).toThrow(TypeError);
    // biome-ignore lint/suspicious/noSparseArray: what is refused
    expect(() => engine.alloc({ shape: [, 3, 2] as unknown as number[] })).toThrow("spec.shape: expected 3 sides");
  });

  it("of another engine, and arrays that are gone, are refused", async () => {
    const other = await createEngine({ backend });
    const sides = { width: 8, height: 8, channels: 1 };
    const [own, foreign] = [engine.alloc(sides), other.alloc(sides)];
    await expect(engine.filter(foreign, [[1]])).rejects.toMatchObject({ parameter: "value" });
    await expect(engine.filter(own, [[1]], { out: foreign })).rejects.toMatchObject({ parameter: "value" });
    other.dispose();
    expect(() => other.alloc(sides)).toThrow(expect.objectContaining({ code: "DISPOSED" }));
    const data = new Uint8Array(64);
    const [read, written] = [
      engine.filter({ ...sides, data }, [[1]]),
      engine.filter(own, [[1]], { out: new Uint8Array(64) }),
    ];
    structuredClone(data.buffer, { transfer: [data.buffer] });
    await expect(read).rejects.toMatchObject({ code: "INVALID_ARGUMENT", received: "0 of them" });
    await written;
    await expect(own.write(data)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", parameter: "data" });
    await expect(own.read(data)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", parameter: "into" });
  });
});

describe("whatever the strategy", () => {
  const sides = { width: 200, height: 131, channels: 3 };
  const cases = [
    ["direct", filters.box(3)],
    ["column-row", filters.gaussian({ sigma: 2 })],
    ["running-sum", filters.box(9)],
    ["fft", filters.disk({ radius: 7 })],
    ["coarse", filters.gaussian({ sigma: 12 })],
  ] as const;

  it.each(cases.flatMap(([strategy, filter]) => [1, 2].map((threads) => [strategy, threads, filter] as const)))(
    "values give what arrays give: %s, %i threads",
    async (strategy, threads, filter) => {
      const engine = await createEngine({ threads });
      const floats = strategy === "direct" || strategy === "column-row";
      for (const dtype of ["u8", "i16", ...(floats ? (["f32"] as const) : [])] as const) {
        const data = newArray(dtype, 200 * 131 * 3).map((_, i) => (i * 7919) % 256) as Uint8Array;
        const options = { strategy, ...(strategy === "coarse" && { tolerance: 0.02 }) };
        const wanted = await engine.filter({ ...sides, data }, filter, options);
        const [x, y] = [engine.alloc({ ...sides, dtype }), engine.alloc({ ...sides, dtype })];
        await x.write({ ...sides, data });
        for (const source of [x, { ...sides, data }]) {
          await engine.filter(source, filter, { ...options, out: y });
          expect(await y.read()).toEqual(wanted.data);
        }
        expect((await engine.filter(x, filter, options)).data).toEqual(wanted.data);
      }
      engine.dispose();
    },
  );

  it("a gradient of a value is that of its array; `out` of other sides is refused", async () => {
    const engine = await createEngine({ threads: 1 });
    const data = new Uint8Array(200 * 131 * 3).map((_, i) => i * 31);
    const x = engine.alloc(sides);
    await x.write(data);
    expect((await engine.gradient(x)).angle).toEqual((await engine.gradient({ ...sides, data })).angle);
    const turned = { width: 131, height: 200, channels: 3, data: new Uint8Array(data.length) };
    await expect(engine.filter(x, "box", { out: turned })).rejects.toThrow("out: expected sides [131, 200, 3]");
    await expect(x.write(turned)).rejects.toThrow("data: expected sides [131, 200, 3]");
    const out = { magnitude: engine.alloc({ shape: [131, 200, 3] }) as unknown as Float32Array };
    await expect(engine.gradient(x, { out })).rejects.toThrow("out.magnitude: expected an array");
    engine.dispose();
  });
});

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

  it.each(["f16", "i8", "i32"] as const)("of %s are no picture and no input of a layer", async (dtype) => {
    const picture = engine.alloc({ shape: [8, 8, 1], dtype });
    const tensor = engine.alloc({ shape: [1, 8, 8, 1], dtype });
    const weight = { shape: [3, 3, 1, 1], data: new Float32Array(9) };
    const problem = { code: "INVALID_ARGUMENT" };
    await expect(engine.filter(picture, filters.box({ size: 3 }))).rejects.toMatchObject({
      ...problem,
      parameter: "image",
      received: `[8, 8, 1] in ${dtype}`,
    });
    await expect(engine.conv2d(tensor, weight)).rejects.toMatchObject({ ...problem, parameter: "x" });
    for (const value of [picture, tensor]) value.dispose();
  });
});

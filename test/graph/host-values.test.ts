// Values on the host: memory of those that are dead serves others, and all together stay below the engine's limit.
import { describe, expect, test } from "vitest";
import { HostMemory, RunValues } from "../../src/graph/host-values.ts";
import { createEngine, LimitError } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { model, node, value } from "../onnx/build.ts";

const spec = { dtype: "f32", shape: [2048] } as const;

test("a value goes after its last reader, under all of its names, and its memory serves the next", () => {
  const memory = new HostMemory(() => 3 * 8192);
  const uses = new Map([
    ["a", 2],
    ["same", 1],
    ["b", 1],
  ]);
  const values = new RunValues(memory, uses);
  const a = values.room("a", spec, false);
  values.set("a", a);
  values.set("same", { ...a, shape: [2, 1024] });
  values.done(["a", "a"]);
  const b = values.room("b", spec, false);
  expect(b.data.buffer).not.toBe(a.data.buffer);
  values.set("b", b);
  values.done(["same"]);
  (a.data as Float32Array).fill(1);
  const c = values.room("c", { dtype: "i32", shape: [2000] }, false);
  expect(c.data.buffer).toBe(a.data.buffer);
  expect(c.data).toEqual(new Int32Array(2000));
  expect(memory.bytes).toBe(2 * 8192);
  expect(() => values.room("d", { dtype: "f64", shape: [2048] }, true)).toThrow(LimitError);
  values.end();
  new RunValues(memory, uses).end();
  expect(memory.bytes).toBe(0);
});

describe("a network whose nodes run on the host", () => {
  const size = 2 ** 20;
  const x = { shape: [size], data: new Float64Array(size).fill(3) };
  const inputs = [value("x", [size], 11)];
  const outputs = [value("y", [size], 11)];
  const names = Array.from({ length: 20 }, (_, i) => `v${i}`);

  test("holds a few of many values that follow one another", async () => {
    const chain = names.map((name, i) => node("Neg", [names[i - 1] ?? "x"], [name]));
    const file = model({ nodes: [...chain, node("Neg", [names.at(-1)!], ["y"])], inputs, outputs });
    const engine = await createEngine({ threads: 1, maxMemory: 2 ** 25 });
    const net = await loadModel(file, { engine });
    for (let run = 0; run < 2; run++) expect((await net.run({ x })).y!.data[7]).toBe(-3);
    engine.dispose();
  });

  test("is refused where all of them are needed at once", async () => {
    const all = names.map((name) => node("Neg", ["x"], [name]));
    const file = model({ nodes: [...all, node("Sum", names, ["y"])], inputs, outputs });
    const engine = await createEngine({ threads: 1, maxMemory: 2 ** 26 });
    const net = await loadModel(file, { engine });
    await expect(net.run({ x })).rejects.toThrow(/maxMemory: expected at most \d+ bytes for values on the host/);
    engine.dispose();
    const ample = await createEngine({ threads: 1 });
    const other = await loadModel(file, { engine: ample });
    expect((await other.run({ x })).y!.data[7]).toBe(-60);
    ample.dispose();
  });
});

// A separation that was stopped goes on from what its store holds, and gives the file that it would have given.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { drawShapes } from "../../demo/drawing/shapes/draw.ts";
import { createEngine } from "../../src/index.ts";
import { exampleModel } from "../../src/node/package.ts";
import { imageToTensor, loadModel, type SeparateStore, saveModel, separateModel } from "../../src/onnx/index.ts";
import { Checkpoint, Fingerprint } from "../../src/separate/checkpoint.ts";

const calibration = drawShapes(6, 9).map(({ picture }) => ({ input: imageToTensor(picture) }));
const bytes: Uint8Array = new Uint8Array(readFileSync(exampleModel));

function memory(): SeparateStore & { text?: string } {
  return {
    async read() {
      return this.text;
    },
    async write(text) {
      this.text = text;
    },
  };
}

test("what was stopped goes on, and gives the same file", async () => {
  const engine = await createEngine({ threads: 1 });
  try {
    const model = await loadModel(bytes, { engine });
    const options = { reduce: 1.01, calibration };
    const layers = /^\/conv1\//;
    const whole = saveModel((await separateModel(model, { ...options, layers })).model);
    const [store, stop] = [memory(), new AbortController()];
    const onProgress = (done: number): void => {
      if (done > 0.54) stop.abort();
    };
    const stopped = separateModel(model, { ...options, layers, store, onProgress, signal: stop.signal });
    await expect(stopped).rejects.toThrow(/abort/i);
    expect(store.text).toContain("curve of");
    const before = store.text!.length;
    const resumed = saveModel((await separateModel(model, { ...options, layers, store })).model);
    expect(resumed).toEqual(whole);
    expect(store.text!.length).toBeGreaterThan(before);
  } finally {
    engine.dispose();
  }
});

test("numbers come back bit for bit; what is of something else, cut off or empty counts as nothing", async () => {
  const store = memory();
  const found = {
    a: Float64Array.of(1 / 3, -0, 1e-300),
    b: [Float32Array.of(0.1, 2)],
    c: undefined,
    d: 0.1,
    e: Infinity,
  };
  const first = await Checkpoint.open(store, "this");
  await first.once("key", () => found);
  await first.save();
  const again = await Checkpoint.open(store, "this");
  expect(again.goesOn).toBe(true);
  const { c, ...rest } = found;
  expect(await again.once("key", () => expect.fail("it is known"))).toEqual(rest);
  expect(c).toBeUndefined();
  expect((await Checkpoint.open(store, "other")).goesOn).toBe(false);
  store.text = store.text!.slice(0, 20);
  expect((await Checkpoint.open(store, "this")).goesOn).toBe(false);
  store.text = "null";
  expect((await Checkpoint.open(store, "this")).goesOn).toBe(false);
});

test("fingerprints tell data apart, wherever they begin", () => {
  const bytes = Uint8Array.from({ length: 23 }, (_, i) => i);
  const of = (data: Uint8Array): string => {
    const print = new Fingerprint();
    print.add(data);
    return print.text;
  };
  expect(of(bytes)).not.toBe(of(bytes.map((value, i) => (i === 22 ? value + 1 : value))));
  expect(of(bytes)).not.toBe(of(bytes.map((value, i) => (i === 0 ? value + 1 : value))));
  expect(of(bytes)).toBe(of(bytes.slice()));
});

test("a store is checked", async () => {
  const wrong = { reduce: 2, store: { read: 1 } as unknown as SeparateStore };
  await expect(separateModel(await loadModel(bytes), wrong)).rejects.toThrow(/store/);
});

// Random files against ONNX Runtime, with equal bits on one to three threads.
import { expect, test } from "vitest";
import { createEngine } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { expectClose } from "./close.ts";
import { randomModel } from "./random-models.ts";
import { runRuntime, runtime } from "./runtime.ts";

const seeds = Array.from({ length: 30 }, (_, seed) => seed);

test("30 networks give equal bits on one to three threads, and what ONNX Runtime gives", {
  timeout: 120_000,
}, async () => {
  const engines = await Promise.all([1, 2, 3].map((threads) => createEngine({ backend: "wasm", threads })));
  for (const seed of seeds) {
    const { bytes, inputs } = randomModel(seed);
    const wanted = (await runtime) && (await runRuntime(bytes, inputs));
    const found = [];
    for (const engine of engines) {
      const net = await loadModel(bytes, { engine });
      found.push(await net.run(inputs));
      net.dispose();
    }
    for (const name of Object.keys(found[0]!)) {
      for (const one of found.slice(1)) expect(one[name]!.data, `seed ${seed}, ${name}`).toEqual(found[0]![name]!.data);
      if (wanted) expectClose(found[0]![name]!, wanted[name]!, 1e-4);
    }
  }
  for (const engine of engines) engine.dispose();
});

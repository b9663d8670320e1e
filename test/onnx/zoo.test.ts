// Models that other people published, run as they are, against ONNX Runtime: on two threads, in wide code, and, where that does
// not take long, on the reference. Nothing in rank1 knows one of them by name.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { feedsOf, pathOf } from "../../bench/models/cases.ts";
import { zooCase, zooFiles } from "../../bench/models/zoo.ts";
import { createEngine, type EngineOptions } from "../../src/index.ts";
import { inspectModel, loadModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { withoutData } from "../data.ts";
import { runRuntime, runtime } from "./runtime.ts";

const missing = withoutData("zoo") || (runtime ? "" : ": skipped, this machine has no build of onnxruntime-node");
/** Multiplications that plain loops may take. */
const mostOnReference = 3e7;

const maxMemory = 2 ** 32 - 2 ** 16;
const kinds: [name: string, options: EngineOptions][] = [
  ["on two threads", { threads: 2, backend: "wasm", maxMemory }],
  ["in wide code", { threads: 1, wide: true, backend: "wasm", maxMemory }],
  ["on the reference", { backend: "reference", maxMemory }],
];
const engines = new Map(kinds.map(([name, options]) => [name, createEngine(options)]));
afterAll(async () => {
  for (const engine of engines.values()) (await engine).dispose();
});

/** Which nodes a model leaves to the host, by their operators. */
const onHost = new Map<string, string[]>();

describe.skipIf(missing !== "")(`published models${missing}`, () => {
  test.each(zooFiles)("%s", { timeout: 180_000 }, async (file) => {
    const problem = await zooCase(file);
    const bytes = readFileSync(pathOf(problem));
    const feeds = feedsOf(problem);
    const inputs = Object.fromEntries(feeds.map(({ name, shape, data }): [string, Tensor] => [name, { shape, data }]));
    const expected = await runRuntime(bytes, inputs, "all");
    const shapes = Object.fromEntries(feeds.map((feed) => [feed.name, feed.shape]));
    for (const [name, engine] of engines) {
      const model = await loadModel(bytes, { engine: await engine });
      const { multiplications } = inspectModel(model, { shapes, splits: false }).totals;
      if (name === "on the reference" && multiplications > mostOnReference) continue;
      const found = await model.run(inputs);
      if (name === "on two threads") {
        const { programs } = await model.info();
        onHost.set(
          file,
          programs[0]!.host.map(({ op }) => op),
        );
      }
      expectNear(found, expected, problem.allowed, name);
      model.dispose();
    }
  });

  test("run on the backend, most of them whole", () => {
    const left = [...onHost].filter(([, ops]) => ops.length > 0);
    console.log(
      `published models with nodes on the host:\n${left.map(([file, ops]) => `${file}: ${ops.join(", ")}`).join("\n")}`,
    );
    expect(zooFiles.length - left.length).toBeGreaterThanOrEqual(0.8 * zooFiles.length);
  });
});

type Outputs = Readonly<Record<string, Tensor>>;

/** Within a share of the largest value of all outputs: some are next to nothing on noise. */
function expectNear(found: Outputs, expected: Outputs, allowed: number, what: string): void {
  let [most, worst] = [0, 0];
  for (const [name, { shape, data }] of Object.entries(expected)) {
    expect(found[name]!.shape, what).toEqual(shape);
    const own = found[name]!.data;
    for (let i = 0; i < data.length; i++) {
      const [right, difference] = [Number(data[i]), Math.abs(Number(own[i]) - Number(data[i]))];
      most = Math.max(most, Math.abs(right));
      if (!(difference <= worst)) worst = difference;
    }
  }
  expect(worst, what).toBeLessThanOrEqual(allowed * most);
}

// Models that other people published, run as they are on two threads, against ONNX Runtime. Nothing here or in rank1 knows one
// of them by name; those with operators that rank1 lacks must say which.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/index.ts";
import { loadModel, type Model } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { dataPath, withoutData } from "../data.ts";
import { random } from "../oracle.ts";
import { runRuntime, runtime } from "./runtime.ts";

const missing = withoutData("zoo") || (runtime ? "" : ": skipped, this machine has no build of onnxruntime-node");
const folder = dataPath("zoo");
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".onnx")) : [];
/** Sides that a model leaves open, but for the batch. */
const openSide = 320;

const engine = createEngine({ threads: 2, backend: "wasm", maxMemory: 2 ** 32 - 2 ** 16 });
afterAll(async () => (await engine).dispose());

/** Noise for each input; undefined where one is not of 32-bit floats. */
function inputsOf({ graph }: Model): Record<string, Tensor> | undefined {
  const next = random(7);
  if (graph.inputs.some(({ dtype }) => dtype !== "f32")) return undefined;
  return Object.fromEntries(
    graph.inputs.map(({ name, shape: declared = [1, 3, openSide, openSide] }) => {
      const shape = declared.map((side, axis) => (typeof side === "number" ? side : axis === 0 ? 1 : openSide));
      const length = shape.reduce((product, side) => product * side, 1);
      return [name, { shape, data: Float32Array.from({ length }, next) }];
    }),
  );
}

/** Why a model is not compared. */
const left: string[] = [];
let compared = 0;

describe.skipIf(missing !== "")(`published models${missing}`, () => {
  test.each(files)("%s", { timeout: 120_000 }, async (file) => {
    const bytes = readFileSync(dataPath("zoo", file));
    const model = await loadModel(bytes, { engine: await engine });
    const inputs = inputsOf(model);
    if (!inputs) return void left.push(`${file}: inputs of other types`);
    const expected = await runRuntime(bytes, inputs).catch(() => undefined);
    if (!expected) return void left.push(`${file}: ONNX Runtime does not run it on noise`);
    const found = await model.run(inputs).catch((error) => {
      expect(error).toMatchObject({ code: "UNSUPPORTED_OP" });
      left.push(`${file}: ${error.message}`);
      return undefined;
    });
    model.dispose();
    if (!found) return;
    // Of the largest value of all outputs: some are next to nothing on noise.
    const most = Math.max(...Object.values(expected).map(({ data }) => largest(data as Float32Array)));
    for (const [name, { shape, data }] of Object.entries(expected)) {
      expect(found[name]!.shape).toEqual(shape);
      const own = found[name]!.data as Float32Array;
      const worst = (data as Float32Array).reduce((worst, value, i) => Math.max(worst, Math.abs(own[i]! - value)), 0);
      expect(worst).toBeLessThanOrEqual(1e-3 * most);
    }
    if (Object.values(expected).every(({ data }) => data.length === 0))
      return void left.push(`${file}: nothing is found in noise`);
    compared++;
  });

  test("are compared, most of them", () => {
    console.log(`published models: ${compared} of ${files.length} compared; left out:\n${left.join("\n")}`);
    expect(compared).toBeGreaterThan(files.length / 2);
  });
});

const largest = (data: Float32Array): number =>
  data.reduce((most, value) => Math.max(most, Math.abs(Number(value))), 0);

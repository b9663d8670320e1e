// How sure a rewritten network is of its answers: no other temperature loses less on what it was found by.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { drawShapes } from "../../demo/drawing/shapes/draw.ts";
import { createEngine } from "../../src/index.ts";
import { exampleModel } from "../../src/node/package.ts";
import { imageToTensor, loadModel, type Model, saveModel, separateModel } from "../../src/onnx/index.ts";
import { logProbabilities } from "../../src/separate/heads.ts";
import { expectClose } from "../onnx/close.ts";
import { runRuntime, runtime, withoutRuntime } from "../onnx/runtime.ts";

test("scores of classes are divided by the temperature that loses least, and the file holds it", async ({ skip }) => {
  const engine = await createEngine({ threads: 1 });
  try {
    const inputs = drawShapes(80, 9).map(({ picture }) => ({ input: imageToTensor(picture) }));
    const model = await loadModel(new Uint8Array(readFileSync(exampleModel)), { engine });
    const { model: small, report } = await separateModel(model, { rank: 1, layers: /conv[345]/, calibration: inputs });
    expect(report.layers.length).toBeGreaterThan(0);
    const scoresOf = async (one: Model) =>
      Promise.all(inputs.map(async (input) => Float64Array.from((await one.run(input)).logits!.data as Float32Array)));
    const [wanted, found] = [await scoresOf(model), await scoresOf(small)];
    const lossAt = (temperature: number): number =>
      wanted.reduce((sum, scores, i) => {
        if (i % 5 === 4) return sum;
        const [p, q] = [logProbabilities(scores), logProbabilities(found[i]!, temperature)];
        return sum + p.reduce((own, log, c) => own + Math.exp(log) * (log - q[c]!), 0);
      }, 0);
    for (const other of [0.8, 1.25]) expect(lossAt(1)).toBeLessThan(lossAt(other));
    skip(!runtime, withoutRuntime);
    expectClose((await small.run(inputs[0]!)).logits!, (await runRuntime(saveModel(small), inputs[0]!)).logits!, 1e-4);
  } finally {
    engine.dispose();
  }
}, 60_000);

// Plain loops, TensorFlow.js, ONNX Runtime and the engine compute the same layers.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { testEngines } from "../engine/engines.ts";
import { byLoops, dataFor, hardCases, type LayerCase, randomCases, toleranceOf } from "./cases.ts";
import { engineLayers, type Implementation, onnxRuntime, tensorFlow } from "./implementations.ts";

const engines = testEngines();
const implementations: Implementation[] = [
  ...[tensorFlow, onnxRuntime],
  ...engines.map(([name, engine]) => engineLayers(name, engine, "NHWC")),
  ...engines.slice(0, 2).map(([name, engine]) => engineLayers(name, engine, "NCHW")),
];

/** The largest difference from the loops, in units of what f32 may miss there. */
async function worst(implementation: Implementation, layer: LayerCase): Promise<number> {
  const data = dataFor(layer);
  const [wanted, tolerance] = [byLoops(layer, data), toleranceOf(layer, data)];
  const got = await implementation.run(layer, data);
  expect(got.length).toBe(wanted.length);
  return wanted.reduce((most, v, i) => {
    const miss = Math.abs(got[i]! - v);
    return Math.max(most, Number.isNaN(miss) ? Infinity : miss === 0 ? 0 : miss / tolerance[i]!);
  }, 0);
}

describe.each(implementations.map((one) => [one.name, one] as const))("%s", (_, implementation) => {
  test.for(hardCases)("%s", async ([, layer], { skip }) => {
    const why = implementation.refuses(layer);
    skip(why !== undefined, why);
    expect(await worst(implementation, layer)).toBeLessThanOrEqual(1);
  });

  test("random layers", async ({ skip }) => {
    const why = implementation.refuses(hardCases[0]![1]);
    skip(why !== undefined, why);
    const property = fc.asyncProperty(randomCases, async (layer) => {
      fc.pre(implementation.refuses(layer) === undefined);
      expect(await worst(implementation, layer)).toBeLessThanOrEqual(1);
    });
    await fc.assert(property, { numRuns: 40 });
  });
});

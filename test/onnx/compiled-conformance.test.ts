// Compiled models against ONNX's own tests of operators, on each kind of engine.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/onnx/index.ts";
import { testEngines } from "../engine/engines.ts";
import { expectClose } from "./close.ts";
import {
  casesOf,
  conformanceTest,
  noConformance,
  reportOf,
  skipped,
  suiteNames,
  testsOf,
  toleranceOf,
} from "./conformance.ts";

const engines = testEngines().filter(([name]) => name !== "wasm, 1 thread");

describe.skipIf(noConformance)(`conformance of compiled models${noConformance}`, () => {
  describe.each(suiteNames)("%s", (suite) => {
    const names = testsOf(suite);
    const passed = new Map(engines.map(([name]) => [name, 0]));
    test.each(names.filter((name) => !(name in skipped)))("%s", async (name) => {
      const path = conformanceTest(suite, name);
      const bytes = readFileSync(join(path, "model.onnx"));
      for (const [title, engine] of engines) {
        const model = await loadModel(bytes, { engine: await engine });
        for (const { inputs, outputs } of casesOf(path, model.graph)) {
          const found = await model.run(inputs);
          expect(Object.keys(found)).toEqual(Object.keys(outputs));
          for (const [output, expected] of Object.entries(outputs))
            expectClose(found[output]!, expected, toleranceOf(name));
        }
        model.dispose();
        passed.set(title, passed.get(title)! + 1);
      }
    });
    afterAll(() => {
      for (const [title, count] of passed) console.log(reportOf(`conformance/${suite}, ${title}`, count, names));
    });
    for (const name of names.filter((one) => one in skipped)) test.skip(`${name}: ${skipped[name]}`);
  });
});

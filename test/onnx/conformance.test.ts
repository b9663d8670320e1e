// Operators against ONNX's own tests: each a model, inputs and outputs in files, run as it is and after all passes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { inferKnown } from "../../src/graph/infer.ts";
import { floats } from "../../src/graph/nodes.ts";
import { optimize } from "../../src/graph/passes/index.ts";
import type { Graph, Spec } from "../../src/graph/types.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
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

/** The network for these shapes. A first input of floats is what it works on; others may say sizes. */
function forShapes(graph: Graph, inputs: Record<string, Tensor>): Graph {
  const specs = [...checkInputs(graph, inputs)].map(([name, value], i): [string, Spec] => {
    return [name, i === 0 && floats.includes(value.dtype) ? { ...value, data: undefined } : value];
  });
  return optimize(graph, operators, new Map(specs));
}

describe.skipIf(noConformance)(`conformance${noConformance}`, () => {
  describe.each(suiteNames)("%s", (suite) => {
    let passed = 0;
    const names = testsOf(suite);
    test.each(names.filter((name) => !(name in skipped)))("%s", async (name) => {
      const path = conformanceTest(suite, name);
      const { graph } = await loadModel(readFileSync(join(path, "model.onnx")));
      const cases = casesOf(path, graph);
      expect(cases.length).toBeGreaterThan(0);
      for (const { inputs, outputs } of cases) {
        const { specs } = inferKnown(graph, operators, checkInputs(graph, inputs));
        for (const one of [graph, optimize(graph, operators), forShapes(graph, inputs)]) {
          const found = runGraph(one, operators, inputs);
          expect(Object.keys(found)).toEqual(Object.keys(outputs));
          for (const [output, expected] of Object.entries(outputs)) {
            expectClose(found[output]!, expected, toleranceOf(name));
            // What loops give may only be known when they have run.
            if (specs.has(output) || !graph.nodes.some(({ graphs }) => graphs))
              expect(specs.get(output)!.shape).toEqual(expected.shape);
          }
        }
      }
      passed++;
    });
    afterAll(() => console.log(reportOf(`conformance/${suite}`, passed, names)));
    for (const name of names.filter((one) => one in skipped)) test.skip(`${name}: ${skipped[name]}`);
  });
});

// Operators against ONNX Runtime, each on random shapes, types and attributes.
import { describe, expect, test } from "vitest";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { infer } from "../../src/graph/infer.ts";
import { isQuantized } from "../../src/graph/quantized/names.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { Random } from "../random-tensors.ts";
import { cases } from "./cases.ts";
import { expectClose } from "./close.ts";
import { modelOf } from "./one-node.ts";
import { runRuntime, runtime } from "./runtime.ts";

const seeds = Array.from({ length: 8 }, (_, seed) => seed);

describe.skipIf(!runtime)("operators compute what ONNX Runtime computes (skipped where that does not load)", () => {
  test.each(Object.entries(cases))("%s", async (_title, make) => {
    for (const seed of seeds) {
      const one = make(new Random(seed));
      const [bytes, inputs] = modelOf(one);
      const { graph } = await loadModel(bytes);
      const said = JSON.stringify({
        ...one,
        inputs: one.inputs.map((input) => input && `${input.dtype} [${input.shape}]`),
      });
      const expected = await runRuntime(bytes, inputs).catch((error) => expect.fail(`${said}: ${error}`));
      const specs = infer(graph, operators, checkInputs(graph, inputs));
      const found = runGraph(graph, operators, inputs);
      for (const { name } of graph.outputs) {
        try {
          expectClose(found[name]!, expected[name]!, one.tolerance);
          expect(specs.get(name)!.shape).toEqual(found[name]!.shape);
        } catch (error) {
          expect.fail(
            `${said}: ${name}: ${error}\n${expected[name]!.data.slice(0, 30)}\n${found[name]!.data.slice(0, 30)}`,
          );
        }
      }
    }
  });

  test("cover all operators but those that compute nothing and those that passes make", () => {
    const covered = Object.values(cases).flatMap((make) => seeds.map((seed) => make(new Random(seed)).op));
    const plain =
      "CastLike Constant ConstantOfShape Dropout Flatten Identity If Loop Reshape Scan Shape Size Squeeze Unsqueeze".split(
        " ",
      );
    // Of com.microsoft some become ONNX's own.
    const own = covered.filter((op) => !op.startsWith("com.") || operators.has(op));
    // Quantised operators have tests of their own.
    const quantised = [...operators.keys()].filter((op) => isQuantized({ op }));
    const made = "SeparableConv Rearrange QuantizedConv QuantizedMatMul Requantize DynamicScale DynamicLimit".split(
      " ",
    );
    const all = new Set([...own, ...plain, ...quantised, ...made]);
    expect([...all].sort()).toEqual([...operators.keys()].sort());
  });
});

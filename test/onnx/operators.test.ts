// Operators against ONNX Runtime, each on random shapes, types and attributes.
import { describe, expect, test } from "vitest";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { infer } from "../../src/graph/infer.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { AttributeProto } from "../../src/onnx/schema.ts";
import type { DType, Tensor } from "../../src/tensor.ts";
import { Random } from "../random-tensors.ts";
import { attribute, big, model, node, value } from "./build.ts";
import type { Attributes, OperatorCase } from "./cases/use.ts";
import { cases } from "./cases.ts";
import { expectClose } from "./close.ts";
import { runRuntime, runtime } from "./runtime.ts";

const seeds = Array.from({ length: 8 }, (_, seed) => seed);

const floats = new Set([
  "alpha",
  "beta",
  "epsilon",
  "min",
  "max",
  "value",
  "cubic_coeff_a",
  "extrapolation_value",
  "clip",
  "lambd",
  "bias",
  "activation_alpha",
  "activation_beta",
]);
const numberOfType: Partial<Record<DType, number>> = {
  ...{ f32: 1, u8: 2, i8: 3, u16: 4, i16: 5, i32: 6, i64: 7, bool: 9, f64: 11, u32: 12, u64: 13 },
};

const encoder = new TextEncoder();

function attributeOf([name, given]: [string, Attributes[string]]): AttributeProto {
  if (typeof given === "string") return attribute(name, { s: encoder.encode(given), type: 3n });
  if (typeof given !== "number" && typeof given[0] === "string")
    return attribute(name, { strings: given.map((one) => encoder.encode(String(one))), type: 8n });
  if (typeof given !== "number" && floats.has(name)) return attribute(name, { floats: given as number[], type: 6n });
  if (typeof given !== "number") return attribute(name, { ints: big(given as readonly number[]), type: 7n });
  return attribute(name, floats.has(name) ? { f: given, type: 1n } : { i: BigInt(given), type: 2n });
}

/** A model of one node. */
function modelOf({
  op,
  opset,
  attributes = {},
  inputs,
  outputs = 1,
}: OperatorCase): [Uint8Array, Record<string, Tensor>] {
  const names = inputs.map((input, i) => (input ? `x${i}` : ""));
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const given = inputs.flatMap((input, i) => (input ? [[names[i]!, input] as const] : []));
  const bytes = model({
    nodes: [node(op, names, results, { attribute: Object.entries(attributes).map(attributeOf) })],
    inputs: given.map(([name, { shape, dtype }]) => value(name, shape, numberOfType[dtype!]!)),
    outputs: results.map((name) => ({ name })),
    more: { opsetImport: [{ version: BigInt(opset) }] },
  });
  return [bytes, Object.fromEntries(given)];
}

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
      "CastLike If Loop Scan Constant ConstantOfShape Dropout Flatten Identity Reshape Shape Size Squeeze Unsqueeze".split(
        " ",
      );
    expect([...new Set([...covered, ...plain, "SeparableConv"])].sort()).toEqual([...operators.keys()].sort());
  });
});

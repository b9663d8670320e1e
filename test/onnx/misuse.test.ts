// Operators on inputs and attributes that do not fit: they compute, or refuse with an error that names the node.
import { describe, expect, test } from "vitest";
import { Rank1Error } from "../../src/errors.ts";
import { compute, outputsOf } from "../../src/graph/evaluate.ts";
import type { GraphNode } from "../../src/graph/types.ts";
import { sizeOf, toValue } from "../../src/graph/values.ts";
import { standardNodes } from "../../src/onnx/contrib.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { DType, Tensor } from "../../src/tensor.ts";
import { Random } from "../random-tensors.ts";
import type { OperatorCase } from "./cases/use.ts";
import { cases } from "./cases.ts";

const types: readonly DType[] = ["f32", "f64", "u8", "i8", "i32", "i64", "bool", "u16", "u64"];
const odd = [
  -1,
  0,
  1,
  2,
  3,
  7,
  0.5,
  1e9,
  -(2 ** 31),
  2 ** 63,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "SAME_UPPER",
  "linear",
  "ceil",
];

/** One thing made wrong, or odd, or left out. */
function spoil(one: OperatorCase, r: Random): OperatorCase {
  const index = r.int(0, one.inputs.length - 1);
  const input = one.inputs[index];
  const replaced = (tensor: Tensor | undefined): OperatorCase => ({ ...one, inputs: one.inputs.with(index, tensor) });
  const how = r.int(0, 6);
  if (how === 0) return replaced(undefined);
  if (how === 1) return { ...one, inputs: one.inputs.slice(0, index) };
  if (how === 2 && input) return replaced(r.tensor(r.ints(r.int(0, 5), 0, 4), input.dtype));
  if (how === 3 && input) return replaced(r.tensor(input.shape, r.pick(types)));
  if (how === 4 && input) return replaced(r.tensor(input.shape, input.dtype, -(2 ** 31), 2 ** 31));
  const attributes = Object.keys(one.attributes ?? {});
  const name = r.pick([...attributes, "axis", "kernel_shape", "strides", "pads", "group", "axes", "mode"]);
  const value = how === 5 ? r.pick(odd) : Array.from({ length: r.int(0, 4) }, () => r.pick(odd.slice(0, 12)) as number);
  return { ...one, attributes: { ...one.attributes, [name]: value } };
}

describe("misused operators", () => {
  test.each(Object.entries(cases))("%s", (_title, make) => {
    let refused = 0;
    for (let seed = 0; seed < 150; seed++) {
      const r = new Random(seed);
      const { op, opset, attributes = {}, inputs, outputs = 1 } = spoil(make(r), r);
      const node: GraphNode = {
        ...{ name: "spoilt", op, opset, attributes },
        inputs: inputs.map((input, i) => (input ? `x${i}` : "")),
        outputs: Array.from({ length: outputs }, (_, i) => `y${i}`),
      };
      const values = inputs.map((input) => input && toValue(input)!);
      const said = JSON.stringify({
        ...node,
        inputs: values.map((one) => one && `${one.dtype} [${one.shape}] ${one.data.slice(0, 9)}`),
      });
      try {
        const known = new Map(values.map((value, i) => [value ? `x${i}` : "", value]));
        for (const one of standardNodes(node)) {
          const read = one.inputs.map((name) => known.get(name));
          const specs = outputsOf(one, operators, read);
          if (specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0) > 1e5) break;
          for (const [i, value] of compute(one, operators, read, specs).entries()) {
            expect(value.data.length, `${said}: output ${i}`).toBe(sizeOf(value.shape));
            known.set(one.outputs[i]!, value);
          }
        }
      } catch (error) {
        refused++;
        expect(error, `${said}: ${(error as Error).stack}`).toBeInstanceOf(Rank1Error);
        expect((error as Error).message).toContain("spoilt");
      }
    }
    expect(refused).toBeGreaterThan(5);
  });
});

// Attention and RotaryEmbedding on the backend, against the loops of the host; masks that hide all keys; what is refused.
import { describe, expect, test } from "vitest";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { specialize } from "../../src/graph/passes/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { testEngines } from "../engine/engines.ts";
import { Random, tensorOf } from "../random-tensors.ts";
import { attention, rotaryEmbedding } from "./cases/attention.ts";
import type { OperatorCase } from "./cases/use.ts";
import { expectClose } from "./close.ts";
import { modelOf } from "./one-node.ts";

const seeds = Array.from({ length: 24 }, (_, seed) => seed);

async function byLoops(one: OperatorCase): Promise<Record<string, Tensor>> {
  const [bytes, inputs] = modelOf(one);
  return runGraph((await loadModel(bytes)).graph, operators, inputs);
}

describe.each(testEngines())("%s", (_title, engine) => {
  test.each([attention, rotaryEmbedding])("%o as the host's loops", async (make) => {
    for (const seed of seeds) {
      const one = make(new Random(seed));
      const [bytes, inputs] = modelOf(one);
      const loaded = await loadModel(bytes, { engine: await engine });
      const [found, expected] = [await loaded.run(inputs), await byLoops(one)];
      for (const [name, tensor] of Object.entries(expected)) expectClose(found[name]!, tensor, 1e-5, 0.1);
      loaded.dispose();
    }
  });

  test("a query that may look at no key gives zeros", async () => {
    const [r, sides] = [new Random(1), [1, 1, 2, 3]];
    const mask = tensorOf([2, 2], [1, 0, 0, 0], "bool");
    const inputs = [r.tensor(sides), r.tensor(sides), r.tensor(sides), mask];
    const [bytes, given] = modelOf({ op: "Attention", opset: 23, inputs });
    const loaded = await loadModel(bytes, { engine: await engine });
    const { y0 } = await loaded.run(given);
    expect([...y0!.data]).toEqual([...inputs[2]!.data.slice(0, 3), 0, 0, 0]);
    loaded.dispose();
  });
});

/** Of one head with keys and values as given: the shares of each query, by products of 0. */
async function shares(
  attributes: OperatorCase["attributes"],
  [queries, keys]: [number, number],
  more: OperatorCase["inputs"] = [],
) {
  const zeros = (rows: number): Tensor => tensorOf([1, 1, rows, 1], Array(rows).fill(0));
  const inputs = [zeros(queries), zeros(keys), zeros(keys), ...more];
  const one = {
    op: "Attention",
    opset: 25,
    attributes: { ...attributes, qk_matmul_output_mode: 3 },
    inputs,
    outputs: 4,
  };
  const { y3 } = await byLoops(one);
  return Array.from({ length: queries }, (_, i) => [...y3!.data.slice(i * y3!.shape[3]!, (i + 1) * y3!.shape[3]!)]);
}

test("queries see the past, and of what comes with them what is not ahead", async () => {
  const past = [1, 2].map(() => tensorOf([1, 1, 2, 1], [0, 0]));
  expect(await shares({ is_causal: 1 }, [2, 2], [undefined, ...past])).toEqual([
    [1 / 3, 1 / 3, 1 / 3, 0].map(Math.fround),
    [0.25, 0.25, 0.25, 0.25],
  ]);
});

test("windows, lengths of keys, and masks of fewer keys hide the others", async () => {
  const window = { left_window_size: 1, right_window_size: 0 };
  expect(await shares(window, [2, 3])).toEqual([
    [1, 0, 0],
    [0.5, 0.5, 0],
  ]);
  const lengths = tensorOf([1], [2], "i64");
  expect(await shares({}, [1, 3], [undefined, undefined, undefined, lengths])).toEqual([[0.5, 0.5, 0]]);
  expect(await shares({}, [1, 3], [tensorOf([1, 2], [0, 0])])).toEqual([[0.5, 0.5, 0]]);
});

test("nodes of products and a softmax take its place", async () => {
  const [bytes, inputs] = modelOf(attention(new Random(3)));
  const { graph } = await loadModel(bytes);
  const specs = [...checkInputs(graph, inputs)].map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);
  const ops = specialize(graph, operators, new Map(specs)).graph.nodes.map(({ op }) => op);
  expect(ops.filter((op) => op === "MatMul")).toHaveLength(2);
  expect(ops).toContain("Softmax");
  expect(ops).not.toContain("Attention");
});

const of = (shape: number[]): Tensor => new Random(0).tensor(shape);

test.each<[string, Partial<OperatorCase>, string]>([
  [
    "heads that do not divide rows",
    { inputs: [of([1, 2, 6]), of([1, 2, 6]), of([1, 2, 6])], attributes: { q_num_heads: 4, kv_num_heads: 2 } },
    "rows of 4 heads",
  ],
  ["heads that are not said", { inputs: [of([1, 2, 6]), of([1, 2, 6]), of([1, 2, 6])] }, "q_num_heads"],
  ["keys of another size", { inputs: [of([1, 2, 2, 3]), of([1, 2, 2, 4]), of([1, 2, 2, 4])] }, "keys of [1,2,2,3]"],
  [
    "a mask of more keys",
    { inputs: [...[1, 2, 3].map(() => of([1, 2, 2, 3])), of([2, 5])] },
    "a mask that fits [1,2,2,2]",
  ],
  [
    "half a past",
    { inputs: [...[1, 2, 3].map(() => of([1, 2, 2, 3])), undefined, of([1, 2, 1, 3])] },
    "past keys and past values together",
  ],
])("%s are refused", async (_title, more, message) => {
  const [bytes, inputs] = modelOf({ op: "Attention", opset: 23, inputs: [], ...more });
  const loaded = await loadModel(bytes);
  await expect(loaded.run(inputs)).rejects.toThrow(message);
});

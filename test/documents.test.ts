// The pages of the documentation: generated parts are fresh, the snippets print what they say, and the errors are those of
// the code.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { known, pages, placeOf, renderPage } from "../scripts/docs.ts";
import onnx from "../scripts/onnx-operators.json" with { type: "json" };
import { errorCodes } from "../src/errors.ts";
import * as rank1 from "../src/index.ts";
import * as models from "../src/onnx/index.ts";
import { model, node, tensor, value } from "./onnx/build.ts";
import { cases } from "./onnx/cases.ts";
import { conformanceTest, noConformance, skipped, suiteNames, testsOf } from "./onnx/conformance.ts";
import { Random } from "./random-tensors.ts";

const textOf = (name: string): string => readFileSync(join(import.meta.dirname, "../docs", name), "utf8");

test.each(Object.keys(pages))("docs/%s is fresh: else run node scripts/docs.ts", (name) => {
  const { current, fresh } = renderPage(name);
  expect(current).toBe(fresh);
});

describe.each(["theory.md", "errors.md"])("docs/%s", (name) => {
  const snippets = [...textOf(name).matchAll(/```js\n(.*?)```/gs)].map((match) => match[1]!);
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  const compact = (line: string): string => line.replaceAll(", ", ",");

  test("has snippets", () => expect(snippets.length).toBeGreaterThan(0));

  test.each(snippets)("prints what it says: %#", async (snippet) => {
    const expected = [...snippet.matchAll(/console\.log\(.*\/\/ → (.*)/g)].map((match) => match[1]!);
    const printed: string[] = [];
    const log = (...values: unknown[]) => printed.push(values.map((value) => JSON.stringify(value)).join(" "));
    const body = snippet.replace(/^import .* from "rank1";$/m, "");
    await new AsyncFunction(...Object.keys(rank1), "console", body)(...Object.values(rank1), { log });
    expect(expected.length).toBeGreaterThan(0);
    expect(printed.map(compact)).toEqual(expected.map(compact));
  });
});

describe("docs/models.md", () => {
  test("says of what is missing that it is, and of nothing else", () => {
    const rows = [...textOf("models.md").matchAll(/^\| (\w+) \| (?:backend|host)/gm)].map(([, name]) => name!);
    expect(rows).toEqual(known);
    const missing = /^Missing, .*: (.*)\.$/m.exec(textOf("models.md"))![1]!.split(", ");
    expect([...rows, ...missing].toSorted()).toEqual(Object.keys(onnx.versions));
  });

  test.skipIf(noConformance)(`the sets of the tests are those that the table says${noConformance}`, async () => {
    const found = new Map<string, Set<number>>();
    const add = (op: string, set: number) =>
      op in onnx.versions && found.set(op, (found.get(op) ?? new Set()).add(set));
    for (const make of Object.values(cases))
      for (let seed = 0; seed < 8; seed++) {
        const { op, opset } = make(new Random(seed));
        add(op, opset);
      }
    for (const suite of suiteNames)
      for (const name of testsOf(suite).filter((one) => !(one in skipped))) {
        const { graph } = await models.loadModel(readFileSync(join(conformanceTest(suite, name), "model.onnx")));
        for (const { op, opset } of graph.nodes) add(op, opset);
      }
    const sets = [...found].map(([op, numbers]) => [op, [...numbers].toSorted((a, b) => a - b)]);
    expect(Object.fromEntries(sets)).toEqual(onnx.tested);
  });

  const functions = "Celu Elu Gelu HardSigmoid HardSwish LeakyRelu Mish Relu Selu Sigmoid Softplus Softsign Tanh";
  test.each(functions.split(" "))("%s after a layer runs where the page says", async (op) => {
    const bytes = model({
      nodes: [node("Conv", ["x", "w"], ["y"]), node(op, ["y"], ["z"])],
      initializers: [tensor("w", [4, 4, 1, 1])],
      inputs: [value("x", [1, 4, 2, 2])],
      outputs: [value("z", [1, 4, 2, 2])],
      more: { opsetImport: [{ version: 22n }] },
    });
    const loaded = await models.loadModel(bytes);
    const { partitions } = await models.explainModel(loaded);
    loaded.dispose();
    expect(partitions.some(({ place }) => place === "host")).toBe(placeOf(op) === "host");
  });
});

describe("docs/errors.md", () => {
  const rows = [...textOf("errors.md").matchAll(/^\| `(\w+)` \| `(\w+)` \|/gm)].map(([, code, name]) => [code!, name!]);

  test("has a row for each code", () => expect(rows.map(([code]) => code)).toEqual([...errorCodes]));

  test.each(rows)("%s: both entry points export its class %s", (_, name) => {
    const found = (rank1 as Record<string, unknown>)[name];
    expect(found).toBeTypeOf("function");
    expect((models as Record<string, unknown>)[name]).toBe(found);
    expect(Object.create((found as { prototype: object }).prototype)).toBeInstanceOf(rank1.Rank1Error);
  });
});

// The pages of the documentation: generated parts are fresh, the snippets print what they say, and the errors are those of
// the code.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pages, renderPage } from "../scripts/docs.ts";
import { errorCodes } from "../src/errors.ts";
import * as rank1 from "../src/index.ts";
import * as models from "../src/onnx/index.ts";
import { operators } from "../src/onnx/ops/index.ts";
import { model, node, tensor, value } from "./onnx/build.ts";

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
  const row = (place: string): string[] =>
    new RegExp(`^\\| ${place} \\| (.*) \\|$`, "m").exec(textOf("models.md"))![1]!.split(", ");
  const [layers, neighbours, host] = ["on the backend", "on the backend, next to such layers", "on the host"].map(row);

  test("lists every operator once", () => {
    const listed = [...layers!, ...neighbours!, ...host!];
    const known = [...operators.keys()].filter((name) => name !== "SeparableConv");
    expect(listed.toSorted()).toEqual(known.toSorted());
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
    expect(partitions.some(({ place }) => place === "host")).toBe(host!.includes(op));
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

// rank1 compile: shapes of inputs by name.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../node/folder.ts";
import { model, node, tensor, value } from "../onnx/build.ts";
import { rank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

test.each(["__proto__", "toString"])("inputs may be called %s", async (name) => {
  const [inputs, outputs] = [[value(name, ["n", "w"])], [value("y", ["n", "w"])]];
  writeFileSync(path("odd.onnx"), model({ nodes: [node("Relu", [name], ["y"])], inputs, outputs }));
  const shapes = ["--shape", `${name}=1x4`, "--shape", "2x5"];
  expect(await rank1("compile", path("odd.onnx"), ...shapes, "-o", path("out"), "--force")).toMatchObject({ code: 0 });
  expect(readFileSync(path("out/model.js"), "utf8")).toMatch(new RegExp(`^// ${name} 1x4; ${name} 2x5; made by`));
});

test("a model without inputs has no shapes", async () => {
  const parts = { nodes: [node("Relu", ["k"], ["y"])], initializers: [tensor("k", [1, 4])] };
  writeFileSync(path("none.onnx"), model({ ...parts, outputs: [value("y", [1, 4])] }));
  const { code, stderr } = await rank1("compile", path("none.onnx"), "--shape", "1x4", "-o", path("none"));
  expect([code, stderr]).toEqual([2, "rank1: --shape: expected none for a model without inputs, got 1x4\n"]);
});

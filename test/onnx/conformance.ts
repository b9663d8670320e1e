// ONNX's own tests of operators, as files: each a model, inputs and outputs.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Graph } from "../../src/graph/types.ts";
import { readTensor } from "../../src/onnx/tensors.ts";
import type { Tensor } from "../../src/tensor.ts";
import { dataPath, withoutData } from "../data.ts";

/** Why these tests do not run here; empty where they do. */
export const noConformance = withoutData("conformance");

/** The folder of one test. */
export const conformanceTest = (suite: string, name: string): string => dataPath("conformance", suite, name);

/** Not of tensors, of which alone the networks of images are made. */
export const skipped: Readonly<Record<string, string>> = {
  test_identity_opt: "its input is an optional sequence",
  test_identity_sequence: "its input is a sequence",
};

interface Case {
  inputs: Record<string, Tensor>;
  outputs: Record<string, Tensor>;
}

export const suites = ["onnx", "onnx-pytorch"];

/** The names of a suite's tests; none where the folder is missing. */
export function testsOf(suite: string): string[] {
  return noConformance ? [] : readdirSync(dataPath("conformance", suite));
}

/** The files of a test by the names that the graph gives them, in its order. */
export function casesOf(path: string, graph: Graph): Case[] {
  const read = (set: string, kind: string, names: readonly { name: string }[]): Record<string, Tensor> =>
    Object.fromEntries(
      names.map(({ name }, i) => [name, readTensor(readFileSync(join(path, set, `${kind}_${i}.pb`)))] as const),
    );
  const sets = readdirSync(path).filter((name) => name.startsWith("test_data_set"));
  return sets.map((set) => ({ inputs: read(set, "input", graph.inputs), outputs: read(set, "output", graph.outputs) }));
}

/** One line on what passed, and why the rest did not run. */
export function reportOf(title: string, passed: number, names: readonly string[]): string {
  const reasons = names.filter((name) => name in skipped).map((name) => `${name}: ${skipped[name]}`);
  return `${title}: ${passed} of ${names.length} passed; skipped: ${reasons.join(", ") || "none"}`;
}

// ONNX's own tests of operators, as files: each a model, inputs and outputs.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBits } from "../../src/graph/halves.ts";
import type { Graph, ValueInfo } from "../../src/graph/types.ts";
import { readTensor } from "../../src/onnx/tensors.ts";
import type { Tensor } from "../../src/tensor.ts";
import { dataPath, withoutData } from "../data.ts";

/** Why these tests do not run here; empty where they do. */
export const noConformance = withoutData("conformance");

/** The folder of one test. */
export const conformanceTest = (suite: string, name: string): string => dataPath(suites[suite]!, name);

/** The same reason for tests whose names are apart by spaces. */
const all = (reason: string, names: string): Record<string, string> =>
  Object.fromEntries(names.split(" ").map((name) => [`test_${name}`, reason]));

/** Tests that do not run, and why. */
export const skipped: Readonly<Record<string, string>> = {
  // Not of tensors, of which alone the networks of images are made.
  ...all("its input is a sequence", "identity_opt identity_sequence"),
  ...all("its second input is not of the shape that it declares", "castlike_BFLOAT16_to_FLOAT"),
  ...all("its second input is not of the shape that it declares", "castlike_FLOAT_to_BFLOAT16_expanded"),
  ...all("it trains", "batchnorm_epsilon_training_mode"),
};

/** How far results may be apart where the files hold fewer digits than f32. */
export const toleranceOf = (name: string): number =>
  /_(gridsample|roialign)|window_expanded/.test(name) ? 1e-3 : 1e-5;

interface Case {
  inputs: Record<string, Tensor>;
  outputs: Record<string, Tensor>;
}

/** Suites by name, and where they lie. */
const suites: Readonly<Record<string, string>> = {
  ...{ onnx: "conformance/onnx", "onnx-pytorch": "conformance/onnx-pytorch", "onnx-more": "conformance-more" },
};
export const suiteNames = Object.keys(suites);

/** The names of a suite's tests; none where the folder is missing. */
export function testsOf(suite: string): string[] {
  const folder = dataPath(suites[suite]!);
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** The files of a test by the names that the graph gives them, in its order. */
export function casesOf(path: string, graph: Graph): Case[] {
  const read = (set: string, kind: string, infos: readonly ValueInfo[]): Record<string, Tensor> =>
    Object.fromEntries(
      infos.map(({ name, dtype }, i) => {
        const tensor = readTensor(readFileSync(join(path, set, `${kind}_${i}.pb`)));
        // Their bits are stored as whole numbers.
        const isBits = dtype === "bf16" && tensor.data instanceof Uint16Array;
        return [name, isBits ? { ...tensor, data: fromBits(tensor.data, dtype), dtype } : tensor] as const;
      }),
    );
  const sets = readdirSync(path).filter((name) => name.startsWith("test_data_set"));
  return sets.map((set) => ({ inputs: read(set, "input", graph.inputs), outputs: read(set, "output", graph.outputs) }));
}

/** One line on what passed, and why the rest did not run. */
export function reportOf(title: string, passed: number, names: readonly string[]): string {
  const reasons = names.filter((name) => name in skipped).map((name) => `${name}: ${skipped[name]}`);
  return `${title}: ${passed} of ${names.length} passed; skipped: ${reasons.join(", ") || "none"}`;
}

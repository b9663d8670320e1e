// ONNX's own tests of operators, as files: each a model, inputs and outputs.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Graph } from "../../src/graph/types.ts";
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
  ...all("it trains", "batchnorm_epsilon_training_mode"),
  ...all("bf16 comes as bits", "cast_BFLOAT16_to_FLOAT castlike_BFLOAT16_to_FLOAT castlike_FLOAT_to_BFLOAT16_expanded"),
  ...all("CastLike does not round to f16", "castlike_FLOAT_to_FLOAT16"),
  ...all("trigonometry is missing", "acos acosh asin asinh atan atanh cos cosh sin sinh tan"),
  ...all("trigonometry is missing", "blackmanwindow_expanded hammingwindow_expanded hannwindow_expanded"),
  ...all("BitShift is missing", "bitshift_left_uint16 bitshift_left_uint64 bitshift_right_uint16"),
  ...all("BitShift is missing", "bitshift_right_uint32 bitshift_right_uint8"),
  ...all("DynamicQuantizeLinear is missing", "dynamicquantizelinear dynamicquantizelinear_max_adjusted"),
  ...all("DynamicQuantizeLinear is missing", "dynamicquantizelinear_min_adjusted"),
  ...all("GRU is missing", "gru_batchwise gru_seq_length"),
  ...all("LSTM is missing", "lstm_batchwise lstm_with_initial_bias"),
  ...all("RNN is missing", "rnn_seq_length simple_rnn_batchwise simple_rnn_with_initial_bias"),
  ...all("If is missing", "if"),
  ...all("Loop is missing", "loop11"),
  ...all("IsInf and IsNaN are missing", "isinf isinf_positive isnan"),
  ...all("MatMulInteger is missing", "matmulinteger"),
  ...all("QLinearMatMul is missing", "qlinearmatmul_2D"),
  ...all("Mod is missing", "mod_broadcast mod_mixed_sign_float16 mod_mixed_sign_float64 mod_mixed_sign_int16"),
  ...all("Mod is missing", "mod_mixed_sign_int64 mod_uint16 mod_uint32 mod_uint8"),
  ...all("Shrink and Sign are missing", "shrink_hard sign"),
};

/** How far results may be apart where the files hold fewer digits than f32. */
export const toleranceOf = (name: string): number => (/_(gridsample|roialign)/.test(name) ? 1e-3 : 1e-5);

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

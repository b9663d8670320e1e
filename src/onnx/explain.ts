// How a model is computed: its parts, and what each of them does.
import { checkOptions } from "../errors.ts";
import { inputSpecs } from "../graph/infer.ts";
import type { Work } from "../graph/works.ts";
import type { Model } from "./model.ts";

export interface ModelPlan {
  /** The machine and the host take turns; {@link RunOptions.onWork} counts through the works of all parts. */
  parts: readonly { place: "machine" | "host"; works: readonly Work[] }[];
  /** Names of the generated functions that are needed. */
  kernels: readonly string[];
  /** Of the engine's memory, for values, weights and scratch. */
  bytes: number;
}

/**
 * Compiles a model for inputs of some shapes, as a run does, and says how it will be computed. An open batch is 1 unless
 * given.
 *
 * @throws InvalidArgumentError where a shape is not known or does not fit, UnsupportedOpError for unknown operators.
 */
export async function explainModel(
  model: Model,
  options: { shapes?: Readonly<Record<string, readonly number[]>> } = {},
): Promise<ModelPlan> {
  const { shapes } = checkOptions<{ shapes: Record<string, number[]> }>("options", options, ["shapes"]);
  const program = await model.programFor(inputSpecs(model.graph, shapes));
  const parts = program.works.map((works, i) => ({ place: program.parts[i]!.kind, works }));
  const kernels = new Set(parts.flatMap(({ works }) => works.flatMap((work) => work.kernels)));
  return { parts, kernels: [...kernels], bytes: program.bytes };
}

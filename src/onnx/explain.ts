// Explains how a model is computed: its partitions, and the tasks of each.
import { checkOptions } from "../errors.ts";
import { inputSpecs } from "../graph/infer.ts";
import { checkInputs } from "../graph/run.ts";
import type { Task } from "../graph/tasks.ts";
import type { Tensor } from "../tensor.ts";
import type { Model } from "./model.ts";

/** For which inputs a model is explained. */
export interface ExplainModelOptions {
  /** Shapes of inputs by name, where the model leaves sides open. */
  shapes?: Readonly<Record<string, readonly number[]>>;
  /** Or the inputs themselves: a model whose inputs say sizes is compiled for those. */
  inputs?: Readonly<Record<string, Tensor>>;
}

/** How a model is computed for inputs of some shapes. */
export interface ModelPlan {
  /** In the order in which they run; {@link RunOptions.onTask} counts through the tasks of all partitions. */
  partitions: readonly {
    /** In generated code, or in plain loops. */
    place: "backend" | "host";
    /** What is done, in order. */
    tasks: readonly Task[];
  }[];
  /** Names of the generated functions that are needed. */
  kernels: readonly string[];
  /** Of the engine's memory, for values, weights and scratch. */
  bytes: number;
}

/**
 * Compiles a model for some inputs, as a run does, and says how it will be computed. An open batch is 1 unless
 * given.
 *
 * @throws InvalidArgumentError where a shape is not known or does not fit, UnsupportedOpError for unknown operators.
 */
export async function explainModel(model: Model, options?: ExplainModelOptions): Promise<ModelPlan> {
  const { shapes, inputs } = checkOptions<ExplainModelOptions>("options", options, ["shapes", "inputs"]);
  const { graph } = model;
  const program = await model.programFor(inputs ? checkInputs(graph, inputs) : inputSpecs(graph, shapes));
  const partitions = program.tasks.map((tasks, i) => ({ place: program.partitions[i]!.kind, tasks }));
  const kernels = new Set(partitions.flatMap(({ tasks }) => tasks.flatMap((task) => task.kernels)));
  return { partitions, kernels: [...kernels], bytes: program.bytes };
}

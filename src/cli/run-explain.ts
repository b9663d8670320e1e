// rank1 run --explain: the partitions of a compiled model, the tasks of each, and the kernels.
import type { Tensor } from "../index.ts";
import type { Model, ModelPlan, Task } from "../onnx/index.ts";
import { sides } from "./inspect-page.ts";
import { harmless, quantity, shortName, styled, table } from "./text.ts";

/** The whole answer, as text or JSON, for some inputs or for the shapes that the model was loaded with. */
export async function explainRun(
  model: Model,
  name: string,
  inputs: Record<string, Tensor> | undefined,
  json: boolean | undefined,
): Promise<string> {
  const { explainModel } = await import("../onnx/index.ts"); // other commands start without it
  const plan = await explainModel(model, inputs && { inputs });
  return json ? JSON.stringify({ version: 1, model: name, ...plan }, undefined, 2) : asText(name, plan);
}

function asText(name: string, { partitions, kernels, bytes }: ModelPlan): string {
  const tasks = partitions.flatMap((partition) => partition.tasks);
  const count = (wanted: Task["place"]): number => tasks.filter(({ place }) => place === wanted).length;
  const [stages, nodes] = [count("backend"), count("host")];
  return [
    `${styled("bold", harmless(name))}  ${stages} stages by ${kernels.length} kernels, ${nodes} nodes on the host; ${quantity(bytes)}B of memory`,
    ...partitions.flatMap(({ place, tasks }, i) => {
      const rows = tasks.map((task) => [
        task.op,
        shortName(task.name),
        task.shape ? sides(task.shape) : "",
        ...(place === "backend" ? [task.steps.join(", then ")] : []),
      ]);
      const title = `partition ${i + 1}, on the ${place}`;
      return [
        "",
        styled("bold", title),
        table(["what", "of", "result", ...(place === "backend" ? ["how"] : [])], rows),
      ];
    }),
    "",
    "Stages are computed on the backend's threads, one after another; those of several steps strip by strip, so that what",
    "lies between the steps never leaves the cache.",
  ].join("\n");
}

// rank1 run --explain and --timings: the partitions of a compiled model with their tasks and kernels, and the median time
// of each task.
import type { Tensor } from "../index.ts";
import type { ExplainModelOptions, Model, ModelPlan, Task } from "../onnx/index.ts";
import { plural } from "../words.ts";
import { sides } from "./inspect-page.ts";
import { bar, harmless, milliseconds, number, quantity, shortName, styled, table } from "./text.ts";

/** The explanation, as text or JSON, for given inputs or for the shapes that the model was loaded with. */
export async function explainRun(
  model: Model,
  name: string,
  options: ExplainModelOptions,
  json: boolean | undefined,
): Promise<string> {
  const { explainModel } = await import("../onnx/index.ts"); // other commands start without it
  const plan = await explainModel(model, options);
  return json ? JSON.stringify({ version: 1, model: name, ...plan }, undefined, 2) : asText(name, plan);
}

function asText(name: string, { partitions, kernels, bytes }: ModelPlan): string {
  const tasks = partitions.flatMap((partition) => partition.tasks);
  const count = (wanted: Task["place"]): number => tasks.filter(({ place }) => place === wanted).length;
  const [stages, nodes] = [count("backend"), count("host")];
  return [
    `${styled("bold", harmless(name))}  ${plural(stages, "stage")} by ${plural(kernels.length, "kernel")}, ${plural(nodes, "node")} on the host; ${quantity(bytes)}B of memory`,
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

export interface RunTimings {
  runs: number;
  /** Median of a whole run. */
  milliseconds: number;
  /** Milliseconds of each phase before the first run. */
  phases: Readonly<Record<string, number>>;
  /** In the order in which they run; times are medians. */
  tasks: (Task & { milliseconds: number })[];
}

/** So many runs, or fewer where they take longer than this. */
const [mostRuns, mostMilliseconds] = [25, 4000];

/** Times runs on one thread, on inputs for which the model is compiled already. */
export async function timeTasks(
  model: Model,
  inputs: Record<string, Tensor>,
  outputs: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<RunTimings> {
  const { explainModel } = await import("../onnx/index.ts");
  const { partitions } = await explainModel(model, { inputs, outputs });
  const tasks = partitions.flatMap((partition) => partition.tasks);
  const times: number[][] = tasks.map(() => []);
  const whole: number[] = [];
  const end = performance.now() + mostMilliseconds;
  while (whole.length < mostRuns && (whole.length === 0 || performance.now() < end)) {
    const start = performance.now();
    await model.run(inputs, { signal, outputs, onTask: (spent, index) => times[index]!.push(spent) });
    whole.push(performance.now() - start);
  }
  const timed = tasks.map((task, i) => ({ ...task, milliseconds: median(times[i]!) }));
  const info = await model.info();
  const phases = { ...info.milliseconds, ...info.programs.at(-1)?.milliseconds };
  return { runs: whole.length, milliseconds: median(whole), phases, tasks: timed };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

export function timingsText({ runs, milliseconds: whole, phases, tasks }: RunTimings): string {
  const sum = tasks.reduce((total, task) => total + task.milliseconds, 0);
  const largest = tasks.reduce((most, task) => Math.max(most, task.milliseconds), 0);
  const rows = tasks.map(({ op, name, shape, place, milliseconds: spent }) => [
    op,
    shortName(name),
    shape ? sides(shape) : "",
    place === "copy" ? "" : place,
    number(spent, 3),
    `${((100 * spent) / sum).toFixed(1)} %`,
    styled("cyan", bar(spent / largest, 20)),
  ]);
  return [
    styled("bold", `${milliseconds(whole)} a run on one thread, the median of ${runs}`),
    table(["what", "of", "result", "on", "ms", "share", " "], rows, ["ms", "share"]),
    `before the first run: ${Object.entries(phases)
      .map(([phase, time]) => `${phase} ${milliseconds(time)}`)
      .join(", ")}`,
  ].join("\n");
}

// What the gate times: models, layers and filters out of the contests, each beside one native library.
import { existsSync } from "node:fs";
import { type Case, cases as filters } from "../filters/cases.ts";
import { type LayerCase, cases as layers } from "../layers/cases.ts";
import { type ModelCase, cases as models, pathOf } from "../models/cases.ts";

export type Task =
  | { kind: "model"; problem: ModelCase }
  | { kind: "layer"; problem: LayerCase }
  | { kind: "filter"; problem: Case; values?: boolean };

export type NativeName = "ONNX Runtime" | "OpenCV";

export const nativeOf = ({ kind }: Task): NativeName => (kind === "filter" ? "OpenCV" : "ONNX Runtime");

const named = <T extends { name: string }>(list: readonly T[], name: string): T =>
  list.find((one) => one.name === name)!;

/** A picture and its result in values of the engine: nothing is copied, but for the native library, which has its own arrays. */
const onValues = (name: string): Task => {
  const problem = named(filters, name);
  const change = { name: `${name}-values`, title: `${problem.title}, on values of the engine` };
  return { kind: "filter", problem: { ...problem, ...change }, values: true };
};

/** What is timed unless others are named. */
export const tasks: readonly Task[] = [
  ...["ultraface-slim", "resnet20", "waifu2x"].map((name): Task => ({ kind: "model", problem: named(models, name) })),
  ...["separable-112-32-64", "pointwise-56-128-128"].map(
    (name): Task => ({ kind: "layer", problem: named(layers, name) }),
  ),
  ...["gaussian-2", "sobel-x"].map((name): Task => ({ kind: "filter", problem: named(filters, name) })),
];

export const furtherTasks: readonly Task[] = [
  { kind: "filter", problem: named(filters, "gaussian-1") },
  ...["gaussian-1", "gaussian-2", "sobel-x"].map(onValues),
];

/** Why a task cannot be done here, if it cannot. */
export function missing(task: Task): string | undefined {
  if (task.kind !== "model" || existsSync(pathOf(task.problem))) return undefined;
  return `${pathOf(task.problem)} is not there: RANK1_DATA names the folder above its folder "models"`;
}

// Whether a result of the gate is right, by the contests' own measures.
import { differenceOf } from "../difference.ts";
import { errorOf } from "../filters/check.ts";
import { makePicture, type Pixels } from "../filters/picture.ts";
import { openCvLevels } from "../filters/rivals/native.ts";
import { allowed, checker } from "../layers/check.ts";
import { makeData } from "../layers/data.ts";
import { mostDifference } from "../models/judge.ts";
import { rounded } from "../results.ts";
import type { Task } from "./cases.ts";

/** All outputs. */
export type Result = (Float32Array | Float64Array | Uint8Array | Int16Array)[];

/** What says why a result is wrong, if it is. `right`: native ONNX Runtime's outputs, where models are judged by them. */
export function judgeOf(task: Task, right: Result): (result: Result, native: boolean) => string | undefined {
  const { kind, problem } = task;
  if (kind === "model") {
    return (result) => {
      const pairs = result.map((output, i) => [output, right[i]] as [Float32Array, Float32Array]);
      const worst = Math.max(...pairs.map(([a, b]) => differenceOf(a, b)));
      return over(worst, mostDifference, "of the largest value from native ONNX Runtime");
    };
  }
  if (kind === "layer") {
    const error = checker(problem, makeData(problem));
    return ([y]) => over(error(y as Float32Array).worst, allowed, "units of rounding from the exact value");
  }
  const picture = makePicture(problem.width, problem.height, problem.channels);
  return ([y], native) => {
    const levels = native ? openCvLevels(problem) : problem.levels;
    return over(errorOf(problem, problem.border, picture, y as Pixels).worst, levels, "levels from the exact value");
  };
}

const over = (worst: number, most: number, what: string): string | undefined =>
  worst <= most ? undefined : `wrong: ${rounded(worst)} ${what}, ${most} are allowed`;

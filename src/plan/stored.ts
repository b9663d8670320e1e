// Checks plans that come from elsewhere: whoever has changed one gets an error that says where, or a right run.
import { checkBoolean, checkInteger, checkNumber, checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import { mostChannels } from "../tensor/image.ts";
import { type ImageDType, imageDTypes } from "../tensor.ts";
import { isEqual, isObject } from "./equal.ts";
import { borders } from "./filter-problem.ts";
import { candidates, checkPlan, type Planner } from "./planner.ts";
import type { FilterProblem, Plan, Stage } from "./types.ts";

/** The largest sides of pictures and filters. */
interface Limits {
  side: number;
  filterSide: number;
}

type Given = Record<string, unknown>;

/**
 * A plan for a filter: its problem is one, and its stages are among those that solvers make of it; the height of strips is free.
 *
 * @throws InvalidArgumentError that names what is wrong; Rank1Error for another version's plan.
 */
export function checkFilterPlan(given: unknown, planner: Planner, limits: Limits): Plan {
  const plan = checkPlan(given);
  const problem = checkProblem(plan.problem, limits);
  const stages = withoutGrains(plan.stages);
  const found = candidatesOf(problem, planner);
  const isSame = (one: (typeof found)[number]): boolean =>
    one.turned === plan.turned && isEqual(withoutGrains(one.stages), stages) && isEqual(one.buffers, plan.buffers);
  if (found.some(isSame)) return plan;
  const expected = "stages and buffers as this version's solvers make them for the problem";
  throw new InvalidArgumentError({ parameter: "plan", expected, received: "others: it was changed" });
}

function candidatesOf(problem: FilterProblem, planner: Planner) {
  try {
    return candidates(problem, planner).found;
  } catch (cause) {
    const [expected, received] = ["one that can be planned", (cause as Error).message];
    throw new InvalidArgumentError({ parameter: "plan.problem", expected, received, cause });
  }
}

function withoutGrains(stages: readonly Stage[]): unknown[] {
  return stages.map((stage, i) => {
    const { grid, ...rest } = fieldsOf(`plan.stages[${i}]`, stage);
    const { grain, ...sides } = fieldsOf(`plan.stages[${i}].grid`, grid);
    checkInteger(`plan.stages[${i}].grid.grain`, grain, { min: 1, max: 2 ** 20 });
    return { ...rest, grid: sides };
  });
}

function fieldsOf(parameter: string, value: unknown): Given {
  if (isObject(value) && !Array.isArray(value)) return value as Given;
  throw new InvalidArgumentError({ parameter, expected: "an object", received: describe(value) });
}

function listOf(parameter: string, value: unknown, length?: number): unknown[] {
  if (Array.isArray(value) && (length === undefined || value.length === length)) return value;
  const expected = length === undefined ? "an array" : `an array of ${length}`;
  throw new InvalidArgumentError({ parameter, expected, received: describe(value) });
}

function numbersOf(parameter: string, value: unknown, length: number, isInteger = false): number[] {
  const list = listOf(parameter, value, length);
  for (let i = 0; i < length; i++) {
    if (isInteger) checkInteger(parameter, list[i], {});
    else checkNumber(parameter, list[i]);
  }
  return list as number[];
}

function checkValue(parameter: string, value: unknown, side: number): { shape: number[]; dtype: ImageDType } {
  const { shape, dtype } = fieldsOf(parameter, value);
  const [height, width, channels] = listOf(`${parameter}.shape`, shape, 3);
  checkInteger(`${parameter}.shape`, height, { min: 1, max: side });
  checkInteger(`${parameter}.shape`, width, { min: 1, max: side });
  checkInteger(`${parameter}.shape`, channels, { min: 1, max: mostChannels });
  return { shape: shape as number[], dtype: checkOneOf(`${parameter}.dtype`, dtype as string, imageDTypes) };
}

function checkProblem(given: unknown, { side, filterSide }: Limits): FilterProblem {
  const at = "plan.problem";
  const problem = fieldsOf(at, given);
  checkOneOf(`${at}.kind`, problem.kind as string, ["filter"]);
  const x = checkValue(`${at}.x`, problem.x, side);
  const y = checkValue(`${at}.y`, problem.y, side + 2 * filterSide);
  const channels = x.shape[2]!;
  checkInteger(`${at}.y.shape`, y.shape[2], { min: channels, max: channels });
  const size = checkWindow(`${at}.window`, problem.window, filterSide);
  if (problem.origin !== undefined) numbersOf(`${at}.origin`, problem.origin, 2, true);
  const [top, left] = (problem.origin ?? [0, 0]) as [number, number];
  for (const [i, first] of [top, left].entries()) {
    checkInteger(`${at}.origin`, first, { min: 1 - size[i]!, max: x.shape[i]! + size[i]! - 1 });
    const most = x.shape[i]! + size[i]! - 1 - first;
    checkInteger(`${at}.y.shape`, y.shape[i], { min: 1, max: problem.origin === undefined ? x.shape[i]! : most });
    if (problem.origin === undefined) checkInteger(`${at}.y.shape`, y.shape[i], { min: x.shape[i]!, max: x.shape[i]! });
  }
  checkFactors(`${at}.factors`, problem.factors, size);
  for (const name of ["gain", "offset"]) checkNumber(`${at}.${name}`, problem[name]);
  checkNumber(`${at}.tolerance`, problem.tolerance, { min: 0, max: 1 });
  const alphas = channels > 1 ? ["none", "keep", "premultiply"] : ["none"];
  checkOneOf(`${at}.alpha`, problem.alpha as string, alphas);
  if (problem.known !== undefined) checkKnown(`${at}.known`, problem.known, channels);
  return problem as unknown as FilterProblem;
}

function checkWindow(at: string, given: unknown, filterSide: number): number[] {
  const { size, strides, dilations, pads, border, borderValue } = fieldsOf(at, given);
  const [kh, kw] = numbersOf(`${at}.size`, size, 2, true) as [number, number];
  for (const side of [kh, kw]) checkInteger(`${at}.size`, side, { min: 1, max: filterSide });
  for (const [name, list] of [
    ["strides", strides],
    ["dilations", dilations],
  ] as const)
    for (const step of numbersOf(`${at}.${name}`, list, 2, true))
      checkInteger(`${at}.${name}`, step, { min: 1, max: 1 });
  const [top, left, bottom, right] = numbersOf(`${at}.pads`, pads, 4, true) as [number, number, number, number];
  for (const [before, after, side] of [
    [top, bottom, kh],
    [left, right, kw],
  ] as const) {
    checkInteger(`${at}.pads`, before, { min: 0, max: side - 1 });
    checkInteger(`${at}.pads`, after, { min: side - 1 - before, max: side - 1 - before });
  }
  checkOneOf(`${at}.border`, border as string, borders);
  checkNumber(`${at}.borderValue`, borderValue);
  return [kh, kw];
}

function checkFactors(at: string, given: unknown, [kh, kw]: readonly number[]): void {
  const { values, terms, integer, denominator, approximations } = fieldsOf(at, given);
  const isInteger = checkBoolean(`${at}.integer`, integer);
  const checkTerms = (at: string, list: unknown, isInteger: boolean): void => {
    for (const [i, term] of listOf(at, list).entries()) {
      const { column, row } = fieldsOf(`${at}[${i}]`, term);
      numbersOf(`${at}[${i}].column`, column, kh!, isInteger);
      numbersOf(`${at}[${i}].row`, row, kw!, isInteger);
    }
  };
  if (values !== undefined) numbersOf(`${at}.values`, values, kh! * kw!, isInteger);
  // A filter of integers may have terms of real numbers.
  checkTerms(`${at}.terms`, terms, isInteger && values === undefined);
  checkNumber(`${at}.denominator`, denominator, { min: Number.MIN_VALUE });
  for (const [i, one] of listOf(`${at}.approximations`, approximations).entries()) {
    const { terms, error } = fieldsOf(`${at}.approximations[${i}]`, one);
    checkTerms(`${at}.approximations[${i}].terms`, terms, false);
    checkNumber(`${at}.approximations[${i}].error`, error, { min: 0 });
  }
}

function checkKnown(at: string, given: unknown, channels: number): void {
  const { mask, nan, border, fill } = fieldsOf(at, given);
  for (const [name, value] of Object.entries({ mask, nan, border })) checkBoolean(`${at}.${name}`, value);
  for (const value of listOf(`${at}.fill`, fill, channels)) if (value !== null) checkNumber(`${at}.fill`, value);
}

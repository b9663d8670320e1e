// Runs plans on pictures; what few pictures need loads when one comes.
import type { Program, ProgramRunOptions } from "../backend/backend.ts";
import type { FilterProblem, Plan } from "../plan/types.ts";
import type { Image } from "../tensor.ts";
import type { Picture } from "./masks.ts";
import { runFilter } from "./pictures.ts";
import type { Target } from "./targets.ts";
import type { EngineValue } from "./values.ts";

/** Runs the program of a plan on a picture, by {@link runFilter}; turned where the plan is. `own`: values of the engine. */
export function runPlan(
  { turned }: Pick<Plan, "turned">,
  program: Program,
  problem: FilterProblem,
  x: Picture,
  to: Target,
  options: ProgramRunOptions,
  own: Pick<WeakSet<EngineValue>, "has">,
): ReturnType<typeof runFilter> {
  return turned ? turnedRun(program, problem, x, to, options, own) : runFilter(program, problem, x, to, options);
}

async function turnedRun(
  ...given: [...Parameters<typeof runFilter>, own: Pick<WeakSet<EngineValue>, "has">]
): Promise<Image | EngineValue> {
  const { runTurned } = await import("./rare.ts");
  return runTurned(...given);
}

// The planner: asks every solver of the problem's kind, costs their proposals, picks the cheapest, and records why the
// others were rejected.
import { checkOneOf, describe, InvalidArgumentError, Rank1Error } from "../errors.ts";
import { finished, type Steps } from "../factor/steps.ts";
import { imageDTypes, viewDTypes } from "../tensor.ts";
import { costOf } from "./cost.ts";
import { isBetterTurned, isThin, turnedProblem } from "./turned.ts";
import {
  type Candidate,
  type Plan,
  type Problem,
  type Profile,
  planVersion,
  type Solver,
  type WorkOf,
} from "./types.ts";

export interface Planner {
  solvers: readonly Solver[];
  workOf: WorkOf;
  profile: Profile;
}

/**
 * Every way that the solvers know to compute a problem, cheapest first, and why others do not apply: all of the picture as it
 * is, or all of it turned.
 */
export const candidates = (problem: Problem, planner: Planner): Proposals => finished(finding(problem, planner));

interface Proposals {
  found: Candidate[];
  refused: Plan["rejected"];
}

function* finding(problem: Problem, planner: Planner): Steps<Proposals> {
  const upright = yield* proposals(problem, planner);
  if (!isThin(problem)) return upright;
  const { found, refused } = yield* proposals(turnedProblem(problem), planner);
  if (!found[0] || !isBetterTurned(problem, upright.found[0], found[0])) return upright;
  return { found: found.map((candidate) => ({ ...candidate, turned: true as const })), refused };
}

function* proposals(problem: Problem, { solvers, workOf, profile }: Planner): Steps<Proposals> {
  const found: Candidate[] = [];
  const refused: Plan["rejected"] = [];
  for (const solver of solvers) {
    if (solver.kind !== problem.kind) continue;
    yield;
    const drafts = solver.propose(problem, profile);
    if (Array.isArray(drafts)) {
      for (const draft of drafts)
        found.push({
          ...draft,
          solver: [solver.name, draft.variant].filter(Boolean).join(" "),
          cost: costOf(draft, profile, workOf),
        });
    } else {
      refused.push({ solver: solver.name, summary: "", why: `does not apply: ${drafts.why}` });
    }
  }
  found.sort((a, b) => a.cost.time - b.cost.time);
  return { found, refused };
}

/** The cheapest plan, or the cheapest of one solver where `strategy` names it. */
export const plan = (problem: Problem, planner: Planner, strategy?: string): Plan =>
  finished(planning(problem, planner, strategy));

/** {@link plan} in parts: each solver looks at all taps of a large filter. */
export function* planning(problem: Problem, planner: Planner, strategy?: string): Steps<Plan> {
  const { found, refused } = yield* finding(problem, planner);
  const chosen = strategy === undefined ? found[0] : found.find(({ solver }) => isOf(solver, strategy));
  if (!chosen) {
    const why = refused.find(({ solver }) => isOf(solver, strategy))?.why;
    throw new InvalidArgumentError({
      parameter: "strategy",
      expected: `one of ${[...new Set(found.map(({ solver }) => solver))].join(", ")}`,
      received: describe(strategy),
      hint: why && `${strategy} ${why}`,
    });
  }
  return planOf(problem, chosen, found, refused);
}

/** A plan for every candidate, cheapest first. */
export function everyPlan(problem: Problem, planner: Planner): Plan[] {
  const { found, refused } = candidates(problem, planner);
  return found.map((candidate) => planOf(problem, candidate, found, refused));
}

function planOf(problem: Problem, chosen: Candidate, found: readonly Candidate[], refused: Plan["rejected"]): Plan {
  const rejected = found
    .filter((candidate) => candidate !== chosen)
    .map(({ solver, summary, cost }) => ({ solver, summary, cost, why: compare(cost.time / chosen.cost.time) }));
  return { version: planVersion, problem, ...chosen, rejected: [...rejected, ...refused] };
}

/** Whether a strategy names this solver: all of its variants by the solver's name, or one variant. */
const isOf = (solver: string, strategy: unknown): boolean =>
  typeof strategy === "string" && (solver === strategy || solver.startsWith(`${strategy} `));

const compare = (ratio: number): string =>
  ratio < 1
    ? `predicted ${(1 / ratio).toFixed(2)} x faster, but not asked for`
    : `predicted ${ratio.toFixed(2)} x slower`;

/** Refuses what is not a plan of this version: a stored plan may come from another one. */
export function checkPlan(plan: unknown): Plan {
  const version = (plan as Partial<Plan> | null | undefined)?.version;
  if (typeof plan !== "object" || plan === null || version === undefined) {
    throw new InvalidArgumentError({
      parameter: "plan",
      expected: "a plan made by engine.plan",
      received: describe(plan),
    });
  }
  if (version !== planVersion) {
    const [expected, received] = [`${planVersion}`, describe(version)];
    throw new Rank1Error("UNKNOWN_VERSION", { parameter: "plan.version", expected, received });
  }
  const { problem, stages, buffers } = plan as Partial<Plan>;
  if (typeof problem !== "object" || problem === null || !Array.isArray(stages) || !Array.isArray(buffers)) {
    const [expected, received] = ["a plan with problem, stages and buffers", describe(plan)];
    throw new InvalidArgumentError({ parameter: "plan", expected, received });
  }
  checkTypes("plan.problem", problem);
  for (const buffer of buffers) checkOneOf("plan.buffers dtype", buffer?.dtype, viewDTypes);
  return plan as Plan;
}

/** Refuses a problem whose ends are of no known type. */
export function checkTypes(parameter: string, { x, y }: Partial<Problem>): void {
  checkOneOf(`${parameter}.x.dtype`, x?.dtype, imageDTypes);
  checkOneOf(`${parameter}.y.dtype`, y?.dtype, imageDTypes);
}

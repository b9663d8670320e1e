// Planning by measuring: the candidates take turns, and the fastest is kept.
import { LimitError } from "../errors.ts";
import type { Plan } from "../plan/types.ts";

/** A candidate that is predicted to take so many times as long as the best is not tried. */
const hopeless = 4;
const timedRounds = 3;

/** The plan whose best run of three took the least time, of plans in order of their predictions. */
export async function fastestPlan(plans: readonly Plan[], run: (plan: Plan) => Promise<unknown>): Promise<Plan> {
  const most = hopeless * plans[0]!.cost.time;
  let rest = plans.filter(({ cost }) => cost.time <= most).map((plan) => ({ plan, least: Infinity }));
  // The first round compiles, and shows which plans have no room in memory.
  for (let round = 0; rest.length > 1 && round <= timedRounds; round++) {
    for (const one of rest) {
      const start = performance.now();
      try {
        await run(one.plan);
        if (round > 0) one.least = Math.min(one.least, performance.now() - start);
      } catch (error) {
        if (!(error instanceof LimitError) || rest.length === 1) throw error;
        rest = rest.filter((other) => other !== one);
      }
    }
  }
  return rest.reduce((best, one) => (one.least < best.least ? one : best)).plan;
}

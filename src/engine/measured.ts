// Planning by measurement: runs the candidates in turn and keeps the fastest.
import { LimitError } from "../errors.ts";
import type { Plan } from "../plan/types.ts";

/** A candidate that is predicted to take so many times as long as the best is not tried. */
const hopeless = 4;
const timedRounds = 3;

/** The plan whose best run of three took the least time, of plans in order of their predictions. */
export async function fastestPlan(plans: readonly Plan[], run: (plan: Plan) => unknown): Promise<Plan> {
  const most = hopeless * plans[0]!.cost.time;
  const least = new Map(plans.filter(({ cost }) => cost.time <= most).map((plan) => [plan, Infinity]));
  // The first round compiles, and shows which plans have no room in memory.
  for (let round = 0; least.size > 1 && round <= timedRounds; round++) {
    for (const plan of [...least.keys()]) {
      const start = performance.now();
      try {
        await run(plan);
      } catch (error) {
        if (!(error instanceof LimitError) || least.size === 1) throw error;
        least.delete(plan);
        continue;
      }
      if (round > 0) least.set(plan, Math.min(least.get(plan)!, performance.now() - start));
    }
  }
  return [...least].reduce((best, one) => (one[1] < best[1] ? one : best))[0];
}
